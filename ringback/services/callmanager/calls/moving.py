"""Carrying on with a call on another device of the same person: it rings there, and takes the place of the first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ringback.protocols.sip.events import Accepted
from ringback.services.callmanager.calls.attempts import Attempt
from ringback.services.callmanager.calls.causes import ELSEWHERE
from ringback.services.callmanager.calls.facts import Cause, OnBehalfOf, RedirectReason
from ringback.services.callmanager.calls.leg import Leg
from ringback.services.callmanager.calls.transfers import DEVICE_PARAM, Transfers, Wish

if TYPE_CHECKING:
    from ringback.services.callmanager.calls.control import CallControl


class Moving:
    """A taker of REFER with a device in its target."""

    def __init__(self, control: CallControl, transfers: Transfers) -> None:
        self._control = control
        self._core = control.core
        self._transfers = transfers
        transfers.takers.append(self.take)

    def take(self, wish: Wish, now: float) -> bool:
        """Whether a REFER wants to move the call."""
        device = wish.target.params.get(DEVICE_PARAM)
        if not device:
            return False
        leg, refer, call = wish.leg, wish.refer, wish.leg.call
        phone = self._core.lines.phone(device)
        mine = self._core.lines.phone(leg.device) if leg.device else None
        line = leg.line if phone is not None and phone.line(leg.line) else None
        if line is None and phone is not None and phone.lines:
            line = phone.lines[0].number
        if phone is None or mine is None or call is None or line is None or phone.owner != mine.owner or not mine.owner:
            leg.session.refuse_refer(now, refer, 403, "Not A Device Of Yours")
            return True
        if call.attempt is not None or not leg.up:
            leg.session.refuse_refer(now, refer, 491, "Something Rings Already")
            return True
        leg.session.accept_refer(now, refer)
        self._ring(wish, phone.name, line, now)
        return True

    def _ring(self, wish: Wish, device: str, line: str, now: float) -> None:
        leg, refer, call = wish.leg, wish.refer, wish.leg.call
        if call is None:
            return
        other = call.other(leg)

        def tell(status: int, reason: str, later: float) -> None:
            if not leg.over:
                leg.session.refer_progress(later, refer, status, reason)

        def answered(attempt: Attempt, taken: Leg, event: Accepted, later: float) -> None:
            if leg.over or leg not in call.legs:
                self._control.took_offer(taken, event)
                self._control.hang_up(taken, Cause.NORMAL_CLEARING, later)
                return
            tell(200, "OK", later)
            self._control.took_offer(taken, event)
            self._control.recorder.keep(call, leg, later)
            call.legs[call.legs.index(leg)] = taken
            taken.call, leg.call = call, None
            taken.held = False
            call.way.redirect, call.way.redirected_by = RedirectReason.MOVE, OnBehalfOf.TRANSFER
            self._control.joiner.reconcile_pair(taken, later)
            self._control.hang_up(leg, Cause.CALL_SPLIT, later, ELSEWHERE, by=OnBehalfOf.TRANSFER)
            self._core.line_changed(taken.line, later)

        def failed(attempt: Attempt, status: int, reason: str, later: float) -> None:
            tell(status, reason or "Not Reached", later)

        attempt = self._transfers.attempt(call, "move", other or leg, leg, answered, failed)
        attempt.only = device
        call.attempt = attempt
        self._control.ringing.to_line(attempt, line, now)
