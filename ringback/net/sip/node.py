"""Drives a SIP agent over UDP, TCP and TLS: sockets, connections, one timer; it decides nothing.

A turn: what came in goes to the agent, its events to ``on_event``, what it wants to send to the sockets, all writes to
one connection joined. Who acts on sessions outside of ``on_event`` calls ``flush`` afterwards.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

from ringback.net.sip.connecting import ConnectError, Connector, SecondLook
from ringback.net.sip.datagrams import DatagramEndpoint
from ringback.net.sip.limits import Buckets, Limits
from ringback.net.sip.locate import Locator
from ringback.net.sip.loops import Cancellable, Loop
from ringback.net.sip.peers import DatagramFlow, StreamFlow
from ringback.net.sip.streams import StreamConnection
from ringback.protocols.sip.agent import Agent
from ringback.protocols.sip.events import Event, FlowWanted
from ringback.protocols.sip.flows import Flow, Outgoing, Target, Transport

_log = structlog.get_logger("ringback.sip")
_LOOK_AFTER = 2.0  # seconds between looks at the connections
_HANDSHAKE = 10.0  # seconds for a TLS handshake
_BACKLOG = 1024
_TICK = 0.02  # seconds: timers that are due within one are looked at together, since most of them are cancelled
_ROUNDS = 1000  # a turn ends after so many rounds of events, so that a circle of them can't hold the loop


@dataclass(frozen=True, slots=True)
class Listen:
    """A socket to listen on: ``port`` 0 takes a free one; ``bound``: a socket that is bound already. ``context`` for
    TLS (client certificates as it says)."""

    transport: Transport
    host: str
    port: int = 0
    bound: socket.socket | None = None
    context: ssl.SSLContext | None = field(default=None, repr=False)


class SipNode:
    """An agent on the network.

    ``on_event(event, now)`` is called for each event, on the loop, and must not block. ``client_context`` verifies
    servers; without it no TLS connection is opened. ``locator`` looks names up. ``wire(direction, flow, bytes)`` sees
    every message ("<" came in, ">" went out); beware of credentials in what it keeps. ``second_look`` is told of
    certificates that end a connection (see ``connecting``). ``figures`` counts what was turned away and why.
    ``after_turn`` is called at the end of each turn.
    ``shared``: hosts that many clients stand behind, by names of their certificates or addresses, so that the limit of
    connections from one address is not theirs.
    """

    def __init__(
        self,
        agent: Agent,
        on_event: Callable[[Event, float], None],
        *,
        listen: Sequence[Listen] = (),
        client_context: ssl.SSLContext | None = None,
        locator: Locator | None = None,
        second_look: SecondLook | None = None,
        limits: Limits = Limits(),  # noqa: B008  frozen
        shared: frozenset[str] = frozenset(),
        wire: Callable[[str, Flow, bytes], None] | None = None,
        after_turn: Callable[[], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.agent = agent
        self.limits = limits
        self._shared = shared
        self.wire = wire
        self.clock = clock
        self.figures: dict[str, int] = {}
        self.endpoints: list[tuple[Transport, str, int]] = []
        """What is bound: transport, address, port. Empty before ``start``."""
        self._on_event = on_event
        self._after_turn = after_turn
        self._listen = tuple(listen)
        self._datagrams: list[DatagramEndpoint] = []
        self._servers: list[asyncio.Server] = []
        self._connections: set[StreamConnection] = set()
        self._by_host: dict[str, int] = {}
        self._writers: list[StreamConnection] = []
        self._peers = Buckets(limits.peer_rate, limits.peer_burst, limits.sources)
        self._hosts = Buckets(limits.host_rate, limits.host_burst, limits.sources)
        self._all = Buckets(limits.all_rate, limits.all_burst, 1)
        self._connector = Connector(self, client_context, locator, second_look)
        self._number = 0
        self._loop: Loop | None = None
        self._timer: Cancellable | None = None
        self._timer_at = 0.0
        self._sweep: Cancellable | None = None
        self._flushing = False
        self._stopped = False

    # --- starting and stopping

    async def start(self) -> None:
        """Bind and serve. Raises OSError with the address in its text where one is taken."""
        self._loop = asyncio.get_running_loop()
        try:
            for listen in self._listen:
                await self._bind(listen)
        except OSError:
            await self.stop()
            raise
        self._sweep = self._loop.call_later(_LOOK_AFTER, self._look_after)
        self.flush()

    def change_context(self, context: ssl.SSLContext) -> None:
        """Verify servers with this context from now on; connections that stand stay."""
        self._connector.change_context(context)

    async def stop(self) -> None:
        """Send what is waiting, then close everything. Sessions are the application's to end before."""
        if self._loop is not None and not self._stopped:
            self.flush()
        self._stopped = True
        for handle in (self._timer, self._sweep):
            if handle is not None:
                handle.cancel()
        self._timer = self._sweep = None
        await self._connector.stop()
        for server in self._servers:
            server.close()
        for connection in tuple(self._connections):
            connection.close()
        for endpoint in self._datagrams:
            if self._loop is not None:
                endpoint.stop(self._loop)
        for server in self._servers:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(2.0):
                    await server.wait_closed()
        for connection in tuple(self._connections):
            connection.abort()
        self._servers.clear()
        self._datagrams.clear()
        self.endpoints.clear()

    async def _bind(self, listen: Listen) -> None:
        loop = asyncio.get_running_loop()
        bound = listen.bound or _bound_socket(listen)
        host, port = bound.getsockname()[:2]
        if listen.transport == "udp":
            endpoint = DatagramEndpoint(self, bound)
            self._datagrams.append(endpoint)
            endpoint.start(loop)
        else:
            if listen.transport == "tls" and listen.context is None:
                raise ValueError("listening for TLS needs a context")
            kind = listen.transport
            server = await loop.create_server(
                lambda: StreamConnection(self, kind, inbound=True),
                sock=bound,
                ssl=listen.context if kind == "tls" else None,
                ssl_handshake_timeout=_HANDSHAKE if kind == "tls" else None,
                backlog=_BACKLOG,
            )
            self._servers.append(server)
        self.endpoints.append((listen.transport, host, port))
        self.agent.bound.setdefault(listen.transport, (host, port))

    # --- the turn

    def flush(self) -> None:
        """Hand out events, send what is to be sent, arm the timer."""
        if self._flushing or self._stopped:
            return
        self._flushing = True
        agent = self.agent
        try:
            for _ in range(_ROUNDS):
                event = agent.next_event()
                if event is not None:
                    self._told(event)
                    continue
                out = agent.data_to_send()
                if not out:
                    break
                for outgoing in out:
                    self.send(outgoing)
            else:
                self._again()
        finally:
            self._flushing = False
            if self._writers:
                writers, self._writers = self._writers, []
                for connection in writers:
                    connection.write()
            self._arm()
            if self._after_turn is not None:
                self._after_turn()

    def _told(self, event: Event) -> None:
        try:
            if isinstance(event, FlowWanted):
                self._connector.open_for(event)
            else:
                self._on_event(event, self.clock())
        except Exception as error:  # noqa: BLE001 (one event's mistake must not end the turn of all calls)
            self.mistake(f"{type(event).__name__} could not be handled", error)

    def _again(self) -> None:
        if self._loop is not None:
            self._loop.call_soon(self.flush)

    def _arm(self) -> None:
        deadline = self.agent.next_deadline()
        loop = self._loop
        if deadline is None or loop is None:
            return
        if self._timer is not None and self._timer_at <= deadline:
            return  # it fires early, looks, and is armed anew: cheaper than cancelling each time
        now = self.clock()
        at = max(deadline, now + _TICK)
        if self._timer is not None:
            if self._timer_at <= at:
                return
            self._timer.cancel()
        self._timer_at = at
        self._timer = loop.call_later(at - now, self._fire)

    def _fire(self) -> None:
        self._timer = None
        try:
            self.agent.handle_timer(self.clock())
        except Exception as error:  # noqa: BLE001 (the timers of all calls go on)
            self.mistake("a timer failed", error)
        self.flush()

    def send(self, outgoing: Outgoing) -> None:
        """Send what the agent wants to send."""
        way: Flow | None
        if isinstance(outgoing.way, Target):
            target = outgoing.way
            if target.transport != "udp" or not target.port or not _is_address(target.host):
                self._connector.send(outgoing, target)
                return
            way = self.datagram_flow((target.host, target.port), outgoing.source)
        else:
            way = outgoing.way
        if self.wire is not None and way is not None:
            self.wire(">", way, outgoing.data)
        if isinstance(way, DatagramFlow):
            if not way.asked and not outgoing.data.startswith(b"SIP/2.0"):
                way.asked = True
            try:
                way.endpoint.send(outgoing.data, way.peer)
            except OSError:
                self._failed(outgoing)
        elif isinstance(way, StreamFlow) and not way.closed:
            way.connection.send(outgoing.data)
        else:
            self._failed(outgoing)

    def _failed(self, outgoing: Outgoing) -> None:
        self.agent.send_failed(outgoing, self.clock())

    # --- flows

    async def connect(self, target: Target) -> Flow:
        """A flow to a target: an open connection that fits, or a new one. Raises ConnectError, which says why."""
        return await self._connector.flow_to(target)

    def datagram_flow(self, peer: tuple[str, int], source: Flow | None = None) -> Flow | None:
        """The flow to a UDP peer, from the socket that ``source`` uses, else the first of its family; None without
        one."""
        if isinstance(source, DatagramFlow) and source.endpoint in self._datagrams:
            return source.endpoint.flow(peer)
        six = ":" in peer[0]
        for endpoint in self._datagrams:
            if (":" in endpoint.local[0]) == six:
                return endpoint.flow(peer)
        return None

    def next_number(self) -> int:
        """A number for a flow."""
        self._number += 1
        return self._number

    def opened(self, connection: StreamConnection, flow: StreamFlow) -> bool:
        """From a connection: it is there. False: one too many."""
        host = flow.remote[0]
        held = self._by_host.get(host, 0)
        full = held >= self.limits.host_connections and self._shared.isdisjoint((host, *flow.peer_names))
        if flow.inbound and (len(self._connections) >= self.limits.connections or full or self._stopped):
            self.count("connections refused")
            flow.closed = True
            return False
        self._by_host[host] = held + 1
        self._connections.add(connection)
        return True

    def closed(self, connection: StreamConnection, flow: StreamFlow) -> None:
        """From a connection: it is gone."""
        if connection not in self._connections:
            return
        self._connections.discard(connection)
        host = flow.remote[0]
        left = self._by_host.get(host, 1) - 1
        if left:
            self._by_host[host] = left
        else:
            self._by_host.pop(host, None)
        self._connector.forget(flow)
        self.agent.flow_closed(flow, self.clock())
        self.flush()

    def to_write(self, connection: StreamConnection) -> None:
        """From a connection: it has something to write at the end of this turn."""
        self._writers.append(connection)
        if not self._flushing:
            self._again()

    # --- limits

    def admits(self, peer: tuple[str, int], now: float) -> bool:
        """Whether a message of a stranger is taken."""
        if self._peers.take(peer, now) and self._hosts.take(peer[0], now) and self._all.take(None, now):
            return True
        self.count("messages of strangers dropped")
        return False

    def admitted_in(self, peer: tuple[str, int]) -> float:
        """Seconds until this stranger may go on."""
        return max(self._peers.wait(peer), self._hosts.wait(peer[0]), self._all.wait(None))

    def mistake(self, what: str, error: Exception) -> None:
        """Log a mistake of ours that must not stop the node."""
        self.count("mistakes")
        _log.error(what, exc_info=error)

    def count(self, what: str) -> None:
        """One more of something for ``figures``."""
        self.figures[what] = self.figures.get(what, 0) + 1

    def _look_after(self) -> None:
        loop = self._loop
        if loop is None or self._stopped:
            return
        self._sweep = loop.call_later(_LOOK_AFTER, self._look_after)
        now = self.clock()
        for connection in tuple(self._connections):
            connection.look_after(now)


def _bound_socket(listen: Listen) -> socket.socket:
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    kind = socket.SOCK_DGRAM if listen.transport == "udp" else socket.SOCK_STREAM
    made = socket.socket(family, kind)
    try:
        if kind == socket.SOCK_STREAM:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind((listen.host, listen.port))
    except OSError as error:
        made.close()
        raise OSError(
            error.errno, f"{listen.transport} {listen.host}:{listen.port} can't be bound: {error.strerror}"
        ) from error
    made.setblocking(False)
    return made


def _is_address(host: str) -> bool:
    if ":" in host:
        return True
    last = host.rpartition(".")[2]
    return last.isdigit()


__all__ = ["ConnectError", "Limits", "Listen", "SipNode"]
