"""The tables of signing in, on SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from ringback.storage.callmanager.credentials import Cost
from ringback.storage.callmanager.lock_outs import LockOuts
from ringback.storage.callmanager.records import PERSON, PersonRow
from ringback.storage.callmanager.seed import Seed, sow
from ringback.storage.callmanager.sign_in_rows import CodeRow, KeyRow, SignInRow
from ringback.storage.callmanager.sign_ins import REMEMBERED_SECONDS, SignInStore
from ringback.storage.callmanager.store import Store
from tests.callmanager.conftest import database_url, store, threads

__all__ = ["database_url", "store", "threads"]

CHEAP = Cost(time_cost=1, memory=8 * 1024, parallelism=1, scram_iterations=4096)
NOW = 1_800_000_000.25
KEYS = KeyRow("cluster-1", b"sealed", 0.0, 3600, 86_400)
CODE = CodeRow("c0de", "anita", "C1", "http://127.0.0.1/back", "challenge", NOW + 60, "CSFANITA", "s3ssion")
BEGUN = SignInRow("id1", "anita", "C1", NOW, NOW + 86_400, "CSFANITA", "s3ssion", "hash1")


async def test_what_all_nodes_share(store: Store, threads: ThreadPoolExecutor) -> None:
    people = [PersonRow("anita"), PersonRow("Bruno"), PersonRow("dolores", active=False), PersonRow("ivan", home=False)]
    await sow(store, Seed(people=people), CHEAP, threads)
    kept = SignInStore(store.engine)
    assert await kept.taken_back(NOW) is None
    firsts = await asyncio.gather(kept.first_keys(KEYS), kept.first_keys(replace(KEYS, cluster="cluster-2")))
    assert firsts[0] == firsts[1] == await kept.keys()
    serial = await kept.serial()

    await kept.add_code(CODE)
    results = await asyncio.gather(*(kept.redeem("c0de", lambda _code: BEGUN, NOW) for _ in range(2)))
    assert sorted(begun is not None for _, begun in results) == [False, True]
    ended = await kept.sign_in("id1")
    assert ended is not None
    assert ended.ended == NOW  # the second use ended what the first began
    assert await kept.redeem("unknown", lambda _code: BEGUN, NOW) == (None, None)
    await kept.add_code(replace(CODE, hash="other"))
    assert await kept.redeem("other", lambda _code: None, NOW) == (replace(CODE, hash="other"), None)
    used, begun = await kept.redeem("other", lambda _code: replace(BEGUN, id="id9"), NOW)
    assert used is not None
    assert used.sign_in
    assert begun is None

    await kept.open_session("s3ssion", "Anita", NOW, NOW + 60)
    await kept.open_sign_in(replace(BEGUN, id="id2"))
    await kept.open_sign_in(replace(BEGUN, id="id3", client="C2", session=""))
    assert [row.id for row in await kept.sign_ins_of("ANITA", NOW)] == ["id2", "id3"]
    assert await kept.session_user("s3ssion", NOW) == "anita"
    assert await kept.session_user("s3ssion", NOW + 60) is None
    await kept.end_sign_in("id2", NOW + 1)
    assert await kept.session_user("s3ssion", NOW) is None
    assert [row.id for row in await kept.revoke("anita", "C1", NOW + 2)] == []
    assert [row.id for row in await kept.revoke("anita", "", NOW + 3)] == ["id3"]
    await kept.set_active("bruno", False, NOW + 4)
    told = await kept.taken_back(NOW + 5)
    assert told is not None
    assert told.serial > serial
    assert told.ended == {"id1", "id2", "id3"}
    assert told.deactivated == {"bruno", "dolores"}
    assert [(row.user, row.client) for row in told.revocations] == [("anita", ""), ("anita", "C1"), ("bruno", "")]
    assert [await kept.is_active(user) for user in ("anita", "bruno", "dolores", "ivan", "x")] == [True] + 4 * [False]
    await kept.set_active("bruno", True, NOW + 6)
    assert await kept.is_active("Bruno")

    await kept.open_sign_in(replace(BEGUN, id="id4", user="ivan"))
    assert await kept.settle(NOW + 7) == 1
    assert await kept.count(NOW) == 0
    await kept.prune(NOW + 2 * REMEMBERED_SECONDS)
    assert await kept.sign_in("id1") is None
    later = await kept.taken_back(NOW + 2 * REMEMBERED_SECONDS)
    assert later is not None
    assert not later.ended
    assert not later.revocations
    assert later.deactivated == {"dolores"}

    await kept.open_sign_in(replace(BEGUN, id="id5"))
    await kept.replace_keys(replace(KEYS, valid_from=NOW), end_all=True)
    assert await kept.sign_in("id5") is None
    assert (await kept.keys()) == replace(KEYS, valid_from=NOW)


async def test_locks_are_counted_together(store: Store) -> None:
    locks = LockOuts(store.engine, 3, 600.0, 300.0)
    await asyncio.gather(*(locks.count(PERSON, "Anita", NOW) for _ in range(3)))
    assert (await locks.state(PERSON, "anita", NOW)).until == NOW + 300
    assert await locks.locked(NOW) == ((PERSON, "anita", NOW + 300),)
    assert (await locks.state(PERSON, "anita", NOW + 301)).failures == 0
    await locks.count(PERSON, "bruno", NOW + 2000)
    assert (await locks.state(PERSON, "bruno", NOW + 2000)).failures == 1
    assert await locks.clear(PERSON, "bruno")
