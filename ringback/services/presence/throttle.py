"""Slow down those who guess: so many failures of one address for one user, then a pause for that pair only."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

_MOST_KEPT: Final = 100_000


class Throttle:
    """Counts failures by key in a window of time. ``most`` failures in ``window`` seconds close it for its rest."""

    __slots__ = ("_failures", "_most", "_window")

    def __init__(self, most: int = 10, window: float = 60.0) -> None:
        self._most = most
        self._window = window
        self._failures: OrderedDict[tuple[str, str], tuple[int, float]] = OrderedDict()

    def allows(self, user: str, address: str, now: float) -> bool:
        """Whether another attempt may be looked at."""
        count, since = self._failures.get((user, address), (0, now))
        return count < self._most or since + self._window <= now

    def succeeded(self, user: str, address: str) -> None:
        """An attempt was good: earlier failures were slips."""
        self._failures.pop((user, address), None)

    def failed(self, user: str, address: str, now: float) -> None:
        """An attempt failed."""
        key = (user, address)
        count, since = self._failures.pop(key, (0, now))
        if since + self._window <= now:
            count, since = 0, now
        self._failures[key] = (count + 1, since)
        if len(self._failures) > _MOST_KEPT:
            self._failures.popitem(last=False)
