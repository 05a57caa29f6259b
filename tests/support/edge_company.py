"""A company that an edge leads to: its own authority, call manager, presence service and name server, in this process.

Two companies have nothing in common: names, secrets and keys follow from the domain.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from ringback.deployment.authority import Authority
from ringback.net.names import NameClient, NameResolver
from ringback.net.tls import Identity, client_context
from ringback.protocols.traversal.opening import Service
from ringback.rules.addresses import HostPort
from ringback.rules.edge_networks import Inside
from ringback.rules.edge_paths import Allowed
from ringback.services.callmanager.authorisation.settings import SignInSettings
from ringback.services.callmanager.service import CallManager
from ringback.services.callmanager.settings import ApplicationUser, DeviceRecord, PersonRecord
from ringback.services.edge.http_limits import HttpLimits
from ringback.services.edge.outer import OuterProxy
from ringback.services.edge.resolver import GuardedResolver
from ringback.services.edge.settings import (
    HttpsSettings,
    InnerSettings,
    Limits,
    OuterMediaSettings,
    OuterPeer,
    OuterSettings,
    OwnSettings,
    TenantSettings,
    XmppSettings,
)
from ringback.services.names.service import NamesService
from ringback.services.names.settings import NamesSettings, Record, Zone
from ringback.services.presence.service import PresenceService
from tests.support.nodes import HERE, call_manager_settings, port_of, presence_settings, started

LOOPBACK = Inside(frozenset({HERE}))
APPLICATION = "edge"
"""The application user as which an edge asks the call managers."""
_HTTP, _LIMITS = HttpLimits(), Limits()
_RIGHTS = frozenset({"token-keys", "credentials", "remote-access"})


@dataclass(frozen=True)
class Company:
    """One that runs. ``call_manager`` and ``presence`` by name, with the ports at which they are on loopback."""

    domain: str
    authority: Authority
    call_manager: HostPort
    presence: HostPort
    name_server: HostPort

    @property
    def edge(self) -> str:
        """The name by which its people reach the edge."""
        return f"edge.{self.domain}"

    @property
    def public(self) -> Identity:
        """What its people see of the edge."""
        return self.authority.issue(self.edge, [self.edge, self.domain], [])

    def read(self, *paths: str) -> Allowed:
        """A row for what may be read of the call manager."""
        return Allowed("https", self.call_manager, frozenset({"GET", "HEAD"}), paths)

    def own(self, places: Mapping[str, tuple[HostPort, ...]]) -> OwnSettings:
        """What the edge says of itself, which the world reaches there."""
        manager = (self.call_manager.host, HostPort(HERE, self.call_manager.port))
        return OwnSettings((manager,), (manager[0],), places, "", client_context(self.authority.ca_file))

    def https(self, *allowed: Allowed, inside: Inside = LOOPBACK, limits: HttpLimits = _HTTP) -> HttpsSettings:
        """What HTTPS may reach; ``inside``: where names may lead."""
        resolver = GuardedResolver(NameResolver(NameClient(self.name_server)), inside)
        tls = client_context(self.authority.ca_file)
        return HttpsSettings(frozenset({self.domain}), allowed, tls, resolver, limits)

    def xmpp(self) -> XmppSettings:
        """Where XMPP goes."""
        node = (self.presence.host, HostPort(HERE, self.presence.port))
        return XmppSettings(self.domain, (node,), client_context(self.authority.ca_file))

    def home(self, node: str, outers: tuple[OuterPeer, ...], own: OwnSettings, https: HttpsSettings) -> InnerSettings:
        """An inner proxy of its own edge."""
        return InnerSettings(
            node=node,
            identity=self.authority.issue(node, [node], []),
            public=self.public,
            ca_file=self.authority.ca_file,
            outers=outers,
            name_server=self.name_server,
            application_user=APPLICATION,
            application_password=application_password(self.domain),
            own=own,
            https=https,
            xmpp=self.xmpp(),
        )

    def tenant(self, own: OwnSettings, https: HttpsSettings) -> TenantSettings:
        """What the edge of another company is told of it, which then serves it, too."""
        return TenantSettings(
            names=frozenset({self.edge, self.domain}),
            public=self.public,
            ca_file=self.authority.ca_file,
            name_server=self.name_server,
            application_user=APPLICATION,
            application_password=application_password(self.domain),
            own=own,
            https=https,
            xmpp=self.xmpp(),
            realm=self.domain,
            poll=0.2,
        )


def application_password(domain: str) -> str:
    """What an edge shows to the call managers of a company."""
    return f"pass phrase of {domain}"


async def start_company(
    domain: str,
    folder: Path,
    stack: AsyncExitStack,
    people: tuple[PersonRecord, ...],
    *,
    devices: tuple[DeviceRecord, ...] = (),
    administrators: tuple[ApplicationUser, ...] = (),
    access_seconds: int = 3600,
    records: tuple[Record, ...] = (),
) -> Company:
    """Start all of it; the stack ends it. ``access_seconds``: how long tokens are good; ``records``: further ones of
    the name server."""
    authority = Authority(folder / "ca")
    manager_name, presence_name, password = f"cm1.{domain}", f"im.{domain}", application_password(domain)
    key = domain.encode().ljust(32, b"k")[:32]
    manager = await started(
        CallManager(
            replace(
                call_manager_settings(manager_name, folder, authority),
                people=people,
                devices=devices,
                application_users=(ApplicationUser(APPLICATION, password, _RIGHTS), *administrators),
                sign_in=SignInSettings(key, access_seconds=access_seconds, poll_seconds=0.2),
            )
        ),
        stack,
    )
    port = port_of(manager, "uds")
    presence = await started(
        PresenceService(
            replace(
                presence_settings(presence_name, domain, folder, authority),
                call_managers=((manager_name, HostPort(HERE, port)),),
                application_user=APPLICATION,
                application_password=password,
                edges=frozenset({HERE}),
            )
        ),
        stack,
    )
    usual = (Record("cm1", "A", (HERE,)), Record("_cisco-uds._tcp", "SRV", (f"10 50 {port} {manager_name}.",)))
    names = await started(NamesService(NamesSettings("ns", HERE, 0, (Zone(domain, (*usual, *records)),))), stack)
    return Company(
        domain,
        authority,
        HostPort(manager_name, port),
        HostPort(presence_name, port_of(presence, "xmpp")),
        HostPort(HERE, port_of(names, "dns")),
    )


def outer_settings(
    node: str,
    address: str,
    authority: Authority,
    inners: tuple[str, ...],
    services: tuple[Service, ...],
    *,
    link: str = "",
    media: bool = False,
    limits: Limits = _LIMITS,
) -> OuterSettings:
    """Of an outer proxy with these listeners at free ports of an address. ``link``: where inner proxies, ``inners``,
    reach it (empty: there, too); ``media``: it carries the sound of calls."""
    return OuterSettings(
        node=node,
        address=address,
        identity=authority.issue(node, [node], []),
        ca_file=authority.ca_file,
        link=HostPort(link or address, 0),
        inner_names=frozenset(inners),
        listeners=tuple((service, HostPort(address, 0)) for service in services),
        limits=limits,
        media=OuterMediaSettings(address, HostPort(link or address, 0), (0, 0)) if media else None,
    )


def peer_of(outer: OuterProxy) -> OuterPeer:
    """An outer proxy that runs, as an inner one reaches it."""
    link = next(row for row in outer.endpoints if row.service == "link")
    return OuterPeer(link.node, HostPort(link.address, link.port))


def bare_inner(node: str, domain: str, authority: Authority, outers: tuple[OuterPeer, ...]) -> InnerSettings:
    """Of an inner proxy behind which nothing is: what only the links, or what a test puts there, has to do with."""
    tls = client_context(authority.ca_file)
    nowhere = GuardedResolver(NameResolver(NameClient(HostPort(HERE, 1))), LOOPBACK)
    return InnerSettings(
        node=node,
        identity=authority.issue(node, [node], []),
        public=authority.issue(f"edge.{domain}", [f"edge.{domain}", domain], [HERE]),
        ca_file=authority.ca_file,
        outers=outers,
        name_server=None,
        application_user=APPLICATION,
        application_password="-",
        own=OwnSettings((), (), {}, "", tls),
        https=HttpsSettings(frozenset(), (), tls, nowhere),
    )
