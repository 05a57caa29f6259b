"""Waiting for many sockets at little cost.

The loop sees one descriptor, an epoll of all sockets, instead of one each: a callback of the loop costs more than a
datagram. Where packets come so close that waking up for each would cost most of all, the descriptor isn't waited for
any more but looked at every four milliseconds, until it gets quiet again (as network drivers do). Sockets whose
packets nobody looks at before the next beat (those of a conference) are read at the beat: waking up with cold caches
costs several times what a packet does. Where there is no epoll, the loop watches each socket itself.
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
        self._later = select.epoll() if self._epoll is not None else None
        self._put_off: set[int] = set()
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

    def put_off(self, one: socket.socket, callback: Callable[[float], None]) -> bool:
        """Call ``callback(now)`` only within `collect` from now on. False where that is not to be had."""
        if self._later is None:
            return False
        self.unwatch(one)
        number = one.fileno()
        self._readers[number] = callback
        self._put_off.add(number)
        self._later.register(number, select.EPOLLIN)
        return True

    @property
    def waits(self) -> bool:
        """Whether any socket is put off."""
        return bool(self._put_off)

    def collect(self, now: float) -> None:
        """Read what came to the sockets that are put off."""
        if self._later is not None and not self._later.closed:
            self._drain(self._later, now)

    def unwatch(self, one: socket.socket) -> None:
        """Stop; to be called before the socket is closed."""
        number = one.fileno()
        if self._readers.pop(number, None) is None:
            return
        epoll = self._epoll
        if number in self._put_off:
            self._put_off.discard(number)
            epoll = self._later
        if epoll is None:
            self._loop.remove_reader(number)
        elif not epoll.closed:
            with contextlib.suppress(OSError):
                epoll.unregister(number)

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
        if self._later is not None:
            self._later.close()
        self._readers.clear()
        self._put_off.clear()

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
