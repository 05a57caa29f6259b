"""The media side of a node: one address, its ports, its buffers, one timer for all legs of a loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from ringback.media.transport.guard import guarded
from ringback.media.transport.leg import LegSettings, RtpLeg
from ringback.media.transport.ports import DEFAULT_RANGE, PortPool, PortRange
from ringback.media.transport.protection import BUFFER_SIZE, Buffer
from ringback.media.transport.sockets import Sockets
from ringback.media.transport.ticker import Ticker

_TICK = 0.1  # seconds; reports and silence need no finer one
_DEFAULT = LegSettings()


class MediaHost:
    """Opens legs on one address. To be made, used and closed on the running loop."""

    def __init__(self, address: str, ports: PortRange = DEFAULT_RANGE) -> None:
        loop = asyncio.get_running_loop()
        self.pool = PortPool(address, ports)
        self.buffer = Buffer()
        self.outgoing = Buffer()
        self.largest = BUFFER_SIZE - 160
        self.sockets = Sockets(loop)
        self.time: Callable[[], float] = time.monotonic
        self.ticker = Ticker(loop, self.time)
        self.wall = time.time() - time.monotonic()
        self._loop = loop
        self._legs: set[RtpLeg] = set()
        self._sources = 1 << 32  # beyond any SSRC
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def legs(self) -> int:
        """How many legs are open."""
        return len(self._legs)

    def open_leg(self, settings: LegSettings = _DEFAULT) -> RtpLeg:
        """A leg with its ports bound. Raises NoPortError, OSError."""
        leg = RtpLeg(self, settings)
        self._legs.add(leg)
        if self._timer is None:
            self._timer = self._loop.call_later(_TICK, self._tick)
        return leg

    def forget(self, leg: RtpLeg) -> None:
        """A leg closed itself."""
        self._legs.discard(leg)

    def next_source(self) -> int:
        """A number for a local source of packets, never an SSRC."""
        self._sources += 1
        return self._sources

    def call_at(self, when: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        """Call back at a moment of `time`."""
        return self._loop.call_later(max(when - self.time(), 0), callback)

    def close(self) -> None:
        """Close every leg. Closing again does nothing."""
        if self._closed:
            return
        self._closed = True
        for leg in list(self._legs):
            leg.close()
        if self._timer is not None:
            self._timer.cancel()
        self.ticker.close()
        self.sockets.close()

    def _tick(self) -> None:
        self._timer = None
        if self._closed or not self._legs:
            return
        self._timer = self._loop.call_later(_TICK, self._tick)
        now = self.time()
        for leg in list(self._legs):
            guarded(self._loop, leg.handle_timer, now)
