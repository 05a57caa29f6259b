"""What phones report of a call's sound in a BYE or its answer: ``RTP-RxStat``, ``RTP-TxStat`` and ``P-RTP-Stat``.

``RTP-RxStat: Dur=12,Pkt=600,Oct=96000,LatePkt=0,LostPkt=2,AvgJit=3,VQMetrics="MLQK=4.2;..."``
``P-RTP-Stat: PS=600,OS=96000,PR=598,OR=95680,PL=2,JI=3,LA=20``
"""

from __future__ import annotations

import re
from typing import Final, TypedDict

from ringback.protocols.sip.message import Message

_PAIR: Final = re.compile(r'\s*([A-Za-z]+)\s*=\s*("[^"]*"|[^,]*)')
_LIMIT: Final = 2**31 - 1


class Told(TypedDict, total=False):
    """Figures by the names of ``QualityFacts``."""

    seconds: int
    packets_sent: int
    octets_sent: int
    packets_received: int
    octets_received: int
    packets_lost: int
    jitter: int
    latency: int
    metrics: str
    video_packets_sent: int
    video_octets_sent: int
    video_packets_received: int
    video_octets_received: int
    video_packets_lost: int
    video_jitter: int
    video_round_trip: int


def quality_of(request: Message) -> Told | None:
    """The figures of a BYE or of its answer; None where it has none."""
    received, sent, short = (_pairs(request.get(name)) for name in ("RTP-RxStat", "RTP-TxStat", "P-RTP-Stat"))
    if not (received or sent or short):
        return None
    told = Told(
        seconds=_number(received, "dur") or _number(short, "du"),
        packets_sent=_number(sent, "pkt") or _number(short, "ps"),
        octets_sent=_number(sent, "oct") or _number(short, "os"),
        packets_received=_number(received, "pkt") or _number(short, "pr"),
        octets_received=_number(received, "oct") or _number(short, "or"),
        packets_lost=_number(received, "lostpkt") or _number(short, "pl"),
        jitter=_number(received, "avgjit") or _number(short, "ji"),
        latency=_number(received, "latency") or _number(short, "la"),
        metrics=received.get("vqmetrics", "")[:1024],
    )
    video, video_sent = _pairs(request.get("RTP-VideoRxStat")), _pairs(request.get("RTP-VideoTxStat"))
    if video or video_sent:
        told |= Told(
            video_packets_sent=_number(video_sent, "pkt"),
            video_octets_sent=_number(video_sent, "oct"),
            video_packets_received=_number(video, "pkt"),
            video_octets_received=_number(video, "oct"),
            video_packets_lost=_number(video, "lostpkt"),
            video_jitter=_number(video, "avgjit"),
            video_round_trip=_number(video, "rtt"),
        )
    return told


def _pairs(value: str | None) -> dict[str, str]:
    if not value:
        return {}
    return {name.lower(): text.strip().strip('"') for name, text in _PAIR.findall(value)}


def _number(pairs: dict[str, str], name: str) -> int:
    text = pairs.get(name, "").partition(".")[0]
    return min(int(text), _LIMIT) if text.isascii() and text.isdigit() and len(text) < 20 else 0
