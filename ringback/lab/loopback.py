"""A lab beside another: the same enterprise on another part of the loopback range."""

from __future__ import annotations

import re

import msgspec

from ringback.deployment.model import Deployment, Zone

_RANGE = re.compile(r"127\.(\d{1,3})\Z")
_DEFAULT = "127.0."
_LISTS = ("exempt", "networks", "served_from")  # of ``[edge]``: addresses and networks


def moved(deployment: Deployment, loopback: str) -> Deployment:
    """The deployment with every 127.0.x.y address moved to ``loopback`` (``127.N``, N from 0 to 255).

    Raises ValueError for another text.
    """
    match = _RANGE.match(loopback)
    if not match or int(match[1]) > 255:
        raise ValueError(f"{loopback!r} is not a part of the loopback range: write 127.N, for instance 127.7")
    target = f"{loopback}."
    nodes = [
        msgspec.structs.replace(
            node,
            address=_move(node.address, target),
            link_address=_move(node.link_address, target),
            public_address=_move(node.public_address, target),
        )
        for node in deployment.node
    ]
    networks = [
        msgspec.structs.replace(
            network,
            reach=[_move(text, target) for text in network.reach],
            guest_address=_move(network.guest_address, target),
        )
        for network in deployment.network
    ]
    zones = [_moved_zone(zone, target) for zone in deployment.zone]
    lists = {name: [_move(one, target) for one in getattr(deployment.edge, name)] for name in _LISTS}
    edge = msgspec.structs.replace(deployment.edge, **lists)
    return msgspec.structs.replace(deployment, node=nodes, network=networks, zone=zones, edge=edge)


def _moved_zone(zone: Zone, target: str) -> Zone:
    records = [" ".join(_move(word, target) for word in record.split()) for record in zone.records]
    return msgspec.structs.replace(zone, records=records)


def _move(word: str, target: str) -> str:
    return target + word.removeprefix(_DEFAULT) if word.startswith(_DEFAULT) else word
