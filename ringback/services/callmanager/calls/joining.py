"""Who hears whom: brings what each end hears (``Leg.side``) to what it shall hear (``Call.wish``).

Call control never talks offer and answer itself. It changes what a leg shall hear, and ``Joiner.reconcile`` sends the
offers that lead there, one at a time for each leg, whatever crosses them on the wire: a re-INVITE of the end, a
refusal, a leg that goes away. Two ends are joined by passing the offer of the one to the other (RFC 3725 flow I where
neither has offered); an end is joined to our own sound by an offer or answer of ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from ringback.protocols.sdp.description import Description, SdpError
from ringback.protocols.sip.session import WrongState
from ringback.services.callmanager.calls.identity import HeaderLines
from ringback.services.callmanager.calls.leg import NOTHING, QUIET, Heard, HeardKind, Leg, Room, Source, Talk
from ringback.services.callmanager.calls.media_path import End, PathEvidence, choose_path, end_of
from ringback.services.callmanager.calls.passing import Passed, cross, hold_answer, is_hold, pass_answer, pass_offer

_NOT_ACCEPTABLE: Final = 488
_REQUEST_PENDING: Final = 491
_TRIES: Final = 3
_OWN: Final[frozenset[HeardKind]] = frozenset({"music", "ringback", "confirmation", "room"})

_log: Final = structlog.get_logger("ringback.callmanager.calls")


class Relay(Protocol):
    """Two ends of our own between two ends of a call. ``first`` is the end that offers, the other answers."""

    def offer(self, offered: Description, keying: str) -> Description:
        """The offer as the other end gets it, encrypted as ``keying`` says. Raises SdpError, OSError."""

    def answer(self, answered: Description) -> Description:
        """The answer as the offering end gets it. Raises SdpError."""

    def close(self) -> None:
        """Stop, and give the ports back."""


class Desk(Protocol):
    """The media that call control asks for. All calls return at once; OSError where no port is free."""

    @property
    def address(self) -> str:
        """The address that our own descriptions name."""

    def source(self, kind: HeardKind, room: Room | None, leg: int, keying: str) -> Source:
        """Music, ringing tone, or a place in a room; encrypted as ``keying`` says where we offer."""

    def relay(self) -> Relay:
        """A relay for two ends."""


class Judge(Protocol):
    """What the joiner asks call control."""

    def wish(self, leg: Leg) -> Heard:
        """What a leg shall hear now."""

    def headers(self, leg: Leg) -> HeaderLines:
        """Who is at the other side now, for the next message to a leg."""

    def answered(self, leg: Leg, now: float) -> None:
        """A caller's INVITE was answered."""

    def not_joined(self, leg: Leg, status: int, now: float) -> None:
        """What a leg shall hear can't be reached; the call can't go on like this."""

    def later(self, leg: Leg, now: float) -> None:
        """Reconcile a leg again in a moment: it is in the middle of something."""

    def keying(self, leg: Leg) -> str:
        """How the sound of a leg is encrypted: none, sdes, dtls."""

    def joined(self, leg: Leg, now: float) -> None:
        """A leg hears what it shall."""


@dataclass(slots=True)
class Exchange:
    """An offer of one end on its way to the other."""

    offerer: Leg
    answerer: Leg
    offered: Description
    passed: Passed
    relay: Relay | None = None


