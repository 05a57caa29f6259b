"""What attacks from outside are measured with: servers inside that remember what reached them, a legitimate person who
goes on working, and raw connections from addresses of attackers."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
import re
import ssl
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import aiohttp
import pytest
from _pytest.mark import ParameterSet
from aiohttp import web

from ringback.deployment.authority import Authority
from ringback.net.node_resolver import NodeResolver
from ringback.net.tls import server_context
from ringback.rules.addresses import HostPort
from ringback.rules.edge_paths import Allowed
from ringback.services.edge.http_limits import HttpLimits
from ringback.services.names.settings import Record
from tests.edge.conftest import DOMAIN, EDGE, PASSWORDS, WORLD, Edge, Inward, start_edge

PAGES = "pages.example.com"
REBOUND = "rebound.example.com"
"""On the list, but its record leads to a loopback address that is not of the deployment."""
CLOUD = "cloud.example.com"
"""On the list, but its record leads to the metadata service of clouds."""
INSIDER = "mallory"
SECONDS = 10.0
LIMITS = HttpLimits(head=1.0, grace=0.5, rate=4096, stall=0.6, address=(400, 0.02))
LARGEST = 64 * 1024
BEFORE_TLS = 1.0
END = f"GET /end HTTP/1.1\r\nHost: {EDGE}\r\nConnection: close\r\n\r\n".encode()
"""Asked last, over every connection that is still there: it is answered with 404 and the end of the connection."""
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")


@dataclass(frozen=True)
class Seen:
    """A request that reached a server inside."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def values(self, name: str) -> list[str]:
        return [value for found, value in self.headers if found.lower() == name.lower()]


