"""RTP, RTCP, keys and keys pressed; legs and relays over real sockets; players, conferences."""
