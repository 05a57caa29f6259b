"""The play-out: packets go in as they arrive, 20 ms of sound come out whenever the clock of the listener ticks.

Theory of operation. Media time runs in ticks of the sender's clock. ``_position`` is the media time of the sound that
is to be decoded next; decoded sound waits in a queue whose remainder after each pull is always shorter than one pull.
The delay of a piece of sound is measured against the fastest packet (``DelayEstimate``); the target delay is what
nearly all packets keep. The two are brought together by taking out or putting in pitch periods, and by choosing how
long a silence lasts.

When the sound at ``_position`` is missing there are three cases. Later sound has come and the numbers show a gap: it
is lost, so its place is filled from the coarse copy in the next packet or by a guess. Later sound has come and no
number is missing: the sender was silent. Nothing has come: it is late or lost, nobody knows, so a guess is played and
``_held`` keeps how much; if later sound comes the guess stood for what was lost, if the missing sound comes it is
played, later than meant.
"""

from __future__ import annotations

import numpy as np

from ringback.media.codecs.base import Decoder, PayloadError, Pcm, silence
from ringback.media.codecs.opus import has_copy
from ringback.media.codecs.resample import Resampler
from ringback.media.playout.buffer import PacketBuffer, Waiting
from ringback.media.playout.concealer import Concealer
from ringback.media.playout.delay import DelayEstimate, LossEstimate
from ringback.media.playout.meter import ConcealmentMeter
from ringback.media.playout.noise import ComfortNoise
from ringback.media.playout.pace import Pace
from ringback.media.playout.queue import SoundQueue
from ringback.media.playout.stream import IncomingStream
from ringback.media.playout.types import PlayOutFormats, PlayOutSettings, PlayOutStatistics, Tally
from ringback.protocols.rtp.packet import RtpPacket

_GIVE_UP = 0.5  # seconds without anything after which a stream counts as paused
_FADED = 5.0  # seconds after which even the codec's own guess at a pause is replaced by silence
_LEARNING = 50  # packets until the link is believed to be known
_JUMP = 0.4  # seconds of delay too much that are thrown away rather than played faster
_KEPT_AFTER_JUMP = 0.2


