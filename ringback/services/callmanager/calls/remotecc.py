"""Remote call control: what Cisco's phones ask for by REFER outside of dialogs, and what they are told of themselves.

A request is answered 202; how it went is told by a NOTIFY (``Event: refer``) with a response body (interfaces 10.5).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ringback.protocols.sip.bodies import multipart, remotecc
from ringback.protocols.sip.bodies.markup import BodyError
from ringback.protocols.sip.errors import MalformedMessage
from ringback.protocols.sip.events import RequestArrived
from ringback.protocols.sip.flows import Body
from ringback.protocols.sip.message import Request
from ringback.rules.call_forwarding import Quiet
from ringback.services.callmanager.calls.access import Sender
from ringback.services.callmanager.calls.attempts import way_of
from ringback.services.callmanager.calls.core import PhoneBinding
from ringback.services.callmanager.calls.leg import Leg

if TYPE_CHECKING:
    from ringback.services.callmanager.calls.conferences import Conferences
    from ringback.services.callmanager.calls.control import CallControl
    from ringback.services.callmanager.calls.parking import Parking
    from ringback.services.callmanager.calls.transfers import Transfers
    from ringback.services.callmanager.calls.watching import Watching

_REQUEST = "application/x-cisco-remotecc-request+xml"
_RESPONSE = "application/x-cisco-remotecc-response+xml"
_ALARM = "application/x-cisco-alarm+xml"
_NOTED = frozenset({"HLog", "MCID", "QRT", "CallBack", "ParkMonitor", "Select", "Unselect", "Cancel"})
_DISPLAY_SECONDS = 10


class RemoteCc:
    """Takes REFER outside of dialogs, and greets phones that have registered."""

    def __init__(
        self,
        control: CallControl,
        transfers: Transfers,
        parking: Parking,
        conferences: Conferences,
        watching: Watching,
    ) -> None:
        self._control = control
        self._core = control.core
        self._transfers = transfers
        self._parking = parking
        self._conferences = conferences
        self._watching = watching
        control.requests["REFER"] = self.refer
        control.requests["dialog REFER"] = self.refer
        control.requests["registered"] = self.greet

    # --- what phones ask

    def refer(self, event: RequestArrived, sender: Sender, now: float) -> None:
        """A REFER outside of dialogs."""
        request, respond = event.request, self._core.agent.respond
        kind = request.content_type.kind if request.content_type is not None else ""
        if kind == _ALARM or (request.get("Refer-To") or "").find("token-registration") >= 0:
            respond(now, event.transaction, 202)
            return
        body = _asked(request)
        if sender.phone is None or body is None:
            respond(now, event.transaction, 403 if sender.phone is None else 400)
            return
        try:
            wanted = remotecc.parse(body)
        except BodyError as error:
            respond(now, event.transaction, 400, str(error)[:60])
            return
        respond(now, event.transaction, 202)
        code = self._softkey(wanted, sender, now) if isinstance(wanted, remotecc.SoftkeyEvent) else 501
        self._tell(event, code, now)

    def _softkey(self, key: remotecc.SoftkeyEvent, sender: Sender, now: float) -> int:
        leg = self._leg(key.dialog, sender)
        if key.event in _NOTED:
            return 200
        if leg is None:
            return 481
        match key.event:
            case "Park":
                return self._park(leg, now)
            case "Conference" | "Join":
                second = self._leg(key.consult or key.join, sender)
                return 200 if second is not None and self._conferences.merge(leg, second, now) else 481
            case "RmLastConf":
                return 200 if self._conferences.drop_last(leg, now) else 403
            case "IDivert":
                return self._divert(leg, now)
            case "Transfer" | "TrnsfMn" | "DirTrfr":
                second = self._leg(key.consult or key.join, sender)
                if second is None:
                    return 481
                self._transfers.connect(leg, second, now)
                self._transfers.leave(leg, now)
                return 200
        return 501

    def _leg(self, dialog: remotecc.DialogId | None, sender: Sender) -> Leg | None:
        """The leg that a phone means; its tags are seen from its side. Only its own."""
        if dialog is None or sender.phone is None:
            return None
        ours = dialog.swapped()
        leg = self._transfers.find(ours.call_id, ours.local_tag, ours.remote_tag)
        return leg if leg is not None and leg.device == sender.phone.name else None

    def _park(self, leg: Leg, now: float) -> int:
        other = leg.call.other(leg) if leg.call is not None else None
        slot = self._parking.park(leg, other, "", now) if other is not None else ""
        if not slot:
            return 486
        self._show(leg.device, f"Parked {slot}", now)
        self._control.hang_up_quietly(leg, now)
        return 200

    def _divert(self, leg: Leg, now: float) -> int:
        """To voicemail: a call that rings here, or the other end of one that is up."""
        line = self._core.lines.line(leg.line)
        pilot = line.voicemail_pilot if line is not None else ""
        call = leg.call
        if not pilot or call is None:
            return 404
        attempt = call.attempt
        if attempt is not None and leg in attempt.branches:
            self._control.ringing.divert(attempt, pilot, now)
            return 200
        return 200 if self._transfers.send_on(leg, pilot, now) else 481

    def _tell(self, event: RequestArrived, code: int, now: float) -> None:
        request = event.request
        contact = request.contact
        if contact is None:
            return
        headers = (
            ("Event", "refer"),
            ("Subscription-State", "terminated;reason=noresource"),
            ("Contact", f"<sip:{self._core.node}>"),
        )
        body = Body(_RESPONSE, remotecc.RemoteCcResponse(code).encode())
        to = request.get("From") or ""
        self._core.agent.send_request(
            now,
            "NOTIFY",
            str(contact.uri),
            event.flow,
            from_=(request.get("To") or "").partition(";tag=")[0],
            to=to,
            headers=headers,
            body=body,
            call_id=request.call_id,
        )

    # --- what phones are told

    def greet(self, event: RequestArrived, sender: Sender, now: float) -> None:
        """A phone has newly registered: its lamps, and for Cisco's phones all of their state in one request."""
        phone = sender.phone
        if phone is None:
            return
        for entry in phone.lines:
            line = self._core.lines.line(entry.number)
            if line is not None:
                self._watching.tell(phone.name, line, now, fresh=True)
        for binding in self._core.registrar.bindings(phone.name, now):
            if is_cisco(binding):
                self._bulk(phone.name, binding, now)

    def _bulk(self, device: str, binding: PhoneBinding, now: float) -> None:
        phone = self._core.lines.phone(device)
        if phone is None:
            return
        rows = []
        for index, entry in enumerate(phone.lines, start=1):
            line = self._core.lines.line(entry.number)
            if line is not None:
                to = line.forwarding.all
                rows.append(
                    remotecc.LineUpdate(
                        index,
                        line.messages.waiting,
                        line.messages.new,
                        line.messages.old,
                        line.voicemail_pilot if to.voicemail else to.number,
                        to.voicemail,
                    )
                )
        option = "callreject" if phone.quiet is Quiet.REJECT else "ringeroff"
        updates: list[remotecc.RemoteCcRequest] = [
            remotecc.DoNotDisturbUpdate(phone.quiet is not Quiet.OFF, option),
            remotecc.HuntLogUpdate(True),
            remotecc.BulkUpdate(tuple(rows)),
        ]
        self._send(device, binding, updates, now)

    def _show(self, device: str, text: str, now: float) -> None:
        """A line of text on a phone's display."""
        for binding in self._core.registrar.bindings(device, now):
            if is_cisco(binding):
                update = remotecc.StatusLine(text, timeout=_DISPLAY_SECONDS)
                self._send(device, binding, [update], now)

    def _send(self, device: str, binding: PhoneBinding, updates: list[remotecc.RemoteCcRequest], now: float) -> None:
        parts = [
            multipart.Part(_REQUEST, remotecc.encode(update), disposition="session;handling=required")
            for update in updates
        ]
        body = Body(
            multipart.content_type(), multipart.encode(parts), (("Content-ID", f"<{device}@{self._core.node}>"),)
        )
        headers = (
            ("Refer-To", f"<cid:{device}@{self._core.node}>"),
            ("Referred-By", f"<sip:{self._core.node}>"),
            ("Require", "norefersub"),
            ("Contact", f"<sip:{self._core.node}>"),
        )
        self._core.agent.send_request(
            now,
            "REFER",
            binding.contact,
            way_of(binding),
            from_=f"<sip:{self._core.node}>",
            to=f"<{binding.contact}>",
            headers=headers,
            body=body,
        )


def is_cisco(binding: PhoneBinding) -> bool:
    """Whether a client understands remote call control; our own softphone has no use for it."""
    if binding.user_agent.startswith("Ringback"):
        return False
    return any(tag.startswith("x-cisco-") for tag in binding.features)


def _asked(request: Request) -> bytes | None:
    """The request body, alone or as the first such part of several."""
    content = request.content_type
    if content is None:
        return None
    if content.kind == _REQUEST:
        return request.body
    try:
        parts = multipart.parse(request.body, content)
    except (BodyError, MalformedMessage):
        return None
    return next((part.body for part in parts if part.kind == _REQUEST), None)
