"""From RTP packets to payloads on one endless line of media time: wrapping, changes of the sender, redundancy."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from ringback.media.codecs.base import Codec
from ringback.media.playout.buffer import Waiting
from ringback.media.playout.types import PlayOutFormats
from ringback.protocols.rtp.errors import RtpError
from ringback.protocols.rtp.packet import RtpPacket
from ringback.protocols.rtp.red import RedBlock, parse_red
from ringback.protocols.rtp.sequence import sequence_distance, timestamp_distance

_WILD = 2.0  # seconds by which media time and arrival may part before it must be another stream
_REMEMBERED = 256  # numbers of packets that were no sound
_NOISE_CLOCK = 8000  # Hz; of comfort noise that comes before any sound


@dataclass(frozen=True, slots=True)
class Taken:
    """What a packet brought: ``entries``, the originals before their copies, and whether a ``new`` stream begins."""

    entries: tuple[Waiting, ...] = ()
    new: bool = False


class IncomingStream:
    """One sender at a time. Another, or a jump in time, is believed once a second packet confirms it (RFC 3550 A.1)."""

    __slots__ = (
        "_formats",
        "_others",
        "_plain",
        "_sequence",
        "_ssrc",
        "_start",
        "_suspect",
        "clock",
        "first",
        "origin",
        "originals",
    )

    def __init__(self, formats: PlayOutFormats) -> None:
        self._formats = formats
        self._plain = _plain_clocks(formats)
        self._ssrc: int | None = None
        self._suspect: tuple[RtpPacket, float] | None = None
        self._others: deque[int] = deque(maxlen=_REMEMBERED)
        self._sequence = self._start = 0  # the greatest so far, never wrapping
        self.clock = _NOISE_CLOCK
        self.origin = self.first = self.originals = 0

    def set_formats(self, formats: PlayOutFormats) -> None:
        """Other meanings of payload types from now on."""
        self._formats = formats
        self._plain = _plain_clocks(formats)

    def codec_of(self, payload_type: int) -> Codec | None:
        """The codec of a payload type; None where it is no sound."""
        return self._formats.codecs.get(payload_type)

    def is_noise(self, payload_type: int) -> bool:
        """Whether it is comfort noise."""
        return payload_type in self._formats.comfort_noise

    @property
    def lost(self) -> int:
        """Packets of the running stream that never came, so far as their numbers tell."""
        expected = self._sequence - self.first + 1
        return max(0, expected - self.originals) if self._ssrc is not None else 0

    def media_time(self, start: int) -> float:
        """Seconds of the sender's clock since its stream began."""
        return (start - self.origin) / self.clock

    def lost_between(self, earlier: int, later: int) -> int:
        """How many packets of sound are missing between two sequence numbers."""
        between = later - earlier - 1
        return between - sum(earlier < one < later for one in self._others) if between > 0 else 0

    def accept(self, packet: RtpPacket, arrival: float, base: float | None) -> Taken:
        """Take a packet in. ``base``: arrival less media time of the fastest packet so far, None before the first."""
        blocks = self._blocks(packet)
        if not blocks:
            if packet.ssrc == self._ssrc:
                self.originals += 1
                self._others.append(self._number(packet))
            return Taken()
        clock = self._clock_of(blocks[-1])
        if self._ssrc is not None and not self._is_foreign(packet, arrival, clock, base):
            self._suspect = None
            return Taken(self._entries(packet, blocks, arrival))
        before = self._suspect
        if self._ssrc is not None and (before is None or not _confirms(packet, before[0])):
            self._suspect = (packet, arrival)
            return Taken()
        self._suspect = None
        first, since = before or (packet, arrival)
        self._begin(first, clock)
        entries = self._entries(first, self._blocks(first), since)
        if first is not packet:
            entries += self._entries(packet, blocks, arrival)
        return Taken(entries, new=True)

    def follow(self, packet: RtpPacket, arrival: float, base: float) -> Waiting | None:
        """What `accept` would give for the packet that comes next in the running stream, the usual case, for less.

        None for any other packet; nothing has changed then.
        """
        clock = self.clock
        if (
            packet.ssrc != self._ssrc
            or (packet.sequence_number - self._sequence) & 0xFFFF != 1
            or self._plain.get(packet.payload_type) != clock
            or not packet.payload
        ):
            return None
        start = self._start
        ahead = (packet.timestamp - start) & 0xFFFFFFFF
        start += ahead
        wild = arrival - (start - self.origin) / clock - base
        if ahead >= 0x80000000 or wild > _WILD or wild < -_WILD:
            return None
        self._start = start
        self._sequence += 1
        self._suspect = None
        self.originals += 1
        return Waiting(start, packet.payload, packet.payload_type, self._sequence, 0, arrival)

    def _begin(self, packet: RtpPacket, clock: int) -> None:
        self._ssrc = packet.ssrc
        self._others.clear()
        self._sequence = self.first = packet.sequence_number
        self._start = self.origin = packet.timestamp
        self.clock = clock
        self.originals = 0

    def _is_foreign(self, packet: RtpPacket, arrival: float, clock: int, base: float | None) -> bool:
        if packet.ssrc != self._ssrc or clock != self.clock:
            return True
        if base is None:
            return False
        return abs(arrival - self.media_time(self._time(packet)) - base) > _WILD

    def _time(self, packet: RtpPacket) -> int:
        return self._start + timestamp_distance(packet.timestamp, self._start & 0xFFFFFFFF)

    def _number(self, packet: RtpPacket) -> int:
        number = self._sequence + sequence_distance(packet.sequence_number, self._sequence & 0xFFFF)
        self._sequence = max(self._sequence, number)
        return number

    def _clock_of(self, block: RedBlock) -> int:
        codec = self.codec_of(block.payload_type)
        if codec is not None:
            return codec.clock
        return self.clock if self._ssrc is not None else _NOISE_CLOCK

    def _blocks(self, packet: RtpPacket) -> tuple[RedBlock, ...]:
        """What the packet holds of sound, the original last; nothing where the original is no sound."""
        if packet.payload_type in self._formats.red:
            try:
                blocks = parse_red(packet.payload)
            except RtpError:
                return ()
        else:
            blocks = (RedBlock(packet.payload_type, 0, packet.payload),)
        known = tuple(block for block in blocks if block.payload and self._is_sound(block.payload_type))
        return known if known and known[-1] is blocks[-1] else ()

    def _is_sound(self, payload_type: int) -> bool:
        return payload_type in self._formats.codecs or payload_type in self._formats.comfort_noise

    def _entries(self, packet: RtpPacket, blocks: tuple[RedBlock, ...], arrival: float) -> tuple[Waiting, ...]:
        start = self._time(packet)
        self._start = max(self._start, start)
        number = self._number(packet)
        self.originals += 1
        return tuple(
            Waiting(start - block.offset, block.payload, block.payload_type, number - level, level, arrival)
            for level, block in enumerate(reversed(blocks))
        )


def _plain_clocks(formats: PlayOutFormats) -> dict[int, int]:
    """The clock of each payload type whose packets hold sound and nothing else."""
    return {number: codec.clock for number, codec in formats.codecs.items() if number not in formats.red}


def _confirms(packet: RtpPacket, before: RtpPacket) -> bool:
    """Whether a packet is one of the next few of the same sender, so that the one before it was no accident."""
    return packet.ssrc == before.ssrc and 0 < sequence_distance(packet.sequence_number, before.sequence_number) < 16
