"""Who asks: Basic authentication against the hashes in the store.

Theory of operation. Checking a password costs about 20 ms by design, so it is done in a few threads with a bounded
queue, once for equal questions that arrive together, and a right answer is remembered for a minute under a keyed hash
of the password (the key lives and dies with the process). An unknown user costs the same as a wrong password. After
some wrong ones a user from an address has to wait, and so does an address that tries many users. A try is counted when
it begins and given back when it was right, so that tries sent together count too. Addresses of presence nodes are not
counted: they ask for everybody, and know who it is that guesses.

Beside that, wrong passwords of a person are counted in the store, whatever the address: after some, nobody gets in as
that person with a password for a while, nor with the right one. Users whom nobody knows lock like others. Passwords may
be checked elsewhere, in a directory, by a ``PasswordChecker``; all that counts and slows down is the same.
"""

from __future__ import annotations

import asyncio
import hmac
import math
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Protocol

import structlog

from ringback.rules.name_search import fold
from ringback.rules.throttle import Throttle
from ringback.storage.callmanager.credentials import Cost, hash_password, verify
from ringback.storage.callmanager.lock_outs import LockOuts
from ringback.storage.callmanager.records import Credential
from ringback.storage.callmanager.store import Store

_REMEMBERED_SECONDS = 60.0
_REMEMBERED = 20_000
_LONGEST_NAME = 256
_NOBODY = "?"  # no user name
_PENDING = 256  # password checks under way or waiting; beyond that the service is overloaded and says so

_Key = tuple[str, bytes]  # the folded user name and the keyed hash of the password

_log = structlog.get_logger("ringback.callmanager.passwords")


class AuthenticationError(Exception):
    """The credentials do not let this request pass."""


class WrongPasswordError(AuthenticationError):
    """The user is unknown or the password wrong; which of them is not told."""


class TooManyTriesError(AuthenticationError):
    """Too many wrong passwords, or too many checks at once; ``wait`` is whole seconds until a new try makes sense."""

    def __init__(self, wait: int) -> None:
        super().__init__(f"Try again in {wait} seconds")
        self.wait = wait


class LockedOutError(TooManyTriesError):
    """So many wrong passwords were tried that nobody gets in as this user for a while."""


class DeactivatedError(AuthenticationError):
    """The password was right, and the person may not sign in any more."""


class CheckUnavailableError(AuthenticationError):
    """Where the password is known nobody answers now; the try does not count."""


class PasswordChecker(Protocol):
    """Knows passwords that are not in the store."""

    def asks(self, user: str) -> bool:
        """Whether the password of this person (folded user name) is checked here."""

    async def right(self, user: str, password: str) -> bool:
        """Whether it is the right one; False also for a user whom nobody knows there. Raises CheckUnavailableError."""


@dataclass(frozen=True, slots=True)
class Proven:
    """A user who gave the right password: the folded user name and, of an application, its rights."""

    user: str
    rights: frozenset[str]


