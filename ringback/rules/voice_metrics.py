"""The figures about sound that devices report at the end of a call, as they are written.

``varVQMetrics`` of a call management record, and the headers ``RTP-RxStat`` and ``RTP-TxStat`` of BYE and its answer,
in which phones send them (Cisco phones' administration guides; ``Dur=13,Pkt=408,...,VQMetrics="CCR=0.0017;ICR=..."``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

VERSION = "0.90"
_LONGEST = 2000  # characters of a header that are looked at

_FIELD = re.compile(r'\s*([A-Za-z]+)=("[^"]*"?|[^,]*)')


@dataclass(frozen=True, slots=True)
class VoiceMetrics:
    """What was heard. Ratios from 0 to 1: ``conceal_ratio`` of all sound, ``interval_ratio`` of the last 3 seconds of
    it and its maximum. ``concealed_seconds``, ``severe`` (more than 50 ms guessed). ``packet_ms``: sound in a packet;
    ``lost`` and ``discarded`` packets; ``delay_ms`` one way; ``most_jitter_ms``; scores 1 to 4.5, 0 for not known."""

    conceal_ratio: float = 0.0
    interval_ratio: float = 0.0
    interval_ratio_most: float = 0.0
    concealed_seconds: int = 0
    severe: int = 0
    codec: str = ""
    call: int = 0
    packet_ms: int = 20
    lost: int = 0
    discarded: int = 0
    delay_ms: int = 0
    most_jitter_ms: int = 0
    conversation_score: float = 0.0
    listening_score: float = 0.0

    def __str__(self) -> str:
        """The text of ``varVQMetrics``."""
        parts = [
            f"CCR={self.conceal_ratio:.4f}",
            f"ICR={self.interval_ratio:.4f}",
            f"ICRmx={self.interval_ratio_most:.4f}",
            f"CS={self.concealed_seconds}",
            f"SCS={self.severe}",
            f"Ver={VERSION}",
            f"VoRxCodec={_plain(self.codec)}",
            f"CID={self.call}",
            f"VoPktSizeMs={self.packet_ms}",
            f"VoPktLost={self.lost}",
            f"VoPktDis={self.discarded}",
            f"VoOneWayDelayMs={self.delay_ms}",
            f"maxJitter={self.most_jitter_ms}",
        ]
        if self.conversation_score:
            parts.append(f"MOScq={self.conversation_score:.2f}")
        if self.listening_score:
            parts.append(f"MOSlq={self.listening_score:.2f}")
        return ";".join(parts)


@dataclass(frozen=True, slots=True)
class StreamStatistics:
    """One direction as a device counts it: whole ``seconds``, ``packets``, ``octets`` of payload; the rest only of what
    was received. ``metrics`` is the text of ``VQMetrics``."""

    seconds: int = 0
    packets: int = 0
    octets: int = 0
    late: int = 0
    lost: int = 0
    jitter_ms: int = 0
    metrics: str = ""

    def sent(self) -> str:
        """The value of ``RTP-TxStat``."""
        return f"Dur={self.seconds},Pkt={self.packets},Oct={self.octets}"

    def received(self) -> str:
        """The value of ``RTP-RxStat``."""
        text = f"{self.sent()},LatePkt={self.late},LostPkt={self.lost},AvgJit={self.jitter_ms}"
        return f'{text},VQMetrics="{_plain(self.metrics)}"' if self.metrics else text

    @classmethod
    def read(cls, value: str) -> StreamStatistics:
        """From a header's value; what is missing or no number counts as 0."""
        fields = {name.lower(): text for name, text in _FIELD.findall(value[:_LONGEST])}
        return cls(
            seconds=_whole(fields, "dur"),
            packets=_whole(fields, "pkt"),
            octets=_whole(fields, "oct"),
            late=_whole(fields, "latepkt"),
            lost=_whole(fields, "lostpkt"),
            jitter_ms=_whole(fields, "avgjit"),
            metrics=_plain(fields.get("vqmetrics", "").strip('"')),
        )


def _whole(fields: Mapping[str, str], name: str) -> int:
    text = fields.get(name, "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else 0


def _plain(text: str) -> str:
    """Without what would end the value or the header."""
    return re.sub(r'[\x00-\x1f\x7f"]', "", text).replace("; ", ";").strip()
