"""What needs the call manager's help in a call: transfer, conference, park, voicemail, pick-up, other devices.

Transfers are REFER (RFC 5589). Conference, park and divert are RemoteCC requests, the way of the phones that the call
manager is made for: a REFER outside of dialogs names the dialogs concerned, the outcome comes with its NOTIFY.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal

import structlog

from ringback.client.calling.book import CallBook
from ringback.client.calling.call import LiveCall
from ringback.client.calling.errors import CallError, refused
from ringback.client.calling.numbers import Dialled
from ringback.client.calling.softphone import PhoneLine, Softphone, sip_uri
from ringback.client.host.wire_calls import Party
from ringback.protocols.sip import events
from ringback.protocols.sip.bodies import remotecc
from ringback.protocols.sip.bodies.markup import BodyError
from ringback.protocols.sip.bodies.remotecc import DialogId, RemoteCcResponse, SoftkeyEvent
from ringback.protocols.sip.errors import SipError
from ringback.protocols.sip.flows import Body
from ringback.protocols.sip.message import Request
from ringback.protocols.sip.session import Session
from ringback.rules.reasons import Reason

ANSWER_SECONDS = 15.0
TRANSFER_SECONDS = 40.0
_PICKUP = "x-cisco-serviceuri-pickup"
_DEVICE = "x-ringback-device"

log = structlog.get_logger(__name__)
Key = Literal["Conference", "Park", "IDivert"]


@dataclass(slots=True)
class _Asked:
    """A RemoteCC request that waits for its outcome."""

    done: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Features:
    """See the head of this module. Methods raise CallError."""

    def __init__(
        self,
        line: PhoneLine,
        phone: Softphone,
        book: CallBook,
        later: Callable[[Awaitable[None], str], None],
    ) -> None:
        self._line = line
        self._phone = phone
        self._book = book
        self._later = later
        self._asked: dict[str, _Asked] = {}
        self._transfers: dict[str, asyncio.Future[None]] = {}
        self._merging: dict[str, str] = {}

    # --- transfer

    async def transfer(self, call: LiveCall, to: Dialled) -> None:
        """Connect the other side with somebody else, without asking first; we leave when that rings or is answered."""
        session = self._talking(call)
        shown = to.shown or to.dials
        await self._refer(call, session, sip_uri(to.dials, self._line.domain), None)
        self._phone.end(call, Reason.of("calls.ended.transferred", name=shown))

    async def complete_transfer(self, call: LiveCall, consult: LiveCall) -> None:
        """Connect the two other sides; we leave both."""
        session, other = self._talking(call), self._talking(consult)
        await self._refer(call, session, _bare(other.remote_uri), other)
        name = consult.party.name or consult.party.shown
        self._phone.end(call, Reason.of("calls.ended.transferred", name=name))
        self._phone.end(consult, Reason.of("calls.ended.transferred", name=call.party.name or call.party.shown))

    async def _refer(self, call: LiveCall, session: Session, to: str, replaces: Session | None) -> None:
        outcome = asyncio.get_running_loop().create_future()
        self._transfers[call.id] = outcome
        try:
            session.refer(self._line.now(), to, replaces=replaces)
            async with asyncio.timeout(TRANSFER_SECONDS):
                await outcome
        except SipError as error:
            raise refused("calls.refused.not_now") from error
        except TimeoutError as error:
            raise refused("calls.refused.no_answer", server=call.server) from error
        finally:
            self._transfers.pop(call.id, None)

    def _refer_told(self, call: LiveCall, event: events.ReferProgress) -> None:
        outcome = self._transfers.get(call.id)
        if outcome is None or outcome.done():
            return
        if 200 <= event.status < 300 and (event.final or event.status != 202):
            outcome.set_result(None)
        elif event.status >= 300:
            name = call.party.name or call.party.shown
            why = Reason.of("calls.refused.transfer", name=name, status=event.status, text=event.reason)
            outcome.set_exception(CallError(why))

    # --- RemoteCC

    async def merge(self, call: LiveCall, other: LiveCall) -> None:
        """Make one conference of two calls."""
        self._talking(call)
        self._talking(other)
        if call.media.held:
            await self._phone.hold(call, held=False)
        await self._ask("Conference", call, consult=other)
        call.tell(Reason.of("calls.story.conference"), note=True)
        self._joined(call, other)

    def _joined(self, call: LiveCall, other: LiveCall) -> None:
        known = {(one.number, one.person) for one in call.members}
        added = [call.party, other.party] if not call.members else [other.party]
        members = [*call.members, *(one for one in added if (one.number, one.person) not in known)]
        call.change(members=members, conference=True)
        if not other.over:
            other.result = "answered"
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

    async def park(self, call: LiveCall) -> None:
        """Park a call; where to get it back comes with the call's ``parked``."""
        self._talking(call)
        call.result = "diverted"
        try:
            await self._ask("Park", call)
        except CallError:
            call.result = None
            raise

    async def divert(self, call: LiveCall, pilot: str) -> None:
        """Send a ringing call to the voicemail."""
        if not pilot:
            raise refused("calls.barred.no_voicemail")
        self._phone.redirect(call, pilot)

    async def move(self, call: LiveCall, device: str) -> None:
        """Carry on with a call on another device of the person: it rings there, and takes over when answered."""
        session = self._talking(call)
        uri = f"{sip_uri(self._line.number, self._line.domain)};{_DEVICE}={device}"
        await self._refer(call, session, uri, None)
        self._phone.end(call, Reason.of("calls.ended.moved", device=device))

    def pick_up(self, number: str) -> LiveCall:
        """Take a call that rings in the own group, or at a number."""
        target = f"{_PICKUP}-{number}" if number else _PICKUP
        return self._phone.start(f"{target}@{self._line.domain}", Party(number=number, shown=number))

    async def _ask(self, key: Key, call: LiveCall, consult: LiveCall | None = None) -> None:
        flow = self._line.flow
        if flow is None or call.session is None:
            raise refused("calls.barred.no_server", server=call.server)
        body = remotecc.encode(
            SoftkeyEvent(
                key,
                _dialog(call.session),
                1,
                _dialog(consult.session) if consult is not None and consult.session is not None else None,
            )
        )
        name = f"{self._phone.new_id()}@{self._line.domain}"
        asked = self._asked[name] = _Asked()
        agent, uri = self._line.agent, f"sip:{self._line.domain}"
        try:
            agent.send_request(
                self._line.now(),
                "REFER",
                uri,
                flow,
                from_=self._phone.own_address(),
                call_id=name,
                headers=(
                    ("Contact", agent.contact(flow, self._line.number)),
                    ("Refer-To", f"cid:{name}"),
                    ("Require", "norefersub"),
                    ("Referred-By", self._phone.own_address()),
                ),
                body=Body(remotecc.CONTENT_TYPE, body, (("Content-Id", f"<{name}>"),)),
            ).owner = asked
            async with asyncio.timeout(ANSWER_SECONDS):
                await asked.done
        except SipError as error:
            raise refused("calls.refused.not_now") from error
        except TimeoutError as error:
            raise refused("calls.refused.no_answer", server=call.server) from error
        finally:
            self._asked.pop(name, None)

    # --- what SIP tells

    def handle(self, event: events.SipEvent) -> bool:
        """Take an event of the core; False where it concerns no feature."""
        match event:
            case events.ReferProgress():
                call = self._phone.call_of(event.session)
                if call is not None:
                    self._refer_told(call, event)
            case events.Answered() if isinstance(event.handle.owner, _Asked):
                if event.response.status >= 300:
                    self._refused(event.handle.owner, event.response.status, event.response.reason)
            case events.Unanswered() if isinstance(event.handle.owner, _Asked):
                self._refused(event.handle.owner, 408, event.why)
            case events.RequestArrived() if event.request.method == "NOTIFY":
                asked = self._asked.get(event.request.call_id)
                if asked is None:
                    return False
                self._line.agent.respond(self._line.now(), event.transaction, 200)
                self._notified(asked, event.request)
            case _:
                return False
        return True

    def _notified(self, asked: _Asked, request: Request) -> None:
        try:
            code = RemoteCcResponse.parse(request.body).code
        except BodyError as error:
            log.info("calling.feature_notice_unread", why=str(error))
            return
        if asked.done.done():
            return
        if code < 300:
            asked.done.set_result(None)
        else:
            self._refused(asked, code, "")

    def _refused(self, asked: _Asked, status: int, text: str) -> None:
        if not asked.done.done():
            why = Reason.of("calls.refused.by_server", server=self._line.server, status=status, text=text)
            asked.done.set_exception(CallError(why))

    def _talking(self, call: LiveCall) -> Session:
        if not call.talking or call.session is None:
            raise refused("calls.refused.not_now")
        if not call.reachable:
            raise refused("calls.barred.no_server", server=call.server)
        return call.session


def _dialog(session: Session) -> DialogId:
    return DialogId(session.call_id, session.local_tag, session.remote_tag)


def _bare(address: str) -> str:
    """The URI of a From or To value."""
    _, bracket, rest = address.partition("<")
    return rest.partition(">")[0] if bracket else address.partition(";")[0]
