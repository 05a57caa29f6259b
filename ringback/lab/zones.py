"""The records of a view, derived from the nodes and added to those of the file."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence

from ringback.deployment.model import Deployment, Node, Zone
from ringback.deployment.networks import View
from ringback.services.names import settings as names

_SERVICES: tuple[tuple[str, str, str], ...] = (
    ("call-manager", "_cisco-uds._tcp", "https"),
    ("call-manager", "_sip._udp", "sip"),
    ("call-manager", "_sip._tcp", "sip"),
    ("call-manager", "_sips._tcp", "sip_tls"),
    ("presence", "_xmpp-client._tcp", "xmpp"),
    ("presence", "_xmpps-client._tcp", "xmpp_tls"),
    ("edge", "_collab-edge._tls", "https"),
)


def zones_of(deployment: Deployment, view: View, name_server: str) -> tuple[names.Zone, ...]:
    """The zones that a name server of a view answers. Raises names' RecordError for a line that is no record."""
    return tuple(
        names.Zone(zone.name, (*_published(deployment, zone), *_written(zone)), name_server)
        for zone in deployment.zone
        if zone.view == view
    )


def _written(zone: Zone) -> Iterator[names.Record]:
    for line in zone.records:
        yield names.Record.parse(line, zone.ttl)


def _published(deployment: Deployment, zone: Zone) -> Iterator[names.Record]:
    if "addresses" in zone.publish:
        yield from _addresses(deployment.node, zone)
    elif "edge" in zone.publish:
        yield from _addresses(deployment.nodes("edge-outer"), zone)
    if "presence" in zone.publish and deployment.conference_domain.endswith("." + zone.name):
        nodes = deployment.nodes("presence")
        if nodes:
            yield _address(deployment.conference_domain, nodes[0], zone)
    for role, service, port in _SERVICES:
        if role not in zone.publish:
            continue
        # Who looks for SIP takes the first cluster if it can: nodes of the others know the way as well.
        first = deployment.cluster[0].name if deployment.cluster and service.startswith("_sip") else ""
        wanted = "edge-outer" if role == "edge" else role
        values = tuple(
            f"{10 if first and node.cluster != first else 0} 10 {getattr(node.ports, port)} {node.name}."
            for node in deployment.node
            if wanted in node.roles
        )
        if values:
            yield names.Record(service, "SRV", values, zone.ttl)


def _addresses(nodes: Sequence[Node], zone: Zone) -> Iterator[names.Record]:
    for node in nodes:
        for name in (node.name, *node.aliases):
            if name == zone.name or name.endswith("." + zone.name):
                yield _address(name, node, zone)


def _address(name: str, node: Node, zone: Zone) -> names.Record:
    kind = "A" if ipaddress.ip_address(node.address).version == 4 else "AAAA"
    relative = "@" if name == zone.name else name.removesuffix("." + zone.name)
    return names.Record(relative, kind, (node.address,), zone.ttl)
