"""Links between several outer and inner proxies: many connections, slow readers, proxies that die, stop or fall silent.

What is served here is a word or a flood of bytes, so that nothing but the links matters.
"""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest
import pytest_asyncio

from ringback.deployment.authority import Authority
from ringback.net.tls import server_context
from ringback.protocols.traversal.opening import Service
from ringback.rules.addresses import HostPort
from ringback.services.edge import linkend
from ringback.services.edge.inner import InnerLinks, Reception
from ringback.services.edge.outer import OuterProxy
from ringback.services.edge.pair import CHANNELS
from ringback.services.edge.settings import Limits, OuterPeer
from tests.support.edge_company import bare_inner, outer_settings
from tests.support.nodes import port_of, started
from tests.support.waiting import until

DOMAIN = "example.com"
OUTERS, INNERS = ("outer1.example.com", "outer2.example.com"), ("inner1.example.com", "inner2.example.com")
WORLD = {OUTERS[0]: "127.0.62.1", OUTERS[1]: "127.0.62.2"}
pytestmark = pytest.mark.asyncio(loop_scope="module")


class Served(asyncio.Protocol):
    """Answers ``who`` with the name of the inner proxy, ``flood N`` with N octets, ``end`` with some before the end."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._transport: asyncio.Transport | None = None
        self._left = 0
        self._free = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        word, _, number = data.partition(b"\n")[0].partition(b" ")
        if word == b"who":
            self._transport.write(self._name.encode() + b"\n")
        elif word == b"flood":
            self._left = int(number)
            self._flow()
        elif word == b"end":
            self._transport.write(b"x" * 300_000)
            self._transport.close()

    def pause_writing(self) -> None:
        self._free = False

    def resume_writing(self) -> None:
        self._free = True
        self._flow()

    def _flow(self) -> None:
        assert self._transport is not None
        while self._left and self._free:
            piece = min(self._left, 100_003)
            self._left -= piece
            self._transport.write(bytes(range(256)) * (piece // 256) + b"\0" * (piece % 256))


@dataclass
class Links:
    """Two outer proxies, and inner ones as they are wanted."""

    folder: Path
    authority: Authority
    stack: AsyncExitStack
    outers: dict[str, OuterProxy] = field(default_factory=dict)
    inners: dict[str, InnerLinks] = field(default_factory=dict)

    async def start_outer(self, name: str) -> None:
        """An outer proxy that takes links of both inner ones."""
        limits = Limits(an_address=5000, burst=5000)
        settings = outer_settings(name, WORLD[name], self.authority, INNERS, ("https", "xmpp"), limits=limits)
        self.outers[name] = await started(OuterProxy(settings), self.stack)

    async def start_inner(self, name: str, *, through: dict[str, HostPort] | None = None) -> InnerLinks:
        """An inner proxy with links to all outer ones, or only to these."""
        links = through or {outer: HostPort(WORLD[outer], self.port(outer, "link")) for outer in self.outers}
        outers = tuple(OuterPeer(outer, place) for outer, place in links.items())
        settings = bare_inner(name, DOMAIN, self.authority, outers)
        receptions: dict[Service, Reception] = {
            "https": Reception(lambda _opening: Served(name), server_context(settings.public)),
            "xmpp": Reception(lambda _opening: Served(name), None),
        }
        inner = InnerLinks(settings, receptions, asyncio.Event(), list)
        await inner.start()
        self.stack.push_async_callback(inner.stop)
        self.inners[name] = inner
        await until(lambda: inner.links == tuple(sorted(links)))
        return inner

    def port(self, outer: str, service: str) -> int:
        """Where an outer proxy listens."""
        return port_of(self.outers[outer], service)

    async def connect(
        self, outer: str = OUTERS[0], source: str = "127.0.62.100", *, tls: bool = False
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A client of the world."""
        context = ssl.create_default_context(cafile=str(self.authority.ca_file)) if tls else None
        return await asyncio.open_connection(
            WORLD[outer],
            self.port(outer, "https" if tls else "xmpp"),
            local_addr=(source, 0),
            ssl=context,
            server_hostname=DOMAIN if tls else None,
        )

    async def ask(self, outer: str = OUTERS[0], source: str = "127.0.62.100", *, tls: bool = False) -> str:
        """Which inner proxy serves this household; empty: none."""
        try:
            reader, writer = await self.connect(outer, source, tls=tls)
        except (OSError, ssl.SSLError):
            return ""
        try:
            writer.write(b"who\n")
            async with asyncio.timeout(5):
                return (await reader.readline()).decode().strip()
        except OSError:
            return ""
        finally:
            writer.close()


@pytest_asyncio.fixture(loop_scope="module")
async def links(tmp_path: Path) -> AsyncIterator[Links]:
    async with AsyncExitStack() as stack:
        made = Links(tmp_path, Authority(tmp_path / "ca"), stack)
        for name in OUTERS:
            await made.start_outer(name)
        yield made


async def test_more_links_come_with_more_connections(links: Links) -> None:
    inner = await links.start_inner(INNERS[0])
    streams = [await links.connect() for _ in range(CHANNELS * 2)]
    try:
        pair = inner.pairs[OUTERS[0]]
        await until(lambda: pair.links >= 3)
        streams += [await links.connect() for _ in range(CHANNELS)]
        assert max(pair.channels) < CHANNELS * 1.6, pair.channels
        await until(lambda: inner.connections == len(streams) == links.outers[OUTERS[0]].connections)
    finally:
        for _, writer in streams:
            writer.close()
    await until(lambda: inner.connections == 0 == links.outers[OUTERS[0]].connections)


