"""Where a web client stands: its address, what it reaches and whom it asks for names, in each network of a file."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from ringback.deployment import Deployment, Node
from ringback.deployment.networks import NetworkName, network_of, view_of
from ringback.net.fence import Reach
from ringback.rules.addresses import HostPort


@dataclass(frozen=True, slots=True)
class Place:
    """A host in a network."""

    network: NetworkName
    reach: Reach
    name_server: HostPort | None

    @property
    def known_by(self) -> frozenset[str]:
        """What tells this network from others, as the host sees it."""
        return frozenset({self.reach.address, f"dns {self.name_server}"})


def is_fenced(deployment: Deployment, node: Node) -> bool:
    """Whether the web client of a node is held to a network, so that it is a process of its own."""
    return bool(network_of(deployment, node.network).reach)


def places_of(deployment: Deployment, node: Node, name_servers: dict[str, str]) -> dict[str, Place]:
    """A web client's place in each network of the file, its own first."""
    found = {node.network: _place(deployment, node, node.network, node.address, name_servers.get(node.view, ""))}
    for network in deployment.network:
        if network.name != node.network:
            server = name_servers.get(view_of(network), "")
            found[network.name] = _place(deployment, node, network.name, network.guest_address or node.address, server)
    return {str(name): place for name, place in found.items()}


def _place(deployment: Deployment, node: Node, name: NetworkName, address: str, server: str) -> Place:
    reach = tuple(ipaddress.ip_network(text) for text in network_of(deployment, name).reach)
    return Place(name, Reach(address, reach or None), HostPort.parse(server) if server else None)
