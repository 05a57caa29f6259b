"""The database of a presence service: one engine, many readers, one writer that commits in groups.

Theory of operation. A chat server writes many small rows, and a commit costs the same for one row as for hundreds.
So ``write`` only queues a statement with its rows and returns a *ticket*; one task takes everything queued, joins
neighbouring rows of the same statement into one ``executemany``, commits once, and then everything up to the highest
ticket of the group is durable. While a group is being committed the next one gathers, so that load makes groups
larger, not the queue longer. Whoever must not promise before the disk has it (stream management acknowledgements,
offline storage) waits for the ticket with ``when_durable`` or ``durable``.

SQLite runs in WAL mode with ``synchronous=FULL``: a commit survives the end of the process and of the power.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

import structlog
from sqlalchemy import event
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.sql import Executable

from ringback.storage.presence.addresses import AddressBook
from ringback.storage.presence.core import metadata
from ringback.storage.presence.file_writer import FileWriter
from ringback.storage.presence.rows import Row, named

T = TypeVar("T")

_LARGEST_GROUP: Final = 2000  # rows in one transaction: bounds the latency of those who wait
_RETRY: Final = (0.05, 0.2, 1.0)  # seconds between tries while the database refuses; the last repeats

_PRAGMAS: Final = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "busy_timeout=30000",
    "cache_size=-16384",  # KiB: the archive's indexes stay in memory
    "wal_autocheckpoint=4000",  # pages: a hot page is written back once for many commits
)

_log = structlog.get_logger("ringback.storage.presence")


class StorageClosedError(Exception):
    """The database was closed while somebody waited for it."""


class _Write:
    __slots__ = ("rows", "statement", "ticket")

    def __init__(self, statement: Executable, rows: list[Row], ticket: int) -> None:
        self.statement = statement
        self.rows = rows
        self.ticket = ticket  # of the last call that was joined into this one


class _Transaction:
    __slots__ = ("function", "future", "ticket")

    def __init__(
        self, function: Callable[[AsyncConnection], Awaitable[Any]], future: asyncio.Future[Any], ticket: int
    ) -> None:
        self.function = function
        self.future = future
        self.ticket = ticket


class Storage:
    """An open database. Make it with ``Storage.open``; close it with ``close``."""

    def __init__(self, engine: AsyncEngine, url: str) -> None:
        self.engine = engine
        self._queue: deque[_Write | _Transaction] = deque()
        self._submitted = 0
        self._durable = 0
        self._waiting: deque[tuple[int, Callable[[], None]]] = deque()
        self._wake = asyncio.Event()
        self._closing = False
        self._file = FileWriter(url, _set_pragmas) if engine.dialect.name == "sqlite" else None
        self._task: asyncio.Task[None] | None = None
        self.addresses = AddressBook(self.write)

    @classmethod
    async def open(cls, url: str, *, prepare: Callable[[str], Awaitable[None]] | None = None) -> Storage:
        """Connect to ``sqlite+aiosqlite:///FILE`` or ``postgresql+asyncpg://...`` and bring the tables up to date.

        ``prepare`` migrates the database with this URL first. Raises sqlalchemy.exc.SQLAlchemyError or OSError.
        """
        if prepare is not None:
            await prepare(url)
        engine = create_engine(url)
        try:
            await create_missing(engine)
            storage = cls(engine, url)
            async with engine.connect() as connection:
                await storage.addresses.load(connection)
        except BaseException:
            await engine.dispose()
            raise
        storage._task = asyncio.create_task(storage._run(), name="presence storage writer")
        return storage

    async def close(self) -> None:
        """Commit what is queued, then disconnect."""
        self._closing = True
        self._wake.set()
        if self._task is not None:
            try:
                await asyncio.wait_for(self._task, 10)
            except TimeoutError:
                _log.error("storage.close_timeout", lost=len(self._queue))
        for operation in self._queue:
            if isinstance(operation, _Transaction) and not operation.future.done():
                operation.future.set_exception(StorageClosedError())
        self._queue.clear()
        self._waiting.clear()
        if self._file is not None:
            await self._file.close()
        await self.engine.dispose()

    @property
    def submitted(self) -> int:
        """The ticket of the last write that was queued."""
        return self._submitted

    @property
    def backlog(self) -> int:
        """How many writes are not durable yet: streams stop reading where this grows."""
        return self._submitted - self._durable

    def write(self, statement: Executable, *rows: Row) -> int:
        """Queue a statement (insert, update, delete with bind parameters) for each row; its ticket.

        An insert takes mappings, or tuples with a value for every column in the order of the table.

        Hot path: keep the statement object in a constant, so that rows of one statement share one ``executemany``.
        Statements run in the order in which they are queued. A row that the database refuses for its content
        (constraint, value) is logged and dropped; when the database itself fails, the group is tried again.
        """
        self._submitted += 1
        queue = self._queue
        last = queue[-1] if queue else None
        if type(last) is _Write and last.statement is statement:
            last.rows.extend(rows)
            last.ticket = self._submitted
        else:
            queue.append(_Write(statement, list(rows), self._submitted))
        if not self._wake.is_set():
            self._wake.set()
        return self._submitted

    async def transact(self, function: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Run ``function`` in a transaction of its own, after all writes queued before: for read-modify-write.

        Returns its result once committed. What it raises rolls back and is raised here.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._submitted += 1
        self._queue.append(_Transaction(function, future, self._submitted))
        self._wake.set()
        return await future

    @asynccontextmanager
    async def read(self, *, fresh: bool = True) -> AsyncIterator[AsyncConnection]:
        """A connection for reading. ``fresh`` waits first until all writes queued so far can be seen."""
        if fresh:
            await self.durable()
        async with self.engine.connect() as connection:
            yield connection

    async def durable(self, ticket: int | None = None) -> None:
        """Wait until a ticket (default: everything queued so far) is durable. Raises StorageClosedError."""
        wanted = self._submitted if ticket is None else ticket
        if self._durable >= wanted:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def arrived() -> None:
            if not future.done():
                future.set_result(None)

        self.when_durable(wanted, arrived)
        if self._task is None or self._task.done():
            raise StorageClosedError
        await future

    def is_durable(self, ticket: int) -> bool:
        """Whether everything up to ``ticket`` is durable."""
        return self._durable >= ticket

    def when_durable(self, ticket: int, callback: Callable[[], None]) -> None:
        """Call back once ``ticket`` is durable; at once where it is already. ``callback`` must not raise."""
        if self._durable >= ticket:
            callback()
            return
        waiting = self._waiting
        if waiting and waiting[-1][0] > ticket:  # rare: somebody waits for an older ticket
            waiting.append((ticket, callback))
            self._waiting = deque(sorted(waiting, key=lambda entry: entry[0]))
        else:
            waiting.append((ticket, callback))

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                group = self._next_group()
                await self._commit_group(group)
                self._settle(group[-1].ticket)
            if self._closing:
                return

    def _next_group(self) -> list[_Write | _Transaction]:
        """Everything queued up to the next transaction, or as much of it as fits."""
        queue = self._queue
        group = [queue.popleft()]
        if isinstance(group[0], _Write):
            rows = len(group[0].rows)
            while queue and rows < _LARGEST_GROUP:
                operation = queue[0]
                if isinstance(operation, _Transaction):
                    break
                rows += len(operation.rows)
                group.append(queue.popleft())
        return group

    async def _commit_group(self, group: list[_Write | _Transaction]) -> None:
        first = group[0]
        if isinstance(first, _Transaction):
            await self._transaction(first)
            return
        writes = [operation for operation in group if isinstance(operation, _Write)]
        attempt = 0
        while True:
            try:
                await self._write_all(writes)
            except (IntegrityError, DataError):
                writes = await self._one_by_one(writes)
                if not writes:
                    return
            except (SQLAlchemyError, OSError) as error:
                _log.error("storage.commit_failed", attempt=attempt, error=type(error).__name__)
                if self._closing and attempt >= len(_RETRY):
                    return
            else:
                return
            await asyncio.sleep(_RETRY[min(attempt, len(_RETRY) - 1)])
            attempt += 1

    async def _write_all(self, writes: list[_Write]) -> None:
        if self._file is not None:
            await self._file.write([(write.statement, write.rows) for write in writes])
            return
        async with self.engine.begin() as connection:
            for operation in writes:
                await connection.execute(operation.statement, named(operation.statement, operation.rows))

    async def _one_by_one(self, writes: list[_Write]) -> list[_Write]:
        """Write every row in a transaction of its own and drop those that are refused; what is left to try again."""
        for index, operation in enumerate(writes):
            for position, row in enumerate(operation.rows):
                try:
                    async with self.engine.begin() as connection:
                        await connection.execute(operation.statement, named(operation.statement, [row]))
                except (IntegrityError, DataError) as error:
                    _log.error("storage.row_refused", statement=str(operation.statement), error=type(error).__name__)
                except (SQLAlchemyError, OSError):
                    rest = _Write(operation.statement, operation.rows[position:], operation.ticket)
                    return [rest, *writes[index + 1 :]]
        return []

    async def _transaction(self, operation: _Transaction) -> None:
        if operation.future.cancelled():
            return
        try:
            async with self.engine.begin() as connection:
                result = await operation.function(connection)
        except Exception as error:  # noqa: BLE001 - handed to the one who asked
            if not operation.future.done():
                operation.future.set_exception(error)
        else:
            if not operation.future.done():
                operation.future.set_result(result)

    def _settle(self, goal: int) -> None:
        self._durable = max(self._durable, goal)
        while self._waiting and self._waiting[0][0] <= self._durable:
            self._waiting.popleft()[1]()


def create_engine(url: str) -> AsyncEngine:
    """An engine with the settings that this service needs; SQLite in WAL mode."""
    if not url.startswith("sqlite"):
        return create_async_engine(url, pool_size=5, max_overflow=5, pool_pre_ping=True)
    engine = create_async_engine(url, connect_args={"timeout": 30})

    event.listen(engine.sync_engine, "connect", _set_pragmas)
    return engine


def _set_pragmas(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


async def create_missing(engine: AsyncEngine) -> None:
    """Create the tables that the database does not have yet."""
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
