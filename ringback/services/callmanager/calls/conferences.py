"""Conferences: several ends that hear each other through our mixer (RFC 4579: we are the focus).

A conference is a call of more than two legs. It is made of two calls of a phone (REFER to ``conference`` with Replaces,
or the keys Conference and Join), or by calling ``conference``. With two left it becomes a plain call again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol
from xml.sax.saxutils import quoteattr

from ringback.protocols.sip.events import Accepted
from ringback.protocols.sip.flows import Body
from ringback.protocols.sip.message import Request
from ringback.rules.dial_plan import RouteKind
from ringback.services.callmanager.calls.attempts import Attempt
from ringback.services.callmanager.calls.call import Call
from ringback.services.callmanager.calls.facts import Cause, OnBehalfOf, RedirectReason
from ringback.services.callmanager.calls.identity import Shown
from ringback.services.callmanager.calls.leg import Leg, Room
from ringback.services.callmanager.calls.transfers import Transfers, Wish

if TYPE_CHECKING:
    from ringback.services.callmanager.calls.control import CallControl

FACTORY = "conference"
_FOCUS = ";isfocus"
_INFO = "application/conference-info+xml"


class Hall(Room, Protocol):
    """A room that can be closed."""

    def close(self) -> None:
        """End it; the legs stay open."""


class Halls(Protocol):
    """Who opens rooms: the media desk."""

    def room(self, number: int) -> Hall:
        """A new room."""


@dataclass(slots=True)
class Conference:
    """``owner``: the leg that made it. ``adding``: the calls that ring for it. ``version`` counts what was told."""

    room: Hall
    owner: Leg | None = None
    last: Leg | None = None
    adding: list[Call] = field(default_factory=list)
    version: int = 0


class Conferences:
    """Makes, grows and ends conferences."""

    def __init__(self, control: CallControl, transfers: Transfers, halls: Halls) -> None:
        self._control = control
        self._core = control.core
        self._transfers = transfers
        self._halls = halls
        transfers.takers.append(self.take)
        control.invited_uri.append(self.factory)
        control.gone.append(self._gone)

    # --- wishes

    def take(self, wish: Wish, now: float) -> bool:
        """Whether a REFER is about a conference."""
        leg, call, refer = wish.leg, wish.leg.call, wish.refer
        is_factory = wish.target.user == FACTORY and wish.target.host in self._core.own_hosts
        if call is None or (not is_factory and call.conference is None):
            return False
        if is_factory and wish.replaced is not None:
            if self.merge(leg, wish.replaced, now, accept=wish):
                self._transfers.done(leg, refer, now)
            return True
        if call.conference is None:
            leg.session.refuse_refer(now, refer, 400, "Which Call To Join")
        elif (wish.target.params.get("method") or "").upper() == "BYE":
            self._drop(wish, call, now)
        elif wish.replaced is not None:
            self._bring(wish, call, now)
        else:
            self._add(wish, call, now)
        return True

    def factory(self, leg: Leg, request: Request, now: float) -> bool:
        """An INVITE to the factory: a conference with the caller alone."""
        if request.uri.user != FACTORY or request.uri.host not in self._core.own_hosts or not leg.device:
            return False
        call = self._core.new_call(now)
        call.add(leg)
        call.way.dialled = call.way.original = FACTORY
        self._make(call, leg)
        self._settle(call, now)
        return True

    def merge(self, leg: Leg, second: Leg, now: float, *, accept: Wish | None = None) -> bool:
        """Make one conference of two calls of a phone; its second leg goes. False (and refused): that can't be."""
        call, other_call = leg.call, second.call
        members = [] if other_call is None else [one for one in other_call.legs if one is not second and one.up]
        if call is None or other_call is None or call is other_call or not members or not leg.up:
            if accept is not None:
                leg.session.refuse_refer(now, accept.refer, 491, "Not Answered Yet")
            return False
        if accept is not None:
            leg.session.accept_refer(now, accept.refer)
        old = other_call.conference
        if call.conference is None:
            self._make(call, leg)
        for one in members:
            self._core_move(one, other_call, call, now)
        if old is not None:
            old.room.close()
            other_call.conference = None
        leg.held = False
        self._control.hang_up(second, Cause.CALL_SPLIT, now, by=OnBehalfOf.CONFERENCE)
        self._settle(call, now)
        return True

    def drop_last(self, leg: Leg, now: float) -> bool:
        """Drop who came last. Only who made the conference may."""
        call = leg.call
        conference = call.conference if call is not None else None
        if conference is None or conference.owner is not leg or conference.last is None or conference.last.over:
            return False
        self._control.hang_up(conference.last, Cause.NORMAL_CLEARING, now, by=OnBehalfOf.CONFERENCE)
        return True

    def _bring(self, wish: Wish, call: Call, now: float) -> None:
        """The other end of another call comes in."""
        leg, second = wish.leg, wish.replaced
        if second is not None and self.merge(leg, second, now, accept=wish):
            self._transfers.done(leg, wish.refer, now)

    def _drop(self, wish: Wish, call: Call, now: float) -> None:
        leg, conference = wish.leg, call.conference
        user = wish.target.number
        victim = next((one for one in call.legs if user in (one.line, one.shown.user) and one is not leg), None)
        if conference is None or conference.owner is not leg:
            leg.session.refuse_refer(now, wish.refer, 403, "Not Your Conference")
        elif victim is None:
            leg.session.refuse_refer(now, wish.refer, 404, "Not Here")
        else:
            leg.session.accept_refer(now, wish.refer)
            self._transfers.done(leg, wish.refer, now)
            self._control.hang_up(victim, Cause.NORMAL_CLEARING, now, by=OnBehalfOf.CONFERENCE)

    def _add(self, wish: Wish, call: Call, now: float) -> None:
        """Ring somebody; whoever answers is in."""
        leg, refer, conference = wish.leg, wish.refer, call.conference
        if conference is None:
            return
        leg.session.accept_refer(now, refer)
        ringing = self._core.new_call(now)
        conference.adding.append(ringing)

        def tell(status: int, reason: str, later: float) -> None:
            if not leg.over:
                leg.session.refer_progress(later, refer, status, reason)

        def over() -> None:
            if ringing in conference.adding:
                conference.adding.remove(ringing)
            ringing.over = ringing.recorded = True
            self._core.calls.pop(ringing.number, None)

        def answered(attempt: Attempt, taken: Leg, event: Accepted, later: float) -> None:
            over()
            self._control.took_offer(taken, event)
            if call.over or call.conference is not conference:
                taken.call = None
                self._control.hang_up(taken, Cause.NORMAL_CLEARING, later)
                return
            tell(200, "OK", later)
            call.add(taken)
            conference.last = taken
            self._settle(call, later)
            self._core.line_changed(taken.line, later)

        def failed(attempt: Attempt, status: int, reason: str, later: float) -> None:
            over()
            tell(status, reason or "Not Reached", later)

        attempt = self._transfers.attempt(ringing, "add", leg, leg, answered, failed)
        attempt.progress = lambda status, reason, later: tell(status, reason, later) if status < 200 else None
        found = self._transfers.route_for(leg, self._control.ringing.dialled(wish.target))
        if found.kind in (RouteKind.PARK, RouteKind.PICKUP, RouteKind.PICKUP_GROUP, RouteKind.FORWARD_ALL):
            self._control.ringing.fail(attempt, 404, "Nobody's Number", now)
        else:
            self._control.ringing.follow(attempt, found, now)

    # --- a conference changes

    def _make(self, call: Call, owner: Leg) -> None:
        call.conference = Conference(self._halls.room(call.number), owner)
        call.way.final = Shown(FACTORY, "Conference", self._core.domain)
        call.way.joined_by = OnBehalfOf.CONFERENCE

    def _core_move(self, leg: Leg, before: Call, call: Call, now: float) -> None:
        self._control.recorder.keep(before, leg, now)
        before.remove(leg)
        call.add(leg)
        if call.conference is not None:
            call.conference.last = leg

    def _settle(self, call: Call, now: float) -> None:
        """Everybody hears the room, and is told who is in it."""
        for leg in list(call.legs):
            leg.room_number = call.number
            _show_focus(leg, there=True)
            self._control.joiner.reconcile(leg, now)
        self._tell(call, now)

    def _gone(self, leg: Leg, call: Call, now: float) -> None:
        """Somebody left: with two the room is not needed any more, with one the call is over."""
        conference = call.conference
        if conference is None or leg not in call.legs:
            return
        self._control.recorder.leave(call, leg, now)
        call.remove(leg)
        leg.call = None
        if conference.owner is leg:
            conference.owner = None
        if (len(call.legs) > 2 or conference.adding) and call.legs:
            self._tell(call, now)
            return
        self._end_room(call, conference, now)
        if len(call.legs) == 2:
            self._plain(call, now)
        else:
            call.conference = None
            self._control.end(call, Cause.NORMAL_CLEARING, now)

    def _end_room(self, call: Call, conference: Conference, now: float) -> None:
        for ringing in list(conference.adding):
            if ringing.attempt is not None:
                self._control.ringing.fail(ringing.attempt, 480, "The Conference Is Over", now)
        call.conference = None
        conference.room.close()

    def _plain(self, call: Call, now: float) -> None:
        first, second = call.legs
        call.way.final = second.shown
        call.way.redirect = RedirectReason.CONFERENCE
        for leg in (first, second):
            _show_focus(leg, there=False)
            leg.room_number = 0
        self._control.joiner.reconcile_pair(first, now)

    def _tell(self, call: Call, now: float) -> None:
        conference = call.conference
        if conference is None:
            return
        conference.version += 1
        body = conference_info(call, conference.version, self._core.domain)
        for leg in call.legs:
            if leg.up and understands(leg):
                leg.session.notify(now, "conference", Body(_INFO, body))


