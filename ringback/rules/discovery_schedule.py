"""When discovery runs (team messaging transition, "Service Discovery"; planning guide, "Fast Sign-In").

At once at a cold start; one to five minutes after a start from what was kept; every seven to nine hours while running,
or as often as the company set (ConfigRefetchInterval); at once when the network changed. The random number is an
argument, from 0 up to 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ringback.rules.reasons import Reason

_CACHED_FROM, _CACHED_TO = 60.0, 5 * 60.0
_RUNNING_FROM, _RUNNING_TO = 7 * 3600.0, 9 * 3600.0


class Occasion(StrEnum):
    """What just happened."""

    COLD_START = "cold"
    CACHED_START = "cached"
    LOOKED_UP = "running"
    NETWORK_CHANGED = "network"


@dataclass(frozen=True, slots=True)
class Due:
    """When the next look-up is due, in seconds from now, and why."""

    seconds: float
    reason: Reason


def next_discovery(occasion: Occasion, pick: float, hours: float = 0.0) -> Due:
    """When to look up next after this occasion; ``hours``: how often while running, 0: by chance."""
    pick = min(max(pick, 0.0), 1.0)
    seconds = {
        Occasion.COLD_START: 0.0,
        Occasion.CACHED_START: _CACHED_FROM + (_CACHED_TO - _CACHED_FROM) * pick,
        Occasion.LOOKED_UP: hours * 3600.0 if hours else _RUNNING_FROM + (_RUNNING_TO - _RUNNING_FROM) * pick,
        Occasion.NETWORK_CHANGED: 0.0,
    }[occasion]
    return Due(seconds, Reason.of(f"schedule.{occasion}", seconds=round(seconds)))
