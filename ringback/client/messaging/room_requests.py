"""The questions and orders that go to rooms and to the person's bookmarks, one function each.

Sources: XEP-0045 (sections named below), XEP-0030, XEP-0402, XEP-0060. All raise NotConnectedError and
RequestFailedError.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal
from xml.etree.ElementTree import Element, SubElement

from ringback.client.messaging.errors import RequestFailedError
from ringback.client.messaging.port import Port
from ringback.client.messaging.stanzas import ARCHIVE, CLIENT, CONFERENCE, MUC_USER, PUBSUB_EVENT, parse_jid
from ringback.rules.addresses import Jid

INFO = "http://jabber.org/protocol/disco#info"
ITEMS = "http://jabber.org/protocol/disco#items"
ADMIN = "http://jabber.org/protocol/muc#admin"
OWNER = "http://jabber.org/protocol/muc#owner"
CONFIG = "http://jabber.org/protocol/muc#roomconfig"
DATA = "jabber:x:data"
REGISTER = "jabber:iq:register"
PUBSUB = "http://jabber.org/protocol/pubsub"
PUBLISH_OPTIONS = f"{PUBSUB}#publish-options"
BOOKMARKS = "urn:xmpp:bookmarks:1"
BELONGING = ("owner", "admin", "member")  # affiliations of those who belong to a room
_NODE_WAITS = (0.2, 0.5, 1.0)  # seconds
_OPTION_PROBLEMS = ("resource-constraint", "bad-request", "not-acceptable", "conflict", "feature-not-implemented")

_ROLES: dict[str, Literal["owner", "moderator", "member"]] = {
    "owner": "owner",
    "admin": "moderator",
    "member": "member",
}


def role_word(affiliation: str) -> Literal["owner", "moderator", "member", "guest"]:
    """The word for an affiliation."""
    return _ROLES.get(affiliation, "guest")


@dataclass(frozen=True, slots=True)
class AboutRoom:
    """What a room says of itself."""

    title: str
    archive: bool


@dataclass(frozen=True, slots=True)
class Bookmark:
    """A room that a client of ours keeps."""

    jid: Jid
    name: str
    autojoin: bool


async def find_service(port: Port, domain: Jid) -> Jid | None:
    """The domain's group chat service: the item whose identity is a conference of texts."""
    answer = await port.request("get", Element(f"{{{ITEMS}}}query"), domain)
    for row in answer.iterfind(f"{{{ITEMS}}}query/{{{ITEMS}}}item"):
        jid = parse_jid(row.get("jid"))
        if jid is None or jid.local:
            continue
        try:
            about = await port.request("get", Element(f"{{{INFO}}}query"), jid)
        except RequestFailedError:
            continue  # another component that does not answer is not our concern
        for identity in about.iterfind(f"{{{INFO}}}query/{{{INFO}}}identity"):
            if identity.get("category") == "conference" and identity.get("type") == "text":
                return jid
    return None


async def features(port: Port, jid: Jid | None) -> frozenset[str]:
    """The features of a server, account (None: our own) or room."""
    answer = await port.request("get", Element(f"{{{INFO}}}query"), jid)
    rows = answer.iterfind(f"{{{INFO}}}query/{{{INFO}}}feature")
    return frozenset(row.get("var", "") for row in rows)


async def about_room(port: Port, room: Jid) -> AboutRoom:
    """Name and features of a room (section 6.4)."""
    answer = await port.request("get", Element(f"{{{INFO}}}query"), room)
    query = answer.find(f"{{{INFO}}}query")
    if query is None:
        return AboutRoom("", archive=False)
    identity = query.find(f"{{{INFO}}}identity")
    title = identity.get("name", "") if identity is not None else ""
    names = {row.get("var") for row in query.findall(f"{{{INFO}}}feature")}
    return AboutRoom("" if title == room.local else title, archive=ARCHIVE in names)


