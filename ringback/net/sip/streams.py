"""SIP over TCP and TLS: a connection cuts its bytes into messages, answers keep-alives and is closed where it
stalls."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import TYPE_CHECKING, cast

from ringback.net.closing import abort
from ringback.net.sip.peers import StreamFlow
from ringback.protocols.sip.errors import MalformedMessage
from ringback.protocols.sip.flows import Transport
from ringback.protocols.sip.reader import KeepAlive, Reader

if TYPE_CHECKING:
    from ringback.net.sip.node import SipNode

_PING = b"\r\n\r\n"
_PONG = b"\r\n"
_PONG_WITHIN = 10.0  # seconds, RFC 5626 section 4.4.1
_UNSENT = 30_000  # milliseconds that sent bytes may stay unacknowledged before the system gives the connection up


class StreamConnection(asyncio.Protocol):
    """One connection. Its flow exists from ``connection_made`` on."""

    def __init__(self, node: SipNode, transport: Transport, *, inbound: bool) -> None:
        self._node = node
        self._kind: Transport = transport
        self._inbound = inbound
        self._reader = Reader()
        self._transport: asyncio.Transport | None = None
        self._waiting: list[bytes] = []
        self._resume: asyncio.TimerHandle | None = None
        self._began: float | None = None
        self._pinged: float | None = None
        self._ponged = False
        self._last_ping = 0.0
        self.heard = 0.0
        self.spoken = False  # whether any message came
        self.flow: StreamFlow | None = None

    # --- from asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection (over TLS: after the handshake) is there."""
        stream = cast(asyncio.Transport, transport)
        node = self._node
        self._transport = stream
        local, remote = stream.get_extra_info("sockname"), stream.get_extra_info("peername")
        if not local or not remote:  # gone already
            stream.abort()
            return
        names = _names_in(stream.get_extra_info("peercert"))
        flow = StreamFlow(
            node.next_number(), self._kind, local[:2], remote[:2], inbound=self._inbound, peer_names=names
        )
        flow.connection = self
        self.flow = flow
        raw = stream.get_extra_info("socket")
        if raw is not None:
            try:
                raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNSENT)
            except (OSError, AttributeError):
                node.count("socket options refused")
        self.heard = self._last_ping = node.clock()
        if not node.opened(self, flow):
            stream.abort()

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        node, flow = self._node, self.flow
        if flow is None or flow.closed:
            return
        now = self.heard = node.clock()
        for item in self._reader.feed(data):
            if isinstance(item, KeepAlive):
                self._keep_alive(item)
                continue
            self.spoken = True
            if self._inbound and not flow.protected and not node.admits(flow.remote, now):
                self._pause(flow)
            if isinstance(item, MalformedMessage):
                node.agent.receive_malformed(item, item.message, flow)
                continue
            if node.wire is not None:
                node.wire("<", flow, item.encode())
            node.agent.receive(item, flow, now)
        self._began = (self._began or now) if self._reader.pending else None
        node.flush()
        if self._reader.broken:
            self.close()

    def eof_received(self) -> bool:
        """The other side sends nothing more: over."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        if self._resume is not None:
            self._resume.cancel()
        self._waiting.clear()
        flow = self.flow
        self._transport = None
        if flow is not None and not flow.closed:
            flow.closed = True
            self._node.closed(self, flow)

    # --- from the node

    def send(self, data: bytes) -> None:
        """Keep bytes until the end of the turn."""
        if not self._waiting:
            self._node.to_write(self)
        self._waiting.append(data)

    def write(self) -> None:
        """Write what was kept, in one piece. Who does not read is cut off."""
        stream = self._transport
        waiting, self._waiting = self._waiting, []
        if stream is None or stream.is_closing():
            return
        stream.write(waiting[0] if len(waiting) == 1 else b"".join(waiting))
        if stream.get_write_buffer_size() > self._node.limits.write_buffer:
            self._node.count("closed for not reading")
            stream.abort()

    def close(self) -> None:
        """Write what is left and close."""
        if self._waiting:
            self.write()
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            abort(self._transport)

    def look_after(self, now: float) -> None:
        """From time to time: stalled and silent connections are closed, registered ones kept alive."""
        flow, limits = self.flow, self._node.limits
        if flow is None or flow.closed:
            return
        if self._began is not None and now - self._began > limits.message:
            self._end("closed for a message that did not end")
        elif self._inbound and not self.spoken and now - self.heard > limits.first_message:
            self._end("closed for saying nothing")
        elif self._inbound and not flow.protected and now - self.heard > limits.idle:
            self._end("closed for silence")
        elif self._pinged is not None:
            if now - self._pinged > _PONG_WITHIN and self._ponged:
                self._end("closed for not answering a keep-alive")
        elif flow.keep_alive and now - self._last_ping >= flow.keep_alive * 0.9:
            self._last_ping = now
            self._pinged = now
            self.send(_PING)

    def _end(self, why: str) -> None:
        self._node.count(why)
        self.abort()

    def _keep_alive(self, item: KeepAlive) -> None:
        if item is KeepAlive.PING:
            self.send(_PONG)
        else:
            self._ponged = True
            self._pinged = None

    def _pause(self, flow: StreamFlow) -> None:
        """Read no more from a stranger who asks too much, until there is a token again."""
        stream = self._transport
        if stream is None or self._resume is not None:
            return
        stream.pause_reading()
        wait = self._node.admitted_in(flow.remote)
        self._resume = asyncio.get_running_loop().call_later(max(wait, 0.05), self._read_on)

    def _read_on(self) -> None:
        self._resume = None
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()


def _names_in(certificate: object) -> tuple[str, ...]:
    """The names of a certificate that was verified (RFC 5922): DNS names, and hosts of SIP URIs."""
    if not isinstance(certificate, dict):
        return ()
    found = []
    for kind, value in certificate.get("subjectAltName", ()):
        if kind == "DNS":
            found.append(value.lower())
        elif kind == "URI" and value.lower().startswith("sip:") and "@" not in value:
            found.append(value[4:].lower())
    return tuple(found)


TLS_ERRORS = (ssl.SSLError, ssl.CertificateError)
