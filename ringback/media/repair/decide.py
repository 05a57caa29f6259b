"""How a sender repairs what the link to the listener loses; pure, from the listener's reports.

Copies of whole packets (RFC 2198) repair best: with ``n`` of them and independent losses a share of ``loss ** (n +
1)`` stays lost, at the price of as many times the bits. The coarse copy inside Opus costs a fifth and repairs half as
well; it is used where copies are not agreed on. More is sent at once when the loss rises, less only after it has
stayed low for a while.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ringback.media.codecs.base import EncoderSettings
from ringback.media.codecs.fmtp import OpusParameters
from ringback.rules.reasons import Reason

MOST_COPIES = 3
LEFT = 0.01
"""Share of sound that may stay lost after repair; the play-out's guesses hide so much."""

WORTH = 0.01  # share of packets lost from which repair begins
CALM = 10.0
"""Seconds for which less repair must have been enough before less is sent."""

_PACKET_OVERHEAD = 40 * 8  # bits of IPv4, UDP and RTP headers in a packet
_LOW_BITRATES = ((16000, 0.0), (12000, 0.05))  # bits a second in low-bandwidth mode, from a share lost on
_LOW_PTIME = 60
_WIDE_BITRATE, _NARROWER_BITRATE = 32000, 24000


@dataclass(frozen=True, slots=True)
class LinkFacts:
    """What is known of the way to the listener. ``loss``: share of packets lost in the last report interval (0 to 1).

    ``copies_agreed``: redundancy was negotiated. ``codec``: its registered name. ``coarse_copies``: the listener said
    ``useinbandfec=1``. ``limit``: bits a second of payload and headers that may be sent at most, None for no limit.
    ``low_bandwidth``: the person's choice or the region's. ``max_bitrate``: what the listener wishes at most.
    """

    loss: float = 0.0
    codec: str = "opus"
    copies_agreed: bool = True
    coarse_copies: bool = True
    low_bandwidth: bool = False
    limit: int | None = None
    max_bitrate: int | None = None


@dataclass(frozen=True, slots=True)
class RepairSettings:
    """What to send: ``copies`` of earlier packets in each (RFC 2198) and how the encoder works."""

    copies: int = 0
    encoder: EncoderSettings = field(default_factory=EncoderSettings)


@dataclass(frozen=True, slots=True)
class Repair:
    """A decision. ``loss``: what it prepares for; ``calm_since``: since when less would have been enough, or None."""

    settings: RepairSettings = field(default_factory=RepairSettings)
    loss: float = 0.0
    calm_since: float | None = None
    reasons: tuple[Reason, ...] = ()


def decide(facts: LinkFacts, before: Repair, now: float) -> Repair:
    """What to send from now on, a new report having come at ``now`` (seconds).

    A rise of the loss counts at once, a fall only after CALM seconds: packets sent again that nobody needed cost
    little, sound that is lost costs much.
    """
    loss = min(1.0, max(0.0, facts.loss))
    wanted, reasons = _fit(facts, loss)
    if _strength(wanted) >= _strength(before.settings) or facts.low_bandwidth != _is_low(before.settings):
        return Repair(wanted, loss, None, reasons)
    since = now if before.calm_since is None else before.calm_since
    if now - since >= CALM:
        return Repair(wanted, loss, None, reasons)
    kept, _ = _fit(facts, before.loss)
    return Repair(kept, before.loss, since, (Reason.of("quality.repair.kept"),))


def _fit(facts: LinkFacts, loss: float) -> tuple[RepairSettings, tuple[Reason, ...]]:
    """The settings for a loss, with no memory."""
    opus = facts.codec.lower() == "opus"
    copies = _copies(loss) if facts.copies_agreed else 0
    encoder, reasons = _encoder(facts, loss, coarse=opus and facts.coarse_copies and loss >= WORTH and not copies)
    fewer = _within(facts, encoder, copies)
    return RepairSettings(fewer, encoder), (*_why(facts, loss, copies, fewer, encoder), *reasons)


