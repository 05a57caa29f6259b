"""Ringback: an open unified-communications suite, a client and the services behind it."""

__version__ = "0.1.0"
