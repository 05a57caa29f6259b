"""SIP over UDP: one socket, read until it is empty, each peer a flow.

Waking up for a datagram costs about as much as what is done with it: the loop, the system, and caches that others have
filled meanwhile. So a busy socket is not waited for but looked at every few milliseconds, and what came in meanwhile is
handled together. A flood of strangers does not make it busy: only messages of peers that we know are counted, and
theirs are handled first.
"""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING

from ringback.net.sip.loops import Cancellable, Loop
from ringback.net.sip.peers import DatagramFlow
from ringback.protocols.sip.errors import MalformedMessage
from ringback.protocols.sip.message import parse
from ringback.protocols.stun import BINDING, REQUEST, StunError, StunMessage, binding_response

if TYPE_CHECKING:
    from ringback.net.sip.node import SipNode

_AT_ONCE = 64  # datagrams read before others get their turn
_FLOWS = 50_000  # peers remembered
_LARGEST = 65_535
_BUFFER = 4 * 1024 * 1024  # bytes that the system may hold for us in a burst
_PING = b"\r\n\r\n"
_BUSY = 600.0  # messages a second of peers that we know, from which on the socket is looked at from time to time
_CALM = 450.0  # and below which each datagram is read at once again
_PAUSE = 0.008  # seconds between these looks
_WINDOW = 0.1  # seconds over which messages are counted


class DatagramEndpoint:
    """One UDP socket of a node."""

    def __init__(self, node: SipNode, bound: socket.socket) -> None:
        """Takes the bound socket over."""
        self._node = node
        self._socket = bound
        bound.setblocking(False)
        with contextlib.suppress(OSError):
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        host, port = bound.getsockname()[:2]
        self.local: tuple[str, int] = (host, port)
        self._any = host in ("0.0.0.0", "::")
        self._locals: dict[str, tuple[str, int]] = {}
        self._flows: dict[tuple[str, int], DatagramFlow] = {}
        self._loop: Loop | None = None
        self._look: Cancellable | None = None
        self._buffer = memoryview(bytearray(_LARGEST))
        self._counted = 0
        self._counted_from = 0.0
        self.dropped = 0
        """Datagrams that the system did not take."""

    def start(self, loop: Loop) -> None:
        """Begin to read."""
        self._loop = loop
        loop.add_reader(self._socket.fileno(), self._ready)

    def stop(self, loop: Loop) -> None:
        """Stop reading and close."""
        self._loop = None
        if self._look is not None:
            self._look.cancel()
            self._look = None
        loop.remove_reader(self._socket.fileno())
        self._socket.close()

    def is_busy(self) -> bool:
        """Whether the socket is looked at from time to time now."""
        return self._look is not None

    def flow(self, peer: tuple[str, int]) -> DatagramFlow:
        """The flow of a peer."""
        found = self._flows.get(peer)
        if found is None:
            if len(self._flows) >= _FLOWS:
                self._forget_some()
            local = self._local_for(peer[0]) if self._any else self.local
            found = DatagramFlow(self._node.next_number(), "udp", local, peer, inbound=True)
            found.endpoint = self
            found.peer = peer
            found.asked = False
            self._flows[peer] = found
        return found

    def send(self, data: bytes, peer: tuple[str, int]) -> None:
        """Send, or lose it where the system's buffer is full; the transaction repeats it. Raises OSError where the
        peer can't be reached."""
        try:
            self._socket.sendto(data, peer)
        except BlockingIOError:
            self.dropped += 1

    def _forget_some(self) -> None:
        """Peers that nobody vouches for go first, the oldest of them; sessions keep their own flow objects."""
        strangers = [peer for peer, flow in self._flows.items() if not flow.protected]
        for peer in (strangers or list(self._flows))[: _FLOWS // 10]:
            del self._flows[peer]

    def _local_for(self, host: str) -> tuple[str, int]:
        """Which of our addresses a peer sees, when the socket is bound to all of them."""
        found = self._locals.get(host)
        if found is None:
            if len(self._locals) >= 4096:
                self._locals.clear()
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                try:
                    probe.connect((host, 9))
                    found = (probe.getsockname()[0], self.local[1])
                except OSError:
                    found = self.local
            self._locals[host] = found
        return found

    def _ready(self) -> None:
        """From the loop: something is there."""
        now = self._node.clock()
        self._read(now)
        loop = self._loop
        if loop is not None and self._rate(now) >= _BUSY:
            loop.remove_reader(self._socket.fileno())
            self._look = loop.call_later(_PAUSE, self._look_again)

    def _look_again(self) -> None:
        """Busy: see what has come in meanwhile."""
        now = self._node.clock()
        full = False
        try:
            full = self._read(now)
        finally:  # whatever went wrong, the socket is read on
            loop, self._look = self._loop, None
            if loop is not None:
                if self._rate(now) < _CALM:
                    loop.add_reader(self._socket.fileno(), self._ready)
                else:
                    self._look = loop.call_later(0.0 if full else _PAUSE, self._look_again)

    def _rate(self, now: float) -> float:
        """Messages a second of peers that we know; in between two rates where a window has not ended."""
        seconds = now - self._counted_from
        if seconds < _WINDOW:
            return (_BUSY + _CALM) / 2
        rate = self._counted / seconds
        self._counted, self._counted_from = 0, now
        return rate

    def _read(self, now: float) -> bool:
        """Handle what is there; whether more may be."""
        node = self._node
        receive, buffer = self._socket.recvfrom_into, self._buffer
        flows = self._flows
        strangers: list[tuple[bytes, tuple[str, int]]] = []
        full = True
        for _ in range(_AT_ONCE):
            try:
                count, address = receive(buffer)
            except BlockingIOError:
                full = False
                break
            except OSError:  # an ICMP error of an earlier datagram
                continue
            data = buffer[:count].tobytes()
            peer = address if len(address) == 2 else address[:2]
            flow = flows.get(peer)
            if flow is not None and (flow.protected or flow.asked):
                self._counted += 1
                self._handle(data, peer, now)
            elif node.admits(peer, now):
                strangers.append((data, peer))
        node.flush()
        if strangers:
            for data, peer in strangers:
                self._handle(data, peer, now)
            node.flush()
        return full

    def _handle(self, data: bytes, peer: tuple[str, int], now: float) -> None:
        try:
            self._take(data, peer, now)
        except Exception as error:  # noqa: BLE001 (one datagram's mistake; the burst behind it is of others)
            self._node.mistake("a datagram could not be handled", error)

    def _take(self, data: bytes, peer: tuple[str, int], now: float) -> None:
        if len(data) <= 4 and not data.strip(b"\r\n\0"):
            if data == _PING:
                with contextlib.suppress(OSError):
                    self.send(b"\r\n", peer)
            return
        if data[0] < 2:
            self._answer_stun(data, peer)
            return
        node = self._node
        flow = self.flow(peer)
        if node.wire is not None:
            node.wire("<", flow, data)
        try:
            message = parse(data)
        except MalformedMessage as error:
            node.agent.receive_malformed(error, error.message, flow)
            return
        node.agent.receive(message, flow, now)

    def _answer_stun(self, data: bytes, peer: tuple[str, int]) -> None:
        """The keep-alive of outbound over UDP (RFC 5626 section 3.5.2): say from where it came."""
        try:
            request = StunMessage.parse(data)
        except StunError:
            return
        if (request.message_class, request.method) != (REQUEST, BINDING):
            return
        with contextlib.suppress(OSError):
            self.send(binding_response(request, peer).serialize(fingerprint=True), peer)
