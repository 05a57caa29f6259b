"""Speech over bad links, judged by PESQ-WB (ITU-T P.862.2) and STOI, with the repair that measured loss asks for.

The speech is a person's, from the package linphone-common; espeak-ng's is far from what PESQ was made for.
"""

from pathlib import Path

import pytest

from ringback.media.codecs import ALL, G722, OPUS, PCMA, PCMU, Codec
from ringback.media.repair import LinkFacts, Repair, decide
from tests.sound.link import Heard, Link, Sender, call
from tests.sound.speech import converted, judged, spoken_by_a_person

PERSON = Path("/usr/share/sounds/linphone/hello16000.wav")


def heard_over(codec: Codec, link: Link, copies: int | None = None) -> tuple[float, float, Heard]:
    """PESQ, STOI and the rest; as many copies as the repair decides for the link's loss, unless told."""
    spoken = converted(spoken_by_a_person(PERSON, 16000), 16000, codec.rate)
    chosen = decide(LinkFacts(loss=link.loss, codec=codec.name), Repair(), 0.0).settings
    sender = Sender(codec, chosen.encoder, red=chosen.copies if copies is None else copies)
    heard = call(spoken, sender, link)
    return *judged(spoken, codec.rate, heard.pcm, heard.rate), heard


@pytest.mark.parametrize(("codec", "least"), [(OPUS, 3.9), (G722, 3.7), (PCMU, 3.6), (PCMA, 3.6)])
def test_a_clean_link_spoils_nothing(codec: Codec, least: float) -> None:
    score, intelligible, _ = heard_over(codec, Link())
    assert score >= least
    assert intelligible >= 0.975


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_a_quarter_of_all_packets_lost_leaves_good_speech(seed: int) -> None:
    score, intelligible, heard = heard_over(OPUS, Link(loss=0.25, jitter=0.003, seed=seed))
    assert score >= 2.7
    assert intelligible >= 0.96
    assert heard.play_out.statistics.recovered_by_copy > 80


def test_without_repair_the_same_link_would_not_do() -> None:
    score, intelligible, _ = heard_over(OPUS, Link(loss=0.25, jitter=0.003), copies=0)
    assert score < 2.2
    assert intelligible < 0.96


@pytest.mark.parametrize("loss", [0.02, 0.05, 0.1, 0.15])
def test_repair_fits_the_loss(loss: float) -> None:
    score, intelligible, _ = heard_over(OPUS, Link(loss=loss, jitter=0.003, seed=5))
    assert score >= 2.7
    assert intelligible >= 0.95


@pytest.mark.parametrize("codec", ALL[1:], ids=lambda codec: codec.name)
def test_codecs_without_concealment_of_their_own_bear_five_percent(codec: Codec) -> None:
    score, intelligible, _ = heard_over(codec, Link(loss=0.05), copies=0)
    assert score >= 2.4
    assert intelligible >= 0.93


def test_jitter_alone_leaves_good_speech() -> None:
    score, intelligible, _ = heard_over(OPUS, Link(jitter=0.02, keeps_order=True))
    assert score >= 2.7
    assert intelligible >= 0.95


def test_low_bandwidth_mode_stays_good_with_a_quarter_of_the_bits() -> None:
    spoken = spoken_by_a_person(PERSON, 48000)
    chosen = decide(LinkFacts(low_bandwidth=True), Repair(), 0.0).settings
    sender = Sender(OPUS, chosen.encoder)
    octets = sum(len(packet.payload) + 40 for _, packet in sender.packets(spoken))
    assert octets * 8 / (spoken.size / 48000) < 24000, "with the headers of IP, UDP and RTP"
    heard = call(spoken, sender, Link())
    score, intelligible = judged(spoken, 48000, heard.pcm, heard.rate)
    assert score >= 3.0
    assert intelligible >= 0.94
