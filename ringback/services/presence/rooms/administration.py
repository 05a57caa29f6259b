"""What moderators, admins and owners do to the people of a room (XEP-0045 sections 8, 9 and 10)."""

from __future__ import annotations

from dataclasses import dataclass

from lxml import etree

from ringback.protocols.xmpp.errors import StanzaError
from ringback.protocols.xmpp.stanza import quote
from ringback.rules.addresses import AddressError, Jid
from ringback.services.presence.rooms import wire
from ringback.services.presence.rooms.model import AFFILIATIONS, ROLES, Affiliation, Occupant, Role
from ringback.services.presence.rooms.powers import (
    affiliation_change_refusal,
    default_role,
    list_refusal,
    role_change_refusal,
)
from ringback.services.presence.rooms.room import BANNED, KICKED, LOST_MEMBERSHIP, NOW_MEMBERS_ONLY, Room

REGISTER = "jabber:iq:register"
LIST_LIMIT = 2000  # affiliations of one room
_ITEM = f"{{{wire.MUC_ADMIN}}}item"
_REASON = f"{{{wire.MUC_ADMIN}}}reason"


@dataclass(frozen=True, slots=True)
class RoleChange:
    """An occupant gets another role."""

    occupant: Occupant
    role: Role
    reason: str


@dataclass(frozen=True, slots=True)
class AffiliationChange:
    """A bare JID gets another affiliation."""

    bare: str
    affiliation: Affiliation
    nick: str
    reason: str


def read_list(room: Room, actor: str, query: etree._Element) -> bytes:
    """Answer a muc#admin get: the people with an affiliation or a role. ``actor`` is a full JID."""
    bare = actor.partition("/")[0]
    lines: list[bytes] = []
    for item in query.iterchildren(_ITEM):
        if (word := item.get("affiliation")) is not None:
            lines += _affiliation_list(room, bare, _affiliation(word))
        elif (word := item.get("role")) is not None:
            lines += _role_list(room, actor, _role(word))
        else:
            raise StanzaError("bad-request", "The list must name an affiliation or a role")
    return b"<query xmlns='http://jabber.org/protocol/muc#admin'>%b</query>" % b"".join(lines)


def _affiliation_list(room: Room, actor: str, wanted: Affiliation) -> list[bytes]:
    if refusal := list_refusal(room.affiliation(actor), wanted, room.configuration):
        raise StanzaError(refusal, "You may not see this list")
    return [
        wire.item(wanted, None, jid=bare, nick=member.nick, reason=member.reason)
        for bare, member in room.affiliations.items()
        if member.affiliation is wanted
    ]


def _role_list(room: Room, actor: str, wanted: Role) -> list[bytes]:
    occupant = room.occupant_of(actor)
    if occupant is None or occupant.role is not Role.MODERATOR:
        raise StanzaError("forbidden", "Only moderators see this list")
    return [
        wire.item(room.affiliation(other.bare), other.role, jid=other.client.full, nick=other.nick)
        for other in room.occupants.values()
        if other.role is wanted
    ]


def change(room: Room, actor: str, query: etree._Element) -> None:
    """Do a muc#admin set: all its items or, where one is refused, none. Raises StanzaError."""
    planned = [_planned(room, actor, item) for item in query.iterchildren(_ITEM)]
    if not planned:
        raise StanzaError("bad-request", "There is nothing to change")
    gone = [plan.bare for plan in planned if isinstance(plan, AffiliationChange)]
    if len(set(gone)) != len(gone):
        raise StanzaError("bad-request", "The same address stands there twice")
    owners = set(room.owners)
    for plan in planned:
        if isinstance(plan, AffiliationChange):
            owners = owners | {plan.bare} if plan.affiliation is Affiliation.OWNER else owners - {plan.bare}
    if room.owners and not owners:
        raise StanzaError("conflict", "A room must keep an owner")
    if len(room.affiliations) + len(gone) > LIST_LIMIT:
        raise StanzaError("resource-constraint", "The lists of this room are full")
    occupant = room.occupant_of(actor)
    by = occupant.nick if occupant else ""
    for plan in planned:
        if isinstance(plan, RoleChange):
            apply_role(room, plan, by)
        else:
            apply_affiliation(room, plan, by)


def give_up(room: Room, actor: str, query: etree._Element) -> None:
    """Let somebody give up the own place in the room (XEP-0077 section 3.2, in a room). Raises StanzaError.

    XEP-0045 leaves affiliations to admins; without this, whoever left a closed group for good would stay in its lists.
    """
    if [str(child.tag) for child in query] != [f"{{{REGISTER}}}remove"]:
        raise StanzaError("service-unavailable", "Rooms only let people give up their place, not take one")
    own = actor.partition("/")[0]
    if room.affiliation(own) in (Affiliation.NONE, Affiliation.OUTCAST):
        raise StanzaError("registration-required", "You have no place in this room")
    if room.owners == [own]:
        raise StanzaError("conflict", "A room must keep an owner")
    occupant = room.occupant_of(actor)
    apply_affiliation(room, AffiliationChange(own, Affiliation.NONE, "", ""), occupant.nick if occupant else "")


