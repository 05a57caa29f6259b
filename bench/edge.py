"""What the edge costs: requests, megabytes and messages through both proxies, connections that stand, fail-over.

Each node is a process of its own. nginx is the peer, with one worker, as reverse proxy with TLS to the same servers: it
is one hop and looks at nothing, where the edge is two (clients' TLS ends in the inner one), checks paths and counts.
Clients come from many addresses, since the edge holds each to its share. CPU is that of the proxies alone; for messages
the presence service's is told, too.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, cast

import uvloop

from bench.processes import cpu_seconds, resident_bytes
from bench.report import Result
from bench.session import Account, Door, Session, sign_in
from bench.targets import Target
from bench.workloads import Measured, messages
from ringback.protocols.edge import Target as Aim
from ringback.rules.addresses import HostPort
from tests.support.edge_nodes import (
    FIRST,
    INNERS,
    NAMES,
    OUTERS,
    PRESENCE,
    SECOND,
    Nodes,
    edge_nodes,
    password,
    person,
)
from tests.support.nginx import Proxied, running_backend, running_proxy

_DOMAIN: Final = "example.com"
_FILES: Final = HostPort("files.example.com", 8090)
_SMALL, _LARGE = 1024, 4 * 1024 * 1024
_PEERS: Final = 40  # addresses that requests come from, one connection each
_SESSIONS: Final = 20  # of one person, for connections that stand
_ALLOWED: Final = '\n[[edge.allow]]\nhost = "files.example.com"\nport = 8090\nscheme = "http"\nopen = true\n'


@dataclass
class Proxy:
    """A proxy under measurement. ``processes`` by role; ``path`` is what stands before a path inside."""

    name: str
    configuration: str
    processes: dict[str, int]
    address: str
    https: int
    path: str
    host: str
    context: ssl.SSLContext
    households: list[str] = field(default_factory=list)

    def cpu(self) -> dict[str, float]:
        """CPU seconds so far."""
        return {role: cpu_seconds(pid) for role, pid in self.processes.items()}

    def memory(self) -> dict[str, int]:
        """Octets resident now."""
        return {role: resident_bytes(pid) for role, pid in self.processes.items()}


class _Answer(asyncio.Protocol):
    """One connection of HTTP/1.1: asks, and waits until the whole answer came."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self._head = b""
        self._left = -1
        self._done: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._left < 0:
            self._head += data
            head, found, rest = self._head.partition(b"\r\n\r\n")
            if not found:
                return
            if not head.startswith(b"HTTP/1.1 200"):
                self._end(ConnectionError(head[:200].decode("latin-1")))
                return
            self._left = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
            data = rest
        self._left -= len(data)
        if self._left == 0:
            self._left, self._head = -1, b""
            self._end(None)

    def connection_lost(self, error: Exception | None) -> None:
        self._end(ConnectionError(f"the connection ended: {error}"))

    def _end(self, error: Exception | None) -> None:
        done, self._done = self._done, None
        if done is not None and not done.done():
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(error)

    async def ask(self, request: bytes) -> None:
        """Raises ConnectionError, TimeoutError."""
        if self.transport is None or self.transport.is_closing():
            raise ConnectionError("the connection ended")
        self._done = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        async with asyncio.timeout(60):
            await self._done


def results(folder: Path, rounds: int, wanted: Sequence[str], *, short: bool) -> list[Result]:
    """The rows of the table. ``wanted``: only these targets; none: all."""
    folder.mkdir(parents=True, exist_ok=True)
    people = 20 if short else 500
    groups = ((NAMES, FIRST, SECOND),)
    with contextlib.ExitStack() as stack:
        nodes = stack.enter_context(edge_nodes(folder / "nodes", people, groups=groups, more=_ALLOWED))
        inside = nodes.address(FIRST)
        files = {"small": b"x" * _SMALL, "large": b"x" * _LARGE}
        stack.enter_context(running_backend(folder / "backend", inside, _FILES.port, files))
        certificates = nodes.data / "certificates"
        settings = Proxied(
            f"{nodes.loopback}.20.50", 8443, 5223, f"{inside}:{_FILES.port}", f"{nodes.address(PRESENCE)}:5223",
            certificates / "edge-public.pem", certificates / "edge-public.key",
        )  # fmt: skip
        proxies = [_ours(nodes)] if not wanted or "ringback" in wanted else []
        if not wanted or "nginx" in wanted:
            pid = stack.enter_context(running_proxy(folder / "nginx", settings))
            context = ssl.create_default_context(cafile=str(nodes.ca_file))
            proxies.append(
                Proxy("nginx", "one proxy, one worker", {"proxy": pid}, settings.address, 8443, "", "edge", context)
            )
        for proxy in proxies:
            proxy.households = [nodes.household(number) for number in range(100)]
        for name in (OUTERS[1], INNERS[1]):  # one of each is measured
            nodes.end(name)
        nodes.wait_until_served(OUTERS[0])
        rows = uvloop.run(_rounds(proxies, rounds, short))
        rows += uvloop.run(_messages(nodes, proxies, rounds, short))
        rows += uvloop.run(_standing(nodes, proxies, 100 if short else 10_000))
        if any(proxy.name == "ringback" for proxy in proxies):
            rows.append(_failing_over(nodes, _ours(nodes), 1 if short else 5))
        return rows


