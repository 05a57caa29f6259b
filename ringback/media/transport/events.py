"""What a leg tells its owner."""

from __future__ import annotations

from dataclasses import dataclass

from ringback.protocols.rtp.rtcp import Feedback

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Latched:
    """Media come from another address than the one signalled, and are sent back there (symmetric RTP, RFC 4961)."""

    address: Address


@dataclass(frozen=True, slots=True)
class Silent:
    """Nothing arrived for so many seconds; told once until something arrives again."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Resumed:
    """Packets arrive again after `Silent`."""


@dataclass(frozen=True, slots=True)
class SourceChanged:
    """Another SSRC is heard."""

    ssrc: int


@dataclass(frozen=True, slots=True)
class DigitPressed:
    """The other side pressed a key (RFC 4733), told once and in order."""

    digit: str


@dataclass(frozen=True, slots=True)
class FeedbackArrived:
    """The other side asks for packets again, or for a whole picture (RFC 4585, 5104)."""

    feedback: Feedback


@dataclass(frozen=True, slots=True)
class PeerLeft:
    """An RTCP BYE arrived."""


@dataclass(frozen=True, slots=True)
class Secured:
    """DTLS is done and the fingerprint is the one signalled; media flow from now on."""

    suite: str


@dataclass(frozen=True, slots=True)
class SecurityFailed:
    """DTLS failed or the certificate is not the one signalled: nothing will flow. ``reason`` is a sentence."""

    reason: str


LegEvent = (
    Latched | Silent | Resumed | SourceChanged | DigitPressed | FeedbackArrived | PeerLeft | Secured | SecurityFailed
)
