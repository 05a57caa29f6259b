"""REGISTER requests: read into what they ask for, answered as phones of the field expect it (interfaces 10.3)."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from ringback.protocols.oauth.tokens import Claims
from ringback.protocols.sip.errors import MalformedMessage
from ringback.protocols.sip.events import RequestArrived
from ringback.protocols.sip.flows import Body, Flow
from ringback.protocols.sip.headers import NameAddr
from ringback.protocols.sip.message import Request
from ringback.services.callmanager.calls.access import Access
from ringback.services.callmanager.calls.core import Core, PhoneBinding
from ringback.services.callmanager.calls.registrar import Asked, AskedContact, Outcome, is_polite
from ringback.storage.callmanager.call_rows import Phone

_SOFTPHONES = ("CSF", "TAB", "BOT", "TCT")
_CISCO = "x-cisco"
_DESTROY = "Application-Requested-Destroy"
_REMOTECC = "application/x-cisco-remotecc-response+xml"


class Registered(Struct, frozen=True):
    """A registration that was accepted: the phone, and whether it is new, or a stranger's that it ended."""

    phone: Phone
    outcome: Outcome
    request: Request
    flow: Flow


class Registering:
    """Answers REGISTER."""

    def __init__(self, core: Core, access: Access) -> None:
        self._core = core
        self._access = access

    def arrived(
        self, event: RequestArrived, phone: Phone | None, now: float, claims: Claims | None = None
    ) -> Registered | None:
        """Decide and answer; what was accepted, for those who wait for a phone. ``claims``: of the token that the
        request came with, which the registration does not outlive."""
        request, flow = event.request, event.flow
        try:
            asked = self._asked(request, phone)
        except MalformedMessage as error:
            self._core.agent.respond(now, event.transaction, error.status, str(error)[:80])
            return None
        if asked is None or phone is None:
            self._core.agent.respond(now, event.transaction, 404, "Unknown Line")
            return None
        if claims is not None:
            asked = replace(asked, most=int(claims.expires - now - self._core.wall))
        received = f"{flow.remote[0]}:{flow.remote[1]}"
        outcome = self._core.registrar.register(asked, flow, received, flow.transport, now)
        headers = self._headers(asked, outcome, request, now)
        if outcome.status != 200:
            self._core.agent.respond(now, event.transaction, outcome.status, headers=headers)
            return None
        if outcome.bindings:
            self._access.proved(flow, phone.name, claims)
        elif asked.contacts or asked.every:
            self._access.unproved(flow)
        body = _options_answer(request)
        self._core.agent.respond(now, event.transaction, 200, headers=headers, body=body)
        return Registered(phone, outcome, request, flow)

    def _asked(self, request: Request, phone: Phone | None) -> Asked | None:
        if phone is None:
            return None
        lines = self._lines(request, phone)
        if not lines:
            return None
        contacts = () if request.contact_star else tuple(_contact(one) for one in request.contacts)
        cisco = _is_cisco(request)
        return Asked(
            device=phone.name,
            lines=lines,
            contacts=contacts,
            call_id=request.call_id,
            cseq=request.cseq.number,
            seconds=request.expires,
            every=request.contact_star,
            takes_over=self._takes_over(request, contacts),
            single=phone.name.startswith(_SOFTPHONES),
            keeps_alive=cisco or phone.name.startswith(_SOFTPHONES),
            user_agent=request.get("User-Agent") or "",
            features=request.supported,
        )

    def _lines(self, request: Request, phone: Phone) -> tuple[str, ...]:
        """The numbers that a REGISTER is about: the one in To, or all of the device where To names that or its person,
        or where it registers in bulk."""
        every = tuple(line.number for line in phone.lines)
        if b"bulkregisterreq" in request.body:
            return every
        user = request.to.uri.number
        if user in every:
            return (user,)
        by_contact = self._core.lines.line_of_contact(user)
        if by_contact is not None and by_contact.number in every:
            return (by_contact.number,)
        owner = phone.owner.lower()
        return every if user.lower() in (phone.name.lower(), phone.user.lower(), owner) and user else ()

    @staticmethod
    def _takes_over(request: Request, contacts: tuple[AskedContact, ...]) -> bool:
        """A client that was refused asks again with its real instance id and the word that it means it."""
        if any(is_polite(contact.instance) for contact in contacts):
            return False
        return _DESTROY in (request.get("Reason") or "")

    def _headers(self, asked: Asked, outcome: Outcome, request: Request, now: float) -> list[tuple[str, str]]:
        if outcome.status == 423:
            return [("Min-Expires", outcome.reason.values["seconds"])]
        if outcome.warning:
            return [("Warning", f'399 {self._core.node} "{outcome.warning}"')]
        if outcome.status != 200:
            return []
        new = ";x-cisco-newreg" if outcome.new and _is_cisco(request) else ""
        headers = [("Contact", _contact_value(one, now) + new) for one in outcome.bindings]
        granted = 0 if not outcome.bindings and not asked.keeps_alive else outcome.granted
        headers.append(("Expires", str(granted)))
        if any(one.reg_id for one in outcome.bindings):
            headers += [("Require", "outbound"), ("Flow-Timer", str(self._core.settings.keep_alive_seconds))]
        headers += [("Path", value) for value in request.all("Path")]
        return headers


def _is_cisco(request: Request) -> bool:
    return any(tag.startswith(_CISCO) for tag in request.supported)


def _contact(contact: NameAddr) -> AskedContact:
    params = contact.params
    q = params.get("q")
    reg_id = params.get("reg-id")
    return AskedContact(
        uri=str(contact.uri),
        seconds=contact.expires,
        instance=(params.get("+sip.instance") or "").strip('"<>'),
        reg_id=int(reg_id) if reg_id and reg_id.isascii() and reg_id.isdigit() and len(reg_id) < 10 else 0,
        q=_weight(q),
        keep_alive="cisco-keep-alive" in params,
        host=contact.uri.host,
        port=contact.uri.port or 5060,
    )


def _weight(text: str | None) -> float:
    try:
        return min(1.0, max(0.0, float(text))) if text else 1.0
    except ValueError:
        return 1.0


def _contact_value(binding: PhoneBinding, now: float) -> str:
    left = max(1, int(binding.expires_at - now + 0.5))
    value = f"<{binding.contact}>;expires={left}"
    if binding.instance:
        value += f';+sip.instance="<{binding.instance}>"'
    if binding.reg_id:
        value += f";reg-id={binding.reg_id}"
    return value


def _options_answer(request: Request) -> Body | None:
    """The options that a phone named (``optionsind``) are given back, with forwarding at any line allowed."""
    start, end = request.body.find(b"<optionsind"), request.body.find(b"</optionsind>")
    if start < 0 or end < start:
        return None
    options = request.body[start : end + len(b"</optionsind>")]
    options = options.replace(b"<cfwdall-anyline/>", b"<cfwdall-anyline>Yes</cfwdall-anyline>")
    answer = (
        b"<x-cisco-remotecc-response><response><code>200</code>" + options + b"</response></x-cisco-remotecc-response>"
    )
    return Body(_REMOTECC, answer)
