"""Requests to the conference service, to rooms and to occupants."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from lxml import etree

from ringback.protocols.xmpp.errors import StanzaError
from ringback.protocols.xmpp.stanza import Stanza, iq_result, quote
from ringback.rules.addresses import Jid
from ringback.services.presence import archive_query
from ringback.services.presence.module import Session
from ringback.services.presence.rooms import administration, form, wire
from ringback.services.presence.rooms.model import Affiliation, Role, RoomConfiguration
from ringback.services.presence.rooms.room import Room
from ringback.storage.presence import private
from ringback.storage.presence.archive import Archived

if TYPE_CHECKING:
    from ringback.services.presence.rooms.service import RoomService

INFO = "http://jabber.org/protocol/disco#info"
ITEMS = "http://jabber.org/protocol/disco#items"
PING = "urn:xmpp:ping"
CARD = "vcard-temp"
_LISTED = 500  # rooms in one answer
_PENDING = 5000  # requests between occupants whose answers are awaited
_SERVICE_FEATURES = (INFO, ITEMS, wire.MUC, wire.MUC_UNIQUE, PING, wire.OCCUPANT_ID)
_ROOM_FEATURES = (
    INFO,
    ITEMS,
    wire.MUC,
    "http://jabber.org/protocol/muc#stable_id",
    "http://jabber.org/protocol/muc#self-ping-optimization",
    PING,
    wire.OCCUPANT_ID,
)


def _payload(stanza: Stanza) -> tuple[str, etree._Element]:
    children = list(stanza.element())
    if len(children) != 1:
        raise StanzaError("bad-request", "A request has one element")
    return str(children[0].tag), children[0]


def _features(names: tuple[str, ...] | list[str]) -> bytes:
    return b"".join(b"<feature var='%b'/>" % quote(name) for name in names)


def of_service(service: RoomService, stanza: Stanza) -> bytes:
    """The payload of the result for a request to the conference domain. Raises StanzaError."""
    tag, query = _payload(stanza)
    if stanza.type == "get" and tag == f"{{{INFO}}}query":
        if query.get("node"):
            raise StanzaError("item-not-found", "There is no such node")
        identity = b"<identity category='conference' type='text' name='%b'/>" % quote(service.identity.name)
        return b"<query xmlns='%b'>%b%b</query>" % (INFO.encode(), identity, _features(_SERVICE_FEATURES))
    if stanza.type == "get" and tag == f"{{{ITEMS}}}query":
        public = [room for room in service.registry.rooms.values() if room.configuration.public and not room.locked]
        lines = (
            b"<item jid='%b' name='%b'/>" % (room.address_xml, quote(room.configuration.name or room.address.local))
            for room in public[:_LISTED]
        )
        return b"<query xmlns='%b'>%b</query>" % (ITEMS.encode(), b"".join(lines))
    if stanza.type == "get" and tag == f"{{{wire.MUC_UNIQUE}}}unique":
        return b"<unique xmlns='%b'>%b</unique>" % (wire.MUC_UNIQUE.encode(), secrets.token_hex(16).encode())
    if stanza.type == "get" and tag == f"{{{PING}}}ping":
        return b""
    raise StanzaError("service-unavailable", "The conference service does not answer this")


def serve(service: RoomService, session: Session, stanza: Stanza, to: Jid, room: Room | None) -> None:
    """A request to a room or to an occupant, or an occupant's answer. Raises StanzaError."""
    if stanza.type in ("result", "error"):
        _answered(service, session, stanza)
        return
    if stanza.type not in ("get", "set"):
        raise StanzaError("bad-request", "A request is of type get or set")
    tag, payload = _payload(stanza)
    if room is None:
        raise StanzaError("not-acceptable" if to.resource else "item-not-found", "There is no such room")
    if to.resource:
        _to_occupant(service, session, stanza, to, room, tag)
        return
    if tag.startswith(f"{{{archive_query.MAM}}}"):
        _archive(service, session, stanza, room, tag, payload)
        return
    result = iq_result(stanza.id, room.name, session.full, _of_room(service, session, stanza.type, room, tag, payload))
    if stanza.type == "get":
        session.send(result)
        return
    service.registry.keep(room)
    storage = service.hub.storage
    storage.when_durable(storage.submitted, partial(session.send, result))  # a result is a promise


