"""How fast passwords are tried at the call managers.

A password costs a call manager some 25 ms of a processor to check, wrong or right, and each of a hundred addresses may
be wrong a few times before it is kept out: enough to leave nothing for people who work. Therefore passwords of people
who were not let in lately from where they are have a lane of their own, and wrong ones fill it for a while.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from ringback.net.home_passwords import HomePasswords
from ringback.rules.throttle import Throttle

_KNOWN: Final = 8  # at once
_STRANGERS: Final = 1
_WAITING: Final = 32  # strangers; more are told to come again
_WRONG: Final = (20, 0.1)  # passwords of strangers at once, and seconds for each one more
_ALL: Final = "strangers"


class CrowdedError(Exception):
    """So many wrong passwords come that this one is not tried now; ``seconds`` until it may be."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"try again in {seconds} s")
        self.seconds = seconds


class Trials:
    """``known``: whether a person (folded user id) was let in lately from an address."""

    def __init__(self, passwords: HomePasswords, known: Callable[[str, str], bool]) -> None:
        self._passwords = passwords
        self._known = known
        self._lanes = {True: asyncio.Semaphore(_KNOWN), False: asyncio.Semaphore(_STRANGERS)}
        self._wrong = Throttle(*_WRONG)
        self._waiting = 0
        self.crowded = 0
        """Passwords that were not tried since the start."""

    async def check(self, address: str, user: str, password: str, person: str) -> bool:
        """Whether this is the person's password; ``person`` is the folded id of ``user``. Raises CrowdedError,
        HomesUnavailableError."""
        if self._passwords.remembers(user, password):
            return True
        if self._known(address, person):
            async with self._lanes[True]:
                return await self._passwords.check(user, password)
        return await self._stranger(user, password)

    async def _stranger(self, user: str, password: str) -> bool:
        now = asyncio.get_running_loop().time()
        seconds = self._wrong.wait(_ALL, now) or (1 if self._waiting >= _WAITING else 0)
        if seconds:
            self.crowded += 1
            raise CrowdedError(seconds)
        self._wrong.count(_ALL, now)
        self._waiting += 1
        try:
            async with self._lanes[False]:
                right = await self._passwords.check(user, password)
        finally:
            self._waiting -= 1
        if right:
            self._wrong.give_back(_ALL)
        return right
