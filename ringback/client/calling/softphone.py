"""The softphone: SIP events become calls, and what the person does becomes SIP.

It knows sessions and descriptions, nothing of pages or stores: those are in ``service``. Methods raise CallError with a
reason; what the other side answers later shows in the call.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog

from ringback.client.calling import identity, outcomes
from ringback.client.calling.book import CallBook
from ringback.client.calling.call import LiveCall, Result, now_text
from ringback.client.calling.errors import CallError, refused
from ringback.client.calling.measure import report_headers
from ringback.client.calling.media import NoCommonMediaError
from ringback.client.calling.offering import Offers
from ringback.client.calling.parties import Parties
from ringback.client.calling.phone_line import PhoneLine, sip_uri
from ringback.client.host.wire_calls import Party
from ringback.media.transport import events as leg_events
from ringback.media.transport.errors import TransportError
from ringback.protocols.rtp.errors import RtpError
from ringback.protocols.sdp import Description, SdpError
from ringback.protocols.sip import events
from ringback.protocols.sip.errors import MalformedMessage, SipError
from ringback.protocols.sip.flows import Flow
from ringback.protocols.sip.message import Message
from ringback.protocols.sip.session import Session, WrongState
from ringback.protocols.sip.uri import Uri
from ringback.rules.reasons import Reason

MAX_CALLS = 6
DIGITS_KEPT = 256  # keys of the other side

log = structlog.get_logger(__name__)


class Softphone:
    """See the head of this module."""

    def __init__(
        self,
        line: PhoneLine,
        book: CallBook,
        parties: Parties,
        later: Callable[[Awaitable[None], str], object],
    ) -> None:
        """``later`` keeps work as a task with a name."""
        self._line = line
        self._book = book
        self._parties = parties
        self._later = later
        self.offers = Offers(line, self._refresh, self._meet)
        self.answered: Callable[[LiveCall], None] | None = None
        self.began: Callable[[LiveCall], None] | None = None
        self.ended: Callable[[LiveCall], None] | None = None
        self.is_moving: Callable[[], bool] = lambda: False  # to another network: what is silent then is waited for

    # --- what the person does

    def start(self, target: str, party: Party, *, video: bool = False, consults: str = "") -> LiveCall:
        """Call a number or an address. Raises CallError where we are not registered."""
        line = self._line
        flow = line.flow
        if flow is None:
            raise CallError(line.why_not)
        if len(self._book.live()) >= MAX_CALLS:
            raise refused("calls.refused.too_many", limit=MAX_CALLS)
        call = LiveCall("out", party, self._book.changed, line.media(), way=line.way)
        call.line, call.device, call.server, call.consults = line.number, line.device, line.server, consults
        call.media.on_event = lambda kind, event: self._leg_told(call, event)
        try:
            sdp = call.media.offer(pictures=video)
            call.session = line.agent.invite(
                line.now(),
                sip_uri(target, line.domain),
                flow,
                from_=self.own_address(),
                sdp=sdp,
                owner=call,
                contact=line.agent.contact(flow, line.number),
                route=line.route,
            )
        except (SipError, TransportError, OSError) as error:
            self._later(call.media.close(), "call media")
            raise refused("calls.refused.cannot_call", why=error) from error
        call.wants_video = video
        call.generation = 1
        call.tell(Reason.of("calls.story.called", name=party.name or party.shown, number=party.shown))
        self._add(call)
        return call

    async def answer(self, call: LiveCall, *, video: bool = False) -> None:
        """Take a ringing call."""
        session = self._ringing(call)
        offered = call.offered
        try:
            call.media.sends_pictures = video and call.media.profile.pictures and not call.media.profile.low
            sdp = call.media.answer(offered) if offered else call.media.offer(pictures=video)
        except NoCommonMediaError as error:
            session.reject(self._line.now(), 488)
            self._end(call, "failed", error.reasons[0] if error.reasons else Reason.of("calls.failed.no_codec"))
            raise CallError(error.reasons[-1]) from error
        except (SdpError, TransportError, OSError) as error:
            session.reject(self._line.now(), 488)
            self._end(call, "failed", Reason.of("calls.failed.media", why=error))
            raise refused("calls.failed.media", why=error) from error
        session.answer(self._line.now(), sdp)
        self._is_answered(call)

    def decline(self, call: LiveCall) -> None:
        """Refuse a ringing call on all devices."""
        session = self._ringing(call)
        session.reject(self._line.now(), 603)
        self._end(call, "declined", Reason.of("calls.ended.declined"))

    def redirect(self, call: LiveCall, number: str) -> None:
        """Send a ringing call elsewhere."""
        session = self._ringing(call)
        session.redirect(self._line.now(), (f"<{sip_uri(number, self._line.domain)}>",))
        self._end(call, "diverted", Reason.of("calls.ended.diverted"))

    def end(self, call: LiveCall, reason: Reason | None = None) -> None:
        """End a call in whatever state. ``reason``: told in place of the usual sentence."""
        if call.over:
            return
        session, was = call.session, call.state
        headers = report_headers(call, call.seconds) if call.talking else ()
        result: Result = "answered" if call.talking else "unanswered"
        if was == "ringing_in":
            result = "declined"
        self._end(call, result, reason or Reason.of("calls.ended.us"))
        if session is not None:
            session.end(self._line.now(), headers=headers)

    async def hold(self, call: LiveCall, *, held: bool) -> None:
        """Hold or take back. Raises CallError with why the server did not do it; the call is as it was then."""
        if not call.talking:
            raise refused("calls.refused.not_now")
        if call.media.held == held:
            return
        self._need_server(call)
        before = call.media.held
        call.media.held = held
        try:
            await self.offers.offer_anew(call)
        except CallError:
            call.media.held = before
            raise
        call.tell(Reason.of("calls.story.held" if held else "calls.story.resumed"))

    async def set_video(self, call: LiveCall, *, on: bool) -> None:
        """Begin or end to send pictures."""
        if not call.talking:
            raise refused("calls.refused.not_now")
        self._need_server(call)
        if on and call.video_why is not None:
            raise CallError(call.video_why)
        before = call.media.sends_pictures
        call.wants_video = on
        try:
            await self.offers.offer_anew(call, pictures=on)
        except CallError:
            call.media.sends_pictures = before
            raise
        if on and call.media.picture is None:
            raise CallError(call.media.reasons[-1] if call.media.reasons else Reason.of("calls.refused.no_video"))
        call.tell(Reason.of("calls.story.video_on" if on else "calls.story.video_off"))

    def _add(self, call: LiveCall) -> None:
        self._report_with(call)
        if self.began is not None:
            self.began(call)
        self._book.add(call)

    @staticmethod
    def _report_with(call: LiveCall) -> None:
        """Who gets our answer to its BYE is told of the sound as if we had said goodbye."""
        if call.session is not None:
            call.session.farewell = lambda: report_headers(call, call.seconds) if call.talking else ()

    def _need_server(self, call: LiveCall) -> None:
        if not call.reachable:
            raise refused("calls.barred.no_server", server=call.server)

    def _ringing(self, call: LiveCall) -> Session:
        if call.state != "ringing_in" or call.session is None:
            raise refused("calls.refused.not_ringing")
        return call.session

    def own_address(self) -> str:
        """Our own address with our name, as in From."""
        line = self._line
        name = line.display.replace("\\", "").replace('"', "")
        return f'"{name}" <{sip_uri(line.number, line.domain)}>'

    # --- what SIP tells

    def handle(self, event: events.SipEvent) -> bool:
        """Take an event of the core; False where it concerns no call."""
        match event:
            case events.Invited():
                self._invited(event)
            case events.Progressed():
                self._with(event.session, lambda call: self._progressed(call, event))
            case events.Accepted():
                self._with(event.session, lambda call: self._accepted(call, event))
            case events.Acked():
                self._with(event.session, lambda call: self._acked(call, event))
            case events.Failed():
                self._with(event.session, lambda call: self._failed(call, event))
            case events.Cancelled():
                self._with(event.session, lambda call: self._cancelled(call, event))
            case events.OfferArrived():
                self._with(event.session, lambda call: self.offers.arrived(call, event))
            case events.OfferAnswered():
                self._with(event.session, lambda call: self.offers.answered(call, event))
            case events.OfferRefused():
                self._with(event.session, lambda call: self.offers.refused(call, event))
            case events.Ended():
                self._with(event.session, lambda call: self._ended(call, event))
            case _:
                return False
        return True

    def call_of(self, session: Session) -> LiveCall | None:
        """The call that a session belongs to, as long as it is its session."""
        call = session.owner
        return call if isinstance(call, LiveCall) and call.session is session else None

    def move(self, call: LiveCall) -> bool:
        """Let a call go on over the connection of now, however its server is reached. False where there is none."""
        flow, session = self._line.flow, call.session
        if flow is None or session is None:
            return False
        session.move(flow, self._line.agent.contact(flow, self._line.number), self._line.route)
        call.way = self._line.way
        call.change(reachable=True)
        return True

    def let_go_of_silent(self) -> None:
        """End calls that nobody carries any more: no server answers, and nothing is heard."""
        for call in self._book.talking():
            if call.silent and not call.reachable and not self.is_moving():
                self.end(call, Reason.of("calls.ended.silent", server=call.server))

    def look_at_servers(self) -> None:
        """Find out which calls have lost their server: those go on, but nothing can be asked for them."""
        flow = self._line.flow
        for call in self._book.talking():
            if call.way is not self._line.way:
                continue  # it is about to move to the way of now
            session = call.session
            own = session.flow if session is not None else None
            if session is not None and own is not None and own.closed and _same_server(own, flow):
                session.flow = own = flow
            reachable = own is not None and not own.closed
            if call.reachable and not reachable:
                call.tell(Reason.of("calls.story.server_lost", server=call.server), note=True)
            elif reachable and not call.reachable:
                call.change(note=None)
            call.change(reachable=reachable)

    def _with(self, session: Session, work: Callable[[LiveCall], None]) -> None:
        call = self.call_of(session)
        if call is not None and not call.over:
            work(call)

    def _invited(self, event: events.Invited) -> None:
        session, line = event.session, self._line
        if len(self._book.live()) >= MAX_CALLS:
            session.reject(line.now(), 486)
            return
        if event.replaces is not None:
            self._take_over(event, event.replaces)
            return
        who = identity.caller(event.request)
        try:
            call = LiveCall(
                "in", self._parties.of(who.number, who.name), self._book.changed, line.media(), way=line.way
            )
        except CallError:
            session.reject(line.now(), 480)
            return
        call.state, call.session, session.owner = "ringing_in", session, call
        call.media.on_event = lambda kind, told: self._leg_told(call, told)
        call.line, call.device, call.server = line.number, line.device, line.server
        call.offered = event.sdp
        call.asks_video = _wants_pictures(event.sdp)
        call.why = self._why(event)
        call.far_security = identity.far_security(event.request)
        call.tell(Reason.of("calls.story.rang", name=call.party.name or call.party.shown, line=line.number))
        self._add(call)
        session.ring(line.now(), 180)
        self._later(self._learn(call), "caller")

    def _why(self, event: events.Invited) -> list[Reason]:
        """Why it rings here: the line, and who sent it."""
        why = [Reason.of("calls.why.line", line=self._line.number, device=self._line.device)]
        if "silent" in (event.request.get("Alert-Info") or ""):
            why.append(Reason.of("calls.why.silent"))
        diversion = event.request.get("Diversion")
        if diversion:
            user = diversion.partition("<")[2].partition(">")[0] or diversion.partition(";")[0]
            try:
                by = Uri.parse(user).number
            except MalformedMessage:
                by = user
            why.append(Reason.of("calls.why.diverted", number=by))
        return why

    def _take_over(self, event: events.Invited, replaced: Session) -> None:
        """An attended transfer: the new session takes the place of the one that we talk in."""
        call = self.call_of(replaced)
        session, now = event.session, self._line.now()
        if call is None or not call.talking:
            session.reject(now, 481)
            return
        try:
            sdp = call.media.answer(event.sdp) if event.sdp else call.media.offer()
        except (SdpError, NoCommonMediaError, TransportError, OSError):
            session.reject(now, 488)
            return
        call.session, session.owner = session, call
        self._report_with(call)
        replaced.owner, replaced.farewell = None, None
        session.answer(now, sdp)
        replaced.end(now)
        self._meet(call, event.request)
        self._refresh(call)

    async def _learn(self, call: LiveCall) -> None:
        party = await self._parties.learn(call.party)
        if party is not None and call.party.number == party.number:
            call.change(party=party)

    def _meet(self, call: LiveCall, message: Message) -> None:
        """The other side is (or is now) who the message says."""
        conference = identity.conference_of(message)
        who = identity.presented(message)
        security = identity.far_security(message)
        if security:
            call.change(far_security=security)
        if conference != call.conference and call.talking:
            call.change(conference=conference)
        if who is None or not who.number or who.number == call.party.number:
            return
        party = self._parties.of(who.number, who.name)
        if party.person and party.person == call.party.person:
            return
        if call.talking:
            call.tell(Reason.of("calls.story.connected", name=party.name or party.shown), note=True)
        call.change(party=party)
        self._later(self._learn(call), "other side")

    def _progressed(self, call: LiveCall, event: events.Progressed) -> None:
        self._meet(call, event.response)
        early = event.sdp is not None and not event.offer
        if event.sdp is not None:
            try:
                if event.offer:
                    event.session.answer_offer(self._line.now(), call.media.answer(event.sdp))
                else:
                    call.media.settled(event.sdp)
            except (SdpError, NoCommonMediaError, TransportError, OSError, WrongState) as error:
                log.info("calling.early_media_unused", why=str(error))
                early = False
        if event.response.status in (180, 183) and call.state == "dialling":
            call.change(state="ringing_out")
            call.tell(Reason.of("calls.story.rings_there", name=call.party.name or call.party.shown))
        ringing = event.response.get("X-Ringback-Ringing") or ""
        if ringing.isascii() and ringing.isdigit() and len(ringing) < 4:
            call.change(ringing=int(ringing))
        if early:
            call.change(early=True)
            self._refresh(call)

    def _accepted(self, call: LiveCall, event: events.Accepted) -> None:
        now = self._line.now()
        try:
            if event.offer and event.sdp is not None:
                event.session.ack(now, call.media.answer(event.sdp))
            elif event.sdp is not None:
                call.media.settled(event.sdp)
        except (SdpError, NoCommonMediaError, TransportError, OSError) as error:
            event.session.end(now)
            self._end(call, "failed", Reason.of("calls.failed.media", why=error))
            return
        self._meet(call, event.response)
        self._is_answered(call)

    def _acked(self, call: LiveCall, event: events.Acked) -> None:
        if event.sdp is None:
            return
        try:
            call.media.settled(event.sdp)
        except (SdpError, NoCommonMediaError, TransportError, OSError) as error:
            event.session.end(self._line.now())
            self._end(call, "failed", Reason.of("calls.failed.media", why=error))
            return
        self._refresh(call)

    def _is_answered(self, call: LiveCall) -> None:
        call.tell(Reason.of("calls.story.answered"))
        call.change(state="active", answered=now_text(), early=False, note=None, ringing=0)
        if not call.generation:
            call.change(generation=1)
        self._refresh(call)
        if self.answered is not None:
            self.answered(call)

    def _failed(self, call: LiveCall, event: events.Failed) -> None:
        causes, text = [], event.reason
        if event.response is not None:
            try:
                causes = event.response.reasons
                text = event.response.warnings[0].text if event.response.warnings else event.reason
            except MalformedMessage:
                causes = []
        party = call.party
        outcome = outcomes.failed(event.status, party.name or party.shown, party.shown, causes, text)
        self._end(call, outcome.result, outcome.note)

    def _cancelled(self, call: LiveCall, event: events.Cancelled) -> None:
        outcome = outcomes.cancelled(event.reason, call.party.name or call.party.shown)
        self._end(call, outcome.result, outcome.note)

    def _ended(self, call: LiveCall, event: events.Ended) -> None:
        name = call.party.name or call.party.shown
        cause = outcomes.read_cause(event.reason)
        self._end(call, "answered", outcomes.ended(event.by, name, cause.text if cause is not None else ""))

    def _end(self, call: LiveCall, result: Result, note: Reason) -> None:
        """A call is over, whoever ended it; media and all that waits for it end with it."""
        if call.over:
            return
        if call.result is not None:
            result = call.result
        self.offers.give_up(call, note)
        call.tell(note)
        call.change(state="ended", note=note)
        if self.ended is not None:
            self.ended(call)
        self._later(self._close(call, result), "call end")

    async def _close(self, call: LiveCall, result: Result) -> None:
        await self._book.ended(call, result)
        await call.media.close()

    def _refresh(self, call: LiveCall) -> None:
        """Media were agreed anew: state and page follow."""
        media = call.media
        call.silent = False  # from here on the leg counts anew, and tells once more where nothing comes
        call.had_video = call.had_video or media.video != "none"
        fields: dict[str, object] = {"held_by_other": media.held_by_other}
        if call.talking and call.held_by_other != media.held_by_other:
            what = "calls.story.held_there" if media.held_by_other else "calls.story.resumed_there"
            call.tell(Reason.of(what, name=call.party.name or call.party.shown))
        if call.talking:
            fields["state"] = "held" if media.held else "active"
            section = media.picture
            fields["asks_video"] = section is not None and media.video == "receiving" and not media.sends_pictures
        if call.generation and not media.page_fits:
            fields["generation"] = call.generation + 1
        call.change(**fields)
        self._book.changed(call)

    def _leg_told(self, call: LiveCall, event: leg_events.LegEvent) -> None:
        match event:
            case leg_events.Silent() if call.talking and not call.media.held:
                call.silent = True
                call.tell(Reason.of("calls.story.silent", name=call.party.name or call.party.shown), note=True)
                self.let_go_of_silent()
            case leg_events.DigitPressed(digit=digit):
                call.change(digits=(call.digits + digit)[-DIGITS_KEPT:])
            case leg_events.Resumed() if call.talking:
                call.silent = False
                call.tell(Reason.of("calls.story.heard_again"))
                call.change(note=None)

    def press(self, call: LiveCall, digits: str) -> None:
        """Send keys. Raises CallError for what is no key, or where the other side did not agree to keys."""
        if not call.talking and not call.early:
            raise refused("calls.refused.not_now")
        try:
            call.media.press(digits)
        except (RtpError, TransportError) as error:
            raise refused("calls.refused.keys", why=error) from error


def _same_server(one: Flow, other: Flow | None) -> bool:
    """Whether another connection leads to the same server."""
    return other is not None and not other.closed and one.remote[0] == other.remote[0]


def _wants_pictures(sdp: bytes | None) -> bool:
    if not sdp:
        return False
    try:
        section = Description.parse(sdp).first("video")
    except SdpError:
        return False
    return section is not None and section.value("inactive") is None