def understands(leg: Leg) -> bool:
    """Whether an end takes notifications that it has not subscribed to."""
    session = leg.session
    if session.remote_product.startswith("Ringback"):
        return True
    return any(tag.lower().startswith("x-cisco") for tag in session.remote_supported)


def conference_info(call: Call, version: int, domain: str) -> bytes:
    """Who is in a conference (RFC 4575)."""
    users = "".join(
        f'<user entity={quoteattr(leg.shown.uri)} state="full">'
        f"<display-text>{_text(leg.shown.name)}</display-text>"
        f"<endpoint entity={quoteattr(f'{leg.shown.uri};leg={leg.number}')}>"
        f"<status>{'on-hold' if leg.held else 'connected'}</status></endpoint></user>"
        for leg in call.legs
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<conference-info xmlns="urn:ietf:params:xml:ns:conference-info" entity="sip:{FACTORY}@{domain}" '
        f'state="full" version="{version}"><conference-state><user-count>{len(call.legs)}</user-count>'
        f"</conference-state><users>{users}</users></conference-info>"
    ).encode()


def _text(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _show_focus(leg: Leg, *, there: bool) -> None:
    dialog = leg.session.dialog
    plain = dialog.contact.replace(_FOCUS, "")
    dialog.contact = plain + _FOCUS if there else plain
