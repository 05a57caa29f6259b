"""What needs the call manager's help in a call: transfer, conference, park, voicemail, pick-up, other devices.

All of it is REFER in the call's own dialog (``docs/interfaces/calls.md``; RFC 5589, RFC 4579): what the target is tells
the wish, and the NOTIFYs tell how it goes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from ringback.client.calling.book import CallBook
from ringback.client.calling.call import LiveCall
from ringback.client.calling.errors import CallError, refused
from ringback.client.calling.members import read_members
from ringback.client.calling.numbers import Dialled
from ringback.client.calling.parties import Parties
from ringback.client.calling.phone_line import PhoneLine, sip_uri
from ringback.client.calling.softphone import Softphone
from ringback.client.host.wire_calls import Party
from ringback.protocols.sip import events
from ringback.protocols.sip.errors import SipError
from ringback.protocols.sip.session import Session
from ringback.rules.reasons import Reason

REFER_SECONDS = 60.0  # a blind transfer or a move rings there as long
CONFERENCE = "conference"
_PICKUP = "x-cisco-serviceuri-pickup"
_PICKUP_AT = "x-cisco-serviceuri-blfpickup-"
_DEVICE = "x-ringback-device"
_PARK = "*68"
_PARKED = "Parked "

log = structlog.get_logger(__name__)


class Features:
    """See the head of this module. Methods raise CallError."""

    def __init__(
        self,
        line: PhoneLine,
        phone: Softphone,
        book: CallBook,
        parties: Parties,
        later: Callable[[Awaitable[None], str], object],
    ) -> None:
        self._line = line
        self._phone = phone
        self._book = book
        self._parties = parties
        self._later = later
        self._referring: dict[str, asyncio.Future[str]] = {}
        self._merging: dict[str, str] = {}

    # --- transfer

    async def transfer(self, call: LiveCall, to: Dialled) -> None:
        """Connect the other side with somebody else, without asking first. We are out when that is answered."""
        session = self._talking(call)
        await self._refer(call, session, sip_uri(to.dials, self._line.domain))
        self._phone.end(call, Reason.of("calls.ended.transferred", name=to.shown or to.dials))

    async def complete_transfer(self, call: LiveCall, consult: LiveCall) -> None:
        """Connect the two other sides; we leave both."""
        session, other = self._talking(call), self._talking(consult)
        await self._refer(call, session, sip_uri(consult.party.number, self._line.domain), other)
        name = consult.party.name or consult.party.shown
        self._phone.end(call, Reason.of("calls.ended.transferred", name=name))
        self._phone.end(consult, Reason.of("calls.ended.transferred", name=call.party.name or call.party.shown))

    async def move(self, call: LiveCall, device: str) -> None:
        """Carry on with a call on another device of the person: it rings there, and takes over when answered."""
        session = self._talking(call)
        await self._refer(call, session, f"{sip_uri(self._line.number, self._line.domain)};{_DEVICE}={device}")
        self._phone.end(call, Reason.of("calls.ended.moved", device=device))

    async def park(self, call: LiveCall) -> None:
        """Park a call; where to get it back comes with the call's ``parked``."""
        session = self._talking(call)
        said = await self._refer(call, session, sip_uri(_PARK, self._line.domain))
        slot = said.removeprefix(_PARKED).strip() if said.startswith(_PARKED) else ""
        call.result = "answered"
        call.change(parked=slot)
        self._phone.end(call, Reason.of("calls.ended.parked", number=slot))

    # --- conference

    async def merge(self, call: LiveCall, other: LiveCall) -> None:
        """Make one conference of two calls, or take the other one into the conference that this one is."""
        session, second = self._talking(call), self._talking(other)
        if call is other:
            raise refused("calls.barred.one_call")
        if call.media.held:
            await self._phone.hold(call, held=False)
        await self._refer(call, session, sip_uri(CONFERENCE, self._line.domain), second)
        call.tell(Reason.of("calls.story.conference"), note=True)
        if not call.members:
            call.change(members=[call.party, other.party])
        call.change(conference=True)
        if not other.over:
            self._phone.end(other, Reason.of("calls.ended.merged"))

    def merge_when_answered(self, call: LiveCall, added: LiveCall) -> None:
        """Take a call that we begin now into another one as soon as it is answered."""
        self._merging[added.id] = call.id

    def answered(self, call: LiveCall) -> None:
        """A call was answered."""
        into = self._merging.pop(call.id, None)
        first = self._book.get(into) if into is not None else None
        if first is not None and first.talking:
            self._later(self._merge_now(first, call), "conference")

    async def _merge_now(self, first: LiveCall, call: LiveCall) -> None:
        try:
            await self.merge(first, call)
        except CallError as error:
            first.tell(error.reason, note=True)

    # --- ringing

    async def divert(self, call: LiveCall, pilot: str) -> None:
        """Send a ringing call to the voicemail."""
        if not pilot:
            raise refused("calls.barred.no_voicemail")
        self._phone.redirect(call, pilot)

    def pick_up(self, number: str) -> LiveCall:
        """Take a call that rings in the own group, or at a number."""
        target = f"{_PICKUP_AT}{number}" if number else _PICKUP
        party = self._parties.of(number) if number else Party()
        return self._phone.start(f"{target}@{self._line.domain}", party)

    # --- REFER

    async def _refer(self, call: LiveCall, session: Session, to: str, replaces: Session | None = None) -> str:
        """Send a REFER and wait until it is known how it went; the reason phrase of that."""
        if call.id in self._referring:
            raise refused("calls.refused.busy_changing")
        outcome = self._referring[call.id] = asyncio.get_running_loop().create_future()
        try:
            session.refer(self._line.now(), to, replaces=replaces)
            async with asyncio.timeout(REFER_SECONDS):
                return str(await outcome)
        except SipError as error:
            raise refused("calls.refused.not_now") from error
        except TimeoutError as error:
            raise refused("calls.refused.no_answer", server=call.server) from error
        finally:
            self._referring.pop(call.id, None)

    def _told(self, call: LiveCall, event: events.ReferProgress) -> None:
        outcome = self._referring.get(call.id)
        if outcome is None or outcome.done():
            return
        if event.status >= 300:
            name = call.party.name or call.party.shown
            why = Reason.of("calls.refused.transfer", name=name, status=event.status, text=event.reason)
            outcome.set_exception(CallError(why))
        elif event.final:
            outcome.set_result(event.reason)

    def ended(self, call: LiveCall) -> None:
        """A call is over: the call manager took its other side where a REFER wanted it."""
        outcome = self._referring.get(call.id)
        if outcome is not None and not outcome.done():
            outcome.set_result("")

    # --- what SIP tells

    def handle(self, event: events.SipEvent) -> bool:
        """Take an event of the core; False where it concerns no feature."""
        match event:
            case events.ReferProgress():
                call = self._phone.call_of(event.session)
                if call is not None:
                    self._told(call, event)
            case events.InDialogRequest(session=session, transaction=transaction, request=request):
                call = self._phone.call_of(session)
                if (
                    call is None
                    or request.method != "NOTIFY"
                    or not (request.get("Event") or "").startswith(CONFERENCE)
                ):
                    return False
                self._line.agent.respond(self._line.now(), transaction, 200)
                self._members(call, request.body)
            case _:
                return False
        return True

    def _members(self, call: LiveCall, body: bytes) -> None:
        members = read_members(body)
        if members is None:
            return
        own = self._line.number
        call.change(
            members=[self._parties.of(one.number, one.name) for one in members if one.number != own], conference=True
        )

    def _talking(self, call: LiveCall) -> Session:
        if not call.talking or call.session is None:
            raise refused("calls.refused.not_now")
        if not call.reachable:
            raise refused("calls.barred.no_server", server=call.server)
        return call.session