async def affiliations(port: Port, room: Jid, affiliation: str) -> list[str]:
    """The people with an affiliation (section 9.5)."""
    query = Element(f"{{{ADMIN}}}query")
    SubElement(query, f"{{{ADMIN}}}item", {"affiliation": affiliation})
    answer = await port.request("get", query, room)
    rows = (parse_jid(item.get("jid")) for item in answer.iterfind(f"{{{ADMIN}}}query/{{{ADMIN}}}item"))
    return [str(jid.bare) for jid in rows if jid is not None]


async def set_affiliation(port: Port, room: Jid, person: Jid, affiliation: str) -> None:
    """Let a person in, make one an owner, and so on (sections 9 and 10)."""
    query = Element(f"{{{ADMIN}}}query")
    SubElement(query, f"{{{ADMIN}}}item", {"affiliation": affiliation, "jid": str(person)})
    await port.request("set", query, room)


async def give_up_place(port: Port, room: Jid, own: Jid) -> None:
    """Stop to belong to a room: as Prosody and our own rooms let members do it, else as owners and admins can."""
    query = Element(f"{{{REGISTER}}}query")
    SubElement(query, f"{{{REGISTER}}}remove")
    try:
        await port.request("set", query, room)
    except RequestFailedError:
        await set_affiliation(port, room, own, "none")


def invitation(room: Jid, person: Jid, title: str) -> Element:
    """A mediated invitation (section 7.8.2): the room vouches for it, and it is kept for people who are away."""
    message = Element(f"{{{CLIENT}}}message", {"to": str(room)})
    inside = SubElement(message, f"{{{MUC_USER}}}x")
    invite = SubElement(inside, f"{{{MUC_USER}}}invite", {"to": str(person)})
    if title:
        SubElement(invite, f"{{{MUC_USER}}}reason").text = title
    return message


async def configure(port: Port, room: Jid, title: str, *, only_title: bool = False) -> None:
    """Set a room up (section 10.1.3 and 10.2), answering only those fields that the service offers."""
    form = (await port.request("get", Element(f"{{{OWNER}}}query"), room)).find(f"{{{OWNER}}}query/{{{DATA}}}x")
    wanted = {"muc#roomconfig_roomname": title}
    if not only_title:
        wanted |= {
            "muc#roomconfig_persistentroom": "1",
            "muc#roomconfig_membersonly": "1",
            "muc#roomconfig_publicroom": "0",
            "muc#roomconfig_whois": "anyone",
            "muc#roomconfig_allowinvites": "1",
            "muc#roomconfig_changesubject": "1",
            "muc#roomconfig_enablearchiving": "1",
            "mam": "1",  # the name that ejabberd gives it
        }
    offered = {} if form is None else {row.get("var", ""): row for row in form.findall(f"{{{DATA}}}field")}
    query = Element(f"{{{OWNER}}}query")
    answer = SubElement(query, f"{{{DATA}}}x", {"type": "submit"})
    _field(answer, "FORM_TYPE", [CONFIG])
    for name, row in offered.items():
        if name == "FORM_TYPE" or row.get("type") == "fixed" or not name:
            continue
        if name in wanted:
            _field(answer, name, [wanted[name]])
        else:  # what is left out may fall back to the service's default: say again what holds
            _field(answer, name, [value.text or "" for value in row.findall(f"{{{DATA}}}value")])
    await port.request("set", query, room)


async def bookmarks(port: Port) -> list[Bookmark]:
    """The bookmarks of our account (XEP-0402 section 3); none where the account has no such node."""
    query = Element(f"{{{PUBSUB}}}pubsub")
    SubElement(query, f"{{{PUBSUB}}}items", {"node": BOOKMARKS})
    try:
        answer = await port.request("get", query)
    except RequestFailedError as error:
        if error.condition == "item-not-found":
            return []
        raise
    return _read_bookmarks(answer.iterfind(f"{{{PUBSUB}}}pubsub/{{{PUBSUB}}}items/{{{PUBSUB}}}item"))


