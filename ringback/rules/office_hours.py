"""When an office is open: weekly hours and holidays, in its own time zone."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_DAYS: Final = ("mo", "tu", "we", "th", "fr", "sa", "su")
_ROW: Final = re.compile(r"([A-Za-z]{2})(?:-([A-Za-z]{2}))? (\d\d):(\d\d)-(\d\d):(\d\d)\Z")
_DAY_MINUTES: Final = 24 * 60


class OfficeHoursError(ValueError):
    """Hours, a holiday or a time zone can't be read; the text says which."""


@dataclass(frozen=True, slots=True)
class OfficeHours:
    """``open`` holds weekday (Monday is 0) and the minutes of the day from and to; none: always open."""

    open: frozenset[tuple[int, int, int]] = frozenset()
    holidays: frozenset[datetime.date] = frozenset()
    zone: ZoneInfo | None = None

    @classmethod
    def parse(cls, hours: list[str], holidays: list[str], zone: str = "") -> OfficeHours:
        """From texts such as ``Mo-Fr 08:00-17:30``, ``2026-12-25`` and ``Europe/Zurich`` (empty: this computer's).
        Raises OfficeHoursError."""
        try:
            days = frozenset(datetime.date.fromisoformat(day) for day in holidays)
        except ValueError as error:
            raise OfficeHoursError(f"A holiday is a date such as 2026-12-25: {error}") from error
        try:
            where = ZoneInfo(zone) if zone else None
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise OfficeHoursError(f"{zone!r} is no time zone") from error
        return cls(frozenset(one for row in hours for one in _row(row)), days, where)

    def is_holiday(self, now: float) -> bool:
        """Whether a moment (Unix seconds) lies on a holiday."""
        return datetime.datetime.fromtimestamp(now, self.zone).date() in self.holidays

    def is_open(self, now: float) -> bool:
        """Whether a moment (Unix seconds) lies within the weekly hours."""
        if not self.open:
            return True
        moment = datetime.datetime.fromtimestamp(now, self.zone)
        minute = moment.hour * 60 + moment.minute
        return any(day == moment.weekday() and begin <= minute < end for day, begin, end in self.open)


def _row(text: str) -> list[tuple[int, int, int]]:
    found = _ROW.match(text.strip())
    if found is None:
        raise OfficeHoursError(f"{text!r} is not like 'Mo-Fr 08:00-17:30'")
    first, last = found[1].lower(), (found[2] or found[1]).lower()
    begin, end = int(found[3]) * 60 + int(found[4]), int(found[5]) * 60 + int(found[6])
    if first not in _DAYS or last not in _DAYS or not 0 <= begin < end <= _DAY_MINUTES:
        raise OfficeHoursError(f"{text!r} is not like 'Mo-Fr 08:00-17:30' (days: {', '.join(_DAYS)})")
    count = (_DAYS.index(last) - _DAYS.index(first)) % len(_DAYS) + 1
    return [((_DAYS.index(first) + step) % len(_DAYS), begin, end) for step in range(count)]
