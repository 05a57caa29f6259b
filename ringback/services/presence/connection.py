"""The asyncio side of one client connection: bytes between socket, TLS and stream core, with limits on both ways.

Theory of operation. All connections read into one shared buffer of moderate size, so that nobody can bring more than
that into one turn of the loop, and idle connections hold no buffer. What is written during a turn of the loop is
joined and written once at its end (``Flusher``), as one TLS record or one system call. A token bucket per connection
pauses reading when a client sends faster than its limit: it waits, the others do not.
"""

from __future__ import annotations

import asyncio
from typing import Final, Protocol, cast

import structlog

from ringback.protocols.xmpp.errors import StreamError
from ringback.protocols.xmpp.sasl import BearerAnswer, Question, Verifier
from ringback.protocols.xmpp.server_stream import ServerStream, State, StreamSettings
from ringback.protocols.xmpp.stanza import Stanza
from ringback.protocols.xmpp.stream_events import (
    Acknowledged,
    AcknowledgementWanted,
    Authenticated,
    AuthenticationFailed,
    BindWanted,
    ClientState,
    EnableWanted,
    Ended,
    Event,
    LookUp,
    ResumeWanted,
    SecureNow,
)
from ringback.protocols.xmpp.tls_pipe import TlsError, TlsPipe
from ringback.services.presence.session import ClientSession
from ringback.services.presence.settings import Limits
from ringback.services.presence.tokens import Proof

_LINGER: Final = 2.0  # seconds that a client has to take the last bytes
_READ_SIZE: Final = 16_384
_NO_VERIFIER: Final = "This account signs in with PLAIN or with a token"

PAUSED_BY_RATE: Final = 1
PAUSED_BY_LOOKUP: Final = 2
PAUSED_BY_WORK: Final = 4
PAUSED_BY_STORAGE: Final = 8

_log = structlog.get_logger("ringback.presence.connection")


class Node(Protocol):
    """What a connection needs of the service."""

    limits: Limits
    flusher: Flusher

    def stream_settings_for(self, address: str) -> StreamSettings:
        """How streams of clients at an address are opened."""

    def make_tls(self) -> TlsPipe:
        """A new server-side TLS connection."""

    def bindings(self, tls: TlsPipe) -> dict[str, bytes]:
        """The channel bindings of a TLS connection, by type."""

    def opened(self, connection: Connection) -> bool:
        """Count a connection; False where its address has too many."""

    def signed_in(self, connection: Connection) -> None:
        """It is not an unauthenticated one any more."""

    def refused(self, connection: Connection, user: str) -> None:
        """Somebody could not prove to be this user."""

    def closed(self, connection: Connection) -> None:
        """Forget a connection."""

    def look_up(self, connection: Connection, question: Question) -> None:
        """Find the answer and give it to the connection."""

    def bind(self, connection: Connection, resource: str) -> None:
        """Bind in a task."""

    def resume_session(self, connection: Connection, wanted: ResumeWanted) -> None:
        """Resume a session."""

    def enable_management(self, session: ClientSession, wanted: EnableWanted) -> bytes:
        """The answer to ``<enable/>``."""

    def receive(self, session: ClientSession, stanza: Stanza) -> None:
        """A stanza of a signed-in client. Raises StreamError."""

    def answer_acknowledgement(self, session: ClientSession) -> None:
        """Acknowledge as soon as what has to be kept is durable."""

    def client_state(self, session: ClientSession, *, active: bool) -> None:
        """Client state indication."""

    def lost(self, session: ClientSession, *, proper: bool) -> None:
        """The connection of a session is over; ``proper`` where the client closed its stream."""


