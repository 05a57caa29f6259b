"""A conference of any number of legs with any codecs: each hears all others, 20 ms at a time.

The loop's thread takes packets in and sends; the hub's thread does the sound (`Conference.compute`): plays out, mixes,
encodes. What passes between them are deques and tuples that are replaced as a whole, never changed in place.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ringback.media.codecs import Codec, Encoder, EncoderSettings, Pcm, Resampler
from ringback.media.conference.mixer import Mix, Mixer, clipped
from ringback.media.players.sound import Sound
from ringback.media.playout import PlayOut, PlayOutFormats, PlayOutSettings, PlayOutStatistics
from ringback.media.transport.errors import NotConnectedError
from ringback.media.transport.leg import RtpLeg
from ringback.protocols.rtp.packet import RtpPacket

WIDE, NARROW = 16000, 8000  # Hz: as most of today's phones hear; where all parties are old ones
_INBOX = 100  # packets that wait for the next beat; a jam of the machine drops the oldest
_MOST_DELAY = 0.3  # seconds; a party with a worse link is heard with gaps rather than later than people bear
_SETTINGS = EncoderSettings(complexity=2)  # nobody hears the difference of higher ones at 16 kHz


class Seat:
    """A party's place. ``muted``: it hears and isn't heard. ``deaf``: it is sent nothing (on hold)."""

    def __init__(self, leg: RtpLeg, formats: PlayOutFormats, codec: Codec, payload_type: int) -> None:
        self.leg = leg
        self.muted = False
        self.deaf = False
        self.talking = False
        self.codec = codec
        self.payload_type = payload_type
        self.settings = _SETTINGS
        self.inbox: deque[tuple[RtpPacket, float]] = deque(maxlen=_INBOX)
        self.formats = formats
        self._playout: PlayOut | None = None
        self._stream = leg.stream()
        self._own: _Voice | None = None
        self.rate = 0  # until the first beat
        self.narrow = all(one.rate <= NARROW for one in (codec, *formats.codecs.values()))
        """Whether nothing above telephone quality comes from here or goes here."""
        self.kind = (codec.name, codec.rate, self.settings)
        """Seats of one kind that hear the same are sent the same."""

    @property
    def statistics(self) -> PlayOutStatistics:
        """What the conference heard of this party, as far as sound goes."""
        return PlayOutStatistics() if self._playout is None else self._playout.statistics

    def work_at(self, rate: int) -> None:
        """Between two beats: give and take sound at another rate from now on."""
        self._playout = None
        self._own = None
        self.rate = rate

    def hear(self, packet: RtpPacket, arrival: float) -> None:
        """A packet of this party."""
        self.inbox.append((packet, arrival))

    def pull(self, now: float) -> Pcm:
        """In the hub's thread: its next 20 ms."""
        playout = self._playout
        if playout is None:
            playout = self._playout = PlayOut(self.formats, PlayOutSettings(rate=self.rate, most_delay=_MOST_DELAY))
        while self.inbox:
            playout.push(*self.inbox.popleft())
        return playout.pull(now)

    def encode_own(self, pcm: Pcm) -> bytes:
        """In the hub's thread: with an encoder of its own."""
        if self._own is None:
            self._own = _Voice(self.codec, self.settings, self.rate)
        return self._own.encode(pcm)

    def send(self, payload: bytes, beat: int) -> None:
        """On the loop: what it hears in this beat."""
        if not self.deaf and not self.leg.closed:
            try:
                self._stream.send(payload, self.payload_type, beat * (self.codec.clock // 50))
            except NotConnectedError:  # an address is signalled later
                return


class _Voice:
    """An encoder and the way to its rate."""

    def __init__(self, codec: Codec, settings: EncoderSettings, rate: int) -> None:
        self._encoder: Encoder = codec.encoder(settings)
        self._resampler = Resampler(rate, self._encoder.rate)
        self._direct = self._encoder.rate == rate

    def encode(self, pcm: Pcm) -> bytes:
        return self._encoder.encode(pcm if self._direct else self._resampler.process(pcm))


@dataclass(frozen=True, slots=True)
class Beat:
    """The outcome of 20 ms: for each seat its payload, and who is heard, who leads the talk first."""

    number: int
    payloads: tuple[tuple[Seat, bytes], ...]
    talkers: tuple[Seat, ...]


class Conference:
    """Made by the hub. ``on_talkers(seats)`` tells on the loop when that changes."""

    def __init__(self, loudest: int = 3) -> None:
        self.on_talkers: Callable[[tuple[Seat, ...]], None] | None = None
        self.seats: tuple[Seat, ...] = ()
        self._loudest = loudest
        self._rate = WIDE
        self._mixer: Mixer[Seat] = Mixer(WIDE // 50, loudest)
        self._mixed: tuple[Seat, ...] = ()
        self._shared: dict[tuple[str, int, EncoderSettings], _Voice] = {}
        self._notices: deque[Sound] = deque(maxlen=8)
        self._notice: Pcm | None = None
        self._talkers: tuple[Seat, ...] = ()
        self._next = 0.0
        self._number = 0

    def join(self, leg: RtpLeg, formats: PlayOutFormats, codec: Codec, payload_type: int) -> Seat:
        """Seat a leg: ``formats`` say what it sends, ``codec`` and ``payload_type`` what it shall be sent."""
        seat = Seat(leg, formats, codec, payload_type)
        leg.on_rtp = seat.hear
        leg.read_at_beats(wanted=True)
        self.seats = (*self.seats, seat)
        return seat

    def leave(self, seat: Seat) -> None:
        """Free a seat; the leg stays open. Leaving again does nothing."""
        if seat in self.seats:
            self.seats = tuple(one for one in self.seats if one is not seat)
            if seat.leg.on_rtp == seat.hear:
                seat.leg.on_rtp = None
                seat.leg.read_at_beats(wanted=False)

    def play(self, sound: Sound) -> None:
        """Let everybody hear a short sound, such as a beep when somebody joins. It must not repeat."""
        self._notices.append(sound)

    def compute(self, now: float) -> tuple[Beat, ...]:
        """In the hub's thread: all frames that are due. After a long stall, what was missed is left out."""
        if not self._next:
            self._next = now
        behind = int((now - self._next) / 0.02)
        if behind > 3:
            self._next += behind * 0.02
            self._number += behind
        beats = []
        while self._next <= now:
            beats.append(self._beat(self._next))
            self._next += 0.02
        return tuple(beats)

    def deliver(self, beat: Beat) -> None:
        """On the loop: send what was computed."""
        for seat, payload in beat.payloads:
            if payload:
                seat.send(payload, beat.number)
        if beat.talkers != self._talkers:
            self._talkers = beat.talkers
            for seat in self.seats:
                seat.talking = seat in beat.talkers
            if self.on_talkers is not None:
                self.on_talkers(beat.talkers)

    def _beat(self, now: float) -> Beat:
        seats = self.seats
        self._work_at(seats, NARROW if all(seat.narrow for seat in seats) else WIDE)
        if seats is not self._mixed:
            self._mixed = seats
            self._mixer.keep(frozenset(seats))  # else the legs of all who ever came would be kept until the end
        frames = {seat: seat.pull(now) for seat in seats}
        mix = self._mixer.mix({seat: frame for seat, frame in frames.items() if not seat.muted})
        mix = self._with_notice(mix)
        self._number += 1
        encoded: dict[tuple[str, int, EncoderSettings], bytes] = {}
        payloads = []
        for seat in seats:
            if seat.deaf:
                continue
            own = mix.own.get(seat)
            if own is not None:
                payloads.append((seat, seat.encode_own(own)))
                continue
            key = seat.kind
            payload = encoded.get(key)
            if payload is None:
                payload = encoded[key] = self._voice(key, seat).encode(mix.shared)
            payloads.append((seat, payload))
        return Beat(self._number, tuple(payloads), mix.talkers)

    def _work_at(self, seats: tuple[Seat, ...], rate: int) -> None:
        """The rate of this beat: sound is never made wider than somebody can hear."""
        if rate != self._rate:
            self._rate = rate
            self._mixer = Mixer(rate // 50, self._loudest)
            self._shared.clear()
            self._notice = None
        for seat in seats:
            if seat.rate != rate:
                seat.work_at(rate)

    def _voice(self, key: tuple[str, int, EncoderSettings], seat: Seat) -> _Voice:
        voice = self._shared.get(key)
        if voice is None:
            voice = self._shared[key] = _Voice(seat.codec, seat.settings, self._rate)
        return voice

    def _with_notice(self, mix: Mix[Seat]) -> Mix[Seat]:
        if self._notice is None or not len(self._notice):
            if not self._notices:
                return mix
            sound = self._notices.popleft()
            self._notice = Resampler(sound.rate, self._rate).process(sound.pcm)
        size = self._rate // 50
        part, self._notice = self._notice[:size], self._notice[size:]
        part = np.concatenate([part, np.zeros(size - len(part), np.int16)])

        def add(pcm: Pcm) -> Pcm:
            return clipped(pcm.astype(np.int32) + part)

        return replace(mix, shared=add(mix.shared), own={seat: add(pcm) for seat, pcm in mix.own.items()})
