"""Passwords and one-time codes: what is kept of them, and how slowly they can be guessed.

Theory of operation. Of a password only the argon2id hash is kept. An unknown user costs the same time as a wrong
password. A try counts against the user at that address and against the user altogether; after many wrong ones in a row
the account rests for a while, for everybody. A one-time code is good for its 30 seconds and for one step before and
after (RFC 6238 section 5.2), once: a code of the same or an earlier step is refused, also after a restart.
"""

from __future__ import annotations

import asyncio
import hmac
import math
import secrets
from collections.abc import Iterable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path

import argon2
import pyotp

from ringback.rules.name_search import fold
from ringback.rules.throttle import Throttle
from ringback.services.identity.errors import NotProvenError, TooManyTriesError
from ringback.services.identity.kept import Kept
from ringback.services.identity.settings import Account, Hashing, Limits
from ringback.storage.callmanager.credentials import PasswordError, prepare, verify

_STEP = 30  # seconds
_DIGITS = 6
_WINDOW = (-1, 0, 1)  # steps by which the clock of a phone may be off
_PENDING = 256  # passwords that are checked or wait for it; beyond that the service is overloaded and says so


@dataclass(slots=True)
class _Wrong:
    """Wrong tries in a row, and until when nobody gets in."""

    count: int = 0
    locked_until: float = 0.0


class Lockout:
    """Counts wrong tries in a row for each user. Pure; bounded by the number of known users."""

    def __init__(self, after: int, seconds: float) -> None:
        self._after = after
        self._seconds = seconds
        self._wrong: dict[str, _Wrong] = {}

    def wait(self, user: str, now: float) -> int:
        """Whole seconds for which the account is still locked."""
        found = self._wrong.get(user)
        return 0 if found is None else max(0, math.ceil(found.locked_until - now))

    def failed(self, user: str, now: float) -> None:
        """A try was wrong."""
        found = self._wrong.setdefault(user, _Wrong())
        found.count += 1
        if found.count >= self._after:
            found.locked_until, found.count = now + self._seconds, 0

    def succeeded(self, user: str) -> None:
        """A whole sign-in was right."""
        self._wrong.pop(user, None)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with an account."""

    user: str
    mail: str
    name: str
    second_factor: str = field(repr=False)


class Proofs:
    """Who can prove what."""

    def __init__(self, kept: Kept, accounts: Iterable[Account], limits: Limits, threads: Executor, decoy: str) -> None:
        """Raises ValueError for a second factor that is no base32 secret of 112 bits or more (RFC 4226 section 4)."""
        self._kept = kept
        self._threads = threads
        self._decoy = decoy
        self._people = {
            fold(each.user): Person(each.user, each.mail, each.name, each.second_factor) for each in accounts
        }
        self._by_mail = {fold(each.mail): user for user, each in self._people.items() if each.mail}
        self._codes = {user: _generator(person) for user, person in self._people.items() if person.second_factor}
        self._tries = Throttle(limits.tries, limits.seconds_per_try)
        self._by_address = Throttle(limits.tries * 20, 1.0)
        self._lockout = Lockout(limits.lock_after, limits.lock_seconds)
        self._pending = 0

    def person(self, user: str) -> Person | None:
        """Who has this user name or mail address; None where nobody has."""
        return self._people.get(self._key(user))

    def _key(self, typed: str) -> str:
        """What tries are counted by: the same for both names of a person."""
        name = fold(typed)
        return name if name in self._people else self._by_mail.get(name, name)

    async def password(self, user: str, password: str, address: str, now: float) -> Person:
        """The person whose password that is. ``now`` in seconds of any clock that only goes on. Raises NotProvenError,
        TooManyTriesError."""
        key = self._key(user)
        self._begin(key, address, now)
        person = self._people.get(key)
        hashed = self._kept.password(key) if person is not None else None
        if self._pending >= _PENDING:
            raise TooManyTriesError(5)
        self._pending += 1
        try:
            loop = asyncio.get_running_loop()
            right = await loop.run_in_executor(self._threads, verify, password, hashed or self._decoy)
        finally:
            self._pending -= 1
        if not right or person is None or hashed is None:
            self._wrong(key, now)
            raise NotProvenError("identity.wrong")
        self._right(key, address)
        if not person.second_factor:
            self._lockout.succeeded(key)
        return person

    async def code(self, person: Person, code: str, address: str, now: float, moment: float) -> None:
        """Check a one-time code at ``moment`` (Unix seconds); ``now`` as for passwords. Raises NotProvenError,
        TooManyTriesError."""
        key = fold(person.user)
        self._begin(("code", key), address, now, user=key)
        typed = "".join(code.split())
        generator = self._codes[key]
        current = int(moment) // _STEP
        used = self._kept.last_step(key)
        fitting = [
            step
            for step in (current + offset for offset in _WINDOW)
            if hmac.compare_digest(generator.generate_otp(step).encode(), typed.encode())
        ]
        if not fitting or fitting[-1] <= used:
            self._wrong(key, now)
            raise NotProvenError("identity.wrong-code")
        # Remembered before it is believed: two that come together must not both pass.
        await self._kept.use_step(key, fitting[-1], current)
        self._right(("code", key), address)
        self._lockout.succeeded(key)

    def _begin(self, key: object, address: str, now: float, *, user: str = "") -> None:
        name = user or str(key)
        mine = (key, address)
        wait = max(self._lockout.wait(name, now), self._tries.wait(mine, now), self._by_address.wait(address, now))
        if wait:
            raise TooManyTriesError(wait)
        self._tries.count(mine, now)
        self._by_address.count(address, now)

    def _wrong(self, key: str, now: float) -> None:
        if key in self._people:
            self._lockout.failed(key, now)

    def _right(self, key: object, address: str) -> None:
        self._tries.clear((key, address))
        self._by_address.give_back(address)


def _generator(person: Person) -> pyotp.TOTP:
    try:
        return pyotp.TOTP(person.second_factor, digits=_DIGITS, interval=_STEP)
    except ValueError as error:
        raise ValueError(f"The second factor of {person.user} does not serve: {error}") from error


def hash_password(password: str, cost: Hashing) -> str:
    """The argon2id hash of a new password; it computes for some 20 ms. Raises PasswordError."""
    hasher = argon2.PasswordHasher(time_cost=cost.time_cost, memory_cost=cost.memory, parallelism=cost.parallelism)
    return hasher.hash(prepare(password))


async def open_proofs(
    folder: Path, accounts: tuple[Account, ...], hashing: Hashing, limits: Limits, threads: Executor
) -> Proofs:
    """What the folder holds, with new accounts hashed. Raises OSError, PasswordError for a password that is none,
    ValueError for a second factor that is none."""
    loop = asyncio.get_running_loop()
    kept = await loop.run_in_executor(threads, Kept.open, folder)
    for account in accounts:
        if account.password and kept.password(fold(account.user)) is None:
            try:
                hashed = await loop.run_in_executor(threads, hash_password, account.password, hashing)
            except PasswordError as error:
                raise PasswordError(f"{account.user}: {error}") from error
            kept.keep(fold(account.user), hashed)
    await loop.run_in_executor(threads, kept.write)
    decoy = await loop.run_in_executor(threads, hash_password, secrets.token_hex(16), hashing)
    return Proofs(kept, accounts, limits, threads, decoy)
