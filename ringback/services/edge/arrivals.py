"""Several companies at one address: which of them a connection is for, before anything of it is served.

With TLS the client names the host in its first message (RFC 6066 section 3); XMPP begins in clear, and its stream
header names the domain (RFC 6120 section 4.7.2). From then on only what belongs to that company has to do with the
connection: its certificate, its call managers, its list of what may pass.
"""

from __future__ import annotations

import asyncio
import ssl
import weakref
from collections.abc import Callable, Mapping
from typing import Final, cast

import structlog

from ringback.net.closing import abort
from ringback.net.tls import WatchedContext
from ringback.protocols.traversal import Opening
from ringback.protocols.xmpp.splitter import Opened, Splitter, SplitterLimits

_HEADER_SECONDS: Final = 10.0
_LONGEST_HEADER: Final = 4096  # octets until the stream header must be there

_log = structlog.get_logger("ringback.edge")

Serve = Callable[[Opening], asyncio.Protocol]
"""Makes the protocol that serves a connection of the world."""


class ByServerName:
    """Chooses by the name in TLS. ``home`` is for clients that name none, and for the names of no tenant; with
    ``tenants`` an unknown name ends the handshake, since it is meant for somebody else."""

    def __init__(self, home: tuple[WatchedContext, Serve]) -> None:
        """Nobody but ``home`` is known until ``become``."""
        self.context, self._home = home
        self._home_names: frozenset[str] = frozenset()
        self._tenants: dict[str, tuple[WatchedContext, Serve]] = {}
        self._chosen: weakref.WeakKeyDictionary[object, tuple[WatchedContext, Serve]] = weakref.WeakKeyDictionary()
        self.context.sni_callback = self._choose

    def become(self, home_names: frozenset[str], tenants: Mapping[str, tuple[WatchedContext, Serve]]) -> None:
        """From the next connection on these names are known; ``tenants``: by host name in lower case."""
        self._home_names = home_names
        self._tenants = dict(tenants)

    def serve(self, opening: Opening) -> asyncio.Protocol:
        """The protocol of a new connection."""
        return _Chosen(self._serve_of, opening)

    def _serve_of(self, tls: object) -> Serve | None:
        """Who serves after this handshake; None where that company went during it."""
        chosen = self._chosen.pop(tls, None)
        if chosen is None:
            return self._home
        return chosen[1] if chosen in self._tenants.values() else None

    def _choose(self, tls: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> int | None:
        wanted = (name or "").lower().rstrip(".")
        found = self._tenants.get(wanted)
        if found is not None:
            tls.context = found[0].current()
            self._chosen[tls] = found
        elif wanted and self._tenants and wanted not in self._home_names:
            _log.info("edge.unknown_name", name=wanted[:100])
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        return None


class _Chosen(asyncio.Protocol):
    """The moment between a handshake and what serves the connection."""

    def __init__(self, serve_of: Callable[[object], Serve | None], opening: Opening) -> None:
        self._serve_of = serve_of
        self._opening = opening

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The handshake is over."""
        connection = cast(asyncio.Transport, transport)
        serve = self._serve_of(connection.get_extra_info("ssl_object"))
        if serve is None:
            abort(connection)
            return
        protocol = serve(self._opening)
        connection.set_protocol(protocol)
        protocol.connection_made(connection)


class ByStreamHeader:
    """Chooses by the domain of a stream. Whoever names none, or an unknown one, is served by ``home``, which refuses
    them in the way of XMPP."""

    def __init__(self, home: Serve) -> None:
        """Nobody but ``home`` is known until ``become``."""
        self._home = home
        self._tenants: dict[str, Serve] = {}

    def become(self, tenants: Mapping[str, Serve]) -> None:
        """From the next stream on these domains are known."""
        self._tenants = dict(tenants)

    def serve(self, opening: Opening) -> asyncio.Protocol:
        """The protocol of a new connection."""
        if not self._tenants:
            return self._home(opening)
        return _Header(lambda domain: self._tenants.get(domain, self._home), opening)


class _Header(asyncio.Protocol):
    """Reads up to the stream header, and hands all of it on unchanged."""

    def __init__(self, serve_of: Callable[[str], Serve], opening: Opening) -> None:
        self._serve_of = serve_of
        self._opening = opening
        self._splitter = Splitter(SplitterLimits(stanza=_LONGEST_HEADER, tag=_LONGEST_HEADER))
        self._read = b""
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands."""
        self._transport = cast(asyncio.Transport, transport)
        self._timer = asyncio.get_running_loop().call_later(_HEADER_SECONDS, abort, self._transport)

    def data_received(self, data: bytes) -> None:
        """Something of the header."""
        self._read += data
        opened = next((item for item in self._splitter.feed(data) if isinstance(item, Opened)), None)
        if opened is not None:
            self._hand_on(opened.attributes.get("to", "").lower())
        elif self._splitter.error is not None or len(self._read) > _LONGEST_HEADER:
            self._hand_on("")  # whoever serves it says what is wrong

    def connection_lost(self, error: Exception | None) -> None:
        """The client went."""
        if self._timer is not None:
            self._timer.cancel()

    def _hand_on(self, domain: str) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is None:
            return
        protocol = self._serve_of(domain)(self._opening)
        self._transport.set_protocol(protocol)
        protocol.connection_made(self._transport)
        protocol.data_received(self._read)
