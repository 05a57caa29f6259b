"""Messages that wait for a person who is not there."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    bindparam,
    delete,
    func,
    insert,
    select,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from ringback.storage.presence.core import metadata

offline_messages: Final = Table(
    "offline_messages",
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("bare", String(3071), nullable=False, doc="for whom"),
    Column("received", Float, nullable=False, doc="seconds since 1970"),
    Column("stanza", LargeBinary, nullable=False),
    Index("offline_messages_bare", "bare", "number"),
)

insert_message: Final = insert(offline_messages)
delete_messages: Final = delete(offline_messages).where(
    offline_messages.c.bare == bindparam("of"), offline_messages.c.number <= bindparam("upto")
)
_select_messages: Final = (
    select(offline_messages).where(offline_messages.c.bare == bindparam("of")).order_by(offline_messages.c.number)
)
_count: Final = select(func.count()).select_from(offline_messages).where(offline_messages.c.bare == bindparam("of"))


async def load_messages(connection: AsyncConnection, bare: str) -> list[Any]:
    """The rows that wait for an account, oldest first."""
    return list(await connection.execute(_select_messages, {"of": bare}))


async def count_messages(connection: AsyncConnection, bare: str) -> int:
    """How many messages wait for an account."""
    return int((await connection.execute(_count, {"of": bare})).scalar_one())
