"""Tables, migrations and statements, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from ringback.storage.presence import archive, offline, pep, private, rooms, roster, tables
from ringback.storage.presence.core import metadata
from ringback.storage.presence.engine import Storage
from ringback.storage.presence.migrate import upgrade
from ringback.storage.presence.rows import named
from ringback.storage.presence.tables import IDS_PER_MICROSECOND


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    await upgrade(database_url)
    made = create_async_engine(database_url)
    yield made
    await made.dispose()


@pytest.fixture
async def connection(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    async with engine.begin() as opened:
        yield opened


def _differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, metadata))


async def test_migrations_make_exactly_the_tables_of_the_code(connection: AsyncConnection) -> None:
    assert {roster.roster_items.name, offline.offline_messages.name} <= set(metadata.tables)
    assert await connection.run_sync(_differences) == []


async def test_a_second_upgrade_changes_nothing(database_url: str, engine: AsyncEngine) -> None:
    async with engine.begin() as opened:
        await _append(opened, _row(1))
    await upgrade(database_url)
    async with engine.begin() as opened:
        assert len(await archive.read(opened, "a@x", archive.Window(), 10, newest=False)) == 1


ADDRESSES = ("a@x", "b@x", "c@x", "other@x")


async def _append(connection: AsyncConnection, *rows: tuple[object, ...]) -> None:
    people = [{"number": number, "address": address} for number, address in enumerate(ADDRESSES)]
    await connection.execute(insert(tables.archive_addresses), people)
    await connection.execute(archive.APPEND, named(archive.APPEND, rows))


def _row(
    number: int, sender: str = "a@x", receiver: str = "b@x", *, keeps: tuple[bool, bool] = (True, True)
) -> tuple[object, ...]:
    sides = (ADDRESSES.index(sender), ADDRESSES.index(receiver))
    return (number * IDS_PER_MICROSECOND, *sides, *keeps, "nick", "desk", b"<message>%d</message>" % number)


@pytest.fixture
async def filled(connection: AsyncConnection) -> AsyncConnection:
    """Ten messages of a with b (odd) and c (even), to and fro; and others that are not in a's archive."""
    rows = [
        _row(number, *(("a@x", peer) if number % 4 < 2 else (peer, "a@x")))
        for number in range(1, 11)
        for peer in ("b@x" if number % 2 else "c@x",)
    ]
    await _append(
        connection,
        *rows,
        _row(20, "b@x", "other@x"),
        _row(21, "a@x", "other@x", keeps=(False, True)),
        _row(22, "other@x", "a@x", keeps=(True, False)),
    )
    return connection


@pytest.mark.parametrize(
    ("window", "limit", "newest", "expected"),
    [
        (archive.Window(), 100, False, list(range(1, 11))),
        (archive.Window(), 3, False, [1, 2, 3]),
        (archive.Window(), 3, True, [8, 9, 10]),
        (archive.Window(start=4, end=6), 100, False, [4, 5, 6]),
        (archive.Window(peer="b@x"), 2, True, [7, 9]),
        (archive.Window(after=7 * IDS_PER_MICROSECOND), 100, False, [8, 9, 10]),
        (archive.Window(before=3 * IDS_PER_MICROSECOND), 100, True, [1, 2]),
        (archive.Window(wanted=(2 * IDS_PER_MICROSECOND, 9 * IDS_PER_MICROSECOND)), 100, False, [2, 9]),
        (archive.Window(peer="nobody@x"), 100, False, []),
        (archive.Window(peer="other@x"), 100, False, []),
        (archive.Window(resource="nick"), 100, False, [2, 3, 6, 7, 10]),
        (archive.Window(peer="b@x", resource="desk"), 100, True, [1, 5, 9]),
        (archive.Window(peer="b@x", resource="nobody"), 100, False, []),
    ],
)
async def test_archive_windows(
    filled: AsyncConnection, window: archive.Window, limit: int, newest: bool, expected: list[int]
) -> None:
    found = await archive.read(filled, "a@x", window, limit, newest=newest)
    assert [message.microseconds for message in found] == expected
    if limit == 100:
        assert await archive.count(filled, "a@x", window) == len(expected)


