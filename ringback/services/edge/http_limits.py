"""How much one client may ask of the HTTPS front. All figures are chosen."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """``head``: seconds until a request's head must be whole, and that a connection may lie idle. ``grace``: seconds
    without a byte of a body; after as many in all, a body must have come at ``rate`` octets a second. ``stall``:
    seconds that a client may take nothing of an answer. ``address`` and ``person``: requests at once, and seconds for
    each one more."""

    head: float = 30.0
    grace: float = 10.0
    rate: int = 1024
    stall: float = 60.0
    address: tuple[int, float] = (600, 0.005)
    person: tuple[int, float] = (300, 0.02)
