"""Call control: a back-to-back agent whose every call is two or more sessions and a wish who hears whom.

``handle`` takes the events of the SIP agent, ``timers`` fire what is due; both with ``now``. What goes out leaves
through the agent (messages), the desk (media) and the records. There is no socket, loop or clock in here; ``service``
has them.

The parts: ``access`` (who may ask), ``registration``, ``ringing`` (to whom a call goes), ``joining`` (who hears whom),
``transfers``, ``conferences``, ``parking``, ``pickups``, ``moving``, ``remotecc`` (features), ``watching`` (lamps).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import structlog

from ringback.protocols.sip import events
from ringback.protocols.sip.errors import SipError
from ringback.protocols.sip.message import Request
from ringback.protocols.sip.session import WrongState
from ringback.rules.call_forwarding import NOWHERE, Destination
from ringback.rules.dial_plan import Origin, Route, RouteKind
from ringback.services.callmanager.calls.access import Access, Sender
from ringback.services.callmanager.calls.attempts import Attempt
from ringback.services.callmanager.calls.bearer import Bearer
from ringback.services.callmanager.calls.call import Call
from ringback.services.callmanager.calls.callers import Callers, offer_of
from ringback.services.callmanager.calls.causes import ELSEWHERE, cause_of, cause_told, reason_header
from ringback.services.callmanager.calls.core import Core
from ringback.services.callmanager.calls.facts import Cause, OnBehalfOf
from ringback.services.callmanager.calls.identity import HeaderLines, call_info, identity, security
from ringback.services.callmanager.calls.joining import Joiner
from ringback.services.callmanager.calls.leg import NOTHING, Heard, Leg, Parted, Talk
from ringback.services.callmanager.calls.recording import Recorder
from ringback.services.callmanager.calls.registration import Registering
from ringback.services.callmanager.calls.ringing import Ringing
from ringback.services.callmanager.calls.upkeep import Upkeep

_log: Final = structlog.get_logger("ringback.callmanager.calls")
_SERVICE: Final = "x-ringback-device"
_CONFIRM_SECONDS: Final = 2.0
_AGAIN_SECONDS: Final = 0.5
Feature = Callable[[Leg, Route, float], bool]


class CallControl:
    """See the head of the module. ``features`` take routes that are none of ringing's, by kind."""

    def __init__(self, core: Core, access: Access, bearer: Bearer, *, relay_always: bool = False) -> None:
        self.core = core
        self.access = access
        self.bearer = bearer
        self.joiner = Joiner(core.desk, self, relay_always=relay_always, music=core.settings.music_on_hold)
        self.ringing = Ringing(core, relay_always=relay_always)
        self.registering = Registering(core, access)
        self.callers = Callers(core)
        self.recorder = Recorder(core, self.joiner)
        self.upkeep = Upkeep(core, access, self.recorder, self.ringing, self._lost)
        self.features: dict[RouteKind, Feature] = {RouteKind.FORWARD_ALL: self._forward_code}
        self.requests: dict[str, Callable[[events.RequestArrived, Sender, float], None]] = {}
        self.subscribes: Callable[[events.SubscribeArrived, Sender, float], None] | None = None
        self.notifiers: Callable[[events.Event, float], None] | None = None
        self.refers: Callable[[Leg, events.Referred, float], None] | None = None
        self.replaced: Callable[[Leg, Leg, float], None] | None = None
        self.invited_uri: list[Callable[[Leg, Request, float], bool]] = []
        self.gone: list[Callable[[Leg, Call, float], None]] = []
        self._handlers: dict[type, Callable[..., None]] = {
            events.RequestArrived: self._request,
            events.Invited: self._invited,
            events.Progressed: self._progressed,
            events.Accepted: self._accepted,
            events.Acked: self._acked,
            events.Failed: self._failed,
            events.Cancelled: self._cancelled,
            events.OfferArrived: self._offered,
            events.OfferAnswered: self._offer_answered,
            events.OfferRefused: self._offer_refused,
            events.Referred: self._referred,
            events.InfoArrived: self._info,
            events.InDialogRequest: self._in_dialog,
            events.Ended: self._ended,
            events.QualityTold: self._quality_told,
            events.SubscribeArrived: self._subscribed,
            events.NotifierEnded: self._notifier,
            events.NotifierRefreshed: self._notifier,
        }

    def handle(self, event: events.Event, now: float) -> None:
        """Take an event of the agent."""
        handler = self._handlers.get(type(event))
        if handler is None:
            return
        try:
            handler(event, now)
        except WrongState as error:
            # an end acted between our decision and its message; its own event follows and settles the matter
            _log.info("too late", what=type(event).__name__, why=str(error))
        except SipError as error:
            _log.warning("event failed", what=type(event).__name__, why=str(error))

    # --- requests outside of calls

    def _request(self, event: events.RequestArrived, now: float) -> None:
        sender = self.access.who(event.request)
        method = event.request.method
        if method == "REGISTER":
            done = self.registering.arrived(event, sender.phone, now, sender.claims)
            if done is not None:
                self.upkeep.registered(done.phone.name, now)
                for line in done.phone.lines:
                    self.core.line_changed(line.number, now)
                follow = self.requests.get("registered")
                if follow is not None and done.outcome.new:
                    follow(event, sender, now)
            return
        handler = self.requests.get(method)
        if handler is not None:
            handler(event, sender, now)
        elif method == "OPTIONS":
            self.core.agent.respond(now, event.transaction, 200)
        else:
            self.core.agent.respond(now, event.transaction, 405, headers=(("Allow", "INVITE, REGISTER, REFER"),))

    def _subscribed(self, event: events.SubscribeArrived, now: float) -> None:
        if self.subscribes is None:
            event.notifier.refuse(now, 489)
            return
        self.subscribes(event, self.access.who(event.request), now)

    def _notifier(self, event: events.Event, now: float) -> None:
        if self.notifiers is not None:
            self.notifiers(event, now)

    # --- a call comes in

    def _invited(self, event: events.Invited, now: float) -> None:
        session, request = event.session, event.request
        sender = self.access.who(request)
        if sender.phone is None and sender.peer is None:
            session.reject(now, 403, headers=(reason_header(Cause.CALL_REJECTED),))
            return
        hops = request.max_forwards
        hops = 70 if hops is None else hops
        if hops <= 0:
            session.reject(now, 483)
            return
        leg = self.callers.leg_of(event, sender, now)
        leg.hops = hops - 1
        if event.sdp is not None:
            leg.set_said(event.sdp)
            leg.talk = Talk.OFFERED
        else:
            leg.talk = Talk.BLANK
        if event.replaces is not None:
            self._replace(leg, event, now)
            return
        for taker in self.invited_uri:
            if taker(leg, request, now):
                return
        self._dial(leg, sender, request, now)

    def _dial(self, leg: Leg, sender: Sender, request: Request, now: float) -> None:
        core = self.core
        call = core.new_call(now)
        call.add(leg)
        dialled = self.ringing.dialled(request.uri)
        origin = sender.peer.origin if sender.peer is not None else Origin.DEVICE
        only = request.uri.params.get(_SERVICE) or ""
        if sender.peer is not None and sender.peer.kind == "node":
            origin = Origin.CLUSTER
        found = core.route(dialled, leg.line or leg.shown.user, origin)
        if not found.emergency and self.callers.is_full(leg):
            self._refuse(leg, 486, "Too Many Calls", now)
            return
        feature = self.features.get(found.kind)
        if feature is not None:
            call.way.dialled = found.number or found.dialled
            if feature(leg, found, now):
                return
            self._refuse(leg, 404, "Not Here", now)
            return
        attempt = Attempt(
            call,
            "call",
            leg.shown,
            self._answered,
            self._not_answered,
            caller=leg,
            offer=offer_of(leg),
            number=leg.line or leg.shown.user,
            origin=origin,
            hops=leg.hops,
            sent_by=leg.device,
            only=only if sender.peer is not None and sender.peer.kind == "node" else "",
        )
        core.line_changed(leg.line, now)
        self.ringing.follow(attempt, found, now)

    def _replace(self, leg: Leg, event: events.Invited, now: float) -> None:
        old = event.replaces.owner if event.replaces is not None else None
        if not isinstance(old, Leg) or self.replaced is None:
            self._refuse(leg, 481, "", now)
            return
        self.replaced(leg, old, now)

    # --- how it goes on

    def _progressed(self, event: events.Progressed, now: float) -> None:
        leg = event.session.owner
        if isinstance(leg, Leg):
            self.ringing.progressed(leg, event, now)

    def _accepted(self, event: events.Accepted, now: float) -> None:
        leg = event.session.owner
        if not isinstance(leg, Leg):
            # its CANCEL crossed the answer
            if event.offer:
                event.session.ack(now)
            event.session.end(now, headers=(ELSEWHERE,))
            return
        remote = event.session.flow
        leg.address = remote.remote[0] if remote is not None else ""
        self.ringing.accepted(leg, event, now)

    def _answered(self, attempt: Attempt, leg: Leg, event: events.Accepted, now: float) -> None:
        """A call is answered: the caller hears who took it."""
        call, caller = attempt.call, attempt.caller
        if caller is None or caller.over or caller not in call.legs:
            leg.session.end(now)
            self.over(leg, Cause.NORMAL_CLEARING, now)
            return
        call.add(leg)
        call.connected = now
        leg.side = NOTHING
        caller.session.local_uuid = leg.session.remote_uuid or caller.session.local_uuid
        if event.sdp is None or event.offer or caller.talk is not Talk.OFFERED:
            self.took_offer(leg, event)
            if caller.talk is Talk.IDLE and not caller.up:
                # sound before the answer was agreed with another end
                self._answer_plain(caller, now)
            self.joiner.reconcile_pair(leg, now)
        else:
            self.joiner.accepted(caller, leg, event.sdp, attempt.relay, now)
        self.core.line_changed(leg.line, now)
        self.core.line_changed(caller.line, now)

    def took_offer(self, leg: Leg, event: events.Accepted) -> None:
        """Keep what an answer brought: an offer that waits for ours, or the answer to what we offered."""
        if event.sdp is not None:
            leg.set_said(event.sdp)
        if event.offer:
            leg.talk, leg.how = Talk.OFFERED, "accepted"
        else:
            leg.talk = Talk.IDLE

    def _answer_plain(self, caller: Leg, now: float) -> None:
        caller.up = True
        caller.session.answer(now, None, headers=self.headers(caller))
        self.answered(caller, now)

    def _not_answered(self, attempt: Attempt, status: int, reason: str, now: float) -> None:
        """Nobody took a call: the caller is told."""
        caller = attempt.caller
        if caller is None or caller.over:
            return
        self._refuse(caller, status, reason, now)

    def _refuse(self, leg: Leg, status: int, reason: str, now: float) -> None:
        cause = cause_of(status)
        leg.session.reject(now, status, reason, headers=(reason_header(cause),))
        if leg.call is None:
            self.core.new_call(now).add(leg)
        self.over(leg, cause, now)

    def refuse(self, leg: Leg, status: int, reason: str, now: float) -> None:
        """Refuse a caller's INVITE and end its call."""
        self._refuse(leg, status, reason, now)

    def _acked(self, event: events.Acked, now: float) -> None:
        leg = event.session.owner
        if isinstance(leg, Leg) and event.sdp is not None:
            self.joiner.end_answers(leg, event.sdp, offer=False, now=now)

    def _failed(self, event: events.Failed, now: float) -> None:
        leg = event.session.owner
        if not isinstance(leg, Leg):
            return
        if not leg.over:
            leg.over = True
            leg.cause = cause_of(event.status)
            self.core.forget(leg)
            self.ringing.refused(leg, event, now)
            self.core.line_changed(leg.line, now)

    def _cancelled(self, event: events.Cancelled, now: float) -> None:
        leg = event.session.owner
        if not isinstance(leg, Leg):
            return
        call = leg.call
        if call is not None and call.attempt is not None:
            elsewhere = [("Reason", event.reason)] if event.reason else []
            self.ringing.give_up(call.attempt, now, *elsewhere)
        self.over(leg, cause_told(event.reason), now)

    # --- offers in a call

    def _offered(self, event: events.OfferArrived, now: float) -> None:
        leg = event.session.owner
        if not isinstance(leg, Leg):
            event.session.refuse_offer(now, 481)
        elif event.sdp is None:
            self.joiner.end_asks(leg, now)
        else:
            self.joiner.end_offers(leg, event.sdp, now)

    def _offer_answered(self, event: events.OfferAnswered, now: float) -> None:
        leg = event.session.owner
        if isinstance(leg, Leg):
            self.joiner.end_answers(leg, event.sdp, offer=event.offer, now=now)

    def _offer_refused(self, event: events.OfferRefused, now: float) -> None:
        leg = event.session.owner
        if isinstance(leg, Leg):
            self.joiner.end_refuses(leg, event.status, now)

    # --- other things in a call

    def _referred(self, event: events.Referred, now: float) -> None:
        leg = event.session.owner
        if not isinstance(leg, Leg) or self.refers is None:
            event.session.refuse_refer(now, event.refer, 481)
            return
        self.refers(leg, event, now)

    def _info(self, event: events.InfoArrived, now: float) -> None:
        """What an end tells the other in passing: digits, or that it needs a whole picture."""
        leg = event.session.owner
        other = leg.call.other(leg) if isinstance(leg, Leg) and leg.call is not None else None
        if other is not None and other.up and event.content_type:
            other.session.info(now, event.content_type, event.body)

    def _in_dialog(self, event: events.InDialogRequest, now: float) -> None:
        handler = self.requests.get("dialog " + event.request.method)
        if handler is None:
            self.core.agent.respond(now, event.transaction, 405)
            return
        leg = event.session.owner
        phone = self.core.lines.phone(leg.device) if isinstance(leg, Leg) and leg.device else None
        flow = event.session.flow
        if flow is None:
            self.core.agent.respond(now, event.transaction, 500)
            return
        arrived = events.RequestArrived(event.transaction, event.request, flow)
        handler(arrived, Sender(phone), now)

    # --- ends

    def _ended(self, event: events.Ended, now: float) -> None:
        leg = event.session.owner
        if not isinstance(leg, Leg) or leg.over:
            return
        if event.request is not None:
            self.recorder.quality(leg, event.request, now)
        cause = cause_told(event.reason)
        if event.by == "timer":
            cause = Cause.RECOVERY_ON_TIMER_EXPIRY
        elif event.by == "failure":
            cause = Cause.DESTINATION_OUT_OF_ORDER
        self.over(leg, cause, now)

    def _quality_told(self, event: events.QualityTold, now: float) -> None:
        parted = event.session.owner
        if isinstance(parted, Parted):
            event.session.owner = None
            self.recorder.late_quality(parted, event.session, event.response, now)

    def over(self, leg: Leg, cause: Cause, now: float) -> None:
        """A leg is no more: whoever depends on it goes on or ends as well."""
        if leg.over:
            return
        leg.over = True
        leg.cause = leg.cause or cause
        call = leg.call
        self.joiner.gone(leg, now)
        self.core.forget(leg)
        if call is not None:
            for listener in self.gone:
                listener(leg, call, now)
            if leg.call is call:
                self._left(call, leg, cause, now)
        self.core.line_changed(leg.line, now)

    def _left(self, call: Call, leg: Leg, cause: Cause, now: float) -> None:
        if call.conference is not None:
            return
        self.recorder.keep(call, leg, now)
        call.remove(leg)
        self.end(call, cause, now)

    def hang_up(
        self, leg: Leg, cause: Cause, now: float, *headers: tuple[str, str], by: OnBehalfOf = OnBehalfOf.NONE
    ) -> None:
        """End a leg, and what depends on it."""
        if leg.over:
            return
        leg.terminated_by = by
        leg.session.end(now, headers=headers or (reason_header(cause),))
        self.over(leg, cause, now)

    def hang_up_quietly(self, leg: Leg, now: float) -> None:
        """End a leg whose call has gone on without it."""
        self.hang_up(leg, Cause.CALL_SPLIT, now, reason_header(Cause.NORMAL_CLEARING), by=OnBehalfOf.TRANSFER)

    def forward_all(self, number: str, to: str) -> bool:
        """Forward all calls of a line to a number or its voicemail, or (empty) not any more."""
        line = self.core.lines.line(number)
        if line is None:
            return False
        voicemail = bool(to) and to == line.voicemail_pilot
        destination = Destination(voicemail, "" if voicemail else to) if to else NOWHERE
        self.core.changes.set_forwarding(number, line.forwarding.on_all(destination))
        return True

    def _forward_code(self, leg: Leg, found: Route, now: float) -> bool:
        """A phone dialled the code for forwarding: it hears a short tone, and the call ends."""
        call = leg.call
        if call is None or not leg.line or not self.forward_all(leg.line, found.number):
            return False
        call.confirms = True
        self.joiner.reconcile(leg, now)

        def done(later: float) -> None:
            if not call.over:
                self.end(call, Cause.NORMAL_CLEARING, later)

        self.core.at(now + _CONFIRM_SECONDS, done)
        return True

    def _lost(self, leg: Leg, now: float) -> None:
        self.hang_up(leg, Cause.DESTINATION_OUT_OF_ORDER, now)

    def end(self, call: Call, cause: Cause, now: float) -> None:
        """End a call with all that belongs to it."""
        if call.over:
            return
        call.over = True
        if call.attempt is not None:
            self.ringing.give_up(call.attempt, now)
        for leg in list(call.legs):
            self.recorder.keep(call, leg, now)
            if not leg.over:
                leg.session.end(now, status=480, headers=(reason_header(cause),))
                leg.over = True
                leg.cause = leg.cause or cause
                self.joiner.gone(leg, now)
                self.core.forget(leg)
                self.core.line_changed(leg.line, now)
        self.recorder.close(call, now)
        self.core.calls.pop(call.number, None)
        for leg in call.legs:
            leg.call = None
        call.legs.clear()

    # --- what the joiner asks

    def wish(self, leg: Leg) -> Heard:
        """See ``joining.Judge``."""
        return leg.call.wish(leg) if leg.call is not None else NOTHING

    def headers(self, leg: Leg) -> HeaderLines:
        """Who is at the other side of a leg now."""
        call = leg.call
        if call is None:
            return []
        other = call.other(leg)
        shown = other.shown if other is not None else call.way.final
        media = other is not None and leg.keying != "none" and other.keying != "none"
        secure = leg.session.secure and other is not None and other.session.secure
        info = call_info("to" if leg.outgoing else "from", security(secure, media), call.number, leg.instance)
        return [*identity(shown, "calling" if leg.outgoing else "called", leg.trunk is not None), info]

    def answered(self, leg: Leg, now: float) -> None:
        """A caller's INVITE was answered."""
        call = leg.call
        if call is not None and call.connected is None:
            call.connected = now
        if call is not None:
            self.recorder.began(call, now)
        self.core.line_changed(leg.line, now)

    def not_joined(self, leg: Leg, status: int, now: float) -> None:
        """Two ends can't hear each other: the call can't go on."""
        call = leg.call
        if call is None or leg.over:
            return
        if status in (408, 481):
            self.hang_up(leg, Cause.DESTINATION_OUT_OF_ORDER, now)
            return
        waiting = next((one for one in call.legs if one.is_caller_waiting), None)
        if waiting is not None:
            self._refuse(waiting, 488, "", now)
        elif call.wish(leg) != leg.side:
            self.end(call, Cause.INCOMPATIBLE_DESTINATION, now)

    def later(self, leg: Leg, now: float) -> None:
        """A leg can't be offered anything now, since it is in the middle of something itself."""
        self.core.at(now + _AGAIN_SECONDS, lambda later: self.joiner.reconcile_pair(leg, later))

    def keying(self, leg: Leg) -> str:
        """How the sound of a leg is encrypted."""
        return leg.keying

    def joined(self, leg: Leg, now: float) -> None:
        """Two ends hear each other."""