@pytest.mark.parametrize("tls", [True, False])
async def test_whoever_reads_slowly_holds_up_nobody(links: Links, tls: bool) -> None:
    await links.start_inner(INNERS[0])
    size = 6_000_000
    slow = [await links.connect(tls=tls) for _ in range(4)]
    for _, writer in slow:
        writer.write(b"flood %d\n" % size)
    reader, writer = await links.connect(tls=tls)
    writer.write(b"flood %d\n" % size)
    async with asyncio.timeout(30):
        swift = await reader.readexactly(size)
    assert await links.ask(tls=tls) == INNERS[0]
    wanted = hashlib.sha256(swift).digest()
    for reader, writer in slow:  # what waited for them is all there, in order
        async with asyncio.timeout(30):
            assert hashlib.sha256(await reader.readexactly(size)).digest() == wanted
        writer.close()
    writer.close()


async def test_the_last_words_arrive_though_the_client_still_talks(links: Links) -> None:
    await links.start_inner(INNERS[0])
    for tls in (True, False):
        reader, writer = await links.connect(tls=tls)
        writer.write(b"end\n")
        writer.write(b"and much more that nobody reads any more " * 1000)
        async with asyncio.timeout(5):
            assert await reader.readexactly(300_000)
            assert await reader.read() == b""
        writer.close()


async def test_a_household_keeps_its_inner_proxy_until_that_dies(links: Links) -> None:
    await links.start_inner(INNERS[0])
    second = await links.start_inner(INNERS[1])
    homes = [f"127.0.62.{number}" for number in range(100, 130)]
    first_time = {home: await links.ask(source=home) for home in homes}
    assert set(first_time.values()) == set(INNERS)
    assert {home: await links.ask(source=home, tls=True) for home in homes} == first_time
    assert {home: await links.ask(OUTERS[1], home) for home in homes} == first_time, "at each outer proxy the same"
    theirs = next(home for home in homes if first_time[home] == INNERS[1])
    reader, writer = await links.connect(source=theirs)
    writer.write(b"who\n")
    assert (await reader.readline()).decode().strip() == INNERS[1]
    await second.stop()
    async with asyncio.timeout(1):
        assert await reader.read() == b""
    writer.close()
    assert {await links.ask(source=home) for home in homes} == {INNERS[0]}
    await links.start_inner(INNERS[1])
    assert {home: await links.ask(source=home) for home in homes} == first_time


async def test_an_inner_proxy_that_is_about_to_stop_gets_nothing_new(links: Links) -> None:
    first = await links.start_inner(INNERS[0])
    await links.start_inner(INNERS[1])
    homes = [f"127.0.62.{number}" for number in range(100, 130)]
    chosen = {home: await links.ask(source=home) for home in homes}
    here = next(home for home in homes if chosen[home] == INNERS[0])
    reader, writer = await links.connect(source=here)
    writer.write(b"who\n")
    assert await reader.readline()
    first.drain()

    async def goes_elsewhere() -> bool:
        return await links.ask(source=here) == INNERS[1]

    await until(goes_elsewhere, 5)
    assert {await links.ask(source=home) for home in homes} == {INNERS[1]}
    writer.write(b"who\n")
    assert (await reader.readline()).decode().strip() == INNERS[0], "what stands goes on"
    writer.close()


async def test_an_outer_proxy_that_dies_leaves_the_other(links: Links) -> None:
    inner = await links.start_inner(INNERS[0])
    await links.outers[OUTERS[0]].stop()
    await until(lambda: inner.links == (OUTERS[1],))
    assert await links.ask(OUTERS[1]) == INNERS[0]


async def test_a_link_that_fell_silent_is_given_up(links: Links, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linkend, "ASK_EVERY", 0.1)
    monkeypatch.setattr(linkend, "DEAD_AFTER", 0.5)
    relay = Relay(HostPort(WORLD[OUTERS[0]], links.port(OUTERS[0], "link")))
    await relay.start(links.stack)
    first = await links.start_inner(INNERS[0], through={OUTERS[0]: relay.place})
    reader, writer = await links.connect()
    writer.write(b"who\n")
    assert await reader.readline()
    relay.silent = True  # as a firewall does that forgot the connection
    async with asyncio.timeout(3):
        assert await reader.read() == b""
    await until(lambda: first.links == () and links.outers[OUTERS[0]].links == 0)
    writer.close()
    relay.silent = False
    await until(lambda: first.links == (OUTERS[0],))
    assert await links.ask() == INNERS[0]


class Relay:
    """A way between two sockets on which nothing more passes, once it is ``silent``; new ones find nobody then."""

    def __init__(self, to: HostPort) -> None:
        self.silent = False
        self.place = HostPort("127.0.62.9", 1)
        self._to = to
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, stack: AsyncExitStack) -> None:
        """Until the stack ends it."""
        server = await asyncio.start_server(self._came, "127.0.62.9", 0)
        self.place = HostPort("127.0.62.9", server.sockets[0].getsockname()[1])
        stack.callback(server.close)
        stack.callback(lambda: [task.cancel() for task in self._tasks])

    async def _came(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.silent:
            writer.close()
            return
        there, back = await asyncio.open_connection(self._to.host, self._to.port)
        for source, sink in ((reader, back), (there, writer)):
            task = asyncio.create_task(self._pass(source, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            if not self.silent:
                sink.write(data)
        sink.close()