def _planned(room: Room, actor: str, item: etree._Element) -> RoleChange | AffiliationChange:
    reason = (item.findtext(_REASON) or "")[:1000]
    role, affiliation = item.get("role"), item.get("affiliation")
    if (role is None) == (affiliation is None):
        raise StanzaError("bad-request", "Each item changes a role or an affiliation")
    if role is not None:
        return _planned_role(room, actor, item.get("nick", ""), _role(role), reason)
    bare = _target(room, item)
    nick = item.get("nick", "") if item.get("jid") else ""
    wanted = _affiliation(affiliation or "")
    own = actor.partition("/")[0]
    target = room.affiliation(bare)
    refusal = affiliation_change_refusal(
        room.affiliation(own), target, wanted, on_self=bare == own, last_owner=room.owners == [bare]
    )
    if refusal:
        raise StanzaError(refusal, "You may not change this affiliation")
    return AffiliationChange(bare, wanted, nick, reason)


def _planned_role(room: Room, actor: str, nick: str, wanted: Role, reason: str) -> RoleChange:
    occupant = room.occupants.get(nick)
    if occupant is None:
        raise StanzaError("item-not-found", "Nobody here has this nickname")
    own = actor.partition("/")[0]
    acting = room.occupant_of(actor)
    refusal = role_change_refusal(
        room.affiliation(own),
        acting.role if acting else Role.NONE,
        room.affiliation(occupant.bare),
        occupant.role,
        wanted,
    )
    if refusal:
        raise StanzaError(refusal, "You may not change this role")
    return RoleChange(occupant, wanted, reason)


def _target(room: Room, item: etree._Element) -> str:
    if text := item.get("jid"):
        try:
            return str(Jid.parse(text).bare)
        except AddressError as error:
            raise StanzaError("jid-malformed", str(error)) from error
    occupant = room.occupants.get(item.get("nick", ""))
    if occupant is None:
        raise StanzaError("item-not-found", "Nobody here has this nickname")
    return occupant.bare


def _affiliation(word: str) -> Affiliation:
    if word not in AFFILIATIONS:
        raise StanzaError("bad-request", "There is no such affiliation")
    return AFFILIATIONS[word]


def _role(word: str) -> Role:
    if word not in ROLES:
        raise StanzaError("bad-request", "There is no such role")
    return ROLES[word]


def apply_role(room: Room, plan: RoleChange, by: str) -> None:
    """Give a role and tell everybody; the role NONE puts the occupant out."""
    if plan.role is Role.NONE:
        room.remove(plan.occupant, {KICKED}, actor=by, reason=plan.reason)
    elif plan.occupant.role is not plan.role:
        plan.occupant.role = plan.role
        room.show(plan.occupant, actor=by, reason=plan.reason)


def apply_affiliation(room: Room, plan: AffiliationChange, by: str) -> None:
    """Give an affiliation, tell everybody, and put out who may not stay."""
    before = room.affiliation(plan.bare)
    room.set_affiliation(plan.bare, plan.affiliation, plan.reason, plan.nick)
    role = default_role(plan.affiliation, room.configuration)
    stays = room.stays_of(plan.bare)
    for occupant in stays:
        if role is Role.NONE:
            status = BANNED if plan.affiliation is Affiliation.OUTCAST else LOST_MEMBERSHIP
            room.remove(occupant, {status}, actor=by, reason=plan.reason)
        elif before is not plan.affiliation:
            occupant.role = role
            room.show(occupant, actor=by, reason=plan.reason)
    if not stays and before is not plan.affiliation:
        # Section 9.3: the occupants learn of the change although the person is away.
        line = wire.user_element(wire.item(plan.affiliation, None, jid=plan.bare, reason=plan.reason))
        room.announce(line, only=Role.VISITOR if room.configuration.real_addresses else Role.MODERATOR)


def after_configuration(room: Room) -> None:
    """Put out who may not stay under a new configuration (section 10.2.1)."""
    if room.configuration.members_only:
        for occupant in list(room.occupants.values()):
            if room.affiliation(occupant.bare) is Affiliation.NONE:
                room.remove(occupant, {NOW_MEMBERS_ONLY})


def destroy(room: Room, alternative: str, reason: str) -> None:
    """Put out everybody because the room ends (section 10.9)."""
    venue = b" jid='%b'" % quote(alternative) if alternative else b""
    inside = b"<reason>%b</reason>" % quote(reason) if reason else b""
    element = b"<destroy%b>%b</destroy>" % (venue, inside)
    for occupant in list(room.occupants.values()):
        room.remove(occupant, set(), extra=element)
