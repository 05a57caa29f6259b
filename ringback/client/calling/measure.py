"""How calls are heard, measured once a second: the page's part from the page, the rest from RTCP and our own counts.

The same measures drive what is sent against loss (``media.repair``) and, at the end, the record for the call manager.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from ringback.client.calling.call import LiveCall
from ringback.client.host.wire_calls import Detail, Heard, PageQuality, Quality, QualityWord
from ringback.media.repair import LinkFacts, Repair, decide
from ringback.protocols.rtp.reports import Figures
from ringback.rules.call_quality import (
    CallFacts,
    CallVerdict,
    DirectionFacts,
    DirectionQuality,
    PartFacts,
    SteadyWord,
    Way,
    judge,
)
from ringback.rules.reasons import Reason

MINUTE = 60
_SPAN = 5  # seconds that a verdict looks at
_PLAY_OUT = 0.06  # seconds that a browser's play-out usually waits, where the page does not tell
_ENGINE = 0.005  # seconds that the engine itself adds
_PAGE_FRESH = 5.0  # seconds for which a page's word counts

_WORDS: dict[str, QualityWord] = {"unknown": "unknown", "good": "good", "fair": "fair", "poor": "poor"}


@dataclass(slots=True)
class _Second:
    packets: int = 0
    expected: int = 0
    lost: int = 0
    repaired: int = 0


@dataclass(slots=True)
class _Direction:
    """One direction: the last seconds, and the losses of the last minute in packets of 100."""

    seconds: deque[_Second] = field(default_factory=lambda: deque(maxlen=_SPAN))
    minute: deque[float] = field(default_factory=lambda: deque(maxlen=MINUTE))
    word: SteadyWord = field(default_factory=SteadyWord)

    def add(self, second: _Second) -> None:
        self.seconds.append(second)
        self.minute.append(round(100 * second.lost / second.expected, 1) if second.expected else 0.0)

    def share(self, part: Callable[[_Second], int]) -> float:
        expected = sum(one.expected for one in self.seconds)
        return min(max(sum(map(part, self.seconds)) / expected, 0.0), 1.0) if expected else 0.0

    @property
    def packets(self) -> int:
        return sum(one.packets for one in self.seconds)


@dataclass(slots=True)
class _Measured:
    """What is known of a call's sound."""

    receiving: _Direction = field(default_factory=_Direction)
    sending: _Direction = field(default_factory=_Direction)
    page: PageQuality | None = None
    page_at: float = 0.0
    packets: int = 0
    expected: int = 0
    repaired: int = 0
    sent: int = 0
    heard_at: float = 0.0
    began: float = 0.0
    frames: int = 0
    repair: Repair = field(default_factory=Repair)
    word: SteadyWord = field(default_factory=SteadyWord)


