"""Which greeting a caller hears: a decision of why the call came here, who calls, the switches and the clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ringback.rules.office_hours import OfficeHours
from ringback.storage.voicemail.records import Greeting, GreetingKind

ORDER: Final[tuple[GreetingKind, ...]] = ("Alternate", "Busy", "Holiday", "Internal", "Closed", "Standard")
"""The first one that is on and fits is heard: the alternate one overrides all others, the busy and the holiday one
override the inner, closed and standard ones."""
_BUSY: Final = frozenset({"user-busy"})


@dataclass(frozen=True, slots=True)
class Circumstances:
    """``reason``: of the diversion (RFC 5806), ``now`` in Unix seconds; ``inside``: somebody of the house calls."""

    reason: str
    inside: bool
    now: float
    hours: OfficeHours


def choose(greetings: Mapping[GreetingKind, Greeting], it: Circumstances) -> Greeting:
    """The greeting that counts now; the standard one where no other does."""
    fits: dict[GreetingKind, bool] = {
        "Alternate": True,
        "Busy": it.reason in _BUSY,
        "Holiday": it.hours.is_holiday(it.now),
        "Internal": it.inside,
        "Closed": not it.hours.is_open(it.now),
    }
    for kind in ORDER:
        greeting = greetings.get(kind)
        if greeting is None or not greeting.enabled or not fits.get(kind, True):
            continue
        if greeting.until and greeting.until <= it.now * 1000:
            continue
        return greeting
    return Greeting("Standard", enabled=True)
