"""Tables, migrations and statements, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from ringback.storage.presence import archive, offline, pep, private, rooms, roster
from ringback.storage.presence.core import metadata
from ringback.storage.presence.migrate import upgrade
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
        await opened.execute(archive.APPEND, [_row(1)])
    await upgrade(database_url)
    async with engine.begin() as opened:
        assert len(await archive.read(opened, "a@x", archive.Window(), 10, newest=False)) == 1


def _row(number: int, owner: str = "a@x", peer: str = "b@x", resource: str = "") -> dict[str, object]:
    return {
        "owner": owner,
        "id": number * IDS_PER_MICROSECOND + (owner != "a@x"),
        "peer": peer,
        "resource": resource,
        "stanza": b"<message>%d</message>" % number,
    }


@pytest.fixture
async def filled(connection: AsyncConnection) -> AsyncConnection:
    rows = [_row(number, peer="b@x" if number % 2 else "c@x") for number in range(1, 11)]
    await connection.execute(archive.APPEND, [*rows, _row(5, owner="other@x")])
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
        (archive.Window(resource="nick"), 100, False, []),
    ],
)
async def test_archive_windows(
    filled: AsyncConnection, window: archive.Window, limit: int, newest: bool, expected: list[int]
) -> None:
    found = await archive.read(filled, "a@x", window, limit, newest=newest)
    assert [message.microseconds for message in found] == expected
    if limit == 100:
        assert await archive.count(filled, "a@x", window) == len(expected)


async def test_archive_ends_and_forgetting(filled: AsyncConnection) -> None:
    unit = IDS_PER_MICROSECOND
    assert await archive.bounds(filled, "a@x") == (unit, 10 * unit)
    assert await archive.bounds(filled, "nobody@x") is None
    assert await archive.known(filled, "a@x", (unit, 99 * unit)) == {unit}
    assert await archive.newest_id(filled) == 10 * unit
    await filled.execute(archive.FORGET, [{"of": "a@x"}])
    assert await archive.count(filled, "a@x", archive.Window()) == 0
    assert await archive.count(filled, "other@x", archive.Window()) == 1


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
