"""Repair in a whole call: the listener's reports change what is sent, and what is sent changes what is heard."""

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from ringback.media.codecs import OPUS
from ringback.media.playout import PlayOut, PlayOutFormats
from ringback.media.repair import LinkFacts, Repair, decide
from ringback.protocols.rtp.packet import RtpPacket
from ringback.protocols.rtp.reception import SourceStatistics
from ringback.protocols.rtp.red import RedSender
from tests.sound.link import REDUNDANT, SOUND
from tests.sound.speech import speech

REPORT_EVERY = 1.0  # seconds
TRIP = 0.03  # seconds, one way


@dataclass
class Call:
    """A sender, a link whose loss changes, and a listener who reports."""

    losses: list[tuple[float, float]]
    play_out: PlayOut = field(
        default_factory=lambda: PlayOut(PlayOutFormats({SOUND: OPUS}, red=frozenset({REDUNDANT})))
    )
    counted: SourceStatistics = field(default_factory=lambda: SourceStatistics(1, 48000))
    repair: Repair = field(default_factory=Repair)
    copies: list[int] = field(default_factory=list)
    guessed: list[float] = field(default_factory=list)

    def run(self, seconds: int) -> None:
        """Speak for so long."""
        random = np.random.default_rng(11)
        encoder, redundancy = OPUS.encoder(), RedSender(0)
        spoken = speech(48000)
        under_way: deque[tuple[float, RtpPacket]] = deque()
        for number in range(seconds * 50):
            now = 10.0 + number * 0.02
            if number and number % int(REPORT_EVERY * 50) == 0:
                self._report(now)
                encoder.tune(self.repair.settings.encoder)
                redundancy.depth = self.repair.settings.copies
            at = number * encoder.frame % (spoken.size - encoder.frame)
            payload = redundancy.wrap(SOUND, number * 960, encoder.encode(spoken[at : at + encoder.frame]))
            loss = next(share for since, share in reversed(self.losses) if number * 0.02 >= since)
            if random.random() >= loss:
                packet = RtpPacket(REDUNDANT, number & 0xFFFF, number * 960 & 0xFFFFFFFF, 1, payload)
                under_way.append((now + TRIP, packet))
            while under_way and under_way[0][0] <= now:
                arrival, packet = under_way.popleft()
                self.counted.received(packet.sequence_number, packet.timestamp, len(packet.payload), arrival)
                self.play_out.push(packet, arrival)
            self.play_out.pull(now)

    def _report(self, now: float) -> None:
        lost = self.counted.report(0, 0).fraction_lost / 256
        self.repair = decide(LinkFacts(loss=lost), self.repair, now)
        self.copies.append(self.repair.settings.copies)
        self.guessed.append(self.play_out.statistics.concealed)

    def guessed_between(self, begin: int, end: int) -> float:
        """Seconds of sound guessed between two reports."""
        return self.guessed[end] - self.guessed[begin]


def test_a_link_that_gets_bad_is_repaired_within_a_report_or_two() -> None:
    call = Call([(0.0, 0.0), (10.0, 0.25)])
    call.run(40)
    assert set(call.copies[:9]) == {0}
    assert min(call.copies[12:]) >= 2, "one second of 50 packets misjudges a quarter by a little"
    assert call.guessed_between(9, 12) > 0.3, "before the first report nothing helps"
    assert call.guessed_between(13, 38) / 25 < 0.025, "then at most one packet in forty is missing"


def test_copies_end_when_the_link_is_good_again() -> None:
    call = Call([(0.0, 0.25), (12.0, 0.0)])
    call.run(50)
    assert max(call.copies[:12]) == 3
    assert set(call.copies[-10:]) == {0}
    assert call.play_out.statistics.delay < 0.1, "and the listener stops waiting for them"
