"""Floods from a hundred addresses: people who work don't notice, and nothing of it is left afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from pathlib import Path

import pytest

from bench.edge_flood import flooded, go_first
from tests.edge.conftest import WORLD
from tests.edge.siege import SECONDS, Siege
from tests.support.edge_floods import KINDS
from tests.support.waiting import until

PACES = {"connections": 150, "handshakes": 40, "sign-ins": 20, "slow-heads": 30}
_FLOOD = 1.0  # seconds


async def _flood(siege: Siege, kind: str, pace: float, sources: str) -> dict[str, int]:
    words = (kind, WORLD, str(siege.edge.port), sources, str(_FLOOD), str(pace))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.edge_floods", *words, stdout=asyncio.subprocess.PIPE
    )
    found, _ = await asyncio.wait_for(process.communicate(), _FLOOD + 3 * SECONDS)
    counts: dict[str, int] = json.loads(found)
    return counts


@pytest.mark.asyncio(loop_scope="session")
async def test_people_work_on_in_a_flood_of_all_kinds(siege: Siege) -> None:
    before, loop = siege.reached(), asyncio.get_running_loop()
    floods = [
        asyncio.create_task(_flood(siege, kind, pace, f"127.0.{91 + number}"))
        for number, (kind, pace) in enumerate(PACES.items())
    ]
    took = []
    while not all(flood.done() for flood in floods):
        began = loop.time()
        await siege.anita_works()
        took.append(loop.time() - began)
        await asyncio.sleep(0.02)
    counts = {kind: flood.result() for kind, flood in zip(PACES, floods, strict=True)}
    assert all(found["tried"] > 10 for found in counts.values()), counts
    assert counts["sign-ins"].get("200", 0) == 0
    assert max(took) < 3.0, (
        took
    )  # all of it runs in one process here; how much slower it gets: python -m bench.edge_flood
    assert siege.reached() == before
    await until(lambda: siege.edge.outer.connections <= 1)  # hers
    await siege.is_healthy()


@pytest.mark.soak
@pytest.mark.long
@pytest.mark.timeout(600)
def test_the_latency_of_people_at_most_doubles_in_a_flood(tmp_path: Path) -> None:
    with contextlib.suppress(PermissionError):  # else what other programs do is measured, too
        go_first()
    try:
        found = flooded(tmp_path, KINDS, seconds=10.0, rounds=3)
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    assert {kind: times for kind, times in found.items() if times > 2.0} == {}
