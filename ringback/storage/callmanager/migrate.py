"""Bring a call manager database to the shape that this version needs."""

from __future__ import annotations

import asyncio

from ringback.storage.alembic_run import upgrade_connection
from ringback.storage.callmanager.engine import create_engine, exclusive

VERSION_TABLE = "callmanager_version"


async def _run(url: str, revision: str) -> None:
    engine = create_engine(url)
    try:
        async with exclusive(engine) as connection:
            await connection.run_sync(upgrade_connection, "ringback.storage.callmanager:migrations", revision)
    finally:
        await engine.dispose()


async def upgrade(url: str, revision: str = "head") -> None:
    """Run the migrations up to a revision, in a thread with a loop of its own, since Alembic computes.

    Several nodes of a cluster may do so at once: one goes first, the others find it done.
    Raises sqlalchemy.exc.SQLAlchemyError where the database refuses, alembic.util.CommandError for an unknown revision
    (a database written by a newer version).
    """
    await asyncio.to_thread(lambda: asyncio.run(_run(url, revision)))
