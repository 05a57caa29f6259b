"""What a leg may raise."""

from __future__ import annotations


class TransportError(Exception):
    """Root of this package's errors."""


class NoPortError(TransportError):
    """Every port of the range is in use; wait for a call to end or widen the range."""


class ProtectionError(TransportError):
    """Keys cannot protect a leg: unknown suite, or a key of the wrong length."""


class NotConnectedError(TransportError):
    """Something was to be sent before the leg was told where."""
