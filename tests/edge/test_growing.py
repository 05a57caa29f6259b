"""An edge that runs takes in nodes and companies of its changed deployment file. Every node of it is a process of its
own, told by ``ringback edge reload``; an answer over HTTPS and a stream of messages stand through all of it."""

from __future__ import annotations

import asyncio
import base64
import itertools
import re
import secrets
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web
from cryptography import x509

from bench.session import Account, Session
from ringback.net.edge_desk import DeskError, NotHereError, order, state
from ringback.protocols.edge import EdgeConfiguration, Target
from ringback.protocols.edge.desk import Exemption, State
from ringback.rules.addresses import HostPort
from tests.support.lab import START_SECONDS, loopback_range, stop
from tests.support.nursery import Process, start_ringback
from tests.support.waiting import until, wait_until

pytestmark = pytest.mark.asyncio(loop_scope="module")

PASSWORD = "a pass phrase of her own"
OUTER, INNER, SECOND_OUTER, SECOND_INNER = (f"{name}.example.com" for name in ("edge1", "in1", "edge2", "in2"))
COMPANY, COMPANY_EDGE = "globex.example", "edge.globex.example"
_INSIDE = """
domain = "{domain}"
[[cluster]]
name = "office"
[[node]]
name = "ns.{domain}"
address = "{net}.2"
roles = ["names"]
view = "inside"
ports = {{ dns = 15353 }}
[[node]]
name = "cm.{domain}"
address = "{net}.10"
roles = ["call-manager"]
cluster = "office"
[[node]]
name = "im.{domain}"
address = "{net}.20"
roles = ["presence"]
[[zone]]
name = "{domain}"
view = "inside"
publish = ["addresses", "call-manager", "presence"]
records = ["files A {net}.80"]
[dial-plan]
extension-digits = 0
[[person]]
user = "anita"
first = "Anita"
last = "Berg"
cluster = "office"
password = "{password}"
devices = []
[[person]]
user = "bram"
first = "Bram"
last = "Visser"
cluster = "office"
password = "{password}"
remote-access = "none"
devices = []
"""


