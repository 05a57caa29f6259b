"""How a call is heard, said to a person: a word, one sentence from the listener's side, its cause and what helps.

Pure: the evidence of the last few seconds goes in, a verdict with reasons comes out. The words shown change slowly
(``SteadyWord``); the figures need not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from ringback.rules.e_model import Rating, rate
from ringback.rules.reasons import Reason

GOOD, FAIR = 80.0, 60.0
"""R from which a direction is good, or fair (G.109: 80 satisfied, 60 nearly all dissatisfied below)."""

CHANGE_EVERY, BELIEVE_AFTER = 5.0, 3.0
"""Seconds: a shown word changes at most so often, and only after the new state has lasted."""

_NOTICEABLE = 0.005  # share of lost or guessed sound worth a sentence
_JITTER = 0.03  # seconds
_BUSY = 0.02  # share of turns that the computer was late


class Word(StrEnum):
    """What is shown of one direction."""

    UNKNOWN = "unknown"
    GOOD = "good"
    FAIR = "fair"
    POOR = "poor"


_RANK = {Word.UNKNOWN: 0, Word.GOOD: 1, Word.FAIR: 2, Word.POOR: 3}


class Way(StrEnum):
    """A part of the way of the sound: from page to engine, the own network, and what is behind it."""

    PAGE = "page"
    OWN = "own"
    OTHER = "other"


class Cause(StrEnum):
    """What spoils a direction most."""

    NONE = "none"
    NOTHING_HEARD = "nothing-heard"
    COMPUTER = "computer"
    CODEC = "codec"
    DELAY = "delay"
    JITTER = "jitter"
    LOSS_PAGE = "loss-page"
    LOSS_OWN = "loss-own"
    LOSS_OTHER = "loss-other"
    LOSS = "loss"


@dataclass(frozen=True, slots=True)
class PartFacts:
    """What was measured on a part of the way. ``loss``: share of packets lost there, 0 to 1; ``jitter`` in seconds."""

    way: Way
    loss: float = 0.0
    jitter: float = 0.0


@dataclass(frozen=True, slots=True)
class DirectionFacts:
    """One direction in the last seconds.

    ``packets``: how many came; ``silent_for``: seconds since the last one. ``loss``: share of packets that the network
    lost; ``gaps``: share of sound that had to be guessed after all repair. ``jitter`` and ``delay`` (mouth to ear) in
    seconds. ``burst``: mean run of losses against random ones. ``late``: share of turns for which the computer came
    too late. ``parts``: where on the way things were measured, in its order. ``muted``: the speaker sends silence on
    purpose.
    """

    codec: str = ""
    packets: int = 0
    silent_for: float = 0.0
    loss: float = 0.0
    gaps: float = 0.0
    jitter: float = 0.0
    delay: float = 0.0
    burst: float = 1.0
    bitrate: int | None = None
    late: float = 0.0
    parts: tuple[PartFacts, ...] = ()
    muted: bool = False


@dataclass(frozen=True, slots=True)
class DirectionQuality:
    """A direction judged. ``word`` is that of this moment; ``deciding``: the one number that decided, as a reason."""

    word: Word
    rating: Rating | None
    cause: Cause
    deciding: Reason | None


@dataclass(frozen=True, slots=True)
class CallFacts:
    """Both directions, and what the other is called. ``low_bandwidth``: the mode is on already."""

    name: str
    receiving: DirectionFacts
    sending: DirectionFacts
    low_bandwidth: bool = False


@dataclass(frozen=True, slots=True)
class CallVerdict:
    """``word``: of the worse direction. ``verdict``, ``cause``, ``remedy``: sentences, the latter two where known."""

    word: Word
    verdict: Reason
    cause: Reason | None
    remedy: Reason | None
    receiving: DirectionQuality
    sending: DirectionQuality


def judge(facts: CallFacts) -> CallVerdict:
    """Judge a call from the evidence of the last seconds."""
    receiving, sending = judge_direction(facts.receiving), judge_direction(facts.sending)
    if receiving.word is Word.UNKNOWN and sending.word is Word.UNKNOWN:
        return CallVerdict(
            Word.UNKNOWN, Reason.of("quality.verdict.unknown", name=facts.name), None, None, receiving, sending
        )
    outwards = _RANK[sending.word] > _RANK[receiving.word]
    worse, measured = (sending, facts.sending) if outwards else (receiving, facts.receiving)
    both = worse.word is not Word.GOOD and sending.word == receiving.word and sending.cause == receiving.cause
    verdict = _verdict(worse, facts.name, "both" if both else "sending" if outwards else "receiving")
    if worse.word is Word.GOOD:
        return CallVerdict(Word.GOOD, verdict, _repaired(measured), None, receiving, sending)
    cause = _cause(worse.cause, measured, facts.name, outwards)
    return CallVerdict(worse.word, verdict, cause, _remedy(worse.cause, facts, outwards), receiving, sending)


def judge_direction(facts: DirectionFacts) -> DirectionQuality:
    """Judge one direction."""
    if not facts.packets and not facts.silent_for:
        return DirectionQuality(Word.UNKNOWN, None, Cause.NONE, None)
    if facts.silent_for >= BELIEVE_AFTER and not facts.muted:
        number = Reason.of("quality.number.silent", seconds=round(facts.silent_for))
        return DirectionQuality(Word.POOR, None, Cause.NOTHING_HEARD, number)
    rating = rate(facts.codec, facts.gaps, facts.delay, burst=facts.burst, bitrate=facts.bitrate)
    word = word_of(rating.r)
    cause = Cause.NONE if word is Word.GOOD else _worst(rating, facts)
    return DirectionQuality(word, rating, cause, _deciding(cause, facts))


def word_of(r: float) -> Word:
    """The word of a rating."""
    return Word.GOOD if r >= GOOD else Word.FAIR if r >= FAIR else Word.POOR


def _worst(rating: Rating, facts: DirectionFacts) -> Cause:
    if rating.by_delay >= max(rating.by_loss, rating.by_codec):
        return Cause.COMPUTER if facts.late >= _BUSY else Cause.DELAY
    if rating.by_codec > rating.by_loss:
        return Cause.CODEC
    if facts.late >= _BUSY and facts.loss < facts.gaps / 2:
        return Cause.COMPUTER
    if facts.loss < facts.gaps / 2 and facts.jitter >= _JITTER:
        return Cause.JITTER
    return _where_lost(facts)


def _where_lost(facts: DirectionFacts) -> Cause:
    """The part of the way that loses most, so far as it is known."""
    lossy = [part for part in facts.parts if part.loss >= _NOTICEABLE]
    if not lossy:
        # Every part that was measured is clean, so the loss is on one that was not: behind the own network.
        return Cause.LOSS_OTHER if any(part.way is Way.OWN for part in facts.parts) else Cause.LOSS
    most = max(lossy, key=lambda part: part.loss)
    return {Way.PAGE: Cause.LOSS_PAGE, Way.OWN: Cause.LOSS_OWN, Way.OTHER: Cause.LOSS_OTHER}[most.way]


def _deciding(cause: Cause, facts: DirectionFacts) -> Reason:
    if cause is Cause.DELAY:
        return Reason.of("quality.number.delay", ms=_milliseconds(facts.delay))
    if cause is Cause.JITTER:
        return Reason.of("quality.number.jitter", ms=_milliseconds(facts.jitter))
    if cause is Cause.CODEC:
        return Reason.of("quality.number.codec", codec=facts.codec)
    if facts.gaps < _NOTICEABLE:
        return Reason.of("quality.number.whole")
    return Reason.of("quality.number.gaps", count=_of_hundred(facts.gaps))


def _verdict(worse: DirectionQuality, name: str, side: str) -> Reason:
    if worse.word is Word.GOOD:
        return Reason.of("quality.verdict.good", name=name)
    heard = {
        Cause.NOTHING_HEARD: "silent",
        Cause.DELAY: "late",
        Cause.CODEC: "dull",
    }.get(worse.cause, "gaps" if worse.word is Word.FAIR else "broken")
    return Reason.of(f"quality.verdict.{heard}.{side}", name=name)


def _repaired(facts: DirectionFacts) -> Reason | None:
    """A good call over a bad link deserves to be told."""
    if facts.loss < 0.02 or facts.gaps > facts.loss / 2:
        return None
    return Reason.of("quality.cause.repaired", count=_of_hundred(facts.loss))


def _cause(cause: Cause, facts: DirectionFacts, name: str, outwards: bool) -> Reason:
    lost = _of_hundred(max((part.loss for part in facts.parts), default=0.0) or facts.loss or facts.gaps)
    side = "sending" if outwards else "receiving"
    match cause:
        case Cause.NOTHING_HEARD:
            return Reason.of(f"quality.cause.nothing.{side}", name=name, seconds=round(facts.silent_for))
        case Cause.DELAY:
            return Reason.of("quality.cause.delay", ms=_milliseconds(facts.delay))
        case Cause.JITTER:
            return Reason.of("quality.cause.jitter", ms=_milliseconds(facts.jitter))
        case Cause.CODEC:
            return Reason.of("quality.cause.codec", codec=facts.codec)
        case Cause.COMPUTER:
            return Reason.of("quality.cause.computer")
        case Cause.LOSS_PAGE:
            return Reason.of("quality.cause.loss_page", count=lost)
        case Cause.LOSS_OWN:
            return Reason.of("quality.cause.loss_own", count=lost)
        case Cause.LOSS_OTHER:
            return Reason.of("quality.cause.loss_other", count=lost, name=name)
        case _:
            return Reason.of("quality.cause.loss", count=lost)


def _remedy(cause: Cause, facts: CallFacts, outwards: bool) -> Reason | None:
    match cause:
        case Cause.NOTHING_HEARD:
            return Reason.of("quality.remedy.check_microphone" if outwards else "quality.remedy.ask_microphone")
        case Cause.COMPUTER:
            return Reason.of("quality.remedy.close_programs")
        case Cause.CODEC:
            return Reason.of("quality.remedy.leave_low_bandwidth") if facts.low_bandwidth else None
        case Cause.LOSS_OTHER:
            return Reason.of("quality.remedy.other_side", name=facts.name)
        case Cause.LOSS_OWN | Cause.JITTER | Cause.LOSS_PAGE:
            if not facts.low_bandwidth and max(facts.receiving.loss, facts.sending.loss) >= 0.1:
                return Reason.of("quality.remedy.low_bandwidth")
            return Reason.of("quality.remedy.cable")
        case Cause.DELAY:
            return Reason.of("quality.remedy.delay")
        case _:
            return None if facts.low_bandwidth else Reason.of("quality.remedy.low_bandwidth")


def _of_hundred(share: float) -> int:
    """A share as a number of 100; at least 1, for it is only told where there is something."""
    return max(1, round(share * 100))


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


@dataclass(frozen=True, slots=True)
class SteadyWord:
    """The word that is shown, which follows the word of the moment slowly. Times in seconds of one clock."""

    word: Word = Word.UNKNOWN
    changed: float = float("-inf")
    coming: Word = Word.UNKNOWN
    coming_since: float = 0.0

    def observe(self, word: Word, now: float) -> SteadyWord:
        """What is shown after the word of this moment was ``word``; the first known word shows at once."""
        if word is self.word:
            return replace(self, coming=word, coming_since=now)
        if self.changed == float("-inf"):
            return SteadyWord(word, now, word, now)
        started = replace(self, coming=word, coming_since=now) if word is not self.coming else self
        if now - started.coming_since >= BELIEVE_AFTER and now - self.changed >= CHANGE_EVERY:
            return SteadyWord(word, now, word, now)
        return started
