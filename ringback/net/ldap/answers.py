"""What came of one operation and has not been looked at yet: bounded, so that nobody is read faster than used."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

from sansldap import LDAPMessage

from ringback.protocols.ldap.entries import FoundEntry

_MOST: Final = 128  # messages


class Answers:
    """Messages of one operation, in order. One reader."""

    def __init__(self) -> None:
        self._rows: deque[LDAPMessage | FoundEntry] = deque()
        self._came = asyncio.Event()
        self._room = asyncio.Event()
        self._over = False
        self._failure: Exception | None = None
        self.complete = False
        """Whether the last of them was read: the reader says so."""

    async def put(self, message: LDAPMessage | FoundEntry) -> None:
        """Add one; waits while there are too many, unless nobody wants them any more."""
        while len(self._rows) >= _MOST and not self._over:
            self._room.clear()
            await self._room.wait()
        if not self._over:
            self._rows.append(message)
            self._came.set()

    def fail(self, error: Exception) -> None:
        """Nothing more will come, for this reason."""
        self._failure = error
        self._came.set()

    def end(self) -> None:
        """Nobody wants them any more."""
        self._over = True
        self._rows.clear()
        self._room.set()

    async def get(self) -> LDAPMessage | FoundEntry:
        """The next one. Raises what ended the connection, once all that came before is read."""
        while not self._rows:
            if self._failure is not None:
                raise self._failure
            self._came.clear()
            await self._came.wait()
        self._room.set()
        return self._rows.popleft()
