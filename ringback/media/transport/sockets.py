"""Waiting for many sockets at little cost: one epoll inside the loop's own, drained in one turn.

A loop's callback per datagram costs more than the datagram; here the loop sees one descriptor for all legs. Where there
is no epoll, the loop watches each socket itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
from collections.abc import Callable


class Sockets:
    """Calls back when a socket has something to read. Level triggered: what is left over comes in the next turn."""

    _AT_ONCE = 256

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._readers: dict[int, Callable[[], None]] = {}
        self._epoll = select.epoll() if hasattr(select, "epoll") else None
        if self._epoll is not None:
            loop.add_reader(self._epoll.fileno(), self._drain, self._epoll)

    def watch(self, one: socket.socket, callback: Callable[[], None]) -> None:
        """Call ``callback`` whenever ``one`` is readable."""
        if self._epoll is None:
            self._loop.add_reader(one.fileno(), callback)
        else:
            self._epoll.register(one.fileno(), select.EPOLLIN)
        self._readers[one.fileno()] = callback

    def unwatch(self, one: socket.socket) -> None:
        """Stop; to be called before the socket is closed."""
        if self._readers.pop(one.fileno(), None) is None:
            return
        if self._epoll is None:
            self._loop.remove_reader(one.fileno())
        else:
            with contextlib.suppress(OSError):
                self._epoll.unregister(one.fileno())

    def close(self) -> None:
        """Stop watching everything."""
        if self._epoll is None:
            for number in self._readers:
                self._loop.remove_reader(number)
        else:
            self._loop.remove_reader(self._epoll.fileno())
            self._epoll.close()
        self._readers.clear()

    def _drain(self, epoll: select.epoll) -> None:
        readers = self._readers
        for number, _ in epoll.poll(0, self._AT_ONCE):
            reader = readers.get(number)
            if reader is not None:
                reader()