@dataclass
class Grown:
    """The file, and what runs by it."""

    folder: Path
    loopback: str
    files_port: int
    processes: dict[str, Process] = field(default_factory=dict)
    runs: Iterator[int] = field(default_factory=itertools.count)

    @property
    def file(self) -> Path:
        return self.folder / "office.toml"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def write(
        self,
        outers: tuple[str, ...] = (OUTER,),
        inners: tuple[str, ...] = (INNER,),
        *,
        company: str = "",
        https: int = 8443,
        more: str = "",
    ) -> None:
        """The deployment file with these nodes of the edge."""
        text = _INSIDE.format(domain="example.com", net=f"{self.loopback}.10", password=PASSWORD)
        for name in outers:
            last = 40 + (name == SECOND_OUTER)
            text += f'[[node]]\nname = "{name}"\naddress = "{self.loopback}.20.{last}"\nroles = ["edge-outer"]\n'
            text += f'link-address = "{self.loopback}.15.{last}"\nports = {{ https = {https} }}\n'
        for name in inners:
            last = 41 + (name == SECOND_INNER)
            text += f'[[node]]\nname = "{name}"\naddress = "{self.loopback}.10.{last}"\nroles = ["edge-inner"]\n'
        # where a second inner proxy will ask from is told to the services inside before it is there
        text += f'[edge]\nnetworks = ["{self.loopback}.0.0/16"]\nserved-from = ["{self.loopback}.10.42"]\n{more}'
        text += f'[[edge.allow]]\nhost = "files.example.com"\nport = {self.files_port}\nscheme = "http"\nopen = true\n'
        if company:
            text += f'[[edge.tenant]]\nfile = "globex.toml"\ndata = "{company}"\n'
        self.file.write_text(text)

    def write_company(self, *, allow: str = "", mode: str = "usual") -> None:
        """The file of the other company."""
        text = _INSIDE.format(domain=COMPANY, net=f"{self.loopback}.30", password=PASSWORD)
        text += f'[security]\nmode = "{mode}"\n'
        text += f'[edge]\nnames = ["{COMPANY_EDGE}"]\nserved-from = ["{self.loopback}.10.41"]\n'
        if allow:
            text += f'[[edge.allow]]\nhost = "{allow}"\n'
        (self.folder / "globex.toml").write_text(text)

    def begin(self, *nodes: str, file: str = "office.toml", data: str = "data") -> None:
        """Nodes in one process."""
        words = [word for node in nodes for word in ("--node", node)]
        start = ["serve", str(self.folder / file), "--data", str(self.folder / data), "--log", "info", *words]
        self.processes[nodes[0]] = start_ringback(start, self.folder / f"{nodes[0]}.txt", {"COLUMNS": "200"})

    def said(self, node: str) -> str:
        """What the process of a node wrote into its log."""
        log = self.folder / f"{node}.txt"
        return log.read_text() if log.exists() else ""

    def end(self, node: str) -> None:
        """End a node's process in order."""
        stop(self.processes.pop(node), signal.SIGTERM)

    def listens(self, node: str, address: str, port: int) -> bool:
        """Whether a connection is taken there. Raises RuntimeError where the node's process ended."""
        if self.processes[node].poll() is not None:
            raise RuntimeError(self.said(node)[-3000:])
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex((f"{self.loopback}.{address}", port)) == 0

    async def reload(self, *words: str) -> tuple[int, str]:
        """What ``ringback edge reload`` ends with, and says."""
        output = self.folder / f"reload-{next(self.runs)}.txt"
        start = ["edge", "reload", str(self.file), "--data", str(self.data), *words]
        process = start_ringback(start, output, {"COLUMNS": "200"})
        await until(lambda: process.poll() is not None)
        return process.poll() or 0, output.read_text()

    async def linked(self, inner: str) -> State:
        """How it goes with an inner proxy."""
        return await state(self.data / "nodes" / inner)

    def context(self, data: str = "data") -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.folder / data / "certificates" / "ca.pem"))

    async def connect(
        self, host: str, *, outer: str = "20.40", source: str = "60.1", data: str = "data"
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """As a client of the world that asks for a host of a company."""
        return await asyncio.wait_for(
            asyncio.open_connection(
                f"{self.loopback}.{outer}",
                8443,
                ssl=self.context(data),
                server_hostname=host,
                local_addr=(f"{self.loopback}.{source}", 0),
            ),
            15,
        )

    async def names_shown(self, host: str, *, outer: str = "20.40", data: str = "data") -> set[str]:
        """The names in the certificate that a client sees."""
        _, writer = await self.connect(host, outer=outer, data=data)
        shown = x509.load_der_x509_certificate(writer.get_extra_info("ssl_object").getpeercert(True))
        writer.close()
        return set(
            shown.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(
                x509.DNSName
            )
        )

    async def configuration(self, user: str, host: str, domain: str, data: str) -> tuple[int, bytes]:
        """What the edge tells somebody of a company: status and body."""
        reader, writer = await self.connect(host, data=data)
        proof = base64.b64encode(f"{user}:{PASSWORD}".encode()).decode()
        path = f"/{Target(domain).segment()}/get_edge_config?service_name=_cisco-uds"
        head = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Basic {proof}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode())
        answer = await asyncio.wait_for(reader.read(), 15)
        writer.close()
        return int(answer.split(b" ", 2)[1]), answer.partition(b"\r\n\r\n")[2]


@dataclass
class Standing:
    """An answer over HTTPS that goes on and on, and somebody's stream of messages."""

    ticks: asyncio.Queue[bytes]
    reader: asyncio.StreamReader
    session: Session

    async def stands(self) -> None:
        """Both go on. Raises where one of them ended."""
        await self.ticks.put(tick := f"{secrets.token_hex()}\n".encode())
        await asyncio.wait_for(self.reader.readuntil(tick), 15)
        await self.session.ask(b"<ping xmlns='urn:xmpp:ping'/>", to=self.session.account.domain)


