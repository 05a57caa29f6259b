"""Reading and writing what accounts keep for themselves: private storage, vCards and block lists."""

from __future__ import annotations

from sqlalchemy import bindparam, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ringback.storage.presence.tables import blocked, cards, private_storage, upsert

DROP_PRIVATE = delete(private_storage).where(
    private_storage.c.owner == bindparam("of"), private_storage.c.element == bindparam("at")
)
SET_PRIVATE = upsert(private_storage)
"""Takes a whole row; replaces the one with the same key."""

DROP_CARD = delete(cards).where(cards.c.owner == bindparam("of"))
SET_CARD = upsert(cards)
"""Takes a whole row; replaces the one with the same key."""

UNBLOCK = delete(blocked).where(blocked.c.owner == bindparam("of"), blocked.c.jid == bindparam("who"))
BLOCK = upsert(blocked)
"""Takes a whole row."""


async def read_private(connection: AsyncConnection, owner: str, element: str) -> bytes | None:
    """What an account keeps under ``{namespace}name``; None where nothing."""
    query = select(private_storage.c.payload).where(
        private_storage.c.owner == owner, private_storage.c.element == element
    )
    return (await connection.execute(query)).scalar_one_or_none()


async def private_names(connection: AsyncConnection, owner: str) -> set[str]:
    """The ``{namespace}name`` of everything that an account keeps."""
    query = select(private_storage.c.element).where(private_storage.c.owner == owner)
    return set((await connection.execute(query)).scalars())


async def read_card(connection: AsyncConnection, owner: str) -> bytes | None:
    """An account's vCard; None where it never set one."""
    return (await connection.execute(select(cards.c.payload).where(cards.c.owner == owner))).scalar_one_or_none()


async def load_blocked(connection: AsyncConnection) -> dict[str, set[str]]:
    """Every block list: account to blocked JIDs. Accounts without a list are absent."""
    lists: dict[str, set[str]] = {}
    for owner, jid in await connection.execute(select(blocked.c.owner, blocked.c.jid)):
        lists.setdefault(owner, set()).add(jid)
    return lists
