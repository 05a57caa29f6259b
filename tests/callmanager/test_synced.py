"""People of directories in the tables, on SQLite and PostgreSQL: written, counted, taken over by the file, removed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from ringback.storage.callmanager.call_rows import NumberRow
from ringback.storage.callmanager.calls import CallStore
from ringback.storage.callmanager.credentials import Cost
from ringback.storage.callmanager.records import Criteria, DeviceRow, LineRow, PersonRow
from ringback.storage.callmanager.seed import Seed, number_rows, sow
from ringback.storage.callmanager.sign_in_tables import revocations
from ringback.storage.callmanager.store import Store
from ringback.storage.callmanager.synced import AuditRow, RunRow, SyncedPerson, SyncedRow, SyncStore, SyncWrites

RUN = RunRow("Office", 100.0, 101.0, 100.0, "done", counts={"add": 2})
CHEAP = Cost(time_cost=1, memory=8 * 1024, parallelism=1, scram_iterations=4096)


def person(user: str, phone: str = "", extension: str = "") -> SyncedPerson:
    row = SyncedRow(user, "Office", f"uid={user},dc=example", f"id of {user}", "office", extension)
    return SyncedPerson(PersonRow(user, first_name=user.title(), last_name="Berg", phone_number=phone), row)


def phone(user: str, number: str) -> DeviceRow:
    return DeviceRow(f"CSF{user.upper()}", user, lines=(LineRow(number),))


TWO = SyncWrites(
    people=(person("anita", "+41 44 555 20 01", "2001"), person("bruno", "044 555 20 02", "2002")),
    devices=(phone("anita", "2001"), phone("bruno", "2002")),
    numbers=(NumberRow("2001"), NumberRow("2002")),
    audit=(AuditRow("add", "anita", {"entry": "é"}), AuditRow("add", "bruno")),
    country="CH",
)


async def people(store: Store, number: str) -> list[str]:
    rows, _ = await store.find(Criteria(number=number), start=0, limit=10, digits_to_match=4, country="CH")
    return [row.user for row in rows]


async def test_a_run_is_written_whole_or_not_at_all(store: Store) -> None:
    sync = SyncStore(store.engine)
    before = await sync.current("Office")
    assert await sync.write("Office", TWO, RUN, before.serial)
    assert not await sync.write("Office", TWO, RUN, before.serial), "somebody else was faster"
    now = await sync.current("Office")
    assert {user: one.row.extension for user, one in now.mine.items()} == {"anita": "2001", "bruno": "2002"}
    assert now.numbers >= {"2001", "2002"}
    assert (await sync.current("Other")).others["anita"] == "Office"
    assert (await sync.runs())["Office"] == RUN
    assert [(agreement, row.kind, row.user) for _, agreement, row in await sync.audit()] == [
        ("Office", "add", "bruno"), ("Office", "add", "anita"),
    ]  # fmt: skip
    assert (await sync.audit("anita"))[0][2].detail == {"entry": "é"}
    assert await people(store, "+41 44 555 20 02") == ["bruno"], (
        "written nationally, asked for as a number of the world"
    )
    snapshot = await CallStore(store.engine).load()
    assert snapshot.lines["2001"].phones == ("CSFANITA",)


async def test_who_goes_takes_everything_along_and_is_signed_out(store: Store) -> None:
    sync = SyncStore(store.engine)
    await sync.write("Office", TWO, RUN, (await sync.current("Office")).serial)
    anita = TWO.people[0]
    gone = replace(anita, person=replace(anita.person, active=False), row=replace(anita.row, gone_since=200.0))
    writes = SyncWrites(people=(gone,), ended=("anita",))
    assert await sync.write("Office", writes, replace(RUN, began=200.0), (await sync.current("Office")).serial)
    assert [place.user for place in (await sync.places())[1] if not place.active] == ["anita"]
    async with store.engine.connect() as connection:
        assert (await connection.execute(sa.select(revocations.c.user, revocations.c.before))).all() == [
            ("anita", 200.0)
        ]
    removed = SyncWrites(removed=("anita",), ended=("anita",))
    assert await sync.write("Office", removed, RUN, (await sync.current("Office")).serial)
    assert await store.person("anita") is None
    assert await store.devices_of("anita") == ()
    snapshot = await CallStore(store.engine).load()
    assert set(snapshot.lines) == {"2002"}
    assert await sync.drop_others([], 300.0) == ["bruno"], "the agreement is no more"
    assert await sync.drop_others([], 301.0) == []
    assert await sync.remove_left([], 299.0, 400.0) == []
    assert await sync.remove_left([], 300.0, 400.0) == ["bruno"]


async def test_the_file_comes_before_the_directory(store: Store) -> None:
    """Somebody of a directory who is in the file now is the file's, with number and phone."""
    sync = SyncStore(store.engine)
    await sync.write("Office", TWO, RUN, (await sync.current("Office")).serial)
    seed = Seed(
        people=(PersonRow("Anita", last_name="File"),), devices=(phone("anita", "2002"),), numbers=(NumberRow("2002"),)
    )
    with ThreadPoolExecutor(1) as threads:
        await sow(store, seed, CHEAP, threads)
    now = await sync.current("Office")
    assert (set(now.mine), now.others) == ({"bruno"}, {"anita": ""})
    found = await store.person("anita")
    assert found is not None
    assert found.last_name == "File"


async def test_many_are_counted_as_few_are(store: Store) -> None:
    """The way for numbers that thousands have gives the same people and the same count as the other one."""
    sync = SyncStore(store.engine)
    crowd = tuple(person(f"p{at:04}", f"+41 44 555 {at // 100:02} {at % 100:02}") for at in range(2300))
    extra = (
        replace(person("q"), person=PersonRow("q", last_name="A", phone_number="2001", mobile_number="+41 44 555 2")),
    )
    writes = SyncWrites(people=(*crowd, *extra), country="CH")
    assert await sync.write("Office", writes, RUN, (await sync.current("Office")).serial)
    for number, expected in {"+41 44": 2301, "0445": 2301, "4144555": 2301, "2001": 2, "+41445552001": 1}.items():
        seen: list[str] = []
        for _ in range(0, expected + 1, 500):
            rows, total = await store.find(
                Criteria(number=number), start=len(seen), limit=500, digits_to_match=4, country="CH"
            )
            assert total == expected, number
            seen += [row.user for row in rows]
        assert len(seen) == len(set(seen)) == expected, number


@given(
    st.sets(st.text(alphabet="0123", min_size=1, max_size=4), max_size=8),
    st.text(alphabet="0123", min_size=1, max_size=3),
)
def test_each_range_of_numbers_counts_a_person_once(numbers: set[str], start: str) -> None:
    for name, previous in (("digits", "previous"), ("reversed", "previous_reversed")):
        rows = [row for row in number_rows("somebody", numbers) if row[name].startswith(start)]
        first = [row for row in rows if row[previous] < start]
        assert len(first) == bool(rows)
