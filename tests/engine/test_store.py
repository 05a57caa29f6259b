"""The local store: sealed, bound to its place, one owner at a time, whole after a kill."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ringback.client.engine.engine import Engine
from ringback.client.engine.settings import EngineSettings
from ringback.client.host.wire_chats import Message
from ringback.client.host.wire_sign_in import ManualSettings
from ringback.client.store.errors import StoreClosedError, StoreFileError, StoreKeyError
from ringback.client.store.keys import load_master_key
from ringback.client.store.place import claim
from ringback.client.store.store import KeptMessage, Store
from tests.support.waiting import until

KEY = b"k" * 32


def message(number: int, conversation: str = "bruno@example.com") -> Message:
    """A message for keeping."""
    return Message(
        id=f"m{number}", conversation=conversation, sender="anita@example.com", sender_name="Anita", own=True,
        at=f"2026-11-22T09:00:{number:02d}+00:00", body=f"Text number {number}", state="sent",
    )  # fmt: skip


async def test_messages_come_back_in_order_and_by_every_id(tmp_path: Path) -> None:
    store = await Store.open(tmp_path / "a.db", KEY)
    await store.save(
        KeptMessage(message=message(number), stanza_id=f"s{number}", remote_id=f"r{number}", unsent=number == 7)
        for number in reversed(range(20))
    )
    await store.close()
    store = await Store.open(tmp_path / "a.db", KEY)
    kept = await store.history("bruno@example.com", 5)
    assert [one.message.id for one in kept] == ["m15", "m16", "m17", "m18", "m19"]
    older = await store.history("bruno@example.com", 3, kept[0].message.at)
    assert [one.message.id for one in older] == ["m12", "m13", "m14"]
    by_stanza = await store.message_by_stanza("bruno@example.com", "s4")
    by_remote = await store.message_by_remote("bruno@example.com", "anita@example.com", "r4")
    assert by_stanza is not None
    assert by_stanza == by_remote == await store.message("bruno@example.com", "m4")
    assert await store.message_by_remote("bruno@example.com", "mallory@example.com", "r4") is None
    assert [one.message.id for one in await store.unsent()] == ["m7"]
    oldest = await store.oldest("bruno@example.com")
    assert oldest is not None
    assert oldest.message.id == "m0"
    await store.close()


async def test_another_key_is_refused(tmp_path: Path) -> None:
    store = await Store.open(tmp_path / "a.db", KEY)
    await store.put("meta", "x", "secret")
    await store.close()
    with pytest.raises(StoreKeyError):
        await Store.open(tmp_path / "a.db", secrets.token_bytes(32))


async def test_changed_and_swapped_rows_are_refused(tmp_path: Path) -> None:
    store = await Store.open(tmp_path / "a.db", KEY)
    await store.put_all("meta", [("one", "first"), ("two", "second")])
    await store.close()
    database = sqlite3.connect(tmp_path / "a.db")
    rows = database.execute("SELECT name, value FROM document ORDER BY name").fetchall()
    database.execute("UPDATE document SET value = ? WHERE name = ?", (rows[1][1], rows[0][0]))
    flipped = bytes([*rows[1][1][:-1], rows[1][1][-1] ^ 1])
    database.execute("UPDATE document SET value = ? WHERE name = ?", (flipped, rows[1][0]))
    database.commit()
    database.close()
    store = await Store.open(tmp_path / "a.db", KEY)
    for name in ("one", "two"):
        with pytest.raises(StoreKeyError):
            await store.get("meta", name, str)
    await store.close()


async def test_what_is_no_store_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_bytes(b"this is no database, but long enough to look like a file of something else")
    with pytest.raises(StoreFileError):
        await Store.open(tmp_path / "a.db", KEY)


def test_one_engine_per_store(tmp_path: Path) -> None:
    first, second = claim(tmp_path, "anita@example.com"), claim(tmp_path, "anita@example.com")
    assert first.first
    assert not second.first
    assert first.path != second.path
    assert "anita" not in first.path.name
    first.release()
    again = claim(tmp_path, "anita@example.com")
    assert again.path == first.path
    again.release()
    second.release()


def test_the_key_file_is_the_owner_s_alone(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    key = load_master_key(folder, use_keyring=False)
    assert (folder / "key").stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    assert key.warning is not None
    assert load_master_key(folder, use_keyring=False).key == key.key
    (folder / "key").write_text("damaged")
    with pytest.raises(StoreKeyError):
        load_master_key(folder, use_keyring=False)


_WRITER = """
import asyncio, sys
from pathlib import Path
from ringback.client.store.store import Store
async def main():
    store = await Store.open(Path(sys.argv[1]), b"k" * 32)
    number = 0
    while True:
        await store.put_all("meta", [(f"a{number}", number), (f"b{number}", number)])
        print(number, flush=True)
        number += 1
