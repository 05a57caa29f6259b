"""Both proxies, with a name server and a call manager inside, as an office has them. The world is 127.0.60.1, where
only the outer proxy listens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from ringback.deployment.authority import Authority
from ringback.net.names import NameClient, NameResolver
from ringback.net.tls import client_context
from ringback.protocols.edge import Target
from ringback.rules.addresses import HostPort
from ringback.rules.edge_networks import Inside
from ringback.rules.edge_paths import Allowed
from ringback.services.callmanager.authorisation.settings import SignInSettings
from ringback.services.callmanager.service import CallManager
from ringback.services.callmanager.settings import (
    ApplicationUser,
    CallManagerSettings,
    DeviceRecord,
    PasswordHashing,
    PersonRecord,
)
from ringback.services.edge.http_limits import HttpLimits
from ringback.services.edge.outer import OuterProxy
from ringback.services.edge.resolver import GuardedResolver
from ringback.services.edge.service import InnerProxy
from ringback.services.edge.settings import (
    HttpsSettings,
    InnerSettings,
    OuterPeer,
    OuterSettings,
    OwnSettings,
    XmppSettings,
)
from ringback.services.names.service import NamesService
from ringback.services.names.settings import NamesSettings, Record, Zone
from ringback.services.presence.service import PresenceService
from ringback.services.presence.settings import PresenceSettings
from tests.support.services import ADMINISTRATOR

if TYPE_CHECKING:
    from tests.edge.siege import Siege

DOMAIN, EDGE, CALL_MANAGER = "example.com", "edge.example.com", "cm1.example.com"
OUTER, INNER, PRESENCE = "outer.example.com", "inner.example.com", "im.example.com"
SECOND_INNER = "inner2.example.com"
WORLD = "127.0.60.1"
PASSWORDS = {"anita": "anita's password", "bram": "bram's pässword", "mallory": "mallory's password"}
_APPLICATION = ("edge", "application pass phrase")


@dataclass(frozen=True)
class Inward:
    """What stands inside beside the call manager and the presence service, and how it may be reached; how long tokens
    are good, and what people may use from outside."""

    rows: tuple[Allowed, ...] = ()
    records: tuple[Record, ...] = ()
    limits: HttpLimits = field(default_factory=HttpLimits)
    inside: Inside = field(default_factory=lambda: Inside(frozenset({"127.0.0.1"})))
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
        return next(row.port for row in self.outer.endpoints if row.service == service)

    def url(self, path: str, server: HostPort | None = None) -> str:
        """An address as a client outside writes it; without a server it is the edge's own."""
        target = Target(DOMAIN) if server is None else Target(DOMAIN, "https", server)
        return f"https://{EDGE}:{self.port}/{target.segment()}/{path.lstrip('/')}"

    async def curl(self, *arguments: str, url: str) -> tuple[int, str, str]:
        """Ask with a foreign client: status, head and body of the answer; status 0 where there was none."""
        process = await asyncio.create_subprocess_exec(
            "curl", "--silent", "--include", "--max-time", "10", "--path-as-is",
            "--cacert", str(self.authority.ca_file),
            "--resolve", f"{EDGE}:{self.port}:{WORLD}", *arguments, url,
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
async def siege(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Siege]:
    """One edge for all attacks."""
    from tests.edge.siege import besieged

    async with besieged(tmp_path_factory.mktemp("siege")) as found:
        yield found


async def start_edge(folder: Path, stack: AsyncExitStack, inward: Inward = Inward()) -> Edge:
    """Start everything; the stack ends it."""
    authority = Authority(folder / "ca")
    manager = CallManager(
        CallManagerSettings(
            node=CALL_MANAGER,
            address="127.0.0.1",
            identity=authority.issue(CALL_MANAGER, [CALL_MANAGER], ["127.0.0.1"]),
            ca_file=authority.ca_file,
            database_url=f"sqlite+aiosqlite:///{folder}/callmanager.db",
            https_port=0,
            files_port=0,
            files_tls_port=0,
            people=tuple(
                PersonRecord(user=user, password=word, remote_access=inward.remote_access.get(user, ""))
                for user, word in PASSWORDS.items()
            ),
            devices=(DeviceRecord("CSFBRAM", owner="bram"),),
            application_users=(
                ApplicationUser(*_APPLICATION, frozenset({"token-keys", "credentials", "remote-access"})),
                ADMINISTRATOR,
            ),
            sign_in=SignInSettings(b"k" * 32, access_seconds=inward.access_seconds, poll_seconds=0.2),
            hashing=PasswordHashing(time_cost=1, memory=1024, parallelism=1, scram_iterations=4096),
        )
    )
    await manager.start()
    stack.push_async_callback(manager.stop)
    port = next(row.port for row in manager.endpoints if row.service == "uds")
    presence = PresenceService(
        PresenceSettings(
            node=PRESENCE,
            address="127.0.0.1",
            domain=DOMAIN,
            conference_domain=f"conference.{DOMAIN}",
            identity=authority.issue(PRESENCE, [PRESENCE, DOMAIN], ["127.0.0.1"]),
            database_url=f"sqlite+aiosqlite:///{folder}/presence.db",
            call_managers=((CALL_MANAGER, HostPort("127.0.0.1", port)),),
            application_user=_APPLICATION[0],
            application_password=_APPLICATION[1],
            ca_file=authority.ca_file,
            xmpp_port=0,
            xmpps_port=0,
            login_port=0,
            edges=frozenset({"127.0.0.1"}),
        )
    )
    await presence.start()
    stack.push_async_callback(presence.stop)
    xmpp = next(row.port for row in presence.endpoints if row.service == "xmpp")
    records = (
        Record(CALL_MANAGER.removesuffix(f".{DOMAIN}"), "A", ("127.0.0.1",)),
        Record("_cisco-uds._tcp", "SRV", (f"10 50 {port} {CALL_MANAGER}.",)),
        *inward.records,
    )
    names = NamesService(NamesSettings("ns", "127.0.0.1", 0, (Zone(DOMAIN, records),)))
    await names.start()
    stack.push_async_callback(names.stop)
    name_server = HostPort("127.0.0.1", names.endpoints[0].port)
    outer = OuterProxy(
        OuterSettings(
            node=OUTER,
            address=WORLD,
            identity=authority.issue(OUTER, [OUTER], []),
            ca_file=authority.ca_file,
            link=HostPort("127.0.60.2", 0),
            inner_names=frozenset({INNER, SECOND_INNER}),
            listeners=(("https", HostPort(WORLD, 0)), ("xmpp", HostPort(WORLD, 0))),
        )
    )
    await outer.start()
    stack.push_async_callback(outer.stop)
    ports = {row.service: row.port for row in outer.endpoints}
    inside = client_context(authority.ca_file)
    call_manager = HostPort(CALL_MANAGER, port)
    settings = InnerSettings(
        node=INNER,
        identity=authority.issue(INNER, [INNER], []),
        public=authority.issue(EDGE, [EDGE, DOMAIN], []),
        ca_file=authority.ca_file,
        outers=(OuterPeer(OUTER, HostPort("127.0.60.2", ports["link"])),),
        name_server=name_server,
        application_user=_APPLICATION[0],
        application_password=_APPLICATION[1],
        own=OwnSettings(
            call_managers=((CALL_MANAGER, HostPort("127.0.0.1", port)),),
            files=(CALL_MANAGER,),
            places={"https": (HostPort(EDGE, ports["https"]),), "xmpp": (HostPort(EDGE, 5222),)},
            route="",
            tls=inside,
        ),
        https=HttpsSettings(
            domains=frozenset({DOMAIN}),
            allowed=(
                Allowed("https", call_manager, frozenset({"GET", "HEAD"}), ("/cucm-uds",)),
                Allowed("https", call_manager, frozenset({"GET", "POST"}), ("/ssosp",), ("/ssosp",)),
                *inward.rows,
            ),
            tls=inside,
            resolver=GuardedResolver(NameResolver(NameClient(name_server)), inward.inside),
            limits=inward.limits,
        ),
        xmpp=XmppSettings(
            DOMAIN, ((PRESENCE, HostPort("127.0.0.1", inward.before_presence(xmpp))),), inside, inward.before_tls
        ),
    )
    inner = InnerProxy(inward.further(settings))
    await inner.start()
    stack.push_async_callback(inner.stop)
    await asyncio.wait_for(inner.reached.wait(), 10)
    return Edge(outer, inner, authority, call_manager)
