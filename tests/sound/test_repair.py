"""How much is sent again: at once when the loss rises, calmly when it sinks, never more than allowed."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.media.repair import LinkFacts, Repair, decide, wishes
from ringback.media.repair.decide import CALM, LEFT, MOST_COPIES
from ringback.rules.catalogue import arguments_of, catalogue


def ids(repair: Repair) -> list[str]:
    """The reasons' ids, each of which must have its sentence and values."""
    for reason in repair.reasons:
        assert arguments_of(catalogue()[reason.id]) <= set(reason.values)
    return [reason.id for reason in repair.reasons]


@pytest.mark.parametrize(
    ("loss", "copies"), [(0.0, 0), (0.009, 0), (0.02, 1), (0.05, 1), (0.15, 2), (0.2, 2), (0.25, 3), (0.6, 3), (1.0, 3)]
)
def test_copies_follow_the_loss(loss: float, copies: int) -> None:
    repair = decide(LinkFacts(loss=loss), Repair(), 0.0)
    assert repair.settings.copies == copies
    assert not repair.settings.encoder.fec, "copies make the coarse one needless"
    assert ids(repair)[0] == ("quality.repair.clean", "quality.repair.copy", "quality.repair.copies")[min(copies, 2)]


@given(st.floats(0.01, 0.21))
def test_what_stays_lost_is_little(loss: float) -> None:
    copies = decide(LinkFacts(loss=loss), Repair(), 0.0).settings.copies
    assert loss ** (copies + 1) <= LEFT
    assert copies == 1 or loss**copies > LEFT, "and no copy is needless"


def test_without_redundancy_opus_helps_itself() -> None:
    repair = decide(LinkFacts(loss=0.08, copies_agreed=False), Repair(), 0.0)
    assert (repair.settings.copies, repair.settings.encoder.fec, repair.settings.encoder.expected_loss) == (
        0,
        True,
        0.08,
    )
    assert ids(repair) == ["quality.repair.coarse"]
    other = decide(LinkFacts(loss=0.08, codec="PCMU", copies_agreed=False), Repair(), 0.0)
    assert (other.settings.copies, other.settings.encoder.fec) == (0, False)
    assert ids(other) == ["quality.repair.no_copies"]


def test_a_rise_counts_at_once_and_a_fall_after_ten_seconds() -> None:
    repair = decide(LinkFacts(loss=0.05), Repair(), 0.0)
    repair = decide(LinkFacts(loss=0.25), repair, 1.0)
    assert repair.settings.copies == 3
    for second in range(2, 2 + int(CALM)):
        repair = decide(LinkFacts(loss=0.0), repair, float(second))
        assert repair.settings.copies == 3
        assert ids(repair) == ["quality.repair.kept"]
    repair = decide(LinkFacts(loss=0.0), repair, 2 + CALM)
    assert repair.settings.copies == 0


def test_a_loss_that_comes_and_goes_keeps_what_helps() -> None:
    repair, seen = Repair(), set()
    for second in range(120):
        repair = decide(LinkFacts(loss=0.2 if second % 4 == 0 else 0.0), repair, float(second))
        seen.add(repair.settings.copies)
    assert seen == {2}


def test_a_limit_leaves_room_for_fewer_copies() -> None:
    repair = decide(LinkFacts(loss=0.25, limit=70_000), Repair(), 0.0)
    assert repair.settings.copies == 1
    assert ids(repair) == ["quality.repair.copy", "quality.repair.limit"]
    assert decide(LinkFacts(loss=0.25, limit=30_000), Repair(), 0.0).settings.copies == 0


def test_low_bandwidth_mode_starts_and_ends_at_once() -> None:
    facts = LinkFacts(low_bandwidth=True)
    low = decide(facts, Repair(), 0.0)
    assert (low.settings.encoder.bitrate, low.settings.encoder.ptime, low.settings.encoder.dtx) == (16000, 60, True)
    assert "quality.repair.low_bandwidth" in ids(low)
    worse = decide(replace(facts, loss=0.1), low, 1.0)
    assert worse.settings.encoder.bitrate == 12000
    assert decide(LinkFacts(), worse, 2.0).settings == Repair().settings.__class__(
        0, replace(Repair().settings.encoder, bitrate=32000)
    )
    assert decide(replace(facts, codec="PCMU"), Repair(), 0.0).settings.encoder.ptime == 40


def test_the_listeners_own_limit_is_kept() -> None:
    assert decide(LinkFacts(max_bitrate=14000), Repair(), 0.0).settings.encoder.bitrate == 14000


def test_what_a_side_asks_for() -> None:
    usual, low = wishes(), wishes(low_bandwidth=True)
    assert str(usual.opus) == "minptime=10;useinbandfec=1"
    assert str(low.opus) == "minptime=10;maxplaybackrate=16000;maxaveragebitrate=16000;useinbandfec=1;usedtx=1"
    assert (usual.ptime, low.ptime, usual.copies, low.copies) == (20, 60, True, True)
    assert wishes(low_bandwidth=True, max_bitrate=12000).opus.max_bitrate == 12000


@given(st.lists(st.floats(0, 1), max_size=60), st.booleans(), st.booleans(), st.sampled_from([None, 20_000, 90_000]))
def test_any_reports_give_a_sane_answer(losses: list[float], copies: bool, low: bool, limit: int | None) -> None:
    repair = Repair()
    for second, loss in enumerate(losses):
        repair = decide(LinkFacts(loss, copies_agreed=copies, low_bandwidth=low, limit=limit), repair, float(second))
        assert 0 <= repair.settings.copies <= (MOST_COPIES if copies else 0)
        assert repair.reasons
        ids(repair)
