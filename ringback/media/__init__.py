"""Sound and pictures on the way: RTP legs, relay, codecs, jitter buffer and play-out, mixing, measurement."""
