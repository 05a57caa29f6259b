"""The configuration form of a room (XEP-0045 section 10.2) and its public description (section 6.4)."""

from __future__ import annotations

from lxml import etree

from ringback.protocols.xmpp.errors import StanzaError
from ringback.protocols.xmpp.stanza import quote
from ringback.rules.addresses import AddressError, Jid
from ringback.services.presence.rooms.model import Affiliation, RoomConfiguration
from ringback.services.presence.rooms.room import Room

DATA = "jabber:x:data"
ROOM_CONFIG = "http://jabber.org/protocol/muc#roomconfig"
MOST_USERS = 1000
_NAME_LIMIT = 1000

_FLAGS = {
    "muc#roomconfig_persistentroom": ("persistent", "Keep the room when the last person leaves"),
    "muc#roomconfig_publicroom": ("public", "List the room for everybody"),
    "muc#roomconfig_membersonly": ("members_only", "Only members may enter"),
    "muc#roomconfig_moderatedroom": ("moderated", "Only those with voice may speak"),
    "muc#roomconfig_changesubject": ("change_subject", "Everybody may change the subject"),
    "muc#roomconfig_allowinvites": ("allow_invites", "Everybody may invite others"),
    "muc#roomconfig_enablelogging": ("archived", "Keep the messages"),
    "mam": ("archived", "Keep the messages"),
}
_TEXTS = {
    "muc#roomconfig_roomname": ("name", "Name"),
    "muc#roomconfig_roomdesc": ("description", "Description"),
}
_LISTS = {"muc#roomconfig_roomadmins": Affiliation.ADMIN, "muc#roomconfig_roomowners": Affiliation.OWNER}


def _field(name: str, kind: str, label: str, *values: str, options: tuple[str, ...] = ()) -> bytes:
    return b"<field var='%b' type='%b' label='%b'>%b%b</field>" % (
        name.encode(),
        kind.encode(),
        quote(label),
        b"".join(b"<value>%b</value>" % quote(value) for value in values),
        b"".join(b"<option label='%b'><value>%b</value></option>" % (quote(o), quote(o)) for o in options),
    )


def render(room: Room) -> bytes:
    """The form with the present values, for an owner."""
    settings = room.configuration
    fields = [b"<field var='FORM_TYPE' type='hidden'><value>%b</value></field>" % ROOM_CONFIG.encode()]
    fields += [_field(name, "text-single", label, getattr(settings, key)) for name, (key, label) in _TEXTS.items()]
    fields += [
        _field(name, "boolean", label, "1" if getattr(settings, key) else "0")
        for name, (key, label) in _FLAGS.items()
        if name != "mam"
    ]
    sizes = ("10", "20", "50", "100", "200", "500", str(MOST_USERS))
    fields += [
        _field("muc#roomconfig_maxusers", "list-single", "Most people at once", str(settings.max_users), options=sizes),
        _field(
            "muc#roomconfig_whois",
            "list-single",
            "Who sees the real addresses",
            "anyone" if settings.real_addresses else "moderators",
            options=("moderators", "anyone"),
        ),
        _field(
            "muc#roomconfig_allowpm",
            "list-single",
            "Who may write to one person privately",
            "anyone" if settings.private_messages else "moderators",
            options=("anyone", "moderators"),
        ),
        _field("muc#maxhistoryfetch", "text-single", "Messages shown to newcomers", str(settings.history)),
        _field("muc#roomconfig_roomowners", "jid-multi", "Owners", *_people(room, Affiliation.OWNER)),
        _field("muc#roomconfig_roomadmins", "jid-multi", "Admins", *_people(room, Affiliation.ADMIN)),
    ]
    title = b"<title>Settings of the room</title>"
    return b"<x xmlns='jabber:x:data' type='form'>%b%b</x>" % (title, b"".join(fields))


def _people(room: Room, affiliation: Affiliation) -> list[str]:
    return [bare for bare, member in room.affiliations.items() if member.affiliation is affiliation]


