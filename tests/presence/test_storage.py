"""The engine: tickets, groups, order, refused rows; on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from ringback.storage.presence.core import accounts
from ringback.storage.presence.engine import Storage, StorageClosedError
from ringback.storage.presence.migrate import upgrade
from ringback.storage.presence.offline import count_messages, delete_messages, insert_message, load_messages
from ringback.storage.presence.roster import (
    delete_item,
    insert_account,
    insert_item,
    load_account,
    set_last_active,
    set_roster_version,
)
from tests.presence.conftest import PEOPLE
from tests.presence.talk import sign_in
from tests.support.postgres import Postgres
from tests.support.services import running_presence


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path}/test.db"
    server: Postgres = request.getfixturevalue("postgres")
    return server.fresh_url()


@pytest.fixture
async def storage(url: str) -> AsyncIterator[Storage]:
    opened = await Storage.open(url, prepare=upgrade)
    yield opened
    await opened.close()


def account(bare: str) -> dict[str, object]:
    return {"bare": bare, "created": 1.5, "roster_version": "", "last_active": 2.5, "last_status": ""}


async def count(storage: Storage) -> int:
    async with storage.read() as connection:
        return int((await connection.execute(select(func.count()).select_from(accounts))).scalar_one())


async def test_what_is_durable_is_there_after_opening_again(url: str) -> None:
    storage = await Storage.open(url, prepare=upgrade)
    tickets = [storage.write(insert_account, account(f"p{number}@x")) for number in range(500)]
    assert tickets == sorted(set(tickets))
    await storage.durable(tickets[-1])
    assert storage.backlog == 0
    storage.write(insert_account, account("last@x"))
    await storage.close()
    with pytest.raises(StorageClosedError):
        await storage.durable(storage.submitted + 1)
    storage = await Storage.open(url, prepare=upgrade)
    assert await count(storage) == 501
    await storage.close()


async def test_a_refused_row_does_not_take_others_with_it(storage: Storage) -> None:
    for bare in ("a@x", "b@x", "a@x", "c@x"):
        storage.write(insert_account, account(bare))
    storage.write(set_roster_version, {"of": "a@x", "version": "7"})
    assert await count(storage) == 3
    async with storage.read() as connection:
        found = await load_account(connection, "a@x")
    assert found is not None
    assert found[0].roster_version == "7"


async def test_callbacks_come_in_the_order_of_tickets(storage: Storage) -> None:
    order: list[int] = []
    done = asyncio.Event()
    first = storage.write(insert_account, account("a@x"))
    second = storage.write(insert_account, account("b@x"))

    def both() -> None:
        order.append(2)
        done.set()

    storage.when_durable(second, both)
    storage.when_durable(first, lambda: order.append(1))
    async with asyncio.timeout(10):
        await done.wait()
    assert order == [1, 2]
    storage.when_durable(first, lambda: order.append(3))
    assert order[-1] == 3


async def test_a_transaction_sees_what_was_written_before_and_rolls_back(storage: Storage) -> None:
    storage.write(insert_account, account("a@x"))

    async def read_and_fail(connection: AsyncConnection) -> None:
        assert await load_account(connection, "a@x") is not None
        await connection.execute(insert_account, account("b@x"))
        await connection.execute(insert_account, account("a@x"))

    with pytest.raises(IntegrityError):
        await storage.transact(read_and_fail)
    assert await count(storage) == 1


async def test_contacts_and_waiting_messages_come_back(storage: Storage) -> None:
    storage.write(insert_account, account("a@x"))
    row = {
        "bare": "a@x", "contact": "b@x", "name": "B", "groups": '["Ä"]', "subscription": "both", "asks": False,
        "pending_in": True, "approved": False, "visible": True, "request": b"<presence/>",
    }  # fmt: skip
    storage.write(insert_item, row)
    storage.write(insert_item, row | {"contact": "c@x"})
    storage.write(delete_item, {"of": "a@x", "whom": "c@x"})
    storage.write(set_last_active, {"of": "a@x", "at": 9.0, "status": "bye"})
    for number in range(3):
        storage.write(insert_message, {"bare": "a@x", "received": 1.0, "stanza": b"%d" % number})
    async with storage.read() as connection:
        found = await load_account(connection, "a@x")
        waiting = await load_messages(connection, "a@x")
    assert found is not None
    assert found[0].last_status == "bye"
    assert [(item.contact, item.pending_in, bytes(item.request)) for item in found[1]] == [
        ("b@x", True, b"<presence/>")
    ]
    assert [bytes(message.stanza) for message in waiting] == [b"0", b"1", b"2"]
    storage.write(delete_messages, {"of": "a@x", "upto": waiting[1].number})
    async with storage.read() as connection:
        assert await count_messages(connection, "a@x") == 1


async def test_the_service_runs_on_postgresql(postgres: Postgres, tmp_path: Path) -> None:
    """Sign-in, an offline message and the contact list, with the other database."""
    with running_presence(tmp_path, PEOPLE, database=postgres.fresh_url()) as server:
        anita = await sign_in(server, "anita", PEOPLE["anita"], "desk")
        anita.message("bernd@example.com", "kept in PostgreSQL")
        await anita.ask("<query xmlns='jabber:iq:roster'><item jid='x@example.com'/></query>", kind="set")
        await anita.settle()
        bernd = await sign_in(server, "bernd", PEOPLE["bernd"], "desk")
        await bernd.until("kept in PostgreSQL.*?<delay")
        for talk in (anita, bernd):
            await talk.leave()
