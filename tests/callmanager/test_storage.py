"""The store on SQLite and PostgreSQL: migrations, seeding, searching."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from ringback.storage.callmanager.credentials import Cost, PasswordError, hash_password, verify
from ringback.storage.callmanager.migrate import VERSION_TABLE
from ringback.storage.callmanager.records import APPLICATION, PERSON, Criteria, DeviceRow, LineRow, Login, PersonRow
from ringback.storage.callmanager.seed import Seed, sow
from ringback.storage.callmanager.sign_in_tables import token_keys
from ringback.storage.callmanager.store import Store
from ringback.storage.callmanager.tables import metadata
from tests.callmanager.conftest import Launch

CHEAP = Cost(time_cost=1, memory=8 * 1024, parallelism=1, scram_iterations=4096)
ANITA = PersonRow(
    "Anita", first_name="Anita", last_name="Pérez", email="anita@example.com", phone_number="+1 408 555 2001"
)
ZOE = PersonRow("zoe", first_name="Zoë", last_name="Ångström", imp_servers=("imp1", "imp2"))
DESK = DeviceRow("CSFANITA", "ANITA", lines=(LineRow("2001"), LineRow("3001")))
SEED = Seed(
    people=(ANITA, ZOE),
    devices=(DESK,),
    logins=(Login(PERSON, "anita", "one"), Login(APPLICATION, "presence", "two", frozenset({"credentials"}))),
)


async def test_migrations_make_the_tables_that_the_code_uses(store: Store) -> None:
    def differences(connection: Connection) -> list[object]:
        assert token_keys.metadata is metadata
        options = {"version_table": VERSION_TABLE, "compare_type": True}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))

    async with store.engine.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_two_nodes_open_and_seed_at_once(database_url: str, threads: ThreadPoolExecutor) -> None:
    stores = await asyncio.gather(Store.open(database_url), Store.open(database_url))
    await asyncio.gather(*(sow(store, SEED, CHEAP, threads) for store in stores))
    for store in stores:
        found, total = await store.find(Criteria(), start=0, limit=10, digits_to_match=4)
        assert ([person.user for person in found], total) == (["zoe", "anita"], 2)
        await store.close()


async def test_seeding_again_changes_only_what_changed(store: Store, threads: ThreadPoolExecutor) -> None:
    assert await sow(store, SEED, CHEAP, threads) == 2
    first = await store.credential(PERSON, "ANITA")
    assert await sow(store, SEED, CHEAP, threads) == 0
    assert await store.credential(PERSON, "anita") == first
    moved = replace(ANITA, department="Sales")
    changed = Seed((moved,), (), (Login(PERSON, "anita", "three"), *SEED.logins[1:]))
    assert await sow(store, changed, CHEAP, threads) == 1
    person = await store.person("anita")
    assert person is not None
    assert person.department == "Sales"
    assert await store.person("zoe") is None
    assert await store.device("CSFANITA") is None
    after = await store.credential(PERSON, "anita")
    assert after is not None
    assert first is not None
    assert verify("three", after.argon2)
    assert not verify("one", after.argon2)
    application = await store.credential(APPLICATION, "presence")
    assert application is not None
    assert application.rights == {"credentials"}
    assert await sow(store, replace(changed, logins=changed.logins[:1]), CHEAP, threads) == 0
    assert await store.credential(APPLICATION, "presence") is None


async def test_people_keep_their_key(store: Store, threads: ThreadPoolExecutor) -> None:
    await sow(store, SEED, CHEAP, threads)
    before = await store.person("anita")
    await sow(store, SEED, CHEAP, threads)
    after = await store.person("anita")
    assert before is not None
    assert after is not None
    assert before.id == after.id != ""


async def test_devices_with_their_lines_in_order(store: Store, threads: ThreadPoolExecutor) -> None:
    await sow(store, SEED, CHEAP, threads)
    assert await store.devices_of("anita") == (replace(DESK, owner="anita"),)


@pytest.mark.parametrize(
    ("criteria", "users"),
    [
        (Criteria(name="perez an"), ["anita"]),
        (Criteria(name="z"), ["zoe"]),
        (Criteria(number="3001"), ["anita"]),
        (Criteria(number="14085552001"), ["anita"]),
        (Criteria(number="5552001"), ["anita"]),
        (Criteria(number="001"), []),
        (Criteria(name="a", number="3001"), ["anita"]),
        (Criteria(name="z", number="3001"), []),
        (Criteria(last="ANG"), ["zoe"]),
    ],
)
async def test_search(store: Store, threads: ThreadPoolExecutor, criteria: Criteria, users: list[str]) -> None:
    await sow(store, SEED, CHEAP, threads)
    found, total = await store.find(criteria, start=0, limit=10, digits_to_match=4)
    assert ([person.user for person in found], total) == (users, len(users))


async def test_a_page_beyond_the_end_is_empty_and_knows_the_total(store: Store, threads: ThreadPoolExecutor) -> None:
    await sow(store, SEED, CHEAP, threads)
    assert await store.find(Criteria(), start=7, limit=10, digits_to_match=4) == ([], 2)


async def test_two_people_of_one_name_are_refused(store: Store, threads: ThreadPoolExecutor) -> None:
    with pytest.raises(ValueError, match="same user name"):
        await sow(store, Seed((ANITA, replace(ANITA, user_name="anita"))), CHEAP, threads)
    assert await store.person("anita") is None


@pytest.mark.parametrize("password", ["", "\x00", "tab\there", "\ud800"])
def test_what_can_be_no_password(password: str) -> None:
    with pytest.raises(PasswordError):
        hash_password(password, CHEAP)
    assert not verify(password, hash_password("x", CHEAP).argon2)


def test_passwords_are_compared_in_their_normal_form() -> None:
    hashes = hash_password("pässword", CHEAP)
    assert verify("pa\u0308ssword", hashes.argon2)
    assert not verify("password", hashes.argon2)
    assert not verify("pässword", "not a hash")


async def test_a_call_manager_on_any_database(launch: Launch, database_url: str) -> None:
    running = await launch(database_url=database_url)
    status, _ = await running.get(running.uds("/user/anita"), login=("anita", "anita's password"))
    assert status == 200
