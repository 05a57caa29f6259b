"""Bring a presence database to the shape that this version needs."""

from __future__ import annotations

import asyncio

from sqlalchemy import pool
from sqlalchemy.ext.asyncio import create_async_engine

from ringback.storage.alembic_run import upgrade_connection


async def _run(url: str, revision: str) -> None:
    engine = create_async_engine(url, poolclass=pool.NullPool)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(upgrade_connection, "ringback.storage.presence:migrations", revision)
    finally:
        await engine.dispose()


async def upgrade(url: str, revision: str = "head") -> None:
    """Run the migrations up to a revision in a thread with a loop of its own: Alembic computes, and the service's
    loop goes on.

    Raises sqlalchemy.exc.SQLAlchemyError where the database refuses, alembic.util.CommandError for an unknown revision
    (a database written by a newer version).
    """
    await asyncio.to_thread(lambda: asyncio.run(_run(url, revision)))
