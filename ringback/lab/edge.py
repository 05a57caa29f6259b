"""The proxies of a deployment's edge: what they are told, and what may pass."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from ringback.deployment import Deployment, Node
from ringback.deployment.authority import Authority
from ringback.deployment.certificate_plan import EDGE_PUBLIC, edge_names, edge_need
from ringback.net.names import NameClient, NameResolver
from ringback.net.tls import Identity, client_context
from ringback.protocols.ccmcip import PATH as CCMCIP_PATH
from ringback.protocols.oauth.grants import AUTHORIZE_PATH, REVOKE_PATH, TOKEN_PATH
from ringback.protocols.oauth.probe import PATH as PROBE_PATH
from ringback.protocols.soap_login import PATHS as LOGIN_PATHS
from ringback.rules.addresses import HostPort
from ringback.rules.edge_networks import Inside
from ringback.rules.edge_paths import Allowed
from ringback.rules.edge_protection import ProtectionRules
from ringback.services.edge.resolver import GuardedResolver
from ringback.services.edge.settings import (
    HttpsSettings,
    InnerSettings,
    OuterMediaSettings,
    OuterPeer,
    OuterSettings,
    OwnSettings,
    SipManager,
    SipSettings,
    TenantSettings,
    XmppSettings,
)

APPLICATION: Final = "edge-service"
"""The application user as which the edge fetches the keys of tokens from the call managers."""
_READ: Final = frozenset({"GET", "HEAD"})
_ALL: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE"})
_RECORDING: Final = 32 * 1024 * 1024
"""Octets of what may be sent to a voicemail service: an hour of sound."""
_SIGN_IN: Final = (PROBE_PATH, AUTHORIZE_PATH, TOKEN_PATH, REVOKE_PATH, "/ssosp/saml")


def public_identity(deployment: Deployment, authority: Authority) -> Identity:
    """The certificate that people outside see."""
    need = edge_need(deployment)
    if need is None:
        return authority.issue(EDGE_PUBLIC, edge_names(deployment))
    identity = authority.issue(need.stem, need.dns, need.addresses, xmpp=need.xmpp, services=need.services)
    return replace(identity, mode=deployment.security.tls)


def outer_settings(
    deployment: Deployment, node: Node, *, identity: Identity, ca_file: Path, folder: Path | None = None
) -> OuterSettings:
    """What an outer proxy is told. ``folder``: see ``OuterSettings``."""
    return OuterSettings(
        node=node.name,
        address=node.address,
        identity=identity,
        ca_file=ca_file,
        link=_link(node),
        inner_names=frozenset(inner.name for inner in deployment.nodes("edge-inner")),
        listeners=(
            ("https", HostPort(node.address, node.ports.https)),
            ("xmpp", HostPort(node.address, node.ports.xmpp)),
            ("sip", HostPort(node.address, node.ports.sip_tls)),
        ),
        media=OuterMediaSettings(
            address=node.address,
            frames=HostPort(node.link_address or node.address, node.ports.media),
            ports=deployment.edge.media_ports,
            public=node.public_address,
        ),
        folder=folder,
    )


def inner_settings(
    deployment: Deployment,
    node: Node,
    *,
    identity: Identity,
    public: Identity,
    ca_file: Path,
    name_server: HostPort | None,
    password: str,
    folder: Path | None = None,
    shared_secret: str = "",
    tenants: tuple[TenantSettings, ...] = (),
) -> InnerSettings:
    """What an inner proxy is told; ``password`` is that of its application user. ``folder``, ``shared_secret`` and
    ``tenants``: see ``InnerSettings``."""
    inside = client_context(ca_file, mode=identity.mode)
    outers = deployment.nodes("edge-outer")
    managers = tuple((one.name, HostPort(one.address, one.ports.https)) for one in deployment.nodes("call-manager"))
    presence = tuple((one.name, HostPort(one.address, one.ports.xmpp)) for one in deployment.nodes("presence"))
    rules = deployment.edge
    return InnerSettings(
        node=node.name,
        identity=identity,
        public=public,
        ca_file=ca_file,
        outers=tuple(OuterPeer(outer.name, _link(outer)) for outer in outers),
        name_server=name_server,
        application_user=APPLICATION,
        application_password=password,
        own=OwnSettings(
            call_managers=managers,
            files=tuple(name for name, _ in managers),
            places={
                "https": tuple(HostPort(outer.name, outer.ports.https) for outer in outers),
                "xmpp": tuple(HostPort(outer.name, outer.ports.xmpp) for outer in outers),
                "sip": tuple(HostPort(outer.name, outer.ports.sip_tls) for outer in outers),
            },
            route=f"<sip:{outers[0].name}:{outers[0].ports.sip_tls};transport=tls;lr>" if outers else "",
            tls=inside,
            source=node.address,
        ),
        https=HttpsSettings(
            domains=frozenset({deployment.domain}),
            allowed=tuple(_allowed(deployment)),
            tls=inside,
            resolver=GuardedResolver(NameResolver(NameClient(name_server)), _inside(deployment)),
            source=node.address,
        ),
        xmpp=XmppSettings(deployment.domain, presence, inside, source=node.address) if presence else None,
        sip=_sip(deployment, node, identity, ca_file) if managers else None,
        protection=ProtectionRules(
            failures=rules.failures,
            window=float(rules.window_seconds),
            block=rules.block_minutes * 60.0,
            exempt=tuple(ipaddress.ip_network(one) for one in rules.exempt),
        ),
        tenants=tenants,
        folder=folder,
        shared_secret=shared_secret if len(deployment.nodes("edge-inner")) > 1 else "",
    )


def _sip(deployment: Deployment, node: Node, identity: Identity, ca_file: Path) -> SipSettings:
    return SipSettings(
        node=node.name,
        domains=frozenset({deployment.domain, deployment.voice_domain} - {""}),
        managers=tuple(
            SipManager(one.name, HostPort(one.address, one.ports.sip_tls), one.cluster)
            for one in deployment.nodes("call-manager")
        ),
        address=node.address,
        context=client_context(ca_file, mode=identity.mode, identity=identity),
        names=frozenset(edge_names(deployment)),
        ports=deployment.edge.inner_media_ports,
        media=deployment.edge.inner_media,
    )


def _link(node: Node) -> HostPort:
    return HostPort(node.link_address or node.address, node.ports.link)


def _inside(deployment: Deployment) -> Inside:
    """Where names inside may lead: the lab itself lives on loopback addresses, which its file says."""
    return Inside(
        frozenset(node.address for node in deployment.node),
        tuple(ipaddress.ip_network(one) for one in deployment.edge.networks),
    )


def _allowed(deployment: Deployment) -> Iterator[Allowed]:
    """What clients need of each role, and no more: what only services and administrators ask for stays inside."""
    for node in deployment.nodes("call-manager"):
        https = HostPort(node.name, node.ports.https)
        yield Allowed("https", https, _READ | {"PUT"}, ("/cucm-uds",))
        yield Allowed("https", https, _READ, (CCMCIP_PATH, "/photos"))
        yield Allowed("https", https, _READ | {"POST"}, _SIGN_IN, _SIGN_IN)
        yield Allowed("https", HostPort(node.name, node.ports.files_tls), _READ)
        yield Allowed("http", HostPort(node.name, node.ports.files), _READ)
    for node in deployment.nodes("presence"):
        yield Allowed("https", HostPort(node.name, node.ports.login), frozenset({"POST"}), LOGIN_PATHS)
    for node in deployment.nodes("voicemail"):
        messages = HostPort(node.name, node.ports.vmrest)
        yield Allowed("https", messages, _ALL, ("/vmrest",), largest=_RECORDING, accounts=True)
        notify = HostPort(node.name, node.ports.notify_tls)
        yield Allowed("https", notify, _READ | {"POST"}, ("/vmevents",), sockets=True)
    for row in deployment.edge.allow:
        paths = tuple(row.paths)
        server = HostPort(row.host, row.port)
        free = paths if row.open else ()
        largest = row.largest_kib * 1024
        yield Allowed(row.scheme, server, frozenset(row.methods), paths, free, row.sockets, largest, row.accounts)
