"""Reading and writing personal events: nodes and items (XEP-0163)."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import bindparam, delete, select
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


async def load_account(connection: AsyncConnection, owner: str) -> tuple[list[KeptNode], list[KeptItem]]:
    """All nodes and items of an account, oldest item first."""
    nodes = select(
        pep_nodes.c.owner,
        pep_nodes.c.node,
        pep_nodes.c.access_model,
        pep_nodes.c.max_items,
        pep_nodes.c.persist,
        pep_nodes.c.send_last,
        pep_nodes.c.whitelist,
    ).where(pep_nodes.c.owner == owner)
    found = [
        KeptNode(*row[:6], whitelist=frozenset(row[6].split("\n")) - {""}) for row in (await connection.execute(nodes))
    ]
    items = (
        select(
            pep_items.c.node,
            pep_items.c.item,
            pep_items.c.position,
            pep_items.c.publisher,
            pep_items.c.payload,
        )
        .where(pep_items.c.owner == owner)
        .order_by(pep_items.c.position)
    )
    return found, [KeptItem(*row) for row in (await connection.execute(items))]