class Pages:
    """A web server inside that is on the list, below ``/pages`` and, for everybody, below ``/open``."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.begun = 0
        self.port = 0
        self._came = asyncio.Event()

    @contextlib.asynccontextmanager
    async def serve(self, context: ssl.SSLContext) -> AsyncIterator[None]:
        runner = web.ServerRunner(web.Server(self._answer), shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        self.port = runner.addresses[0][1]
        try:
            yield
        finally:
            await runner.cleanup()

    async def until(self, begun: int) -> None:
        """Wait until so many requests have begun here."""
        async with asyncio.timeout(SECONDS):
            while self.begun < begun:
                self._came.clear()
                await self._came.wait()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.begun += 1
        self._came.set()
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._socket(request)
        try:
            body = await request.read()
        except (web.RequestPayloadError, OSError):
            return web.Response(status=400)
        self.seen.append(Seen(request.method, request.raw_path, tuple(request.headers.items()), body))
        answer = web.Response(text="reached\n")
        if request.path.endswith("/large"):
            answer = web.Response(body=b"x" * 12_000_000)
        if "to" in request.query:
            answer = web.Response(status=302, headers={"Location": request.query["to"]})
        if "cookie" in request.query:
            answer.headers["Set-Cookie"] = request.query["cookie"]
        return answer

    async def _socket(self, request: web.BaseRequest) -> web.WebSocketResponse:
        self.seen.append(Seen(request.method, request.raw_path, tuple(request.headers.items()), b""))
        answer = web.WebSocketResponse(max_msg_size=0)
        await answer.prepare(request)
        async for message in answer:
            if message.type is aiohttp.WSMsgType.TEXT:
                await answer.send_str(message.data)
        return answer


class Bait:
    """A server inside that is on no list: whoever connects to it got through."""

    def __init__(self) -> None:
        self.connections = 0
        self.port = 0

    @contextlib.asynccontextmanager
    async def serve(self, address: str) -> AsyncIterator[None]:
        server = await asyncio.start_server(self._connected, address, 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()

    async def _connected(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        writer.close()


class Relay:
    """A wire before a service inside, which counts what goes in."""

    def __init__(self) -> None:
        self.connections = 0
        self._port = 0
        self._target = 0

    def to(self, port: int) -> int:
        """Lead to a service: where to reach it."""
        self._target = port
        return self._port

    @contextlib.asynccontextmanager
    async def serve(self) -> AsyncIterator[None]:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self._port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        there, back = await asyncio.open_connection("127.0.0.1", self._target)
        await asyncio.gather(_copy(reader, back), _copy(there, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


@dataclass
class Siege:
    """An edge with what stands inside, and everybody outside."""

    edge: Edge
    pages: Pages
    bait: Bait
    presence: Relay
    complaints: list[str]
    cookie: str = ""
    """A session of somebody of the enterprise, who attacks from within what is allowed to people."""
    _addresses: Iterator[int] = field(default_factory=lambda: count(1))
    _person: aiohttp.ClientSession | None = None

    @property
    def here(self) -> str:
        """The edge as clients write it."""
        return f"{EDGE}:{self.edge.port}"

    def attacker(self) -> str:
        """A new address of the world."""
        number = next(self._addresses)
        return f"127.0.{70 + number // 250}.{1 + number % 250}"

    def target(self, host: str = PAGES, port: int = 0, scheme: str = "https", domain: str = DOMAIN) -> str:
        """The first part of a path, written as an honest client writes it; whatever it names."""
        return segment(f"{domain}/{scheme}/{host}/{port or self.pages.port}")

    def reached(self) -> tuple[int, int, int]:
        """What servers inside have seen: requests, and connections to where none may be."""
        return self.pages.begun, self.bait.connections, self.presence.connections

    # --- raw connections

    async def connect(
        self, source: str = "", *, context: ssl.SSLContext | None = None, name: str = EDGE, service: str = "https"
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """TLS to the edge, from an attacker's address."""
        return await asyncio.open_connection(
            WORLD,
            self.edge.port_of(service),
            ssl=context or self.context(),
            server_hostname=name,
            local_addr=(source or self.attacker(), 0),
            limit=1 << 22,
        )

    async def connect_plain(self, service: str = "https") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """TCP to a listener of the world."""
        return await asyncio.open_connection(
            WORLD, self.edge.port_of(service), local_addr=(self.attacker(), 0), limit=1 << 22
        )

    def context(self) -> ssl.SSLContext:
        """As a client trusts the edge."""
        return ssl.create_default_context(cafile=str(self.edge.authority.ca_file))

    def resolver(self) -> NodeResolver:
        """As a client of the world finds the edge."""
        return NodeResolver({EDGE: HostPort(WORLD, self.edge.port)})

    async def send(self, data: bytes, *, end: bytes = END) -> tuple[list[int], bytes]:
        """Send something, then ``END``, and read until the edge hangs up: the statuses, and all that came."""
        async with asyncio.timeout(SECONDS):
            reader, writer = await self.connect()
            try:
                writer.write(data + end)
                with contextlib.suppress(OSError, ssl.SSLError):
                    found = await reader.read(-1)
            finally:
                await hang_up(writer)
        return statuses_of(found), found

    def head(self, path: str, *headers: str, method: str = "GET", signed: bool = True, host: str = EDGE) -> bytes:
        """A request; by the insider unless it is not ``signed``."""
        cookie = (f"Cookie: X-Auth={self.cookie}",) if signed else ()
        lines = (f"{method} {path} HTTP/1.1", *((f"Host: {host}",) if host else ()), *cookie, *headers, "", "")
        return "\r\n".join(lines).encode("latin-1")

    # --- the legitimate person

    async def begin(self, stack: AsyncExitStack) -> None:
        """Anita works, from her own address; the insider gets a session."""
        connector = aiohttp.TCPConnector(ssl=self.context(), resolver=self.resolver(), local_addr=("127.0.60.50", 0))
        self._person = await stack.enter_async_context(
            aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=SECONDS))
        )
        self.cookie = await self.sign_in(INSIDER)

    async def sign_in(self, user: str) -> str:
        """A session of somebody."""
        path = f"/{segment(DOMAIN)}/get_edge_config"
        statuses, found = await self.send(self.head(path, f"Authorization: {basic(user)}", signed=False))
        match = re.search(rb"X-Auth=([\w-]{64});", found)
        if statuses[0] != 200 or match is None:
            raise AssertionError(found)
        return match[1].decode()

    async def anita_works(self) -> None:
        """Her data come, over the connection she has or a new one."""
        if self._person is None:
            raise AssertionError("nobody works")
        url = self.edge.url("/cucm-uds/user/anita", self.edge.call_manager)
        async with self._person.get(url, headers={"Authorization": basic("anita")}) as answer:
            assert (answer.status, "<userName>anita</userName>" in await answer.text()) == (200, True)

    async def refuses(self, data: bytes, *expected: int) -> bytes:
        """Send something that is answered so, that no server inside sees, and that harms nobody."""
        before = self.reached()
        statuses, found = await self.send(data)
        assert statuses == list(expected), found
        assert self.reached() == before
        assert b"aiohttp" not in found  # what reads is nobody's business
        await self.is_healthy()
        return found

    async def is_healthy(self) -> None:
        """After an attack: nothing failed inside the proxies, its connections are gone, and people go on."""
        complaints, self.complaints[:] = list(self.complaints), []
        assert not complaints, complaints
        await self.anita_works()


