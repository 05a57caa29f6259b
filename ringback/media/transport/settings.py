"""How a leg is opened, where its other side is, and what it counted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ringback.media.transport.ports import Mark
from ringback.protocols.rtp.reports import Figures

Kind = Literal["audio", "video"]
Protocol = Literal["clear", "sdes", "dtls"]


@dataclass(frozen=True, slots=True)
class LegSettings:
    """``event_type`` is the payload type of telephone events, None where not negotiated; ``silence`` in seconds, after
    which a connected leg that hears nothing tells so; ``report_interval`` in seconds between RTCP reports; without
    ``mark``, sound is marked EF and video AF41."""

    kind: Kind = "audio"
    protocol: Protocol = "clear"
    clock_rate: int = 8000
    rtcp_mux: bool = False
    symmetric: bool = True
    event_type: int | None = None
    cname: str = "ringback"
    silence: float = 20.0
    report_interval: float = 5.0
    mark: Mark | None = None


@dataclass(frozen=True, slots=True)
class RemoteMedia:
    """Where signalling says that media go. Without an RTCP port it is the next one, or the same with rtcp-mux."""

    address: str
    port: int
    rtcp_port: int | None = None
    rtcp_address: str | None = None


@dataclass(frozen=True, slots=True)
class Counters:
    """The RTP figures of both directions, and datagrams that did not count, by cause."""

    figures: Figures = field(default_factory=Figures)
    malformed: int = 0
    unauthentic: int = 0
    foreign: int = 0
    duplicates: int = 0
    unsent: int = 0


@dataclass(slots=True)
class Dropped:
    """What did not count, while it is counted."""

    malformed: int = 0
    unauthentic: int = 0
    foreign: int = 0
    duplicates: int = 0
    unsent: int = 0