def _ours(nodes: Nodes) -> Proxy:
    aim = Aim(_DOMAIN, "http", _FILES).segment()
    processes = {"outer": nodes.processes[OUTERS[0]].pid, "inner": nodes.processes[INNERS[0]].pid}
    context = ssl.create_default_context(cafile=str(nodes.ca_file))
    made = Proxy("ringback", "outer and inner proxy", processes, nodes.address(OUTERS[0]), 8443, aim, "", context)
    made.households = [nodes.household(number) for number in range(100)]
    return made


async def _open(proxy: Proxy, household: str) -> _Answer:
    _, answer = await asyncio.get_running_loop().create_connection(
        _Answer, proxy.address, proxy.https, ssl=proxy.context, server_hostname=_DOMAIN, local_addr=(household, 0)
    )
    return answer


def _request(proxy: Proxy, path: str) -> bytes:
    place = f"/{proxy.path}/{path}" if proxy.path else f"/{path}"
    return f"GET {place} HTTP/1.1\r\nHost: {_DOMAIN}\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n".encode()


async def _rounds(proxies: Sequence[Proxy], rounds: int, short: bool) -> list[Result]:
    rows: dict[tuple[str, str], Result] = {}
    for _ in range(rounds):
        for proxy in proxies:
            for name, unit, measured in (
                ("requests, 1 KiB each", "request", await _asking(proxy, 60 if short else 6000)),
                ("answers, 4 MiB each", "MB", await _loading(proxy, 2 if short else 100)),
                ("connections, a request each", "connection", await _coming(proxy, 20 if short else 800)),
            ):  # fmt: skip
                row = rows.setdefault(
                    (name, proxy.name), Result(name, unit, proxy.name, f"TLS, {proxy.configuration}", None)
                )
                row.values.append(measured.per_thousand)
                row.details.append(measured)
    return sorted(rows.values(), key=lambda row: (row.workload, row.target != "ringback"))


@contextlib.asynccontextmanager
async def _connections(proxy: Proxy, count: int) -> AsyncIterator[list[_Answer]]:
    answers = [await _open(proxy, proxy.households[number % len(proxy.households)]) for number in range(count)]
    try:
        yield answers
    finally:
        for answer in answers:
            if answer.transport is not None:
                answer.transport.abort()


async def _asking(proxy: Proxy, units: int) -> Measured:
    async with _connections(proxy, _PEERS) as answers:
        return await _worked(proxy, answers, _request(proxy, "small"), units)


