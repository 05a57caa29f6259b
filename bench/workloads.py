"""What is done to a server, and what it cost. Every delivery is confirmed: a run with one missing fails.

The load is a closed loop: so many units are on their way at any time, and each arrival lets the next one go. So the
server is always busy, never flooded, and the generator's own speed doesn't enter the figure.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench.processes import cpu_seconds, resident_bytes
from bench.session import SECONDS, Account, Door, Mechanism, Session, sign_in
from bench.targets import Target

_BODY = b"The quick brown fox jumps over the lazy dog while the band plays on, and nobody minds the rain today."
_ROOM_AS_IT_IS = b"<query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'/></query>"
_OWN_PRESENCE = re.compile(rb"<presence[^>]*>")
_JOINED = re.compile(rb"code=['\"]110['\"].*?</presence>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Measured:
    """The cost of a run: CPU seconds by process role, wall-clock seconds, and the generator's own CPU seconds."""

    units: int
    cpu: dict[str, float]
    seconds: float
    generator: float

    @property
    def per_thousand(self) -> float:
        """CPU seconds of all roles per 1,000 units."""
        return sum(self.cpu.values()) * 1000 / self.units


class LostError(Exception):
    """Not every unit arrived, or errors came back."""


class Meter:
    """A stopwatch for wall clock and CPU of a target."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._cpu = self._read()
        self._generator = time.process_time()
        self._start = time.perf_counter()

    def _read(self) -> dict[str, float]:
        return {role: cpu_seconds(pid) for role, pid in self._target.processes.items()}

    def stop(self, units: int) -> Measured:
        """The cost since the start."""
        seconds = time.perf_counter() - self._start
        generator = time.process_time() - self._generator
        now = self._read()
        return Measured(units, {role: now[role] - before for role, before in self._cpu.items()}, seconds, generator)


@dataclass(frozen=True, slots=True)
class Source:
    """A sender, what it writes at a time, and how many arrivals each writing causes."""

    session: Session
    data: bytes
    arrivals: int


class Pump:
    """Keeps ``window`` arrivals outstanding until ``total`` have been caused."""

    def __init__(self, sources: Sequence[Source], listeners: Sequence[Session], mark: bytes, window: int) -> None:
        self._sources = itertools.cycle(sources)
        self._listeners = listeners
        self._window = window
        self._outstanding = 0
        self._left = 0
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        for session in {id(one): one for one in (*listeners, *(source.session for source in sources))}.values():
            session.count(mark, self._arrived)

    async def run(self, total: int) -> int:
        """Cause at least this many arrivals and wait for all; returns how many. Raises LostError."""
        self._left = total
        self._done = asyncio.get_running_loop().create_future()
        before = sum(session.counted for session in self._listeners)
        caused = self._fill()
        self._caused = caused
        try:
            async with asyncio.timeout(SECONDS):
                await self._done
        except TimeoutError:
            raise LostError(f"{self._outstanding} of {self._caused} never came") from None
        arrived = sum(session.counted for session in self._listeners) - before
        errors = sum(session.errors for session in self._listeners)
        if arrived != self._caused or errors:
            raise LostError(f"{arrived} of {self._caused} came, {errors} errors")
        return arrived

    def _fill(self) -> int:
        caused = 0
        while self._left > 0 and self._outstanding < self._window:
            source = next(self._sources)
            source.session.send(source.data)
            self._outstanding += source.arrivals
            self._left -= source.arrivals
            caused += source.arrivals
        return caused

    def _arrived(self, found: int) -> None:
        self._outstanding -= found
        if self._left > 0:
            if self._outstanding <= self._window // 2:
                self._caused += self._fill()
        elif self._outstanding <= 0 and not self._done.done():
            self._done.set_result(None)


async def _sign_in_all(
    door: Door, accounts: Sequence[Account], mechanism: Mechanism, *, available: bool = True
) -> list[Session]:
    gate = asyncio.Semaphore(20)

    async def one(account: Account) -> Session:
        async with gate:
            session = await sign_in(door, account, mechanism=mechanism)
            if available:
                session.send(b"<presence/>")
                await session.until(_OWN_PRESENCE)
            return session

    return list(await asyncio.gather(*map(one, accounts)))


async def _close_all(sessions: Sequence[Session]) -> None:
    await asyncio.gather(*(session.close() for session in sessions))


def _message(to: str, number: int, kind: bytes = b"chat") -> bytes:
    return (
        b"<message type='%b' to='%b' id='m%06d'><body>%b</body><active xmlns='http://jabber.org/protocol/chatstates'/>"
        b"</message>" % (kind, to.encode(), number, _BODY)
    )


async def messages(target: Target, door: Door, units: int, *, pairs: int = 10, batch: int = 10) -> Measured:
    """One-to-one chat messages between ``pairs`` senders and receivers; ``batch`` go out in one writing."""
    sessions = await _sign_in_all(door, target.accounts[: 2 * pairs], target.mechanism)
    try:
        sources = [
            Source(sender, b"".join(_message(receiver.jid, number) for number in range(batch)), batch)
            for sender, receiver in zip(sessions[:pairs], sessions[pairs:], strict=True)
        ]
        pump = Pump(sources, sessions[pairs:], b"</body>", 2 * pairs * batch if batch > 1 else pairs)
        return await _measured(target, pump, units)
    finally:
        await _close_all(sessions)


async def group(target: Target, door: Door, units: int, *, people: int = 20, batch: int = 2) -> Measured:
    """Deliveries in a group chat where everybody writes in turn; with a batch of 1 all have one before the next."""
    sessions = await _sign_in_all(door, target.accounts[:people], target.mechanism)
    room = f"bench@{target.rooms}"
    try:
        for number, session in enumerate(sessions):
            session.send(
                b"<presence to='%b/nick%d'><x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='0'/></x>"
                b"</presence>" % (room.encode(), number)
            )
            joined = await session.until(_JOINED)
            if b"'201'" in joined or b'"201"' in joined:
                await session.ask(_ROOM_AS_IT_IS, kind=b"set", to=room)
        sources = [
            Source(
                session,
                b"".join(_message(room, number, b"groupchat") for number in range(batch)),
                batch * people,
            )
            for session in sessions
        ]
        window = 10 * batch * people if batch > 1 else 1
        return await _measured(target, Pump(sources, sessions, b"</body>", window), units)
    finally:
        await _close_all(sessions)


async def presence(target: Target, door: Door, units: int, *, people: int = 20, batch: int = 2) -> Measured:
    """Deliveries of presence among people who all have each other as contacts; ``batch`` as for ``group``."""
    sessions = await _sign_in_all(door, target.accounts[:people], target.mechanism)
    try:
        await _befriend(sessions)
        await _close_all(sessions)
        sessions = await _sign_in_all(door, target.accounts[:people], target.mechanism)
        await _settled(sessions)
        for session in sessions:
            session.count(b"</status>")
        sessions[0].send(b"<presence><status>probe</status></presence>")
        await _settled_counting(sessions)
        arrivals = sum(session.counted for session in sessions)
        if not people - 1 <= arrivals <= people:
            raise LostError(f"one change of presence arrived {arrivals} times among {people} people")
        sources = [
            Source(
                session,
                b"".join(
                    b"<presence><show>away</show><status>Back at %02d:%02d</status></presence>" % (number, index)
                    for index in range(batch)
                ),
                batch * arrivals,
            )
            for number, session in enumerate(sessions)
        ]
        window = 10 * batch * people if batch > 1 else 1
        return await _measured(target, Pump(sources, sessions, b"</status>", window), units)
    finally:
        await _close_all(sessions)


async def _measured(target: Target, pump: Pump, units: int) -> Measured:
    await pump.run(max(units // 20, 1))
    meter = Meter(target)
    arrived = await pump.run(units)
    return meter.stop(arrived)


async def _befriend(sessions: Sequence[Session]) -> None:
    """Both-way subscriptions between all, where they don't exist yet (RFC 6121 section 3)."""
    for session in sessions:
        session.listen()
    for session in sessions:  # whoever has asked for the contact list is told of subscriptions
        roster = await session.ask(b"<query xmlns='jabber:iq:roster'/>")
    if roster.count(b"subscription='both'") + roster.count(b'subscription="both"') >= len(sessions) - 1:
        return
    for kind in (b"subscribe", b"subscribed"):
        for session in sessions:
            session.count(b"type='%b'" % kind)
        for session in sessions:
            session.send(
                b"".join(
                    b"<presence type='%b' to='%b'/>" % (kind, other.account.bare.encode())
                    for other in sessions
                    if other is not session
                )
            )
        deadline = time.monotonic() + SECONDS
        while any(session.counted < len(sessions) - 1 for session in sessions):
            if time.monotonic() > deadline:
                raise LostError(f"{kind.decode()} did not reach everybody")
            await asyncio.sleep(0.02)


