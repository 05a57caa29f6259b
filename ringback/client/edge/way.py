"""One way through an edge, and the holder of the way that counts now. No socket and no clock: the time comes in.

Theory of operation. A way knows the outer proxies in the order to try (that of their records; one that failed goes to
the end), the session that one of them gave (the cookie ``X-Auth``), and what the edge's configuration said: where it
takes XMPP and SIP. ``url`` writes the address of a server inside as the edge wants it. A way is *opened* once its
configuration was read; requests that carry what proves who we are pass before, too.

``closed`` remembers that the edge keeps us out, ``refused`` what it did not take as proof of who we are: neither is
tried again before it could do any good, since an edge counts wrong tries and shuts out everybody behind the address.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Literal

import msgspec
from yarl import URL

from ringback.client.trust import Expected, Purpose
from ringback.protocols.edge import EdgeConfiguration, Target, TargetError
from ringback.rules.addresses import AddressError, HostPort
from ringback.rules.reasons import Reason

SERVICE: Final = "collab-edge"
HTTPS_PORT: Final = 8443
SESSION_SECONDS: Final = 8 * 3600.0  # how long the cookie of an edge counts
REFUSED_SECONDS: Final = 600.0  # the time for which edges usually block
REFRESH_SECONDS: Final = 3600.0
RENEW_SHARE: Final = 0.85  # of that life after which another one is asked for


class KeptEdge(msgspec.Struct, frozen=True, kw_only=True):
    """A way as it is kept for the next start: ``host:port`` each. ``by_hand``: the person named the edge."""

    domain: str
    edges: list[str]
    xmpp: list[str] = msgspec.field(default_factory=list)
    sip: list[str] = msgspec.field(default_factory=list)
    sip_route: str = ""
    by_hand: bool = False


class EdgeWay:
    """A way to the servers of ``domain``."""

    def __init__(
        self, domain: str, edges: Sequence[HostPort], reasons: Sequence[Reason] = (), *, by_hand: bool = False
    ) -> None:
        """``edges``: outer proxies in the order to try; ``reasons``: why one goes through them. Raises ValueError where
        there is none."""
        if not edges:
            raise ValueError("a way through an edge needs an edge")
        self.domain = domain
        self.by_hand = by_hand
        self.reasons = tuple(reasons)
        self.configuration = EdgeConfiguration()
        self.opened = False
        self.access = ""
        """What the edge lets this person use: ``all``, ``messaging``; empty: it does not say."""
        self.session = ""
        """The value of the cookie; empty: none was given, or it is over."""
        self.proof: Callable[[], Awaitable[str]] | None = None
        """Gives the Authorization header of the person who goes this way; raises NoTokenError."""
        self.spoiled: Callable[[str], None] | None = None
        """Told of the Authorization header that the edge refused: it is not to be shown again."""
        self.renewing = asyncio.Lock()
        """Held by who asks for another session, so that of many who need one a single one asks."""
        self._edges = list(dict.fromkeys(edges))
        self._began = self._read = 0.0
        self._closed: tuple[float, Reason] | None = None
        self._refused: dict[bytes, float] = {}

    def __repr__(self) -> str:
        return f"EdgeWay({self.domain!r}, {[str(edge) for edge in self._edges]})"

    # --- where

    @property
    def edges(self) -> tuple[HostPort, ...]:
        """The outer proxies in the order to try now."""
        return tuple(self._edges)

    @property
    def edge(self) -> HostPort:
        """The outer proxy that is asked first now."""
        return self._edges[0]

    @property
    def xmpp(self) -> tuple[HostPort, ...]:
        """Where the edge takes XMPP: that of the outer proxy which answers first."""
        return self._first(self.configuration.xmpp)

    @property
    def sip(self) -> tuple[HostPort, ...]:
        """Where the edge takes SIP over TLS; empty: not at all, or not from this person."""
        return self._first(self.configuration.sip)

    @property
    def sip_route(self) -> str:
        """What SIP requests through the edge carry as Route; may be empty."""
        return self.configuration.route

    def url(self, url: URL, edge: HostPort | None = None) -> URL:
        """The address of a server inside as the edge wants it. Raises ValueError where it is none that may pass."""
        if url.scheme not in ("http", "https") or not url.host or not url.port:
            raise ValueError(f"{url.scheme or '-'}: only http and https pass the edge")
        scheme: Literal["http", "https"] = "https" if url.scheme == "https" else "http"
        try:
            segment = Target(self.domain, scheme, HostPort(url.host, url.port)).segment()
        except (TargetError, UnicodeError) as error:
            raise ValueError(str(error)) from error
        return URL(f"https://{edge or self.edge}/{segment}{url.raw_path_qs}", encoded=True)

    def own(self, path: str, edge: HostPort | None = None) -> URL:
        """The address of what the edge itself answers."""
        return URL(f"https://{edge or self.edge}/{Target(self.domain).segment()}/{path}", encoded=True)

    def expected(self, edge: HostPort) -> Expected:
        """Whom the certificate must name. A record can be forged, so the name that it gave proves nothing: the
        certificate has to name the domain. What the person entered by hand is as good as that."""
        if self.by_hand:
            return Expected(Purpose.HTTP, host=edge.host, domain=self.domain)
        return Expected(Purpose.EDGE, domain=self.domain, service=SERVICE)

    # --- what happens

    def dead(self, edge: HostPort) -> None:
        """It did not answer: others come first from now on."""
        if edge in self._edges and len(self._edges) > 1:
            self._edges.remove(edge)
            self._edges.append(edge)

    def open(self, configuration: EdgeConfiguration, now: float) -> None:
        """The configuration was read."""
        self.configuration = configuration
        self.opened = True
        self._edges += [one for one in configuration.https if one not in self._edges]
        self._closed, self._read = None, now
        self._began = self._began or now

    def given(self, session: str, now: float) -> None:
        """The edge gave a session."""
        self.session, self._began, self._closed = session, now, None

    def over(self, session: str) -> None:
        """The edge does not know a session any more."""
        if session == self.session:
            self.session = ""

    def refuse(self, authorization: str, now: float) -> None:
        """The edge did not take this as proof of who we are."""
        self._refused[_digest(authorization)] = now + REFUSED_SECONDS
        if self.spoiled is not None:
            self.spoiled(authorization)

    def refused(self, authorization: str, now: float) -> bool:
        """Whether it would not take it now, either."""
        self._refused = {row: until for row, until in self._refused.items() if until > now}
        return _digest(authorization) in self._refused

    def close(self, reason: Reason, until: float) -> None:
        """The edge keeps us out for ``reason`` until then."""
        self._closed = (until, reason)

    def closed(self, now: float) -> tuple[Reason, float] | None:
        """Why the edge keeps us out, and for how many seconds more; None where it doesn't."""
        if self._closed is None or now >= self._closed[0]:
            return None
        return self._closed[1], self._closed[0] - now

    def ages(self, now: float) -> bool:
        """Whether the session is to be replaced before it ends."""
        return bool(self.session) and now >= self._began + SESSION_SECONDS * RENEW_SHARE

    def refresh_at(self) -> float:
        """When the configuration is to be read again: places may move, and the company may change who may do what."""
        return self._read + REFRESH_SECONDS

    # --- from one start to the next

    def kept(self) -> KeptEdge:
        """What the next start needs."""
        return KeptEdge(
            domain=self.domain,
            edges=[str(one) for one in self._edges],
            xmpp=[str(one) for one in self.configuration.xmpp],
            sip=[str(one) for one in self.configuration.sip],
            sip_route=self.configuration.route,
            by_hand=self.by_hand,
        )

    @classmethod
    def of(cls, kept: KeptEdge) -> EdgeWay:
        """The way of last time, to be opened anew. Raises ValueError where it can't be read."""
        try:
            way = cls(kept.domain, _read(kept.edges), (Reason.of("edge.kept"),), by_hand=kept.by_hand)
            way.configuration = EdgeConfiguration(sip=_read(kept.sip), route=kept.sip_route, xmpp=_read(kept.xmpp))
        except AddressError as error:
            raise ValueError(str(error)) from error
        return way

    def _first(self, places: tuple[HostPort, ...]) -> tuple[HostPort, ...]:
        order = {edge.host: index for index, edge in enumerate(self._edges)}
        return tuple(sorted(places, key=lambda place: order.get(place.host, len(order))))


class EdgeRoute:
    """The way that counts now: None means that servers are reached directly. Whoever asks a server asks this first, at
    each request and connection, so that moving is one assignment."""

    def __init__(self, now: EdgeWay | None = None) -> None:
        self.now = now
        self._listeners: list[Callable[[], None]] = []

    @property
    def outside(self) -> bool:
        """Whether servers are reached through an edge."""
        return self.now is not None

    def change(self, way: EdgeWay | None) -> None:
        """Another way counts from now on."""
        if way is self.now:
            return
        self.now = way
        for listener in list(self._listeners):
            listener()

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call at each change; gives what ends that."""
        self._listeners.append(listener)

        def end() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return end


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()


def _read(rows: Sequence[str]) -> tuple[HostPort, ...]:
    return tuple(HostPort.parse(row) for row in rows)
