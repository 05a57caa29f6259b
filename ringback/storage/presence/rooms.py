"""Reading and writing persistent rooms: configuration, subject and affiliations. Their history is in the archive."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import bindparam, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ringback.storage.presence.tables import room_affiliations, rooms, upsert

DROP_ROOM = delete(rooms).where(rooms.c.room == bindparam("of"))
SET_ROOM = upsert(rooms)
"""Takes a whole row; replaces the one with the same key."""

DROP_AFFILIATIONS = delete(room_affiliations).where(room_affiliations.c.room == bindparam("of"))
DROP_AFFILIATION = delete(room_affiliations).where(
    room_affiliations.c.room == bindparam("of"), room_affiliations.c.jid == bindparam("who")
)
SET_AFFILIATION = upsert(room_affiliations)
"""Takes a whole row; replaces the one with the same key."""


@dataclass(frozen=True, slots=True)
class KeptAffiliation:
    """One line of a room's affiliation list."""

    jid: str
    affiliation: str
    nick: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class KeptRoom:
    """A room as it was kept; ``configuration`` is JSON."""

    room: str
    configuration: str
    subject: str
    subject_by: str
    subject_at: int
    salt: bytes
    affiliations: tuple[KeptAffiliation, ...]


async def load_all(connection: AsyncConnection) -> list[KeptRoom]:
    """Every room that is kept."""
    lists: dict[str, list[KeptAffiliation]] = {}
    columns = room_affiliations.c
    query = select(columns.room, columns.jid, columns.affiliation, columns.nick, columns.reason)
    for room, *rest in await connection.execute(query):
        lists.setdefault(room, []).append(KeptAffiliation(*rest))
    kept = select(
        rooms.c.room,
        rooms.c.configuration,
        rooms.c.subject,
        rooms.c.subject_by,
        rooms.c.subject_at,
        rooms.c.salt,
    )
    return [KeptRoom(*row, affiliations=tuple(lists.get(row[0], ()))) for row in (await connection.execute(kept))]
