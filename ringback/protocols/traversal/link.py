"""One end of a link: bytes of the link in, events out; what to write is taken with `data_to_send`.

Every channel has a window of its own (RFC 9113 section 5.2): a client that reads slowly holds up nobody else, so the
window of the whole link is never the narrow one, and that of a channel opens when its owner has passed the bytes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings
from h2.errors import ErrorCodes
from hyperframe.frame import DataFrame

from ringback.protocols.traversal.opening import Opening, OpeningError

Channel = int
"""The number of a channel within its link."""

WINDOW: Final = 64 * 1024
"""Octets of one channel in each direction that may lie unread at the other end."""

_LINK_WINDOW: Final = 2**31 - 1 - 65_535  # the link itself never holds anybody up
_LINK_STEP: Final = 1024 * 1024  # octets after which the link's window is opened again
_FRAME: Final = 32 * 1024
_PING: Final = b"ringback"
_WORDS: Final = 200  # octets of why a link ends


class LinkError(Exception):
    """The other end does not keep to the protocol, or the link is over; the message says why."""


@dataclass(frozen=True, slots=True)
class Opened:
    """At the inner end: a connection was handed over. Answer with `Link.accept` or `Link.refuse`."""

    channel: Channel
    opening: Opening


@dataclass(frozen=True, slots=True)
class Data:
    """Bytes came; tell `Link.consumed` how many were passed on."""

    channel: Channel
    data: bytes


@dataclass(frozen=True, slots=True)
class Room:
    """A channel that had taken less than it was given may be given more."""

    channel: Channel


@dataclass(frozen=True, slots=True)
class Ended:
    """The other end will send nothing more in this channel."""

    channel: Channel


@dataclass(frozen=True, slots=True)
class Refused:
    """The channel is gone: refused, or broken off at the other end; ``code`` as in RFC 9113 section 7."""

    channel: Channel
    code: int


@dataclass(frozen=True, slots=True)
class Ponged:
    """The other end is alive."""


@dataclass(frozen=True, slots=True)
class Closed:
    """The other end ends the link; ``why`` in its own words, empty where it says none."""

    code: int
    why: str = ""


LinkEvent = Opened | Data | Room | Ended | Refused | Ponged | Closed


def _say_little(frame: DataFrame) -> str:
    return f"DataFrame(stream_id={frame.stream_id}): {len(frame.data)} octets"


# h2 describes each frame that comes for its log, which nobody reads, and hyperframe writes all of it in hexadecimal for
# that: a third of what bytes on their way cost.
DataFrame.__repr__ = _say_little  # type: ignore[method-assign,assignment]


class Link:
    """``opens`` is true at the outer proxy, whose clients' connections become channels; ``most`` is the number of
    channels that this end bears at once."""

    def __init__(self, *, opens: bool, most: int) -> None:
        self._opens = opens
        self._h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=opens, header_encoding="utf-8", validate_inbound_headers=True)
        )
        code = h2.settings.SettingCodes
        self._h2.initiate_connection()
        self._h2.update_settings(
            {
                code.INITIAL_WINDOW_SIZE: WINDOW,
                code.MAX_FRAME_SIZE: _FRAME,
                code.MAX_CONCURRENT_STREAMS: 0 if opens else most,
                code.MAX_HEADER_LIST_SIZE: 4096,
                **({code.ENABLE_PUSH: 0} if opens else {code.ENABLE_CONNECT_PROTOCOL: 1}),
            }
        )
        self._h2.increment_flow_control_window(_LINK_WINDOW)
        self._short: dict[Channel, None] = {}  # those that took less than they were given, longest ago first
        self._unacknowledged: dict[Channel, int] = {}
        self._received = 0  # octets in all channels since the link's window was opened last
        self._ended: set[Channel] = set()

    @property
    def channels(self) -> int:
        """How many are open."""
        return len(self._unacknowledged)

    def data_to_send(self) -> bytes:
        """What to write to the link now."""
        return self._h2.data_to_send()

    def receive(self, data: bytes) -> list[LinkEvent]:
        """Bytes of the link. Raises LinkError; then write what is left to send, and close the link."""
        try:
            found = self._h2.receive_data(data)
        except (h2.exceptions.ProtocolError, h2.exceptions.RFC1122Error) as error:
            raise LinkError(f"The other proxy does not keep to HTTP/2: {error}") from error
        events: list[LinkEvent] = []
        for event in found:
            self._take(event, events)
        return events

    def open(self, opening: Opening) -> Channel:
        """A new channel to the inner proxy. Raises LinkError where it bears no more of them."""
        try:
            channel = self._h2.get_next_available_stream_id()
            self._h2.send_headers(channel, opening.headers())
        except (h2.exceptions.ProtocolError, h2.exceptions.RFC1122Error) as error:
            raise LinkError(f"No more connections can be handed over: {error}") from error
        self._unacknowledged[channel] = 0
        return channel

    def accept(self, channel: Channel) -> None:
        """Take a channel that was opened."""
        self._quietly(lambda: self._h2.send_headers(channel, [(":status", "200")]))

    def refuse(self, channel: Channel, *, busy: bool = False) -> None:
        """Break a channel off, whatever is under way in it; ``busy``: it may be tried elsewhere."""
        code = ErrorCodes.REFUSED_STREAM if busy else ErrorCodes.CANCEL
        if self._forget(channel):
            self._quietly(lambda: self._h2.reset_stream(channel, code))

    def send(self, channel: Channel, data: bytes | memoryview) -> int:
        """Send as much as there is room for, and say how much that was; where it was less, `Room` comes later."""
        if channel not in self._unacknowledged:
            return len(data)  # the other end broke off: nobody is there to be told
        try:
            return self._send(channel, data)
        except h2.exceptions.ProtocolError:  # the link ended, and its connection is about to
            return len(data)

    def _send(self, channel: Channel, data: bytes | memoryview) -> int:
        view = memoryview(data)
        sent = 0
        while sent < len(view):
            size = min(self._h2.local_flow_control_window(channel), self._h2.max_outbound_frame_size, len(view) - sent)
            if size <= 0:
                self._short[channel] = None
                break
            whole = size == len(data) and isinstance(data, bytes)
            self._h2.send_data(channel, data if whole else bytes(view[sent : sent + size]))
            sent += size
        return sent

    def end(self, channel: Channel) -> None:
        """Say that nothing more will be sent in a channel."""
        if channel in self._unacknowledged:
            self._quietly(lambda: self._h2.end_stream(channel))
            self._half_over(channel)

    def consumed(self, channel: Channel, size: int) -> None:
        """So many octets were passed on."""
        if channel not in self._unacknowledged:
            return
        total = self._unacknowledged[channel] + size
        if total >= WINDOW // 2:
            self._quietly(lambda: self._h2.increment_flow_control_window(total, channel))
            total = 0
        self._unacknowledged[channel] = total

    def ping(self) -> None:
        """Ask whether the other end is alive; `Ponged` answers."""
        self._quietly(lambda: self._h2.ping(_PING))

    def close(self, why: str = "") -> None:
        """Tell the other end that this is the end, and why."""
        words = why.encode()[:_WORDS]
        self._quietly(lambda: self._h2.close_connection(additional_data=words or None))

    def _take(self, event: h2.events.Event, events: list[LinkEvent]) -> None:
        match event:
            case h2.events.RequestReceived(stream_id=int(channel), headers=headers):
                self._unacknowledged[channel] = 0
                try:
                    pairs = [(_text(name), _text(value)) for name, value in headers or ()]
                    events.append(Opened(channel, Opening.read(pairs)))
                except OpeningError:
                    self.refuse(channel)
            case h2.events.DataReceived(stream_id=int(channel), data=bytes(data)):
                self._count(channel, event.flow_controlled_length or 0, len(data))
                if data:
                    events.append(Data(channel, data))
            case h2.events.WindowUpdated() | h2.events.RemoteSettingsChanged():
                events.extend(map(Room, self._roomy(getattr(event, "stream_id", 0))))
            case h2.events.StreamEnded(stream_id=int(channel)):
                events.append(Ended(channel))
                self._half_over(channel)
            case h2.events.StreamReset(stream_id=int(channel)):
                if self._forget(channel):
                    events.append(Refused(channel, int(event.error_code or 0)))
            case h2.events.PingAckReceived():
                events.append(Ponged())
            case h2.events.ConnectionTerminated():
                events.append(Closed(int(event.error_code or 0), _words(event.additional_data)))

    def _count(self, channel: Channel, size: int, useful: int) -> None:
        """Octets came that count against the windows."""
        self._received += size
        if self._received >= _LINK_STEP:
            self._h2.increment_flow_control_window(self._received)
            self._received = 0
        if size > useful:
            self.consumed(channel, size - useful)  # padding

    def _roomy(self, channel: Channel) -> list[Channel]:
        """Who waits for the window of this channel, or of the link (0)."""
        if channel:
            return [channel] if self._short.pop(channel, self) is None else []
        short, self._short = self._short, {}
        return list(short)

    def _half_over(self, channel: Channel) -> None:
        """One direction ended; with the second one the channel is over."""
        if channel in self._ended:
            self._forget(channel)
        elif channel in self._unacknowledged:
            self._ended.add(channel)

    def _forget(self, channel: Channel) -> bool:
        self._short.pop(channel, None)
        self._ended.discard(channel)
        return self._unacknowledged.pop(channel, None) is not None

    @staticmethod
    def _quietly(act: object) -> None:
        """Something said to a channel or link that the other end has just ended crosses it on the way."""
        if callable(act):
            try:
                act()
            except (h2.exceptions.StreamClosedError, h2.exceptions.NoSuchStreamError, h2.exceptions.ProtocolError):
                return


def _words(data: bytes | None) -> str:
    """What the other end says of the link's end (RFC 9113 section 6.8), fit for a log."""
    said = (data or b"")[:_WORDS].decode("utf-8", "replace")
    return "".join(letter if letter.isprintable() else " " for letter in said).strip()


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("utf-8", "replace")
