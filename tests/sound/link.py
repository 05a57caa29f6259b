"""A link in memory with a seed: it loses, delays, reorders and holds packets back. Time is an argument everywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ringback.media.codecs import Codec, EncoderSettings, Pcm
from ringback.media.playout import PlayOut, PlayOutFormats, PlayOutSettings
from ringback.protocols.rtp.packet import RtpPacket
from ringback.protocols.rtp.red import RedSender

SOUND, REDUNDANT = 111, 63
"""Payload types that the sender here uses."""


@dataclass(frozen=True, slots=True)
class Link:
    """``loss``: share of packets lost, in runs of ``run`` on average. Delays in seconds: ``delay`` for all, ``jitter``
    an exponential extra, ``reorder`` the share of packets that come 30 ms late. ``outages``: from, until: packets sent
    between are held and arrive together at the end (``hold``) or never.
    """

    loss: float = 0.0
    run: float = 1.0
    delay: float = 0.03
    jitter: float = 0.0
    reorder: float = 0.0
    outages: tuple[tuple[float, float], ...] = ()
    hold: bool = True
    seed: int = 1
    keeps_order: bool = False

    def carry(self, sent: Iterable[tuple[float, RtpPacket]]) -> list[tuple[float, RtpPacket]]:
        """Packets with the time of their arrival, in the order in which they arrive."""
        random = np.random.default_rng(self.seed)
        lost = False
        arrived = []
        latest = 0.0
        for at, packet in sent:
            lost = self._loses(random, lost)
            arrival = at + self.delay + (random.exponential(self.jitter) if self.jitter else 0.0)
            if self.reorder and random.random() < self.reorder:
                arrival += 0.03
            outage = next((one for one in self.outages if one[0] <= at < one[1]), None)
            if lost or (outage and not self.hold):
                continue
            if outage:
                arrival = max(arrival, outage[1] + self.delay)
            if self.keeps_order:
                latest = arrival = max(latest + 0.0001, arrival)
            arrived.append((arrival, packet))
        return sorted(arrived, key=lambda one: one[0])

    def _loses(self, random: np.random.Generator, lost: bool) -> bool:
        """A Gilbert model: a run of losses ends with 1 / run."""
        if not self.loss:
            return False
        if self.run <= 1.0:
            return bool(random.random() < self.loss)
        leave = 1.0 / self.run
        enter = self.loss * leave / (1.0 - self.loss)
        return bool(random.random() >= leave) if lost else bool(random.random() < enter)


@dataclass(frozen=True, slots=True)
class Sender:
    """Sends sound as packets. ``red``: redundant copies in each packet. ``drift``: by how much its clock runs faster
    (parts per million)."""

    codec: Codec
    settings: EncoderSettings = field(default_factory=EncoderSettings)
    red: int = 0
    drift: float = 0.0
    first_timestamp: int = 0xFFFFF000
    first_sequence: int = 65000

    def packets(self, pcm: Pcm, start: float = 1000.0) -> list[tuple[float, RtpPacket]]:
        """Each packet with the time at which it is sent: when its last sample has been spoken."""
        encoder = self.codec.encoder(self.settings)
        redundancy = RedSender(self.red)
        ticks = self.codec.clock * self.settings.ptime // 1000
        sent: list[tuple[float, RtpPacket]] = []
        for number in range(pcm.size // encoder.frame):
            payload = encoder.encode(pcm[number * encoder.frame : (number + 1) * encoder.frame])
            stamp = (self.first_timestamp + number * ticks) & 0xFFFFFFFF
            if not payload:
                continue
            kind = SOUND
            if self.red:
                payload, kind = redundancy.wrap(SOUND, stamp, payload), REDUNDANT
            at = start + (number + 1) * self.settings.ptime / 1000 / (1 + self.drift * 1e-6)
            sequence = (self.first_sequence + len(sent)) & 0xFFFF
            sent.append((at, RtpPacket(kind, sequence, stamp, 0x1234, payload)))
        return sent

    @property
    def formats(self) -> PlayOutFormats:
        """What its payload types mean."""
        return PlayOutFormats({SOUND: self.codec}, red=frozenset({REDUNDANT}))


@dataclass(frozen=True, slots=True)
class Heard:
    """What came out: ``pcm`` at ``rate``, from ``begin`` (seconds) on; ``delays`` as the play-out told them."""

    pcm: Pcm
    rate: int
    begin: float
    delays: Sequence[float]
    play_out: PlayOut


def listen(
    arrived: Sequence[tuple[float, RtpPacket]],
    formats: PlayOutFormats,
    settings: PlayOutSettings | None = None,
    *,
    phase: float = 0.007,
    seconds: float | None = None,
    begin: float = 1000.0,
    each: Callable[[float, PlayOut], None] | None = None,
) -> Heard:
    """Pull every 20 ms from ``begin`` + ``phase`` on, packets being pushed as they arrive."""
    play_out = PlayOut(formats, settings or PlayOutSettings())
    end = arrived[-1][0] + 0.2 if seconds is None else begin + seconds
    step = (settings or PlayOutSettings()).frame / 1000
    pieces, delays = [], []
    place = number = 0
    while (now := begin + phase + number * step) < end:
        while place < len(arrived) and arrived[place][0] <= now:
            play_out.push(arrived[place][1], arrived[place][0])
            place += 1
        pieces.append(play_out.pull(now))
        delays.append(play_out.statistics.delay)
        if each is not None:
            each(now, play_out)
        number += 1
    return Heard(np.concatenate(pieces), (settings or PlayOutSettings()).rate, begin + phase, delays, play_out)


def call(pcm: Pcm, sender: Sender, link: Link, settings: PlayOutSettings | None = None, phase: float = 0.007) -> Heard:
    """Sound through an encoder, a link and a play-out."""
    return listen(link.carry(sender.packets(pcm)), sender.formats, settings, phase=phase)


def reseeded(link: Link, seed: int) -> Link:
    """The same link with other dice."""
    return replace(link, seed=seed)
