"""What a deployment must be beyond its types: names known, addresses and ports free of conflict, people unique."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from ringback.deployment.call_checks import check_calls
from ringback.deployment.directory_checks import check_directories
from ringback.deployment.edge import check_edge
from ringback.deployment.identity_provider import check_identity_provider
from ringback.deployment.ldap_authentication import check_ldap_authentication
from ringback.deployment.lines import Path
from ringback.deployment.model import Deployment, Node
from ringback.deployment.networks import check_networks
from ringback.deployment.remote_access import check_remote_access
from ringback.deployment.sign_in import check_sign_in
from ringback.deployment.voicemail_checks import check_voicemail
from ringback.rules.addresses import AddressError, UserAddress, parse_domain

Found = tuple[Path, str]

ROLE_PORTS: dict[str, tuple[str, ...]] = {
    "names": ("dns",),
    "call-manager": ("https", "files", "files_tls", "sip", "sip_tls"),
    "identity-provider": ("identity",),
    "presence": ("xmpp", "xmpp_tls", "login"),
    "voicemail": ("vmrest", "notify", "notify_tls", "sip", "sip_tls"),
    "messenger": ("cas",),
    "edge-outer": ("https", "xmpp", "sip_tls", "link"),
    "edge-inner": (),
    "web": ("web",),
}


def check(deployment: Deployment) -> Iterator[Found]:
    """Yield where (a path in the document) and what is wrong, for everything that is."""
    yield from _domain(("domain",), deployment.domain)
    if deployment.voice_domain:
        yield from _domain(("voice-domain",), deployment.voice_domain)
    yield from _clusters_and_nodes(deployment)
    yield from _ports(deployment)
    yield from _people(deployment)
    yield from _teams(deployment)
    yield from _zones(deployment)
    yield from check_calls(deployment)
    yield from check_voicemail(deployment)
    yield from check_sign_in(deployment)
    yield from check_ldap_authentication(deployment)
    yield from check_identity_provider(deployment)
    yield from check_directories(deployment)
    yield from check_edge(deployment)
    yield from check_remote_access(deployment)
    yield from check_networks(deployment)


def _domain(path: Path, name: str) -> Iterator[Found]:
    try:
        parse_domain(name)
    except AddressError as error:
        yield path, str(error)


def _clusters_and_nodes(deployment: Deployment) -> Iterator[Found]:
    clusters = {cluster.name for cluster in deployment.cluster}
    seen: set[str] = set()
    for index, node in enumerate(deployment.node):
        where: Path = ("node", index)
        yield from _domain((*where, "name"), node.name)
        if node.name in seen:
            yield (*where, "name"), f"There are two nodes named {node.name}"
        seen.add(node.name)
        try:
            ipaddress.ip_address(node.address)
        except ValueError:
            yield (*where, "address"), f"{node.address!r} is not an IP address"
        if not node.roles:
            yield (*where, "roles"), f"{node.name} has no role"
        if "call-manager" in node.roles and node.cluster not in clusters:
            yield (
                (*where, "cluster"),
                f"{node.name} is a call manager of cluster {node.cluster!r}, which is not in the file",
            )
    if not deployment.node:
        yield ("node",), "The deployment has no node"


def _ports(deployment: Deployment) -> Iterator[Found]:
    taken: dict[tuple[str, int], str] = {}
    for index, node in enumerate(deployment.node):
        for role, port in ports_of(node):
            if not 0 <= port < 65536:
                yield ("node", index, "ports"), f"{port} is not a port (0 to 65535)"
            elif port and (other := taken.setdefault((node.address, port), f"{role} of {node.name}")) != (
                mine := f"{role} of {node.name}"
            ):
                yield ("node", index), f"{mine} and {other} would both use port {port} of {node.address}"


def ports_of(node: Node) -> Iterator[tuple[str, int]]:
    """The roles of a node with each port that they bind."""
    for role in node.roles:
        for name in ROLE_PORTS[role]:
            yield role, getattr(node.ports, name)


def _people(deployment: Deployment) -> Iterator[Found]:
    homes = {cluster.name for cluster in deployment.cluster}
    seen: set[str] = set()
    for index, person in enumerate(deployment.person):
        where: Path = ("person", index)
        try:
            normal = UserAddress.parse(f"{person.user}@{deployment.domain}").user
        except AddressError as error:
            yield (*where, "user"), str(error)
            continue
        if normal in seen:
            yield (*where, "user"), f"There are two people named {person.user}"
        seen.add(normal)
        if person.cluster not in homes and (person.cluster or len(homes) != 1):
            yield (*where, "cluster"), f"{person.user} lives in cluster {person.cluster!r}, which is not in the file"


def _teams(deployment: Deployment) -> Iterator[Found]:
    users = {person.user for person in deployment.person}
    for index, team in enumerate(deployment.team):
        for member in team.members:
            if member not in users:
                yield ("team", index, "members"), f"{member!r} of team {team.name} is nobody in the file"


def _zones(deployment: Deployment) -> Iterator[Found]:
    seen: set[tuple[str, str]] = set()
    for index, zone in enumerate(deployment.zone):
        yield from _domain(("zone", index, "name"), zone.name)
        if (zone.name, zone.view) in seen:
            yield ("zone", index), f"The zone {zone.name} stands twice in the {zone.view} view"
        seen.add((zone.name, zone.view))
