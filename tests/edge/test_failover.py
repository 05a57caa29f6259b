"""Outer proxy, inner proxy, presence service and call manager are killed under load, each a process of its own.

No acknowledged message is lost or doubled, and everybody is back within a minute. In ``make soak`` that is half an hour
of kills at random under 500 people, whose figures are written to ``RINGBACK_FIGURES`` where that names a file.
"""

from __future__ import annotations

import asyncio
import os
import random
import ssl
import time
from pathlib import Path

import pytest
import uvloop

from tests.support.edge_load import crowd
from tests.support.edge_nodes import FIRST, INNERS, NAMES, OUTERS, PRESENCE, SECOND, edge_nodes
from tests.support.soak import LONG, often

PEOPLE = often(10, 500)
ASKERS = often(2, 10)
PHONES = often(2, 30)
PACE = often(0.4, 10.0)  # seconds between two messages of one person
SECONDS = often(0.0, 1800.0)
VICTIMS = (OUTERS[0], INNERS[0], PRESENCE, FIRST)
MORE_VICTIMS = (OUTERS[1], INNERS[1], SECOND)


@pytest.mark.soak
@pytest.mark.timeout(3000)
def test_kills_under_load(tmp_path: Path) -> None:
    together = () if LONG else ((NAMES, SECOND, OUTERS[1], INNERS[1]),)
    with edge_nodes(tmp_path, PEOPLE, phones=PHONES, groups=together) as nodes:

        async def run() -> str:
            async with crowd(nodes, askers=ASKERS, pace=PACE, phones=PHONES) as people:
                await people.everybody(often(20.0, 240.0))
                began = time.monotonic()
                for victim in VICTIMS:
                    await people.kill(victim, often(0.2, 1.0))
                while time.monotonic() - began < SECONDS:
                    await asyncio.sleep(random.uniform(3.0, 15.0))
                    await people.kill(random.choice(VICTIMS + MORE_VICTIMS), random.uniform(0.2, 5.0))
                    _note(people.told())
                await people.settle(60.0)
                await people.everybody(60.0)
                people.check()
                some = random.sample(people.people, min(10, PEOPLE))
                context = ssl.create_default_context(cafile=str(nodes.ca_file))
                number = await asyncio.to_thread(people.check_archives, context, some)
                return f"{people.told()}\n  in the archives of {len(some)}: {number:,} messages, each once"

        _note(uvloop.run(run()))


def _note(figures: str) -> None:
    if file := os.environ.get("RINGBACK_FIGURES"):
        Path(file).write_text(figures + "\n")
