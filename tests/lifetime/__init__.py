"""The life of a client's tokens, with time as an argument."""