def read_fields(form: etree._Element) -> dict[str, list[str]]:
    """The values of a submitted form by field."""
    return {
        field.get("var", ""): [value.text or "" for value in field.iterchildren(f"{{{DATA}}}value")]
        for field in form.iterchildren(f"{{{DATA}}}field")
    }


def read(settings: RoomConfiguration, fields: dict[str, list[str]]) -> RoomConfiguration:
    """The configuration after a submitted form: fields that are absent or unknown change nothing.

    Raises StanzaError (not-acceptable) for a value that a field cannot have.
    """
    changed: dict[str, str | bool | int] = {}
    for name, values in fields.items():
        text = values[0] if values else ""
        if name in _TEXTS:
            changed[_TEXTS[name][0]] = "\n".join(values)[:_NAME_LIMIT]
        elif name in _FLAGS:
            changed[_FLAGS[name][0]] = _flag(name, text)
        elif name == "muc#roomconfig_maxusers":
            changed["max_users"] = MOST_USERS if text in ("", "none") else _figure(name, text, 1, MOST_USERS)
        elif name in ("muc#maxhistoryfetch", "muc#roomconfig_historylength"):
            changed["history"] = _figure(name, text, 0, 100)
        elif name == "muc#roomconfig_whois":
            changed["real_addresses"] = _choice(name, text, "anyone", ("moderators", "none"))
        elif name == "muc#roomconfig_allowpm":
            changed["private_messages"] = _choice(name, text, "anyone", ("moderators", "none", "participants"))
        elif name == "muc#roomconfig_passwordprotectedroom" and _flag(name, text):
            raise StanzaError("not-acceptable", "Rooms are protected by membership here, not by passwords")
    values_now = {name: getattr(settings, name) for name in settings.__struct_fields__}
    return RoomConfiguration(**{**values_now, **changed})


def read_people(fields: dict[str, list[str]]) -> dict[Affiliation, set[str]]:
    """The owner and admin lists of a submitted form, where it has them, as bare JIDs. Raises StanzaError."""
    lists: dict[Affiliation, set[str]] = {}
    for name, affiliation in _LISTS.items():
        if name in fields:
            try:
                lists[affiliation] = {str(Jid.parse(text).bare) for text in fields[name] if text}
            except AddressError as error:
                raise StanzaError("not-acceptable", str(error)) from error
    return lists


def _flag(name: str, text: str) -> bool:
    if text not in ("0", "1", "true", "false"):
        raise StanzaError("not-acceptable", f"{name} is 0 or 1")
    return text in ("1", "true")


def _figure(name: str, text: str, least: int, most: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise StanzaError("not-acceptable", f"{name} is a number")
    return min(max(int(text), least), most)


def _choice(name: str, text: str, yes: str, no: tuple[str, ...]) -> bool:
    if text != yes and text not in no:
        raise StanzaError("not-acceptable", f"{name} has no choice {text!r}")
    return text == yes


def features(room: Room) -> list[str]:
    """What disco#info of the room lists beside the protocols (section 6.4)."""
    settings = room.configuration
    return [
        "muc_persistent" if settings.persistent else "muc_temporary",
        "muc_public" if settings.public else "muc_hidden",
        "muc_membersonly" if settings.members_only else "muc_open",
        "muc_moderated" if settings.moderated else "muc_unmoderated",
        "muc_nonanonymous" if settings.real_addresses else "muc_semianonymous",
        "muc_unsecured",
    ]


def description(room: Room) -> bytes:
    """The muc#roominfo form of disco#info (section 15.5.4)."""
    fields = {
        "muc#roominfo_description": room.configuration.description,
        "muc#roominfo_occupants": str(len(room.occupants)),
        "muc#roominfo_subject": room.subject,
        "muc#roominfo_changesubject": "1" if room.configuration.change_subject else "0",
    }
    inside = b"".join(
        b"<field var='%b'><value>%b</value></field>" % (name.encode(), quote(value)) for name, value in fields.items()
    )
    hidden = b"<field var='FORM_TYPE' type='hidden'><value>http://jabber.org/protocol/muc#roominfo</value></field>"
    return b"<x xmlns='jabber:x:data' type='result'>%b%b</x>" % (hidden, inside)
