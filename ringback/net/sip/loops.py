"""What the driver needs of a loop, as loops really have it.

uvloop's handles are no ``asyncio.TimerHandle``, and its ``remove_reader`` gives None where asyncio's gives a bool.
Compiled, each such difference would be an error at run time, so nothing more is asked for than what is used.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Cancellable(Protocol):
    """A call to come."""

    def cancel(self) -> object:
        """Don't call any more."""


class Loop(Protocol):
    """A running loop."""

    def add_reader(self, fd: int, callback: Callable[[], object], /) -> object:
        """Call when there is something to read."""

    def remove_reader(self, fd: int, /) -> object:
        """Don't call any more."""

    def call_later(self, delay: float, callback: Callable[[], object], /) -> Cancellable:
        """Call after ``delay`` seconds."""

    def call_soon(self, callback: Callable[[], object], /) -> Cancellable:
        """Call in the next turn."""
