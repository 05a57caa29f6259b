"""One outgoing stream whose source changes: music after a person, a transfer, a new SSRC of the same phone.

What the other side hears stays one stream: its SSRC, its sequence numbers and its timestamps go on (RFC 3550 section
7.1: a translator may give packets new numbers, if it does so in both directions of RTCP).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shift:
    """How one source's numbers are moved."""

    source: int
    sequence: int = 0
    timestamp: int = 0


class Continuity:
    """Moves the numbers of changing sources into one stream of ``ssrc``, which begins with the numbers given."""

    REMEMBERED = 8  # sources that left: their late packets don't take the stream back

    def __init__(self, ssrc: int, clock_rate: int = 8000, sequence: int = 0, timestamp: int = 0) -> None:
        self.ssrc = ssrc
        self._clock_rate = clock_rate
        self._shift: Shift | None = None
        self._retired: list[int] = []
        self._started = False
        self._sequence = (sequence - 1) & 0xFFFF  # the highest that was sent
        self._timestamp = timestamp
        self._at = 0.0

    @property
    def source(self) -> int | None:
        """Whose packets flow now."""
        return None if self._shift is None else self._shift.source

    def take_over(self) -> None:
        """The next packet comes from a new source on purpose, even if its SSRC was here before."""
        if self._shift is not None:
            self._retire(self._shift.source)
            self._shift = None

    def allow(self, source: int) -> None:
        """A source that left may come back (resumed after hold)."""
        if source in self._retired:
            self._retired.remove(source)

    def place(self, source: int, sequence: int, timestamp: int, now: float) -> tuple[int, int, bool] | None:
        """The outgoing sequence number and timestamp, and whether a new source begins (set the marker).

        None for a late packet of a source that left.
        """
        shift = self._shift
        fresh = False
        if shift is None or shift.source != source:
            if source in self._retired:
                return None
            shift = self._begin(source, sequence, timestamp, now)
            fresh = True
        moved = (sequence + shift.sequence) & 0xFFFF
        stamp = (timestamp + shift.timestamp) & 0xFFFFFFFF
        if fresh or (moved - self._sequence) & 0xFFFF < 0x8000:
            self._sequence = moved
            self._timestamp = stamp
            self._at = now
        return moved, stamp, fresh

    def insert(self, now: float) -> tuple[int, int]:
        """Numbers for a packet of our own between those of the present source: (sequence number, timestamp of now)."""
        stamp = self.timestamp_at(now)
        if not self._started:  # a key before any sound: the stream's time begins with it
            self._started = True
            self._at = now
        self._sequence = (self._sequence + 1) & 0xFFFF
        if self._shift is not None:
            self._shift = Shift(self._shift.source, (self._shift.sequence + 1) & 0xFFFF, self._shift.timestamp)
        return self._sequence, stamp

    def skip(self) -> None:
        """A packet of the present source is left out on purpose: the receiver shall not count it as lost."""
        if self._shift is not None:
            self._shift = Shift(self._shift.source, (self._shift.sequence - 1) & 0xFFFF, self._shift.timestamp)

    def timestamp_at(self, now: float) -> int:
        """The stream's timestamp at this moment."""
        elapsed = int((now - self._at) * self._clock_rate) if self._started else 0
        return (self._timestamp + max(elapsed, 0)) & 0xFFFFFFFF

    def back(self, highest_sequence: int) -> int:
        """A sequence number that the receiver reports, as the present source counts."""
        if self._shift is None:
            return highest_sequence
        return highest_sequence & ~0xFFFF | (highest_sequence - self._shift.sequence) & 0xFFFF

    def forth(self, timestamp: int) -> int:
        """A timestamp of the present source's reports, as the receiver counts."""
        return timestamp if self._shift is None else (timestamp + self._shift.timestamp) & 0xFFFFFFFF

    def _begin(self, source: int, sequence: int, timestamp: int, now: float) -> Shift:
        if self._shift is not None:
            self._retire(self._shift.source)
        elapsed = max(int((now - self._at) * self._clock_rate), 1) if self._started else 0
        self._shift = Shift(
            source,
            (self._sequence + 1 - sequence) & 0xFFFF,
            (self._timestamp + elapsed - timestamp) & 0xFFFFFFFF,
        )
        self._started = True
        return self._shift

    def _retire(self, source: int) -> None:
        if source in self._retired:
            self._retired.remove(source)
        self._retired.append(source)
        del self._retired[: -self.REMEMBERED]
