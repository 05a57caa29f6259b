"""A beat of 20 ms for everything of a loop that sends or takes sound at a pace: players, recorders, mixers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ringback.media.transport.guard import guarded

PERIOD = 0.02  # seconds


class Ticker:
    """Calls back every 20 ms while somebody listens. Missed beats are not made up: callers look at ``now``.

    ``along(now)`` is called at every beat too, but isn't a reason to go on; ``resting()`` when the beats end.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Callable[[], float]) -> None:
        self.along: Callable[[float], None] | None = None
        self.resting: Callable[[], None] | None = None
        self._loop = loop
        self._clock = clock
        self._callbacks: dict[Callable[[float], None], None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0

    def add(self, callback: Callable[[float], None], *, first: bool = False) -> None:
        """Call ``callback(now)`` at every beat, from the next on; where asked for, ``first``, before all others."""
        if first:
            self._callbacks = {callback: None, **self._callbacks}
        self._callbacks[callback] = None
        if self._timer is None:
            self._due = self._clock() + PERIOD
            self._timer = self._loop.call_later(PERIOD, self._beat)

    @property
    def beats(self) -> bool:
        """Whether another beat will come."""
        return self._timer is not None

    def remove(self, callback: Callable[[float], None]) -> None:
        """Do not call any more. Also right for one that is not there."""
        self._callbacks.pop(callback, None)

    def close(self) -> None:
        """Stop beating."""
        self._callbacks.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _beat(self) -> None:
        if not self._callbacks:
            self._timer = None
            if self.resting is not None:
                self.resting()
            return
        now = self._clock()
        self._due = max(self._due + PERIOD, now)
        self._timer = self._loop.call_later(max(self._due - now, 0), self._beat)
        for callback in list(self._callbacks):
            if callback in self._callbacks:
                guarded(self._loop, callback, now)
        if self.along is not None:
            guarded(self._loop, self.along, now)
