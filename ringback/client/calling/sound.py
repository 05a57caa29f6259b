"""Carries the sound of a call between the page and the other side, untouched wherever both have the same codec.

Where the codecs differ, packets are decoded and encoded one by one as they come, with their losses and times kept: the
page's own play-out, which is a good one, then does all the waiting, and the engine adds none.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ringback.client.calling.page.leg import PageStream
from ringback.media.codecs.base import Codec, CodecError, EncoderSettings, Pcm, silence
from ringback.media.codecs.resample import Resampler
from ringback.media.codecs.table import codec_named
from ringback.media.transport.errors import NotConnectedError
from ringback.media.transport.leg import RtpLeg
from ringback.protocols.rtp.errors import RtpError
from ringback.protocols.rtp.packet import RtpPacket
from ringback.protocols.rtp.red import RedSender, parse_red
from ringback.protocols.rtp.sequence import timestamp_distance
from ringback.protocols.sdp.formats import Format
from ringback.protocols.sdp.negotiation import Stream

_PTIME = 20  # ms
_SETTLE_FRAMES = 5  # until an encoder has forgotten what it heard before
_LONGEST_GAP = 2.0  # seconds; a longer pause is a new beginning
_REMEMBERED = 64  # timestamps, to tell what a redundant payload brings anew


class Transcoder:
    """One direction between two codecs; packets in, (sequence number, timestamp, payload) out."""

    def __init__(self, source: Codec, target: Codec, settings: EncoderSettings) -> None:
        self._source, self._target = source, target
        self._decoder = source.decoder()
        self._encoder = target.encoder(settings)
        self._resampler = Resampler(self._decoder.rate, self._encoder.rate)
        self._pending: Pcm = silence(0)
        self._expected: int | None = None
        self._sequence = 0
        self._timestamp = 0
        self._ticks = self._encoder.frame * target.clock // self._encoder.rate

    def convert(self, packet: RtpPacket) -> list[tuple[int, int, bytes]]:
        """The packets that are ready after this one; none for a late or unreadable one."""
        if not self._follow(packet.timestamp):
            return []
        try:
            pcm = self._decoder.decode(packet.payload)
        except CodecError:
            return []
        duration = pcm.size * self._source.clock // self._decoder.rate
        self._expected = (packet.timestamp + duration) & 0xFFFFFFFF
        self._pending = np.concatenate([self._pending, self._resampler.process(pcm)])
        ready = []
        frame = self._encoder.frame
        while self._pending.size >= frame:
            payload = self._encoder.encode(np.ascontiguousarray(self._pending[:frame]))
            self._pending = self._pending[frame:]
            if payload:
                ready.append((self._sequence, self._timestamp, payload))
                self._sequence = (self._sequence + 1) & 0xFFFF
            self._timestamp = (self._timestamp + self._ticks) & 0xFFFFFFFF
        return ready

    def _follow(self, timestamp: int) -> bool:
        """Keep what is missing missing; False for a packet that comes too late."""
        if self._expected is None:
            return True
        gap = timestamp_distance(timestamp, self._expected)
        if -_LONGEST_GAP * self._source.clock < gap < 0:
            return False
        if gap:
            self._pending = silence(0)
            moved = gap * self._target.clock // self._source.clock
            if 0 < gap < _LONGEST_GAP * self._source.clock:
                self._sequence = (self._sequence + max(moved // self._ticks, 1)) & 0xFFFF
            self._timestamp = (self._timestamp + moved) & 0xFFFFFFFF
        return True


class Unwrapper:
    """The packets of one way as they were before copies (RFC 2198) were added; each comes out once, and what was lost
    right before the packet whose copies bring it."""

    def __init__(self) -> None:
        self.repaired = 0
        self._seen: dict[tuple[int, int], None] = {}

    def unwrap(self, packet: RtpPacket, redundancy: int | None, primary: int) -> list[RtpPacket]:
        """What this packet brings anew in the format of ``primary``, oldest first; nothing where it is unreadable."""
        if packet.payload_type == primary:
            return [packet] if self._is_new(packet.ssrc, packet.timestamp) else []
        if packet.payload_type != redundancy:
            return []
        try:
            blocks = parse_red(packet.payload)
        except RtpError:
            return []
        fresh = []
        for age, block in zip(range(len(blocks) - 1, -1, -1), blocks, strict=True):
            timestamp = (packet.timestamp - block.offset) & 0xFFFFFFFF
            if block.payload_type != primary or not block.payload or not self._is_new(packet.ssrc, timestamp):
                continue
            self.repaired += 1 if age else 0
            number = (packet.sequence_number - age) & 0xFFFF
            fresh.append(RtpPacket(primary, number, timestamp, packet.ssrc, block.payload, packet.marker and not age))
        return fresh

    def _is_new(self, source: int, timestamp: int) -> bool:
        if (source, timestamp) in self._seen:
            return False
        self._seen[source, timestamp] = None
        if len(self._seen) > _REMEMBERED:
            del self._seen[next(iter(self._seen))]
        return True


class SoundBridge:
    """Between a page's stream and a leg. ``settle`` after each agreement, ``join`` for each new page."""

    def __init__(self, far: RtpLeg, sources: Callable[[], int]) -> None:
        """``sources`` gives numbers that name a page among the sources of the leg."""
        self._far = far
        self._sources = sources
        self._source = self._near_source = sources()
        self._agreed: Stream | None = None
        self._page: PageStream | None = None
        self._muted = False
        self._silent = b""
        self._to_page: Transcoder | None = None
        self._to_far: Transcoder | None = None
        self._redundancy = RedSender(0)
        self._from_far, self._from_page = Unwrapper(), Unwrapper()
        self._encoder = EncoderSettings(ptime=_PTIME)

    @property
    def repaired(self) -> int:
        """Packets of the other side that were lost and came again as copies."""
        return self._from_far.repaired

    @property
    def repaired_of_page(self) -> int:
        """Packets of pages that were lost and came again as copies."""
        return self._from_page.repaired

    @property
    def transcodes(self) -> bool:
        """Whether the codecs of both sides differ."""
        return self._to_page is not None

    def settle(self, agreed: Stream, encoder: EncoderSettings | None = None) -> None:
        """Take what was agreed with the other side. ``encoder``: how to encode where that is needed."""
        self._agreed = agreed
        self._encoder = encoder or self._encoder
        self._silent = _silence_of(agreed.format)
        if self._page is not None:
            self._page.renew()
        self._match()

    def join(self, page: PageStream | None) -> None:
        """Carry to and from this page from now on; None: nobody listens."""
        self._page = page
        self._match()

    def mute(self, muted: bool) -> None:
        """Send silence in place of what the page sends; nothing of it goes on."""
        self._muted = muted

    def protect(self, depth: int) -> None:
        """Carry so many earlier payloads in each packet (RFC 2198), where that was agreed."""
        self._redundancy.depth = depth

    def _match(self) -> None:
        self._to_page = self._to_far = None
        # Another page, or another way of counting: both streams go on without a break.
        self._source, self._near_source = self._sources(), self._sources()
        if self._agreed is None or self._page is None:
            return
        far, near = self._agreed.format, self._page.agreed.format
        if far.codec.key != near.codec.key:
            ours, theirs = codec_named(near.name), codec_named(far.name)
            self._to_page = Transcoder(theirs, ours, EncoderSettings(ptime=_PTIME))
            self._to_far = Transcoder(ours, theirs, self._encoder)

    # --- from the page

    def from_page(self, packet: RtpPacket, now: float) -> None:
        """A packet of the page's microphone."""
        agreed, page = self._agreed, self._page
        if agreed is None or page is None:
            return
        near = page.agreed
        for one in self._from_page.unwrap(packet, near.redundancy, near.format.payload_type):
            self._to_other(agreed, one, now)

    def _to_other(self, agreed: Stream, packet: RtpPacket, now: float) -> None:
        if not self._far.sending or self._far.pressing:
            self._far.continuity.skip()
        elif self._to_far is not None:
            for sequence, timestamp, payload in self._to_far.convert(packet):
                self._emit(agreed, sequence, timestamp, payload, False, now)
        else:
            self._emit(agreed, packet.sequence_number, packet.timestamp, packet.payload, packet.marker, now)

    def _emit(self, agreed: Stream, sequence: int, timestamp: int, payload: bytes, marker: bool, now: float) -> None:
        placed = self._far.continuity.place(self._source, sequence, timestamp, now)
        if placed is None:
            return
        number, stamp, fresh = placed
        if self._muted:
            payload = self._silent or payload[:0]
        kind = agreed.format.payload_type
        if agreed.redundancy is not None and self._redundancy.depth:
            payload, kind = self._redundancy.wrap(kind, stamp, payload), agreed.redundancy
        packet = RtpPacket(kind, number, stamp, self._far.continuity.ssrc or self._far.ssrc, payload, marker or fresh)
        try:
            self._far.emit_packet(packet, now)
        except NotConnectedError:
            return

    # --- from the other side

    def from_far(self, packet: RtpPacket, now: float) -> None:
        """A packet of the other side."""
        agreed, page = self._agreed, self._page
        if agreed is None or page is None:
            return
        for one in self._from_far.unwrap(packet, agreed.redundancy, agreed.format.payload_type):
            self._forward(page, one)

    def _forward(self, page: PageStream, packet: RtpPacket) -> None:
        near = page.agreed.format.payload_type
        if self._to_page is None:
            page.send(packet.ssrc, packet.sequence_number, packet.timestamp, packet.payload, near, marker=packet.marker)
            return
        for sequence, timestamp, payload in self._to_page.convert(packet):
            page.send(self._near_source, sequence, timestamp, payload, near)


def _silence_of(form: Format) -> bytes:
    """A packet of silence of a codec, as its encoder makes it after it has settled."""
    try:
        encoder = codec_named(form.name).encoder(EncoderSettings(ptime=_PTIME))
    except CodecError:
        return b""
    payload = b""
    for _ in range(_SETTLE_FRAMES):
        payload = encoder.encode(silence(encoder.frame))
    return payload
