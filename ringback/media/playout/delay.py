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

import numpy as np

BUCKET = 0.002  # seconds
BUCKETS = 400
_WINDOW, _PART = 10.0, 0.5  # seconds over which the fastest packet is remembered, and in which parts
_MEMORY = 400  # packets: weight of a lag falls to 1/e after so many
_REST = 1.0 - 1.0 / _MEMORY
_CLUMP = 0.3  # of the packet time: packets that come closer together belong to one clump
_CLUMP_WEIGHT = 0.02
_GREATEST = 1e9  # weight at which all are brought down
_FRESH = 10  # questions that one search answers, unless a later packet than the answer came


class DelayEstimate:
    """Lags of one stream; times are seconds, media times those of the sender's clock."""

    __slots__ = (
        "_base",
        "_counts",
        "_fresh",
        "_last_arrival",
        "_last_lag",
        "_parts",
        "_place",
        "_seen",
        "_share",
        "_shift",
        "_total",
        "_weight",
    )

    def __init__(self) -> None:
        self._counts = np.zeros(BUCKETS)
        self._total = 0.0
        self._weight = 1.0
        self._share = 0.0
        self._place = 0
        self._fresh = 0
        self._seen = 0
        self._parts: deque[tuple[int, float]] = deque()
        self._base: float | None = None
        self._shift = 0.0
        self._last_arrival = 0.0
        self._last_lag = 0.0

    @property
    def base(self) -> float:
        """Arrival minus media time of the fastest packet; 0 before the first."""
        return self._base or 0.0

    @property
    def seen(self) -> int:
        """Packets so far."""
        return self._seen

    def add(self, arrival: float, media_time: float, duration: float) -> float:
        """Count a packet of ``duration`` seconds; the answer is its lag in seconds."""
        transit = arrival - media_time
        self._follow(arrival, transit)
        lag = transit - (self._base or 0.0)
        lag = max(lag, 0.0)
        in_clump = lag > 2 * duration and self._last_lag > lag and arrival - self._last_arrival < _CLUMP * duration
        self._last_arrival, self._last_lag = arrival, lag
        self._count(lag, _CLUMP_WEIGHT if in_clump else 1.0)
        self._seen += 1
        return lag

    def _count(self, lag: float, weight: float) -> None:
        """Instead of letting all old weights shrink, each new one is greater than the one before."""
        self._weight /= _REST if self._seen >= _MEMORY else 1.0 - 1.0 / min(_MEMORY, self._seen + 2)
        if self._weight > _GREATEST:
            self._counts /= self._weight
            self._total /= self._weight
            self._weight = 1.0
        weight *= self._weight
        bucket = int(lag / BUCKET)
        if bucket >= BUCKETS:
            bucket = BUCKETS - 1
        self._counts[bucket] += weight
        self._total += weight
        if bucket > self._place:
            self._fresh = 0

    def quantile(self, share: float) -> float:
        """The lag in seconds that ``share`` (0 to 1) of the packets stay within."""
        if not self._total:
            return 0.0
        if not self._fresh or share != self._share:
            self._share, self._fresh = share, _FRESH
            place = int(np.searchsorted(np.cumsum(self._counts), share * self._total))
            self._place = min(place, BUCKETS - 1)
        self._fresh -= 1
        return self._place * BUCKET + (BUCKET if self._place else 0.0)

    def lag_now(self, now: float, media_time: float) -> float:
        """By how much ``now`` is later than the moment at which the fastest packet brought that media time."""
        return now - media_time - self.base

    def _follow(self, arrival: float, transit: float) -> None:
        part = int(arrival / _PART)
        if self._parts:
            newest, least = self._parts[-1]
            if newest >= part:
                if transit < least:
                    self._parts[-1] = (newest, transit)
                    self._base = min(transit, self.base)
                return
        self._parts.append((part, transit))
        while self._parts[0][0] < part - int(_WINDOW / _PART):
            self._parts.popleft()
        base = min(least for _, least in self._parts)
        if self._base is not None and base > self._base:
            self._slower(base - self._base)
        self._base = base

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
        below = self._counts[:buckets].sum()
        self._counts[: BUCKETS - buckets] = self._counts[buckets:].copy()
        self._counts[BUCKETS - buckets :] = 0.0
        self._counts[0] += below
        self._fresh = 0


class LossEstimate:
    """How many packets get lost, how many of the lost ones later packets may replace, and how long to wait for
    those."""

    __slots__ = ("_copies", "_known", "_newest", "_seen", "_waited", "share")

    _MEMORY = 150  # packets
    _FIRST = 25  # packets after which a share is believed; before, redundancy is taken as a sign of loss
    _LEFT = 0.003  # share of sound that may stay lost
    _SLOWNESS = 500  # packets until one copy fewer is waited for

    def __init__(self) -> None:
        self.share = 0.0
        self._newest: int | None = None
        self._seen = 0
        self._copies = 0.0
        self._waited = 0.0
        self._known = False  # whether enough packets came to tell what gets lost

    def add(self, sequence: int, copies: int) -> None:
        """A packet came that could replace ``copies`` before it."""
        if self._waited == 0.0 and self._known and not copies and not self._copies and sequence - 1 == self._newest:
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
            self._waited = self._copies
            return
        needed = min(self._copies, self._depth())
        self._waited = max(needed, self._waited - 1 / self._SLOWNESS) if self._known else needed
        self._known = True

    @property
    def copies_waited_for(self) -> int:
        """How many packets to wait so that copies have come in time; 0 while hardly anything is lost."""
        return math.ceil(self._waited - 1e-6) if self._waited else 0

    def _depth(self) -> int:
        """Copies after which less than _LEFT is still missing, losses being independent."""
        left, depth = self.share, 0
        while left > self._LEFT and depth < 4:
            left *= self.share
            depth += 1
        return depth
