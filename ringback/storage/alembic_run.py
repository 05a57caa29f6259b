"""Running Alembic inside a program: with a connection at hand, and one database after the other."""

from __future__ import annotations

import threading
from typing import Final

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

_ONE_AT_A_TIME: Final = threading.Lock()  # Alembic keeps the migration under way in module globals


def upgrade_connection(connection: Connection, script_location: str, revision: str = "head") -> None:
    """Run the migrations of ``script_location`` (``package:folder``) up to a revision on an open connection.

    Blocks: call it in a thread. Raises sqlalchemy.exc.SQLAlchemyError where the database refuses,
    alembic.util.CommandError for an unknown revision (a database written by a newer version).
    """
    config = Config()
    config.set_main_option("script_location", script_location)
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    with _ONE_AT_A_TIME:
        command.upgrade(config, revision)
