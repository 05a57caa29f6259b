"""Whom a leg listens to: the signalled address, or the one that media really come from (RFC 4961, RFC 7362).

A stranger who guesses a port must not take over a call: in clear RTP the first source that speaks is kept until
signalling names another; with SRTP, a packet that proves the key may come from anywhere.
"""

from __future__ import annotations

from typing import Any

SocketAddress = tuple[Any, ...]


class Latch:
    """``source`` is whom packets are accepted from, None before the first. ``target`` is where packets are sent."""

    def __init__(self, *, symmetric: bool = True) -> None:
        self.symmetric = symmetric
        self.source: SocketAddress | None = None
        self.target: SocketAddress | None = None
        self._signalled: SocketAddress | None = None

    def signal(self, address: SocketAddress | None) -> None:
        """Signalling names where media go, or nowhere; what was learnt is forgotten where that changes."""
        if address != self._signalled:
            self._signalled = self.target = address
            self.source = None

    def admit(self, source: SocketAddress, *, authentic: bool) -> bool:
        """Whether a valid packet from ``source`` counts; learns from it."""
        if source == self.source:
            return True
        if not self.symmetric:
            return source == self._signalled
        if self.source is None or authentic or source == self._signalled:
            self.source = self.target = source
            return True
        return False
