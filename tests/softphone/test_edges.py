"""An outer proxy dies under a call: the phone finds the next one and takes the call along."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from ringback.client import Me
from ringback.client.calling.script import registered
from tests.softphone.conftest import SECONDS, calls, person, until
from tests.softphone.test_outside import Network, connected, heard_both, listens, traveller
from tests.support.lab import ApartLab, apart_lab

pytestmark = [pytest.mark.soak, pytest.mark.long]

SECOND = """
[[node]]
name = "edge2.example.com"
address = "127.0.20.41"
link-address = "127.0.15.41"
roles = ["edge-outer"]
network = "internet"
"""
TRIES = 12  # people are spread over the proxies by chance


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApartLab]:
    """A lab with two outer proxies, the second of which can be ended."""
    with apart_lab(tmp_path_factory.mktemp("apart") / "lab", "edge2.example.com", SECOND) as running:
        yield running


def edge_of(me: Me) -> str:
    """The outer proxy that carries somebody's phone."""
    text = me.engine.signed_in().calling.phone.text
    return text.values.get("edge", "") if text is not None else ""


async def at_the_second(apart: ApartLab, folder: Path, stack: AsyncExitStack) -> Me:
    """Somebody whose phone is registered through the second proxy."""
    for turn in range(TRIES):
        async with AsyncExitStack() as trial:
            me = await trial.enter_async_context(traveller(Network(apart.rest), "anita", folder / str(turn)))
            await registered(me.engine)
            if edge_of(me) == "edge2.example.com":
                stack.push_async_exit(trial.pop_all())
                return me
    raise AssertionError("chance never chose the second proxy")


async def test_a_call_survives_its_outer_proxy(apart: ApartLab, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        bruno = await stack.enter_async_context(person(apart.rest, "bruno"))
        anita = await at_the_second(apart, tmp_path, stack)
        out, into = await connected(anita, bruno, "2002", tmp_path)
        await listens(bruno, into)
        apart.kill()
        await until(anita, lambda: edge_of(anita) == "edge.example.com", 60)
        await until(anita, lambda: not out.call.note, 60)
        await listens(bruno, into, 3)
        await listens(anita, out, 3)
        assert [call.state for call in calls(anita)] == ["active"]
        await out.end()
        await into.over(SECONDS)
        heard_both(tmp_path)
