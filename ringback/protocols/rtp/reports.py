"""One end of an RTP session as RTCP sees it: counts, reports in time, round trip (RFC 3550 section 6).

A core without socket or clock. ``now`` is monotonic seconds; ``wall`` added to it gives seconds since 1970 for NTP.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace

from ringback.protocols.rtp import rtcp
from ringback.protocols.rtp.reception import Reception, SourceStatistics

_NTP_EPOCH = 2_208_988_800  # seconds from 1900 to 1970
_SOURCES = 16  # remembered senders of one session; a phone call has one, a transfer a few
_XR_EVERY = 2  # reports


@dataclass(frozen=True, slots=True)
class RemoteReport:
    """What the other side last said of what we send: its loss since the report before (0 to 1) and in all, jitter in
    seconds."""

    fraction_lost: float
    packets_lost: int
    jitter: float
    at: float


@dataclass(frozen=True, slots=True)
class Figures:
    """Both directions of a session. ``round_trip`` in seconds, None until measured."""

    sent_packets: int = 0
    sent_octets: int = 0
    received: Reception = field(default_factory=Reception)
    remote: RemoteReport | None = None
    round_trip: float | None = None
    remote_metrics: rtcp.VoipMetrics | None = None


def ntp_time(wall: float) -> int:
    """64 bits of NTP time for seconds since 1970."""
    seconds = wall + _NTP_EPOCH
    return (int(seconds) & 0xFFFFFFFF) << 32 | int((seconds % 1) * (1 << 32))


class Reporter:
    """Counts what goes out and comes in, and makes and reads reports.

    ``interval`` in seconds between reports, varied by half (section 6.2). ``metrics`` may be set to the voice figures
    that only the play-out knows (delays, discards, scores); their packet figures are filled in here.
    """

    def __init__(
        self,
        ssrc: int,
        cname: str,
        clock_rate: int,
        *,
        wall: float,
        interval: float = 5.0,
        voice: bool = True,
        seed: int | None = None,
    ) -> None:
        self.ssrc = ssrc
        self.cname = cname
        self.clock_rate = clock_rate
        self.sent_packets = 0
        self.sent_octets = 0
        self.remote: RemoteReport | None = None
        self.remote_metrics: rtcp.VoipMetrics | None = None
        self.round_trip: float | None = None
        self.translated = False  # a relay passes reports on: stamps in them are other people's
        self.metrics = rtcp.VoipMetrics(0) if voice else None
        self._wall = wall
        self._interval = interval
        self._random = random.Random(seed)  # noqa: S311  spreading reports is no secret
        self._sources: dict[int, SourceStatistics] = {}
        self._current: SourceStatistics | None = None
        self._heard: dict[int, tuple[int, float]] = {}  # source: middle of its SR's NTP time, our time
        self._reference: tuple[int, int, float] | None = None  # who, middle of its reference time, our time
        self._sent_since = False
        self._last_timestamp = 0
        self._last_sent = 0.0
        self._deadline: float | None = None
        self._reports = 0

    def sent(self, timestamp: int, octets: int, now: float) -> None:
        """A packet of ours with so many octets of payload left."""
        self.sent_packets += 1
        self.sent_octets += octets
        self._last_timestamp = timestamp
        self._last_sent = now
        self._sent_since = True
        if self._deadline is None:
            self._schedule(now, first=True)

    def received(self, ssrc: int, sequence_number: int, timestamp: int, octets: int, now: float) -> bool:
        """A packet came in. False where it is a copy of one that came before."""
        return self.source(ssrc, now).received(sequence_number, timestamp, octets, now)

    def source(self, ssrc: int, now: float) -> SourceStatistics:
        """The counts of a source that is heard from now on; each packet of it may be told to them directly."""
        source = self._current
        if source is None or source.ssrc != ssrc:
            source = self._sources.get(ssrc)
            if source is None:
                while len(self._sources) >= _SOURCES:
                    del self._sources[next(iter(self._sources))]
                source = self._sources[ssrc] = SourceStatistics(ssrc, self.clock_rate)
            self._current = source
            if self._deadline is None:
                self._schedule(now, first=True)
        return source

    def receive_rtcp(self, packets: tuple[rtcp.RtcpPacket, ...], now: float) -> None:
        """Take in what the other side reports."""
        for packet in packets:
            match packet:
                case rtcp.SenderReport():
                    self._heard[packet.ssrc] = (packet.ntp >> 16 & 0xFFFFFFFF, now)
                    while len(self._heard) > _SOURCES:
                        del self._heard[next(iter(self._heard))]
                    self._read_blocks(packet.reports, now)
                case rtcp.ReceiverReport():
                    self._read_blocks(packet.reports, now)
                case rtcp.ExtendedReport():
                    self._read_extended(packet, now)

    def next_deadline(self) -> float | None:
        """When the next report is due; None before anything was sent or received."""
        return self._deadline

    def handle_timer(self, now: float) -> tuple[rtcp.RtcpPacket, ...]:
        """The compound packet that is due, or nothing."""
        if self._deadline is None or now < self._deadline:
            return ()
        self._schedule(now)
        return self.report(now)

    def report(self, now: float) -> tuple[rtcp.RtcpPacket, ...]:
        """A report of this moment: SR or RR, SDES, and XR at every second one."""
        blocks = (self._block(self._current, now),) if self._current is not None else ()
        packets: list[rtcp.RtcpPacket] = [self._head(blocks, now), rtcp.SourceDescription.of(self.ssrc, self.cname)]
        self._reports += 1
        if self._reports % _XR_EVERY == 0 and (self._current is not None or self._reference is not None):
            packets.append(self._extended(now))
        return tuple(packets)

    def goodbye(self, now: float) -> tuple[rtcp.RtcpPacket, ...]:
        """The last report, with BYE (section 6.6)."""
        return (*self.report(now), rtcp.Goodbye((self.ssrc,)))

    def figures(self) -> Figures:
        """All figures so far, of all sources together; jitter is that of the newest one."""
        all_of = [source.figures() for source in self._sources.values()]
        total = Reception(
            packets=sum(one.packets for one in all_of),
            octets=sum(one.octets for one in all_of),
            expected=sum(one.expected for one in all_of),
            duplicates=sum(one.duplicates for one in all_of),
            jitter=self._current.jitter if self._current else 0.0,
            burst_packets=sum(one.burst_packets for one in all_of),
            burst_lost=sum(one.burst_lost for one in all_of),
            bursts=sum(one.bursts for one in all_of),
            gap_packets=sum(one.gap_packets for one in all_of),
            gap_lost=sum(one.gap_lost for one in all_of),
        )
        return Figures(self.sent_packets, self.sent_octets, total, self.remote, self.round_trip, self.remote_metrics)

    def _schedule(self, now: float, *, first: bool = False) -> None:
        interval = self._interval / 2 if first else self._interval
        self._deadline = now + interval * self._random.uniform(0.5, 1.5)

    def _head(self, blocks: tuple[rtcp.ReportBlock, ...], now: float) -> rtcp.RtcpPacket:
        if not self._sent_since:
            return rtcp.ReceiverReport(self.ssrc, blocks)
        self._sent_since = False
        timestamp = self._last_timestamp + int((now - self._last_sent) * self.clock_rate)
        return rtcp.SenderReport(
            self.ssrc,
            ntp_time(self._wall + now),
            timestamp & 0xFFFFFFFF,
            self.sent_packets & 0xFFFFFFFF,
            self.sent_octets & 0xFFFFFFFF,
            blocks,
        )

    def _block(self, source: SourceStatistics, now: float) -> rtcp.ReportBlock:
        last, at = self._heard.get(source.ssrc, (0, now))
        return source.report(last, min(int((now - at) * 65536), 0xFFFFFFFF) if last else 0)

    def _extended(self, now: float) -> rtcp.ExtendedReport:
        blocks: list[rtcp.Block] = [rtcp.ReferenceTime(ntp_time(self._wall + now))]
        if self._reference is not None:
            who, middle, at = self._reference
            blocks.append(rtcp.LastReferenceTimes(((who, middle, min(int((now - at) * 65536), 0xFFFFFFFF)),)))
        if self.metrics is not None and self._current is not None:
            blocks.append(_with_packets(self.metrics, self._current, self.round_trip))
        return rtcp.ExtendedReport(self.ssrc, tuple(blocks))

    def _read_blocks(self, blocks: tuple[rtcp.ReportBlock, ...], now: float) -> None:
        for block in blocks:
            if block.ssrc != self.ssrc:
                continue
            self.remote = RemoteReport(
                block.fraction_lost / 256, block.packets_lost, block.jitter / self.clock_rate, now
            )
            if block.last_report and not self.translated:
                self._measured(block.last_report, block.delay, now)

    def _read_extended(self, packet: rtcp.ExtendedReport, now: float) -> None:
        for block in packet.blocks:
            match block:
                case rtcp.ReferenceTime():
                    self._reference = (packet.ssrc, block.ntp >> 16 & 0xFFFFFFFF, now)
                case rtcp.LastReferenceTimes() if not self.translated:
                    for who, middle, delay in block.entries:
                        if who == self.ssrc and middle:
                            self._measured(middle, delay, now)
                case rtcp.VoipMetrics() if block.source == self.ssrc:
                    self.remote_metrics = block

    def _measured(self, middle: int, delay: int, now: float) -> None:
        trip = ((ntp_time(self._wall + now) >> 16 & 0xFFFFFFFF) - middle - delay) & 0xFFFFFFFF
        if trip < 1 << 31:  # else the clocks ran backwards, or the stamp is not ours
            self.round_trip = trip / 65536


def _with_packets(voice: rtcp.VoipMetrics, source: SourceStatistics, round_trip: float | None) -> rtcp.VoipMetrics:
    figures = source.figures()
    packet_ms = 20

    def share(part: int, whole: int) -> int:
        return min(part * 256 // whole, 255) if whole else 0

    return replace(
        voice,
        source=source.ssrc,
        loss_rate=share(figures.lost, figures.expected),
        burst_density=share(figures.burst_lost, figures.burst_packets),
        gap_density=share(figures.gap_lost, figures.gap_packets),
        burst_duration=min(figures.burst_packets * packet_ms // max(figures.bursts, 1), 0xFFFF),
        gap_duration=min(figures.gap_packets * packet_ms // (figures.bursts + 1), 0xFFFF),
        round_trip=min(int((round_trip or 0) * 1000), 0xFFFF),
    )