def bookmark_event(event: Element) -> tuple[list[Bookmark], list[Jid]]:
    """What a personal event says of bookmarks: those that came or changed, and those that went."""
    kept: list[Bookmark] = []
    gone: list[Jid] = []
    for items in event.findall(f"{{{PUBSUB_EVENT}}}items"):
        if items.get("node") == BOOKMARKS:
            kept.extend(_read_bookmarks(items.iterfind(f"{{{PUBSUB_EVENT}}}item")))
            rows = (parse_jid(row.get("id")) for row in items.iterfind(f"{{{PUBSUB_EVENT}}}retract"))
            gone.extend(jid.bare for jid in rows if jid is not None)
    return kept, gone


def _read_bookmarks(items: Iterable[Element]) -> list[Bookmark]:
    found = []
    for item in items:
        jid = parse_jid(item.get("id"))
        conference = item.find(f"{{{BOOKMARKS}}}conference")
        if jid is not None and conference is not None:
            enters = conference.get("autojoin") in ("true", "1")
            found.append(Bookmark(jid.bare, conference.get("name", ""), enters))
    return found


async def publish_bookmark(port: Port, room: Jid, name: str, nick: str, *, autojoin: bool = True) -> None:
    """Bookmark a room, private to the account (XEP-0402 section 4).

    "max" items is what the XEP wants; services that do not know the word want a number, or keep their own default.
    """
    choices = ["max", "128", ""]
    patience = list(_NODE_WAITS)
    while True:
        try:
            return await _publish_bookmark(port, room, name, nick, choices[0], autojoin=autojoin)
        except RequestFailedError as error:
            if error.condition in _OPTION_PROBLEMS and len(choices) > 1:
                choices.pop(0)
            elif error.condition == "item-not-found" and patience:
                # The node is made by the first publication; ejabberd at times looks for it before it is there.
                await asyncio.sleep(patience.pop(0))
            else:
                raise


async def _publish_bookmark(port: Port, room: Jid, name: str, nick: str, most: str, *, autojoin: bool) -> None:
    query = Element(f"{{{PUBSUB}}}pubsub")
    publish = SubElement(query, f"{{{PUBSUB}}}publish", {"node": BOOKMARKS})
    item = SubElement(publish, f"{{{PUBSUB}}}item", {"id": str(room)})
    conference = SubElement(item, f"{{{BOOKMARKS}}}conference", {"name": name, "autojoin": str(autojoin).lower()})
    SubElement(conference, f"{{{BOOKMARKS}}}nick").text = nick
    options = SubElement(SubElement(query, f"{{{PUBSUB}}}publish-options"), f"{{{DATA}}}x", {"type": "submit"})
    _field(options, "FORM_TYPE", [PUBLISH_OPTIONS])
    for option, value in (("persist_items", "true"), ("max_items", most), ("access_model", "whitelist")):
        if value:
            _field(options, f"pubsub#{option}", [value])
    await port.request("set", query)


async def remove_bookmark(port: Port, room: Jid) -> None:
    """Take a bookmark away."""
    query = Element(f"{{{PUBSUB}}}pubsub")
    retract = SubElement(query, f"{{{PUBSUB}}}retract", {"node": BOOKMARKS, "notify": "true"})
    SubElement(retract, f"{{{PUBSUB}}}item", {"id": str(room)})
    await port.request("set", query)


def direct_invitation(room: Jid, person: Jid, title: str, own_id: str) -> Element:
    """An invitation from person to person (XEP-0249)."""
    message = Element(f"{{{CLIENT}}}message", {"to": str(person), "id": own_id})
    SubElement(message, f"{{{CONFERENCE}}}x", {"jid": str(room), "reason": title})
    return message


def _field(form: Element, name: str, values: list[str]) -> None:
    attributes = {"var": name, **({"type": "hidden"} if name == "FORM_TYPE" else {})}
    row = SubElement(form, f"{{{DATA}}}field", attributes)
    for value in values:
        SubElement(row, f"{{{DATA}}}value").text = value
