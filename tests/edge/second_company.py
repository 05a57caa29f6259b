"""Another company behind the same edge: its own authority, call manager, presence service and name server."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from ringback.deployment.authority import Authority
from ringback.net.names import NameClient, NameResolver
from ringback.net.tls import client_context
from ringback.rules.addresses import HostPort
from ringback.rules.edge_networks import Inside
from ringback.rules.edge_paths import Allowed
from ringback.services.callmanager.authorisation.settings import SignInSettings
from ringback.services.callmanager.service import CallManager
from ringback.services.callmanager.settings import (
    ApplicationUser,
    CallManagerSettings,
    PasswordHashing,
    PersonRecord,
)
from ringback.services.edge.resolver import GuardedResolver
from ringback.services.edge.settings import HttpsSettings, OwnSettings, TenantSettings, XmppSettings
from ringback.services.names.service import NamesService
from ringback.services.names.settings import NamesSettings, Record, Zone
from ringback.services.presence.service import PresenceService
from ringback.services.presence.settings import PresenceSettings

DOMAIN, EDGE, MANAGER, PRESENCE = "globex.example", "edge.globex.example", "cm.globex.example", "im.globex.example"
PASSWORD = "another anita's password"
_APPLICATION = ("edge", "another pass phrase")


@dataclass(frozen=True)
class Company:
    """What the edge is told of it, and where its call manager is."""

    settings: TenantSettings
    authority: Authority
    call_manager: HostPort


async def start_company(folder: Path, stack: AsyncExitStack) -> Company:
    """Start all of it; the stack ends it. It has a person with the same id as one of the first company."""
    authority = Authority(folder / "ca")
    manager = CallManager(
        CallManagerSettings(
            node=MANAGER,
            address="127.0.0.1",
            identity=authority.issue(MANAGER, [MANAGER], ["127.0.0.1"]),
            ca_file=authority.ca_file,
            database_url=f"sqlite+aiosqlite:///{folder}/callmanager.db",
            https_port=0,
            files_port=0,
            files_tls_port=0,
            people=(PersonRecord(user="anita", password=PASSWORD),),
            application_users=(
                ApplicationUser(*_APPLICATION, frozenset({"token-keys", "credentials", "remote-access"})),
            ),
            sign_in=SignInSettings(b"g" * 32, poll_seconds=0.2),
            hashing=PasswordHashing(time_cost=1, memory=1024, parallelism=1, scram_iterations=4096),
        )
    )
    await manager.start()
    stack.push_async_callback(manager.stop)
    port = next(row.port for row in manager.endpoints if row.service == "uds")
    here = HostPort("127.0.0.1", port)
    presence = PresenceService(
        PresenceSettings(
            node=PRESENCE,
            address="127.0.0.1",
            domain=DOMAIN,
            conference_domain=f"conference.{DOMAIN}",
            identity=authority.issue(PRESENCE, [PRESENCE, DOMAIN], ["127.0.0.1"]),
            database_url=f"sqlite+aiosqlite:///{folder}/presence.db",
            call_managers=((MANAGER, here),),
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
    records = (Record("cm", "A", ("127.0.0.1",)), Record("_cisco-uds._tcp", "SRV", (f"10 50 {port} {MANAGER}.",)))
    names = NamesService(NamesSettings("ns", "127.0.0.1", 0, (Zone(DOMAIN, records),)))
    await names.start()
    stack.push_async_callback(names.stop)
    server = HostPort("127.0.0.1", names.endpoints[0].port)
    inside = client_context(authority.ca_file)
    call_manager = HostPort(MANAGER, port)
    settings = TenantSettings(
        names=frozenset({EDGE, DOMAIN}),
        public=authority.issue(EDGE, [EDGE, DOMAIN]),
        ca_file=authority.ca_file,
        name_server=server,
        application_user=_APPLICATION[0],
        application_password=_APPLICATION[1],
        own=OwnSettings(((MANAGER, here),), (MANAGER,), {"https": (HostPort(EDGE, 8443),)}, "", inside),
        https=HttpsSettings(
            domains=frozenset({DOMAIN}),
            allowed=(Allowed("https", call_manager, frozenset({"GET", "HEAD"}), ("/cucm-uds",)),),
            tls=inside,
            resolver=GuardedResolver(NameResolver(NameClient(server)), Inside(frozenset({"127.0.0.1"}))),
        ),
        xmpp=XmppSettings(DOMAIN, ((PRESENCE, HostPort("127.0.0.1", xmpp)),), inside),
        realm=DOMAIN,
        poll=0.2,
    )
    return Company(settings, authority, call_manager)