async def _settled(sessions: Sequence[Session]) -> None:
    """Wait until nothing arrives any more: two answered requests around a quiet moment."""
    for session in sessions:
        session.count(b">")
    await _settled_counting(sessions)


async def _settled_counting(sessions: Sequence[Session]) -> None:
    deadline = time.monotonic() + SECONDS
    before = -1
    while (now := sum(session.counted for session in sessions)) != before:
        if time.monotonic() > deadline:
            raise LostError("the server did not come to rest")
        before = now
        await asyncio.sleep(0.3)


async def sign_ins(
    target: Target, door: Door, units: int, *, mechanism: Mechanism | None = "PLAIN", workers: int = 8
) -> Measured:
    """Full sign-ins: connection, stream, SASL, resource, contact list, presence, end. Without a mechanism: the one-time
    token, whose log-in by SOAP belongs to the cost. By OAUTHBEARER each person has an access token already, as a client
    has for an hour."""
    accounts = target.accounts[: min(100, units)]
    names = itertools.cycle(accounts)
    left = iter(range(units))

    async def worker(number: int) -> None:
        for _ in left:
            account = next(names)
            session = await sign_in(
                door,
                account,
                mechanism=mechanism or "CISCO-VTG-TOKEN",
                token=await _token(target, mechanism, account),
                resource=f"w{number}",
            )
            await session.ask(b"<query xmlns='jabber:iq:roster'/>")
            session.send(b"<presence/>")
            await session.until(_OWN_PRESENCE)
            await session.close()

    try:
        await _first_sign_ins(target, door, mechanism, accounts)
        meter = Meter(target)
        async with asyncio.TaskGroup() as tasks:
            for number in range(workers):
                tasks.create_task(worker(number), name=f"sign-ins {number}")
        return meter.stop(units)
    finally:
        if target.finish is not None:
            await target.finish()