class Meter:
    """Keeps the measures of all calls."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._measured: dict[str, _Measured] = {}

    def page(self, call: LiveCall, told: PageQuality) -> None:
        """Take what a page measures between itself and the engine."""
        measured = self._of(call)
        measured.page, measured.page_at = told, self._clock()

    def forget(self, call: LiveCall) -> None:
        """The call is over."""
        self._measured.pop(call.id, None)

    def silence(self, call: LiveCall) -> float:
        """For how many seconds neither sound nor a report has come from the other side; 0 where it is held."""
        measured, leg = self._measured.get(call.id), call.media.leg("audio")
        if measured is None or leg is None or call.held_by_other:
            return 0.0
        remote = leg.counters().figures.remote
        heard = max(measured.heard_at, remote.at if remote is not None else 0.0)
        return max(self._clock() - heard, 0.0)

    def _of(self, call: LiveCall) -> _Measured:
        now = self._clock()
        return self._measured.setdefault(call.id, _Measured(began=now, heard_at=now))

    def second(self, call: LiveCall) -> None:
        """Once a second, while somebody talks: measure, repair, judge."""
        leg, agreed = call.media.leg("audio"), call.media.audio
        if leg is None or agreed is None:
            return
        now, measured, figures = self._clock(), self._of(call), leg.counters().figures
        self._count(call, measured, figures, now)
        receiving, sending = self._facts(call, measured, figures, now)
        self._repair(call, measured, figures, now)
        name = call.party.name or call.party.shown
        verdict = judge(CallFacts(name, receiving, sending, call.low))
        measured.receiving.word = measured.receiving.word.observe(verdict.receiving.word, now)
        measured.sending.word = measured.sending.word.observe(verdict.sending.word, now)
        measured.word = measured.word.observe(verdict.word, now)
        call.change(quality=self._shown(call, measured, figures, verdict, (receiving, sending)))

    def _count(self, call: LiveCall, measured: _Measured, figures: Figures, now: float) -> None:
        received = figures.received
        repaired = call.media.sound.repaired if call.media.sound is not None else 0
        second = _Second(
            received.packets - measured.packets,
            max(received.expected - measured.expected, 0),
            max((received.expected - received.packets) - (measured.expected - measured.packets), 0),
            repaired - measured.repaired,
        )
        measured.packets, measured.expected, measured.repaired = received.packets, received.expected, repaired
        measured.receiving.add(second)
        if second.packets:
            measured.heard_at = now
        sent = figures.sent_packets - measured.sent
        measured.sent = figures.sent_packets
        lost = round(sent * figures.remote.fraction_lost) if figures.remote is not None else 0
        measured.sending.add(_Second(sent, sent, lost, 0))

    def _facts(
        self, call: LiveCall, measured: _Measured, figures: Figures, now: float
    ) -> tuple[DirectionFacts, DirectionFacts]:
        agreed = call.media.audio
        codec = agreed.format.name if agreed is not None else ""
        fresh = measured.page is not None and now - measured.page_at <= _PAGE_FRESH
        page = measured.page if fresh else None
        trip = (figures.round_trip or 0.0) / 2
        delay = trip + _ENGINE + (page.delay / 1000 if page is not None and page.delay else _PLAY_OUT)
        own = measured.receiving.share(lambda one: one.lost)
        page_loss = page.loss / 100 if page is not None else 0.0
        gaps = measured.receiving.share(lambda one: max(one.lost - one.repaired, 0))
        parts = [PartFacts(Way.OWN, own, figures.received.jitter)]
        if page is not None:
            parts.append(PartFacts(Way.PAGE, page_loss, page.jitter / 1000))
        quiet = call.media.held or call.held_by_other
        receiving = DirectionFacts(
            codec=codec,
            packets=measured.receiving.packets,
            silent_for=0.0 if quiet else now - measured.heard_at,
            loss=own,
            gaps=min(gaps + page_loss, 1.0),
            jitter=figures.received.jitter,
            delay=delay,
            parts=tuple(parts),
            muted=quiet,
        )
        remote = figures.remote
        lost = remote.fraction_lost if remote is not None else 0.0
        copies = measured.repair.settings.copies
        sending = DirectionFacts(
            codec=codec,
            packets=measured.sending.packets,
            loss=lost,
            gaps=lost ** (copies + 1),
            jitter=remote.jitter if remote is not None else 0.0,
            delay=trip + _ENGINE + _PLAY_OUT,
            parts=(PartFacts(Way.OTHER, lost, remote.jitter if remote is not None else 0.0),),
            muted=call.muted or quiet,
        )
        return receiving, sending

    def _repair(self, call: LiveCall, measured: _Measured, figures: Figures, now: float) -> None:
        """Send more of the sound again where the other side loses some of it."""
        agreed, sound = call.media.audio, call.media.sound
        if agreed is None or sound is None or figures.remote is None:
            return
        facts = LinkFacts(
            loss=figures.remote.fraction_lost,
            codec=agreed.format.name,
            copies_agreed=agreed.redundancy is not None,
            coarse_copies="useinbandfec=1" in agreed.format.fmtp,
            low_bandwidth=call.low,
        )
        before = measured.repair
        measured.repair = decide(facts, before, now)
        if measured.repair.settings.copies != before.settings.copies:
            sound.protect(measured.repair.settings.copies)
            for reason in measured.repair.reasons:
                call.tell(reason)

    def _shown(
        self,
        call: LiveCall,
        measured: _Measured,
        figures: Figures,
        verdict: CallVerdict,
        facts: tuple[DirectionFacts, DirectionFacts],
    ) -> Quality:
        media, page = call.media, measured.page
        agreed, picture = media.audio, media.picture
        frames = media.pictures.frames if media.pictures is not None else 0
        rate, measured.frames = float(max(frames - measured.frames, 0)), frames
        if verdict.word.value != measured.word.word.value and call.quality.verdict is not None:
            told = call.quality.verdict, call.quality.cause, call.quality.remedy
        else:
            told = verdict.verdict, verdict.cause, verdict.remedy
        return Quality(
            word=_WORDS[measured.word.word.value],
            verdict=told[0],
            cause=told[1],
            remedy=told[2],
            sending=_heard(measured.sending, verdict.sending, facts[1]),
            receiving=_heard(measured.receiving, verdict.receiving, facts[0]),
            codec=agreed.format.name if agreed is not None else "",
            video_codec=picture.format.name if picture is not None else "",
            resolution=f"{page.width}x{page.height}" if page is not None and page.width else "",
            frames=page.frames if page is not None and page.frames else rate,
            path=_path(call),
            details=_details(call, figures),
        )


def _heard(direction: _Direction, quality: DirectionQuality, facts: DirectionFacts) -> Heard:
    return Heard(
        word=_WORDS[direction.word.word.value],
        loss=round(100 * facts.loss, 1),
        gaps=round(100 * facts.gaps, 1),
        jitter=round(1000 * facts.jitter, 1),
        delay=round(1000 * facts.delay, 1),
        score=round(quality.rating.score, 2) if quality.rating is not None else 0.0,
        minute=list(direction.minute),
    )


def _path(call: LiveCall) -> str:
    leg = call.media.leg("audio")
    target = leg.target if leg is not None else None
    return f"{leg.address}:{leg.port} - {target[0]}:{target[1]}" if leg is not None and target is not None else ""


def _details(call: LiveCall, figures: Figures) -> list[Detail]:
    agreed, sound = call.media.audio, call.media.sound
    rows: list[tuple[str, str]] = []
    if agreed is not None:
        rows.append(("codec", f"{agreed.format.name}/{agreed.format.clock}"))
        rows.append(("keys", agreed.ours.crypto[0].split()[1] if agreed.ours.crypto else "-"))
    rows.append(("transcoded", "yes" if sound is not None and sound.transcodes else "no"))
    rows.append(("sent", f"{figures.sent_packets}"))
    rows.append(("received", f"{figures.received.packets}"))
    rows.append(("lost", f"{figures.received.lost}"))
    rows.append(("repaired", f"{sound.repaired if sound is not None else 0}"))
    rows.append(("jitter", f"{figures.received.jitter * 1000:.1f} ms"))
    if figures.round_trip is not None:
        rows.append(("round_trip", f"{figures.round_trip * 1000:.1f} ms"))
    rows.append(("path", _path(call)))
    return [Detail(name=Reason.of(f"calls.detail.{name}"), value=value) for name, value in rows]


def report_headers(call: LiveCall, seconds: int) -> tuple[tuple[str, str], ...]:
    """What phones say of a call's sound in their BYE: RTP-RxStat and RTP-TxStat; nothing where nothing flowed."""
    leg = call.media.leg("audio")
    if leg is None or call.media.audio is None:
        return ()
    figures = leg.counters().figures
    received, metrics = figures.received, []
    score = call.quality.receiving.score
    if score:
        metrics.append(f"MLQK={score:.4f}")
    metrics.append(f"CCR={call.quality.receiving.gaps / 100:.4f}")
    metrics.append(f"VoRxCodec={call.media.audio.format.name}")
    metrics.append(f"VoPktSizeMs={call.media.audio.ptime}")
    rows = [
        (
            "RTP-RxStat",
            (
                f"Dur={seconds},Pkt={received.packets},Oct={received.octets},LatePkt=0,LostPkt={received.lost},"
                f"AvgJit={round(received.jitter * 1000)},Latency={round((figures.round_trip or 0) * 500)},"
                f'VQMetrics="{";".join(metrics)}"'
            ),
        ),
        ("RTP-TxStat", f"Dur={seconds},Pkt={figures.sent_packets},Oct={figures.sent_octets}"),
    ]
    video = call.media.leg("video")
    if video is not None and call.had_video:
        seen = video.counters().figures
        rows.append(
            (
                "RTP-VideoRxStat",
                (
                    f"Dur={seconds},Pkt={seen.received.packets},Oct={seen.received.octets},"
                    f"LostPkt={seen.received.lost},AvgJit={round(seen.received.jitter * 1000)},"
                    f"RTT={round((seen.round_trip or 0) * 1000)}"
                ),
            )
        )
        rows.append(("RTP-VideoTxStat", f"Dur={seconds},Pkt={seen.sent_packets},Oct={seen.sent_octets}"))
    return tuple(rows)
