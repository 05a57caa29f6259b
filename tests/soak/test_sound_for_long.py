"""Half an hour of a call in simulated time, over bad links and with drifting clocks: nothing adds up, no gap is heard.

No clock runs; what takes time is the sound itself. Every run has a minute of two of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from ringback.media.codecs import G722, OPUS, PCMU, Codec, EncoderSettings, opus
from ringback.media.playout import PlayOut
from tests.sound.link import Link, Sender
from tests.sound.test_play_out import longest_gap, tone
from tests.support.soak import often

MINUTES = often(1, 30)
PIECE = 20  # seconds of sound that are made, sent and listened to at a time


@dataclass(frozen=True, slots=True)
class Case:
    """``gap``: seconds of the longest one allowed (losses in runs leave longer ones); ``delay``: seconds that may be
    spent waiting once the link is known; ``guessed``: share of guesses allowed."""

    codec: Codec
    link: Link
    drift: float = 0.0
    red: int = 0
    gap: float = 0.06
    delay: float = 0.06
    guessed: float = 0.08


CASES = (
    Case(PCMU, Link(loss=0.05, jitter=0.002), drift=200.0),
    Case(OPUS, Link(loss=0.25), red=3, delay=0.12, gap=0.1),
    Case(G722, Link(loss=0.05, run=1.5, jitter=0.002, reorder=0.02), drift=-200.0, delay=0.12, gap=0.16),
    Case(opus(16000), Link(loss=0.05, jitter=0.004), drift=50.0, delay=0.09),
    Case(OPUS, Link(jitter=0.015), drift=-50.0, delay=0.16),
    Case(PCMU, Link(), drift=500.0, delay=0.04, guessed=0.01),
    Case(PCMU, Link(), drift=-500.0, delay=0.04, guessed=0.01),
)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    "case", often((CASES[0], CASES[-1]), CASES), ids=lambda case: f"{case.codec.name}-{case.link.loss}"
)
def test_a_long_call_sounds_at_its_end_as_at_its_beginning(case: Case) -> None:
    sender = Sender(case.codec, EncoderSettings(complexity=2), red=case.red, drift=case.drift)
    play_out = PlayOut(sender.formats)
    sent = sender.packets(tone(case.codec.rate, MINUTES * 60))
    arrived = case.link.carry(sent)
    delays: list[float] = []
    pieces: list[np.ndarray] = []
    gaps: list[float] = []
    place = 0
    for turn in range(MINUTES * 60 * 50 - 100):
        now = 1000.007 + turn * 0.02
        while place < len(arrived) and arrived[place][0] <= now:
            play_out.push(arrived[place][1], arrived[place][0])
            place += 1
        pieces.append(play_out.pull(now))
        if turn % 50 == 0 and turn > 500:
            delays.append(play_out.delay)
        if len(pieces) == PIECE * 50:
            if turn > PIECE * 50:
                gaps.append(longest_gap(np.concatenate(pieces), 48000))
            pieces.clear()
    facts = play_out.statistics
    assert facts.restarts == 0
    assert facts.undecodable == 0
    assert max(gaps) <= case.gap
    assert float(np.mean(delays)) < case.delay
    assert float(np.mean(delays[-10:])) < case.delay
    assert facts.concealed / facts.played < case.guessed
    if not case.link.loss:  # the play-out follows the sender's clock by this alone; guesses may be longer than the loss
        assert facts.shortened - facts.lengthened == pytest.approx(MINUTES * 60 * case.drift * 1e-6, abs=0.3)