def _of_room(service: RoomService, session: Session, kind: str, room: Room, tag: str, payload: etree._Element) -> bytes:
    match kind, tag:
        case "get", "{http://jabber.org/protocol/disco#info}query":
            return _info(service, room, session, payload.get("node", ""))
        case "get", "{http://jabber.org/protocol/disco#items}query":
            return _items(room, session)
        case "get", "{urn:xmpp:ping}ping":
            room.present(session.full)
            return b""
        case "get", "{http://jabber.org/protocol/muc#admin}query":
            return administration.read_list(room, session.full, payload)
        case "set", "{http://jabber.org/protocol/muc#admin}query":
            administration.change(room, session.full, payload)
            return b""
        case "set", "{jabber:iq:register}query":
            administration.give_up(room, session.full, payload)
            return b""
        case "get", "{http://jabber.org/protocol/muc#owner}query":
            _require_owner(room, session)
            return b"<query xmlns='%b'>%b</query>" % (wire.MUC_OWNER.encode(), form.render(room))
        case "set", "{http://jabber.org/protocol/muc#owner}query":
            _require_owner(room, session)
            _owner_set(service, room, payload)
            return b""
        case _:
            raise StanzaError("service-unavailable", "Rooms do not answer this")


def _require_owner(room: Room, session: Session) -> None:
    if room.affiliation(session.bare) is not Affiliation.OWNER:
        raise StanzaError("forbidden", "Only the owners of a room may do this")


def _info(service: RoomService, room: Room, session: Session, node: str) -> bytes:
    if node == "x-roomuser-item":  # section 7.12: the nickname that is reserved for the asker
        member = room.affiliations.get(session.bare)
        reserved = b""
        if member is not None and member.nick:
            reserved = b"<identity category='conference' type='text' name='%b'/>" % quote(member.nick)
        return b"<query xmlns='%b' node='x-roomuser-item'>%b</query>" % (INFO.encode(), reserved)
    if node:
        raise StanzaError("item-not-found", "There is no such node")
    names = [*_ROOM_FEATURES, *form.features(room), *(archive_query.FEATURES if room.configuration.archived else ())]
    known = service.may_enter(room, session.bare)  # a stranger to a closed room learns how to behave, not what it is
    identity = b"<identity category='conference' type='text' name='%b'/>" % quote(
        (room.configuration.name if known else "") or room.address.local
    )
    detail = form.description(room) if known else b""
    return b"<query xmlns='%b'>%b%b%b</query>" % (INFO.encode(), identity, _features(names), detail)


def _items(room: Room, session: Session) -> bytes:
    lines = b""
    if room.occupant_of(session.full) is not None:
        lines = b"".join(
            b"<item jid='%b' name='%b'/>" % (occupant.address, quote(occupant.nick))
            for occupant in room.occupants.values()
        )
    return b"<query xmlns='%b'>%b</query>" % (ITEMS.encode(), lines)


# What owners do


def _owner_set(service: RoomService, room: Room, query: etree._Element) -> None:
    destroy = query.find(f"{{{wire.MUC_OWNER}}}destroy")
    if destroy is not None:
        reason = destroy.findtext(f"{{{wire.MUC_OWNER}}}reason") or ""
        administration.destroy(room, destroy.get("jid", ""), reason)
        service.registry.end(room)
        return
    submitted = query.find(f"{{{form.DATA}}}x")
    if submitted is None:
        raise StanzaError("bad-request", "The form is missing")
    if submitted.get("type") == "cancel":
        if room.locked:
            administration.destroy(room, "", "")
            service.registry.end(room)
        return
    if submitted.get("type") != "submit":
        raise StanzaError("bad-request", "The form is not submitted")
    fields = form.read_fields(submitted)
    configuration = service.registry.allowed(form.read(room.configuration, fields))
    people = form.read_people(fields)
    if people.get(Affiliation.OWNER) == set():
        raise StanzaError("conflict", "A room must keep an owner")
    _configure(room, configuration, people)


def _configure(room: Room, configuration: RoomConfiguration, people: dict[Affiliation, set[str]]) -> None:
    before = room.configuration
    fresh = room.locked
    room.configuration, room.locked = configuration, False
    room.changes.room = True
    # Admins first, owners last: an owner who is in both lists stays an owner, and no moment is without one.
    for affiliation in (Affiliation.ADMIN, Affiliation.OWNER):
        if affiliation in people:
            _replace(room, affiliation, people[affiliation], people.get(Affiliation.OWNER, set()))
    administration.after_configuration(room)
    if configuration == before or fresh:
        return
    codes = {104}
    if configuration.real_addresses != before.real_addresses:
        codes.add(172 if configuration.real_addresses else 173)
    if configuration.archived != before.archived:
        codes.add(170 if configuration.archived else 171)
    room.announce(wire.user_element(b"", codes))


