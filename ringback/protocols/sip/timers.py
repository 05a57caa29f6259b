"""Durations of RFC 3261 (table 4), RFC 6026 and their kin, and one queue for all timers of an agent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Final

_SWEEP_FROM: Final = 512  # cancelled timers before it is worth while to put the others together
_SLOTS: Final = 16  # in a second
_NEVER: Final = float("inf")
_UNKNOWN: Final = float("-inf")


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
    """Timers in slots of a sixteenth of a second, since most are cancelled long before they are due: arming one touches
    its slot only. A cancelled one lets go of what it held at once, and of its place when its slot is over."""

    __slots__ = ("_cancelled", "_held", "_next", "_numbers", "_slots")

    def __init__(self) -> None:
        self._slots: dict[int, list[Timer]] = {}
        self._numbers: list[int] = []  # of the slots, as a heap
        self._held = 0
        self._cancelled = 0
        self._next = _UNKNOWN

    def __len__(self) -> int:
        """How many timers are armed."""
        return self._held - self._cancelled

    def at(self, when: float, action: Callable[[float], None]) -> Timer:
        """Call ``action(now)`` once ``now`` has reached ``when``."""
        timer = Timer(when, action)
        self._keep(timer)
        self._next = min(self._next, when)
        return timer

    def _keep(self, timer: Timer) -> None:
        number = int(timer.when * _SLOTS)
        slot = self._slots.get(number)
        if slot is None:
            self._slots[number] = [timer]
            heappush(self._numbers, number)
        else:
            slot.append(timer)
        self._held += 1

    def cancel(self, timer: Timer | None) -> None:
        """Disarm; a timer that fired, was cancelled before or is None changes nothing."""
        if timer is None or timer.action is None:
            return
        timer.action = None
        self._cancelled += 1
        if timer.when == self._next:
            self._next = _UNKNOWN
        if self._cancelled > _SWEEP_FROM and self._cancelled * 4 > self._held * 3:
            self._sweep()

    def _sweep(self) -> None:
        armed = [timer for number in sorted(self._slots) for timer in self._slots[number] if timer.action is not None]
        self._slots = {}
        self._numbers = []
        self._held = self._cancelled = 0
        for timer in armed:
            self._keep(timer)

    def next_deadline(self) -> float | None:
        """When the next armed timer is due."""
        if self._next == _UNKNOWN:
            self._look()
        return None if self._next == _NEVER else self._next

    def _look(self) -> None:
        """Find the next one, and leave out slots in which everything was cancelled."""
        while self._numbers:
            number = self._numbers[0]
            soonest = _NEVER
            for timer in self._slots[number]:
                if timer.when < soonest and timer.action is not None:
                    soonest = timer.when
            if soonest != _NEVER:
                self._next = soonest
                return
            self._forget(number)
        self._next = _NEVER

    def _forget(self, number: int) -> None:
        """The first slot, in which nothing is armed any more."""
        heappop(self._numbers)
        count = len(self._slots.pop(number))
        self._held -= count
        self._cancelled -= count

    def fire(self, now: float) -> None:
        """Run what is due, in order. Actions may arm and cancel timers."""
        deadline = self.next_deadline()
        while deadline is not None and deadline <= now:
            number = self._numbers[0]
            slot = self._slots[number]
            due = [timer for timer in slot if timer.when <= now and timer.action is not None]
            if len(due) > 1:
                due.sort(key=_when)
            self._next = _UNKNOWN
            for timer in due:
                action = timer.action
                if action is not None:  # no earlier one cancelled it
                    timer.action = None
                    self._cancelled += 1
                    action(now)
            deadline = self.next_deadline()


def _when(timer: Timer) -> float:
    return timer.when
