"""RTCP: reports, descriptions, goodbyes (RFC 3550 section 6), feedback (RFC 4585, 5104), extended reports (RFC 3611).

A datagram holds several packets, read and written by ``rtcp_wire``. What is unknown is kept
as it came (`OtherPacket`, `OtherFeedback`, `OtherBlock`), so that a relay passes it on.
"""

from __future__ import annotations

from dataclasses import dataclass

SENDER_REPORT, RECEIVER_REPORT, SOURCE_DESCRIPTION, GOODBYE, APPLICATION = range(200, 205)
TRANSPORT_FEEDBACK, PAYLOAD_FEEDBACK, EXTENDED_REPORT = 205, 206, 207
CNAME = 1  # item type, RFC 3550 section 6.5.1


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """What a receiver says of one source. ``fraction_lost`` in 256ths, ``jitter`` in timestamp units,
    ``last_report`` the middle 32 bits of the sender's NTP time, ``delay`` in 65,536ths of a second."""

    ssrc: int
    fraction_lost: int
    packets_lost: int
    highest_sequence: int
    jitter: int
    last_report: int = 0
    delay: int = 0


@dataclass(frozen=True, slots=True)
class SenderReport:
    """SR, section 6.4.1. ``ntp`` is 64 bits of NTP time."""

    ssrc: int
    ntp: int
    rtp_timestamp: int
    packets: int
    octets: int
    reports: tuple[ReportBlock, ...] = ()


@dataclass(frozen=True, slots=True)
class ReceiverReport:
    """RR, section 6.4.2."""

    ssrc: int
    reports: tuple[ReportBlock, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceDescription:
    """SDES, section 6.5: for each source its items as (type, octets)."""

    chunks: tuple[tuple[int, tuple[tuple[int, bytes], ...]], ...] = ()

    @classmethod
    def of(cls, ssrc: int, cname: str) -> SourceDescription:
        """The canonical name of one source, which every compound packet must hold."""
        return cls(((ssrc, ((CNAME, cname.encode()[:255]),)),))


@dataclass(frozen=True, slots=True)
class Goodbye:
    """BYE, section 6.6."""

    sources: tuple[int, ...]
    reason: bytes = b""


@dataclass(frozen=True, slots=True)
class Nack:
    """Generic NACK (RFC 4585 section 6.2.1): sequence numbers that did not arrive, in order of asking."""

    sender: int
    source: int
    lost: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PictureLoss:
    """PLI (RFC 4585 section 6.3.1): please send a whole picture."""

    sender: int
    source: int


@dataclass(frozen=True, slots=True)
class FullIntraRequest:
    """FIR (RFC 5104 section 4.3.1): (source, command number) of each picture that is asked for."""

    sender: int
    entries: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class ReceiverEstimate:
    """REMB (draft-alvestrand-rmcat-remb section 2.2): bits a second that the receiver can take from these sources."""

    sender: int
    bitrate: int
    sources: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class OtherFeedback:
    """A feedback message that is passed on unread: ``kind`` 205 or 206 with its format."""

    kind: int
    format: int
    sender: int
    source: int
    control: bytes = b""


@dataclass(frozen=True, slots=True)
class VoipMetrics:
    """RFC 3611 section 4.7. Rates and densities in 256ths, durations and delays in ms; 127 means that a level or score
    is unavailable."""

    source: int
    loss_rate: int = 0
    discard_rate: int = 0
    burst_density: int = 0
    gap_density: int = 0
    burst_duration: int = 0
    gap_duration: int = 0
    round_trip: int = 0
    end_system_delay: int = 0
    signal_level: int = 127
    noise_level: int = 127
    residual_echo: int = 127
    gap_threshold: int = 16
    r_factor: int = 127
    external_r_factor: int = 127
    listening_score: int = 127
    conversation_score: int = 127
    receiver_configuration: int = 0
    nominal_delay: int = 0
    maximum_delay: int = 0
    absolute_maximum_delay: int = 0


@dataclass(frozen=True, slots=True)
class ReferenceTime:
    """RFC 3611 section 4.4: a receiver's NTP time, so that one who only listens can measure the round trip."""

    ntp: int


@dataclass(frozen=True, slots=True)
class LastReferenceTimes:
    """DLRR, RFC 3611 section 4.5: (source, last reference time, delay in 65,536ths of a second)."""

    entries: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class OtherBlock:
    """A block of an extended report that is passed on unread."""

    kind: int
    specific: int
    content: bytes


Block = VoipMetrics | ReferenceTime | LastReferenceTimes | OtherBlock


@dataclass(frozen=True, slots=True)
class ExtendedReport:
    """XR, RFC 3611 section 2."""

    ssrc: int
    blocks: tuple[Block, ...] = ()


@dataclass(frozen=True, slots=True)
class OtherPacket:
    """A packet type that is passed on unread; ``count`` is the five bits of the header."""

    kind: int
    count: int
    body: bytes


Feedback = Nack | PictureLoss | FullIntraRequest | ReceiverEstimate | OtherFeedback
RtcpPacket = SenderReport | ReceiverReport | SourceDescription | Goodbye | Feedback | ExtendedReport | OtherPacket
