"""Group chats: rooms (XEP-0045) that are made on the fly, private, kept by the server, and open to their members only.

Who is behind a nick is known from presences (the rooms are not anonymous) and remembered, since a room's archive may
show nicks only. Rooms are bookmarked with autojoin (XEP-0402), so that they return on any machine; a copy stays in the
local store for servers without bookmarks.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element, SubElement

import msgspec
import structlog

from ringback.client.events import Events
from ringback.client.host.wire_chats import Member
from ringback.client.messaging import room_requests as ask
from ringback.client.messaging.errors import MessagingError, NotConnectedError, RequestFailedError
from ringback.client.messaging.port import Port
from ringback.client.messaging.stanzas import CLIENT, MUC, Invitation, PresenceReceived, parse_jid
from ringback.client.store.store import Store
from ringback.rules.addresses import AddressError, Jid
from ringback.rules.reasons import Reason

JOIN_SECONDS = 30.0
_SELF, _KICKED, _BANNED, _REMOVED = 110, 307, 301, 321

log = structlog.get_logger(__name__)


class KeptRoom(msgspec.Struct, kw_only=True):
    """A room of ours as it is kept. ``people``: nick to person id, everybody who ever spoke or stood there."""

    jid: str
    nick: str
    title: str = ""
    password: str = ""
    people: dict[str, str] = msgspec.field(default_factory=dict)


@dataclass(slots=True)
class Occupant:
    """Somebody who is in the room now."""

    nick: str
    person: str
    role: str
    affiliation: str


@dataclass(slots=True)
class Room:
    """A room and who is in it."""

    kept: KeptRoom
    joined: bool = False
    archive: bool = False
    occupants: dict[str, Occupant] = field(default_factory=dict)
    affiliations: dict[str, str] = field(default_factory=dict)
    joining: asyncio.Future[None] | None = None

    @property
    def jid(self) -> Jid:
        """The room's address."""
        return Jid.parse(self.kept.jid)