class Flusher:
    """Writes at the end of the turn of the loop what all connections have queued during it."""

    __slots__ = ("_dirty", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._dirty: list[Connection] = []

    def add(self, connection: Connection) -> None:
        """This connection has something to write."""
        dirty = self._dirty
        if not dirty:
            self._loop.call_soon(self._flush)
        dirty.append(connection)

    def _flush(self) -> None:
        dirty, self._dirty = self._dirty, []
        for connection in dirty:
            connection.flush()


class Connection(asyncio.BufferedProtocol):
    """One TCP connection of a client."""

    __slots__ = (
        "_bucket_at",
        "_buffer",
        "_closing",
        "_direct_tls",
        "_loop",
        "_node",
        "_out",
        "_paused",
        "_timer",
        "_tls",
        "_tokens",
        "_transport",
        "active",
        "address",
        "proof",
        "session",
        "stream",
    )

    def __init__(self, node: Node, loop: asyncio.AbstractEventLoop, buffer: bytearray, *, direct_tls: bool) -> None:
        self._node = node
        self._loop = loop
        self._buffer = buffer
        self._direct_tls = direct_tls
        self._transport: asyncio.Transport | None = None
        self._tls: TlsPipe | None = None
        self._out: list[bytes] = []
        self._paused = 0
        self._closing = False
        self._tokens = node.limits.burst
        self._bucket_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self.address = ""
        self.proof: Proof | None = None
        """How the client proved who it is, once it does."""
        self.session: ClientSession | None = None
        self.active = True
        """Whether anything arrived since the service last looked."""
        self.stream: ServerStream
        """From the moment on that the connection is made."""

    # The loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are no subclass of it
        peer = transport.get_extra_info("peername")
        self.address = str(peer[0]) if peer else ""
        self.stream = ServerStream(self._node.stream_settings_for(self.address), self._loop.time())
        if not self._node.opened(self):
            self._abort()
            return
        self._bucket_at = self._loop.time()
        if self._direct_tls:
            self._tls = self._node.make_tls()
        self._watch()

    def get_buffer(self, sizehint: int) -> bytearray:
        """The shared buffer: it is read out at once in ``buffer_updated``."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Bytes have arrived."""
        data = bytes(memoryview(self._buffer)[:nbytes])
        if self._closing:
            return
        self.active = True
        tokens = self._tokens = self._tokens - nbytes
        if self._tls is not None:
            try:
                data = self._decrypted(data)
            except TlsError as error:
                _log.info("connection.tls_failed", address=self.address, reason=str(error))
                self._abort()
                return
        if data:
            self._take(self.stream.receive_data(data))
        if tokens < 0:
            self._slow_down()

    def eof_received(self) -> bool:
        """The client will send no more: there is no half-open XMPP."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._closing = True
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._node.closed(self)
        self._leave(proper=False)

    def pause_writing(self) -> None:
        """The client reads too slowly: the buffers are watched in ``flush``."""

    def resume_writing(self) -> None:
        """See ``pause_writing``."""

    # The session and the service call.

    def write(self, raw: bytes) -> None:
        """Queue bytes for the end of this turn of the loop."""
        out = self._out
        if not out:
            self._node.flusher.add(self)
        out.append(raw)

    def flush(self) -> None:
        """Write what is queued."""
        out = self._out
        transport = self._transport
        if not out or transport is None:
            return
        data = out[0] if len(out) == 1 else b"".join(out)
        self._out = []
        if self._tls is not None:
            try:
                data = self._tls.send(data)
            except TlsError:
                self._abort()
                return
        transport.write(data)
        if transport.get_write_buffer_size() > self._node.limits.outgoing:
            _log.warning("connection.does_not_read", address=self.address)
            self._abort()

    def end(self, error: StreamError | None) -> None:
        """Close the stream from this side."""
        self._take(self.stream.end(error))

    def pause(self, why: int) -> None:
        """Stop reading for a reason."""
        if not self._paused and self._transport is not None and not self._closing:
            self._transport.pause_reading()
        self._paused |= why

    def resume(self, why: int) -> None:
        """A reason is over; read on where it was the last one."""
        if not self._paused & why:
            return
        self._paused &= ~why
        if not self._paused and self._transport is not None and not self._closing:
            self._transport.resume_reading()

    def checked(self, *, good: bool) -> None:
        """The answer to a password or token question."""
        self._answered(self.stream.checked(good=good))

    def bearer_checked(self, answer: BearerAnswer) -> None:
        """The answer to the question whose access token it is."""
        self._answered(self.stream.bearer_checked(answer))

    def verifier_found(self, verifier: Verifier) -> None:
        """The answer to a verifier question."""
        self._answered(self.stream.verifier_found(verifier))

    def lookup_failed(self) -> None:
        """The question cannot be answered now."""
        self._answered(self.stream.lookup_failed())

    def has_no_verifier(self) -> None:
        """There is no verifier of this person: another mechanism has to do."""
        self._answered(self.stream.lookup_failed("invalid-mechanism", _NO_VERIFIER))

    def answered(self, events: list[Event]) -> None:
        """Go on with what the stream said to an answer given to it directly."""
        self._answered(events)

    @property
    def open(self) -> bool:
        """Whether the client is still there."""
        return not self._closing

    # Inside.

    def _answered(self, events: list[Event]) -> None:
        self._take(events)
        if self.stream.wants_data:
            self.resume(PAUSED_BY_LOOKUP)
        if self._timer is not None and self.stream.state is State.ESTABLISHED:
            self._timer.cancel()
            self._timer = None

    def _decrypted(self, data: bytes) -> bytes:
        tls = self._tls
        if tls is None:
            return data
        before = tls.secured
        try:
            plain = tls.receive(data)
        finally:
            if (answer := tls.ciphertext()) and self._transport is not None:
                self._transport.write(answer)
        if tls.secured and not before:
            self.stream.secured(self._node.bindings(tls))
        if tls.closed:
            self._abort()
        return plain

    def _take(self, events: list[Event]) -> None:
        """Do what the stream's events say, in order; the hot path is the first branch."""
        node = self._node
        session = self.session
        if self.stream.state is not State.ESTABLISHED:
            self._write_negotiation()
        for event in events:
            if type(event) is Stanza:
                if session is not None:
                    if session.management is not None:
                        session.management.handled()
                    self._tokens -= node.limits.stanza_cost
                    try:
                        node.receive(session, event)
                    except StreamError as error:
                        self.end(error)
                        return
                    if self._closing:
                        return
            else:
                self._negotiate(event)
                session = self.session
        self._write_negotiation()

    def _negotiate(self, event: Event) -> None:
        node, session = self._node, self.session
        if isinstance(event, SecureNow):
            self._write_negotiation()
            self._tls = node.make_tls()
        elif isinstance(event, LookUp):
            self.pause(PAUSED_BY_LOOKUP)
            node.look_up(self, event.question)
        elif isinstance(event, Authenticated):
            node.signed_in(self)
        elif isinstance(event, AuthenticationFailed):
            node.refused(self, event.user)
        elif isinstance(event, BindWanted):
            self.pause(PAUSED_BY_LOOKUP)
            node.bind(self, event.resource)
        elif isinstance(event, ResumeWanted):
            node.resume_session(self, event)
        elif isinstance(event, Ended):
            self._finish(event)
        elif session is not None:
            self._manage(session, event)

    def _manage(self, session: ClientSession, event: Event) -> None:
        node = self._node
        if isinstance(event, AcknowledgementWanted):
            node.answer_acknowledgement(session)
        elif isinstance(event, Acknowledged):
            try:
                session.acknowledged(event.handled)
            except StreamError as error:
                self.end(error)
        elif isinstance(event, EnableWanted):
            self.write(node.enable_management(session, event))
        elif isinstance(event, ClientState):
            node.client_state(session, active=event.active)

    def _write_negotiation(self) -> None:
        """Each piece in a TLS record of its own: some clients read the header and the features one by one."""
        for piece in self.stream.data_to_send():
            self.write(piece)
            if self.stream.state is not State.ESTABLISHED:
                self.flush()

    def _finish(self, event: Ended) -> None:
        self._write_negotiation()
        self.flush()
        self._leave(proper=event.proper)
        self._closing = True
        transport = self._transport
        if transport is None:
            return
        if self._tls is not None and self._tls.secured and (alert := self._tls.close()):
            transport.write(alert)
        transport.close()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(_LINGER, self._abort)

    def _leave(self, *, proper: bool) -> None:
        session, self.session = self.session, None
        if session is not None and session.wire is self:
            session.wire = None
            self._node.lost(session, proper=proper)

    def _abort(self) -> None:
        self._closing = True
        if self._transport is not None:
            self._transport.abort()

    def _slow_down(self) -> None:
        now = self._loop.time()
        limits = self._node.limits
        self._tokens = min(limits.burst, self._tokens + (now - self._bucket_at) * limits.rate)
        self._bucket_at = now
        if self._tokens < 0 and not self._closing:
            self.pause(PAUSED_BY_RATE)
            self._loop.call_later(-self._tokens / limits.rate, self.resume, PAUSED_BY_RATE)

    def _watch(self) -> None:
        deadline = self.stream.next_deadline()
        if deadline is not None:
            self._timer = self._loop.call_at(deadline, self._time_passed)

    def _time_passed(self) -> None:
        self._timer = None
        if self.stream.next_deadline() is not None:
            self._take(self.stream.handle_timer(self._loop.time()))
            if not self._closing:
                self._watch()


def shared_buffer() -> bytearray:
    """The buffer that all connections of a service read into."""
    return bytearray(_READ_SIZE)
