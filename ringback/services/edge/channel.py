"""A channel of a link as the transport of whatever serves it, with TLS of the client inside: no socket, no descriptor.

The bytes of a client come out of the link as they are, TLS and all. Here TLS ends (``ssl.MemoryBIO``), at the pace of
whoever serves the connection: what that one does not read stays unacknowledged in the channel's window.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections import deque
from collections.abc import Callable
from typing import Any, Final, cast

import structlog

from ringback.protocols.traversal import Channel, Opening
from ringback.services.edge.linkend import LinkEnd

HANDSHAKE: Final = 20.0
"""Seconds that a client may take for TLS, also while everybody else comes back, too."""
_LINGER: Final = 2.0  # seconds for a client to read the last answer, while it may still be writing
_FLUSH: Final = 10.0  # seconds for a client to take what was written before the end
_PIECE: Final = 64 * 1024
_HIGH: Final = 64 * 1024  # octets that may wait for the channel before the protocol is told to pause

_log = structlog.get_logger("ringback.edge")


class ChannelTransport(asyncio.Transport):
    """The transport of a connection of the world at the inner proxy, and the owner of its channel. ``over`` is called
    once, when it is gone."""

    def __init__(
        self, end: LinkEnd, channel: Channel, opening: Opening, over: Callable[[ChannelTransport], None]
    ) -> None:
        super().__init__()
        self.received = 0
        """Octets from the client."""
        self.sent = 0
        """Octets to the client."""
        self._loop = asyncio.get_running_loop()
        self._end = end
        self._channel: Channel | None = channel
        self._opening = opening
        self._over = over
        self._protocol: asyncio.BaseProtocol | None = None
        self._make: Callable[[], asyncio.BaseProtocol] | None = None
        self._tls: ssl.SSLObject | None = None
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._shaking: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._held: deque[bytes] = deque()  # came while nothing is read; at most the channel's window
        self._rest = bytearray()  # written, with no room in the channel yet
        self._paused = False
        self._jammed = False
        self._all_came = False
        self._closing = False
        self._lost = False
        self._parted = False

    def begin(self, make: Callable[[], asyncio.BaseProtocol], context: ssl.SSLContext | None) -> None:
        """Let a protocol serve it: after the handshake, or at once where it begins in clear."""
        self._make = make
        if context is None:
            self._loop.call_soon(self._serve)
        else:
            self._secure(context)

    async def start_tls(self, context: ssl.SSLContext) -> None:
        """TLS from here on, in place. Raises ssl.SSLError or OSError where the client speaks none, or is gone."""
        if self._lost or self._closing:
            raise ConnectionResetError("The client is gone")
        self._secure(context)
        self._paused = False  # as a new transport begins, which asyncio's would be
        shaking = cast("asyncio.Future[None]", self._shaking)
        self._loop.call_soon(self._resume)
        await shaking

    def _secure(self, context: ssl.SSLContext) -> None:
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._shaking = self._loop.create_future()
        self._shaking.add_done_callback(_look)
        self._timer = self._loop.call_later(HANDSHAKE, self._give_up)

    def _give_up(self) -> None:
        self._fail(TimeoutError("The client took too long for TLS"))

    def _serve(self) -> None:
        make, self._make = self._make, None
        if make is None or self._lost:
            return
        self._protocol = make()
        self._protocol.connection_made(self)
        if self._held:
            self._loop.call_soon(self._resume)

    # --- asyncio.Transport

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """``peername`` is the client's address, ``opening`` how it came; TLS's as asyncio has them."""
        if name == "peername":
            return self._opening.peer.host, self._opening.peer.port
        if name == "sockname":
            return self._opening.listener.host, self._opening.listener.port
        if name == "opening":
            return self._opening
        tls = self._tls
        if tls is None:
            return default
        match name:
            case "ssl_object":
                return tls
            case "sslcontext":
                return tls.context
            case "cipher":
                return tls.cipher()
            case "peercert":
                return tls.getpeercert()
        return default

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Hand the connection over."""
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Who serves it. Raises RuntimeError before the handshake is over."""
        if self._protocol is None:
            raise RuntimeError("Nobody serves this connection yet")
        return self._protocol

    def is_closing(self) -> bool:
        """Whether it ends, or has ended."""
        return self._closing or self._lost

    def is_reading(self) -> bool:
        """Whether more is wanted."""
        return not self._paused and not self.is_closing()

    def pause_reading(self) -> None:
        """Nothing more for now: what comes is not acknowledged to the channel."""
        self._paused = True

    def resume_reading(self) -> None:
        """Go on."""
        if self._paused:
            self._paused = False
            self._loop.call_soon(self._resume)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """As asyncio's; after the end it goes nowhere."""
        if self.is_closing() or not data:
            return
        if self._tls is None:
            self._push(bytes(data))
            return
        if self._shaking is not None:
            raise RuntimeError("Nothing can be written during the handshake")
        view = memoryview(data)
        try:
            while view:
                view = view[self._tls.write(view) :]
        except ssl.SSLError as error:
            self._lose(error)
            return
        self._flush()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """They are what they are: a channel's window."""

    def get_write_buffer_size(self) -> int:
        """Octets that wait for room in the channel."""
        return len(self._rest)

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """Low and high."""
        return _HIGH // 4, _HIGH

    def can_write_eof(self) -> bool:
        """TLS has no half-closed connections that anybody uses."""
        return False

    def write_eof(self) -> None:
        """Raises NotImplementedError."""
        raise NotImplementedError

    def close(self) -> None:
        """Send what was written, then end."""
        if self.is_closing():
            return
        self._closing = True
        if self._tls is not None and self._shaking is None:
            with contextlib.suppress(ssl.SSLError):  # the client has not said its own end yet: ours is written
                self._tls.unwrap()
            self._flush()
        self._loop.call_soon(self._lose, None)

    def abort(self) -> None:
        """End now."""
        self._rest.clear()
        self._closing = True
        self._drop()
        self._loop.call_soon(self._lose, None)

    # --- Receiver: the channel

    def data(self, data: bytes) -> None:
        """From the client."""
        self.received += len(data)
        if self.is_closing():
            self._consumed(len(data))
        elif self._held or self._waits:
            self._held.append(data)
        else:
            self._consumed(len(data))
            self._feed(data)

    def room(self) -> None:
        """What was left goes on its way."""
        if self._channel is None:
            return
        while self._rest:
            piece = bytes(self._rest[:_PIECE])
            sent = self._end.send(self._channel, piece)
            del self._rest[:sent]
            if sent < len(piece):
                break
        if self._lost:
            if not self._rest:
                self._part()
        elif self._jammed and len(self._rest) <= _HIGH // 4:
            self._jammed = False
            if self._protocol is not None:
                self._protocol.resume_writing()

    def ended(self) -> None:
        """The client sends no more."""
        self._all_came = True
        if self._lost:
            self._drop()
        elif self._shaking is not None:
            self._fail(ConnectionResetError("The client went during the handshake"))
        elif not self._held and not self._paused:
            self._eof()

    def broken(self) -> None:
        """The channel is gone."""
        self._channel = None
        self._rest.clear()
        if self._shaking is not None:
            self._fail(ConnectionResetError("The client is gone"))
        else:
            self._loop.call_soon(self._lose, ConnectionResetError("The client is gone"))

    # --- inwards

    @property
    def _waits(self) -> bool:
        """Whether nobody takes anything now."""
        return self._shaking is None and (self._paused or self._make is not None)

    def _feed(self, data: bytes) -> None:
        if self._tls is None:
            cast(asyncio.Protocol, self._protocol).data_received(data)
            return
        self._incoming.write(data)
        if self._shaking is not None:
            self._shake()
        else:
            self._read()

    def _shake(self) -> None:
        try:
            cast(ssl.SSLObject, self._tls).do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return
        except (OSError, ValueError) as error:
            self._flush()
            self._fail(error)
            return
        self._flush()
        shaking, self._shaking = self._shaking, None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if shaking is not None and not shaking.done():
            shaking.set_result(None)
        self._serve()
        self._read()

    def _read(self) -> None:
        """Plain text that is there, as far as it is wanted."""
        tls = cast(ssl.SSLObject, self._tls)
        while not self._paused and not self.is_closing():
            try:
                piece = tls.read(_PIECE)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLError as error:
                self._flush()  # an alert, where there is one
                if isinstance(error, ssl.SSLZeroReturnError):
                    self._eof()
                else:
                    self._lose(error)
                return
            if not piece:
                self._eof()
                return
            cast(asyncio.Protocol, self._protocol).data_received(piece)
        if self._outgoing.pending:
            self._flush()

    def _resume(self) -> None:
        if self._tls is not None and self._shaking is None:
            self._read()
        while self._held and not self._waits and not self.is_closing():
            data = self._held.popleft()
            self._consumed(len(data))
            self._feed(data)
        if self._all_came and not self._held and not self._paused and not self.is_closing():
            self._eof()

    def _eof(self) -> None:
        if isinstance(self._protocol, asyncio.Protocol) and not self.is_closing():
            keep = self._protocol.eof_received()
            if not keep or self._tls is not None:
                self.close()

    # --- outwards

    def _flush(self) -> None:
        if self._outgoing.pending:
            self._push(self._outgoing.read())

    def _push(self, data: bytes) -> None:
        if self._channel is None:
            return
        self.sent += len(data)
        if self._rest:
            self._rest += data
        else:
            sent = self._end.send(self._channel, data)
            if sent < len(data):
                self._rest += memoryview(data)[sent:]
        if len(self._rest) > _HIGH and not self._jammed and self._protocol is not None:
            self._jammed = True
            self._protocol.pause_writing()

    # --- the end

    def _consumed(self, size: int) -> None:
        if self._channel is not None:
            self._end.consumed(self._channel, size)

    def _fail(self, error: Exception) -> None:
        """The handshake came to nothing."""
        shaking, self._shaking = self._shaking, None
        if shaking is not None and not shaking.done():
            shaking.set_exception(error)
        self._make = None
        self._closing = True
        self._loop.call_soon(self._lose, error)

    def _lose(self, error: Exception | None) -> None:
        if self._lost:
            return
        self._lost = self._closing = True
        if self._timer is not None:
            self._timer.cancel()
        if self._shaking is not None and not self._shaking.done():
            self._shaking.set_exception(ConnectionResetError("The connection ended during the handshake"))
        self._held.clear()
        protocol, self._protocol = self._protocol, None
        if protocol is not None:
            protocol.connection_lost(error)
        self._over(self)
        if not self._rest:
            self._part()
        elif self._channel is not None:
            self._loop.call_later(_FLUSH, self._drop)

    def _part(self) -> None:
        """All is sent. A client that still writes would lose what it has not read yet, were it cut off now."""
        if self._channel is None or self._parted:
            return
        if self._all_came:
            self._drop()
            return
        self._parted = True
        self._end.end(self._channel)
        self._loop.call_later(_LINGER, self._drop)

    def _drop(self) -> None:
        channel, self._channel = self._channel, None
        if channel is not None:
            self._end.drop(channel)


async def start_tls(writer: asyncio.StreamWriter, context: ssl.SSLContext) -> None:
    """TLS from here on, as the server of a connection of whatever kind. Raises ssl.SSLError, OSError."""
    transport = writer.transport
    if isinstance(transport, ChannelTransport):
        await writer.drain()
        await transport.start_tls(context)
    else:
        await writer.start_tls(context)


def _look(shaking: asyncio.Future[None]) -> None:
    """Nobody need wait for it: that it failed is then no fault of ours."""
    if not shaking.cancelled():
        shaking.exception()
