"""REFER in a call: blind and attended transfer, and the wishes that are put as one (park, conference, move).

A blind transfer moves the other end into a call of its own, where it waits for whoever is rung; the one who
transferred is told how it goes, and gets the other end back where nobody answers. An attended one joins the other ends
of two calls.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ringback.protocols.sip.errors import SipError
from ringback.protocols.sip.events import Accepted, Referred, ReferRequest
from ringback.protocols.sip.headers import NameAddr
from ringback.protocols.sip.uri import Uri
from ringback.rules.dial_plan import Caller, Origin, Route, RouteKind, route
from ringback.services.callmanager.calls.attempts import Attempt, Purpose
from ringback.services.callmanager.calls.call import Call
from ringback.services.callmanager.calls.causes import reason_header
from ringback.services.callmanager.calls.facts import Cause, OnBehalfOf, RedirectReason
from ringback.services.callmanager.calls.leg import Leg

if TYPE_CHECKING:
    from ringback.services.callmanager.calls.control import CallControl

_TAG = re.compile(r";\s*(to-tag|from-tag)\s*=\s*([^;\s]+)", re.IGNORECASE)
_PATIENCE = 5.0
"""Seconds that who transferred has to hang up after it worked."""
DEVICE_PARAM = "x-ringback-device"


@dataclass(frozen=True, slots=True)
class Wish:
    """A REFER, read: by which leg, to whom, and the leg whose place is to be taken (None: nobody's)."""

    leg: Leg
    refer: ReferRequest
    target: Uri
    replaced: Leg | None


class Transfers:
    """Answers REFER in dialogs. ``takers`` are asked in order whether a wish is theirs before it is a transfer."""

    def __init__(self, control: CallControl) -> None:
        self._control = control
        self._core = control.core
        self.takers: list[Callable[[Wish, float], bool]] = []
        self.parks: Callable[[Leg, Leg, str, float], str] | None = None
        control.refers = self.referred
        control.replaced = self.replaced

    # --- REFER

    def referred(self, leg: Leg, event: Referred, now: float) -> None:
        """A REFER in a leg's dialog."""
        refer = event.refer
        wish = self._read(leg, refer)
        if wish is None:
            leg.session.refuse_refer(now, refer, 400, "Bad Refer-To")
            return
        if refer.replaces and wish.replaced is None:
            leg.session.refuse_refer(now, refer, 481, "No Such Call")
            return
        if any(taker(wish, now) for taker in self.takers):
            return
        call = leg.call
        other = call.other(leg) if call is not None else None
        if call is None or other is None or not leg.up:
            leg.session.refuse_refer(now, refer, 403, "Nobody To Transfer")
        elif wish.replaced is not None:
            self._attended(wish, other, now)
        else:
            self._blind(wish, other, now)

    def _read(self, leg: Leg, refer: ReferRequest) -> Wish | None:
        try:
            target = NameAddr.parse(refer.target).uri if "<" in refer.target else Uri.parse(refer.target)
        except SipError:
            return None
        replaced = self.by_dialog(refer.replaces) if refer.replaces else None
        return Wish(leg, refer, target, replaced)

    def by_dialog(self, replaces: str) -> Leg | None:
        """The leg that a Replaces value names (our tag is its to-tag)."""
        call_id = replaces.partition(";")[0].strip()
        tags = {name.lower(): value for name, value in _TAG.findall(replaces)}
        return self.find(call_id, tags.get("to-tag", ""), tags.get("from-tag", ""))

    def find(self, call_id: str, local: str, remote: str) -> Leg | None:
        """The leg of a dialog, tags from our viewpoint; those that still ring too."""
        session = self._core.agent.find_session(call_id, local, remote)
        owner = session.owner if session is not None else None
        return owner if isinstance(owner, Leg) and not owner.over else None

    # --- blind

    def _blind(self, wish: Wish, other: Leg, now: float) -> None:
        dialled = self._control.ringing.dialled(wish.target)
        found = self.route_for(wish.leg, dialled)
        wish.leg.session.accept_refer(now, wish.refer)
        if found.kind is RouteKind.PARK and self.parks is not None:
            self._park(wish, other, found, now)
        else:
            self._start(wish, other, found, now)

    def route_for(self, leg: Leg, dialled: str) -> Route:
        """Where something dialled in a leg's name goes."""
        origin = leg.trunk.origin if leg.trunk is not None else Origin.DEVICE
        return route(dialled, Caller(leg.line or leg.shown.user, origin), self._core.settings.plan)

    def _park(self, wish: Wish, other: Leg, found: Route, now: float) -> None:
        slot = self.parks(wish.leg, other, found.number, now) if self.parks is not None else ""
        if slot:
            wish.leg.session.refer_progress(now, wish.refer, 200, f"Parked {slot}")
            self.leave(wish.leg, now)
        else:
            wish.leg.session.refer_progress(now, wish.refer, 486, "No Free Park Slot")

    def _start(self, wish: Wish, other: Leg, found: Route, now: float) -> None:
        leg, refer = wish.leg, wish.refer
        before = leg.call
        if before is None:
            return
        call = self.part(before, other, now)
        call.way.redirect, call.way.redirected_by = RedirectReason.TRANSFER, OnBehalfOf.TRANSFER
        call.way.last_redirect = leg.line or leg.shown.user
        leg.transferring = True
        leg.session.refer_progress(now, refer, 100, "Trying")

        def tell(status: int, reason: str, later: float) -> None:
            if not leg.over:
                leg.session.refer_progress(later, refer, status, reason)

        def answered(attempt: Attempt, taken: Leg, event: Accepted, later: float) -> None:
            tell(200, "OK", later)
            self.take(attempt, taken, event, later)
            self.leave(leg, later)

        def failed(attempt: Attempt, status: int, reason: str, later: float) -> None:
            tell(status, reason or "Not Reached", later)
            self._back(leg, before, other, status, later)

        attempt = self.attempt(call, "transfer", other, leg, answered, failed)
        attempt.progress = lambda status, reason, later: tell(status, reason, later) if status < 200 else None
        if found.kind in _RINGS:
            self._control.ringing.follow(attempt, found, now)
        else:
            self._control.ringing.fail(attempt, 404, "Not A Number To Transfer To", now)
        self._control.joiner.reconcile(other, now)

    def attempt(
        self,
        call: Call,
        purpose: Purpose,
        waiting: Leg,
        by: Leg,
        answered: Callable[[Attempt, Leg, Accepted, float], None],
        failed: Callable[[Attempt, int, str, float], None],
    ) -> Attempt:
        """Ring somebody in a leg's name for one who waits."""
        return Attempt(
            call,
            purpose,
            waiting.shown,
            answered,
            failed,
            number=by.line or by.shown.user,
            origin=by.trunk.origin if by.trunk is not None else Origin.DEVICE,
            hops=min(by.hops, waiting.hops) - 1,
            sent_by=by.device if purpose == "transfer" else "",
        )

    def part(self, call: Call, leg: Leg, now: float) -> Call:
        """Take a leg out of a call into a new one; what it was part of is recorded."""
        control = self._control
        for one in call.legs:
            if one is leg:
                one.cause = Cause.CALL_SPLIT
            control.recorder.keep(call, one, now)
        leg.cause = Cause.NO_ERROR
        call.remove(leg)
        fresh = self._core.new_call(now)
        fresh.connected = now
        fresh.way.joined_by = OnBehalfOf.TRANSFER
        fresh.add(leg)
        return fresh

    def take(self, attempt: Attempt, taken: Leg, event: Accepted, now: float) -> None:
        """Who was rung answered: join it with the one who waits."""
        call, control = attempt.call, self._control
        control.took_offer(taken, event)
        call.add(taken)
        call.connected = call.connected or now
        if len(call.legs) == 1:
            control.hang_up(taken, Cause.NORMAL_CLEARING, now)
            return
        control.joiner.reconcile_pair(taken, now)
        for leg in call.legs:
            self._core.line_changed(leg.line, now)

    def _back(self, leg: Leg, before: Call, other: Leg, status: int, now: float) -> None:
        """Nobody took the transferred call: it comes back to who transferred it, or ends."""
        control, call = self._control, other.call
        if other.over or call is None:
            return
        if leg.over or before.over:
            control.end(call, Cause.NO_ANSWER if status == 408 else Cause.USER_BUSY, now)
            return
        leg.transferring = False
        call.remove(other)
        call.over = call.recorded = True
        self._core.calls.pop(call.number, None)
        before.add(other)
        control.recorder.stay(before, other, leg)
        control.joiner.reconcile(other, now)
        control.joiner.reconcile(leg, now)

    def done(self, leg: Leg, refer: ReferRequest, now: float) -> None:
        """Tell that a wish came true."""
        leg.session.refer_progress(now, refer, 200, "OK")

    def leave(self, leg: Leg, now: float) -> None:
        """Who transferred is done: it hangs up by itself, or we do after a while."""

        def too_long(later: float) -> None:
            if not leg.over:
                self._control.hang_up(leg, Cause.CALL_SPLIT, later, by=OnBehalfOf.TRANSFER)

        self._core.at(now + _PATIENCE, too_long)

    def send_on(self, leg: Leg, to: str, now: float) -> bool:
        """Send the other end of a call to a number, in the name of a phone; the phone's leg ends."""
        call = leg.call
        other = call.other(leg) if call is not None else None
        if call is None or other is None or not other.up:
            return False
        shown = self._core.lines.line(leg.line)
        fresh = self.part(call, other, now)
        if shown is not None:
            fresh.way.sent_on(self._core.shown_line(shown), "divert")
        self._control.hang_up_quietly(leg, now)

        def failed(attempt: Attempt, status: int, reason: str, later: float) -> None:
            self._control.end(fresh, Cause.NO_ANSWER, later)

        attempt = self.attempt(fresh, "transfer", other, leg, self.take, failed)
        self._control.ringing.begin(attempt, to, now)
        self._control.joiner.reconcile(other, now)
        return True

    # --- attended

    def _attended(self, wish: Wish, other: Leg, now: float) -> None:
        leg, second = wish.leg, wish.replaced
        consult = second.call if second is not None else None
        if second is None or consult is None or consult is leg.call:
            leg.session.refuse_refer(now, wish.refer, 481, "No Such Call")
            return
        target = consult.other(second)
        if target is None and consult.attempt is None:
            leg.session.refuse_refer(now, wish.refer, 481, "No Such Call")
            return
        leg.session.accept_refer(now, wish.refer)
        self.connect(leg, second, now)
        leg.session.refer_progress(now, wish.refer, 200, "OK")
        self.leave(leg, now)

    def connect(self, leg: Leg, second: Leg, now: float) -> None:
        """Join the other ends of two calls of a phone; its own two legs go."""
        first_call, second_call = leg.call, second.call
        if first_call is None or second_call is None:
            return
        other = first_call.other(leg)
        target = second_call.other(second)
        if other is None:
            return
        if target is None:
            self._semi_attended(leg, second, other, now)
            return
        control = self._control
        control.recorder.keep(second_call, target, now)
        control.recorder.keep(second_call, second, now)
        second_call.remove(target)
        call = self.part(first_call, other, now)
        call.add(target)
        call.way.redirect, call.way.redirected_by = RedirectReason.TRANSFER, OnBehalfOf.TRANSFER
        call.way.last_redirect = leg.line or leg.shown.user
        call.way.final = target.shown
        call.way.original = target.line or target.shown.user
        control.joiner.reconcile_pair(other, now)
        control.hang_up(second, Cause.CALL_SPLIT, now, reason_header(Cause.NORMAL_CLEARING), by=OnBehalfOf.TRANSFER)
        for one in (other, target):
            self._core.line_changed(one.line, now)

    def _semi_attended(self, leg: Leg, second: Leg, other: Leg, now: float) -> None:
        """The second call still rings: the other end waits for its answer in place of the phone."""
        control, first_call, second_call = self._control, leg.call, second.call
        if first_call is None or second_call is None or second_call.attempt is None:
            return
        attempt = second_call.attempt
        call = self.part(first_call, other, now)
        second_call.attempt = None
        attempt.call, call.attempt = call, attempt
        call.way = second_call.way
        for branch in attempt.branches:
            branch.call = call
        attempt.caller, attempt.shown, attempt.purpose = None, other.shown, "transfer"
        attempt.answered = self.take
        attempt.failed = lambda _, status, reason, later: control.end(call, Cause.NO_ANSWER, later)
        control.joiner.reconcile(other, now)
        control.hang_up(second, Cause.CALL_SPLIT, now, by=OnBehalfOf.TRANSFER)

    # --- INVITE with Replaces

    def replaced(self, leg: Leg, old: Leg, now: float) -> None:
        """A caller takes the place of a leg (RFC 3891): it takes a call over, or answers one that rings."""
        call, control = old.call, self._control
        if call is None:
            control.refuse(leg, 481, "", now)
            return
        attempt = call.attempt
        if attempt is not None and old in attempt.branches:
            self.answer_instead(attempt, leg, now)
            return
        if not old.up or old not in call.legs:
            control.refuse(leg, 481, "", now)
            return
        control.recorder.keep(call, old, now)
        place = call.legs.index(old)
        leg.call = call
        call.legs[place] = leg
        if call.conference is None:
            call.way.final = leg.shown if old.outgoing else call.way.final
        old.call = None
        control.joiner.reconcile_pair(leg, now)
        control.hang_up(old, Cause.CALL_SPLIT, now, by=OnBehalfOf.TRANSFER)

    def answer_instead(self, attempt: Attempt, leg: Leg, now: float) -> None:
        """A caller takes a call that rings elsewhere."""
        control, call = self._control, attempt.call
        waiting = next((one for one in call.legs if not one.over), None)
        control.ringing.give_up(attempt, now, ELSEWHERE)
        if waiting is None:
            control.refuse(leg, 481, "", now)
            return
        mine = leg.call
        if mine is not None:
            mine.remove(leg)
            mine.over = mine.recorded = True
            self._core.calls.pop(mine.number, None)
        call.add(leg)
        call.way.final = leg.shown
        call.way.redirect, call.way.redirected_by = RedirectReason.PICKUP, OnBehalfOf.PICKUP
        call.connected = call.connected or now
        control.joiner.reconcile_pair(leg, now)
        self._core.line_changed(leg.line, now)


_RINGS = frozenset(
    {
        RouteKind.LINE,
        RouteKind.CLUSTER,
        RouteKind.TRUNK,
        RouteKind.VOICEMAIL,
        RouteKind.URI,
        RouteKind.REFUSED,
        RouteKind.UNKNOWN,
    }
)
ELSEWHERE = ("Reason", 'SIP;cause=200;text="Call completed elsewhere"')
