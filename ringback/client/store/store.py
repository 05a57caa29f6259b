"""One account's local store: an SQLite file whose values are sealed row by row (AES-256-GCM).

What SQLite must compare is not plain either: names and ids are keyed digests (BLAKE2b), so that the file tells how many
rows there are and when messages were written, but neither who nor what. Writes are transactions in write-ahead mode: a
killed process leaves the last complete one. All work happens in the thread of aiosqlite.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import secrets
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Self, TypeVar

import aiosqlite
import msgspec
import structlog

from ringback.client.host.wire_chats import Message
from ringback.client.store.errors import StoreClosedError, StoreFileError
from ringback.client.store.keys import KEY_SIZE, derive, seal, unseal

_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS head (id INTEGER PRIMARY KEY CHECK (id = 1), version INTEGER NOT NULL, salt BLOB NOT NULL,
    wrapped BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS document (kind TEXT NOT NULL, name BLOB NOT NULL, value BLOB NOT NULL,
    PRIMARY KEY (kind, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS message (conversation BLOB NOT NULL, id BLOB NOT NULL, at TEXT NOT NULL, stanza BLOB,
    remote BLOB, unsent INTEGER NOT NULL, value BLOB NOT NULL, PRIMARY KEY (conversation, id));
CREATE INDEX IF NOT EXISTS message_at ON message (conversation, at);
CREATE INDEX IF NOT EXISTS message_stanza ON message (conversation, stanza) WHERE stanza IS NOT NULL;
CREATE INDEX IF NOT EXISTS message_remote ON message (conversation, remote) WHERE remote IS NOT NULL;
CREATE INDEX IF NOT EXISTS message_unsent ON message (unsent) WHERE unsent = 1;
"""

T = TypeVar("T")
_log = structlog.get_logger("ringback.store")


class KeptMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message with what the wire said of it: archive id, the sender's own id, and whether that was an origin id.

    ``unsent``: in the outbox: no server has confirmed it yet.
    """

    message: Message
    stanza_id: str = ""
    remote_id: str = ""
    origin: bool = False
    unsent: bool = False


class Store:
    """The open store of one account. Make one with ``open``; close it once. Afterwards everything raises
    StoreClosedError."""

    def __init__(self, database: aiosqlite.Connection, key: bytes) -> None:
        self._database = database
        self._seal_key = derive(key, b"", "values")
        self._name_key = derive(key, b"", "names")
        self._writing: set[asyncio.Task[None]] = set()
        self._closed = False

    @classmethod
    async def open(cls, path: Path, master: bytes) -> Self:
        """Open or make the store. Raises StoreKeyError for another master key, StoreFileError for an unusable file."""
        database: aiosqlite.Connection | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # Made with the right mode before SQLite opens it: its side files take the same mode.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            database = await aiosqlite.connect(path)
            await database.execute("PRAGMA journal_mode = WAL")
            await database.execute("PRAGMA synchronous = NORMAL")
            await database.execute("PRAGMA secure_delete = ON")
            await database.executescript(_SCHEMA)
            return cls(database, await _data_key(database, master))
        except BaseException as error:
            if database is not None:  # else its thread would keep the process from ending
                await database.close()
            if isinstance(error, (OSError, aiosqlite.Error)):
                raise StoreFileError(f"The local store {path.name} can't be opened: {error}") from error
            raise

    async def close(self) -> None:
        """Finish what is under way and close the file.

        Nothing begins from here on: a file that is closed within a transaction stays locked until its last cursor is
        gone, and whoever opens it next waits in vain.
        """
        self._closed = True
        while self._writing:
            await asyncio.wait(self._writing)
        await self._database.close()

    async def _read(self, query: str, values: Sequence[object] = ()) -> list[sqlite3.Row]:
        """All rows of a query."""
        if self._closed:
            raise StoreClosedError
        return list(await self._database.execute_fetchall(query, values))

    async def _read_one(self, query: str, values: Sequence[object] = ()) -> sqlite3.Row | None:
        rows = await self._read(query, values)
        return rows[0] if rows else None

    async def _write(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        """Write rows in one transaction. It comes to its end also where who asked is cancelled meanwhile: a transaction
        left open would keep everybody else from writing."""
        if self._closed:
            raise StoreClosedError
        task = asyncio.get_running_loop().create_task(self._write_whole(statement, rows), name="store")
        self._writing.add(task)
        task.add_done_callback(self._written)
        await asyncio.shield(task)

    async def _write_whole(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        try:
            await self._database.executemany(statement, rows)
            await self._database.commit()
        except BaseException:
            await self._database.rollback()
            raise

    def _written(self, task: asyncio.Task[None]) -> None:
        self._writing.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.warning("store.not_written", error=type(error).__name__)

    # --- documents: small things by kind and name

    async def put(self, kind: str, name: str, value: object) -> None:
        """Keep a document in place of an older one of that name."""
        await self.put_all(kind, [(name, value)])

    async def put_all(self, kind: str, documents: Iterable[tuple[str, object]]) -> None:
        """Keep several documents in one transaction."""
        rows = []
        for name, value in documents:
            place = self._digest(kind, name)
            rows.append((kind, place, seal(self._seal_key, msgspec.json.encode((name, value)), kind.encode() + place)))
        await self._write("INSERT OR REPLACE INTO document VALUES (?, ?, ?)", rows)

    async def get(self, kind: str, name: str, shape: type[T]) -> T | None:
        """A document, or None. Raises StoreKeyError where the file was changed."""
        place = self._digest(kind, name)
        row = await self._read_one("SELECT value FROM document WHERE kind = ? AND name = ?", (kind, place))
        return None if row is None else self._document(kind, place, row[0], shape)[1]

    async def all(self, kind: str, shape: type[T]) -> dict[str, T]:
        """All documents of a kind by name."""
        rows = await self._read("SELECT name, value FROM document WHERE kind = ?", (kind,))
        return dict(self._document(kind, place, value, shape) for place, value in rows)

    async def remove(self, kind: str, names: Sequence[str]) -> None:
        """Delete documents; missing ones are no error."""
        rows = [(kind, self._digest(kind, name)) for name in names]
        await self._write("DELETE FROM document WHERE kind = ? AND name = ?", rows)

    def _document(self, kind: str, place: bytes, value: bytes, shape: type[T]) -> tuple[str, T]:
        plain = unseal(self._seal_key, value, kind.encode() + place)
        name, raw = msgspec.json.decode(plain, type=tuple[str, msgspec.Raw])
        return name, msgspec.json.decode(raw, type=shape)

    # --- messages

    async def save(self, messages: Iterable[KeptMessage]) -> None:
        """Keep messages, replacing those of the same conversation and id, in one transaction."""
        rows = []
        for kept in messages:
            message = kept.message
            conversation = self._digest("conversation", message.conversation)
            place = self._digest("message", message.id)
            rows.append(
                (
                    conversation,
                    place,
                    message.at,
                    self._digest("stanza", kept.stanza_id) if kept.stanza_id else None,
                    self._digest("remote", f"{message.sender} {kept.remote_id}") if kept.remote_id else None,
                    int(kept.unsent),
                    seal(self._seal_key, msgspec.json.encode(kept), conversation + place),
                )
            )
        await self._write("INSERT OR REPLACE INTO message VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    async def message(self, conversation: str, message_id: str) -> KeptMessage | None:
        """A message by its id."""
        return await self._one(conversation, "id = ?", self._digest("message", message_id))

    async def message_by_stanza(self, conversation: str, stanza_id: str) -> KeptMessage | None:
        """A message by the id that an archive gave it."""
        return await self._one(conversation, "stanza = ?", self._digest("stanza", stanza_id))

    async def message_by_remote(self, conversation: str, sender: str, remote_id: str) -> KeptMessage | None:
        """A message by the id that its sender gave it."""
        return await self._one(conversation, "remote = ?", self._digest("remote", f"{sender} {remote_id}"))

    async def history(self, conversation: str, limit: int, before: str | None = None) -> list[KeptMessage]:
        """The newest messages, or those older than an ISO time, oldest first."""
        place = self._digest("conversation", conversation)
        rows = await self._read(
            "SELECT conversation, id, value FROM message WHERE conversation = ? AND (? IS NULL OR at < ?)"
            " ORDER BY at DESC LIMIT ?",
            (place, before, before, limit),
        )
        return [self._kept(row) for row in reversed(rows)]

    async def oldest(self, conversation: str) -> KeptMessage | None:
        """The oldest message of a conversation that is kept here."""
        place = self._digest("conversation", conversation)
        query = "SELECT conversation, id, value FROM message WHERE conversation = ? ORDER BY at LIMIT 1"
        row = await self._read_one(query, (place,))
        return None if row is None else self._kept(row)

    async def unsent(self) -> list[KeptMessage]:
        """The outbox, oldest first."""
        rows = await self._read("SELECT conversation, id, value FROM message WHERE unsent = 1 ORDER BY at")
        return [self._kept(row) for row in rows]

    async def drop(self, conversation: str, message_id: str) -> None:
        """Delete a message."""
        places = self._digest("conversation", conversation), self._digest("message", message_id)
        await self._write("DELETE FROM message WHERE conversation = ? AND id = ?", [places])

    async def _one(self, conversation: str, condition: str, value: bytes) -> KeptMessage | None:
        place = self._digest("conversation", conversation)
        query = f"SELECT conversation, id, value FROM message WHERE conversation = ? AND {condition}"  # noqa: S608
        row = await self._read_one(query, (place, value))
        return None if row is None else self._kept(row)

    def _kept(self, row: Sequence[bytes]) -> KeptMessage:
        plain = unseal(self._seal_key, row[2], row[0] + row[1])
        return msgspec.json.decode(plain, type=KeptMessage)

    def _digest(self, kind: str, name: str) -> bytes:
        return hashlib.blake2b(name.encode(), digest_size=16, key=self._name_key, person=kind.encode()[:16]).digest()


async def _data_key(database: aiosqlite.Connection, master: bytes) -> bytes:
    row = await (await database.execute("SELECT version, salt, wrapped FROM head")).fetchone()
    if row is not None:
        if row[0] != _VERSION:
            raise StoreFileError(f"The local store has format {row[0]}; this program reads {_VERSION}")
        return unseal(derive(master, row[1], "wrap"), row[2], b"head")
    salt, key = secrets.token_bytes(16), secrets.token_bytes(KEY_SIZE)
    wrapped = seal(derive(master, salt, "wrap"), key, b"head")
    await database.execute("INSERT INTO head VALUES (1, ?, ?, ?)", (_VERSION, salt, wrapped))
    await database.commit()
    return key


def delete_store(path: Path) -> None:
    """Delete a closed store with its side files. Blocks. Raises OSError where a file can't be deleted."""
    for file in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")):
        with contextlib.suppress(FileNotFoundError):
            file.unlink()