async def signed_in(grown: Grown, domain: str, data: str) -> Session:
    """Somebody's stream through the first outer proxy."""
    session = Session(Account("anita", domain, PASSWORD))
    where = f"{grown.loopback}.20.40"
    await asyncio.get_running_loop().create_connection(lambda: session, where, 5222)
    await session.secure(grown.context(data), domain)
    await session.open_stream()
    await session.authenticate("SCRAM-SHA-256")
    await session.open_stream()
    await session.bind("outside")
    return session


@contextmanager
def running(folder: Path, files_port: int, loopback: str) -> Iterator[Grown]:
    """The company, and an edge of one proxy each."""
    grown = Grown(folder, loopback, files_port)
    try:
        grown.write()
        grown.data.mkdir()
        grown.begin("cm.example.com", "ns.example.com", "im.example.com")
        wait_until(
            (grown.data / "certificates" / "ca.pem").exists, START_SECONDS
        )  # the authority is made by who comes first
        grown.begin(OUTER)
        wait_until(lambda: grown.listens("cm.example.com", "10.20", 5222), START_SECONDS)
        grown.begin(INNER)
        wait_until(lambda: grown.listens(OUTER, "20.40", 8443), START_SECONDS)
        wait_until(lambda: "outer proxy is reached" in grown.said(INNER), START_SECONDS)
        yield grown
    finally:
        for process in grown.processes.values():
            stop(process, signal.SIGKILL)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def both(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Grown, Standing]]:
    ticks: asyncio.Queue[bytes] = asyncio.Queue()

    async def tell(request: web.BaseRequest) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        with suppress(ConnectionError):
            while tick := await ticks.get():
                await answer.write(tick)
        return answer

    async with AsyncExitStack() as stack:
        loopback = stack.enter_context(loopback_range())
        runner = web.ServerRunner(web.Server(tell), shutdown_timeout=0.1)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, f"{loopback}.10.80", 0).start()
        port = runner.addresses[0][1]
        grown = stack.enter_context(running(tmp_path_factory.mktemp("growing"), port, loopback))
        await until(lambda: knows(grown, "example.com"), START_SECONDS)
        reader, writer = await grown.connect(OUTER)
        stack.callback(writer.close)
        target = Target("example.com", "http", HostPort("files.example.com", port))
        writer.write(f"GET /{target.segment()}/news HTTP/1.1\r\nHost: {OUTER}\r\n\r\n".encode())
        assert b" 200 " in await asyncio.wait_for(reader.readline(), 15)
        standing = Standing(ticks, reader, await signed_in(grown, "example.com", "data"))
        await standing.stands()
        yield grown, standing
        await standing.stands()
        ticks.put_nowait(b"")
        assert standing.session.transport is not None
        standing.session.transport.abort()


async def knows(grown: Grown, domain: str) -> bool:
    """Whether the inner proxy has the keys and policies of a company: nobody is let in before that."""
    try:
        companies = {one.domain: one for one in (await grown.linked(INNER)).companies}
    except NotHereError:
        return False
    its = companies.get(domain)
    return its is not None and all(one.seconds is not None for one in (*its.keys, *its.policies))


async def exempts(grown: Grown, inner: str, network: str) -> bool:
    """Whether an inner proxy blocks nobody of a network."""
    return network in [one.network for one in (await grown.linked(inner)).exempt]


async def is_linked(grown: Grown, inner: str, outers: set[str]) -> bool:
    """Whether an inner proxy that has just begun reaches these outer ones."""
    try:
        return {one.name for one in (await grown.linked(inner)).outers if one.reached} == outers
    except NotHereError:
        return False


