"""Connections to a service's database, and the transaction that only one node has at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine


def create_engine(url: str) -> AsyncEngine:
    """An engine for ``sqlite+aiosqlite:///FILE`` or ``postgresql+asyncpg://...``; SQLite in WAL mode.

    Single statements run without a transaction, which saves a round trip each; ``exclusive`` opens one.
    """
    autocommit: dict[str, Any] = {"isolation_level": "AUTOCOMMIT", "skip_autocommit_rollback": True}
    if not url.startswith("sqlite"):
        return create_async_engine(url, pool_size=4, max_overflow=4, pool_pre_ping=True, **autocommit)
    engine = create_async_engine(url, connect_args={"timeout": 30}, **autocommit)

    def connected(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    event.listen(engine.sync_engine, "connect", connected)
    return engine


@asynccontextmanager
async def exclusive(engine: AsyncEngine, lock: int) -> AsyncIterator[AsyncConnection]:
    """A transaction that waits for its turn among all nodes; committed at the end, rolled back where it raises.

    ``lock``: a number that all nodes of one service share and no other service uses in the same database."""
    if engine.dialect.name == "sqlite":
        # A deferred transaction that turns from reading to writing can't wait for its turn, so it begins as a writer.
        async with engine.connect() as connection:
            await connection.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                yield connection
                await connection.exec_driver_sql("COMMIT")
            except BaseException:
                # A full disk ends the transaction by itself, or leaves it open where the commit fails: either way the
                # connection must not go back into the pool within one.
                with suppress(OperationalError):
                    await connection.exec_driver_sql("ROLLBACK")
                raise
        return
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="READ COMMITTED")
        async with connection.begin():
            await connection.execute(text(f"SELECT pg_advisory_xact_lock({lock})"))
            yield connection
