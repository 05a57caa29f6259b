"""Parked calls: they wait with music at a number until somebody takes them, or come back to who parked them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ringback.protocols.sip.events import Accepted
from ringback.protocols.sip.timers import Timer
from ringback.rules.dial_plan import Origin, Route
from ringback.services.callmanager.calls.attempts import Attempt
from ringback.services.callmanager.calls.call import Call
from ringback.services.callmanager.calls.facts import Cause, OnBehalfOf, RedirectReason
from ringback.services.callmanager.calls.leg import Leg

if TYPE_CHECKING:
    from ringback.services.callmanager.calls.control import CallControl
    from ringback.services.callmanager.calls.transfers import Transfers

_LONGEST = 3600.0
"""Seconds; a call that nobody takes back for so long is ended."""


@dataclass(slots=True)
class Parked:
    """A call at a slot, with the line that parked it."""

    call: Call
    leg: Leg
    by: str
    since: float
    timer: Timer | None = None


class Parking:
    """The slots of the dial plan."""

    def __init__(self, control: CallControl, transfers: Transfers) -> None:
        self._control = control
        self._core = control.core
        self._transfers = transfers
        self._slots: dict[str, Parked] = {}
        transfers.parks = self.park
        control.gone.append(self._gone)

    def at(self, slot: str) -> Parked | None:
        """What is parked at a slot."""
        return self._slots.get(slot)

    def park(self, by: Leg, leg: Leg, slot: str, now: float) -> str:
        """Park a leg in the name of another one; the slot, empty where none is free. ``slot`` empty: any."""
        call = by.call
        place = self._free(slot)
        if not place or call is None or leg not in call.legs or not leg.up:
            return ""
        fresh = self._transfers.part(call, leg, now)
        fresh.parked = place
        fresh.way.joined_by = OnBehalfOf.PARK
        fresh.way.dialled = fresh.way.original = place
        fresh.way.redirect, fresh.way.redirected_by = RedirectReason.PARK, OnBehalfOf.PARK
        fresh.way.last_redirect = by.line or by.shown.user
        by.transferring = True
        parked = Parked(fresh, leg, by.line or by.shown.user, now)
        self._slots[place] = parked
        self._remind_later(place, parked, now)
        self._control.joiner.reconcile(leg, now)
        self._core.line_changed(place, now)
        return place

    def retrieve(self, leg: Leg, found: Route, now: float) -> bool:
        """A caller dialled a slot: it gets the call that is parked there. False: none is."""
        parked = self._slots.get(found.number)
        mine = leg.call
        if parked is None or mine is None:
            return False
        self._forget(found.number, now)
        mine.remove(leg)
        mine.over = mine.recorded = True
        self._core.calls.pop(mine.number, None)
        call = parked.call
        if call.attempt is not None:
            self._control.ringing.give_up(call.attempt, now)
        call.parked = ""
        call.add(leg)
        call.way.redirect = RedirectReason.PARK_PICKUP
        call.way.final = leg.shown
        self._control.joiner.reconcile_pair(leg, now)
        self._core.line_changed(leg.line, now)
        return True

    def _free(self, slot: str) -> str:
        if slot:
            return slot if slot not in self._slots else ""
        return next((one for one in self._core.settings.plan.park_slots if one not in self._slots), "")

    def _remind_later(self, slot: str, parked: Parked, now: float) -> None:
        wait = self._core.settings.park_reminder_seconds
        parked.timer = self._core.at(now + wait, lambda later: self._remind(slot, parked, later))

    def _remind(self, slot: str, parked: Parked, now: float) -> None:
        """Nobody took it: it rings at the line that parked it."""
        call = parked.call
        if self._slots.get(slot) is not parked or call.over:
            return
        if now - parked.since > _LONGEST:
            self._control.end(call, Cause.NO_ANSWER, now)
            return

        def answered(attempt: Attempt, taken: Leg, event: Accepted, later: float) -> None:
            self._forget(slot, later)
            call.parked = ""
            call.way.redirect = RedirectReason.PARK_REVERSION
            self._transfers.take(attempt, taken, event, later)

        def failed(attempt: Attempt, status: int, reason: str, later: float) -> None:
            if self._slots.get(slot) is parked:
                self._remind_later(slot, parked, later)

        attempt = Attempt(call, "reversion", parked.leg.shown, answered, failed, number=parked.by, origin=Origin.DEVICE)
        self._control.ringing.begin(attempt, parked.by, now)

    def _forget(self, slot: str, now: float) -> None:
        parked = self._slots.pop(slot, None)
        if parked is not None:
            self._core.timers.cancel(parked.timer)
            self._core.line_changed(slot, now)

    def _gone(self, leg: Leg, call: Call, now: float) -> None:
        if call.parked:
            self._forget(call.parked, now)
