"""RTP and RTCP packets and what they carry."""
