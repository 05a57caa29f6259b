"""Which certificates a deployment needs, and which names each must hold: one for each node, or one for each cluster."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ringback.deployment.model import Deployment, Node
from ringback.rules.certificates import PresentedNames

_WITHOUT_TLS = frozenset({"names", "web"})
EDGE_PUBLIC = "edge-public"
"""The stem of the certificate that people outside see."""


@dataclass(frozen=True, slots=True)
class Need:
    """A certificate: ``stem`` is the name of its files, ``nodes`` show it. The first name of ``dns`` is its subject.

    ``xmpp`` and ``services`` are names of XMPP domains (xmppAddr, SRVName); ``addresses`` are for the private authority
    only, since public ones sign none.
    """

    stem: str
    nodes: tuple[str, ...]
    roles: tuple[str, ...]
    dns: tuple[str, ...]
    addresses: tuple[str, ...] = ()
    xmpp: tuple[str, ...] = ()
    services: tuple[str, ...] = ()

    def missing(self, names: PresentedNames) -> tuple[str, ...]:
        """The DNS names that a certificate does not hold. A wildcard counts for names of one label more.

        Other names are not asked for: not every authority signs them, and clients take a DNS name as well.
        """
        held = {name.lower().removesuffix(".") for name in names.dns}
        return tuple(
            name for name in self.dns if name.lower() not in held and f"*.{name.lower().partition('.')[2]}" not in held
        )


def need_of(deployment: Deployment, node: Node) -> Need:
    """What a node's certificate must hold: its names, and the domains of messages where it has that role."""
    domains = (deployment.domain, deployment.conference_domain) if "presence" in node.roles else ()
    names = dict.fromkeys((node.name, *node.aliases, *domains))
    roles = tuple(role for role in node.roles if role not in _WITHOUT_TLS)
    return Need(node.name, (node.name,), roles, tuple(names), (node.address,), domains, tuple(_service_names(domains)))


def edge_names(deployment: Deployment) -> tuple[str, ...]:
    """The names by which people outside come to a deployment's edge: those of the outer proxies and ``[edge] names``,
    and the domain, which clients look for in the certificate."""
    outers = deployment.nodes("edge-outer")
    known = (name for node in outers for name in (node.name, *node.aliases))
    return tuple(dict.fromkeys((*known, *deployment.edge.names, deployment.domain)))


def edge_need(deployment: Deployment) -> Need | None:
    """What people outside see at the edge; None where a deployment has none. The outer proxies only pass it on: the
    inner ones show it."""
    outers = deployment.nodes("edge-outer")
    if not outers and not deployment.edge.names:
        return None
    services = tuple(f"{service}.{deployment.domain}" for service in ("_collab-edge", "_xmpp-client"))
    nodes = tuple(node.name for node in outers)
    return Need(EDGE_PUBLIC, nodes, ("edge",), edge_names(deployment), (), (deployment.domain,), services)


def needs(deployment: Deployment, *, multi_server: bool = False) -> tuple[Need, ...]:
    """The certificates of all nodes that speak TLS, and what people outside see; with ``multi_server`` one for all call
    managers of a cluster, one for all presence nodes (the guide's multi-server SAN), and one for each further node."""
    single = [need_of(deployment, node) for node in deployment.node if set(node.roles) - _WITHOUT_TLS]
    public = edge_need(deployment)
    outside = () if public is None else (public,)
    if not multi_server:
        return (*single, *outside)
    groups: dict[str, list[Need]] = {}
    for need in single:
        node = next(node for node in deployment.node if node.name == need.stem)
        groups.setdefault(_group(node), []).append(need)
    return (*(_joined(stem, members) for stem, members in groups.items()), *outside)


def _group(node: Node) -> str:
    if "call-manager" in node.roles:
        return f"{node.cluster or 'cluster'}-ms"
    return "presence-ms" if "presence" in node.roles else node.name


def _joined(stem: str, members: list[Need]) -> Need:
    if len(members) == 1:
        return members[0]

    def all_of(field: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(value for member in members for value in getattr(member, field)))

    return Need(stem, *(all_of(field) for field in ("nodes", "roles", "dns", "addresses", "xmpp", "services")))


def _service_names(domains: tuple[str, ...]) -> Iterator[str]:
    """RFC 6120 section 13.7.1.2.1: the services of a domain; a group chat domain has none for clients."""
    for index, domain in enumerate(domains):
        if index == 0:
            yield f"_xmpp-client.{domain}"
        yield f"_xmpp-server.{domain}"