def basic(user: str, password: str = "") -> str:
    """The header ``Authorization`` of somebody, with the right password unless another is given."""
    return "Basic " + base64.b64encode(f"{user}:{password or PASSWORDS[user]}".encode()).decode()


def segment(text: str) -> str:
    """base64url without padding, of anything."""
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


async def hang_up(writer: asyncio.StreamWriter) -> None:
    """Close, whatever state it is in."""
    writer.close()
    with contextlib.suppress(OSError, ssl.SSLError, TimeoutError):
        async with asyncio.timeout(1):
            await writer.wait_closed()


def cases(names: Iterable[str]) -> list[ParameterSet]:
    """All of them in ``make soak``, every second one in ``make test``."""
    return [
        pytest.param(name, marks=() if number % 2 == 0 else (pytest.mark.soak, pytest.mark.long), id=name)
        for number, name in enumerate(names)
    ]


def statuses_of(found: bytes) -> list[int]:
    """Of all answers in what came."""
    return [int(one) for one in _STATUS.findall(found)]


class _Complaints(logging.Handler):
    """What the libraries log as errors: a fault that nobody handled."""

    def __init__(self, found: list[str]) -> None:
        super().__init__(logging.ERROR)
        self._found = found

    def emit(self, record: logging.LogRecord) -> None:
        self._found.append(self.format(record))


@contextlib.contextmanager
def listening_for_complaints() -> Iterator[list[str]]:
    """Everything that went wrong without being handled, as long as the context lasts."""
    found: list[str] = []
    handler = _Complaints(found)
    loggers = [logging.getLogger(name) for name in ("asyncio", "aiohttp.server", "aiohttp.client")]
    for logger in loggers:
        logger.addHandler(handler)
    try:
        yield found
    finally:
        for logger in loggers:
            logger.removeHandler(handler)


@contextlib.asynccontextmanager
async def besieged(folder: Path, change: Callable[[Inward], Inward] = lambda one: one) -> AsyncIterator[Siege]:
    """Both proxies, real services behind them, and the world."""
    async with AsyncExitStack() as stack:
        complaints = stack.enter_context(listening_for_complaints())
        pages, bait, presence = Pages(), Bait(), Relay()
        authority = Authority(folder / "ca")
        identity = authority.issue(PAGES, [PAGES, REBOUND, CLOUD], ["127.0.0.1"])
        await stack.enter_async_context(pages.serve(server_context(identity)))
        await stack.enter_async_context(bait.serve("127.0.0.66"))
        await stack.enter_async_context(presence.serve())
        read, both = frozenset({"GET", "HEAD"}), frozenset({"GET", "HEAD", "POST", "PUT", "DELETE"})
        listed = HostPort(PAGES, pages.port)
        inward = Inward(
            rows=(
                Allowed("https", listed, both, ("/pages",), sockets=True, largest=LARGEST),
                Allowed("https", listed, both, ("/open",), ("/open",), largest=LARGEST),
                Allowed("https", HostPort(REBOUND, bait.port), read),
                Allowed("http", HostPort(REBOUND, bait.port), read),
                Allowed("http", HostPort(CLOUD, 80), read),
            ),
            records=(
                Record("pages", "A", ("127.0.0.1",)),
                Record("rebound", "A", ("127.0.0.66",)),
                Record("bait", "A", ("127.0.0.66",)),
                Record("cloud", "A", ("169.254.169.254",)),
            ),
            limits=LIMITS,
            before_presence=presence.to,
            before_tls=BEFORE_TLS,
        )
        edge = await start_edge(folder, stack, change(inward))
        siege = Siege(edge, pages, bait, presence, complaints)
        await siege.begin(stack)
        await siege.anita_works()
        yield siege