def _copies(loss: float) -> int:
    """The fewest copies that leave at most LEFT lost."""
    if loss < WORTH:
        return 0
    return next((count for count in range(1, MOST_COPIES) if loss ** (count + 1) <= LEFT), MOST_COPIES)


def _encoder(facts: LinkFacts, loss: float, *, coarse: bool) -> tuple[EncoderSettings, tuple[Reason, ...]]:
    if facts.codec.lower() != "opus":
        return EncoderSettings(ptime=40 if facts.low_bandwidth else 20), ()
    if facts.low_bandwidth:
        bitrate = next(rate for rate, least in reversed(_LOW_BITRATES) if loss >= least)
        ptime = _LOW_PTIME
    else:
        bitrate, ptime = _WIDE_BITRATE if loss < 0.1 else _NARROWER_BITRATE, 20
    bitrate = min(bitrate, facts.max_bitrate or bitrate)
    encoder = EncoderSettings(
        ptime=ptime,
        bitrate=bitrate,
        fec=coarse,
        expected_loss=round(loss, 2) if coarse else 0.0,
        dtx=facts.low_bandwidth,
    )
    if not facts.low_bandwidth:
        return encoder, ()
    return encoder, (Reason.of("quality.repair.low_bandwidth", kilobits=bitrate // 1000, ms=ptime),)


def _within(facts: LinkFacts, encoder: EncoderSettings, copies: int) -> int:
    """As many of the copies as the limit has room for."""
    if facts.limit is None:
        return copies
    payload = encoder.bitrate or 64000
    for count in range(copies, 0, -1):
        if payload * (count + 1) + _PACKET_OVERHEAD * 1000 // encoder.ptime <= facts.limit:
            return count
    return 0


def _why(facts: LinkFacts, loss: float, copies: int, fewer: int, encoder: EncoderSettings) -> tuple[Reason, ...]:
    count = max(1, round(loss * 100))
    if loss < WORTH:
        return (Reason.of("quality.repair.clean"),)
    reasons = []
    if fewer == 1:
        reasons.append(Reason.of("quality.repair.copy", count=count))
    elif fewer:
        reasons.append(Reason.of("quality.repair.copies", count=count, copies=fewer))
    elif encoder.fec:
        reasons.append(Reason.of("quality.repair.coarse", count=count))
    elif not facts.copies_agreed:
        reasons.append(Reason.of("quality.repair.no_copies", count=count))
    if fewer < copies:
        reasons.append(Reason.of("quality.repair.limit", kilobits=(facts.limit or 0) // 1000))
    return tuple(reasons)


def _strength(settings: RepairSettings) -> tuple[int, bool]:
    return settings.copies, settings.encoder.fec


def _is_low(settings: RepairSettings) -> bool:
    return settings.encoder.dtx or settings.encoder.ptime > 20


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a side writes into its description so that it is sent what it needs. ``copies``: offer redundancy (RFC
    2198); ``ptime``: milliseconds of sound in a packet."""

    opus: OpusParameters
    copies: bool
    ptime: int


def wishes(*, low_bandwidth: bool = False, max_bitrate: int | None = None) -> Wishes:
    """What to ask for. Redundancy and the coarse copy are always offered: what is not needed is not sent.

    Loss is told by receiver reports, from which the other side decides by itself; low-bandwidth mode must be asked for.
    """
    if not low_bandwidth:
        return Wishes(OpusParameters(max_bitrate=max_bitrate, fec=True, min_ptime=10), copies=True, ptime=20)
    bitrate = min(_LOW_BITRATES[0][0], max_bitrate or _LOW_BITRATES[0][0])
    parameters = OpusParameters(max_rate=16000, max_bitrate=bitrate, fec=True, dtx=True, min_ptime=10)
    return Wishes(parameters, copies=True, ptime=_LOW_PTIME)