async def _loading(proxy: Proxy, units: int) -> Measured:
    async with _connections(proxy, 4) as answers:
        measured = await _worked(proxy, answers, _request(proxy, "large"), units)
    return replace(measured, units=units * _LARGE // 1_000_000)


async def _worked(proxy: Proxy, answers: Sequence[_Answer], request: bytes, units: int) -> Measured:
    async def work(answer: _Answer, count: int) -> None:
        for _ in range(count):
            await answer.ask(request)

    await asyncio.gather(*(work(answer, 1) for answer in answers))
    each = -(-units // len(answers))
    cpu, generator, began = proxy.cpu(), time.process_time(), time.perf_counter()
    await asyncio.gather(*(work(answer, each) for answer in answers))
    seconds = time.perf_counter() - began
    return Measured(
        each * len(answers),
        {role: now - cpu[role] for role, now in proxy.cpu().items()},
        seconds,
        time.process_time() - generator,
    )


async def _coming(proxy: Proxy, units: int) -> Measured:
    request = _request(proxy, "small")

    async def work(household: str, count: int) -> None:
        for _ in range(count):
            answer = await _open(proxy, household)
            await answer.ask(request)
            if answer.transport is not None:
                answer.transport.abort()

    each = -(-units // 20)
    cpu, generator, began = proxy.cpu(), time.process_time(), time.perf_counter()
    await asyncio.gather(*(work(household, each) for household in proxy.households[40:60]))
    seconds = time.perf_counter() - began
    used = {role: now - cpu[role] for role, now in proxy.cpu().items()}
    return Measured(20 * each, used, seconds, time.process_time() - generator)


async def _messages(nodes: Nodes, proxies: Sequence[Proxy], rounds: int, short: bool) -> list[Result]:
    context = ssl.create_default_context(cafile=str(nodes.ca_file))
    presence = {"presence": nodes.processes[PRESENCE].pid}
    direct = Door(nodes.address(PRESENCE), 5223, _DOMAIN, context)
    ways = [("direct", "presence service alone, TLS", direct, presence)]
    for proxy in proxies:
        if proxy.name == "ringback":
            door = replace(direct, address=proxy.address, port=5222, starttls=True)
        else:
            door = replace(direct, address=proxy.address, port=5223)
        ways.append((proxy.name, f"TLS on both sides, {proxy.configuration}", door, {**presence, **proxy.processes}))
    rows = []
    for name, alone in (("messages through the edge", False), ("messages through the edge, each alone", True)):
        for way, configuration, door, processes in ways:
            row = Result(name, "message", way, configuration, None)
            target = Target(way, configuration, door, door, "", processes, _accounts(20), "SCRAM-SHA-256")
            for _ in range(rounds):
                measured = await messages(target, door, 200 if short else 6000, batch=1 if alone else 10)
                row.values.append(measured.per_thousand)
                row.details.append(measured)
            rows.append(row)
    return sorted(rows, key=lambda row: (row.workload, row.target != "ringback"))


def _accounts(count: int) -> tuple[Account, ...]:
    return tuple(Account(user, _DOMAIN, password(user)) for user in map(person, range(count)))


async def _standing(nodes: Nodes, proxies: Sequence[Proxy], count: int) -> list[Result]:
    """Signed-in people who do nothing: both proxies keep a connection on each side for everyone."""
    accounts = _accounts(max(1, count // _SESSIONS))
    rows: list[Result] = []
    for proxy in proxies:

        def note(what: str, measure: str, name: str = proxy.name) -> Result:
            title = f"{count:,} connections that stand: {what}"
            rows.append(Result(title, "connection", name, "XMPP, TLS on both sides", None, measure=measure))
            return rows[-1]

        ours = proxy.name == "ringback"
        door = Door(proxy.address, 5222 if ours else 5223, _DOMAIN, proxy.context, starttls=ours)
        before, began = proxy.memory(), time.monotonic()
        sessions = await _sign_in_many(nodes, door, accounts, count)
        try:
            for role, octets in proxy.memory().items():
                which = "inner proxy" if role == "proxy" else f"{role} proxy"
                row = note(f"octets each, {which}", "octets per connection")
                row.values.append((octets - before[role]) / count)
            note("until all stand", "s").values.append(time.monotonic() - began)
            # How quickly one of very many is served: those who stand must not make the others slower.
            spent = []
            for session in sessions[:: max(1, count // 200)]:
                asked = time.perf_counter()
                await session.ask(b"<query xmlns='jabber:iq:roster'/>")
                spent.append((time.perf_counter() - asked) * 1000)
            note("answer to one of them", "ms, median").values.append(statistics.median(spent))
        finally:
            for session in sessions:
                if session.transport is not None:
                    session.transport.abort()
    return sorted(rows, key=lambda row: (row.workload, row.target != "ringback"))


async def _sign_in_many(nodes: Nodes, door: Door, accounts: Sequence[Account], count: int) -> list[Session]:
    gate = asyncio.Semaphore(30)

    async def one(number: int) -> Session:
        account = accounts[number % len(accounts)]
        async with gate:
            place = replace(door, source=nodes.household(number % 500))
            return await sign_in(place, account, mechanism="SCRAM-SHA-256", resource=f"r{number // len(accounts)}")

    return list(await asyncio.gather(*map(one, range(count))))


def _failing_over(nodes: Nodes, proxy: Proxy, times: int) -> Result:
    """An inner proxy is killed with a connection of ours; the next one must be served by the other."""
    row = Result(
        "inner proxy killed: until the next answer",
        "kill",
        "ringback",
        "two inner proxies",
        1000.0,
        measure="ms, median",
    )
    request = _request(proxy, "small")

    async def once() -> float:
        async def asked(household: str) -> None:
            answer = await _open(proxy, household)
            try:
                await answer.ask(request)
            finally:
                if answer.transport is not None:
                    answer.transport.abort()

        async with asyncio.timeout(60):
            while True:  # both inner proxies stand when every household is answered, whichever serves it
                with contextlib.suppress(ConnectionError):
                    await asyncio.gather(*(asked(one) for one in proxy.households[60:80]))
                    break
                await asyncio.sleep(0.1)
        await asyncio.to_thread(nodes.kill, INNERS[1])
        began = time.perf_counter()
        for household in proxy.households[60:80]:
            while True:
                try:
                    await asked(household)
                    break
                except ConnectionError:
                    await asyncio.sleep(0.002)
        return (time.perf_counter() - began) * 1000 / 20

    for _ in range(times):
        nodes.begin(INNERS[1])
        row.values.append(uvloop.run(once()))
    return row
