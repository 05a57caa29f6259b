"""Waiting for many sockets at little cost.

The loop sees one descriptor, an epoll of all sockets, instead of one each: a callback of the loop costs more than a
datagram. Where packets come so close that waking up for each would cost most of all, the descriptor isn't waited for
any more but looked at every four milliseconds, until it gets quiet again (as network drivers do). Where there is no
epoll, the loop watches each socket itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
import time
from collections.abc import Callable

from ringback.media.transport.guard import guarded

_INTERVAL = 0.004  # seconds between looks while busy: what a relay adds to the delay at most
_BUSY = 2  # datagrams in an interval that make looking cheaper than waiting
_QUIET = 5  # looks in a row without any after which waiting is right again
_PASSES = 8  # times that the sockets are asked in one turn


class Sockets:
    """Calls back with the time when a socket has something to read; what is left over comes in the next turn."""

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Callable[[], float] = time.monotonic) -> None:
        self._loop = loop
        self._clock = clock
        self._readers: dict[int, Callable[[float], None]] = {}
        self._epoll = select.epoll() if hasattr(select, "epoll") else None
        self._timer: asyncio.TimerHandle | None = None
        self._window = 0.0  # when the present interval began
        self._count = 0  # datagrams in it
        self._idle = 0  # looks in a row that found nothing
        if self._epoll is not None:
            loop.add_reader(self._epoll.fileno(), self._readable, self._epoll)

    def watch(self, one: socket.socket, callback: Callable[[float], None]) -> None:
        """Call ``callback(now)`` whenever ``one`` is readable."""
        number = one.fileno()
        self._readers[number] = callback
        if self._epoll is None:
            self._loop.add_reader(number, lambda: callback(self._clock()))
        else:
            self._epoll.register(number, select.EPOLLIN)

    def unwatch(self, one: socket.socket) -> None:
        """Stop; to be called before the socket is closed."""
        if self._readers.pop(one.fileno(), None) is None:
            return
        if self._epoll is None:
            self._loop.remove_reader(one.fileno())
        elif not self._epoll.closed:
            with contextlib.suppress(OSError):
                self._epoll.unregister(one.fileno())

    def close(self) -> None:
        """Stop watching everything."""
        if self._timer is not None:
            self._timer.cancel()
        if self._epoll is None:
            for number in self._readers:
                self._loop.remove_reader(number)
        else:
            self._loop.remove_reader(self._epoll.fileno())
            self._epoll.close()
        self._readers.clear()

    def _drain(self, epoll: select.epoll, now: float) -> int:
        loop, readers = self._loop, self._readers
        count = 0
        for _ in range(_PASSES):
            ready = epoll.poll(0)
            for number, _ in ready:
                reader = readers.get(number)
                if reader is not None:
                    guarded(loop, reader, now)
            count += len(ready)
            if len(ready) < 2:
                break
        return count

    def _readable(self, epoll: select.epoll) -> None:
        now = self._clock()
        if now - self._window > _INTERVAL:
            self._window, self._count = now, 0
        self._count += self._drain(epoll, now)
        if self._count >= _BUSY and not epoll.closed:
            self._loop.remove_reader(epoll.fileno())
            self._idle = 0
            self._timer = self._loop.call_later(_INTERVAL, self._look, epoll)

    def _look(self, epoll: select.epoll) -> None:
        count = self._drain(epoll, self._clock())
        if epoll.closed:
            return
        self._idle = 0 if count else self._idle + 1
        if self._idle < _QUIET:
            self._timer = self._loop.call_later(_INTERVAL, self._look, epoll)
        else:
            self._timer = None
            self._window = 0.0
            self._loop.add_reader(epoll.fileno(), self._readable, epoll)
