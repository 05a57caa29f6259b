"""What a message or presence stanza says, read the same way whether it came live, as a carbon or from an archive.

Pure: an element goes in, a frozen value comes out. Whatever another person can write into a stanza (an id given "by"
somebody else, a carbon that does not come from the own account) is left out here, so that no later code can be fooled.
Sources: RFC 6121, XEP-0045, 0085, 0184, 0203, 0280, 0313, 0333, 0359.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal
from xml.etree.ElementTree import Element, SubElement

from ringback.rules.addresses import AddressError, Jid

CLIENT = "jabber:client"
CARBONS = "urn:xmpp:carbons:2"
FORWARD = "urn:xmpp:forward:0"
DELAY = "urn:xmpp:delay"
RECEIPTS = "urn:xmpp:receipts"
MARKERS = "urn:xmpp:chat-markers:0"
STATES = "http://jabber.org/protocol/chatstates"
IDS = "urn:xmpp:sid:0"
HINTS = "urn:xmpp:hints"
ARCHIVE = "urn:xmpp:mam:2"
PUBSUB_EVENT = "http://jabber.org/protocol/pubsub#event"
MUC = "http://jabber.org/protocol/muc"
MUC_USER = "http://jabber.org/protocol/muc#user"
CONFERENCE = "jabber:x:conference"
STANZA_ERRORS = "urn:ietf:params:xml:ns:xmpp-stanzas"
AVATAR_UPDATE = "vcard-temp:x:update"
IDLE = "urn:xmpp:idle:1"
ACTIVITY = "http://jabber.org/protocol/activity"

ChatState = Literal["", "active", "composing", "paused", "inactive", "gone"]
Kind = Literal["chat", "groupchat", "normal", "headline", "error"]
_STATES: tuple[ChatState, ...] = ("active", "composing", "paused", "inactive", "gone")
_KINDS: tuple[Kind, ...] = ("chat", "groupchat", "normal", "headline", "error")


@dataclass(frozen=True, slots=True)
class Invitation:
    """An invitation into a room (XEP-0045 section 7.8 or XEP-0249)."""

    room: Jid
    inviter: Jid
    title: str = ""
    password: str = ""


@dataclass(frozen=True, slots=True)
class Received:
    """A message as it concerns a person; ``sender`` and ``to`` as stamped by servers, ``at`` the delay stamp or None.

    ``stanza_id`` is the id that the archive concerned gave: ours for a chat, the room's in a room. ``carbon``: a copy
    of what another client of ours got or sent. ``error``: the condition of a bounced message.
    """

    sender: Jid
    to: Jid | None
    kind: Kind = "normal"
    id: str = ""
    origin_id: str = ""
    stanza_id: str = ""
    body: str = ""
    subject: str | None = None
    at: datetime | None = None
    wants_receipt: bool = False
    receipt_for: str = ""
    markable: bool = False
    displayed: str = ""
    state: ChatState = ""
    invitation: Invitation | None = None
    occupant: Jid | None = None
    affiliation: str = ""
    room_status: frozenset[int] = frozenset()
    error: str = ""
    error_text: str = ""
    carbon: Literal["", "sent", "received"] = ""
    archived: bool = False
    pubsub: Element | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Occupancy:
    """The part of a presence that a room adds (XEP-0045 section 7.1)."""

    affiliation: str
    role: str
    jid: Jid | None
    nick: str
    status: frozenset[int]


@dataclass(frozen=True, slots=True)
class PresenceReceived:
    """A presence: ``kind`` is available or the type attribute; ``photo`` None where nothing is said of a photo;
    ``on_phone``: the activity that the client tells (XEP-0108)."""

    sender: Jid
    kind: str
    show: str = ""
    status: str = ""
    priority: int = 0
    at: datetime | None = None
    idle_since: datetime | None = None
    photo: str | None = None
    occupancy: Occupancy | None = None
    error: str = ""
    on_phone: bool = False


def tag(namespace: str, name: str) -> str:
    """The name of an element as ElementTree writes it."""
    return f"{{{namespace}}}{name}"


def parse_time(text: str | None) -> datetime | None:
    """A date and time of XEP-0082, in UTC; None where it is absent or not one."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def parse_jid(text: str | None) -> Jid | None:
    """A JID, or None where the text is none."""
    if not text:
        return None
    try:
        return Jid.parse(text)
    except AddressError:
        return None