asyncio.run(main())
"""


def written_until_killed(path: Path) -> list[int]:
    """The numbers that a process said it had written before it was killed."""
    with subprocess.Popen([sys.executable, "-c", _WRITER, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = [int(process.stdout.readline()) for _ in range(40)]
        os.kill(process.pid, signal.SIGKILL)
    return told


async def test_a_killed_process_leaves_whole_transactions(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    told = written_until_killed(path)
    store = await Store.open(path, KEY)
    kept = await store.all("meta", int)
    assert {f"a{number}" for number in told} <= set(kept)
    assert {name[1:] for name in kept if name[0] == "a"} == {name[1:] for name in kept if name[0] == "b"}
    await store.close()


@pytest.mark.parametrize("turns", range(0, 40, 2))
async def test_a_write_whose_writer_is_cancelled_locks_nobody_out(tmp_path: Path, turns: int) -> None:
    first = await Store.open(tmp_path / "a.db", KEY)
    writing = asyncio.create_task(first.put("kind", "name", "written"))
    for _ in range(turns):
        await asyncio.sleep(0)
    writing.cancel()
    await asyncio.wait([writing])
    other = await Store.open(tmp_path / "a.db", KEY)
    async with asyncio.timeout(4):  # less than SQLite waits for a lock
        await other.put("kind", "other", "also written")
    await other.close()
    await first.close()
    third = await Store.open(tmp_path / "a.db", KEY)
    assert await third.get("kind", "other", str) == "also written"
    assert await third.get("kind", "name", str) in (None, "written")
    await third.close()


@pytest.mark.parametrize("turns", [0, 1, 2, 3, 5, 8, 13])
async def test_who_writes_on_while_it_is_closed_is_told_and_locks_nobody_out(tmp_path: Path, turns: int) -> None:
    first = await Store.open(tmp_path / "a.db", KEY)

    async def write_on(name: str) -> None:
        while True:
            await first.put("kind", name, "written")

    writers = [asyncio.create_task(write_on(name)) for name in ("a", "b", "c")]
    for _ in range(turns):
        await asyncio.sleep(0)
    await first.close()
    ended = await asyncio.gather(*writers, return_exceptions=True)
    assert [type(one) for one in ended] == [StoreClosedError] * 3
    other = await Store.open(tmp_path / "a.db", KEY)
    async with asyncio.timeout(4):  # less than SQLite waits for a lock
        await other.put("kind", "other", "also written")
    await other.close()
    with pytest.raises(StoreClosedError):
        await other.get("kind", "other", str)


async def test_an_engine_that_cannot_start_leaves_nothing_open(tmp_path: Path) -> None:
    """An open database keeps a thread, and with it the process."""
    settings = EngineSettings(data=tmp_path, use_keyring=False)
    async with Engine(settings) as engine:
        await engine.accounts.set_manual(ManualSettings(mode="manual"))
    with contextlib.closing(sqlite3.connect(settings.profile / "machine.db")) as database:
        database.execute("UPDATE document SET value = zeroblob(40)")
        database.commit()
    before = threading.active_count()
    with pytest.raises(StoreKeyError):
        await Engine(settings).start()
    await until(lambda: threading.active_count() <= before)