async def _first_sign_ins(target: Target, door: Door, mechanism: Mechanism | None, accounts: Sequence[Account]) -> None:
    """The generator's key derivation, which a client does once, is out of the way before the clock starts."""
    for account in accounts:
        if mechanism is None:
            if target.token is not None:
                await target.token(account)
            continue
        token = await _token(target, mechanism, account)
        session = await sign_in(door, account, mechanism=mechanism, token=token)
        await session.close()


async def _token(target: Target, mechanism: Mechanism | None, account: Account) -> str:
    """What signs an account in besides its name; empty where that is a password."""
    source = {None: target.token, "OAUTHBEARER": target.access_token}.get(mechanism)
    if source is None and mechanism in {None, "OAUTHBEARER"}:
        raise LostError(f"{target.name} has no such tokens")
    return await source(account) if source is not None else ""


async def idle_bytes(target: Target, door: Door, connections: int) -> float:
    """Resident octets per signed-in, available, idle connection, all of different people."""
    warm = await _sign_in_all(door, target.accounts[:20], target.mechanism)
    await _close_all(warm)
    before = sum(resident_bytes(pid) for pid in target.processes.values())
    sessions = await _sign_in_all(door, target.accounts[:connections], target.mechanism)
    await _settled(sessions)
    after = sum(resident_bytes(pid) for pid in target.processes.values())
    await _close_all(sessions)
    return (after - before) / connections
