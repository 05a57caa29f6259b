"""Bring a voicemail database to the shape that this version needs."""

from __future__ import annotations

import asyncio

from ringback.storage.alembic_run import upgrade_connection
from ringback.storage.engine import create_engine, exclusive

VERSION_TABLE = "voicemail_version"
LOCK = 0x766D6169  # any number that all nodes of a voicemail service share


async def _run(url: str, revision: str) -> None:
    engine = create_engine(url)
    try:
        async with exclusive(engine, LOCK) as connection:
            await connection.run_sync(upgrade_connection, "ringback.storage.voicemail:migrations", revision)
    finally:
        await engine.dispose()


async def upgrade(url: str, revision: str = "head") -> None:
    """Run the migrations up to a revision, in a thread with a loop of its own, since Alembic computes.

    Raises sqlalchemy.exc.SQLAlchemyError where the database refuses, alembic.util.CommandError for an unknown revision
    (a database written by a newer version).
    """
    await asyncio.to_thread(lambda: asyncio.run(_run(url, revision)))
