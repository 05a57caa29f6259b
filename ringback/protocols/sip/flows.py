"""Where messages go to and come from, without a socket: targets, flows and what has to be sent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Transport = Literal["udp", "tcp", "tls"]
Headers = Iterable[tuple[str, str]]
"""Header fields as (canonical name, value), in the order in which they are written."""


@dataclass(frozen=True, slots=True)
class Target:
    """A place to connect to. ``host``: an address, or a name that the driver looks up (RFC 3263; ``port`` 0: by SRV).

    ``name``: the name that the certificate of a TLS server must carry; empty: ``host``. ``behind``: the server that an
    edge at this place leads a connection to: places that differ in it share no connection.
    """

    transport: Transport
    host: str
    port: int = 0
    name: str = ""
    behind: str = ""


class Flow:
    """An open connection, or a UDP peer as seen from one of our sockets (RFC 5626 section 3).

    Made by the driver; compared by identity. ``local`` and ``remote`` are (address, port); ``inbound``: the other side
    connected; ``peer_names``: the names that the verified certificate of the other side carries (TLS with a client
    certificate, or a server that we connected to), else empty. ``protected`` may be set by the application: the driver
    exempts this flow from its limits for strangers (a registered device, another node). ``keep_alive``: seconds between
    keep-alives that the driver sends and wants answered, 0: none (set by registrations). ``closed`` is set by the
    driver.
    """

    __slots__ = (
        "closed",
        "inbound",
        "keep_alive",
        "local",
        "number",
        "peer_names",
        "protected",
        "remote",
        "secure",
        "transport",
    )

    def __init__(
        self,
        number: int,
        transport: Transport,
        local: tuple[str, int],
        remote: tuple[str, int],
        *,
        inbound: bool,
        peer_names: tuple[str, ...] = (),
    ) -> None:
        self.number = number
        self.transport: Transport = transport
        self.local = local
        self.remote = remote
        self.inbound = inbound
        self.peer_names = peer_names
        self.secure = transport == "tls"
        self.protected = False
        self.keep_alive = 0.0
        self.closed = False

    @property
    def reliable(self) -> bool:
        """Whether the transport retransmits by itself."""
        return self.transport != "udp"

    def __repr__(self) -> str:
        return f"Flow({self.number} {self.transport} {self.local[0]}:{self.local[1]} {self.remote[0]}:{self.remote[1]})"


Way = Flow | Target
"""How to reach somebody: over a flow that exists, or by a target that the driver connects to."""


class Outgoing:
    """Bytes to send over ``way``. ``source``: for a UDP target, the flow whose socket is used where it matters.

    ``owner``: what ``Agent.send_failed`` needs to know, opaque to the driver.
    """

    __slots__ = ("data", "owner", "source", "way")

    def __init__(self, data: bytes, way: Way, owner: object = None, source: Flow | None = None) -> None:
        self.data = data
        self.way = way
        self.owner = owner
        self.source = source


@dataclass(frozen=True, slots=True)
class Body:
    """A message body with its media type and further ``Content-...`` header fields (disposition, id)."""

    content_type: str
    data: bytes
    headers: tuple[tuple[str, str], ...] = ()


Content = bytes | Body | None
"""A body where bytes alone mean a session description (``application/sdp``)."""