async def test_a_new_inner_proxy_is_let_in_and_a_removed_one_cut_off(both: tuple[Grown, Standing]) -> None:
    grown, standing = both
    grown.write(inners=(INNER, SECOND_INNER))
    grown.begin(SECOND_INNER)
    await until(lambda: "a link was refused" in grown.said(OUTER))
    assert not await is_linked(grown, SECOND_INNER, {OUTER})
    status, said = await grown.reload()
    assert (status, f"The inner proxy {SECOND_INNER} may come now." in said) == (0, True), said
    await until(lambda: is_linked(grown, SECOND_INNER, {OUTER}))

    async def served() -> bool:
        for number in range(2, 10):  # from several addresses, which are shared out
            _, writer = await grown.connect(OUTER, source=f"60.{number}")
            writer.close()
        found = (await grown.linked(SECOND_INNER)).figures.services.get("https")
        return found is not None and found.connections > 0

    await until(served)
    await order(grown.data / "nodes" / INNER, "/exempt", Exemption("192.0.2.0/24", 5))
    await until(lambda: exempts(grown, SECOND_INNER, "192.0.2.0/24"))  # they tell each other, since there are two now
    await standing.stands()
    grown.write()
    status, said = await grown.reload()
    assert (status, f"{SECOND_INNER} is no longer in the file and was cut off" in said) == (0, True), said
    await until(lambda: is_linked(grown, SECOND_INNER, set()))
    await until(lambda: "no longer names this node as an inner proxy" in grown.said(SECOND_INNER))
    await standing.stands()
    grown.end(SECOND_INNER)


async def test_a_new_outer_proxy_is_reached_and_a_removed_one_left(both: tuple[Grown, Standing]) -> None:
    grown, standing = both
    grown.write((OUTER, SECOND_OUTER))
    grown.begin(SECOND_OUTER)
    await until(lambda: grown.listens(SECOND_OUTER, "20.41", 8443))
    status, said = await grown.reload()
    assert (status, f"The outer proxy {SECOND_OUTER} is reached from now on." in said) == (0, True), said
    await until(lambda: is_linked(grown, INNER, {OUTER, SECOND_OUTER}))
    assert SECOND_OUTER in await grown.names_shown(SECOND_OUTER, outer="20.41")
    status, body = await grown.configuration("anita", SECOND_OUTER, "example.com", "data")
    assert (status, {row.host for row in EdgeConfiguration.parse(body).https}) == (200, {OUTER, SECOND_OUTER})
    grown.write()
    _, said = await grown.reload()
    assert f"The outer proxy {SECOND_OUTER} is no longer in the file: what came through it ended." in said
    await until(lambda: "the deployment file no longer leads the inner proxy here" in grown.said(SECOND_OUTER))
    assert await is_linked(grown, INNER, {OUTER})
    await standing.stands()
    grown.end(SECOND_OUTER)


@asynccontextmanager
async def company(grown: Grown) -> AsyncIterator[None]:
    """The other company's own services."""
    grown.write_company()
    nodes = tuple(f"{name}.{COMPANY}" for name in ("cm", "ns", "im"))
    grown.begin(*nodes, file="globex.toml", data="globex")
    await until(lambda: grown.listens(nodes[0], "30.20", 5222), START_SECONDS)
    try:
        yield
    finally:
        grown.end(nodes[0])


