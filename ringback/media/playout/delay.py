"""How long sound must wait so that nearly all of it has come when its turn is: the theory of the target delay.

Each packet is compared with the fastest of the last ten seconds: by how much did it come later than that one would
have? These lags go into a histogram that forgets; the target delay is a high quantile of it. The fastest packet is a
moving minimum, so a sender whose clock runs faster or slower than ours moves it, and the histogram with it: drift
needs no estimate of its own. Packets that come in a clump after an outage are one event and count as one, else a
single hiccup would keep the delay high for seconds.
"""

from __future__ import annotations

from collections import deque

import numpy as np

BUCKET = 0.002  # seconds
BUCKETS = 400
_WINDOW, _PART = 10.0, 0.5  # seconds over which the fastest packet is remembered, and in which parts
_MEMORY = 400  # packets: weight of a lag falls to 1/e after so many
_CLUMP = 0.3  # of the packet time: packets that come closer together belong to one clump
_CLUMP_WEIGHT = 0.2


class DelayEstimate:
    """Lags of one stream; times are seconds, media times those of the sender's clock."""

    __slots__ = ("_base", "_counts", "_last_arrival", "_last_lag", "_parts", "_seen", "_shift", "_total")

    def __init__(self) -> None:
        self._counts = np.zeros(BUCKETS)
        self._total = 0.0
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
        lag = max(0.0, transit - self.base)
        in_clump = lag > 2 * duration and self._last_lag > lag and arrival - self._last_arrival < _CLUMP * duration
        self._last_arrival, self._last_lag = arrival, lag
        self.count(lag, _CLUMP_WEIGHT if in_clump else 1.0)
        self._seen += 1
        return lag

    def count(self, lag: float, weight: float = 1.0) -> None:
        """Put a lag into the histogram; also for sound that came by a redundant copy, as late as that."""
        keep = 1.0 - 1.0 / min(_MEMORY, self._seen + 2)
        self._counts *= keep
        self._counts[min(BUCKETS - 1, int(lag / BUCKET))] += weight
        self._total = self._total * keep + weight

    def quantile(self, share: float) -> float:
        """The lag in seconds that ``share`` (0 to 1) of the packets stay within."""
        if not self._total:
            return 0.0
        place = int(np.searchsorted(np.cumsum(self._counts), share * self._total))
        return min(place, BUCKETS - 1) * BUCKET + (BUCKET if place else 0.0)

    def lag_now(self, now: float, media_time: float) -> float:
        """By how much ``now`` is later than the moment at which the fastest packet brought that media time."""
        return now - media_time - self.base

    def _follow(self, arrival: float, transit: float) -> None:
        part = int(arrival / _PART)
        if self._parts and self._parts[-1][0] >= part:
            number, least = self._parts.pop()
            self._parts.append((number, min(least, transit)))
        else:
            self._parts.append((part, transit))
        while self._parts[0][0] < part - int(_WINDOW / _PART):
            self._parts.popleft()
        base = min(least for _, least in self._parts)
        if self._base is not None:
            self._move(base - self._base)
        self._base = base

    def _move(self, by: float) -> None:
        """The fastest packet is another now: all lags in the histogram are so much smaller."""
        self._shift += by
        buckets = int(self._shift / BUCKET)
        if not buckets:
            return
        self._shift -= buckets * BUCKET
        moved = np.zeros(BUCKETS)
        if abs(buckets) >= BUCKETS:
            moved[0 if buckets > 0 else -1] = self._total
        elif buckets > 0:
            moved[:-buckets] = self._counts[buckets:]
            moved[0] += self._counts[:buckets].sum()
        else:
            moved[-buckets:] = self._counts[:buckets]
            moved[-1] += self._counts[buckets:].sum()
        self._counts = moved
