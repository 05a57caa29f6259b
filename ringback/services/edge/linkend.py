"""A link on the event loop: channels get their bytes, and nobody's queue grows without end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol, cast

from ringback.net.closing import abort
from ringback.protocols.traversal import (
    Channel,
    Closed,
    Data,
    Ended,
    Link,
    LinkError,
    Opened,
    Opening,
    Ponged,
    Refused,
    Room,
)

ASK_EVERY: Final = 2.0
"""Seconds of silence after which the other end is asked whether it is alive."""
DEAD_AFTER: Final = 6.0
"""Seconds without a byte after which a link counts as dead: firewalls forget connections without telling anybody."""
DOUBT: Final = 2.0
"""Seconds for an answer where there is a reason to doubt that the other end is alive."""
_PENDING: Final = 256 * 1024  # octets that may wait for the link's socket before channels have to wait


class Receiver(Protocol):
    """The owner of a channel."""

    def data(self, data: bytes) -> None:
        """Bytes came; `LinkEnd.consumed` must be told when they were passed on."""

    def room(self) -> None:
        """More can be sent."""

    def ended(self) -> None:
        """Nothing more comes."""

    def broken(self) -> None:
        """The channel, or its link, is gone."""


class LinkEnd(asyncio.Protocol):
    """One end of a link. ``opened`` is called at the inner end for each new channel and gives its owner, or None to
    refuse it; ``gone(why)`` once, when the link is over."""

    def __init__(
        self,
        *,
        most: int = 0,
        opened: Callable[[Channel, Opening], Receiver | None] | None = None,
        ready: Callable[[LinkEnd], None],
        gone: Callable[[LinkEnd, str], None],
    ) -> None:
        self.name = ""
        """The proxy at the other end, once it is known."""
        self._link = Link(opens=opened is None, most=most)
        self._opened = opened
        self._ready = ready
        self._gone = gone
        self.orderly = False
        """Whether one of both ends said that this is the end."""
        self._why = "the connection ended"
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._owners: dict[Channel, Receiver] = {}
        self._full = False
        self._waiting: dict[Channel, None] = {}
        self._heard = self._due = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self._doubt: asyncio.TimerHandle | None = None
        self._flushing = False

    @property
    def channels(self) -> int:
        """How many are open."""
        return len(self._owners)

    @property
    def alive(self) -> bool:
        """Whether channels can be opened."""
        return self._transport is not None

    def peer_names(self) -> frozenset[str]:
        """The DNS names in the certificate that the other end showed."""
        if self._transport is None:
            return frozenset()
        certificate = self._transport.get_extra_info("peercert") or {}
        return frozenset(value.lower() for kind, value in certificate.get("subjectAltName", ()) if kind == "DNS")

    # --- what owners of channels do

    def open(self, opening: Opening, owner: Receiver) -> Channel:
        """A new channel. Raises LinkError."""
        if self._transport is None:
            raise LinkError("The link is not there")
        channel = self._link.open(opening)
        self._owners[channel] = owner
        self._flush()
        return channel

    def send(self, channel: Channel, data: bytes | memoryview) -> int:
        """As much as goes now; the owner's ``room`` is called when more does."""
        if self._full:
            self._waiting[channel] = None
            return 0
        sent = self._link.send(channel, data)
        self._flush()
        return sent

    def consumed(self, channel: Channel, size: int) -> None:
        """So many octets were passed on."""
        self._link.consumed(channel, size)
        self._flush()

    def end(self, channel: Channel) -> None:
        """Nothing more will be sent."""
        self._link.end(channel)
        self._flush()

    def drop(self, channel: Channel) -> None:
        """Break a channel off; its owner is told no more."""
        self._waiting.pop(channel, None)
        if self._owners.pop(channel, None) is not None:
            self._link.refuse(channel)
            self._flush()

    def close(self, why: str) -> None:
        """End the link and all its channels."""
        if self._transport is not None:
            self._why = why
            self._link.close(why)
            self._transport.write(self._link.data_to_send())
            self._transport.close()

    def probe(self) -> None:
        """Find out quickly whether the other end is still there: its process seems to have been started anew, or
        another link to it broke."""
        if self._transport is not None and self._doubt is None:
            self._link.ping()
            self._flush()
            self._doubt = self._loop.call_later(DOUBT, self._judge, self._loop.time())

    # --- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The TLS connection stands, and both ends are who they should be."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none, but has all that one has
        self._transport.set_write_buffer_limits(high=_PENDING)
        self._due = self._loop.time() + ASK_EVERY
        self._timer = self._loop.call_at(self._due, self._look)
        self._flush()
        self._ready(self)

    def data_received(self, data: bytes) -> None:
        """Bytes of the link."""
        self._heard = self._loop.time()
        try:
            events = self._link.receive(data)
        except LinkError as error:
            self.close(str(error))
            return
        for event in events:
            self._take(event)
        self._flush()

    def pause_writing(self) -> None:
        """The way is jammed."""
        self._full = True

    def resume_writing(self) -> None:
        """The way is free again."""
        self._full = False
        waiting, self._waiting = self._waiting, {}
        for channel in waiting:
            owner = self._owners.get(channel)
            if owner is not None and not self._full:
                owner.room()
            else:
                self._waiting[channel] = None

    def connection_lost(self, error: Exception | None) -> None:
        """All channels end with it."""
        for timer in (self._timer, self._doubt):
            if timer is not None:
                timer.cancel()
        self._transport = None
        owners, self._owners = self._owners, {}
        for owner in owners.values():
            owner.broken()
        self._gone(self, self._why if error is None else f"{self._why}: {error}")

    def _take(self, event: object) -> None:
        match event:
            case Data(channel, data):
                owner = self._owners.get(channel)
                if owner is not None:
                    owner.data(data)
            case Room(channel):
                owner = self._owners.get(channel)
                if owner is not None:
                    owner.room()
            case Opened(channel, opening):
                self._accept(channel, opening)
            case Ended(channel):
                owner = self._owners.get(channel)
                if owner is not None:
                    owner.ended()
            case Refused(channel, _):
                owner = self._owners.pop(channel, None)
                if owner is not None:
                    owner.broken()
            case Ponged():
                return
            case Closed(_, why):
                self.orderly = True
                self.close(f"the other proxy ended it: {why}" if why else "the other proxy ended it")

    def _accept(self, channel: Channel, opening: Opening) -> None:
        owner = self._opened(channel, opening) if self._opened is not None else None
        if owner is None:
            self._link.refuse(channel, busy=True)
            return
        self._owners[channel] = owner
        self._link.accept(channel)

    def _flush(self) -> None:
        """All that channels say within one turn of the loop leaves in one piece."""
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._write)

    def _write(self) -> None:
        self._flushing = False
        if self._transport is not None:
            data = self._link.data_to_send()
            if data:
                self._transport.write(data)

    def _look(self) -> None:
        if self._transport is None:
            return
        now = self._loop.time()
        if now - self._due > ASK_EVERY:  # we were asleep ourselves, perhaps with the whole machine: ask before judging
            self._heard = now - ASK_EVERY
        silence = now - self._heard
        if silence > DEAD_AFTER:
            self._give_up(silence)
            return
        if silence >= ASK_EVERY / 2:
            self._link.ping()
            self._flush()
        self._due = now + ASK_EVERY
        self._timer = self._loop.call_at(self._due, self._look)

    def _judge(self, asked: float) -> None:
        self._doubt = None
        if self._heard < asked:
            self._give_up(self._loop.time() - self._heard)

    def _give_up(self, silence: float) -> None:
        if self._transport is not None:
            self._why = f"nothing was heard for {silence:.0f} seconds"
            abort(self._transport)
