"""Which codec a stream uses, and why; pure, shared by the softphone, the call manager's own media and the planner.

The order is by what is heard: wide and repairable first (Opus), then wide (G.722), then narrow. Low-bandwidth mode
turns it round to what needs the fewest bits. A codec is taken only where both sides named it; of two that both sides
know, ours is the order that counts, as RFC 3264 section 6.1 allows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ringback.rules.reasons import Reason

AUDIO_ORDER = ("opus", "G722", "PCMU", "PCMA")
LOW_BANDWIDTH_ORDER = ("opus", "PCMU", "PCMA", "G722")
VIDEO_ORDER = ("H264", "VP8")

KILOBITS: Mapping[str, int] = {"opus": 32, "G722": 64, "PCMU": 64, "PCMA": 64}
"""Audio payload without headers, kbit/s; what a region's limit is compared with."""

_MANDATORY_MODE = "0"  # packetization-mode where none is given, RFC 6184 section 8.1


@dataclass(frozen=True, slots=True)
class Codec:
    """A codec as both sides name it: ``name`` as registered, ``clock`` in Hz as in RTP, its parameters by name."""

    name: str
    clock: int
    channels: int = 1
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, int, int]:
        """What two names of the same codec have in common; names count without case (RFC 4855)."""
        return self.name.lower(), self.clock, self.channels


@dataclass(frozen=True, slots=True)
class CodecEvidence:
    """What is known when a codec is to be chosen: what the other side offers and we are able to, in their orders.

    ``limit`` is the region's limit for audio in kbit/s, 0 for none. ``allowed`` is False where policy forbids this kind
    of stream, ``why_not`` then says which policy.
    """

    offered: Sequence[Codec]
    able: Sequence[Codec]
    low_bandwidth: bool = False
    limit: int = 0
    allowed: bool = True
    why_not: Reason | None = None


@dataclass(frozen=True, slots=True)
class CodecChoice:
    """The place of the codec in what was offered, or None, and why."""

    index: int | None
    reasons: tuple[Reason, ...]


def choose_audio(evidence: CodecEvidence) -> CodecChoice:
    """The audio codec of a call, or None where none is shared."""
    refusal = _forbidden(evidence, "audio")
    if refusal is not None:
        return refusal
    order = LOW_BANDWIDTH_ORDER if evidence.low_bandwidth else AUDIO_ORDER
    reasons = []
    for codec in _by_order(evidence.able, order):
        index = _place(codec, evidence.offered)
        if index is None:
            continue
        if evidence.limit and KILOBITS.get(codec.name, 0) > evidence.limit:
            reasons.append(Reason.of("codecs.over_limit", codec=codec.name, limit=evidence.limit))
            continue
        why = "codecs.low_bandwidth" if evidence.low_bandwidth else "codecs.best_shared"
        return CodecChoice(index, (*reasons, Reason.of(why, codec=codec.name)))
    return CodecChoice(None, (*reasons, _none_shared(evidence, "audio")))


def choose_video(evidence: CodecEvidence) -> CodecChoice:
    """The video codec of a call, or None: forbidden, low bandwidth, or none shared."""
    refusal = _forbidden(evidence, "video")
    if refusal is not None:
        return refusal
    if evidence.low_bandwidth:
        return CodecChoice(None, (Reason.of("codecs.no_video_low_bandwidth"),))
    for codec in _by_order(evidence.able, VIDEO_ORDER):
        index = _place(codec, evidence.offered)
        if index is not None:
            return CodecChoice(index, (Reason.of("codecs.best_shared", codec=codec.name),))
    return CodecChoice(None, (_none_shared(evidence, "video"),))


def _forbidden(evidence: CodecEvidence, kind: str) -> CodecChoice | None:
    if evidence.allowed:
        return None
    return CodecChoice(None, (evidence.why_not or Reason.of("codecs.forbidden", kind=kind),))


def _none_shared(evidence: CodecEvidence, kind: str) -> Reason:
    theirs = ", ".join(dict.fromkeys(codec.name for codec in evidence.offered)) or "-"
    ours = ", ".join(dict.fromkeys(codec.name for codec in evidence.able)) or "-"
    return Reason.of("codecs.none_shared", kind=kind, theirs=theirs, ours=ours)


def _by_order(able: Sequence[Codec], order: tuple[str, ...]) -> list[Codec]:
    """Ours in the order of quality; codecs that the order does not name come last, as we gave them."""
    places = {name: place for place, name in enumerate(order)}
    return sorted(able, key=lambda codec: places.get(codec.name, len(order)))


def _place(codec: Codec, offered: Sequence[Codec]) -> int | None:
    return next((index for index, other in enumerate(offered) if same_codec(codec, other)), None)


def same_codec(one: Codec, other: Codec) -> bool:
    """Whether two descriptions are of the same codec, so that what one side sends the other can decode.

    H.264 must agree in packetization mode and in the first byte of the profile (RFC 6184 section 8.2.2); levels may
    differ, since each side tells what it can receive.
    """
    if one.key != other.key:
        return False
    if one.name.lower() != "h264":
        return True
    modes = [codec.parameters.get("packetization-mode", _MANDATORY_MODE) for codec in (one, other)]
    profiles = [codec.parameters.get("profile-level-id", "420010")[:2].lower() for codec in (one, other)]
    return modes[0] == modes[1] and profiles[0] == profiles[1]
