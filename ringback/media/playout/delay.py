"""How long sound must wait so that nearly all of it has come when its turn is: the theory of the target delay.

Each packet is compared with the fastest of the last ten seconds: by how much did it come later than that one would
have? These lags go into a histogram that forgets; the target delay is a high quantile of it. The fastest packet is a
moving minimum, so a sender whose clock runs faster or slower than ours moves it, and the histogram with it: drift
needs no estimate of its own. Packets that come in a clump after an outage are one event and count as one, else a
single hiccup would keep the delay high for seconds.
"""

from __future__ import annotations

import math
from collections import deque

BUCKET = 0.002  # seconds
BUCKETS = 400
_WINDOW, _PART = 10.0, 0.5  # seconds over which the fastest packet is remembered, and in which parts
_MEMORY = 400  # packets: weight of a lag falls to 1/e after so many
_REST = 1.0 - 1.0 / _MEMORY
_CLUMP = 0.3  # of the packet time: packets that come closer together belong to one clump
_CLUMP_WEIGHT = 0.02
_GREATEST = 1e9  # weight at which all are brought down


class DelayEstimate:
    """Lags of one stream; times are seconds, media times those of the sender's clock."""

    __slots__ = (
        "_base",
        "_below",
        "_counts",
        "_last_arrival",
        "_last_lag",
        "_parts",
        "_place",
        "_shift",
        "_total",
        "_weight",
        "base",
        "seen",
        "share",
    )

    def __init__(self, share: float = 0.985) -> None:
        self.share = share
        self._counts = [0.0] * BUCKETS
        self._total = 0.0
        self._weight = 1.0
        self._place = 0  # the bucket that the quantile lies in
        self._below = 0.0  # what the buckets before that one hold
        self._parts: deque[tuple[int, float]] = deque()
        self.base = 0.0
        """Arrival minus media time of the fastest packet; 0 before the first."""
        self.seen = 0
        """Packets so far."""
        self._shift = 0.0
        self._last_arrival = 0.0
        self._last_lag = 0.0

    def add(self, arrival: float, media_time: float, duration: float) -> float:
        """Count a packet of ``duration`` seconds; the answer is its lag in seconds."""
        transit = arrival - media_time
        parts = self._parts
        if not parts or transit < self.base or parts[-1][0] < int(arrival / _PART):
            self._follow(arrival, transit)
        elif transit < parts[-1][1]:
            parts[-1] = (parts[-1][0], transit)
        lag = transit - self.base
        lag = max(lag, 0.0)
        last = self._last_lag
        in_clump = last > lag > 2 * duration and arrival - self._last_arrival < _CLUMP * duration
        self._last_arrival, self._last_lag = arrival, lag
        # Instead of letting all old weights shrink, each new one is greater than the one before.
        seen = self.seen
        self._weight /= _REST if seen >= _MEMORY else 1.0 - 1.0 / min(_MEMORY, seen + 2)
        if self._weight > _GREATEST:
            self._bring_down()
        weight = self._weight * _CLUMP_WEIGHT if in_clump else self._weight
        bucket = int(lag / BUCKET)
        if bucket >= BUCKETS:
            bucket = BUCKETS - 1
        self._counts[bucket] += weight
        self._total += weight
        if bucket < self._place:
            self._below += weight
        self.seen = seen + 1
        return lag

    def _bring_down(self) -> None:
        by = self._weight
        self._counts = [count / by for count in self._counts]
        self._total = sum(self._counts)  # anew, so that rounding doesn't add up
        self._below = sum(self._counts[: self._place])
        self._weight = 1.0

    def quantile(self) -> float:
        """The lag in seconds that ``share`` (0 to 1) of the packets stay within."""
        counts, place, below, wanted = self._counts, self._place, self._below, self.share * self._total
        if below >= wanted or below + counts[place] < wanted:
            while place and below >= wanted:
                place -= 1
                below -= counts[place]
            while place < BUCKETS - 1 and below + counts[place] < wanted:
                below += counts[place]
                place += 1
            self._place, self._below = place, below
        return (place + 1) * BUCKET if place else 0.0

    def _follow(self, arrival: float, transit: float) -> None:
        """The fastest packet of each second of the last ten: find the fastest of all anew."""
        parts = self._parts
        part = int(arrival / _PART)
        if parts and parts[-1][0] >= part:
            newest, least = parts[-1]
            parts[-1] = (newest, min(least, transit))
        else:
            parts.append((part, transit))
            while parts[0][0] < part - int(_WINDOW / _PART):
                parts.popleft()
        base = min(least for _, least in parts)
        if self.seen and base > self.base:
            self._slower(base - self.base)
        self.base = base

    def _slower(self, by: float) -> None:
        """The fastest packet has been forgotten: all lags in the histogram are so much smaller.

        A faster one moves nothing: what was known of the lags holds for the new way as well, and under drift they would
        only grow.
        """
        self._shift += by
        buckets = min(BUCKETS, int(self._shift / BUCKET))
        if not buckets:
            return
        self._shift -= buckets * BUCKET
        counts = self._counts
        self._counts = [*counts[buckets:], *[0.0] * buckets]
        self._counts[0] += sum(counts[:buckets])
        self._place, self._below = 0, 0.0


class LossEstimate:
    """How many packets get lost, how many of the lost ones later packets may replace, and how long to wait for
    those."""

    __slots__ = ("_copies", "_known", "_newest", "_seen", "share", "waited")

    _MEMORY = 150  # packets
    _FIRST = 25  # packets after which a share is believed; before, redundancy is taken as a sign of loss
    _LEFT = 0.003  # share of sound that may stay lost
    _SLOWNESS = 500  # packets until one copy fewer is waited for

    def __init__(self) -> None:
        self.share = 0.0
        self._newest: int | None = None
        self._seen = 0
        self._copies = 0.0
        self.waited = 0.0
        """How many copies are waited for; whole ones count."""
        self._known = False  # whether enough packets came to tell what gets lost

    def add(self, sequence: int, copies: int) -> None:
        """A packet came that could replace ``copies`` before it."""
        if self.waited == 0.0 and self._known and not copies and not self._copies and sequence - 1 == self._newest:
            # The usual case: nothing is waited for, so nothing is forgotten but the share.
            self._newest = sequence
            self._seen += 1
            self.share -= self.share / (self._MEMORY if self._seen > self._MEMORY else self._seen)
            return
        missing = 0 if self._newest is None else min(50, max(0, sequence - self._newest - 1))
        back = self._newest is not None and sequence < self._newest  # late, but not lost after all
        self._newest = sequence if self._newest is None else max(self._newest, sequence)
        for _ in range(missing):
            self._seen += 1
            self.share += (1.0 - self.share) / min(self._MEMORY, self._seen)
        self._seen += 1
        self.share -= self.share / min(self._MEMORY, self._seen)
        if back:
            self.share = max(0.0, self.share - 1 / min(self._MEMORY, self._seen))
        self._copies = max(float(copies), self._copies - 1 / self._SLOWNESS)
        if self._seen < self._FIRST:
            self.waited = self._copies
            return
        needed = min(self._copies, self._depth())
        self.waited = max(needed, self.waited - 1 / self._SLOWNESS) if self._known else needed
        self._known = True

    @property
    def copies_waited_for(self) -> int:
        """How many packets to wait so that copies have come in time; 0 while hardly anything is lost."""
        return math.ceil(self.waited - 1e-6) if self.waited else 0

    def _depth(self) -> int:
        """Copies after which less than _LEFT is still missing, losses being independent."""
        left, depth = self.share, 0
        while left > self._LEFT and depth < 4:
            left *= self.share
            depth += 1
        return depth