def read_message(element: Element, own: Jid) -> Received | None:
    """Read a live message, a carbon being unwrapped; None where it has no readable sender or may not be believed."""
    outer_sender = parse_jid(element.get("from")) or own.bare
    for direction in ("sent", "received"):
        wrapper = element.find(tag(CARBONS, direction))
        if wrapper is None:
            continue
        if outer_sender != own.bare:  # XEP-0280 section 11: only the own account may speak for itself
            return None
        inner = wrapper.find(f"{tag(FORWARD, 'forwarded')}/{tag(CLIENT, 'message')}")
        if inner is None:
            return None
        read = _read_plain(inner, own)
        if read is None:
            return None
        at = _delay_of(wrapper.find(tag(FORWARD, "forwarded")))
        return replace(read, carbon="sent" if direction == "sent" else "received", at=read.at or at)
    return _read_plain(element, own)


def read_archived(element: Element, own: Jid) -> tuple[str, Received] | None:
    """Read a result of an archive query (XEP-0313 section 4.2): the query's id and the message with its archive id.

    None where the message is no result, or not one of the archive asked (section 9: the caller compares the query id).
    """
    result = element.find(tag(ARCHIVE, "result"))
    if result is None:
        return None
    archive = parse_jid(element.get("from")) or own.bare
    forwarded = result.find(tag(FORWARD, "forwarded"))
    inner = forwarded.find(tag(CLIENT, "message")) if forwarded is not None else None
    if inner is None:
        return None
    read = _read_plain(inner, own)
    if read is None:
        return None
    at = _delay_of(forwarded) or read.at
    stanza_id = result.get("id", "")
    trusted = archive.bare in (own.bare, read.sender.bare)
    return result.get("queryid", ""), replace(read, stanza_id=stanza_id if trusted else "", at=at, archived=True)


def _read_plain(element: Element, own: Jid) -> Received | None:
    sender = parse_jid(element.get("from"))
    if sender is None:
        return None
    written = element.get("type", "normal")
    kind: Kind = next((known for known in _KINDS if known == written), "normal")
    archive = sender.bare if kind == "groupchat" else own.bare
    marker = element.find(tag(MARKERS, "displayed"))
    receipt = element.find(tag(RECEIPTS, "received"))
    origin = element.find(tag(IDS, "origin-id"))
    error, error_text = _error_of(element)
    room = element.find(tag(MUC_USER, "x"))
    return Received(
        sender=sender,
        to=parse_jid(element.get("to")),
        kind=kind,
        id=element.get("id", ""),
        origin_id=origin.get("id", "") if origin is not None else "",
        stanza_id=_stanza_id_of(element, archive),
        body=element.findtext(tag(CLIENT, "body")) or "",
        subject=element.findtext(tag(CLIENT, "subject")),
        at=_delay_of(element),
        wants_receipt=element.find(tag(RECEIPTS, "request")) is not None,
        receipt_for=receipt.get("id", "") if receipt is not None else "",
        markable=element.find(tag(MARKERS, "markable")) is not None,
        displayed=marker.get("id", "") if marker is not None else "",
        state=next((state for state in _STATES if element.find(tag(STATES, state)) is not None), ""),
        invitation=_invitation_of(element, sender),
        occupant=_occupant_of(room),
        affiliation=_affiliation_of(room),
        room_status=_status_of(room),
        error=error,
        error_text=error_text,
        pubsub=element.find(tag(PUBSUB_EVENT, "event")),
    )


def _delay_of(element: Element | None) -> datetime | None:
    delay = element.find(tag(DELAY, "delay")) if element is not None else None
    return parse_time(delay.get("stamp")) if delay is not None else None


def _stanza_id_of(element: Element, archive: Jid) -> str:
    # XEP-0359 section 6: an id counts only if its "by" is the entity that we asked to give ids.
    for given in element.findall(tag(IDS, "stanza-id")):
        if parse_jid(given.get("by")) == archive:
            return given.get("id", "")
    return ""


def _error_of(element: Element) -> tuple[str, str]:
    error = element.find(tag(CLIENT, "error"))
    if error is None:
        return ("undefined-condition" if element.get("type") == "error" else ""), ""
    condition, text = "undefined-condition", ""
    for child in error:
        if not child.tag.startswith(f"{{{STANZA_ERRORS}}}"):
            continue
        name = child.tag.partition("}")[2]
        if name == "text":
            text = child.text or ""
        else:
            condition = name
    return condition, text


def _invitation_of(element: Element, sender: Jid) -> Invitation | None:
    mediated = element.find(f"{tag(MUC_USER, 'x')}/{tag(MUC_USER, 'invite')}")
    direct = element.find(tag(CONFERENCE, "x"))
    if mediated is not None:
        inviter = parse_jid(mediated.get("from"))
        password = element.findtext(f"{tag(MUC_USER, 'x')}/{tag(MUC_USER, 'password')}") or ""
        title = mediated.findtext(tag(MUC_USER, "reason")) or ""
        return Invitation(sender.bare, inviter.bare if inviter else sender.bare, title, password)
    room = parse_jid(direct.get("jid")) if direct is not None else None
    if direct is not None and room is not None:
        return Invitation(room.bare, sender.bare, direct.get("reason", ""), direct.get("password", ""))
    return None