async def test_each_side_reads_its_own_of_what_is_kept_once(filled: AsyncConnection) -> None:
    async def of(owner: str, window: archive.Window) -> list[tuple[int, str, str]]:
        found = await archive.read(filled, owner, window, 100, newest=False)
        return [(message.microseconds, message.peer, message.resource) for message in found]

    assert await of("b@x", archive.Window()) == [
        (1, "a@x", "nick"), (3, "a@x", "desk"), (5, "a@x", "nick"), (7, "a@x", "desk"), (9, "a@x", "nick"),
        (20, "other@x", "desk"),
    ]  # fmt: skip
    assert await of("other@x", archive.Window(peer="a@x")) == [(21, "a@x", "nick"), (22, "a@x", "desk")]
    unit = IDS_PER_MICROSECOND
    assert await archive.known(filled, "a@x", (21 * unit, 22 * unit)) == frozenset()
    assert await archive.known(filled, "other@x", (21 * unit, 22 * unit, unit)) == {21 * unit, 22 * unit}


async def test_archive_ends_and_forgetting(filled: AsyncConnection) -> None:
    unit = IDS_PER_MICROSECOND
    assert await archive.bounds(filled, "a@x") == (unit, 10 * unit)
    assert await archive.bounds(filled, "other@x") == (20 * unit, 22 * unit)
    assert await archive.bounds(filled, "nobody@x") is None
    assert await archive.known(filled, "a@x", (unit, 99 * unit)) == {unit}
    assert await archive.newest_id(filled) == 22 * unit
    await filled.execute(archive.FORGET, [{"of": "other@x"}])
    assert await archive.count(filled, "other@x", archive.Window()) == 1  # what it sent: rooms only receive
    assert await archive.count(filled, "a@x", archive.Window()) == 10


@pytest.mark.parametrize(("window", "index"), [(archive.Window(), "sender"), (archive.Window(peer="b@x"), "pair")])
async def test_pages_are_found_by_an_index(tmp_path: Path, window: archive.Window, index: str) -> None:
    """Long archives stay quick: SQLite looks at the rows of the page only, in order, and sorts but the page."""
    made = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'plan.db'}")
    query = archive.page(window, "a@x", 10, newest=True)
    text = query.compile(dialect=made.dialect, compile_kwargs={"literal_binds": True})
    async with made.begin() as connection:
        await connection.run_sync(metadata.create_all)
        plan = " ".join(row[-1] for row in await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}"))
    await made.dispose()
    assert f"archive_{index} (" in plan
    assert "SCAN archive" not in plan
    assert plan.count("TEMP B-TREE") == plan.count("SCAN anon") == 2, plan


async def test_addresses_keep_their_numbers(database_url: str) -> None:
    for _ in range(2):
        storage = await Storage.open(database_url, prepare=upgrade)
        assert [storage.addresses.number(address) for address in ADDRESSES[:3]] == [1, 2, 3]
        assert storage.addresses.number("a@x") == 1
        await storage.close()


async def test_rows_of_all_lengths_of_blocks_are_written(database_url: str) -> None:
    storage = await Storage.open(database_url, prepare=upgrade)
    numbers = [storage.addresses.number(address) for address in ("a@x", "b@x")]
    for number in range(1, 300):
        storage.write(archive.APPEND, (number, *numbers, True, True, "", "", b"%d" % number))
        if number in (1, 130):
            await storage.durable()
    async with storage.read() as connection:
        found = await archive.read(connection, "b@x", archive.Window(), 1000, newest=True)
    assert [message.stanza for message in found] == [b"%d" % number for number in range(1, 300)]
    await storage.close()


async def test_preferences_are_replaced(connection: AsyncConnection) -> None:
    assert await archive.all_preferences(connection) == {}
    for default in ("always", "roster"):
        row = {"owner": "a@x", "rule": default, "always": "b@x\nc@x", "never": ""}
        await connection.execute(archive.SET_PREFERENCES, [row])
    assert await archive.all_preferences(connection) == {"a@x": ("roster", frozenset({"b@x", "c@x"}), frozenset())}


