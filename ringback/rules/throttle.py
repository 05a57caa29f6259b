"""How many wrong passwords somebody may try: a pure counter with the time given."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Hashable

_KEPT = 20_000  # keys; the oldest is forgotten first, so that many keys cannot fill the memory


class Throttle:
    """Counts tries by key in a leaky bucket: ``burst`` at once, then one every ``seconds``."""

    def __init__(self, burst: int, seconds: float) -> None:
        self._burst = burst
        self._seconds = seconds
        self._filled: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def wait(self, key: Hashable, now: float) -> int:
        """Whole seconds until another try is allowed; 0 where it is allowed now."""
        excess = (self._level(key, now) - self._burst + 1) * self._seconds
        return max(0, math.ceil(round(excess, 6)))  # rounded: 6.0000001 seconds are not 7

    def count(self, key: Hashable, now: float) -> None:
        """Count a try, as failed until it is given back or the key is cleared."""
        self._filled[key] = (self._level(key, now) + 1, now)
        self._filled.move_to_end(key)
        if len(self._filled) > _KEPT:
            self._filled.popitem(last=False)

    def give_back(self, key: Hashable) -> None:
        """A counted try was right."""
        if key in self._filled:
            level, at = self._filled[key]
            self._filled[key] = (max(0.0, level - 1), at)

    def clear(self, key: Hashable) -> None:
        """Forget the tries of a key."""
        self._filled.pop(key, None)

    def _level(self, key: Hashable, now: float) -> float:
        level, at = self._filled.get(key, (0.0, now))
        return max(0.0, level - (now - at) / self._seconds)
