"""Networks of a deployment file: what hosts in them reach, as the firewalls between them would have it."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from msgspec import field

from ringback.deployment.entity import Entity
from ringback.deployment.lines import Path

if TYPE_CHECKING:
    from ringback.deployment.model import Deployment

NetworkName = Literal["office", "internet", "cloud"]
View = Literal["inside", "outside"]


class Network(Entity, frozen=True, kw_only=True):
    """A network that web clients stand in.

    ``reach``: the networks (``203.0.113.0/24``) that its hosts get to, and nothing else; none: everything. A web client
    of a network with ``reach`` is a process of its own, which is held to it. ``view``: the name server that is asked
    here; none: ``inside`` in the office, else ``outside``. ``guest_address``: the address of a web client that is moved
    here from another network; none: it keeps its own.
    """

    name: NetworkName
    reach: list[str] = field(default_factory=list)
    view: Literal["", "inside", "outside"] = ""
    guest_address: str = ""


def network_of(deployment: Deployment, name: NetworkName) -> Network:
    """The network of this name, with nothing said about it where the file has none."""
    return next((network for network in deployment.network if network.name == name), Network(name=name))


def view_of(network: Network) -> View:
    """The name server that is asked in this network."""
    return network.view or ("inside" if network.name == "office" else "outside")


def check_networks(deployment: Deployment) -> Iterator[tuple[Path, str]]:
    """Yield where and what is wrong."""
    seen: set[str] = set()
    for index, network in enumerate(deployment.network):
        if network.name in seen:
            yield ("network", index, "name"), f"The network {network.name} stands twice in the file"
        seen.add(network.name)
        for text in network.reach:
            try:
                ipaddress.ip_network(text)
            except ValueError as error:
                yield ("network", index, "reach"), str(error)
        if network.guest_address:
            try:
                ipaddress.ip_address(network.guest_address)
            except ValueError:
                yield ("network", index, "guest-address"), f"{network.guest_address!r} is not an IP address"