class PlayOut:
    """One incoming stream of sound. No clock of its own: ``arrival`` and ``now`` are seconds of one monotonic clock."""

    def __init__(self, formats: PlayOutFormats, settings: PlayOutSettings | None = None) -> None:
        self._settings = settings or PlayOutSettings()
        self._frame = self._settings.frame / 1000
        self._size = self.frame
        self._stream = IncomingStream(formats)
        self._buffer = PacketBuffer()
        self._estimate = DelayEstimate(self._settings.quantile)
        self._meter = ConcealmentMeter()
        self._tally = Tally()
        self._lost_before = 0
        self._noise = ComfortNoise()
        first = next(iter(formats.codecs.values()), None)
        self._queue = SoundQueue(first.rate if first else self._settings.rate)
        self._resample_from(self._queue.rate)
        self._concealer = Concealer(self._queue.rate)
        self._decoder: Decoder | None = None
        self._decoder_type = -1
        self._codec_name = ""
        self._begin()

    def _begin(self) -> None:
        """Nothing is known of the stream that comes."""
        self._started = False
        self._position = self._sequence = 0
        self._span = self._stream.clock // 50
        self._held = 0
        self._idle = 0
        self._uncertain = 0.0
        self._silent = False
        self._loss = LossEstimate()
        self._pace = Pace(self._settings, self._tally)

    @property
    def frame(self) -> int:
        """Samples that ``pull`` gives."""
        return self._settings.rate * self._settings.frame // 1000

    @property
    def delay(self) -> float:
        """Seconds from the arrival of the fastest packet to the loudspeaker, now; 0 before anything plays."""
        return self._pace.delay or 0.0

    @property
    def statistics(self) -> PlayOutStatistics:
        """What happened so far."""
        tally, meter = self._tally, self._meter
        return PlayOutStatistics(
            received=tally.received,
            lost=self._lost_before + self._stream.lost,
            late=tally.late,
            undecodable=tally.undecodable,
            recovered_by_copy=tally.recovered_by_copy,
            recovered_by_fec=tally.recovered_by_fec,
            played=meter.played,
            concealed=meter.concealed,
            concealed_seconds=meter.seconds,
            severely_concealed_seconds=meter.severe,
            interval_ratio=meter.interval_ratio,
            interval_ratio_most=meter.interval_most,
            delay=self._pace.delay or 0.0,
            target_delay=self._pace.target,
            shortened=tally.shortened,
            lengthened=tally.lengthened,
            restarts=tally.restarts,
            codec=self._codec_name,
        )

    def set_formats(self, formats: PlayOutFormats) -> None:
        """Other payload types from now on, after a new offer and answer; sound that waits is kept."""
        self._stream.set_formats(formats)
        self._decoder_type = -1

    # -- packets in

    def push(self, packet: RtpPacket, arrival: float) -> None:
        """Take a packet in, sound or not. Never raises; what is no sound of this stream is counted and dropped."""
        if self._estimate.seen:
            entry = self._stream.follow(packet, arrival, self._estimate.base)
            if entry is not None:
                self._loss.add(entry.sequence, int(has_copy(entry.payload)) if self._codec_name == "opus" else 0)
                self._take(entry)
                self._set_target()
                return
        lost = self._stream.lost
        taken = self._stream.accept(packet, arrival, self._estimate.base if self._estimate.seen else None)
        if taken.new:
            self._restart(lost)
        if not taken.entries:
            return
        self._measure_loss(taken.entries, packet)
        for entry in taken.entries:
            self._take(entry)
        self._set_target()

    def _restart(self, lost: int) -> None:
        if self._estimate.seen:
            self._tally.restarts += 1
            self._lost_before += lost
        self._buffer.clear()
        self._estimate = DelayEstimate(self._settings.quantile)
        self._begin()

    def _measure_loss(self, entries: tuple[Waiting, ...], packet: RtpPacket) -> None:
        """Note how many packets are missing before this one, and how many earlier ones it could replace."""
        copies = len(entries) - 1 if packet.payload_type != entries[0].payload_type else 0
        if not copies and self._codec_name == "opus":
            copies = int(has_copy(entries[0].payload))
        self._loss.add(entries[0].sequence, copies)

    def _take(self, entry: Waiting) -> None:
        if entry.level == 0:
            clock = self._stream.clock
            self._tally.received += 1
            self._estimate.add(entry.arrival, (entry.start - self._stream.origin) / clock, self._span / clock)
        if self._started and entry.start < self._position - self._span // 4:
            self._tally.late += entry.level == 0
            return
        self._buffer.add(entry)

    def _set_target(self) -> None:
        estimate = self._estimate
        wanted = estimate.quantile()
        if estimate.seen < _LEARNING:
            wanted = max(wanted, self._settings.start_delay * (1 - estimate.seen / _LEARNING))
        if self._loss.waited:
            wanted += self._loss.copies_waited_for * self._span / self._stream.clock
        self._pace.aim(wanted)

    # -- sound out

    def pull(self, now: float) -> Pcm:
        """The next ``frame`` samples at the settings' rate. Never raises; silence where there is nothing to hear."""
        queue = self._queue
        need = self._need
        frame = self._frame
        guessed = 0
        late = heard = False
        while (before := queue.pending) < need:
            kind = self._fetch(now, need - before)
            if kind == "sound":
                heard = True
            elif kind == "guess":
                guessed += max(0, queue.pending - before)
                heard = True
            elif kind == "late":
                late = True
            need = self._need
        self._pace.tick()
        if late:  # nobody knows yet whether it is sound or a guess
            self._uncertain = min(60.0, self._uncertain + frame)
        elif heard or (self._started and not self._silent):  # of a silence, nothing is counted
            self._meter.add(frame, min(guessed, need) / queue.rate)
        if self._started and not self._held:  # while a guess waits, nobody knows yet whether it made the delay longer
            self._pace.follow(self._lag(now, self._position) + queue.pending / queue.rate)
        pcm = queue.take(need) if self._direct else self._resampler.process(queue.take(need))
        return pcm if len(pcm) == self._size else self._fit(pcm)

    def _settle(self, lost: bool) -> None:
        """What was late has turned out to be lost, or after its turn; otherwise the sender was silent."""
        if lost and self._uncertain:
            self._meter.add(self._uncertain, self._uncertain)
        self._uncertain = 0.0

    def _fit(self, pcm: Pcm) -> Pcm:
        """Exactly one frame, also in the moment after a change of the codec's rate."""
        return np.concatenate([pcm, silence(self.frame)])[: self.frame]

    def _fetch(self, now: float, missing: int) -> str:
        """Put something into the queue: "sound", a "guess", "late" (a guess too), "silence"; "skip": time moved on."""
        entry = self._next_entry()
        if not self._started:
            if entry is None or self._lag(now, entry.start) < self._pace.target:
                return self._fill(missing)
            self._settle(self._stream.lost_between(self._sequence, entry.sequence) > 0)
            self._start(entry)
        if entry is None:
            return self._starve(missing)
        gap = entry.start - self._position
        if gap <= self._span // 4:
            return self._play(entry, now)
        if self._stream.lost_between(self._sequence, entry.sequence):
            return self._bridge(entry, gap, now)
        return self._wait(entry, now, missing)

    def _next_entry(self) -> Waiting | None:
        first = self._buffer.first()
        if first is None or not self._started or first.start == self._position:
            return first
        earliest = self._position - self._span // 4
        if first.start >= earliest:
            return first
        self._tally.late += sum(entry.level == 0 for entry in self._buffer.drop_before(earliest))
        return self._buffer.first()

    def _lag(self, now: float, start: int) -> float:
        """By how much ``now`` is later than the fastest packet would have brought that media time."""
        stream = self._stream
        return now - (start - stream.origin) / stream.clock - self._estimate.base

    def _start(self, entry: Waiting) -> None:
        self._started = True
        self._position = entry.start
        self._sequence = entry.sequence - 1
        self._held = 0
        self._pace.delay = None

    def _play(self, entry: Waiting, now: float) -> str:
        late = self._lag(now, entry.start) - self._pace.target
        if late > _JUMP and len(self._buffer) > 1:
            return self._jump(now)
        self._buffer.pop()
        if self._uncertain:
            self._settle(True)
        if self._held:
            # Sound that came after its turn: the link, or the clock that pulls, needs more room than was thought.
            self._pace.was_late(self._held / self._stream.clock)
        self._held = 0
        self._sequence = max(self._sequence, entry.sequence)
        if entry.payload_type != self._decoder_type and self._stream.is_noise(entry.payload_type):
            self._noise.hear(entry.payload)
            self._silent = True
            self._position = entry.start + self._span
            self._queue.append(self._noise.sound(self._queue.rate * self._settings.frame // 1000))
            return "silence"
        decoder = self._decoder if entry.payload_type == self._decoder_type else self._decoder_for(entry.payload_type)
        if decoder is None:
            return "skip"
        leftover = self._queue.pending
        try:
            pcm = decoder.decode(entry.payload)
        except PayloadError:
            self._tally.undecodable += 1
            self._position = entry.start + self._span
            self._queue.append(self._guess(self._samples(self._span)))
            return "guess"
        if entry.level:
            self._tally.recovered_by_copy += 1
        self._span = len(pcm) * self._stream.clock // self._queue.rate
        self._position = entry.start + self._span
        self._silent = False
        at = self._queue.append(self._concealer.merge(pcm) if self._concealer.made else pcm)
        self._pace.adapt(self._queue, at, leftover)
        return "sound"

    def _jump(self, now: float) -> str:
        """Far too late: throw sound away, keeping a little that is then played faster."""
        while len(self._buffer) > 1:
            entry = self._buffer.first()
            if entry is None or self._lag(now, entry.start) <= self._pace.target + _KEPT_AFTER_JUMP:
                break
            self._buffer.pop()
            self._tally.late += entry.level == 0
        entry = self._buffer.first()
        if entry is not None:
            self._position = entry.start
            self._sequence = entry.sequence - 1
        self._pace.delay = None
        self._queue.append(self._guess(self._queue.rate // 100))
        return "guess"

    def _starve(self, missing: int) -> str:
        """Nothing has come: guess, without moving on, for it may still come."""
        step = self._queue.rate // 400  # codecs guess in steps of 2.5 ms
        missing = -(-missing // step) * step
        self._held += self._ticks(missing)
        if self._held > _GIVE_UP * self._stream.clock:
            self._started = False
            self._idle = 0
            return self._fill(missing)
        self._queue.append(self._guess(missing))
        return "silence" if self._silent else "late"

    def _bridge(self, entry: Waiting, gap: int, now: float) -> str:
        """Sound was lost before ``entry``."""
        self._settle(True)
        stood_for = min(gap, self._held)
        if stood_for:
            self._held -= stood_for
            self._position += stood_for
            gap -= stood_for
            if gap <= self._span // 4:
                self._held = 0
                return "skip"
        if gap > 3 * self._span and self._lag(now, entry.start) >= self._pace.target:
            self._position = entry.start  # an outage whose sound is overdue
            self._pace.delay = None
            self._queue.append(self._guess(self._queue.rate // 100))
            return "guess"
        decoder = self._decoder_for(entry.payload_type)
        if decoder is not None and gap <= self._span + self._span // 4:
            pcm = decoder.recover(entry.payload, self._samples(gap))
            if pcm is not None:
                self._tally.recovered_by_fec += 1
                self._position += gap
                leftover = self._queue.pending
                self._pace.adapt(self._queue, self._queue.append(pcm), leftover)
                return "sound"
        step = min(gap, self._span)
        self._position += step
        self._queue.append(self._guess(self._samples(step)))
        return "guess"

    def _wait(self, entry: Waiting, now: float, missing: int) -> str:
        """The sender was silent before ``entry``, which is played when its delay is right."""
        self._silent = True
        self._held = 0
        self._settle(False)
        if self._lag(now, entry.start) >= self._pace.target:
            self._position = entry.start
            self._sequence = entry.sequence - 1
            self._pace.delay = None
            return "skip"
        self._position = min(entry.start, self._position + self._ticks(missing))
        self._queue.append(self._quiet(missing))
        return "silence"

    def _fill(self, missing: int) -> str:
        """Nothing runs: what a pause sounds like."""
        self._queue.append(self._quiet(missing))
        self._idle += missing
        return "late" if self._uncertain else "silence"

    def _quiet(self, samples: int) -> Pcm:
        """What the sender's silence sounds like: Opus knows it, others told it by comfort noise or not at all."""
        codec = self._stream.codec_of(self._decoder_type)
        if (
            codec is not None
            and codec.conceals
            and self._decoder is not None
            and self._idle < _FADED * self._queue.rate
        ):
            guess = self._decoder.conceal(samples)
            if guess is not None:
                return guess
        if self._concealer.made or (self._started and not self._silent):
            return self._concealer.conceal(self._queue.sound, samples)
        return self._noise.sound(samples)

    def _guess(self, samples: int) -> Pcm:
        """Sound in the place of what is missing."""
        if self._silent:
            return self._quiet(samples)
        if self._decoder is not None:
            guess = self._decoder.conceal(samples)
            if guess is not None:
                return guess
        return self._concealer.conceal(self._queue.sound, samples)

    # -- codecs

    def _decoder_for(self, payload_type: int) -> Decoder | None:
        if payload_type == self._decoder_type:
            return self._decoder
        codec = self._stream.codec_of(payload_type)
        if codec is None:
            return None
        self._decoder = codec.decoder()
        self._decoder_type = payload_type
        self._codec_name = codec.name
        if codec.rate != self._queue.rate:
            self._queue.change_rate(codec.rate)
            self._resample_from(codec.rate)
            self._concealer = Concealer(codec.rate)
        return self._decoder

    def _resample_from(self, rate: int) -> None:
        self._resampler = Resampler(rate, self._settings.rate)
        self._direct = rate == self._settings.rate
        self._need = rate * self._settings.frame // 1000

    def _ticks(self, samples: int) -> int:
        return samples * self._stream.clock // self._queue.rate

    def _samples(self, ticks: int) -> int:
        return ticks * self._queue.rate // self._stream.clock
