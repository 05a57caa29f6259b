"""Dialogs of somebody (RFC 4235): ``application/dialog-info+xml``, and the form in which Cisco's phones are told of
parked calls, whose namespaces are misspelt (``parmams``) in the phones themselves and so must be written that way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ringback.protocols.markup import Element
from ringback.protocols.sip.bodies.markup import BodyError, child, children, element, number, read, text, write

CONTENT_TYPE: Final = "application/dialog-info+xml"
EVENT: Final = "dialog"

_NAMESPACE = "urn:ietf:params:xml:ns:dialog-info"
_PARK_NAMESPACE = "urn:ietf:parmams:xml:ns:dialog-info"
_PARK_CALL_NAMESPACE = "urn:x-cisco:parmams:xml:ns:dialog-info:dialog:callinfo-dialog"
_STATES = frozenset({"trying", "proceeding", "early", "confirmed", "terminated"})
_DIRECTIONS = frozenset({"", "initiator", "recipient"})
PARK_EVENTS: Final = frozenset({"parked", "reminder", "retrieved", "forwarded", "abandoned", "error"})


@dataclass(frozen=True, slots=True)
class Participant:
    """One side of a dialog: identity URI with display name, and the target URI with its parameters (such as
    ``+sip.rendering``)."""

    identity: str = ""
    display: str = ""
    target: str = ""
    params: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class WatchedDialog:
    """A dialog. ``state`` is trying, proceeding, early, confirmed or terminated; ``event`` says why (replaced, error,
    local-bye ...); ``code`` the status that ended it; ``duration`` in seconds; ``direction`` initiator or recipient.

    ``park`` is the park event of Cisco's phones, empty elsewhere; ``replaces`` is (Call-ID, local tag, remote tag).
    """

    id: str
    state: str
    call_id: str = ""
    local_tag: str = ""
    remote_tag: str = ""
    direction: str = ""
    event: str = ""
    code: int | None = None
    duration: int | None = None
    local: Participant = Participant()
    remote: Participant = Participant()
    replaces: tuple[str, str, str] | None = None
    park: str = ""


@dataclass(frozen=True, slots=True)
class DialogInfo:
    """The dialogs of ``entity``. ``version`` counts up with each document; ``full`` says that others are gone."""

    entity: str
    version: int
    full: bool = True
    dialogs: tuple[WatchedDialog, ...] = ()

    @classmethod
    def parse(cls, data: bytes) -> DialogInfo:
        """Read a document, the misspelt form too. Raises BodyError."""
        root = read(data, "dialog-info")
        state = root.attributes.get("state", "")
        if state not in ("full", "partial"):
            raise BodyError("The document is neither full nor partial")
        return cls(
            root.attributes.get("entity", ""),
            number(root.attributes.get("version", ""), "The version"),
            state == "full",
            tuple(_read_dialog(each) for each in children(root, "dialog")),
        )

    def encode(self) -> bytes:
        """The document; with a park event in it, the form for Cisco's phones. Raises BodyError."""
        park = any(dialog.park for dialog in self.dialogs)
        attributes = {"xmlns": _PARK_NAMESPACE if park else _NAMESPACE}
        if park:
            attributes["xmlns:call"] = _PARK_CALL_NAMESPACE
        attributes |= {"version": str(self.version), "state": "full" if self.full else "partial", "entity": self.entity}
        return write(Element("dialog-info", attributes, "", tuple(_write_dialog(each) for each in self.dialogs)))


def _read_dialog(item: Element) -> WatchedDialog:
    attributes = item.attributes
    state = child(item, "state")
    if state is None or state.text not in _STATES:
        raise BodyError("A dialog has no state that is known")
    if attributes.get("direction", "") not in _DIRECTIONS:
        raise BodyError("A dialog's direction is neither initiator nor recipient")
    code, duration = state.attributes.get("code"), text(item, "duration")
    replaces = child(item, "replaces")
    return WatchedDialog(
        attributes.get("id", ""),
        state.text,
        attributes.get("call-id", ""),
        attributes.get("local-tag", ""),
        attributes.get("remote-tag", ""),
        attributes.get("direction", ""),
        state.attributes.get("event", ""),
        None if code is None else number(code, "A dialog's code", 699),
        number(duration, "A duration") if duration else None,
        _read_participant(child(item, "local")),
        _read_participant(child(item, "remote")),
        None
        if replaces is None
        else (
            replaces.attributes.get("call-id", ""),
            replaces.attributes.get("local-tag", ""),
            replaces.attributes.get("remote-tag", ""),
        ),
        text(item, "park", "event"),
    )


def _read_participant(item: Element | None) -> Participant:
    identity, target = child(item, "identity"), child(item, "target")
    return Participant(
        "" if identity is None else identity.text,
        "" if identity is None else identity.attributes.get("display", ""),
        "" if target is None else target.attributes.get("uri", ""),
        tuple(
            (each.attributes.get("pname", ""), each.attributes.get("pval", "")) for each in children(target, "param")
        ),
    )


def _write_dialog(dialog: WatchedDialog) -> Element:
    attributes = {"id": dialog.id}
    for name, value in (
        ("call-id", dialog.call_id),
        ("local-tag", dialog.local_tag),
        ("remote-tag", dialog.remote_tag),
        ("direction", dialog.direction),
    ):
        if value:
            attributes[name] = value
    parts = [element("state", dialog.state, event=dialog.event or None, code=dialog.code)]
    if dialog.duration is not None:
        parts.append(element("duration", dialog.duration))
    if dialog.replaces is not None:
        call_id, local_tag, remote_tag = dialog.replaces
        named = {"call-id": call_id, "local-tag": local_tag, "remote-tag": remote_tag}
        parts.append(Element("replaces", named))
    if dialog.park:
        parts.append(element("call:park", "", element("event", dialog.park)))
    for name, side in (("local", dialog.local), ("remote", dialog.remote)):
        if side != Participant():
            parts.append(_write_participant(name, side))
    return Element("dialog", attributes, "", tuple(parts))


def _write_participant(name: str, side: Participant) -> Element:
    parts = []
    if side.identity:
        parts.append(element("identity", side.identity, display=side.display or None))
    if side.target or side.params:
        params = (element("param", pname=pname, pval=pval) for pname, pval in side.params)
        parts.append(element("target", "", *params, uri=side.target))
    return element(name, "", *parts)


def applied(held: dict[str, WatchedDialog], info: DialogInfo) -> dict[str, WatchedDialog]:
    """The dialogs known after a document: a full one replaces, a partial one changes (RFC 4235 section 4.3).

    Dialogs that are terminated are left out.
    """
    known = {} if info.full else dict(held)
    for dialog in info.dialogs:
        known[dialog.id] = dialog
        if dialog.state == "terminated":
            del known[dialog.id]
    return known
