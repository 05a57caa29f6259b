"""The outer proxy: takes connections of the world and hands each to an inner proxy, unread."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections import Counter, deque
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from typing import Final, cast

import structlog

from ringback.media.transport.errors import NoPortError
from ringback.net.closing import abort
from ringback.net.service import Endpoint
from ringback.net.tls import WatchedContext, server_context
from ringback.protocols.edge.desk import Done
from ringback.protocols.traversal import LinkError, Opening
from ringback.protocols.traversal.control import Drain, Figures, KeepOut, Relay, Word
from ringback.protocols.traversal.media_words import CloseMedia, MediaFlow, OpenMedia
from ringback.protocols.traversal.opening import Service
from ringback.rules.addresses import HostPort
from ringback.rules.edge_protection import household_of
from ringback.rules.reasons import Reason
from ringback.rules.throttle import Throttle
from ringback.services.edge.bundles import Bundles
from ringback.services.edge.control import Control
from ringback.services.edge.linkend import LinkEnd
from ringback.services.edge.media_outer import OuterMedia
from ringback.services.edge.orders import open_socket, reloading, shown
from ringback.services.edge.settings import Again, NotTakenInError, OuterSettings
from ringback.services.edge.splice import Splice

_ROLE: Final = "edge-outer"
_NAMES: Final = {"https": ("https", "https"), "xmpp": ("xmpp", "xmpp"), "sip": ("sip-tls", "sips")}
_FIGURES_EVERY: Final = 2.0  # seconds
_HANDSHAKE: Final = 10.0  # seconds that an inner proxy may take for its part of TLS
_UNKNOWN_LINKS: Final = 64  # connections to the port of the links that have shown no certificate yet
_STALL: Final = 60_000  # milliseconds that a client may leave unread what is sent to it

_log = structlog.get_logger("ringback.edge")


class OuterProxy:
    """The role ``edge-outer`` of a node; see ``net.service.Service``."""

    def __init__(self, settings: OuterSettings, again: Again[OuterSettings] | None = None) -> None:
        """``again`` gives the settings anew while it runs; None: they stay as they are."""
        self._settings = settings
        self._again = again
        self._turn = asyncio.Lock()
        self._context: WatchedContext | None = None
        self._inners = Bundles()
        self._connections: dict[Splice, str] = {}
        self._by_address: Counter[str] = Counter()
        self._throttle = Throttle(settings.limits.burst, settings.limits.seconds)
        self._unknown: deque[float] = deque()  # when those came to the port of the links who have shown no certificate
        self._kept_out: dict[str, float] = {}  # household to the loop's time until which
        self._endpoints: tuple[Endpoint, ...] = ()
        self._running: AsyncExitStack | None = None
        self._stopping = False
        self._arrived: Counter[str] = Counter()
        self.refused = 0
        """Connections that were turned away."""
        self.media = None if settings.media is None else OuterMedia(settings.media, self._inners.say)
        """Ports of the world for sound and picture."""

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """As ``net.service.Service``: https, xmpp, sip-tls and link."""
        return self._endpoints

    @property
    def links(self) -> int:
        """How many inner proxies are there."""
        return len(self._inners)

    @property
    def connections(self) -> int:
        """How many connections of the world are open."""
        return len(self._connections)

    async def start(self) -> None:
        """As ``net.service.Service``. Raises also ssl.SSLError."""
        self._stopping = False
        async with AsyncExitStack() as stack:
            await self._start(stack)
            self._running = stack.pop_all()

    async def stop(self) -> None:
        """As ``net.service.Service``."""
        running, self._running = self._running, None
        self._endpoints = ()
        if running is not None:
            await running.aclose()

    async def _start(self, stack: AsyncExitStack) -> None:
        settings, loop = self._settings, asyncio.get_running_loop()
        stack.callback(self._drop_all)
        figures = loop.create_task(self._tell_figures(), name="figures to the inner proxies")
        stack.callback(figures.cancel)
        found = []
        if self.media is not None:
            self.media.start()
            stack.callback(self.media.stop)
        for service, where in settings.listeners:
            server = await loop.create_server(partial(_Arrival, self, service), where.host, where.port, backlog=512)
            stack.callback(server.close)
            name, scheme = _NAMES[service]
            found.append(_endpoint(settings.node, name, scheme, server))
        context = self._context = server_context(settings.identity, client_authorities=settings.ca_file)
        context.verify_mode = ssl.CERT_REQUIRED
        server = await loop.create_server(
            self._link_comes,
            settings.link.host,
            settings.link.port,
            ssl=context,
            ssl_handshake_timeout=_HANDSHAKE,
            backlog=_UNKNOWN_LINKS,
        )
        stack.callback(server.close)
        found.append(_endpoint(settings.node, "link", "tls", server))
        self._endpoints = tuple(found)
        if settings.folder is not None:
            try:
                await open_socket(stack, settings.folder, [reloading(self.reload)])
            except OSError as error:  # whoever comes from outside is served all the same
                _log.warning("edge.no_orders", folder=str(settings.folder), why=str(error))
        _log.info("outer proxy listens", node=settings.node)

    # --- a deployment file that changed

    async def reload(self) -> Done:
        """Take in the deployment file as it is now. All connections stand but those of inner proxies that it no longer
        names; where it can't be taken in, nothing changes."""
        async with self._turn:
            try:
                wanted = self._settings if self._again is None else await asyncio.to_thread(self._again.read)
                taken = self._take_in(wanted)
            except (NotTakenInError, NoPortError) as error:
                _log.warning("edge.not_reloaded", node=self._settings.node, why=str(error))
                return Done(fault=str(error))
            restart = self._lasting(wanted)
            if self._context is not None:
                self._context.current(at_once=True)
        _log.info("edge.reloaded", node=wanted.node, taken=[one.id for one in taken], restart=restart is not None)
        file = "" if self._again is None else self._again.file
        return Done(certificates=[shown(self._settings.identity)], taken=taken, restart=restart, file=file)

    def _take_in(self, wanted: OuterSettings) -> list[Reason]:
        """What can change while it runs. Raises NoPortError before anything has changed."""
        taken = []
        if self.media is not None and wanted.media is not None and self.media.become(wanted.media):
            taken.append(Reason.of("edge.reload.media", node=wanted.node))
        before = self._settings.inner_names
        self._settings = replace(self._settings, inner_names=wanted.inner_names, limits=wanted.limits)
        taken += [Reason.of("edge.reload.inner_came", node=name) for name in sorted(wanted.inner_names - before)]
        for name in sorted(before - wanted.inner_names):
            cut = sum(one.channels - len(one.links) for one in self._inners if one.name == name)  # each has its control
            taken.append(Reason.of("edge.reload.inner_gone", node=name, connections=cut))
        for end in self._inners.links:
            if end.name not in wanted.inner_names:
                _log.warning("edge.inner_cut_off", inner=end.name, why="the deployment file no longer names it")
                end.close("the deployment file of the outer proxy no longer names this node as an inner proxy")
        return taken

    def _lasting(self, wanted: OuterSettings) -> Reason | None:
        """What stays as it was until a restart: everything that is bound."""
        here = self._settings
        now = {f"{service} at {where}" for service, where in wanted.listeners}
        now -= {f"{service} at {where}" for service, where in here.listeners}
        if wanted.link != here.link:
            now.add(f"links at {wanted.link}")
        if (wanted.media is None) != (here.media is None):
            now.add("whether there are calls")
        elif wanted.media is not None and here.media is not None and wanted.media.frames != here.media.frames:
            now.add(f"frames of media at {wanted.media.frames}")
        if (wanted.identity, wanted.ca_file) != (here.identity, here.ca_file):
            now.add("the TLS mode or the certificate's file")
        return Reason.of("edge.reload.restart", node=here.node, what=", ".join(sorted(now))) if now else None

    # --- links

    def _link_comes(self) -> asyncio.Protocol:
        """Somebody comes to the port of the links: only a certificate tells who, in the time that TLS may take."""
        now = asyncio.get_running_loop().time()
        while self._unknown and now - self._unknown[0] > _HANDSHAKE:
            self._unknown.popleft()
        if len(self._unknown) >= _UNKNOWN_LINKS:
            return _OneTooMany()
        self._unknown.append(now)
        return LinkEnd(ready=self._link_ready, gone=self._link_gone)

    def _link_ready(self, end: LinkEnd) -> None:
        if self._unknown:
            self._unknown.popleft()
        if self._stopping:
            end.close("the outer proxy stops")
            return
        names = end.peer_names()
        known = sorted(names & self._settings.inner_names)
        if not known:
            _log.warning("a link was refused: its certificate is not one of an inner proxy", names=sorted(names))
            end.close("its certificate is not one of an inner proxy")
            return
        end.name = known[0]
        control = Control(end, partial(self._told, end), lambda _: end.close("the inner proxy does not talk"))
        here = HostPort(self._settings.node, 1)
        control.join(end.open(Opening("control", here, HostPort("0.0.0.0", 1)), control))
        if self._inners.add(end, control):
            _log.info("inner proxy is there", inner=end.name, inners=len(self._inners))
        if self.media is not None:
            self.media.joined(end.name)

    def _link_gone(self, end: LinkEnd, why: str) -> None:
        if self._inners.remove(end):
            if self.media is not None:
                self.media.parted(end.name)
            tell = _log.info if end.orderly or self._running is None else _log.warning
            tell("inner proxy is gone", inner=end.name, why=why, inners=len(self._inners))
        elif end.name:
            _log.info("a link to an inner proxy is gone", inner=end.name, why=why)

    def _told(self, end: LinkEnd, word: Word) -> None:
        """An inner proxy says whom to keep out, or to let in again; or that it stops."""
        if isinstance(word, Drain):
            self._inners.drain(end)
        if isinstance(word, Relay):
            self._inners.say_all(word, but=end.name)
        if self.media is not None and isinstance(word, MediaFlow | OpenMedia | CloseMedia):
            self.media.told(end.name, word)
        if not isinstance(word, KeepOut):
            return
        now = asyncio.get_running_loop().time()
        self._kept_out = {who: until for who, until in self._kept_out.items() if until > now}
        if word.seconds <= 0:
            self._kept_out.pop(word.who, None)
            return
        # Connections that stand go on: behind one address there are people who signed in rightly, and the inner proxy
        # answers every request of the others with the reason.
        self._kept_out[word.who] = now + word.seconds

    async def _tell_figures(self) -> None:
        """Tell the inner proxies how it goes here, every few seconds while it changes or somebody new is there."""
        last: tuple[Figures, frozenset[str]] | None = None
        while True:
            await asyncio.sleep(_FIGURES_EVERY)
            now = asyncio.get_running_loop().time()
            kept_out = sum(until > now for until in self._kept_out.values())
            arrived = tuple(sorted(self._arrived.items()))
            figures = Figures(len(self._connections), self.refused, kept_out, arrived)
            told = (figures, frozenset(bundle.name for bundle in self._inners))
            if told != last:
                last = told
                self._inners.say_all(figures)

    # --- connections of the world

    def arrived(self, service: Service, transport: asyncio.Transport) -> Splice | None:
        """A connection: the pipe that takes it from here on, or None where it is refused."""
        self._arrived[service] += 1
        host, port = transport.get_extra_info("peername")[:2]
        household = household_of(host)
        limits, now = self._settings.limits, asyncio.get_running_loop().time()
        if (
            len(self._connections) >= limits.in_all
            or self._by_address[household] >= limits.an_address
            or self._kept_out.get(household, 0.0) > now
            or self._throttle.wait(household, now)
        ):
            self.refused += 1
            return None
        self._throttle.count(household, now)
        opening = Opening(
            service, HostPort(*transport.get_extra_info("sockname")[:2]), HostPort(host.partition("%")[0], port)
        )
        for end in self._inners.for_household(household):
            splice = Splice(end, self._over)
            try:
                splice.open(opening)
            except LinkError:
                continue
            self._connections[splice] = household
            self._by_address[household] += 1
            return splice
        self.refused += 1
        return None

    def _over(self, splice: Splice) -> None:
        household = self._connections.pop(splice, None)
        if household is not None:
            self._by_address[household] -= 1
            if not self._by_address[household]:
                del self._by_address[household]

    def _drop_all(self) -> None:
        self._stopping = True  # a link whose TLS is not yet through ends when it is
        for splice in list(self._connections):
            splice.abort()
        for end in self._inners.links:
            end.close("the outer proxy stops")


class _OneTooMany(asyncio.Protocol):
    """Somebody at the port of the links while too many others are just coming."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send them away."""
        abort(cast(asyncio.Transport, transport))


class _Arrival(asyncio.Protocol):
    """The moment between a connection and its pipe."""

    def __init__(self, proxy: OuterProxy, service: Service) -> None:
        self._service: Service = service
        self._proxy = proxy

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Find an inner proxy for it at once; who can't be served is not kept waiting."""
        connection = cast(asyncio.Transport, transport)
        splice = self._proxy.arrived(self._service, connection)
        if splice is None:
            abort(connection)
            return
        with contextlib.suppress(OSError):  # it has gone already
            connection.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _STALL)
        connection.set_protocol(splice)
        splice.connection_made(connection)


def _endpoint(node: str, name: str, scheme: str, server: asyncio.Server) -> Endpoint:
    host, port = server.sockets[0].getsockname()[:2]
    return Endpoint(_ROLE, node, name, scheme, host, port)
