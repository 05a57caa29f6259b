"""What a receiver counts of one source: loss, jitter (RFC 3550 appendix A), bursts and gaps (RFC 3611 appendix A)."""

from __future__ import annotations

from dataclasses import dataclass

from ringback.protocols.rtp.rtcp import ReportBlock
from ringback.protocols.rtp.sequence import sequence_distance

_MAX_DROPOUT = 3000  # packets, RFC 3550 appendix A.1
_MAX_MISORDER = 100
_HISTORY = (1 << 128) - 1
_GAP_THRESHOLD = 16  # packets in a row that arrive end a burst, RFC 3611 section 4.7.2


@dataclass(frozen=True, slots=True)
class Reception:
    """Figures of a source so far. ``jitter`` in seconds; ``burst_*`` and ``gap_*`` count packets."""

    packets: int = 0
    octets: int = 0
    expected: int = 0
    duplicates: int = 0
    jitter: float = 0.0
    burst_packets: int = 0
    burst_lost: int = 0
    bursts: int = 0
    gap_packets: int = 0
    gap_lost: int = 0

    @property
    def lost(self) -> int:
        """Packets that did not arrive; never negative."""
        return max(self.expected - self.packets, 0)

    @property
    def loss(self) -> float:
        """The share that did not arrive, 0 to 1."""
        return self.lost / self.expected if self.expected else 0.0


class SourceStatistics:
    """Counts one SSRC. ``clock_rate`` is that of the payload's timestamps."""

    def __init__(self, ssrc: int, clock_rate: int) -> None:
        self.ssrc = ssrc
        self.clock_rate = clock_rate
        self.packets = 0
        self.octets = 0
        self.duplicates = 0
        self._base = 0
        self._highest = -1  # counted on without end; -1 before the first packet
        self._bad = -1
        self._before = 0  # expected packets before the source started again
        self._jitter = 0.0
        self._last_arrival = 0.0
        self._last_timestamp = 0
        self._pause = 10 * clock_rate
        self._seen = 0  # bit n: highest - n arrived; so copies are known from late packets
        self._told_expected = 0
        self._told_packets = 0
        self._bursts = _Bursts()

    def received(self, sequence_number: int, timestamp: int, octets: int, arrival: float) -> bool:
        """Count a packet with its payload's octets. False where it is a copy of one that came before."""
        highest = self._highest
        if highest >= 0 and (sequence_number - highest) & 0xFFFF == 1:  # nearly always
            self._highest = highest + 1
            self._seen = (self._seen << 1 | 1) & _HISTORY
            self._bursts.since_loss += 1
        elif highest < 0:
            self._base = self._highest = sequence_number
            self._seen = 1
        elif not self._place(sequence_number):
            self.duplicates += 1
            return False
        self.packets += 1
        self.octets += octets
        last = self._last_timestamp
        if timestamp != last or self.packets == 1:
            if self.packets > 1:
                difference = (arrival - self._last_arrival) * self.clock_rate - (
                    ((timestamp - last + 0x80000000) & 0xFFFFFFFF) - 0x80000000
                )
                if difference < 0:
                    difference = -difference
                if difference < self._pause:  # a pause or a new start of the clock is no jitter
                    self._jitter += (difference - self._jitter) / 16
            self._last_arrival = arrival
            self._last_timestamp = timestamp
        return True

    def _place(self, sequence_number: int) -> bool:
        ahead = sequence_distance(sequence_number, self._highest & 0xFFFF)
        if 0 < ahead < _MAX_DROPOUT:
            self._bursts.arrived(ahead - 1)
            self._highest += ahead
            self._seen = (self._seen << ahead | 1) & _HISTORY
            return True
        if -_MAX_MISORDER <= ahead <= 0:
            bit = 1 << -ahead
            if self._seen & bit:
                return False
            self._seen |= bit
            return True
        if sequence_number == self._bad:  # two in a row from elsewhere: the source started again
            self._before += self._highest - self._base  # the packet in doubt was counted, and is the new first
            self._base = self._highest = sequence_number
            self._seen = 1
            self._bad = -1
            return True
        self._bad = (sequence_number + 1) & 0xFFFF
        return True

    @property
    def expected(self) -> int:
        """Packets that should have come, from the first to the newest."""
        return 0 if self._highest < 0 else self._before + self._highest - self._base + 1

    @property
    def jitter(self) -> float:
        """Interarrival jitter in seconds (appendix A.8)."""
        return self._jitter / self.clock_rate

    def figures(self) -> Reception:
        """All figures so far."""
        burst = self._bursts.closed()
        return Reception(
            self.packets,
            self.octets,
            self.expected,
            self.duplicates,
            self.jitter,
            burst.burst_packets,
            burst.burst_lost,
            burst.bursts,
            burst.gap_packets,
            burst.gap_lost,
        )

    def report(self, last_report: int, delay: int) -> ReportBlock:
        """The block for the next report; the fraction lost counts from the report before (appendix A.3)."""
        expected = self.expected
        interval = expected - self._told_expected
        lost = interval - (self.packets - self._told_packets)
        self._told_expected, self._told_packets = expected, self.packets
        fraction = min(lost * 256 // interval, 255) if interval > 0 and lost > 0 else 0
        return ReportBlock(
            self.ssrc,
            fraction,
            expected - self.packets,
            self._highest & 0xFFFFFFFF,
            int(self._jitter),
            last_report,
            delay,
        )


@dataclass(slots=True)
class _Bursts:
    """Splits the past into bursts, where losses lie closer than the threshold, and gaps between them."""

    burst_packets: int = 0
    burst_lost: int = 0
    bursts: int = 0
    gap_packets: int = 0
    gap_lost: int = 0
    since_loss: int = 0  # packets that arrived after the last loss
    open_packets: int = 0  # length of what may be a burst, from its first loss to its last
    open_lost: int = 0

    def arrived(self, lost_before: int) -> None:
        """A packet came after ``lost_before`` others that did not."""
        if lost_before:
            if self.open_lost and self.since_loss < _GAP_THRESHOLD:
                self.open_packets += self.since_loss
            else:
                self._close()
            self.open_packets += lost_before
            self.open_lost += lost_before
            self.since_loss = 0
        self.since_loss += 1

    def _close(self) -> None:
        if self.open_lost > 1:
            self.bursts += 1
            self.burst_packets += self.open_packets
            self.burst_lost += self.open_lost
        else:  # a single loss is part of the gap
            self.gap_packets += self.open_packets
            self.gap_lost += self.open_lost
        self.gap_packets += self.since_loss
        self.open_packets = self.open_lost = self.since_loss = 0

    def closed(self) -> _Bursts:
        """The same with what is open now counted in."""
        copy = _Bursts(
            self.burst_packets, self.burst_lost, self.bursts, self.gap_packets, self.gap_lost,
            self.since_loss, self.open_packets, self.open_lost,
        )  # fmt: skip
        copy._close()  # its own class
        return copy