class RoomBook:
    """The rooms of the signed-in person. Network methods raise NotConnectedError and RequestFailedError."""

    def __init__(self, own: Jid, port: Port, store: Store, events: Events, name_of: Callable[[str], str]) -> None:
        self._own = own
        self._port = port
        self._store = store
        self._events = events
        self._name_of = name_of
        self._rooms: dict[str, Room] = {}
        self._lost: list[str] = []
        self.service: Jid | None = None

    async def load(self) -> None:
        """Fill the book from the local store."""
        kept = await self._store.all("room", KeptRoom)
        self._rooms = {jid: Room(room) for jid, room in kept.items()}

    # --- reading

    def ids(self) -> list[str]:
        """All rooms."""
        return list(self._rooms)

    def is_room(self, conversation: str) -> bool:
        """Whether this address is a room of ours."""
        return conversation in self._rooms

    def room(self, conversation: str) -> Room | None:
        """A room of ours."""
        return self._rooms.get(conversation)

    def own_nick(self, conversation: str) -> str:
        """Our nick in a room; empty where it is none of ours."""
        room = self._rooms.get(conversation)
        return room.kept.nick if room else ""

    def title(self, conversation: str) -> str:
        """The room's name."""
        room = self._rooms.get(conversation)
        return room.kept.title if room else ""

    def speaker(self, room: Jid, occupant: Jid | None) -> tuple[str, str]:
        """Who hides behind a nick: person id (or the room's own address for it) and name."""
        known = self._rooms.get(str(room.bare))
        nick = room.resource
        if known is None or not nick:
            return str(occupant or room), self._name_of(str(occupant)) if occupant else nick or room.local
        if nick == known.kept.nick and (occupant is None or occupant == self._own):
            return str(self._own), self._name_of(str(self._own))
        here = known.occupants.get(nick)
        person = str(occupant) if occupant else (here.person if here else "") or known.kept.people.get(nick, "")
        return (person, self._name_of(person)) if person else (str(room), nick)

    def members(self, conversation: str) -> list[Member]:
        """Everybody who belongs to a room or is in it."""
        room = self._rooms.get(conversation)
        if room is None:
            return []
        here = {occupant.person or f"{room.kept.jid}/{nick}": occupant for nick, occupant in room.occupants.items()}
        rows = []
        for person in dict.fromkeys([*room.affiliations, *here]):
            occupant = here.get(person)
            affiliation = room.affiliations.get(person) or (occupant.affiliation if occupant else "none")
            name = occupant.nick if occupant and not occupant.person else self._name_of(person)
            rows.append(Member(id=person, name=name, role=ask.role_word(affiliation), here=occupant is not None))
        return sorted(rows, key=lambda member: member.name.casefold())

    # --- what comes

    def presence_arrived(self, presence: PresenceReceived) -> bool:
        """Take a presence from a room of ours; False where it is from elsewhere."""
        room = self._rooms.get(str(presence.sender.bare))
        if room is None:
            return False
        if presence.kind == "error":
            self._join_failed(room, presence.error)
            return True
        nick, inside = presence.sender.resource, presence.occupancy
        if inside is None:
            return True
        own = _SELF in inside.status or nick == room.kept.nick
        person = str(inside.jid.bare) if inside.jid else (str(self._own) if own else "")
        if presence.kind == "unavailable":
            room.occupants.pop(nick, None)
            if own and inside.nick and 303 in inside.status:
                room.kept.nick = inside.nick
            elif own:
                room.joined = False
                if inside.status & {_KICKED, _BANNED, _REMOVED}:
                    self._rooms.pop(room.kept.jid, None)
                    self._lost.append(room.kept.jid)
            elif inside.affiliation not in ask.BELONGING:
                room.affiliations.pop(person, None)
        else:
            room.occupants[nick] = Occupant(nick, person, inside.role, inside.affiliation)
            if person:
                room.kept.people[nick] = person
                if inside.affiliation in ask.BELONGING:
                    room.affiliations[person] = inside.affiliation
            if own:
                room.kept.nick = nick
                room.joined = True
                _settle(room, None)
        self._events.conversation(room.kept.jid)
        return True

    async def forget_lost(self) -> None:
        """Forget on the disk as well the rooms that we were put out of."""
        lost, self._lost = self._lost, []
        if lost:
            await self._store.remove("room", lost)

    def affiliation_told(self, conversation: str, person: Jid, affiliation: str) -> None:
        """The room says how somebody who is not in it belongs to it now (XEP-0045 section 9.3)."""
        room = self._rooms.get(conversation)
        if room is None:
            return
        if affiliation in ask.BELONGING:
            room.affiliations[str(person)] = affiliation
        else:
            room.affiliations.pop(str(person), None)
        self._events.conversation(conversation)

    def session_began(self) -> None:
        """A new session is in no room yet."""
        for room in self._rooms.values():
            room.joined = False
            room.occupants.clear()
            _settle(room, NotConnectedError())
            self._events.conversation(room.kept.jid)

    # --- entering

    async def find_service(self) -> Jid | None:
        """The domain's service for group chats (XEP-0045 section 6.1); None where there is none."""
        if self.service is None:
            self.service = await ask.find_service(self._port, Jid("", self._own.domain))
        return self.service

    async def enter(self, jid: Jid, title: str = "", password: str = "") -> Room:
        """Join a room (again): learn its name and features, stand in it, get its list of members."""
        room = self._rooms.get(str(jid))
        if room is None:
            kept = KeptRoom(jid=str(jid), nick=self._own.local or "me", title=title, password=password)
            room = self._rooms[str(jid)] = Room(kept)
        if room.joined:
            return room
        with contextlib.suppress(RequestFailedError):  # a members-only room may hide itself until we are in
            await self._learn(room)
        await self._join(room)
        await self._affiliations(room)
        if not room.kept.title or not room.archive:
            with contextlib.suppress(RequestFailedError):
                await self._learn(room)
        await self._keep(room)
        return room

    async def _join(self, room: Room) -> None:
        for attempt in range(3):
            nick = room.kept.nick if attempt == 0 else f"{self._own.local} {attempt + 1}"
            room.kept.nick = nick
            room.joining = asyncio.get_running_loop().create_future()
            presence = Element(f"{{{CLIENT}}}presence", {"to": str(room.jid.with_resource(nick))})
            entering = SubElement(presence, f"{{{MUC}}}x")
            if room.kept.password:
                SubElement(entering, f"{{{MUC}}}password").text = room.kept.password
            # Where the room has an archive we read that; its history would only come twice.
            SubElement(entering, f"{{{MUC}}}history", {"maxstanzas": "0" if room.archive else "50"})
            self._port.send(presence)
            try:
                async with asyncio.timeout(JOIN_SECONDS):
                    await asyncio.shield(room.joining)
            except TimeoutError as error:
                reason = Reason.of("presence.room.no_answer", room=room.kept.title or room.kept.jid)
                raise RequestFailedError(reason, "remote-server-timeout") from error
            except RequestFailedError as error:
                if error.condition != "conflict":
                    raise
                continue
            return
        raise RequestFailedError(
            Reason.of("presence.room.nick_taken", room=room.kept.title or room.kept.jid), "conflict"
        )

    def _join_failed(self, room: Room, condition: str) -> None:
        words = {
            "registration-required": "presence.room.members_only",
            "forbidden": "presence.room.banned",
            "item-not-found": "presence.room.locked",
            "not-authorized": "presence.room.password",
            "gone": "presence.room.gone",
        }
        title = room.kept.title or room.kept.jid
        reason = Reason.of(words.get(condition, "presence.room.refused"), room=title, why=condition)
        _settle(room, RequestFailedError(reason, condition))

    async def _learn(self, room: Room) -> None:
        about = await ask.about_room(self._port, room.jid)
        room.archive = about.archive
        if about.title and about.title != room.kept.title:
            room.kept.title = about.title
            self._events.conversation(room.kept.jid)

    async def renamed(self, conversation: str) -> None:
        """The room's configuration changed (status 104): read its name again."""
        if (room := self._rooms.get(conversation)) is not None:
            await self._learn(room)
            await self._keep(room)

    async def _affiliations(self, room: Room) -> None:
        for affiliation in ask.BELONGING:
            with contextlib.suppress(RequestFailedError):  # some rooms tell members only to owners
                found = await ask.affiliations(self._port, room.jid, affiliation)
                others = {person: known for person, known in room.affiliations.items() if known != affiliation}
                room.affiliations = others | dict.fromkeys(found, affiliation)
        self._events.conversation(room.kept.jid)

    async def _keep(self, room: Room) -> None:
        await self._store.put("room", room.kept.jid, room.kept)
        self._events.conversation(room.kept.jid)

    # --- what the person does

    async def create(self, title: str, people: Sequence[str]) -> Room:
        """Make a room, open to its members only, and invite people. Raises MessagingError where there is no service."""
        service = await self.find_service()
        if service is None:
            raise MessagingError(Reason.of("presence.room.no_service", domain=self._own.domain))
        jid = Jid(f"chat-{secrets.token_hex(8)}", service.domain)
        room = self._rooms[str(jid)] = Room(KeptRoom(jid=str(jid), nick=self._own.local or "me", title=title))
        try:
            await self._join(room)
            await ask.configure(self._port, jid, title)
        except MessagingError:
            self._rooms.pop(str(jid), None)
            raise
        room.affiliations[str(self._own)] = "owner"
        await self._keep(room)
        await self._bookmark(room)
        await self.invite(str(jid), people)
        with contextlib.suppress(RequestFailedError):
            await self._learn(room)
        return room

    async def invite(self, conversation: str, people: Sequence[str]) -> None:
        """Make people members and tell them."""
        room = self._need(conversation)
        for person in people:
            jid = parse_jid(person)
            if jid is None:
                raise MessagingError(Reason.of("engine.address_wrong", address=person))
            with contextlib.suppress(RequestFailedError):  # only owners and admins may; the invitation may do it too
                await ask.set_affiliation(self._port, room.jid, jid.bare, "member")
                room.affiliations.setdefault(str(jid.bare), "member")
            self._port.send(ask.invitation(room.jid, jid.bare, room.kept.title))
        self._events.conversation(conversation)

    async def rename(self, conversation: str, title: str) -> None:
        """Give a room another name, for everybody."""
        room = self._need(conversation)
        await ask.configure(self._port, room.jid, title, only_title=True)
        room.kept.title = title
        await self._keep(room)
        await self._bookmark(room)

    async def leave(self, conversation: str) -> None:
        """Leave a room for good: it does not come back at the next sign-in, and its lists do not name us any more."""
        room = self._need(conversation)
        with contextlib.suppress(RequestFailedError):  # some services let nobody do this; then the room lists us on
            await self._give_up_place(room)
        if self._rooms.pop(conversation, None) is not None:
            goodbye = {"to": str(room.jid.with_resource(room.kept.nick)), "type": "unavailable"}
            self._port.send(Element(f"{{{CLIENT}}}presence", goodbye))
        await self._store.remove("room", [conversation])
        self._events.conversation(conversation)
        # First "do not enter", which every service tells our other clients; not all of them tell of a removal.
        with contextlib.suppress(RequestFailedError):
            await ask.publish_bookmark(self._port, room.jid, room.kept.title, room.kept.nick, autojoin=False)
        with contextlib.suppress(RequestFailedError):
            await ask.remove_bookmark(self._port, room.jid)

    async def _give_up_place(self, room: Room) -> None:
        """Stop to belong to the room. The only owner makes somebody else one, so that the others keep all powers."""
        own = str(self._own)
        owners = {person for person, affiliation in room.affiliations.items() if affiliation == "owner"}
        if owners == {own}:
            here = {occupant.person for occupant in room.occupants.values()}
            others = sorted(person for person in room.affiliations if person != own)
            heir = next((person for person in others if person in here), others[0] if others else None)
            if heir is not None:
                await ask.set_affiliation(self._port, room.jid, Jid.parse(heir), "owner")
        await ask.give_up_place(self._port, room.jid, self._own)

    async def left_elsewhere(self, conversation: str) -> None:
        """Another client of ours left this room for good."""
        if (room := self._rooms.pop(conversation, None)) is None:
            return
        goodbye = {"to": str(room.jid.with_resource(room.kept.nick)), "type": "unavailable"}
        self._port.send(Element(f"{{{CLIENT}}}presence", goodbye))
        await self._store.remove("room", [conversation])
        self._events.conversation(conversation)

    def _need(self, conversation: str) -> Room:
        room = self._rooms.get(conversation)
        if room is None:
            raise MessagingError(Reason.of("engine.no_conversation"))
        return room

    async def accept(self, invitation: Invitation) -> Room:
        """Follow an invitation and keep the room."""
        room = await self.enter(invitation.room, invitation.title, invitation.password)
        if invitation.title and not room.kept.title:
            room.kept.title = invitation.title
        await self._keep(room)
        await self._bookmark(room)
        return room

    # --- bookmarks

    async def bookmarked(self) -> list[tuple[Jid, str]]:
        """Rooms that some client of ours bookmarked to be entered, with their names."""
        return [(mark.jid, mark.name) for mark in await ask.bookmarks(self._port) if mark.autojoin]

    async def _bookmark(self, room: Room) -> None:
        try:
            await ask.publish_bookmark(self._port, room.jid, room.kept.title, room.kept.nick)
        except RequestFailedError as error:
            # The local store has the room; only other machines of this person will not know it.
            log.info("rooms.not_bookmarked", condition=error.condition)


def room_address(text: str) -> Jid | None:
    """A room's address as a page may send it."""
    try:
        jid = Jid.parse(text)
    except AddressError:
        return None
    return jid if jid.local and jid.is_bare else None


def _settle(room: Room, error: MessagingError | None) -> None:
    joining = room.joining
    room.joining = None
    if joining is None or joining.done():
        return
    if error is None:
        joining.set_result(None)
    else:
        joining.set_exception(error)
        joining.exception()  # read: nobody may be waiting any more
