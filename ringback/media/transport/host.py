"""The media side of a node: one address, its ports, its buffers, one timer for all legs of a loop."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable

from ringback.media.transport.guard import guarded
from ringback.media.transport.leg import LegSettings, RtpLeg
from ringback.media.transport.ports import DEFAULT_RANGE, PortPool, PortRange
from ringback.media.transport.protection import BUFFER_SIZE, Buffer
from ringback.media.transport.sockets import Sockets
from ringback.media.transport.ticker import PERIOD, Ticker

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
        self.ticker.along = self._look_along
        self.ticker.resting = self._rearm
        self.wall = time.time() - time.monotonic()
        self._loop = loop
        self._legs: set[RtpLeg] = set()
        self._sources = 1 << 32  # beyond any SSRC
        self._timer: asyncio.TimerHandle | None = None
        self._looked = 0.0
        self._closed = False

    @property
    def legs(self) -> int:
        """How many legs are open."""
        return len(self._legs)

    def open_leg(self, settings: LegSettings = _DEFAULT) -> RtpLeg:
        """A leg with its ports bound. Raises NoPortError, OSError."""
        leg = RtpLeg(self, settings)
        self._legs.add(leg)
        self._rearm()
        return leg

    def forget(self, leg: RtpLeg) -> None:
        """A leg closed itself."""
        self._legs.discard(leg)

    def put_off(self, one: socket.socket, callback: Callable[[float], None]) -> None:
        """Read a socket at the beats of `ticker` only, before anybody else is called then."""
        if self.sockets.put_off(one, callback):
            self.ticker.add(self.sockets.collect, first=True)

    def unwatch(self, one: socket.socket) -> None:
        """Read a socket no more."""
        self.sockets.unwatch(one)
        if not self.sockets.waits:
            self.ticker.remove(self.sockets.collect)

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

    def _rearm(self) -> None:
        """Look after the legs by a timer, unless beats come anyway: waking up costs more than looking."""
        if self._timer is None and self._legs and not self._closed and not self.ticker.beats:
            self._timer = self._loop.call_later(_TICK, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._rearm()
        if not self._closed:
            self._look(self.time())

    def _look_along(self, now: float) -> None:
        if now - self._looked >= _TICK - PERIOD / 2:
            self._look(now)

    def _look(self, now: float) -> None:
        self._looked = now
        for leg in list(self._legs):
            guarded(self._loop, leg.handle_timer, now)
