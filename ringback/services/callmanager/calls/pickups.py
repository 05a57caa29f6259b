"""Taking a call that rings at somebody else: of the own group, of another one, or of a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ringback.rules.dial_plan import Route
from ringback.services.callmanager.calls.attempts import Attempt
from ringback.services.callmanager.calls.leg import Leg

if TYPE_CHECKING:
    from ringback.services.callmanager.calls.control import CallControl
    from ringback.services.callmanager.calls.transfers import Transfers

_TAKEN = frozenset({"call", "transfer", "reversion"})


class Pickups:
    """The pick-up features of the dial plan."""

    def __init__(self, control: CallControl, transfers: Transfers) -> None:
        self._core = control.core
        self._transfers = transfers

    def of_line(self, leg: Leg, found: Route, now: float) -> bool:
        """Take the call that rings at a line. Allowed within a group, and at lines of one's own devices."""
        own = self._core.lines.line(leg.line)
        line = self._core.lines.line(found.number)
        if own is None or line is None:
            return False
        shared = set(own.phones) & set(line.phones)
        if not shared and (not line.pickup_group or line.pickup_group != own.pickup_group) and own.owner != line.owner:
            return False
        return self._take(leg, frozenset({found.number}), now)

    def of_group(self, leg: Leg, found: Route, now: float) -> bool:
        """Take the call that rings longest in the own group, or in the one named."""
        own = self._core.lines.line(leg.line)
        group = found.number or (own.pickup_group if own is not None else "")
        if not group:
            return False
        return self._take(leg, self._core.lines.pickup_group(group) - {leg.line}, now)

    def _take(self, leg: Leg, lines: frozenset[str], now: float) -> bool:
        waiting: list[Attempt] = [
            call.attempt
            for call in self._core.calls.values()
            if call.attempt is not None and call is not leg.call and self._rings_at(call.attempt, lines)
        ]
        oldest = min(waiting, key=lambda attempt: attempt.call.began, default=None)
        if oldest is None:
            return False
        self._transfers.answer_instead(oldest, leg, now)
        return True

    @staticmethod
    def _rings_at(attempt: Attempt, lines: frozenset[str]) -> bool:
        return attempt.purpose in _TAKEN and attempt.line is not None and attempt.line.number in lines
