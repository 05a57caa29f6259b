"""Groups of writes into a SQLite file: one connection in one thread, one call for a whole group.

SQLite's driver gives the interpreter lock away and takes it back for every statement that it runs, as threads do for
every call. Row by row, or call by call, the writer and the loop would spend more time on the lock than on the rows. And
a connection of its own keeps its pages in memory: they are read again only after somebody else wrote.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any, Final

from sqlalchemy import Connection, create_engine, event, make_url
from sqlalchemy.sql import Executable, Insert

from ringback.storage.presence.rows import Row, named, positional

_BLOCK: Final = 128  # rows that one statement inserts; SQLite takes 32766 values
_CLOSING: Final = 10.0  # seconds


class FileWriter:
    """Writes into a SQLite file, from one task at a time."""

    def __init__(self, url: str, prepare: Callable[[Any, object], None]) -> None:
        """``url`` names any driver of SQLite; ``prepare`` gets the driver's connection before anything else."""
        self._engine = create_engine(make_url(url).set(drivername="sqlite"), connect_args={"timeout": 30})
        event.listen(self._engine, "connect", prepare)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="presence storage")
        self._connection: Connection | None = None

    async def write(self, writes: Sequence[tuple[Executable, Sequence[Row]]]) -> None:
        """Commit all of them, or none. Raises sqlalchemy.exc.SQLAlchemyError."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._write, writes)

    async def close(self) -> None:
        """Disconnect. Raises TimeoutError where the disk takes too long."""
        async with asyncio.timeout(_CLOSING):
            await asyncio.get_running_loop().run_in_executor(self._thread, self._disconnect)
        self._thread.shutdown(wait=False)

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._engine.dispose()

    def _write(self, writes: Sequence[tuple[Executable, Sequence[Row]]]) -> None:
        if self._connection is None:
            self._connection = self._engine.connect()
        with self._connection.begin():
            for statement, rows in writes:
                if isinstance(statement, Insert):
                    _insert(self._connection, statement, rows)
                else:
                    self._connection.execute(statement, named(statement, rows))


def _insert(connection: Connection, statement: Insert, rows: Sequence[Row]) -> None:
    names, values = positional(statement, rows)
    quote = connection.dialect.identifier_preparer.quote
    columns = ", ".join(quote(name) for name in names)
    head = f"INSERT INTO {quote(statement.table.name)} ({columns}) VALUES "  # noqa: S608 - names of our own tables
    marks = f"({', '.join('?' * len(names))})"
    for start in range(0, len(values), _BLOCK):
        block = values[start : start + _BLOCK]
        connection.exec_driver_sql(head + ", ".join([marks] * len(block)), tuple(chain.from_iterable(block)))
