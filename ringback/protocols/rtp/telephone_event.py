"""Keys pressed during a call, as named events in RTP (RFC 4733): the payload, a core that sends, a core that receives.

The sender repeats each event while it lasts and its end three times. The receiver tells each event once and in order,
from whichever of these packets arrive: at the first packet that comes, or, where packets before it are still missing,
after waiting a moment for them.
"""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass

from ringback.protocols.rtp.errors import TelephoneEventFormatError
from ringback.protocols.rtp.sequence import TIMESTAMP_MODULUS, Unwrapper

DIGITS = "0123456789*#ABCD"  # events 0 to 15, section 3.2
MAX_DURATION = 0xFFFF
END_PACKETS = 3  # section 2.5.1.4
_EVENT = struct.Struct("!BBH")


@dataclass(frozen=True, slots=True)
class TelephoneEvent:
    """One event of a payload. ``volume`` in -dBm0 (0 to 63), ``duration`` in timestamp units."""

    event: int
    duration: int
    end: bool = False
    volume: int = 10

    @property
    def digit(self) -> str | None:
        """The key, where the event is one."""
        return DIGITS[self.event] if self.event < len(DIGITS) else None


def event_of(digit: str) -> int:
    """The event of a key, upper or lower case. Raises TelephoneEventFormatError where there is no such key."""
    number = DIGITS.find(digit.upper()) if len(digit) == 1 else -1
    if number < 0:
        raise TelephoneEventFormatError(f"no telephone has a key {digit!r}")
    return number


def parse_events(payload: bytes) -> tuple[TelephoneEvent, ...]:
    """The events of a payload, oldest first. Raises TelephoneEventFormatError."""
    if not payload or len(payload) % 4:
        raise TelephoneEventFormatError("a payload of telephone events is one or more groups of four octets")
    return tuple(
        TelephoneEvent(event, duration, bool(flags & 0x80), flags & 0x3F)
        for event, flags, duration in _EVENT.iter_unpack(payload)
    )


def serialize_events(events: tuple[TelephoneEvent, ...]) -> bytes:
    """The payload. Raises TelephoneEventFormatError where a field does not fit."""
    try:
        return b"".join(
            _EVENT.pack(one.event, (0x80 if one.end else 0) | min(max(one.volume, 0), 63), one.duration)
            for one in events
        )
    except struct.error as error:
        raise TelephoneEventFormatError(f"a field is out of range: {error}") from error


@dataclass(frozen=True, slots=True)
class EventPacket:
    """What to send now: ``timestamp`` is that of the event's start, the sequence number is the stream's next one."""

    timestamp: int
    marker: bool
    payload: bytes


@dataclass(slots=True)
class _Sending:
    event: int
    length: int  # timestamp units
    began: float
    timestamp: int
    reported: int = 0
    ends_left: int = END_PACKETS
    first: bool = True


class EventSender:
    """Sends queued keys one after another. While `active`, the leg sends no sound (section 2.5.1.2).

    ``interval``, ``gap`` and lengths in seconds; at most ``limit`` keys wait.
    """

    def __init__(self, clock_rate: int = 8000, *, interval: float = 0.05, gap: float = 0.07, limit: int = 128) -> None:
        self._rate = clock_rate
        self._interval = interval
        self._gap = gap
        self._limit = limit
        self._waiting: deque[tuple[int, int]] = deque()
        self._sending: _Sending | None = None
        self._deadline: float | None = None

    @property
    def active(self) -> bool:
        """Whether an event is under way now."""
        return self._sending is not None

    def press(self, digits: str, now: float, length: float = 0.1) -> None:
        """Queue keys, each ``length`` seconds long.

        Raises TelephoneEventFormatError for a character that is no key (nothing is queued then) or where too many wait.
        """
        events = [event_of(digit) for digit in digits]
        if len(self._waiting) + len(events) > self._limit:
            raise TelephoneEventFormatError(f"more than {self._limit} keys are waiting")
        units = max(int(length * self._rate), int(0.04 * self._rate))  # shorter is not recognised, Q.24
        self._waiting.extend((event, units) for event in events)
        if self._deadline is None and self._waiting:
            self._deadline = now

    def next_deadline(self) -> float | None:
        """When `handle_timer` has something to send, or None."""
        return self._deadline

    def handle_timer(self, now: float, timestamp: int) -> list[EventPacket]:
        """What is due. ``timestamp`` is the stream's timestamp at ``now``: an event begins there."""
        packets: list[EventPacket] = []
        while self._deadline is not None and self._deadline <= now:
            if self._sending is None:
                if not self._waiting:
                    self._deadline = None
                    break
                event, length = self._waiting.popleft()
                self._sending = _Sending(event, length, now, timestamp)
                self._deadline = now
            packets.append(self._one(self._sending, now))
        return packets

    def _one(self, sending: _Sending, now: float) -> EventPacket:
        elapsed = int((now - sending.began + self._interval) * self._rate)
        done = min(elapsed, sending.length)
        offset = sending.reported
        duration = min(done - offset, MAX_DURATION)
        end = done >= sending.length
        packet = EventPacket(
            (sending.timestamp + offset) % TIMESTAMP_MODULUS,
            sending.first,
            serialize_events((TelephoneEvent(sending.event, duration, end),)),
        )
        sending.first = False
        if duration == MAX_DURATION and not end:  # a segment is full; the next begins where it ends (section 2.5.1.3)
            sending.reported += MAX_DURATION
        self._deadline = now + self._interval
        if end:
            sending.ends_left -= 1
            if not sending.ends_left:
                self._sending = None
                self._deadline = now + self._gap
        return packet


