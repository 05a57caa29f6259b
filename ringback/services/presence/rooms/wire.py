"""What rooms say: rendering of presence, messages and lists, and reading of what occupants send."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime

from lxml import etree

from ringback.protocols.xmpp.stanza import Stanza, quote
from ringback.services.presence.rendering import serialise
from ringback.services.presence.rooms.model import Affiliation, HistoryWish, Role

MUC = "http://jabber.org/protocol/muc"
MUC_USER = "http://jabber.org/protocol/muc#user"
MUC_ADMIN = "http://jabber.org/protocol/muc#admin"
MUC_OWNER = "http://jabber.org/protocol/muc#owner"
MUC_UNIQUE = "http://jabber.org/protocol/muc#unique"
STANZA_ID = "urn:xmpp:sid:0"
OCCUPANT_ID = "urn:xmpp:occupant-id:0"
DELAY = "urn:xmpp:delay"
DIRECT_INVITE = "jabber:x:conference"

# Elements that only the room may put into what it sends. Local names, because a namespace can be written in many ways.
_SUSPECT = re.compile(rb"[<:](?:stanza-id|occupant-id|delay|x)[\s/>]")
_BODY = re.compile(rb"[<:]body[\s/>]")
_KEPT = re.compile(
    rb"[<:](?:body|encrypted|displayed|received|acknowledged|reactions|retract|apply-to|attach-to|store|subject)[\s/>]"
)
_FLEETING = re.compile(rb"[<:]no-(?:permanent-)?store[\s/>]")
_OF_THE_ROOM = frozenset({f"{{{MUC}}}x", f"{{{MUC_USER}}}x", f"{{{OCCUPANT_ID}}}occupant-id"})


def stamp(seconds: float) -> bytes:
    """A time as XEP-0082 writes it, in milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z").encode()


def read_stamp(text: str) -> float:
    """Seconds since 1970 of a XEP-0082 time. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return moment.timestamp()


def _forged(child: etree._Element, room: str) -> bool:
    if child.tag in _OF_THE_ROOM:
        return True
    if child.tag == f"{{{STANZA_ID}}}stanza-id":
        return child.get("by", "").strip().lower() == room.lower()
    return child.tag == f"{{{DELAY}}}delay" and child.get("from", "").strip().lower() == room.lower()


def clean_message(stanza: Stanza, room: str) -> Stanza:
    """The message without elements that only the room may say (XEP-0359 section 5, XEP-0421, XEP-0045)."""
    if not _SUSPECT.search(stanza.raw):
        return stanza
    children = list(stanza.element())
    kept = [child for child in children if not _forged(child, room)]
    if len(kept) == len(children):
        return stanza
    head = b"".join(
        b" %b='%b'" % (b"xml:lang" if " " in name else name.encode(), quote(value))
        for name, value in stanza.attributes.items()
        if " " not in name or name.endswith(" lang")
    )
    raw = b"<message%b>%b</message>" % (head, b"".join(serialise(child) for child in kept))
    return Stanza("message", dict(stanza.attributes), raw)


def worth_keeping(raw: bytes) -> tuple[bool, bool]:
    """Whether a message belongs into the archive (XEP-0313 section 8.1, hints of XEP-0334), and into the history that
    newcomers are shown. Names are looked for anywhere in the message: too much is kept rather than too little."""
    if not _KEPT.search(raw) or _FLEETING.search(raw):
        return False, False
    return True, _BODY.search(raw) is not None


def presence_content(stanza: Stanza) -> bytes:
    """What an occupant's presence shows to the room: its children less those of the room's own."""
    if not stanza.inner():
        return b""
    return b"".join(serialise(child) for child in stanza.element() if child.tag not in _OF_THE_ROOM)


def history_wish(join: etree._Element, now: float) -> HistoryWish:
    """Read ``<history/>`` of the join element; figures that are none count as not said."""
    history = join.find(f"{{{MUC}}}history")
    if history is None:
        return HistoryWish()
    seconds = _figure(history.get("seconds", ""))
    since = None if seconds is None else now - seconds
    if text := history.get("since", ""):
        with suppress(ValueError):
            since = max(since or 0.0, read_stamp(text))
    return HistoryWish(_figure(history.get("maxstanzas", "")), _figure(history.get("maxchars", "")), since)


def _figure(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def item(
    affiliation: Affiliation,
    role: Role | None,
    *,
    jid: str = "",
    nick: str = "",
    actor: str = "",
    reason: str = "",
) -> bytes:
    """An ``<item/>`` of the room, in whose namespace it stands by its parent."""
    parts = [b"<item affiliation='", affiliation.word.encode(), b"'"]
    if role is not None:
        parts += (b" role='", role.word.encode(), b"'")
    if jid:
        parts += (b" jid='", quote(jid), b"'")
    if nick:
        parts += (b" nick='", quote(nick), b"'")
    inside = b"<actor nick='%b'/>" % quote(actor) if actor else b""
    if reason:
        inside += b"<reason>%b</reason>" % quote(reason)
    parts.append(b">%b</item>" % inside if inside else b"/>")
    return b"".join(parts)


def user_element(content: bytes, statuses: Iterable[int] = ()) -> bytes:
    """The ``<x/>`` of muc#user with status codes in ascending order."""
    codes = b"".join(b"<status code='%d'/>" % code for code in sorted(statuses))
    return b"<x xmlns='http://jabber.org/protocol/muc#user'>%b%b</x>" % (content, codes)


def delay_element(room: bytes, at: float) -> bytes:
    """The XEP-0203 element of a message that the room repeats."""
    return b"<delay xmlns='urn:xmpp:delay' from='%b' stamp='%b'/>" % (room, stamp(at))


def stanza_id_element(room: bytes, archive_id: int) -> bytes:
    """The XEP-0359 element by which the room's archive knows a message."""
    return b"<stanza-id xmlns='urn:xmpp:sid:0' by='%b' id='%d'/>" % (room, archive_id)


def look(nick: str) -> str:
    """What a nickname looks like: compatibility forms and letter case do not tell names apart."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", nick).casefold())


def subject_of(stanza: Stanza) -> str | None:
    """The subject that a message sets: it has a subject and neither body nor thread (section 8.1)."""
    subject = stanza.text("{jabber:client}subject")
    if subject is None or stanza.child("{jabber:client}body") is not None:
        return None
    return None if stanza.child("{jabber:client}thread") is not None else subject
