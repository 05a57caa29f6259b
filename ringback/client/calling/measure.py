"""How calls are heard, measured once a second: the page's part from the page, the rest from RTCP and our own counts."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from ringback.client.calling.book import CallBook
from ringback.client.calling.call import LiveCall
from ringback.client.host.wire_calls import PageQuality
from ringback.protocols.rtp.reports import Figures

MINUTE = 60


@dataclass(slots=True)
class Direction:
    """One direction of a call's sound: losses of the last seconds (of 100), and what it looks like now."""

    minute: deque[float] = field(default_factory=lambda: deque(maxlen=MINUTE))
    lost: int = 0
    expected: int = 0


@dataclass(slots=True)
class Measured:
    """What is known of a call's sound. ``page``: what the page told last."""

    page: PageQuality | None = None
    sending: Direction = field(default_factory=Direction)
    receiving: Direction = field(default_factory=Direction)
    since: float = 0.0
    seconds: int = 0
    frames: int = 0


class Meter:
    """Keeps the measures of all calls."""

    def __init__(self, book: CallBook, clock: Callable[[], float]) -> None:
        self._book = book
        self._clock = clock
        self._measured: dict[str, Measured] = {}

    def page(self, call: LiveCall, told: PageQuality) -> None:
        """Take what a page measures between itself and the engine."""
        self._of(call).page = told

    def _of(self, call: LiveCall) -> Measured:
        return self._measured.setdefault(call.id, Measured(since=self._clock()))

    def figures(self, call: LiveCall) -> Figures | None:
        """The figures of the leg to the other side."""
        leg = call.media.leg("audio")
        return leg.counters().figures if leg is not None else None

    def second(self, call: LiveCall) -> None:
        """Once a second, while somebody talks."""
        measured, figures = self._of(call), self.figures(call)
        if figures is None:
            return
        measured.seconds += 1

    def forget(self, call: LiveCall) -> None:
        """The call is over."""
        self._measured.pop(call.id, None)
