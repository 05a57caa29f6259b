"""Calls between two engines through the real call manager, as scripts make them: who hears what, and how it ends."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ringback.client.calling.errors import CallError
from tests.softphone.conftest import SECONDS, calls, heard, person, tone, until
from tests.support.lab import RunningLab


async def test_both_hear_the_other_tone(lab: RunningLab, tmp_path: Path) -> None:
    """Sound goes both ways, encrypted, and both ends remember the call with its quality."""
    files = tmp_path / "anita.wav", tmp_path / "bruno.wav"
    async with person(lab, "anita") as anita, person(lab, "bruno") as bruno:
        rings = asyncio.create_task(bruno.next_call(play=tone(700), record=files[1], seconds=SECONDS))
        out = await anita.call("2002", play=tone(440), record=files[0])
        into = await rings
        assert into.party.person == "anita@example.com"
        await into.answer()
        await out.answered()
        await until(anita, lambda: len(out.call.quality.receiving.minute) >= 3)
        assert out.call.secure == "all"
        assert out.call.quality.codec == "opus"
        await out.end()
        ended, other = await out.over(SECONDS), await into.over(SECONDS)
    assert ended.result == other.result == "answered"
    assert ended.quality is not None
    assert ended.quality.word == "good"
    assert other.note is not None
    assert other.note.id == "calls.ended.them"
    for file, frequency in ((files[0], 700), (files[1], 440)):
        loudest, level = heard(file)
        assert abs(loudest - frequency) < 5
        assert 0.1 < level < 0.25


async def test_hold_silences_and_resuming_goes_on(lab: RunningLab, tmp_path: Path) -> None:
    """A held side is told, hears no voice meanwhile, and hears it again afterwards."""
    file = tmp_path / "bruno.wav"
    async with person(lab, "anita") as anita, person(lab, "bruno") as bruno:
        rings = asyncio.create_task(bruno.next_call(record=file, seconds=SECONDS))
        out = await anita.call("2002", play=tone(440))
        into = await rings
        await into.answer()
        await out.answered()
        await out.hold()
        assert [call.state for call in calls(anita)] == ["held"]
        await until(bruno, lambda: into.call.held_by_other)
        await out.hold(held=False)
        assert [call.state for call in calls(anita)] == ["active"]
        await until(bruno, lambda: not into.call.held_by_other)
        before = into.call.quality.receiving.minute
        await until(bruno, lambda: len(into.call.quality.receiving.minute) >= len(before) + 3)
        await into.end()
        await into.over(SECONDS)
    loudest, level = heard(file)
    assert abs(loudest - 440) < 5
    assert level > 0.05


async def test_a_declined_call_says_so(lab: RunningLab) -> None:
    """The caller reads that it was declined; the one who declined has no missed call. (Dolores has no
    mailbox: whoever has one sends the caller there.)"""
    async with person(lab, "anita") as anita, person(lab, "dolores") as dolores:
        rings = asyncio.create_task(dolores.next_call(seconds=SECONDS))
        out = await anita.call("2004")
        into = await rings
        dolores.engine.signed_in().calling.desk.decline(into.call.id)
        with pytest.raises(CallError) as told:
            await out.answered(SECONDS)
        assert told.value.reason.id in ("calls.failed.declined", "calls.failed.busy")
        assert (await into.over(SECONDS)).result == "declined"
        assert dolores.engine.signed_in().calling.phone.missed == 0


async def test_giving_up_leaves_a_missed_call(lab: RunningLab) -> None:
    """A call that nobody took is missed there, until somebody looks."""
    async with person(lab, "anita") as anita, person(lab, "bruno") as bruno:
        rings = asyncio.create_task(bruno.next_call(seconds=SECONDS))
        out = await anita.call("2002")
        into = await rings
        await out.end()
        result = await into.over(SECONDS)
        calling = bruno.engine.signed_in().calling
        assert result.result == "missed"
        assert calling.phone.missed == 1
        await calling.see_recents()
        assert calling.phone.missed == 0
        assert not calls(bruno)


async def test_an_unknown_number_is_told(lab: RunningLab) -> None:
    """A number that nobody has ends the call with that reason."""
    async with person(lab, "anita") as anita:
        out = await anita.call("2998")
        with pytest.raises(CallError) as told:
            await out.answered(SECONDS)
        assert told.value.reason.id == "calls.failed.unknown"
