"""Reading and writing personal events: nodes and items (XEP-0163)."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Row, and_, bindparam, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ringback.storage.presence.tables import pep_items, pep_nodes, upsert

DROP_NODE = delete(pep_nodes).where(pep_nodes.c.owner == bindparam("of"), pep_nodes.c.node == bindparam("at"))
SET_NODE = upsert(pep_nodes)
"""Takes a whole row; replaces the one with the same key."""

DROP_ITEMS = delete(pep_items).where(pep_items.c.owner == bindparam("of"), pep_items.c.node == bindparam("at"))
DROP_ITEM = delete(pep_items).where(
    pep_items.c.owner == bindparam("of"), pep_items.c.node == bindparam("at"), pep_items.c.item == bindparam("which")
)
SET_ITEM = upsert(pep_items)
"""Takes a whole row; replaces the one with the same key."""


@dataclass(frozen=True, slots=True)
class KeptNode:
    """A node's configuration; ``whitelist`` names the bare JIDs that may read it under that access model."""

    owner: str
    node: str
    access_model: str
    max_items: int
    persist: bool
    send_last: bool
    whitelist: frozenset[str]


@dataclass(frozen=True, slots=True)
class KeptItem:
    """An item; ``position`` orders the items of a node by the time of publication."""

    node: str
    item: str
    position: int
    publisher: str
    payload: bytes


_NODE = (
    pep_nodes.c.owner,
    pep_nodes.c.node,
    pep_nodes.c.access_model,
    pep_nodes.c.max_items,
    pep_nodes.c.persist,
    pep_nodes.c.send_last,
    pep_nodes.c.whitelist,
)
_ITEM = (pep_items.c.node, pep_items.c.item, pep_items.c.position, pep_items.c.publisher, pep_items.c.payload)


def _node(row: Row[str, str, str, int, bool, bool, str]) -> KeptNode:
    return KeptNode(*row[:6], whitelist=frozenset(row[6].split("\n")) - {""})


async def load_nodes(connection: AsyncConnection, owner: str) -> list[KeptNode]:
    """The nodes of an account."""
    return [_node(row) for row in await connection.execute(select(*_NODE).where(pep_nodes.c.owner == owner))]


async def load_node(connection: AsyncConnection, owner: str, name: str) -> KeptNode | None:
    """One node, None where it does not exist."""
    query = select(*_NODE).where(pep_nodes.c.owner == owner, pep_nodes.c.node == name)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else _node(row)


async def load_items(
    connection: AsyncConnection, owner: str, name: str, *, limit: int | None = None, names: tuple[str, ...] = ()
) -> list[KeptItem]:
    """Items of a node, the oldest first: all, the ``limit`` newest, or those with the given names."""
    query = select(*_ITEM).where(pep_items.c.owner == owner, pep_items.c.node == name)
    if names:
        query = query.where(pep_items.c.item.in_(names))
    query = query.order_by(pep_items.c.position.desc()).limit(limit)
    return [KeptItem(*row) for row in await connection.execute(query)][::-1]


async def item_names(connection: AsyncConnection, owner: str, name: str) -> list[str]:
    """The names of a node's items, the oldest first."""
    query = select(pep_items.c.item).where(pep_items.c.owner == owner, pep_items.c.node == name)
    return list((await connection.execute(query.order_by(pep_items.c.position))).scalars())


async def newest_position(connection: AsyncConnection, owner: str, name: str) -> int:
    """The position of a node's newest item, 0 where it has none."""
    query = select(func.max(pep_items.c.position)).where(pep_items.c.owner == owner, pep_items.c.node == name)
    return int((await connection.execute(query)).scalar_one() or 0)


async def last_items(
    connection: AsyncConnection, owners: tuple[str, ...], names: tuple[str, ...]
) -> list[tuple[KeptNode, KeptItem]]:
    """The newest item of every node of these owners and names that tells its last item to newcomers."""
    if not owners or not names:
        return []
    wanted = and_(pep_nodes.c.owner.in_(owners), pep_nodes.c.node.in_(names), pep_nodes.c.send_last.is_(True))
    newest = (
        select(pep_items.c.owner, pep_items.c.node, func.max(pep_items.c.position).label("position"))
        .where(pep_items.c.owner.in_(owners), pep_items.c.node.in_(names))
        .group_by(pep_items.c.owner, pep_items.c.node)
        .subquery()
    )
    query = (
        select(*_NODE, *_ITEM)
        .join(newest, and_(newest.c.owner == pep_nodes.c.owner, newest.c.node == pep_nodes.c.node))
        .join(
            pep_items,
            and_(
                pep_items.c.owner == newest.c.owner,
                pep_items.c.node == newest.c.node,
                pep_items.c.position == newest.c.position,
            ),
        )
        .where(wanted)
    )
    width = len(_NODE)
    return [
        (KeptNode(*row[:6], whitelist=frozenset(row[6].split("\n")) - {""}), KeptItem(*row[width:]))
        for row in await connection.execute(query)
    ]


async def newest_names(connection: AsyncConnection, name: str) -> dict[str, str]:
    """For every account that has the node: the name of its newest item."""
    query = select(pep_items.c.owner, pep_items.c.item).where(pep_items.c.node == name).order_by(pep_items.c.position)
    return dict(tuple(row) for row in await connection.execute(query))
