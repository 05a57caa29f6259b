"""The E-model against its own recommendation, and what a person is told of a call."""

from dataclasses import replace
from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.rules.call_quality import (
    CallFacts,
    CallVerdict,
    Cause,
    DirectionFacts,
    PartFacts,
    SteadyWord,
    Way,
    Word,
    judge,
    judge_direction,
)
from ringback.rules.catalogue import arguments_of, catalogue, render
from ringback.rules.e_model import IMPAIRMENTS, basic_rating, delay_impairment, opinion_score, rate
from ringback.rules.voice_metrics import StreamStatistics, VoiceMetrics

CLEAN = DirectionFacts("opus", packets=250, delay=0.08)


def said(verdict: CallVerdict) -> str:
    """All sentences of a verdict; fails where one is missing or a value is."""
    reasons = [verdict.verdict, verdict.cause, verdict.remedy, verdict.receiving.deciding, verdict.sending.deciding]
    for reason in filter(None, reasons):
        assert arguments_of(catalogue()[reason.id]) <= set(reason.values), reason.id
    return " | ".join(render(reason) for reason in reasons[:3] if reason)


def told(receiving: DirectionFacts, sending: DirectionFacts = CLEAN, *, low: bool = False) -> str:
    """What is said of a call with Priya."""
    return said(judge(CallFacts("Priya", receiving, sending, low)))


def test_the_default_rating_is_that_of_the_recommendation() -> None:
    assert basic_rating() == pytest.approx(93.2, abs=0.05)
    assert opinion_score(93.2) == pytest.approx(4.41, abs=0.005)
    assert [opinion_score(r) for r in (-5, 0, 100, 120)] == [1.0, 1.0, 4.5, 4.5]
    assert opinion_score(50) == pytest.approx(2.58, abs=0.01), "table B.1: all users dissatisfied"
    assert opinion_score(80) == pytest.approx(4.03, abs=0.01), "table B.1: satisfied"


def test_delay_costs_little_up_to_150_ms_and_much_beyond() -> None:
    costs = [delay_impairment(milliseconds) for milliseconds in (0, 50, 100, 150, 200, 300, 400)]
    assert costs == sorted(costs)
    assert costs[3] < 5
    assert costs[5] - costs[3] > 10


def test_values_of_g113_for_loss() -> None:
    without = rate("PCMU", 0.0, 0.0).r
    assert without - rate("PCMU", 0.05, 0.0).r == pytest.approx(95 * 5 / (5 + 25.1))
    assert without - rate("G729", 0.0, 0.0).r == pytest.approx(11)
    assert rate("PCMU", 0.05, 0.0, burst=2.0).r < rate("PCMU", 0.05, 0.0).r


@given(
    st.sampled_from([*IMPAIRMENTS, "SOMETHING"]),
    st.floats(-0.5, 2),
    st.floats(-1, 5),
    st.floats(0.1, 20),
    st.sampled_from([None, 6000, 64000]),
)
def test_any_measurement_gives_a_score(
    codec: str, lost: float, delay: float, burst: float, bitrate: int | None
) -> None:
    rating = rate(codec, lost, delay, burst=burst, bitrate=bitrate)
    assert 0 <= rating.r <= 100
    assert 1 <= rating.score <= 4.5


