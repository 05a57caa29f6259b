"""Brute force: an account locks after some wrong passwords, at every node and over restarts, and tells nobody more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import structlog

from ringback.services.callmanager.authentication import (
    Authenticator,
    CheckUnavailableError,
    DeactivatedError,
    LockedOutError,
    WrongPasswordError,
    make_decoy,
)
from ringback.storage.callmanager.credentials import Cost
from ringback.storage.callmanager.engine import create_engine
from ringback.storage.callmanager.lock_outs import LockOuts
from ringback.storage.callmanager.records import PERSON
from ringback.storage.callmanager.store import Store
from tests.oauth.conftest import ANITA, Server, copy_store

CHEAP = Cost(time_cost=1, memory=8 * 1024, parallelism=1, scram_iterations=4096)
RIGHT = ANITA[1]


@dataclass
class Clock:
    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Directory:
    """Passwords that are kept elsewhere."""

    passwords: dict[str, str] = field(default_factory=dict)
    silent: bool = False

    def asks(self, user: str) -> bool:
        return user == "zoe"

    async def right(self, user: str, password: str) -> bool:
        if self.silent:
            raise CheckUnavailableError
        return self.passwords.get(user) == password


@dataclass
class Door:
    people: Authenticator
    locks: LockOuts
    clock: Clock
    directory: Directory
    off: set[str]

    async def guess(self, user: str = "anita", password: str = "wrong", address: str = "192.0.2.1") -> None:
        """A wrong password. The clock moves so far that the plain rate limits never hold it up."""
        self.clock.now += 10.0
        with pytest.raises(WrongPasswordError):
            await self.people.check(user, f"{password} {self.clock.now}", address)


@pytest.fixture
async def door(template: Path, tmp_path: Path) -> AsyncIterator[Door]:
    store = Store(create_engine(copy_store(template, tmp_path / "callmanager.db")))
    clock, off, directory = Clock(), set[str](), Directory({"zoe": "elsewhere"})
    locks = LockOuts(store.engine, 3, 600.0, 300.0)
    with ThreadPoolExecutor(2) as threads:
        authenticator = Authenticator(
            store, PERSON, threads, await make_decoy(CHEAP, threads), clock, frozenset({"192.0.2.200"}),
            elsewhere=directory, locks=locks, is_active=lambda user: user not in off, wall_clock=clock,
        )  # fmt: skip
        yield Door(authenticator, locks, clock, directory, off)
        await authenticator.close()
    await store.close()


async def test_three_wrong_ones_lock_wherever_they_came_from(door: Door) -> None:
    with structlog.testing.capture_logs() as logs:
        for number in range(3):
            await door.guess(address=f"192.0.2.{number}")
    assert [(entry["event"], entry["user"]) for entry in logs] == [("locked out", "anita")]
    assert "wrong" not in {*logs[0].values()}
    with pytest.raises(LockedOutError) as caught:
        await door.people.check("ANITA", RIGHT, "192.0.2.9")
    assert caught.value.wait == 300
    assert await door.locks.locked(door.clock.now) == (("person", "anita", door.clock.now + 300.0),)
    door.clock.now += 301.0
    assert (await door.people.check("anita", RIGHT, "192.0.2.9")).user == "anita"
    assert await door.locks.locked(door.clock.now) == ()


async def test_a_right_password_or_time_begins_the_count_anew(door: Door) -> None:
    await door.guess()
    await door.guess()
    await door.people.check("anita", RIGHT, "192.0.2.1")
    await door.guess()
    await door.guess()
    door.clock.now += 601.0
    await door.guess()
    await door.guess()
    assert await door.locks.locked(door.clock.now) == ()
    await door.guess()
    assert len(await door.locks.locked(door.clock.now)) == 1


async def test_a_right_password_that_was_remembered_does_not_open_a_locked_account(door: Door) -> None:
    await door.people.check("anita", RIGHT, "192.0.2.1")
    for _ in range(3):
        await door.guess(address="203.0.113.7")
    with pytest.raises(LockedOutError):
        await door.people.check("anita", RIGHT, "192.0.2.1")


async def test_a_stranger_locks_like_somebody_known(door: Door) -> None:
    for user in ("nobody", "anita"):
        for _ in range(3):
            await door.guess(user)
        with pytest.raises(LockedOutError):
            await door.people.check(user, "wrong", "192.0.2.1")


async def test_an_administrator_ends_it(door: Door) -> None:
    for _ in range(3):
        await door.guess()
    assert await door.locks.clear(PERSON, "Anita")
    assert not await door.locks.clear(PERSON, "anita")
    await door.people.check("anita", RIGHT, "192.0.2.1")


async def test_presence_nodes_lock_nobody_and_get_in_as_nobody_who_is_locked(door: Door) -> None:
    for _ in range(5):
        await door.guess(address="192.0.2.200")
    await door.people.check("anita", RIGHT, "192.0.2.200")
    for _ in range(3):
        await door.guess()
    door.people.forget("anita")
    with pytest.raises(LockedOutError):
        await door.people.check("anita", RIGHT, "192.0.2.200")


async def test_passwords_elsewhere_count_the_same_and_silence_counts_nothing(door: Door) -> None:
    assert (await door.people.check("zoe", "elsewhere", "192.0.2.1")).user == "zoe"
    door.directory.silent = True
    for number in range(20):
        with pytest.raises(CheckUnavailableError):
            await door.people.check("zoe", f"guess {number}", "192.0.2.1")
    door.directory.silent = False
    for _ in range(3):
        await door.guess("zoe")
    door.people.forget("zoe")
    with pytest.raises(LockedOutError):
        await door.people.check("zoe", "elsewhere", "192.0.2.1")


async def test_who_is_deactivated_hears_it_with_the_right_password_only(door: Door) -> None:
    await door.people.check("anita", RIGHT, "192.0.2.1")
    door.off.add("anita")
    with pytest.raises(DeactivatedError):
        await door.people.check("anita", RIGHT, "192.0.2.1")
    await door.guess()


async def test_guesses_sent_together_count_each(door: Door) -> None:
    guesses = [door.people.check("anita", f"guess {number}", "192.0.2.1") for number in range(6)]
    results = await asyncio.gather(*guesses, return_exceptions=True)
    assert all(isinstance(result, WrongPasswordError | LockedOutError) for result in results)
    with pytest.raises(LockedOutError):
        await door.people.check("anita", RIGHT, "192.0.2.1")


async def test_a_lock_out_outlives_a_restart_and_says_how_long(server: Server) -> None:
    first = await server(lock_tries=2)
    page = await first.authorize()
    assert "not right" in (await first.submit(page, "anita", "one")).text
    assert (await first.authorize(login=("anita", "two"))).status == 401
    await first.running.node.stop()
    again = await server(lock_tries=2)
    answer = await again.submit(await again.authorize(), *ANITA)
    assert answer.status == 429
    assert "Try again in 15 minutes" in answer.text
    assert int(answer.headers["Retry-After"]) > 890
    basic = await again.authorize(login=ANITA)
    assert (basic.status, basic.error.error) == (429, "ACCESS_DENIED")
    assert (await again.send("GET", "/cucm-uds/user/anita", login=ANITA)).status == 429
    assert (await again.administer("DELETE", "/ringback/people/anita/lock-out")).status == 204
    assert (await again.authorize(login=ANITA)).status == 303


async def test_a_lock_out_can_be_switched_off(server: Server) -> None:
    visitor = await server(lock_tries=0)
    for number in range(7):
        assert (await visitor.authorize(login=("anita", f"guess {number}"))).status == 401
    assert (await visitor.authorize(login=ANITA)).status == 303
