"""Other systems that calls come from and go to: nodes of the cluster, other clusters, gateways, voicemail."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from ringback.protocols.sip.flows import Flow, Target
from ringback.rules.dial_plan import Origin
from ringback.services.callmanager.settings import Sibling, SipPeer, Trunk

PeerKind = Literal["node", "cluster", "gateway", "voicemail"]


@dataclass(frozen=True, slots=True)
class Peer:
    """A system by the name that the dial plan uses; ``targets`` in the order of trial. Its calls are known by the names
    of its certificate where it speaks TLS, else by the address (over UDP the port too) that they come from. ``srtp``:
    sound there is always encrypted."""

    name: str
    kind: PeerKind
    targets: tuple[Target, ...]
    hosts: frozenset[str] = frozenset()
    places: frozenset[tuple[str, int]] = frozenset()
    srtp: bool = False

    @property
    def origin(self) -> Origin:
        """How the dial plan sees calls from there."""
        return Origin.OUTSIDE if self.kind == "gateway" else Origin.CLUSTER

    @property
    def domain(self) -> str:
        """The host of the addresses that are called there."""
        return min(self.hosts) if self.hosts else self.targets[0].host


class Peers:
    """All of them."""

    def __init__(self, trunks: Iterable[Trunk], siblings: Iterable[Sibling]) -> None:
        self._by_name: dict[str, Peer] = {}
        for trunk in trunks:
            self._by_name[trunk.name] = _peer(trunk.name, trunk.kind, trunk.peers, srtp=trunk.srtp)
        self._nodes = {one.node: _peer(one.node, "node", (one.peer,), srtp=False) for one in siblings}
        everybody = (*self._nodes.values(), *self._by_name.values())
        self._by_host = {host: peer for peer in reversed(everybody) for host in peer.hosts}
        self._by_address = {address: peer for peer in reversed(everybody) for address, _ in peer.places}
        self._by_place = {place: peer for peer in reversed(everybody) for place in peer.places}

    def get(self, name: str) -> Peer | None:
        """The trunk of a name."""
        return self._by_name.get(name)

    def node(self, host: str) -> Peer | None:
        """Another node of the cluster."""
        return self._nodes.get(host)

    def voicemail(self) -> Peer | None:
        """The first voicemail system."""
        return next((peer for peer in self._by_name.values() if peer.kind == "voicemail"), None)

    def of_flow(self, flow: Flow) -> Peer | None:
        """Who speaks over a flow. A certificate counts on TLS; an address alone proves nothing there."""
        if flow.secure:
            return next((self._by_host[name] for name in flow.peer_names if name in self._by_host), None)
        if flow.transport == "udp":
            return self._by_place.get(flow.remote[:2])
        return self._by_address.get(flow.remote[0])


def _peer(name: str, kind: PeerKind, peers: Iterable[SipPeer], *, srtp: bool) -> Peer:
    listed = tuple(peers)
    plain = [peer for peer in listed if peer.transport != "tls"]
    return Peer(
        name,
        kind,
        tuple(Target(peer.transport, peer.address or peer.host, peer.port, peer.host) for peer in listed),
        frozenset(peer.host.lower() for peer in listed),
        frozenset((peer.address or peer.host, peer.port) for peer in plain),
        srtp,
    )
