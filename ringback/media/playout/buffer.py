"""Packets that wait for their turn, by media time, never more than a fixed number."""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import NamedTuple

MOST = 400  # entries: at most 8 s of 20 ms packets, whatever is sent


class Waiting(NamedTuple):
    """A payload. ``start``: media time in clock ticks, never wrapping. ``level``: 0 for the original, else which copy.

    ``sequence`` is the extended number of the packet that carried the original, so far as it is known.
    """

    start: int
    payload: bytes
    payload_type: int
    sequence: int
    level: int
    arrival: float


class PacketBuffer:
    """Sorted by start; one entry for each, an original replaces a copy."""

    __slots__ = ("_entries", "_starts")

    def __init__(self) -> None:
        self._entries: dict[int, Waiting] = {}
        self._starts: list[int] = []

    def __len__(self) -> int:
        return len(self._starts)

    def add(self, entry: Waiting) -> bool:
        """Keep a packet; whether it was news. The oldest one goes where there is no more room."""
        known = self._entries.get(entry.start)
        if known is not None:
            if known.level > entry.level:
                self._entries[entry.start] = entry
            return False
        starts = self._starts
        if not starts or entry.start > starts[-1]:  # nearly always
            starts.append(entry.start)
        else:
            insort(starts, entry.start)
        self._entries[entry.start] = entry
        if len(starts) > MOST:
            del self._entries[starts.pop(0)]
        return True

    def first(self) -> Waiting | None:
        """The next in time."""
        return self._entries[self._starts[0]] if self._starts else None

    def last(self) -> Waiting | None:
        """The last in time."""
        return self._entries[self._starts[-1]] if self._starts else None

    def pop(self) -> Waiting:
        """Take the next in time. Raises IndexError where there is none."""
        return self._entries.pop(self._starts.pop(0))

    def drop_before(self, start: int) -> list[Waiting]:
        """Take out all that start before a time."""
        count = bisect_left(self._starts, start)
        dropped = [self._entries.pop(one) for one in self._starts[:count]]
        del self._starts[:count]
        return dropped

    def clear(self) -> None:
        """Forget all."""
        self._entries.clear()
        self._starts.clear()
