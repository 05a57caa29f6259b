"""RemoteCC, by which Cisco's phones and call managers ask each other for features beside the call.

Carried in REFER outside of dialogs and in REGISTER: ``application/x-cisco-remotecc-request+xml`` and
``...-response+xml``. One document holds one request; several stand in a multipart body. Tags of dialogs are from the
sender's view: the receiver's local tag is the sender's remote one, see ``DialogId.swapped``.
Formats as seen in traces of phones and in public patches for them; the vendor has not published a schema.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ringback.protocols.markup import Element
from ringback.protocols.sip.bodies.markup import BodyError, child, children, element, local, number, read, text, write
from ringback.protocols.sip.bodies.remotecc_types import (
    AnswerCall,
    BulkRegister,
    BulkUpdate,
    DataPassThrough,
    DialogId,
    DoNotDisturbUpdate,
    FeatureNotice,
    ForwardAllUpdate,
    HoldRetrieve,
    HuntLogUpdate,
    InitiateCall,
    LineUpdate,
    OfPhone,
    OfServer,
    Options,
    PlayTone,
    RemoteCcRequest,
    SoftkeyEvent,
    StatusLine,
    UnknownRequest,
)

__all__ = [
    "CM_CONTENT_TYPE",
    "CONTENT_TYPE",
    "RESPONSE_TYPE",
    "AnswerCall",
    "BulkRegister",
    "BulkUpdate",
    "DataPassThrough",
    "DialogId",
    "DoNotDisturbUpdate",
    "FeatureNotice",
    "ForwardAllUpdate",
    "HoldRetrieve",
    "HuntLogUpdate",
    "InitiateCall",
    "LineUpdate",
    "Options",
    "PlayTone",
    "RemoteCcRequest",
    "RemoteCcResponse",
    "SoftkeyEvent",
    "StatusLine",
    "UnknownRequest",
    "encode",
    "parse",
]

CONTENT_TYPE: Final = "application/x-cisco-remotecc-request+xml"
RESPONSE_TYPE: Final = "application/x-cisco-remotecc-response+xml"
CM_CONTENT_TYPE: Final = "application/x-cisco-remotecc-cm+xml"

_REQUEST = "x-cisco-remotecc-request"
_RESPONSE = "x-cisco-remotecc-response"


@dataclass(frozen=True, slots=True)
class RemoteCcResponse:
    """The answer: a code like those of SIP; in the answer to REGISTER the options that both sides have.

    ``accepted`` are options that are answered by Yes.
    """

    code: int
    options: Options | None = None
    accepted: tuple[str, ...] = ()

    @classmethod
    def parse(cls, data: bytes) -> RemoteCcResponse:
        """Read a response. Raises BodyError."""
        response = child(read(data, _RESPONSE), "response")
        options = child(response, "optionsind")
        accepted = () if options is None else tuple(local(each) for each in options.children if each.text == "Yes")
        code = number(text(response, "code"), "The code", 699)
        return cls(code, None if options is None else _options(options), accepted)

    def encode(self) -> bytes:
        """The response. Raises BodyError."""
        parts = [element("code", self.code)]
        if self.options is not None:
            parts.append(_write_options(self.options, frozenset(self.accepted)))
        return write(element(_RESPONSE, "", element("response", "", *parts)))


def parse(data: bytes) -> RemoteCcRequest:
    """Read a request. Raises BodyError."""
    root = read(data, _REQUEST)
    if not root.children:
        raise BodyError("The request asks for nothing")
    request = root.children[0]
    reader = _READERS.get(local(request))
    return UnknownRequest(local(request)) if reader is None else reader(request)


def encode(request: RemoteCcRequest) -> bytes:
    """Write a request. Raises BodyError, also for an UnknownRequest."""
    if isinstance(request, UnknownRequest):
        raise BodyError(f"The request {request.name[:40]} is not known and cannot be written")
    if isinstance(request, SoftkeyEvent | BulkRegister | Options):
        return write(element(_REQUEST, "", _write_of_phone(request)))
    return write(element(_REQUEST, "", _write_of_server(request)))


def _dialog(parent: Element, name: str = "dialogid") -> DialogId | None:
    item = child(parent, name)
    call_id = text(item, "callid")
    return DialogId(call_id, text(item, "localtag"), text(item, "remotetag")) if call_id else None


def _needed(parent: Element) -> DialogId:
    found = _dialog(parent)
    if found is None:
        raise BodyError(f"{local(parent)} names no dialog")
    return found


def _number(parent: Element, name: str, default: int = 0) -> int:
    value = text(parent, name)
    return number(value, f"The {name}") if value else default


def _softkey(item: Element) -> RemoteCcRequest:
    event = text(item, "softkeyevent")
    if not event:
        raise BodyError("The key is not named")
    consult, join = _dialog(item, "consultdialogid"), _dialog(item, "joindialogid")
    return SoftkeyEvent(event, _dialog(item), _number(item, "linenumber"), consult, join)


def _bulk_register(item: Element) -> RemoteCcRequest:
    contact = child(item, "contact")
    return BulkRegister(contact is not None and contact.attributes.get("all", "").lower() == "true")


def _options(item: Element) -> Options:
    combine = child(item, "combine")
    most = "" if combine is None else combine.attributes.get("max", "")
    usages = tuple(
        (local(each), each.attributes["usage"])
        for each in item.children
        if local(each) in ("dialog", "presence") and "usage" in each.attributes
    )
    names = tuple(local(each) for each in item.children if local(each) not in ("combine", "dialog", "presence"))
    return Options(names, number(most, "The number of requests", 1000) if most else 0, usages)


def _play_tone(item: Element) -> RemoteCcRequest:
    return PlayTone(text(item, "tonetype"), text(item, "direction") or "user", _dialog(item))


def _status_line(item: Element) -> RemoteCcRequest:
    return StatusLine(
        text(item, "statustext"),
        _dialog(item),
        _number(item, "displaytimeout", 10),
        _number(item, "linenumber"),
        _number(item, "priority", 1),
        text(item, "action") or "notify_display",
    )


def _notice(item: Element) -> RemoteCcRequest:
    return FeatureNotice(_needed(item), text(item, "feature"), text(item, "status"))


def _pass_through(item: Element) -> RemoteCcRequest:
    return DataPassThrough(
        _number(item, "applicationid"),
        _number(item, "transactionid"),
        text(item, "stationsequence") or "StationSequenceLast",
        _number(item, "displaypriority"),
        _number(item, "appinstance"),
        _number(item, "routingid"),
        _number(item, "confid"),
    )


def _forward_all(item: Element) -> RemoteCcRequest:
    return ForwardAllUpdate(_number(item, "linenumber", 1), text(item, "fwdaddress"), text(item, "tovoicemail") == "on")


def _bulk_update(item: Element) -> RemoteCcRequest:
    return BulkUpdate(tuple(_line_update(each) for each in children(item, "contact")))


def _line_update(contact: Element) -> LineUpdate:
    voice = child(contact, "emwi", "voice-msg")
    counts = {} if voice is None else voice.attributes
    every = contact.attributes.get("all", "").lower() == "true"
    return LineUpdate(
        0 if every else number(contact.attributes.get("line", "").strip(), "The line", 1000),
        text(contact, "mwi").lower() == "yes",
        number(counts["new"], "The new messages") if "new" in counts else None,
        number(counts["old"], "The old messages") if "old" in counts else None,
        text(contact, "cfwdallupdate", "fwdaddress"),
        text(contact, "cfwdallupdate", "tovoicemail") == "on",
    )


_READERS: Final[dict[str, Callable[[Element], RemoteCcRequest]]] = {
    "softkeyeventmsg": _softkey,
    "bulkregisterreq": _bulk_register,
    "optionsind": _options,
    "answercallreq": lambda item: AnswerCall(_needed(item)),
    "initiatecallreq": lambda item: InitiateCall(text(item, "dialstring"), _number(item, "linenumber", 1)),
    "holdretrievereq": lambda item: HoldRetrieve(_needed(item)),
    "playtonereq": _play_tone,
    "statuslineupdatereq": _status_line,
    "notifyreq": _notice,
    "datapassthroughreq": _pass_through,
    "dndupdate": lambda item: DoNotDisturbUpdate(text(item, "state") == "enable", text(item, "option") or "ringeroff"),
    "hlogupdate": lambda item: HuntLogUpdate(text(item, "status") == "on"),
    "cfwdallupdate": _forward_all,
    "bulkupdate": _bulk_update,
}


def _write_of_server(request: OfServer) -> Element:
    match request:
        case AnswerCall(dialog):
            return element("answercallreq", "", _write_dialog(dialog))
        case InitiateCall(dial_string, line):
            return element("initiatecallreq", "", element("dialstring", dial_string), element("linenumber", line))
        case HoldRetrieve(dialog):
            return element("holdretrievereq", "", _write_dialog(dialog))
        case PlayTone(tone, direction, about):
            parts = [element("tonetype", tone), element("direction", direction)]
            return element("playtonereq", "", *_write_optional(about), *parts)
        case StatusLine():
            return _write_status_line(request)
        case FeatureNotice(dialog, feature, status):
            parts = [element("feature", feature), element("status", status)]
            return element("notifyreq", "", _write_dialog(dialog), *parts)
        case DataPassThrough():
            return _write_pass_through(request)
        case DoNotDisturbUpdate(enabled, option):
            parts = [element("state", "enable" if enabled else "disable"), element("option", option)]
            return element("dndupdate", "", *parts)
        case HuntLogUpdate(enabled):
            return element("hlogupdate", "", element("status", _on(enabled)))
        case ForwardAllUpdate(line, address, to_voicemail):
            return element("cfwdallupdate", "", element("linenumber", line), *_write_forward(address, to_voicemail))
        case BulkUpdate(lines):
            return element("bulkupdate", "", *(_write_line(each) for each in lines))


def _write_of_phone(request: OfPhone) -> Element:
    if isinstance(request, BulkRegister):
        contact = element("contact", "", element("register"), all="true" if request.all_contacts else "false")
        return element("bulkregisterreq", "", contact)
    if isinstance(request, Options):
        return _write_options(request, frozenset())
    parts = [element("softkeyevent", request.event), *_write_optional(request.dialog)]
    if request.line:
        parts.append(element("linenumber", request.line))
    parts += _write_optional(request.consult, "consultdialogid") + _write_optional(request.join, "joindialogid")
    return element("softkeyeventmsg", "", *parts)


def _write_dialog(dialog: DialogId, name: str = "dialogid") -> Element:
    tags = (element("localtag", dialog.local_tag), element("remotetag", dialog.remote_tag))
    return element(name, "", element("callid", dialog.call_id), *tags)


def _write_optional(dialog: DialogId | None, name: str = "dialogid") -> list[Element]:
    return [] if dialog is None else [_write_dialog(dialog, name)]


def _write_options(options: Options, accepted: frozenset[str]) -> Element:
    parts: list[Element] = []
    if options.combined:
        inside = (element("remotecc", "", element("status")), element("service-control"))
        parts.append(element("combine", "", *inside, max=options.combined))
    parts += [element(kind, "", element("unot"), element("sub"), usage=usage) for kind, usage in options.subscribes]
    parts += [element(name, "Yes" if name in accepted else "") for name in options.names]
    return element("optionsind", "", *parts)


def _write_status_line(request: StatusLine) -> Element:
    return element(
        "statuslineupdatereq",
        "",
        element("action", request.action),
        *_write_optional(request.dialog),
        element("statustext", request.text),
        element("displaytimeout", request.timeout),
        element("linenumber", request.line),
        element("priority", request.priority),
    )


def _write_pass_through(request: DataPassThrough) -> Element:
    return element(
        "datapassthroughreq",
        "",
        element("applicationid", request.application),
        element("transactionid", request.transaction),
        element("stationsequence", request.sequence),
        element("displaypriority", request.priority),
        element("appinstance", request.instance),
        element("routingid", request.routing),
        element("confid", request.conference),
    )


def _write_forward(address: str, to_voicemail: bool) -> tuple[Element, Element]:
    return element("fwdaddress", address), element("tovoicemail", _on(to_voicemail))


def _write_line(line: LineUpdate) -> Element:
    parts = [element("mwi", "yes" if line.waiting else "no")]
    if line.new is not None or line.old is not None:
        parts.append(element("emwi", "", element("voice-msg", "", new=line.new or 0, old=line.old or 0)))
    parts.append(element("cfwdallupdate", "", *_write_forward(line.forward, line.forward_to_voicemail)))
    return element("contact", "", *parts, **({"line": line.line} if line.line else {"all": "true"}))


def _on(flag: bool) -> str:
    return "on" if flag else "off"
