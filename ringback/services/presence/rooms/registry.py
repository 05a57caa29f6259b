"""The rooms that exist, in memory and in the database."""

from __future__ import annotations

import secrets

import msgspec

from ringback.protocols.xmpp.errors import StanzaError
from ringback.protocols.xmpp.stanza import Stanza, quote
from ringback.rules.addresses import Jid
from ringback.services.presence.rooms import wire
from ringback.services.presence.rooms.model import (
    AFFILIATIONS,
    Affiliation,
    Line,
    Member,
    RoomConfiguration,
)
from ringback.services.presence.rooms.room import HISTORY_KEPT, Room
from ringback.storage.presence import archive
from ringback.storage.presence import rooms as store
from ringback.storage.presence.archive import Archived
from ringback.storage.presence.engine import Storage

MOST_ROOMS = 20_000
MOST_OWNED = 200  # rooms that one person may make
NAME_LIMIT = 256  # octets


class Registry:
    """All rooms of one conference domain.

    Every room is written down, so that nothing of a temporary one stays behind after a crash: ``load`` drops those.
    The recent messages of a room are read when somebody comes in for the first time (``cold`` names those rooms).
    """

    def __init__(self, domain: str, storage: Storage, *, archive: bool = True) -> None:
        self._domain = domain
        self._storage = storage
        self._archive = archive
        self.rooms: dict[str, Room] = {}
        self.cold: set[str] = set()
        self._owned: dict[str, set[str]] = {}

    async def load(self) -> int:
        """Bring the persistent rooms back; the greatest id of all archives."""
        async with self._storage.read() as connection:
            kept = await store.load_all(connection)
            newest = await archive.newest_id(connection)
        for entry in kept:
            address = Jid.parse(entry.room)
            if address.domain != self._domain:
                continue
            configuration = msgspec.json.decode(entry.configuration, type=RoomConfiguration)
            if not configuration.persistent:
                self._drop(entry.room)
                continue
            room = Room(address, entry.salt, self.allowed(configuration))
            room.subject, room.subject_by, room.subject_at = entry.subject, entry.subject_by, entry.subject_at
            for line in entry.affiliations:
                room.affiliations[line.jid] = Member(AFFILIATIONS[line.affiliation], line.nick, line.reason)
            self.rooms[entry.room] = room
            self.cold.add(entry.room)
            for owner in room.owners:
                self._owned.setdefault(owner, set()).add(entry.room)
        return newest

    def allowed(self, configuration: RoomConfiguration) -> RoomConfiguration:
        """A configuration as the deployment permits it: without an archive where nothing is to be kept."""
        if self._archive or not configuration.archived:
            return configuration
        return msgspec.structs.replace(configuration, archived=False)

    async def warm(self, name: str) -> None:
        """Read the recent messages of a room, once."""
        async with self._storage.read() as connection:
            found = await archive.read(connection, name, archive.Window(), HISTORY_KEPT, newest=True)
        room = self.rooms.get(name)
        if room is not None and name in self.cold:
            self.cold.discard(name)
            room.history.extendleft(line for message in reversed(found) if (line := _line(room, message)))

    def create(self, address: Jid, owner: str) -> Room:
        """A new room, locked until its owner accepts a configuration. Raises StanzaError where there are too many."""
        if len(self.rooms) >= MOST_ROOMS:
            raise StanzaError("resource-constraint", "There are too many rooms")
        if len(address.local.encode()) > NAME_LIMIT:
            raise StanzaError("not-acceptable", "The name of this room is too long")
        owned = self._owned.setdefault(owner, set())
        if len(owned) >= MOST_OWNED:
            raise StanzaError("not-allowed", "You have made too many rooms")
        room = Room(address, secrets.token_bytes(32), RoomConfiguration(archived=self._archive))
        room.locked = True
        room.set_affiliation(owner, Affiliation.OWNER)
        room.changes.room = True
        self.rooms[room.name] = room
        owned.add(room.name)
        return room

    def keep(self, room: Room) -> None:
        """Write down what changed; end a temporary room that nobody is in."""
        if self.rooms.get(room.name) is not room:
            return
        if not room.occupants and (room.locked or not room.configuration.persistent):
            self.end(room)
            return
        changes = room.changes
        if changes.room:
            changes.room = False
            row = {
                "room": room.name,
                "configuration": msgspec.json.encode(room.configuration).decode(),
                "subject": room.subject,
                "subject_by": room.subject_by,
                "subject_at": room.subject_at,
                "salt": room.salt,
            }
            self._storage.write(store.SET_ROOM, row)
        if changes.affiliations:
            for bare in changes.affiliations:
                self._keep_affiliation(room, bare)
            changes.affiliations = set()

    def _keep_affiliation(self, room: Room, bare: str) -> None:
        member = room.affiliations.get(bare)
        if member is None:
            self._storage.write(store.DROP_AFFILIATION, {"of": room.name, "who": bare})
            return
        row = {
            "room": room.name,
            "jid": bare,
            "affiliation": member.affiliation.word,
            "nick": member.nick,
            "reason": member.reason,
        }
        self._storage.write(store.SET_AFFILIATION, row)

    def end(self, room: Room) -> None:
        """Forget a room with everything that was said in it; a later one of the same name is another room."""
        if self.rooms.get(room.name) is room:
            del self.rooms[room.name]
            for owner in [owner for owner in room.affiliations if owner in self._owned]:
                self._owned[owner].discard(room.name)
                if not self._owned[owner]:
                    del self._owned[owner]
            self.cold.discard(room.name)
            self._drop(room.name)

    def _drop(self, name: str) -> None:
        self._storage.write(store.DROP_ROOM, {"of": name})
        self._storage.write(store.DROP_AFFILIATIONS, {"of": name})
        self._storage.write(archive.FORGET, {"of": name})

    def archive(self, room: Room, archive_id: int, bare: str, nick: str, stanza: bytes) -> None:
        """Write down what somebody said; ``bare`` is the real address."""
        number = self._storage.addresses.number
        row = (archive_id, number(bare), number(room.name), False, True, nick, "", stanza)
        self._storage.write(archive.APPEND, row)


def _line(room: Room, message: Archived) -> Line | None:
    """A message of the archive as history; None for one that newcomers are not shown."""
    if not wire.worth_keeping(message.stanza)[1]:
        return None
    tail = Stanza("message", {}, message.stanza).tail_without("from", "to", "xmlns")
    head = b"<message from='%b' to='" % quote(f"{room.name}/{message.resource}")
    middle = b"'%b%b" % (tail[: tail.rindex(b"</")], wire.stanza_id_element(room.address_xml, message.id))
    return Line(message.id, message.microseconds / 1e6, head, middle)