async def test_a_new_company_is_served_and_a_removed_one_no_longer(both: tuple[Grown, Standing]) -> None:
    grown, standing = both
    async with company(grown):
        grown.write(company="globex")
        status, said = await grown.reload()
        assert (status, f"{COMPANY} is served now." in said, "edge-public.pem" in said) == (0, True, True), said
        assert await grown.names_shown(COMPANY_EDGE, data="globex") == {COMPANY_EDGE, COMPANY}
        await until(lambda: knows(grown, COMPANY))
        status, body = await grown.configuration("anita", COMPANY_EDGE, COMPANY, "globex")
        found = EdgeConfiguration.parse(body)
        assert (status, [row.server.host for row in found.services[0].servers]) == (200, [f"cm.{COMPANY}"])
        assert found.https == (HostPort(COMPANY_EDGE, 8443),)
        assert (await grown.configuration("bram", COMPANY_EDGE, COMPANY, "globex"))[0] == 403  # by its own policy
        session = await signed_in(grown, COMPANY, "globex")
        await session.ask(b"<ping xmlns='urn:xmpp:ping'/>", to=COMPANY)
        with pytest.raises(ssl.SSLError, match=r"(?i)unrecognized.name"):  # known to nobody: now it counts
            await grown.names_shown("edge.initech.example")
        await standing.stands()
        await its_file_changes(grown, session)
        session = await signed_in(grown, COMPANY, "globex")
        grown.write()
        status, said = await grown.reload()
        assert (status, f"{COMPANY} is no longer served; its connections ended." in said) == (0, True), said
        await asyncio.wait_for(session.closed, 15)
        with pytest.raises(ssl.SSLError):
            await grown.names_shown(COMPANY_EDGE, data="globex")
        assert [one.domain for one in (await grown.linked(INNER)).companies] == ["example.com"]
        await standing.stands()


async def its_file_changes(grown: Grown, session: Session) -> None:
    """What may change while connections stand does; else the company begins anew, and nobody else notices."""
    grown.write_company(allow=f"files.{COMPANY}")
    _, said = await grown.reload()
    assert f"What the file says of {COMPANY} counts from now on." in said
    await session.ask(b"<ping xmlns='urn:xmpp:ping'/>", to=COMPANY)
    grown.write_company(allow=f"files.{COMPANY}", mode="fips")
    _, said = await grown.reload()
    assert f"{COMPANY} begins anew, since this changed: its TLS mode, " in said
    await asyncio.wait_for(session.closed, 15)
    await until(lambda: knows(grown, COMPANY))


async def test_what_needs_a_restart_is_said_and_the_rest_taken_in(both: tuple[Grown, Standing]) -> None:
    grown, standing = both
    grown.write(https=8444, more="failures = 9\nmedia-ports = [21000, 21999]\ninner-media-ports = [31000, 31999]\n")
    status, said = await grown.reload()
    assert status == 0, said
    (restart,) = re.findall(r"Restart .*", said)
    assert restart == (
        f"Restart {OUTER} to take in the rest, which can't change while it runs: https at {grown.loopback}.20.40:8444."
    )
    assert f"{INNER} keeps people out by the limits that the file names now." in said
    for node in (OUTER, INNER):
        assert f"{node} takes further calls by the ports" in said
    assert OUTER in await grown.names_shown(OUTER)  # still at the old port
    grown.write()
    status, said = await grown.reload()
    assert (status, "Restart" in said) == (0, False)
    await standing.stands()


async def test_a_broken_file_changes_nothing_and_tells_why(both: tuple[Grown, Standing]) -> None:
    grown, standing = both
    good = grown.file.read_text()
    grown.file.write_text(good.replace('roles = ["edge-inner"]', 'roles = ["edge-iner"]'))
    status, said = await grown.reload()
    assert (status, "edge-iner" in said) == (2, True), said
    grown.write_company(mode="unusual")
    for folder, why in (("elsewhere", "there is no data folder elsewhere"), ("data", "unusual")):
        grown.write((OUTER, SECOND_OUTER), company=folder)  # good by itself, but not what it names of the other company
        status, said = await grown.reload("--node", INNER)
        assert (status, f"{INNER} goes on as it was: " in said, why in said) == (1, True, True), said
    found = await grown.linked(INNER)
    assert ([one.name for one in found.outers], len(found.companies)) == ([OUTER], 1)
    grown.write((SECOND_OUTER,), (SECOND_INNER,))
    status, said = await grown.reload("--node", SECOND_OUTER)
    assert (status, "runs on this machine" in said) == (2, True), said
    with pytest.raises(DeskError, match=f"no node {INNER} with the role edge-inner any more: stop it"):
        await order(grown.data / "nodes" / INNER, "/reload")
    assert OUTER in await grown.names_shown(OUTER)
    grown.write()
    assert (await grown.reload())[0] == 0
    await standing.stands()
