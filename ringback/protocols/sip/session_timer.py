"""Session timers (RFC 4028): who refreshes, how often, and when a session is given up."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ringback.protocols.sip.timers import Timer, TimerQueue

if TYPE_CHECKING:
    from ringback.protocols.sip.message import Request, Response
    from ringback.protocols.sip.settings import AgentSettings

_NEW_WAY_SECONDS: Final = 10.0


class SessionTimer:
    """The agreement of one session. ``interval`` in seconds, 0: none; ``ours``: we refresh."""

    __slots__ = ("_ends", "_settings", "_timer", "interval", "min_se", "ours", "wanted")

    def __init__(self, settings: AgentSettings) -> None:
        self._settings = settings
        self._timer: Timer | None = None
        self._ends = 0.0
        self.interval = 0
        self.wanted = settings.session_expires
        self.min_se = settings.min_se
        self.ours = False

    def request_headers(self, *, first: bool) -> list[tuple[str, str]]:
        """What a request that begins or refreshes the session says (sections 7.1 and 7.4)."""
        if not self.wanted:
            return []
        interval = self.interval or self.wanted
        who = "" if not self.interval else "uac" if self.ours else "uas"
        refresher = self._settings.refresher if first else who
        value = f"{max(interval, self.min_se)}" + (f";refresher={refresher}" if refresher else "")
        rows = [("Session-Expires", value)]
        if self.min_se > 90:
            rows.append(("Min-SE", str(self.min_se)))
        return rows

    def too_small(self, request: Request) -> bool:
        """Whether a request must be refused with 422 (section 9)."""
        asked = request.session_expires
        return asked is not None and asked.seconds < self._settings.min_se and "timer" in request.supported

    def answer_headers(self, request: Request) -> list[tuple[str, str]]:
        """Agree as the one who is asked, and say so in the 2xx (section 9, table 2)."""
        asked = request.session_expires
        supported = "timer" in request.supported
        least = request.min_se or 90
        if asked is None and (not self.wanted or not supported):
            self.interval = 0
            return []
        interval = asked.seconds if asked is not None else self.wanted
        if self.wanted and interval > self.wanted >= least:
            interval = self.wanted
        self.interval = max(interval, least)
        refresher = asked.refresher if asked is not None else ""
        if not supported:
            refresher = "uas"
        elif not refresher:
            refresher = "uas" if self._settings.refresher == "uas" else "uac"
        self.ours = refresher == "uas"
        rows = [("Session-Expires", f"{self.interval};refresher={refresher}")]
        if refresher == "uac":
            rows.append(("Require", "timer"))
        return rows

    def take_answer(self, response: Response) -> None:
        """Agree as the one who asked (section 7.2)."""
        told = response.session_expires
        if told is None:
            self.interval = 0
            return
        self.interval = told.seconds
        self.ours = told.refresher != "uas"

    def take_too_small(self, response: Response) -> bool:
        """Ask for more after a 422; False where that would not help (section 7.3)."""
        least = response.min_se
        if least is None or least <= max(self.min_se, self.wanted):
            return False
        self.min_se = self.wanted = least
        return True

    def arm(
        self, timers: TimerQueue, now: float, refresh: Callable[[float], None], expire: Callable[[float], None]
    ) -> None:
        """Begin a new interval: half of it for the refresher, nearly all for the other (section 10)."""
        timers.cancel(self._timer)
        self._timer = None
        if not self.interval:
            return
        self._ends = now + self.interval - min(32.0, self.interval / 3)
        if self.ours:
            self._timer = timers.at(now + self.interval / 2, refresh)
        else:
            self._timer = timers.at(self._ends, expire)

    def arm_again(
        self, timers: TimerQueue, now: float, refresh: Callable[[float], None], expire: Callable[[float], None]
    ) -> None:
        """A refresh found no way: try again soon, until the interval is over."""
        again = now + _NEW_WAY_SECONDS
        if again < self._ends:
            self.arm_at(timers, again, refresh)
        else:
            self.arm_at(timers, max(now, self._ends), expire)

    def arm_at(self, timers: TimerQueue, when: float, action: Callable[[float], None]) -> None:
        """Put off what is due."""
        timers.cancel(self._timer)
        self._timer = timers.at(when, action)

    def stop(self, timers: TimerQueue) -> None:
        """No more."""
        timers.cancel(self._timer)
        self._timer = None
