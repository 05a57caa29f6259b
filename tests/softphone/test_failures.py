"""When things break in a call: a killed call manager, a killed engine, another network, another computer.

All share one lab but the one whose call manager is killed; the test that ends the call manager comes last.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from ringback.client import Me
from ringback.client.calling import service
from ringback.client.calling.errors import CallError
from ringback.client.calling.service import Calling
from ringback.protocols import call_records
from tests.softphone.conftest import PASSWORD, SECONDS, calls, heard, person, tone, until
from tests.support.lab import ApartLab, apart_lab, ringback
from tests.support.soak import often

KILLS = often(1, 12)
LONG = 60.0  # a device looks after its server every half keep-alive interval at the latest


def calling(me: Me) -> Calling:
    """A person's calls."""
    return me.engine.signed_in().calling


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApartLab]:
    """A lab whose first call manager can be ended."""
    with apart_lab(tmp_path_factory.mktemp("apart") / "lab", "cm1.example.com") as running:
        yield running


async def test_a_killed_call_manager_leaves_the_sound(tmp_path: Path) -> None:
    """The devices go to the second node, the call keeps its sound, hold is refused with the reason, the end ends."""
    with apart_lab(tmp_path / "lab", "cm1.example.com") as apart:
        await call_manager_is_killed(apart, tmp_path / "bruno.wav")


async def call_manager_is_killed(apart: ApartLab, file: Path) -> None:
    async with person(apart.rest, "anita") as anita, person(apart.rest, "bruno") as bruno:
        assert calling(anita).phone.server == "cm1.example.com"
        waits = asyncio.create_task(bruno.next_call(play=tone(700), record=file, seconds=SECONDS))
        out = await anita.call("2002", play=tone(440))
        into = await waits
        await into.answer()
        await out.answered()
        await until(bruno, lambda: len(into.call.quality.receiving.minute) >= 1)
        apart.kill()
        await until(anita, lambda: calling(anita).phone.server == "cm2.example.com" and registered(anita), LONG)
        await until(bruno, lambda: registered(bruno) and calling(bruno).phone.server == "cm2.example.com", LONG)
        await until(anita, lambda: any(one.action == "hold" for one in out.call.barred))
        with pytest.raises(CallError) as told:
            await out.hold()
        assert told.value.reason.id == "calls.barred.no_server"
        assert out.call.state == "active"
        first = len(into.call.quality.receiving.minute)
        await until(bruno, lambda: len(into.call.quality.receiving.minute) >= first + 3)
        assert into.call.quality.receiving.minute[-1] == 0.0
        await out.end()
        assert (await out.over(SECONDS)).result == "answered"
        await into.end()
        await into.over(SECONDS)
        again = await anita.call("2003")
        assert calling(anita).phone.state == "registered"
        await again.end()
    loudest, level = heard(file)
    assert abs(loudest - 440) < 5
    assert level > 0.1


def registered(me: Me) -> bool:
    """Whether the softphone is registered."""
    return calling(me).phone.state == "registered"


async def test_another_computer_takes_the_phone_over_only_when_asked(apart: ApartLab) -> None:
    """The second one reads who has it; trying again takes it over, and the first one reads that."""
    async with person(apart.rest, "anita") as first:
        from ringback.client import sign_in

        async with sign_in(
            "anita@example.com", password=PASSWORD, nameserver=apart.rest.inside, ca_file=apart.rest.ca_file
        ) as second:
            await until(second, lambda: calling(second).phone.state == "refused")
            text = calling(second).phone.text
            assert text is not None
            assert text.id == "calls.phone.elsewhere"
            assert registered(first)
            calling(second).try_now()
            await until(second, lambda: registered(second))


async def test_an_engine_that_is_closed_ends_its_calls(apart: ApartLab) -> None:
    """No call is left hanging where its engine goes."""
    async with person(apart.rest, "bruno") as bruno:
        async with person(apart.rest, "anita") as anita:
            waits = asyncio.create_task(bruno.next_call(seconds=SECONDS))
            out = await anita.call("2002")
            into = await waits
            await into.answer()
            await out.answered()
        assert (await into.over(SECONDS)).result == "answered"
        assert not calls(bruno)


