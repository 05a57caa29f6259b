"""Durations of RFC 3261 (table 4), RFC 6026 and their kin, and one queue for all timers of an agent."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass

_SWEEP_FROM = 512  # cancelled timers in the heap before it is worth while to rebuild it


@dataclass(frozen=True, slots=True)
class Durations:
    """Timer values in seconds (RFC 3261 appendix A).

    ``t1``: round trip estimate; ``t2``: longest gap between retransmissions; ``t4``: how long a message may live in the
    network; ``d``: timer D; ``c``: how long an INVITE that we sent may ring before it is given up (timer C, section
    16.6); ``subscription_margin``: how long before its end a subscription or registration is refreshed.
    """

    t1: float = 0.5
    t2: float = 4.0
    t4: float = 5.0
    d: float = 32.0
    c: float = 185.0
    subscription_margin: float = 10.0

    @property
    def timeout(self) -> float:
        """64 times T1: timers B, F, H, J, L and M."""
        return 64 * self.t1


class Timer:
    """One armed timer. It holds its action until it fires or is cancelled."""

    __slots__ = ("action", "when")

    def __init__(self, when: float, action: Callable[[float], None]) -> None:
        self.when = when
        self.action: Callable[[float], None] | None = action


class TimerQueue:
    """A heap of timers with lazy removal: a cancelled one lets go of what it held at once and of its place later."""

    __slots__ = ("_cancelled", "_heap", "_number")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer]] = []
        self._number = 0
        self._cancelled = 0

    def __len__(self) -> int:
        """How many timers are armed."""
        return len(self._heap) - self._cancelled

    def at(self, when: float, action: Callable[[float], None]) -> Timer:
        """Call ``action(now)`` once ``now`` has reached ``when``."""
        timer = Timer(when, action)
        self._number += 1
        heapq.heappush(self._heap, (when, self._number, timer))
        return timer

    def cancel(self, timer: Timer | None) -> None:
        """Disarm; a timer that fired, was cancelled before or is None changes nothing."""
        if timer is None or timer.action is None:
            return
        timer.action = None
        self._cancelled += 1
        if self._cancelled > _SWEEP_FROM and self._cancelled * 4 > len(self._heap) * 3:
            self._heap = [entry for entry in self._heap if entry[2].action is not None]
            heapq.heapify(self._heap)
            self._cancelled = 0

    def next_deadline(self) -> float | None:
        """When the next armed timer is due."""
        heap = self._heap
        while heap:
            if heap[0][2].action is not None:
                return heap[0][0]
            heapq.heappop(heap)
            self._cancelled -= 1
        return None

    def fire(self, now: float) -> None:
        """Run what is due, in order. Actions may arm and cancel timers."""
        heap = self._heap
        while heap and heap[0][0] <= now:
            timer = heapq.heappop(heap)[2]
            action = timer.action
            if action is None:
                self._cancelled -= 1
                continue
            timer.action = None
            action(now)
            heap = self._heap
