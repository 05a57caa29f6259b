"""Bring a call manager database to the shape that this version needs."""

from __future__ import annotations

import asyncio

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from ringback.storage.callmanager.engine import create_engine, exclusive

VERSION_TABLE = "callmanager_version"


def _upgrade(connection: Connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", "ringback.storage.callmanager:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


async def _run(url: str, revision: str) -> None:
    engine = create_engine(url)
    try:
        async with exclusive(engine) as connection:
            await connection.run_sync(_upgrade, revision)
    finally:
        await engine.dispose()


async def upgrade(url: str, revision: str = "head") -> None:
    """Run the migrations up to a revision, in a thread with a loop of its own, since Alembic computes.

    Several nodes of a cluster may do so at once: one goes first, the others find it done.
    Raises sqlalchemy.exc.SQLAlchemyError where the database refuses, alembic.util.CommandError for an unknown revision
    (a database written by a newer version).
    """
    await asyncio.to_thread(lambda: asyncio.run(_run(url, revision)))
