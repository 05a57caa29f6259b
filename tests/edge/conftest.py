"""Both proxies, with a name server and a call manager inside, as an office has them. The world is 127.0.60.1, where
only the outer proxy listens."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from ringback.deployment.authority import Authority
from ringback.protocols.edge import Target
from ringback.rules.addresses import HostPort
from ringback.rules.edge_networks import Inside
from ringback.rules.edge_paths import Allowed
from ringback.services.callmanager.settings import DeviceRecord, PersonRecord
from ringback.services.edge.http_limits import HttpLimits
from ringback.services.edge.outer import OuterProxy
from ringback.services.edge.service import InnerProxy
from ringback.services.edge.settings import InnerSettings
from ringback.services.names.settings import Record
from tests.support.edge_company import LOOPBACK, outer_settings, peer_of, start_company
from tests.support.nodes import HERE, port_of, started
from tests.support.services import ADMINISTRATOR

if TYPE_CHECKING:
    from tests.edge.siege import Siege

DOMAIN, EDGE, CALL_MANAGER = "example.com", "edge.example.com", "cm1.example.com"
OUTER, INNER, PRESENCE = "outer.example.com", "inner.example.com", "im.example.com"
SECOND_INNER = "inner2.example.com"
WORLD = "127.0.60.1"
PASSWORDS = {"anita": "anita's password", "bram": "bram's pässword", "mallory": "mallory's password"}


@dataclass(frozen=True)
class Inward:
    """What stands inside beside the call manager and the presence service, and how it may be reached; how long tokens
    are good, and what people may use from outside."""

    rows: tuple[Allowed, ...] = ()
    records: tuple[Record, ...] = ()
    limits: HttpLimits = field(default_factory=HttpLimits)
    inside: Inside = LOOPBACK
    before_presence: Callable[[int], int] = lambda port: port
    """Where the edge reaches the presence service that listens at this port."""
    before_tls: float = 10.0
    access_seconds: int = 3600
    remote_access: Mapping[str, str] = field(default_factory=dict)
    further: Callable[[InnerSettings], InnerSettings] = lambda settings: settings
    """What else the inner proxy is told."""


@dataclass
class Edge:
    """An edge that runs."""

    outer: OuterProxy
    inner: InnerProxy
    authority: Authority
    call_manager: HostPort

    @property
    def port(self) -> int:
        return self.port_of("https")

    def port_of(self, service: str) -> int:
        return port_of(self.outer, service)

    def url(self, path: str, server: HostPort | None = None) -> str:
        """An address as a client outside writes it; without a server it is the edge's own."""
        target = Target(DOMAIN) if server is None else Target(DOMAIN, "https", server)
        return f"https://{EDGE}:{self.port}/{target.segment()}/{path.lstrip('/')}"

    async def curl(self, *arguments: str, url: str) -> tuple[int, str, str]:
        """Ask with a foreign client: status, head and body of the answer; status 0 where there was none."""
        process = await asyncio.create_subprocess_exec(
            "curl", "--silent", "--include", "--max-time", "10", "--path-as-is",
            "--cacert", str(self.authority.ca_file),
            "--resolve", f"{EDGE}:{self.port}:{self.outer.endpoints[0].address}", *arguments, url,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, _ = await asyncio.wait_for(process.communicate(), 15)
        head, _, body = out.decode("utf-8", "replace").partition("\r\n\r\n")
        while head.startswith(("HTTP/1.1 100", "HTTP/1.0 100")):
            head, _, body = body.partition("\r\n\r\n")
        return (int(head.split()[1]) if head else 0), head, body


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def edge(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Edge]:
    folder = tmp_path_factory.mktemp("edge")
    async with AsyncExitStack() as stack:
        yield await start_edge(folder, stack)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def whole_siege(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Siege]:
    """One edge for all attacks."""
    from tests.edge.siege import besieged

    async with besieged(tmp_path_factory.mktemp("siege")) as found:
        yield found


@pytest.fixture(scope="module")
def swept() -> None:
    """What other tests of this process left behind complains now, lest it be taken for what an attack does."""
    gc.collect()


@pytest.fixture
def siege(whole_siege: Siege, swept: None) -> Siege:
    """The edge for all attacks, of which nobody has complained yet."""
    whole_siege.complaints.clear()
    return whole_siege


async def start_edge(folder: Path, stack: AsyncExitStack, inward: Inward = Inward(), *, world: str = WORLD) -> Edge:
    """Start everything; the stack ends it. ``world``: the address at which the world reaches the outer proxy."""
    company = await start_company(
        DOMAIN,
        folder,
        stack,
        tuple(
            PersonRecord(user=user, password=word, remote_access=inward.remote_access.get(user, ""))
            for user, word in PASSWORDS.items()
        ),
        devices=(DeviceRecord("CSFBRAM", owner="bram"),),
        administrators=(ADMINISTRATOR,),
        access_seconds=inward.access_seconds,
        records=inward.records,
    )
    inners = (INNER, SECOND_INNER)
    listening = outer_settings(OUTER, world, company.authority, inners, ("https", "xmpp"), link="127.0.60.2")
    outer = await started(OuterProxy(listening), stack)
    places = {"https": (HostPort(EDGE, port_of(outer, "https")),), "xmpp": (HostPort(EDGE, 5222),)}
    sign_in = Allowed("https", company.call_manager, frozenset({"GET", "POST"}), ("/ssosp",), ("/ssosp",))
    rows = (company.read("/cucm-uds"), sign_in, *inward.rows)
    https = company.https(*rows, inside=inward.inside, limits=inward.limits)
    settings = company.home(INNER, (peer_of(outer),), company.own(places), https)
    presence = HostPort(HERE, inward.before_presence(company.presence.port))
    xmpp = replace(company.xmpp(), nodes=((PRESENCE, presence),), before_tls=inward.before_tls)
    inner = await started(InnerProxy(inward.further(replace(settings, xmpp=xmpp))), stack)
    await asyncio.wait_for(inner.reached.wait(), 10)
    return Edge(outer, inner, company.authority, company.call_manager)