@dataclass(frozen=True, slots=True)
class Pressed:
    """A key that the other side pressed: told once."""

    event: int
    timestamp: int

    @property
    def digit(self) -> str | None:
        """The key, where the event is one."""
        return DIGITS[self.event] if self.event < len(DIGITS) else None


@dataclass(slots=True)
class _Held:
    start: int
    event: int
    sequence: int
    deadline: float


class EventReceiver:
    """Tells each event of a stream once and in order. Give it every packet: of events, and the numbers of others."""

    PATIENCE = 0.1  # seconds to wait for packets that were overtaken
    WINDOW = 64  # packets; what is missing for longer is lost

    def __init__(self) -> None:
        self._sequences = Unwrapper()
        self._timestamps = Unwrapper(TIMESTAMP_MODULUS)
        self._highest: int | None = None
        self._missing: set[int] = set()
        self._held: list[_Held] = []
        self._told_until: int | None = None
        self._newest: tuple[int, int] | None = None  # start and event of the newest, of its last segment if long
        self.late = 0

    def saw(self, sequence_number: int, now: float) -> list[Pressed]:
        """A packet that is not an event arrived: it may fill a hole."""
        self._note(self._sequences.unwrap(sequence_number))
        return self._release(now)

    def receive(self, sequence_number: int, timestamp: int, payload: bytes, now: float) -> list[Pressed]:
        """An event packet arrived. Raises TelephoneEventFormatError."""
        events = parse_events(payload)
        sequence = self._sequences.unwrap(sequence_number)
        self._note(sequence)
        start = self._timestamps.unwrap(timestamp)
        for one in events:
            self._offer(start, one, sequence, now)
            start += one.duration
        return self._release(now)

    def next_deadline(self) -> float | None:
        """When an event that waits for overtaken packets is told anyway."""
        return min((one.deadline for one in self._held), default=None)

    def handle_timer(self, now: float) -> list[Pressed]:
        """Events whose patience is over."""
        return self._release(now)

    def _note(self, sequence: int) -> None:
        if self._highest is None or sequence > self._highest:
            if self._highest is not None:
                first = max(self._highest + 1, sequence - self.WINDOW)
                self._missing.update(range(first, sequence))
            self._highest = sequence
            self._missing = {one for one in self._missing if one > sequence - self.WINDOW}
        else:
            self._missing.discard(sequence)

    def _offer(self, start: int, one: TelephoneEvent, sequence: int, now: float) -> None:
        for held in self._held:
            if held.start == start:
                held.sequence = min(held.sequence, sequence)
                return
        newest = self._newest
        if newest is not None and (start, one.event) == (newest[0] + MAX_DURATION, newest[1]):
            self._newest = (start, one.event)  # the next segment of a long event
        elif start == (newest[0] if newest else None):
            return
        elif self._told_until is not None and start <= self._told_until:  # told before, or overtaken by one told
            self.late += start < self._told_until
        else:
            self._held.append(_Held(start, one.event, sequence, now + self.PATIENCE))
            self._held.sort(key=lambda held: held.start)
            if newest is None or start > newest[0]:
                self._newest = (start, one.event)

    def _release(self, now: float) -> list[Pressed]:
        told = []
        while self._held:
            first = self._held[0]
            if now < first.deadline and any(one < first.sequence for one in self._missing):
                break
            self._held.pop(0)
            self._told_until = first.start
            told.append(Pressed(first.event, first.start % TIMESTAMP_MODULUS))
        return told