def _affiliation_of(room: Element | None) -> str:
    item = room.find(tag(MUC_USER, "item")) if room is not None else None
    return item.get("affiliation", "") if item is not None else ""


def _occupant_of(room: Element | None) -> Jid | None:
    item = room.find(tag(MUC_USER, "item")) if room is not None else None
    jid = parse_jid(item.get("jid")) if item is not None else None
    return jid.bare if jid else None


def _status_of(room: Element | None) -> frozenset[int]:
    if room is None:
        return frozenset()
    codes = (status.get("code", "") for status in room.findall(tag(MUC_USER, "status")))
    return frozenset(int(code) for code in codes if code.isascii() and code.isdigit() and len(code) < 5)


def read_presence(element: Element) -> PresenceReceived | None:
    """Read a presence; None where it has no readable sender."""
    sender = parse_jid(element.get("from"))
    if sender is None:
        return None
    idle = element.find(tag(IDLE, "idle"))
    update = element.find(tag(AVATAR_UPDATE, "x"))
    photo = update.find(tag(AVATAR_UPDATE, "photo")) if update is not None else None
    room = element.find(tag(MUC_USER, "x"))
    item = room.find(tag(MUC_USER, "item")) if room is not None else None
    occupancy = None
    if item is not None:
        occupancy = Occupancy(
            affiliation=item.get("affiliation", "none"),
            role=item.get("role", "none"),
            jid=parse_jid(item.get("jid")),
            nick=item.get("nick", ""),
            status=_status_of(room),
        )
    return PresenceReceived(
        sender=sender,
        kind=element.get("type", "available"),
        show=(element.findtext(tag(CLIENT, "show")) or "").strip(),
        status=element.findtext(tag(CLIENT, "status")) or "",
        priority=_priority_of(element.findtext(tag(CLIENT, "priority"))),
        at=_delay_of(element),
        idle_since=parse_time(idle.get("since")) if idle is not None else None,
        photo=(photo.text or "") if photo is not None else None,
        occupancy=occupancy,
        error=_error_of(element)[0],
        on_phone=element.find(f"{tag(ACTIVITY, 'activity')}/{tag(ACTIVITY, 'talking')}/{tag(ACTIVITY, 'on_the_phone')}")
        is not None,
    )


def _priority_of(text: str | None) -> int:
    try:
        value = int((text or "0").strip())
    except ValueError:
        return 0
    return value if -128 <= value <= 127 else 0


def text_message(message_id: str, to: Jid, body: str, *, room: bool) -> Element:
    """A text to a person or room, with receipts asked for (a person only), markable, and the page's id as origin id."""
    element = Element(
        tag(CLIENT, "message"), {"to": str(to), "type": "groupchat" if room else "chat", "id": message_id}
    )
    SubElement(element, tag(CLIENT, "body")).text = body
    SubElement(element, tag(IDS, "origin-id"), {"id": message_id})
    SubElement(element, tag(MARKERS, "markable"))
    if not room:
        SubElement(element, tag(RECEIPTS, "request"))
        SubElement(element, tag(STATES, "active"))
    return element


def receipt(to: Jid, message_id: str, own_id: str) -> Element:
    """Says that a message reached this client (XEP-0184)."""
    element = Element(tag(CLIENT, "message"), {"to": str(to), "type": "chat", "id": own_id})
    SubElement(element, tag(RECEIPTS, "received"), {"id": message_id})
    SubElement(element, tag(HINTS, "store"))
    return element


def displayed(to: Jid, message_id: str, own_id: str, *, room: bool) -> Element:
    """Says that everything up to a message was seen (XEP-0333)."""
    kind = "groupchat" if room else "chat"
    element = Element(tag(CLIENT, "message"), {"to": str(to), "type": kind, "id": own_id})
    SubElement(element, tag(MARKERS, "displayed"), {"id": message_id})
    SubElement(element, tag(HINTS, "store"))
    return element


def typing(to: Jid, state: ChatState, own_id: str, *, room: bool) -> Element:
    """A chat state without a text (XEP-0085), not to be stored."""
    kind = "groupchat" if room else "chat"
    element = Element(tag(CLIENT, "message"), {"to": str(to), "type": kind, "id": own_id})
    SubElement(element, tag(STATES, state or "active"))
    SubElement(element, tag(HINTS, "no-store"))
    return element