class Joiner:
    """See the head of the module. ``relay_always``: the deployment's setting."""

    def __init__(self, desk: Desk, judge: Judge, *, relay_always: bool = False, music: bool = True) -> None:
        """``music`` False: a hold is passed on to the other end as it is."""
        self._desk = desk
        self._music = music
        self._judge = judge
        self._relay_always = relay_always
        self._relays: dict[tuple[int, int], Relay] = {}

    # --- what ends do

    def end_offers(self, leg: Leg, sdp: bytes, now: float) -> None:
        """A re-INVITE or UPDATE with an offer."""
        if leg.talk is not Talk.IDLE or leg.exchange is not None:
            leg.session.refuse_offer(now, _REQUEST_PENDING)
            return
        try:
            offered = Description.parse(sdp)
        except SdpError:
            leg.session.refuse_offer(now, _NOT_ACCEPTABLE)
            return
        told = leg.told
        if told is not None and self._is_refresh(leg, offered):
            leg.session.answer_offer(now, told.encode())
            return
        leg.set_said(offered)
        leg.talk, leg.how = Talk.OFFERED, "again"
        leg.held = self._music and is_hold(offered)
        self.reconcile_pair(leg, now)

    def _is_refresh(self, leg: Leg, offered: Description) -> bool:
        """Whether an end only keeps its session alive: the description that it gave before, and all is as it shall be
        (RFC 4028 section 7.4)."""
        said = leg.said
        return said is not None and said.origin == offered.origin and self._judge.wish(leg) == leg.side

    def end_asks(self, leg: Leg, now: float) -> None:
        """A re-INVITE without offer: the end wants ours."""
        if leg.talk is not Talk.IDLE or leg.exchange is not None:
            leg.session.refuse_offer(now, _REQUEST_PENDING)
            return
        leg.talk, leg.how = Talk.BLANK, "again"
        self.reconcile_pair(leg, now)

    def end_answers(self, leg: Leg, sdp: bytes | None, *, offer: bool, now: float) -> None:
        """The answer to our offer, or the offer that we asked for."""
        if leg.talk is Talk.ASKED and offer and sdp is not None:
            leg.set_said(sdp)
            leg.talk, leg.how = Talk.OFFERED, "accepted"
        elif leg.talk is Talk.OFFERING:
            leg.talk = Talk.IDLE
            self._settled(leg, sdp, now)
        elif leg.talk is Talk.ASKED:
            leg.talk = Talk.IDLE
        self.reconcile_pair(leg, now)

    def end_refuses(self, leg: Leg, status: int, now: float) -> None:
        """Our offer or our question for one was refused; the session goes on as it was."""
        leg.talk = Talk.IDLE
        exchange, leg.exchange = leg.exchange, None
        leg.failures += 1
        if exchange is not None:
            self._give_up(exchange, status, now)
        if leg.failures >= _TRIES or status not in (_REQUEST_PENDING, 500, 503):
            self._judge.not_joined(leg, status, now)
        else:
            self.reconcile_pair(leg, now)

    def gone(self, leg: Leg, now: float) -> None:
        """A leg is over: what it was in the middle of is ended for the other."""
        exchange, leg.exchange = leg.exchange, None
        self._leave(leg)
        if exchange is not None:
            other = exchange.answerer if leg is exchange.offerer else exchange.offerer
            other.exchange = None
            if other is exchange.answerer:
                # its answer comes to nobody; the next reconciliation offers what it shall hear then
                return
            self.reconcile(other, now)

    def accepted(self, caller: Leg, called: Leg, sdp: bytes, relay: Relay | None, now: float) -> None:
        """The first answer of a called end to the caller's own offer: the short way of nearly all calls."""
        called.set_said(sdp)
        called.talk = Talk.IDLE
        if relay is not None:
            self._keep(caller, called, relay)
            answer: bytes | Description = relay.answer(Description.parse(sdp))
        elif caller.talk is Talk.OFFERED and not caller.outgoing:
            answer = sdp
        else:
            answer = b""
        caller.side, called.side = Heard("leg", called), Heard("leg", caller)
        if answer:
            self._answer(caller, answer, now)
        self._judge.joined(caller, now)

    # --- what shall be

    def reconcile_pair(self, leg: Leg, now: float) -> None:
        """Reconcile a leg and the one that it hears or shall hear."""
        others = {wish.leg for wish in (self._judge.wish(leg), leg.side) if wish.leg is not None}
        self.reconcile(leg, now)
        for other in others:
            self.reconcile(other, now)

    def reconcile(self, leg: Leg, now: float) -> None:
        """Take the next step towards what a leg shall hear; does nothing where it hears it or waits for an end."""
        if leg.over or leg.exchange is not None or leg.talk in (Talk.ASKED, Talk.OFFERING):
            return
        wish = self._judge.wish(leg)
        if leg.talk is Talk.IDLE and (leg.side == wish or not leg.up):
            return
        try:
            if wish.kind == "leg" and wish.leg is not None:
                self._join(leg, wish.leg, now)
            elif wish.kind in _OWN:
                self._own_sound(leg, wish, now)
            elif wish.kind == "quiet":
                self._quiet(leg, now)
        except (SdpError, OSError) as error:
            _log.warning("media refused", leg=leg.number, why=str(error))
            self._refuse(leg, _NOT_ACCEPTABLE, now)
            self._judge.not_joined(leg, _NOT_ACCEPTABLE, now)

    # --- two ends

    def _join(self, leg: Leg, other: Leg, now: float) -> None:
        if other.over or self._judge.wish(other).leg is not leg:
            return
        if other.exchange is not None or other.talk in (Talk.ASKED, Talk.OFFERING):
            return
        offered = Talk.OFFERED
        if leg.talk is offered and other.talk is offered:
            self._cross(leg, other, now)
        elif leg.talk is offered and self._may_offer(other):
            self._pass(leg, other, now)
        elif other.talk is offered and self._may_offer(leg):
            self._pass(other, leg, now)
        elif leg.talk is Talk.IDLE and leg.up:
            self._ask(leg, now)
        elif other.talk is Talk.IDLE and other.up:
            self._ask(other, now)

    @staticmethod
    def _may_offer(leg: Leg) -> bool:
        return leg.talk is Talk.BLANK or (leg.talk is Talk.IDLE and leg.up)

    def _ask(self, leg: Leg, now: float) -> None:
        if self._reinvite(leg, None, now):
            leg.talk = Talk.ASKED

    def _reinvite(self, leg: Leg, sdp: bytes | None, now: float) -> bool:
        """Offer anew; False where the end's own offer, which we have not been told of yet, came first, or where it has
        not acknowledged the last one. The leg is looked at again after that."""
        try:
            leg.session.reinvite(now, sdp, headers=self._judge.headers(leg))
        except WrongState:
            self._judge.later(leg, now)
            return False
        return True

    def _pass(self, offerer: Leg, answerer: Leg, now: float) -> None:
        offered = offerer.said
        if offered is None:
            raise SdpError("There is no offer to pass on")
        relay, fresh = self._routed(offerer, answerer, offered)
        passed = pass_offer(fresh, answerer.told)
        exchange = Exchange(offerer, answerer, offered, passed, relay)
        offerer.exchange = answerer.exchange = exchange
        self._offer(answerer, passed.description, now)

    def _routed(self, offerer: Leg, answerer: Leg, offered: Description) -> tuple[Relay | None, Description]:
        """The relay that is needed between two ends, and the offer as it leaves it."""
        there = self._judge.keying(answerer)
        family = end_of(answerer.said).family if answerer.has_said and answerer.said is not None else "IP4"
        here = end_of(offered)
        called = End("sdes" if there == "sdes" else "dtls" if there == "dtls" else "none", family)
        path = choose_path(PathEvidence(here, called, self._relay_always))
        if path.direct:
            return None, offered
        relay = self._desk.relay()
        try:
            return relay, relay.offer(offered, called.keying)
        except (SdpError, OSError):
            relay.close()
            raise

    def _cross(self, leg: Leg, other: Leg, now: float) -> None:
        """Both have offered: each offer is the answer to the other."""
        mine, theirs = leg.said, other.said
        if mine is None or theirs is None:
            raise SdpError("There is no offer to answer")
        answers = cross(mine, theirs)
        if answers is None:
            raise SdpError("The two ends have no codec in common")
        self._leave(leg, other)
        self._leave(other, leg)
        leg.side, other.side = Heard("leg", other), Heard("leg", leg)
        self._answer(leg, pass_answer(answers[0], leg.told), now)
        self._answer(other, pass_answer(answers[1], other.told), now)
        self._judge.joined(leg, now)

    def _settled(self, answerer: Leg, sdp: bytes | None, now: float) -> None:
        """An end answered an offer of ours, or one that was passed on to it."""
        exchange, answerer.exchange = answerer.exchange, None
        try:
            answered = Description.parse(sdp) if sdp is not None else None
            if exchange is None:
                if answerer.source is not None and answered is not None:
                    answerer.set_said(answered)
                    answerer.held = self._music and is_hold(answered)
                    answerer.source.settle(answered)
                answerer.failures = 0
                return
            if answered is not None:
                answerer.set_said(answered)
                self._finish(exchange, answered, now)
                return
            why = "the answer has no description"
        except SdpError as error:
            why = str(error)
        _log.warning("answer refused", leg=answerer.number, why=why)
        if exchange is not None:
            self._give_up(exchange, _NOT_ACCEPTABLE, now)
        self._judge.not_joined(answerer, _NOT_ACCEPTABLE, now)

    def _finish(self, exchange: Exchange, answered: Description, now: float) -> None:
        offerer, answerer = exchange.offerer, exchange.answerer
        offerer.exchange = None
        answerer.failures = offerer.failures = 0
        if offerer.over:
            return
        back = exchange.passed.back(answered, exchange.offered)
        if exchange.relay is not None:
            back = exchange.relay.answer(back)
        self._leave(offerer, answerer)
        self._leave(answerer, offerer)
        if exchange.relay is not None:
            self._keep(offerer, answerer, exchange.relay)
            exchange.relay = None
        offerer.side, answerer.side = Heard("leg", answerer), Heard("leg", offerer)
        self._answer(offerer, pass_answer(back, offerer.told), now)
        self._judge.joined(offerer, now)

    def _give_up(self, exchange: Exchange, status: int, now: float) -> None:
        """An exchange failed: the one who offered is refused as well and stays as it was."""
        for leg in (exchange.offerer, exchange.answerer):
            if leg.exchange is exchange:
                leg.exchange = None
        if exchange.relay is not None:
            exchange.relay.close()
            exchange.relay = None
        if not exchange.offerer.over:
            self._refuse(exchange.offerer, status, now)

    # --- our own sound

    def _own_sound(self, leg: Leg, wish: Heard, now: float) -> None:
        if leg.side != wish or leg.source is None:
            source = self._desk.source(wish.kind, wish.room, leg.number, self._judge.keying(leg))
            self._leave(leg)
            leg.source, leg.side = source, wish
        source = leg.source
        before = leg.told
        if leg.talk is Talk.OFFERED and leg.said is not None:
            self._answer(leg, source.answer(leg.said, before), now)
            self._judge.joined(leg, now)
        else:
            self._offer(leg, source.offer(before), now)

    def _quiet(self, leg: Leg, now: float) -> None:
        """The end holds: it is answered that nothing flows, and keeps its place."""
        said = leg.said
        if said is None:
            return
        if leg.side.kind in _OWN:
            self._leave(leg)
        if leg.talk is Talk.OFFERED:
            leg.side = QUIET
            self._answer(leg, hold_answer(said, leg.told, self._desk.address), now)
        elif leg.talk is Talk.BLANK:
            told = leg.told
            leg.side = QUIET
            self._offer(leg, told or hold_answer(said, None, self._desk.address), now)
        else:
            leg.side = QUIET

    # --- the wire

    def _offer(self, leg: Leg, description: Description, now: float) -> None:
        sdp = description.encode()
        if leg.talk is not Talk.BLANK:
            if self._reinvite(leg, sdp, now):
                leg.set_told(description)
                leg.talk = Talk.OFFERING
            else:
                self._withdraw(leg)
            return
        leg.set_told(description)
        leg.talk = Talk.OFFERING
        if leg.how == "invite":
            self._answer_invite(leg, sdp, now)
        else:
            leg.session.answer_offer(now, sdp)

    def _withdraw(self, answerer: Leg) -> None:
        """What was to be offered could not be: who offered waits, and what was opened for it is closed."""
        exchange, answerer.exchange = answerer.exchange, None
        if exchange is not None:
            exchange.offerer.exchange = None
            if exchange.relay is not None:
                exchange.relay.close()
        elif answerer.source is not None:
            answerer.source.close()
            answerer.source = None
            answerer.side = NOTHING

    def _answer(self, leg: Leg, description: bytes | Description, now: float) -> None:
        leg.set_told(description)
        sdp = description if isinstance(description, bytes) else description.encode()
        leg.talk = Talk.IDLE
        if leg.how == "invite":
            self._answer_invite(leg, sdp, now)
        elif leg.how == "again":
            leg.session.answer_offer(now, sdp)
        else:
            leg.session.ack(now, sdp)

    def _answer_invite(self, leg: Leg, sdp: bytes, now: float) -> None:
        leg.up = True
        leg.session.answer(now, sdp, headers=self._judge.headers(leg))
        self._judge.answered(leg, now)

    def _refuse(self, leg: Leg, status: int, now: float) -> None:
        """Refuse an open offer; what was agreed before stays."""
        if leg.talk not in (Talk.OFFERED, Talk.BLANK):
            return
        leg.talk = Talk.IDLE
        if leg.how == "again":
            leg.session.refuse_offer(now, status)
        elif leg.how == "accepted":
            said = leg.said
            if said is not None:
                leg.session.ack(now, hold_answer(said, leg.told, self._desk.address).encode())
        # a caller's first INVITE is refused by call control, which knows why

    # --- relays and sources that are left

    def _keep(self, one: Leg, other: Leg, relay: Relay) -> None:
        self._drop_relay(one, other)
        self._relays[_pair(one, other)] = relay

    def _drop_relay(self, one: Leg, other: Leg) -> None:
        relay = self._relays.pop(_pair(one, other), None)
        if relay is not None:
            relay.close()

    def is_relayed(self, one: Leg, other: Leg) -> bool:
        """Whether the sound of two legs goes through our relay."""
        return _pair(one, other) in self._relays

    def _leave(self, leg: Leg, staying: Leg | None = None) -> None:
        """A leg stops hearing what it hears; ``staying``: the leg that it goes on with."""
        if leg.source is not None:
            leg.source.close()
            leg.source = None
        before = leg.side.leg
        if before is not None and (before is not staying or leg.over):
            self._drop_relay(leg, before)


def _pair(one: Leg, other: Leg) -> tuple[int, int]:
    return min(one.number, other.number), max(one.number, other.number)
