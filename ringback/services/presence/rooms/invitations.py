"""Messages to a room that are not for all: invitations, declines and requests for voice (XEP-0045)."""

from __future__ import annotations

from lxml import etree

from ringback.protocols.xmpp.errors import StanzaError
from ringback.protocols.xmpp.stanza import Stanza, quote
from ringback.rules.addresses import AddressError, Jid
from ringback.services.presence.module import Hub, Session
from ringback.services.presence.rooms import wire
from ringback.services.presence.rooms.form import DATA, read_fields
from ringback.services.presence.rooms.model import Affiliation, Occupant, Role
from ringback.services.presence.rooms.room import Room

_REQUEST = "http://jabber.org/protocol/muc#request"
_INVITES_AT_ONCE = 20
_INVITED_KEPT = 1000


def serve(hub: Hub, room: Room, session: Session, stanza: Stanza) -> None:
    """A message of type normal or chat to the room itself. Raises StanzaError."""
    user = stanza.child(f"{{{wire.MUC_USER}}}x")
    form = stanza.child(f"{{{DATA}}}x")
    if user is not None:
        invites = user.findall(f"{{{wire.MUC_USER}}}invite")
        decline = user.find(f"{{{wire.MUC_USER}}}decline")
        if invites:
            _invite(hub, room, session, invites)
            return
        if decline is not None:
            _decline(room, session, decline)
            return
    elif form is not None and read_fields(form).get("FORM_TYPE") == [_REQUEST]:
        _voice(room, room.present(session.full), read_fields(form))
        return
    raise StanzaError("bad-request", "What is said to all is of the type groupchat")


def _invite(hub: Hub, room: Room, session: Session, invites: list[etree._Element]) -> None:
    occupant = room.present(session.full)
    affiliation = room.affiliation(session.bare)
    settings = room.configuration
    if affiliation < Affiliation.ADMIN and (
        (settings.members_only and not settings.allow_invites) or occupant.role is Role.VISITOR
    ):
        raise StanzaError("forbidden", "You may not invite people to this room")
    if len(invites) > _INVITES_AT_ONCE:
        raise StanzaError("policy-violation", f"At most {_INVITES_AT_ONCE} people can be invited at once")
    planned = []
    for invite in invites:
        try:
            invitee = Jid.parse(invite.get("to", ""))
        except AddressError as error:
            raise StanzaError("jid-malformed", str(error)) from error
        bare = str(invitee.bare)
        if room.affiliation(bare) is Affiliation.OUTCAST:
            raise StanzaError("forbidden", f"{bare} is banned from this room")
        blocks = hub.block_lists.get(bare)
        if blocks is not None and (blocks.blocks(session.jid) or blocks.blocks(room.address)):
            raise StanzaError("service-unavailable", f"{bare} does not take invitations")
        planned.append((invitee, invite.findtext(f"{{{wire.MUC_USER}}}reason") or ""))
    for invitee, reason in planned:
        bare = str(invitee.bare)
        if settings.members_only and room.affiliation(bare) is Affiliation.NONE:
            room.set_affiliation(bare, Affiliation.MEMBER)
        if len(room.invited) < _INVITED_KEPT:
            room.invited.add(bare)
        hub.route(_invitation(room, occupant, session, invitee, reason))


def _invitation(room: Room, occupant: Occupant, session: Session, invitee: Jid, reason: str) -> Stanza:
    inviter = session.full if room.configuration.real_addresses else f"{room.name}/{occupant.nick}"
    told = b"<reason>%b</reason>" % quote(reason) if reason else b""
    user = wire.user_element(b"<invite from='%b'>%b</invite>" % (quote(inviter), told))
    direct = b"<x xmlns='%b' jid='%b'%b/>" % (
        wire.DIRECT_INVITE.encode(),
        room.address_xml,
        b" reason='%b'" % quote(reason) if reason else b"",
    )
    to = str(invitee)
    # The hint keeps the invitation for somebody who is offline, although it has no body.
    hint = b"<store xmlns='urn:xmpp:hints'/>"
    raw = b"<message from='%b' to='%b'>%b%b%b</message>" % (room.address_xml, quote(to), user, direct, hint)
    return Stanza("message", {"from": room.name, "to": to}, raw)


def _decline(room: Room, session: Session, decline: etree._Element) -> None:
    """Goes only from somebody who was invited to somebody who is here: a room is no relay."""
    if session.bare not in room.invited:
        raise StanzaError("forbidden", "You were not invited to this room")
    try:
        to = Jid.parse(decline.get("to", ""))
    except AddressError as error:
        raise StanzaError("jid-malformed", str(error)) from error
    if to.bare == room.address:
        inviters = [occupant for occupant in room.occupants.values() if occupant.nick == to.resource]
    else:
        inviters = room.stays_of(str(to.bare))
    if not inviters:
        raise StanzaError("item-not-found", "The inviter is not in the room")
    room.invited.discard(session.bare)
    reason = decline.findtext(f"{{{wire.MUC_USER}}}reason") or ""
    told = b"<reason>%b</reason>" % quote(reason) if reason else b""
    user = wire.user_element(b"<decline from='%b'>%b</decline>" % (quote(session.bare), told))
    for occupant in inviters:
        for client in occupant.clients.values():
            client.send(b"<message from='%b' to='%b'>%b</message>" % (room.address_xml, client.full_xml, user))


def _voice(room: Room, occupant: Occupant, fields: dict[str, list[str]]) -> None:
    """A visitor asks to speak, or a moderator answers (sections 7.13 and 8.6)."""
    if fields.get("muc#request_allow", [""])[:1] in (["1"], ["true"]):
        if occupant.role is not Role.MODERATOR:
            raise StanzaError("forbidden", "Only moderators give voice")
        asker = room.occupants.get((fields.get("muc#roomnick") or [""])[0])
        if asker is not None and asker.role is Role.VISITOR:
            asker.role = Role.PARTICIPANT
            room.show(asker, actor=occupant.nick)
        return
    if occupant.role is not Role.VISITOR:
        return
    values = {
        "muc#role": ("list-single", "participant"),
        "muc#jid": ("jid-single", occupant.client.full),
        "muc#roomnick": ("text-single", occupant.nick),
        "muc#request_allow": ("boolean", "0"),
    }
    inside = b"".join(
        b"<field var='%b' type='%b'><value>%b</value></field>" % (name.encode(), kind.encode(), quote(value))
        for name, (kind, value) in values.items()
    )
    hidden = b"<field var='FORM_TYPE' type='hidden'><value>%b</value></field>" % _REQUEST.encode()
    element = b"<x xmlns='jabber:x:data' type='form'>%b%b</x>" % (hidden, inside)
    for moderator in room.occupants.values():
        if moderator.role is Role.MODERATOR:
            for client in moderator.clients.values():
                client.send(b"<message from='%b' to='%b'>%b</message>" % (room.address_xml, client.full_xml, element))
