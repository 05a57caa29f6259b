"""The edge in a deployment file: nodes with the roles ``edge-outer`` and ``edge-inner``, and the table ``[edge]``."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from msgspec import field

from ringback.deployment.entity import Entity
from ringback.deployment.lines import Path

if TYPE_CHECKING:
    from ringback.deployment.model import Deployment


class EdgeAllowed(Entity, frozen=True, kw_only=True):
    """A server inside that the edge leads to, beside those of the deployment: for photos, updates or pages.

    ``paths``: only at or below them; ``methods``: read only, unless said otherwise; ``open``: also for people who have
    yet to sign in; ``sockets``: WebSockets too; ``largest_kib``: KiB of a request's body;
    ``accounts``: people may have accounts there that only that server knows.
    """

    host: str
    port: int = 443
    scheme: Literal["http", "https"] = "https"
    paths: list[str] = field(default_factory=lambda: ["/"])
    methods: list[Literal["GET", "HEAD", "POST", "PUT", "DELETE"]] = field(default_factory=lambda: ["GET", "HEAD"])
    open: bool = False
    sockets: bool = False
    largest_kib: int = 1024
    accounts: bool = False


class EdgeTenant(Entity, frozen=True, kw_only=True):
    """Another company that this edge serves too, at the same addresses: its deployment ``file`` and ``data`` folder,
    both beside this file."""

    file: str
    data: str


class Edge(Entity, frozen=True, kw_only=True):
    """Rules of the edge.

    More than ``failures`` failed sign-ins within ``window_seconds`` keep an address, and a person, out for
    ``block_minutes``, but for the networks in ``exempt`` (``203.0.113.0/24``). Names of servers inside lead to
    ``networks`` only, or to the deployment's nodes; without any, everywhere but to loopback and the like.

    Sound and picture of calls: clients send to ``media_ports`` (first, last) of the outer proxies, ends inside to
    ``inner_media_ports`` of the inner ones. ``inner_media``: inside, ends may encrypt or not (``best-effort``), must
    (``secure``), or do not (``clear``); outside, calls are always encrypted.

    ``names``: further host names by which clients outside come to this edge. ``tenant``: other companies behind it. A
    company that is behind the edge of another says in ``names`` how its clients come there, and in ``served_from`` the
    addresses from which that edge's inner proxies reach it.
    """

    failures: int = 5
    window_seconds: int = 60
    block_minutes: int = 10
    exempt: list[str] = field(default_factory=list)
    networks: list[str] = field(default_factory=list)
    media_ports: tuple[int, int] = (20_000, 29_998)
    inner_media_ports: tuple[int, int] = (30_000, 39_998)
    inner_media: Literal["best-effort", "secure", "clear"] = "best-effort"
    allow: list[EdgeAllowed] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    tenant: list[EdgeTenant] = field(default_factory=list)
    served_from: list[str] = field(default_factory=list)


def check_edge(deployment: Deployment) -> Iterator[tuple[Path, str]]:
    """Yield where and what is wrong."""
    outers, inners = deployment.nodes("edge-outer"), deployment.nodes("edge-inner")
    if outers and not inners:
        yield ("node",), "There is an outer edge proxy, but no inner one: give a node the role edge-inner"
    if inners and not outers:
        yield ("node",), "There is an inner edge proxy, but no outer one: give a node the role edge-outer"
    if {node.name for node in outers} & {node.name for node in inners}:
        yield ("node",), "The two edge proxies must be different nodes: the outer one stands where attackers come first"
    for index, node in enumerate(deployment.node):
        for name, address in (("link-address", node.link_address), ("public-address", node.public_address)):
            try:
                ipaddress.ip_address(address or "0.0.0.0")
            except ValueError:
                yield ("node", index, name), f"{address!r} is not an IP address"
    yield from _check_lists(deployment.edge)
    for name in ("media_ports", "inner_media_ports"):
        first, last = getattr(deployment.edge, name)
        if (first, last) != (0, 0) and not 1024 <= first < last <= 65535:
            yield ("edge", name.replace("_", "-")), "These must be two ports from 1024 on, the first below the last"
    for name in ("failures", "window_seconds", "block_minutes"):
        if getattr(deployment.edge, name) < 1:
            yield ("edge", name.replace("_", "-")), "This must be 1 or more"


def _check_lists(edge: Edge) -> Iterator[tuple[Path, str]]:
    for index, address in enumerate(edge.served_from):
        try:
            ipaddress.ip_address(address)
        except ValueError:
            yield ("edge", "served-from", index), f"{address!r} is not an IP address"
    files = [tenant.file for tenant in edge.tenant]
    for index, file in enumerate(files):
        if file in files[:index]:
            yield ("edge", "tenant", index, "file"), f"{file} stands twice"
    for name in ("exempt", "networks"):
        for index, text in enumerate(getattr(edge, name)):
            try:
                ipaddress.ip_network(text)
            except ValueError as error:
                yield ("edge", name, index), str(error)
    for index, row in enumerate(edge.allow):
        if row.largest_kib < 0:
            yield ("edge", "allow", index, "largest-kib"), "This must be 0 or more"
