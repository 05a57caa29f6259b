"""Reading and writing the message archive (XEP-0313): one table for accounts and rooms."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, bindparam, delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ringback.storage.presence.tables import IDS_PER_MICROSECOND, archive, archive_preferences, upsert

APPEND = insert(archive)
"""Takes rows of owner, id, peer, resource and stanza."""

FORGET = delete(archive).where(archive.c.owner == bindparam("of"))
"""Takes ``of``: the owner whose archive goes (a room that is destroyed)."""

SET_PREFERENCES = upsert(archive_preferences)
"""Takes rows of owner, rule, always and never; replaces."""


@dataclass(frozen=True, slots=True)
class Archived:
    """One message as it was archived; ``microseconds`` since the Unix epoch."""

    id: int
    peer: str
    resource: str
    stanza: bytes

    @property
    def microseconds(self) -> int:
        """When it was archived."""
        return self.id // IDS_PER_MICROSECOND


@dataclass(frozen=True, slots=True)
class Window:
    """Which messages of an archive are wanted. Times are microseconds since the epoch, both ends included.

    ``after`` and ``before`` are ids outside of the window; ``wanted`` exact ids (then nothing else narrows).
    """

    start: int | None = None
    end: int | None = None
    after: int | None = None
    before: int | None = None
    peer: str = ""
    resource: str = ""
    wanted: tuple[int, ...] = ()

    def clause(self, owner: str) -> ColumnElement[bool]:
        """The WHERE clause."""
        parts = [archive.c.owner == owner]
        if self.wanted:
            parts.append(archive.c.id.in_(self.wanted))
        if self.peer:
            parts.append(archive.c.peer == self.peer)
        if self.resource:
            parts.append(archive.c.resource == self.resource)
        if self.start is not None:
            parts.append(archive.c.id >= self.start * IDS_PER_MICROSECOND)
        if self.end is not None:
            parts.append(archive.c.id < (self.end + 1) * IDS_PER_MICROSECOND)
        if self.after is not None:
            parts.append(archive.c.id > self.after)
        if self.before is not None:
            parts.append(archive.c.id < self.before)
        return and_(*parts)


async def read(connection: AsyncConnection, owner: str, window: Window, limit: int, *, newest: bool) -> list[Archived]:
    """At most ``limit`` messages, in the order of time: the newest of the window, or the oldest."""
    order = archive.c.id.desc() if newest else archive.c.id
    query = (
        select(archive.c.id, archive.c.peer, archive.c.resource, archive.c.stanza)
        .where(window.clause(owner))
        .order_by(order)
        .limit(limit)
    )
    found = [Archived(*row) for row in (await connection.execute(query))]
    return found[::-1] if newest else found


async def count(connection: AsyncConnection, owner: str, window: Window) -> int:
    """How many messages the window holds."""
    query = select(func.count()).select_from(archive).where(window.clause(owner))
    return int((await connection.execute(query)).scalar_one())


async def known(connection: AsyncConnection, owner: str, ids: tuple[int, ...]) -> frozenset[int]:
    """Those of the ids that are in the owner's archive."""
    query = select(archive.c.id).where(archive.c.owner == owner, archive.c.id.in_(ids))
    return frozenset((await connection.execute(query)).scalars())


async def bounds(connection: AsyncConnection, owner: str) -> tuple[int, int] | None:
    """The first and the last id of an archive; None where it is empty."""
    query = select(func.min(archive.c.id), func.max(archive.c.id)).where(archive.c.owner == owner)
    first, last = (await connection.execute(query)).one()
    return None if first is None else (first, last)


async def newest_id(connection: AsyncConnection) -> int:
    """The greatest id of all archives, 0 where there is none: ids go on from here although a clock was set back."""
    return int((await connection.execute(select(func.max(archive.c.id)))).scalar_one() or 0)


async def all_preferences(connection: AsyncConnection) -> dict[str, tuple[str, frozenset[str], frozenset[str]]]:
    """Rule, always and never lists of every account that set them."""
    columns = archive_preferences.c
    rows = await connection.execute(select(columns.owner, columns.rule, columns.always, columns.never))
    return {
        owner: (rule, frozenset(always.split("\n")) - {""}, frozenset(never.split("\n")) - {""})
        for owner, rule, always, never in rows
    }
