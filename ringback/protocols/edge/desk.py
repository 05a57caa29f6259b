"""What a proxy and commands of its administrator say to each other, over a socket in its data folder (chosen).

HTTP with JSON. Inner proxies: ``GET /state``; ``POST /unblock``, ``/exempt``, ``/end-exemption`` and ``/reload``. Outer
ones: ``POST /reload``. Only who may read the folder reaches it.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct, field

from ringback.rules.edge_protection import Block
from ringback.rules.reasons import Reason

SOCKET: Final = "edge.sock"
"""The name of the socket in the node's folder."""


class Source(Struct, frozen=True):
    """A call manager that is asked for keys or policies: ``seconds`` since it last answered (None: never), and ``why``
    it does not answer now (empty: it does); ``ahead``: seconds that its clock is before the proxy's."""

    node: str
    seconds: float | None
    why: str
    ahead: float = 0.0


class Shown(Struct, frozen=True):
    """A certificate in use: its file, the names in it, and its end in Unix seconds (0: it can't be read)."""

    file: str
    names: list[str]
    until: float


class Company(Struct, frozen=True):
    """A company that is served: how it goes with its call managers, its presence services, its name server (empty: the
    system's) and what clients see. ``restricted``: people who may not use everything; ``reached``: presence services
    that accept connections, with why one does not (empty: it does)."""

    domain: str
    names: list[str]
    keys: list[Source]
    policies: list[Source]
    restricted: int
    signed_in: int
    name_server: str
    name_error: str
    certificate: Shown
    reached: dict[str, str]


class Outer(Struct, frozen=True):
    """An outer proxy: whether it is reached, why not, and what it told last."""

    name: str
    link: str
    reached: bool
    why: str = ""
    connections: int = 0
    refused: int = 0
    kept_out: int = 0
    arrived: dict[str, int] = field(default_factory=dict)


class ServiceFigures(Struct):
    """One service since the start of this proxy: connections in all and now, octets from and to the world."""

    connections: int = 0
    open: int = 0
    octets_in: int = 0
    octets_out: int = 0


class Figures(Struct, frozen=True):
    """All since the start of this proxy. ``requests`` by the first digit of the answer's status; ``failures`` by fault;
    ``calls`` in all and now; ``ended``: connections whose person may not have them any more."""

    services: dict[str, ServiceFigures]
    requests: dict[str, int]
    failures: dict[str, int]
    blocks: int
    ended: int
    calls: int
    calls_now: int


class Exempt(Struct, frozen=True):
    """A network that is never blocked until a time (None: for good); ``fixed``: the deployment file says so."""

    network: str
    until: float | None
    fixed: bool


class State(Struct, frozen=True):
    """All of it. ``now``: the proxy's clock, in Unix seconds."""

    node: str
    now: float
    since: float
    link_certificate: Shown
    outers: list[Outer]
    companies: list[Company]
    blocks: list[Block]
    exempt: list[Exempt]
    figures: Figures


class Who(Struct, frozen=True):
    """An address or a person to let in again."""

    who: str


class Exemption(Struct, frozen=True):
    """A network never to block, for so many ``minutes`` (None: until it is taken back)."""

    network: str
    minutes: float | None = None


class Done(Struct, frozen=True):
    """What an order came to: the blocks that ended; or the certificates that are in use now, what was ``taken`` in of
    the deployment ``file`` and, where that is not all, what only a ``restart`` takes in; or ``fault``, why nothing was
    done."""

    ended: list[Block] = field(default_factory=list)
    certificates: list[Shown] = field(default_factory=list)
    fault: str = ""
    taken: list[Reason] = field(default_factory=list)
    restart: Reason | None = None
    file: str = ""
