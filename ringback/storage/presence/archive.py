"""Reading and writing the message archive (XEP-0313): one table for accounts and rooms.

A message is one row for both who keep it. So whatever an owner asks is asked twice, of what the owner sent and of what
the owner received, each in the order of an index, and joined.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    ScalarSelect,
    Select,
    bindparam,
    delete,
    func,
    insert,
    select,
    true,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from ringback.storage.presence.tables import (
    IDS_PER_MICROSECOND,
    archive,
    archive_addresses,
    archive_preferences,
    upsert,
)

APPEND = insert(archive)
"""Takes tuples: id, numbers of sender and receiver, whether each keeps it, their resources, the stanza."""


def _number(address: Any) -> ScalarSelect[int]:
    columns = archive_addresses.c
    return select(columns.number).where(columns.address == address).scalar_subquery()


FORGET = delete(archive).where(
    archive.c.receiver == _number(bindparam("of", type_=archive_addresses.c.address.type)),
    archive.c.receiver_keeps.is_(true()),
)
"""Takes ``of``: the room whose archive goes because it is destroyed."""

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

    def sides(self, owner: str, *columns: ColumnElement[Any], full: bool = False) -> list[Select[Any]]:
        """Selects of what the owner sent and of what the owner received, disjoint. ``full`` adds the other side's
        bare JID, resource and the stanza to the columns."""
        return [self._side(owner, columns, full=full, sent=sent) for sent in (True, False)]

    def _side(self, owner: str, columns: tuple[ColumnElement[Any], ...], *, full: bool, sent: bool) -> Select[Any]:
        own, other = ("sender", "receiver") if sent else ("receiver", "sender")
        table = archive.c
        peer, resource = table[other], table[f"{other}_resource"]
        if full:
            address = select(archive_addresses.c.address).where(archive_addresses.c.number == peer)
            columns = (*columns, address.scalar_subquery().label("peer"), resource.label("resource"), table.stanza)
        query = select(*columns).where(table[own] == _number(owner), table[f"{own}_keeps"].is_(true()))
        if self.wanted:
            query = query.where(table.id.in_(self.wanted))
        if self.peer:
            query = query.where(peer == _number(self.peer))
        if self.resource:
            query = query.where(resource == self.resource)
        if self.start is not None:
            query = query.where(table.id >= self.start * IDS_PER_MICROSECOND)
        if self.end is not None:
            query = query.where(table.id < (self.end + 1) * IDS_PER_MICROSECOND)
        if self.after is not None:
            query = query.where(table.id > self.after)
        if self.before is not None:
            query = query.where(table.id < self.before)
        return query


def page(window: Window, owner: str, limit: int, *, newest: bool) -> CompoundSelect[Any]:
    """Selects the fields of ``Archived``: the newest or the oldest of the window, in that order."""
    order = archive.c.id.desc() if newest else archive.c.id
    sides = window.sides(owner, archive.c.id, full=True)
    both = union_all(*(select(side.order_by(order).limit(limit).subquery()) for side in sides))
    place = both.selected_columns.id
    return both.order_by(place.desc() if newest else place).limit(limit)


async def read(connection: AsyncConnection, owner: str, window: Window, limit: int, *, newest: bool) -> list[Archived]:
    """At most ``limit`` messages, in the order of time: the newest of the window, or the oldest."""
    query = page(window, owner, limit, newest=newest)
    found = [Archived(*row) for row in (await connection.execute(query))]
    return found[::-1] if newest else found


async def count(connection: AsyncConnection, owner: str, window: Window) -> int:
    """How many messages the window holds."""
    query = union_all(*window.sides(owner, func.count(archive.c.id)))
    return sum((await connection.execute(query)).scalars())


async def known(connection: AsyncConnection, owner: str, ids: tuple[int, ...]) -> frozenset[int]:
    """Those of the ids that are in the owner's archive."""
    query = union_all(*Window(wanted=ids).sides(owner, archive.c.id))
    return frozenset((await connection.execute(query)).scalars())


async def bounds(connection: AsyncConnection, owner: str) -> tuple[int, int] | None:
    """The first and the last id of an archive; None where it is empty."""
    ends = (func.min(archive.c.id), func.max(archive.c.id))
    query = union_all(*(side for end in ends for side in Window().sides(owner, end)))
    found = [end for end in (await connection.execute(query)).scalars() if end is not None]
    return (min(found), max(found)) if found else None


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