class Authenticator:
    """Checks passwords of one kind of users (person or application)."""

    def __init__(
        self,
        store: Store,
        kind: str,
        threads: Executor,
        decoy: str,
        clock: Callable[[], float],
        trusted: frozenset[str] = frozenset(),
        *,
        elsewhere: PasswordChecker | None = None,
        locks: LockOuts | None = None,
        is_active: Callable[[str], bool] = lambda _user: True,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._kind = kind
        self._threads = threads
        self._decoy = decoy
        self._clock = clock
        self._trusted = trusted
        self._elsewhere = elsewhere
        self._locks = locks
        self._is_active = is_active
        self._wall_clock = wall_clock
        self._secret = secrets.token_bytes(32)
        self._remembered: OrderedDict[_Key, tuple[float, Proven]] = OrderedDict()
        self._pending: dict[_Key, asyncio.Task[Proven | None]] = {}
        self._by_user = Throttle(burst=8, seconds=10.0)
        self._by_address = Throttle(burst=100, seconds=1.0)

    async def check(self, user: str, password: str, address: str) -> Proven:
        """The user, proven. Raises WrongPasswordError, TooManyTriesError, LockedOutError, DeactivatedError or
        CheckUnavailableError."""
        key = (_named(user), hmac.digest(self._secret, password.encode(), "sha256"))
        proven = await self._right(key, password, address)
        if not self._is_active(proven.user):
            raise DeactivatedError
        return proven

    async def _right(self, key: _Key, password: str, address: str) -> Proven:
        now = self._clock()
        known = self._remembered.get(key)
        if known is not None and known[0] > now:
            return known[1]
        task = self._pending.get(key) or self._begin(key, password, address, now)
        proven = await asyncio.shield(task)
        if proven is None:
            raise WrongPasswordError
        self._by_user.clear((key[0], address))
        self._remembered[key] = (self._clock() + _REMEMBERED_SECONDS, proven)
        self._remembered.move_to_end(key)
        if len(self._remembered) > _REMEMBERED:
            self._remembered.popitem(last=False)
        return proven

    def forget(self, user: str) -> None:
        """Forget remembered passwords of a user, whose password just changed."""
        for key in [key for key in self._remembered if key[0] == fold(user)]:
            del self._remembered[key]

    async def close(self) -> None:
        """End the checks under way."""
        tasks = list(self._pending.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, key: _Key, password: str, address: str, now: float) -> asyncio.Task[Proven | None]:
        counted = address not in self._trusted
        if counted and (wait := max(self._by_user.wait((key[0], address), now), self._by_address.wait(address, now))):
            raise TooManyTriesError(wait)
        if len(self._pending) >= _PENDING:
            raise TooManyTriesError(5)
        if counted:
            self._by_user.count((key[0], address), now)
            self._by_address.count(address, now)
        task = asyncio.create_task(self._prove(key[0], password, address), name=f"password check of {self._kind}")
        self._pending[key] = task

        def ended(done: asyncio.Task[Proven | None]) -> None:
            self._pending.pop(key, None)
            failure = None if done.cancelled() else done.exception()
            if isinstance(failure, CheckUnavailableError | LockedOutError):  # no answer: it was no try
                self._by_address.give_back(address)
                self._by_user.give_back((key[0], address))
            elif failure is None and not done.cancelled() and done.result() is not None:
                self._by_address.give_back(address)

        task.add_done_callback(ended)
        return task

    async def _prove(self, user: str, password: str, address: str) -> Proven | None:
        failures = await self._failures(user)
        if self._elsewhere is not None and self._elsewhere.asks(user):
            proven = Proven(user, frozenset()) if await self._elsewhere.right(user, password) else None
        else:
            proven = await self._by_hash(user, password)
        if self._locks is None:
            return proven
        if proven is None and address not in self._trusted:
            lock = await self._locks.count(self._kind, user, self._wall_clock())
            if lock.until:
                self.forget(user)
                _log.warning("locked out", user=user, address=address, wrong_passwords=lock.failures)
        elif proven is not None and failures:
            await self._locks.clear(self._kind, user)
        return proven

    async def _failures(self, user: str) -> int:
        """How many wrong passwords count. Raises LockedOutError."""
        if self._locks is None:
            return 0
        now = self._wall_clock()
        lock = await self._locks.state(self._kind, user, now)
        if lock.until:
            raise LockedOutError(math.ceil(lock.until - now))
        return lock.failures

    async def _by_hash(self, user: str, password: str) -> Proven | None:
        credential: Credential | None = await self._store.credential(self._kind, user)
        expected = self._decoy if credential is None else credential.argon2
        loop = asyncio.get_running_loop()
        right = await loop.run_in_executor(self._threads, verify, password, expected)
        return Proven(user, credential.rights) if right and credential is not None else None


def _named(user: str) -> str:
    """The folded user name; what can be none becomes one that nobody has, so that it costs as much as others."""
    folded = fold(user)
    return folded if folded.isprintable() and len(folded) <= _LONGEST_NAME else _NOBODY


async def make_decoy(cost: Cost, threads: Executor) -> str:
    """A hash of a password that nobody has, to spend the usual time on users whom nobody knows."""
    hashes = await asyncio.get_running_loop().run_in_executor(threads, hash_password, secrets.token_hex(16), cost)
    return hashes.argon2