async def test_rooms_with_their_lists(connection: AsyncConnection) -> None:
    room = {"room": "r@c", "configuration": "{}", "subject": "Häuser", "subject_by": "Jö", "subject_at": 7}
    await connection.execute(rooms.SET_ROOM, [{**room, "salt": b"\x00s"}])
    lines = [
        {"room": "r@c", "jid": jid, "affiliation": affiliation, "nick": "", "reason": ""}
        for jid, affiliation in (("a@x", "owner"), ("b@x", "member"))
    ]
    await connection.execute(rooms.SET_AFFILIATION, lines)
    await connection.execute(rooms.DROP_AFFILIATION, [{"of": "r@c", "who": "b@x"}])
    (kept,) = await rooms.load_all(connection)
    assert (kept.subject, kept.salt) == ("Häuser", b"\x00s")
    assert [(line.jid, line.affiliation) for line in kept.affiliations] == [("a@x", "owner")]
    await connection.execute(rooms.DROP_ROOM, [{"of": "r@c"}])
    await connection.execute(rooms.DROP_AFFILIATIONS, [{"of": "r@c"}])
    assert await rooms.load_all(connection) == []


async def test_personal_events(connection: AsyncConnection) -> None:
    node = {
        "owner": "a@x",
        "node": "n",
        "access_model": "whitelist",
        "max_items": 2,
        "persist": True,
        "send_last": False,
        "whitelist": "b@x",
    }
    await connection.execute(pep.SET_NODE, [node])
    items = [
        {"owner": "a@x", "node": "n", "item": str(n), "position": n, "publisher": "a@x/r", "payload": b"<x/>"}
        for n in (3, 1, 2)
    ]
    await connection.execute(pep.SET_ITEM, items)
    await connection.execute(pep.DROP_ITEM, [{"of": "a@x", "at": "n", "which": "2"}])
    kept = pep.KeptNode("a@x", "n", "whitelist", 2, True, False, frozenset({"b@x"}))
    assert await pep.load_nodes(connection, "a@x") == [await pep.load_node(connection, "a@x", "n")] == [kept]
    assert [item.item for item in await pep.load_items(connection, "a@x", "n")] == ["1", "3"]
    assert [item.item for item in await pep.load_items(connection, "a@x", "n", limit=1)] == ["3"]
    assert [item.item for item in await pep.load_items(connection, "a@x", "n", names=("1", "9"))] == ["1"]
    assert await pep.newest_position(connection, "a@x", "n") == 3
    assert await pep.last_items(connection, ("a@x",), ("n",)) == []
    await connection.execute(pep.SET_NODE, [{**node, "send_last": True}])
    ((_, last),) = await pep.last_items(connection, ("a@x", "b@x"), ("n", "m"))
    assert last.item == "3"
    await connection.execute(pep.DROP_ITEMS, [{"of": "a@x", "at": "n"}])
    assert await pep.item_names(connection, "a@x", "n") == []


async def test_private_cards_and_blocks(connection: AsyncConnection) -> None:
    assert await private.read_private(connection, "a@x", "{n}e") is None
    await connection.execute(private.SET_PRIVATE, [{"owner": "a@x", "element": "{n}e", "payload": b"<e/>"}])
    assert await private.read_private(connection, "a@x", "{n}e") == b"<e/>"
    assert await private.read_card(connection, "a@x") is None
    await connection.execute(private.SET_CARD, [{"owner": "a@x", "payload": b"<vCard/>"}])
    assert await private.read_card(connection, "a@x") == b"<vCard/>"
    await connection.execute(private.BLOCK, [{"owner": "a@x", "jid": jid} for jid in ("b@x", "c@x")])
    await connection.execute(private.UNBLOCK, [{"of": "a@x", "who": "b@x"}])
    assert await private.load_blocked(connection) == {"a@x": {"c@x"}}
