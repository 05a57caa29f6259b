"""Drivers of SIP over UDP, TCP and TLS."""
