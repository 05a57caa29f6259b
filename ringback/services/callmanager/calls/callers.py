"""Who calls: the line of a phone, or who another system says it is."""

from __future__ import annotations

from ringback.protocols.sip import events
from ringback.protocols.sip.errors import SipError
from ringback.protocols.sip.headers import NameAddr
from ringback.protocols.sip.message import Request
from ringback.services.callmanager.calls.access import Sender
from ringback.services.callmanager.calls.core import Core
from ringback.services.callmanager.calls.identity import Shown
from ringback.services.callmanager.calls.leg import Leg, Talk


class Callers:
    """Makes the legs of callers."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def leg_of(self, event: events.Invited, sender: Sender, now: float) -> Leg:
        """The leg of a caller, with who it is."""
        request, core = event.request, self._core
        private = "id" in (request.get("Privacy") or "")
        if sender.phone is None:
            told = request.get("P-Asserted-Identity") or request.get("Remote-Party-ID") or request.get("From") or ""
            shown = shown_of(told, core, private=private)
            leg = core.new_leg(event.session, shown, outgoing=False, now=now)
            leg.trunk = sender.peer
        else:
            phone = sender.phone
            number = self.line_of(request, phone.name)
            line = core.lines.line(number)
            shown = core.shown_line(line) if line is not None else Shown(number, phone.owner_name, core.domain)
            private = private or "anonymous" in (request.get("From") or "").lower()
            leg = core.new_leg(event.session, _hidden(shown) if private else shown, outgoing=False, now=now)
            core.place(leg, phone.name, number)
            leg.user = phone.owner
        leg.secure = event.session.secure
        leg.address = event.flow.remote[0]
        return leg

    def line_of(self, request: Request, device: str) -> str:
        """The line of a phone that a call comes from: as From says, else its first."""
        phone = self._core.lines.phone(device)
        if phone is None or not phone.lines:
            return ""
        user = request.from_.uri.number
        if phone.line(user) is not None:
            return user
        by_contact = self._core.lines.line_of_contact(user)
        if by_contact is not None and phone.line(by_contact.number) is not None:
            return by_contact.number
        return phone.lines[0].number

    def is_full(self, leg: Leg) -> bool:
        """Whether a phone makes more calls on a line than it may have."""
        phone = self._core.lines.phone(leg.device) if leg.device else None
        entry = phone.line(leg.line) if phone is not None else None
        return entry is not None and self._core.calls_on(leg.device, leg.line) > entry.max_calls


def offer_of(leg: Leg) -> bytes | None:
    """The offer of a caller that waits; None where it wants ours."""
    said = leg.raw_said
    return said if leg.talk is Talk.OFFERED else None


def _hidden(shown: Shown) -> Shown:
    return Shown(shown.user, shown.name, shown.domain, private=True)


def shown_of(value: str, core: Core, *, private: bool = False) -> Shown:
    """Who a From, P-Asserted-Identity or Remote-Party-ID value of another system presents."""
    try:
        told = NameAddr.parse(value)
    except SipError:
        return Shown("", "", core.domain, private)
    uri = told.uri
    user = uri.user or ""
    own = uri.host in core.own_hosts or not user or uri.scheme == "tel" or user.lstrip("+").isdigit()
    return Shown(uri.number if own else f"{user}@{uri.host}", told.display, core.domain, private)
