"""Slow down those who guess: so many tries of one address for one user, then a pause for that pair only.

A try counts when it begins and is forgotten when it was right, so that many tries sent together count too.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

_MOST_KEPT: Final = 100_000


class Throttle:
    """Counts tries by key in a window of time. ``most`` tries in ``window`` seconds close it for its rest."""

    __slots__ = ("_most", "_tries", "_window")

    def __init__(self, most: int = 10, window: float = 60.0) -> None:
        self._most = most
        self._window = window
        self._tries: OrderedDict[tuple[str, str], tuple[int, float]] = OrderedDict()

    def begins(self, user: str, address: str, now: float) -> bool:
        """Whether this try may be looked at; if so it counts as failed until told otherwise."""
        key = (user, address)
        count, since = self._tries.get(key, (0, now))
        if since + self._window <= now:
            count, since = 0, now
        if count >= self._most:
            return False
        self._tries[key] = (count + 1, since)
        self._tries.move_to_end(key)
        if len(self._tries) > _MOST_KEPT:
            self._tries.popitem(last=False)
        return True

    def succeeded(self, user: str, address: str) -> None:
        """A try was right: earlier failures were slips."""
        self._tries.pop((user, address), None)

    def undecided(self, user: str, address: str) -> None:
        """Nobody could tell whether the try was right: it does not count."""
        count, since = self._tries.get((user, address), (0, 0.0))
        if count:
            self._tries[user, address] = (count - 1, since)