def _replace(room: Room, affiliation: Affiliation, wanted: set[str], owners: set[str]) -> None:
    present = {bare for bare, member in room.affiliations.items() if member.affiliation is affiliation}
    for bare in sorted(wanted - present):
        if affiliation is Affiliation.OWNER or bare not in owners | set(room.owners):
            administration.apply_affiliation(room, administration.AffiliationChange(bare, affiliation, "", ""), "")
    for bare in sorted(present - wanted):
        change = administration.AffiliationChange(bare, Affiliation.MEMBER, "", "")
        administration.apply_affiliation(room, change, "")


# Archive


def _archive(
    service: RoomService, session: Session, stanza: Stanza, room: Room, tag: str, payload: etree._Element
) -> None:
    if not service.may_enter(room, session.bare):
        raise StanzaError("forbidden", "The messages of this room are for those who may enter it")
    if not room.configuration.archived:
        raise StanzaError("service-unavailable", "This room keeps no messages")
    name = tag.rpartition("}")[2]
    storage = service.hub.storage
    if stanza.type == "get" and name == "query":
        session.send(iq_result(stanza.id, room.name, session.full, archive_query.FORM))
    elif stanza.type == "get" and name == "metadata":
        service.answer_later(session, stanza, room.address, archive_query.metadata(storage, room.name))
    elif stanza.type == "set" and name == "query":
        query = archive_query.read_query(payload)
        if query.window.peer and not _knows_addresses(room, session):
            raise StanzaError("forbidden", "The real addresses of this room are not shown")
        shown = _decorator(room) if _knows_addresses(room, session) else _as_kept
        work = archive_query.answer(storage, room.name, query, session.send, session.full_xml, decorate=shown)
        service.answer_later(session, stanza, room.address, work)
    else:
        raise StanzaError("service-unavailable", "Rooms do not answer this")


def _knows_addresses(room: Room, session: Session) -> bool:
    occupant = room.occupant_of(session.full)
    moderates = room.affiliation(session.bare) >= Affiliation.ADMIN
    return room.configuration.real_addresses or moderates or (occupant is not None and occupant.role is Role.MODERATOR)


def _as_kept(message: Archived) -> bytes:
    return message.stanza


def _decorator(room: Room) -> Callable[[Archived], bytes]:
    """Add who really said it, for those who may know (XEP-0313 section 5.1.2)."""

    def decorate(message: Archived) -> bytes:
        user = wire.user_element(wire.item(room.affiliation(message.peer), None, jid=message.peer))
        end = message.stanza.rindex(b"</")
        return message.stanza[:end] + user + message.stanza[end:]

    return decorate


# Occupants


def _to_occupant(service: RoomService, session: Session, stanza: Stanza, to: Jid, room: Room, tag: str) -> None:
    sender = room.present(session.full)
    receiver = room.occupants.get(to.resource)
    if receiver is None:
        raise StanzaError("item-not-found", "Nobody here has this nickname")
    if tag == f"{{{PING}}}ping" and receiver is sender:
        # XEP-0410: the room itself knows best whether this client is in it.
        session.send(iq_result(stanza.id, str(to), session.full))
        return
    if tag == f"{{{CARD}}}vCard" and stanza.type == "get":
        if not room.sees_addresses(sender) and receiver is not sender:
            raise StanzaError("forbidden", "A card would tell who this is")
        service.answer_later(session, stanza, to, _card(service, receiver.bare))
        return
    target = receiver.client
    token = secrets.token_hex(12)
    service.asked[(target.full, token)] = (session, stanza.id, str(to))
    if len(service.asked) > _PENDING:
        service.asked.popitem(last=False)
    tail = stanza.tail_without("from", "to", "id")
    target.send(b"<iq from='%b' to='%b' id='%b'%b" % (sender.address, target.full_xml, token.encode(), tail))


def _answered(service: RoomService, session: Session, stanza: Stanza) -> None:
    asked = service.asked.pop((session.full, stanza.id), None)
    if asked is None:
        return  # an answer to nothing: nobody waits for it
    asker, iq_id, sender = asked
    tail = stanza.tail_without("from", "to", "id")
    asker.send(b"<iq from='%b' to='%b' id='%b'%b" % (quote(sender), asker.full_xml, quote(iq_id), tail))


async def _card(service: RoomService, owner: str) -> bytes:
    async with service.hub.storage.read() as connection:
        card = await private.read_card(connection, owner)
    if card is None:
        raise StanzaError("item-not-found", "This person has no card")
    return card
