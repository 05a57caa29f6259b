"""How much of what is heard was guessed: the figures of call management records (CCR, ICR, CS, SCS)."""

from __future__ import annotations

from collections import deque

_SEVERE = 0.05  # seconds of guesses in a second of sound
_INTERVAL = 3  # seconds of sound


class ConcealmentMeter:
    """Counts sound in seconds of active speech; silence of the sender is not counted."""

    __slots__ = ("_in_second", "_last", "_second", "concealed", "interval_most", "played", "seconds", "severe")

    def __init__(self) -> None:
        self.played = self.concealed = 0.0
        self.seconds = self.severe = 0
        self.interval_most = 0.0
        self._second = self._in_second = 0.0
        self._last: deque[float] = deque(maxlen=_INTERVAL)

    @property
    def interval_ratio(self) -> float:
        """Share of guesses in the last three whole seconds of sound."""
        return sum(self._last) / len(self._last) if self._last else 0.0

    def add(self, played: float, concealed: float) -> None:
        """Sound of ``played`` seconds went out, ``concealed`` of it guessed."""
        while played > 1.0:
            share = concealed / played
            self.add(1.0, share)
            played, concealed = played - 1.0, concealed - share
        self.played += played
        self.concealed += concealed
        self._second += played
        self._in_second += concealed
        if self._second < 1.0 - 1e-9:
            return
        self._last.append(min(1.0, self._in_second / self._second))
        self.seconds += self._in_second > 0
        self.severe += self._in_second > _SEVERE
        if len(self._last) == _INTERVAL:
            self.interval_most = max(self.interval_most, self.interval_ratio)
        self._second = self._in_second = 0.0