async def test_a_call_goes_on_in_another_network(apart: ApartLab, tmp_path: Path) -> None:
    """The phone registers again over a new connection, and tells the other side where its sound goes now."""
    file = tmp_path / "bruno.wav"
    async with person(apart.rest, "anita") as anita, person(apart.rest, "bruno") as bruno:
        waits = asyncio.create_task(bruno.next_call(record=file, seconds=SECONDS))
        out = await anita.call("2002", play=tone(440))
        into = await waits
        await into.answer()
        await out.answered()
        await until(bruno, lambda: len(into.call.quality.receiving.minute) >= 1)
        before = out.call.quality.path
        calling(anita).network_changed()
        await until(anita, lambda: out.call.quality.path not in ("", before), LONG)
        first = len(into.call.quality.receiving.minute)
        await until(bruno, lambda: len(into.call.quality.receiving.minute) >= first + 3)
        assert registered(anita)
        assert calls(anita)[0].note is None
        await out.hold()
        await until(bruno, lambda: into.call.held_by_other)
        await out.hold(held=False)
        first = len(into.call.quality.receiving.minute)
        await until(bruno, lambda: len(into.call.quality.receiving.minute) >= first + 3)
        await out.end()
        await into.over(SECONDS)
    loudest, level = heard(file)
    assert abs(loudest - 440) < 5
    assert level > 0.05


@pytest.mark.soak
async def test_a_killed_engine_leaves_no_call_hanging(apart: ApartLab, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other side hears nothing more, ends the call by itself and says why; the records are complete."""
    monkeypatch.setattr(service, "GONE_SECONDS", 4.0)
    dice = random.Random(3)
    async with person(apart.rest, "bruno") as bruno:
        for _ in range(KILLS):
            await engine_is_killed(apart, bruno, dice.randint(1, 3))


async def engine_is_killed(apart: ApartLab, bruno: Me, seconds: int) -> None:
    """After so many seconds of sound."""
    words = ("call", "anita@example.com", "2002", "--seconds", "60", "--nameserver", apart.rest.inside)
    waits = asyncio.create_task(bruno.next_call(play=tone(700), seconds=LONG))
    process = await asyncio.create_subprocess_exec(
        *ringback(*words, "--ca", str(apart.rest.ca_file)), env={**os.environ, "RINGBACK_PASSWORD": PASSWORD},
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    into = await waits
    await into.answer()
    await until(bruno, lambda: len(into.call.quality.receiving.minute) >= seconds)
    process.kill()
    await process.wait()
    result = await into.over(LONG)
    assert result.result == "answered"
    assert result.note is not None
    assert result.note.id in ("calls.ended.gone", "calls.ended.them")
    assert not calls(bruno)


async def test_the_end_leaves_a_record_of_the_sound(apart: ApartLab) -> None:
    """What was measured stands beside the call's record on the call manager."""
    async with person(apart.rest, "anita") as anita, person(apart.rest, "bruno") as bruno:
        waits = asyncio.create_task(bruno.next_call(play=tone(700), seconds=SECONDS))
        out = await anita.call("2002", play=tone(440))
        into = await waits
        await into.answer()
        await out.answered()
        await until(anita, lambda: len(out.call.quality.receiving.minute) >= 6)
        await out.end()
        await into.over(SECONDS)
    apart.end()
    rows = [row for file in sorted(apart.rest.data.rglob("cmr_*")) for row in call_records.parse(file.read_text())[1]]
    last = max(int(row["globalCallID_callId"] or 0) for row in rows)
    rows = [row for row in rows if row["globalCallID_callId"] == last]
    for device in ("CSFANITA", "CSFBRUNO"):  # who said goodbye, and who answered that
        mine = [row for row in rows if row["deviceName"] == device]
        assert len(mine) == 1
        assert int(mine[0]["numberPacketsReceived"] or 0) > 100
        assert mine[0]["numberPacketsLost"] == 0
        assert "VoRxCodec=opus" in str(mine[0]["varVQMetrics"])
    assert len(rows) == 2
