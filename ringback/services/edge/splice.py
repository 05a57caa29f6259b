"""A connection and a channel as one pipe: what comes from one goes to the other, at the pace of the slower."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final, cast

from ringback.net.closing import abort
from ringback.protocols.traversal import Channel, Opening
from ringback.services.edge.linkend import LinkEnd

_LINGER: Final = 10.0  # seconds for the reader of a connection that is over to take what is left


class Splice(asyncio.Protocol):
    """The protocol of a connection whose bytes belong to a channel. ``over`` is called once, when it is gone."""

    def __init__(self, end: LinkEnd, over: Callable[[Splice], None]) -> None:
        self.sent = 0
        """Octets from the connection into the channel."""
        self.received = 0
        """Octets from the channel into the connection."""
        self.channel: Channel | None = None
        self._end = end
        self._over = over
        self._transport: asyncio.Transport | None = None
        self._early: list[bytes] = []
        self._rest = b""
        self._finished = False  # the connection sends no more
        self._told = False  # and the other end knows
        self._all_came = False  # the channel brings no more
        self._full = False
        self._unread = 0  # octets given to the connection that it has not sent yet

    def open(self, opening: Opening) -> None:
        """Hand the connection over to the inner proxy. Raises LinkError."""
        self.channel = self._end.open(opening, self)

    def abort(self) -> None:
        """Drop the connection now."""
        if self._transport is not None:
            abort(self._transport)

    # --- asyncio.Protocol: the connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands; what came for it meanwhile goes out."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none, but has all that one has
        early, self._early = self._early, []
        for data in early:
            self.data(data)
        if self.channel is None:
            self._close()
        elif self._all_came:
            self.ended()

    def data_received(self, data: bytes) -> None:
        """From the connection into the channel."""
        self._rest = self._rest + data if self._rest else data
        self.room()

    def eof_received(self) -> bool:
        """The connection sends no more; the other direction goes on."""
        self._finished = True
        self.room()
        return True

    def pause_writing(self) -> None:
        """The reader of the connection is slower than the channel."""
        self._full = True

    def resume_writing(self) -> None:
        """It has caught up."""
        self._full = False
        unread, self._unread = self._unread, 0
        if unread and self.channel is not None:
            self._end.consumed(self.channel, unread)

    def connection_lost(self, error: Exception | None) -> None:
        """Both directions are over."""
        self._transport = None
        if self.channel is not None:
            self._end.drop(self.channel)
        self._over(self)

    # --- Receiver: the channel

    def data(self, data: bytes) -> None:
        """From the channel into the connection."""
        if self._transport is None:
            self._early.append(data)  # at most the channel's window
            return
        self.received += len(data)
        self._transport.write(data)
        if self._full:
            self._unread += len(data)
        elif self.channel is not None:
            self._end.consumed(self.channel, len(data))

    def room(self) -> None:
        """What was left goes on its way; while something is left, nothing more is read."""
        if self.channel is None or self._transport is None:
            return
        if self._rest:
            sent = self._end.send(self.channel, self._rest)
            self.sent += sent
            self._rest = self._rest[sent:]
        if self._rest:
            self._transport.pause_reading()
            return
        if self._finished:
            if not self._told:
                self._told = True
                self._end.end(self.channel)
            if self._all_came:
                self._close()
        elif not self._transport.is_reading() and not self._transport.is_closing():
            self._transport.resume_reading()

    def ended(self) -> None:
        """The channel brings no more: the connection is told."""
        self._all_came = True
        if self._transport is None or self._transport.is_closing():
            return
        if self._finished and not self._rest:
            self._close()
            return
        with contextlib.suppress(OSError):  # the other side was quicker; its end is told by connection_lost
            self._transport.write_eof()

    def broken(self) -> None:
        """The channel is gone."""
        self.channel = None
        self._close()

    def _close(self) -> None:
        """What was written goes out first; but nobody holds a connection open by not reading it."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        transport.close()
        if transport.get_write_buffer_size():
            asyncio.get_running_loop().call_later(_LINGER, abort, transport)