@given(st.sampled_from(list(IMPAIRMENTS)), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_more_loss_or_delay_is_never_better(codec: str, lost: float, more: float, delay: float, later: float) -> None:
    assert rate(codec, min(1, lost + more), delay + later).r <= rate(codec, lost, delay).r + 1e-9


def test_a_good_call_is_said_to_be_good() -> None:
    assert told(CLEAN) == "You and Priya hear each other well"
    assert told(DirectionFacts(), DirectionFacts()) == "Nothing has been heard of this call yet"


def test_a_bad_link_that_was_repaired_is_told() -> None:
    assert told(replace(CLEAN, loss=0.12, gaps=0.003)) == (
        "You and Priya hear each other well | The network loses 12 of 100 packets. Copies fill the gaps"
    )


def test_small_gaps_of_the_own_network() -> None:
    lossy = replace(CLEAN, loss=0.03, gaps=0.03, parts=(PartFacts(Way.OWN, 0.03), PartFacts(Way.PAGE)))
    assert told(CLEAN, lossy) == (
        "Priya hears you with small gaps | Your network loses 3 of 100 packets | "
        "Use a cable, or move closer to the Wi-Fi access point"
    )


@pytest.mark.parametrize(
    ("facts", "cause", "sentence"),
    [
        ({"gaps": 0.15, "loss": 0.15}, Cause.LOSS, "You hear only parts of what Priya says"),
        ({"gaps": 0.03, "loss": 0.03, "parts": (PartFacts(Way.PAGE, 0.03),)}, Cause.LOSS_PAGE, "this page and your"),
        ({"gaps": 0.03, "loss": 0.03, "parts": (PartFacts(Way.OWN),)}, Cause.LOSS_OTHER, "On Priya's side 3 of 100"),
        ({"gaps": 0.03, "loss": 0.03, "parts": (PartFacts(Way.OTHER, 0.03),)}, Cause.LOSS_OTHER, "Only Priya can"),
        ({"gaps": 0.04, "loss": 0.0, "jitter": 0.09}, Cause.JITTER, "come up to 90 milliseconds late"),
        ({"gaps": 0.04, "loss": 0.0, "late": 0.1}, Cause.COMPUTER, "This computer is too busy"),
        ({"delay": 0.6}, Cause.DELAY, "You hear Priya late | The sound is 600 milliseconds on the way"),
        ({"bitrate": 8000}, Cause.CODEC, "Priya sounds dull to you"),
        ({"packets": 0, "silent_for": 4.0}, Cause.NOTHING_HEARD, "No sound has come from Priya for 4 s"),
    ],
)
def test_causes_are_named(facts: dict[str, object], cause: Cause, sentence: str) -> None:
    changed = replace(CLEAN, **facts)  # type: ignore[arg-type]  # names and values from the table above
    verdict = judge(CallFacts("Priya", changed, CLEAN))
    assert verdict.receiving.cause is cause
    assert sentence in said(verdict)


def test_a_muted_speaker_is_no_fault() -> None:
    assert judge_direction(replace(CLEAN, packets=0, silent_for=60.0, muted=True)).cause is Cause.NONE


def test_both_directions_alike_are_told_as_one() -> None:
    late = replace(CLEAN, delay=0.6)
    assert told(late, late).startswith("You and Priya hear each other late")


def test_low_bandwidth_mode_is_offered_once() -> None:
    lossy = replace(CLEAN, loss=0.2, gaps=0.1, parts=(PartFacts(Way.OWN, 0.2),))
    assert told(lossy).endswith("Turn on low-bandwidth mode")
    assert "low-bandwidth" not in told(lossy, low=True)


PARTS = ((), *((PartFacts(way, 0.3),) for way in Way))
LINKS = product((0.001, 0.03, 0.3), (0.0, 0.03, 0.3), (0.0, 0.2), (0.0, 0.1), PARTS)
CHOICES = (
    CLEAN,
    DirectionFacts(),
    replace(CLEAN, delay=0.6),
    replace(CLEAN, bitrate=8000),
    replace(CLEAN, packets=0, silent_for=5.0),
    *(
        replace(CLEAN, gaps=gaps, loss=loss, jitter=jitter, late=late, parts=parts)
        for gaps, loss, jitter, late, parts in LINKS
    ),
)


def test_every_verdict_has_its_sentences_and_every_sentence_its_verdict() -> None:
    given_out = set()
    for receiving, sending, low in product(CHOICES, CHOICES, (False, True)):
        verdict = judge(CallFacts("Priya", receiving, sending, low))
        said(verdict)
        reasons = (verdict.verdict, verdict.cause, verdict.remedy, verdict.receiving.deciding)
        given_out |= {reason.id for reason in reasons if reason}
    written = {one for one in catalogue() if one.startswith("quality.") and not one.startswith("quality.repair.")}
    assert given_out == written


def test_shown_words_change_slowly() -> None:
    shown = SteadyWord().observe(Word.GOOD, 0.0)
    assert shown.word is Word.GOOD, "the first known word shows at once"
    changes: list[tuple[float, Word]] = []
    before: Word = shown.word
    for tenth in range(1, 600):
        now = tenth / 10
        moment = Word.POOR if (20 <= now < 22) or (30 <= now < 40) else Word.GOOD
        shown = shown.observe(moment, now)
        if shown.word is not before:
            changes.append((round(now, 1), shown.word))
            before = shown.word
    assert changes == [(33.0, Word.POOR), (43.0, Word.GOOD)]


@given(st.lists(st.tuples(st.floats(0.01, 2), st.sampled_from(list(Word))), max_size=200))
def test_words_never_flicker(steps: list[tuple[float, Word]]) -> None:
    shown, now, changed = SteadyWord(), 0.0, []
    for step, word in steps:
        now += step
        before = shown.word
        shown = shown.observe(word, now)
        if shown.word is not before:
            changed.append(now)
    assert all(later - earlier >= 5 for earlier, later in pairwise(changed))


def test_metrics_as_records_and_phones_write_them() -> None:
    metrics = VoiceMetrics(0.0017, 0, 0.0077, 2, 0, "PCMU", 4, 30, 0, 1, 281, 12, 4.21, 3.52)
    assert str(metrics) == (
        "CCR=0.0017;ICR=0.0000;ICRmx=0.0077;CS=2;SCS=0;Ver=0.90;VoRxCodec=PCMU;CID=4;VoPktSizeMs=30;"
        "VoPktLost=0;VoPktDis=1;VoOneWayDelayMs=281;maxJitter=12;MOScq=4.21;MOSlq=3.52"
    )
    assert '"' not in str(VoiceMetrics(codec='x"\r\ny'))


def test_statistics_of_a_phone_are_read() -> None:
    text = 'Dur=13,Pkt=408,Oct=97680,LatePkt=8,LostPkt=2,AvgJit=3,VQMetrics="CCR=0.0017;ICR=0.0000; ICRmx=0.0077;CS=2"'
    read = StreamStatistics.read(text)
    assert read == StreamStatistics(13, 408, 97680, 8, 2, 3, "CCR=0.0017;ICR=0.0000;ICRmx=0.0077;CS=2")
    assert StreamStatistics.read(read.received()) == read
    assert StreamStatistics.read(read.sent()) == StreamStatistics(13, 408, 97680)


@given(st.text(max_size=300))
def test_any_statistics_text_is_read_or_empty(text: str) -> None:
    read = StreamStatistics.read(text)
    assert StreamStatistics.read(read.received()).packets == read.packets
