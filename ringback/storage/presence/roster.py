"""The contacts of accounts in the database."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Boolean, Column, LargeBinary, String, Table, bindparam, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ringback.storage.presence.core import accounts, metadata

roster_items: Final = Table(
    "roster_items",
    metadata,
    Column("bare", String(3071), primary_key=True, doc="whose contact"),
    Column("contact", String(3071), primary_key=True, doc="bare JID of the contact"),
    Column("name", String, nullable=False),
    Column("groups", String, nullable=False, doc="JSON array of names"),
    Column("subscription", String(8), nullable=False),
    Column("asks", Boolean, nullable=False),
    Column("pending_in", Boolean, nullable=False),
    Column("approved", Boolean, nullable=False),
    Column("visible", Boolean, nullable=False, doc="False: only a request waits, clients know of no contact"),
    Column("request", LargeBinary, nullable=False, doc="the waiting request's stanza"),
)

insert_account: Final = insert(accounts)
set_roster_version: Final = (
    update(accounts).where(accounts.c.bare == bindparam("of")).values(roster_version=bindparam("version"))
)
set_last_active: Final = (
    update(accounts)
    .where(accounts.c.bare == bindparam("of"))
    .values(last_active=bindparam("at"), last_status=bindparam("status"))
)
insert_item: Final = insert(roster_items)
delete_item: Final = delete(roster_items).where(
    roster_items.c.bare == bindparam("of"), roster_items.c.contact == bindparam("whom")
)
_select_account: Final = select(accounts).where(accounts.c.bare == bindparam("of"))
_select_items: Final = select(roster_items).where(roster_items.c.bare == bindparam("of"))


async def load_account(connection: AsyncConnection, bare: str) -> tuple[Any, list[Any]] | None:
    """The row of an account and the rows of its roster, or None where the account is not known."""
    account = (await connection.execute(_select_account, {"of": bare})).one_or_none()
    if account is None:
        return None
    return account, list(await connection.execute(_select_items, {"of": bare}))
