"""RTP and what travels beside it: packets, RTCP, redundancy, telephone events, SDES keys. No socket, loop or clock."""
