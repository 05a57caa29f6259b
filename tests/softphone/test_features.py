"""What the call manager does for a call, asked for by the engine: transfer, conference, park, pick-up, devices."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np

from ringback.client import Me
from ringback.client.calling.script import Talk
from ringback.client.calling.service import Calling
from ringback.media.players.sound import Sound, read_sound
from tests.softphone.conftest import SECONDS, calls, heard, person, tone, until
from tests.support.lab import RunningLab


def calling(me: Me) -> Calling:
    """A person's calls."""
    return me.engine.signed_in().calling


async def talk(
    caller: Me,
    called: Me,
    number: str,
    sounds: tuple[Sound | None, Sound | None],
    records: tuple[Path | None, Path | None],
) -> tuple[Talk, Talk]:
    """A call that is answered; what each side plays and records."""
    rings = asyncio.create_task(called.next_call(play=sounds[1], record=records[1], seconds=SECONDS))
    out = await caller.call(number, play=sounds[0], record=records[0])
    into = await rings
    await into.answer()
    await out.answered(SECONDS)
    return out, into


async def seconds_more(me: Me, call: Talk, count: int) -> None:
    """Let a call go on for so many measured seconds."""
    first = len(call.call.quality.receiving.minute)
    await until(me, lambda: len(call.call.quality.receiving.minute) >= first + count)


async def test_blind_transfer_connects_the_others(lab: RunningLab, tmp_path: Path) -> None:
    """Anita sends Bruno to Chiara: those two hear each other, and Anita is out."""
    file = tmp_path / "chiara.wav"
    async with person(lab, "anita") as anita, person(lab, "bruno") as bruno, person(lab, "chiara") as chiara:
        out, into = await talk(anita, bruno, "2002", (None, tone(700)), (None, None))
        rings = asyncio.create_task(chiara.next_call(record=file, seconds=SECONDS))
        transfer = asyncio.create_task(calling(anita).desk.transfer(out.call.id, "2003"))
        third = await rings
        await third.answer()
        await transfer
        assert (await out.over(SECONDS)).result == "answered"
        await until(bruno, lambda: into.call.party.number == "2003")
        await seconds_more(chiara, third, 3)
        await third.end()
        await into.over(SECONDS)
    loudest, level = heard(file)
    assert abs(loudest - 700) < 5
    assert level > 0.1


async def test_attended_transfer_connects_the_others(lab: RunningLab, tmp_path: Path) -> None:
    """Anita asks Chiara first, then connects her with Bruno."""
    file = tmp_path / "bruno.wav"
    async with person(lab, "anita") as anita, person(lab, "bruno") as bruno, person(lab, "chiara") as chiara:
        first, into = await talk(anita, bruno, "2002", (None, None), (None, file))
        second, third = await talk(anita, chiara, "2003", (None, tone(900)), (None, None))
        assert first.call.state == "held"
        await calling(anita).desk.complete_transfer(first.call.id, second.call.id)
        await first.over(SECONDS)
        await second.over(SECONDS)
        await until(bruno, lambda: into.call.party.number == "2003")
        await until(bruno, lambda: not into.call.held_by_other)
        await seconds_more(bruno, into, 3)
        await into.end()
        await third.over(SECONDS)
    loudest, level = heard(file)
    assert abs(loudest - 900) < 5
    assert level > 0.05


async def test_a_conference_lets_everybody_hear_the_others(lab: RunningLab, tmp_path: Path) -> None:
    """Three people, three tones: each hears the two others, and sees who is there."""
    files = {name: tmp_path / f"{name}.wav" for name in ("anita", "bruno", "chiara")}
    async with person(lab, "anita") as anita, person(lab, "bruno") as bruno, person(lab, "chiara") as chiara:
        first, into = await talk(anita, bruno, "2002", (tone(500), tone(700)), (files["anita"], files["bruno"]))
        second, third = await talk(anita, chiara, "2003", (None, tone(900)), (None, files["chiara"]))
        await calling(anita).desk.merge(first.call.id, second.call.id)
        await until(anita, lambda: first.call.conference and len(first.call.members) == 2)
        await until(chiara, lambda: third.call.conference)
        await seconds_more(chiara, third, 4)
        assert [call.state for call in calls(anita)] == ["active"]
        await first.end()
        await third.end()
        await asyncio.gather(first.over(SECONDS), second.over(SECONDS), third.over(SECONDS), into.over(SECONDS))
    wanted = {"anita": (700, 900), "bruno": (500, 900), "chiara": (500, 700)}
    for name, tones in wanted.items():
        for frequency in (500, 700, 900):
            present = strength(files[name], frequency) > 0.01
            assert present == (frequency in tones), f"{name} and {frequency} Hz"


def strength(file: Path, frequency: float) -> float:
    """How strong a tone is in the last two seconds of a recording."""
    sound = read_sound(file)
    pcm = sound.pcm[-3 * sound.rate : -sound.rate].astype(np.float64) / 32768
    times = np.arange(len(pcm)) / sound.rate
    return float(abs(np.sum(pcm * np.exp(-2j * np.pi * frequency * times))) * 2 / max(len(pcm), 1))


async def test_somebody_is_added_to_a_call(lab: RunningLab) -> None:
    """The third one is called, and is in as soon as they answer."""
    async with person(lab, "anita") as anita, person(lab, "bruno") as bruno, person(lab, "chiara") as chiara:
        out, into = await talk(anita, bruno, "2002", (None, None), (None, None))
        rings = asyncio.create_task(chiara.next_call(seconds=SECONDS))
        added = await calling(anita).desk.add(out.call.id, "2003")
        assert added.consults == out.call.id
        third = await rings
        await third.answer()
        await until(anita, lambda: out.call.conference and [call.id for call in calls(anita)] == [out.call.id])
        await until(anita, lambda: {one.number for one in out.call.members} == {"2002", "2003"})
        assert out.call.state == "active"
        await out.end()
        await into.end()
        await asyncio.gather(into.over(SECONDS), third.over(SECONDS))


async def test_a_parked_call_is_taken_back(lab: RunningLab) -> None:
    """The slot's number is shown, and whoever dials it talks with the parked one."""
    async with person(lab, "anita") as anita, person(lab, "bruno") as bruno, person(lab, "chiara") as chiara:
        out, into = await talk(anita, bruno, "2002", (None, None), (None, None))
        await calling(anita).desk.park(out.call.id)
        slot = out.call.parked
        assert slot
        await out.over(SECONDS)
        await until(bruno, lambda: into.call.held_by_other)
        back = await chiara.call(slot)
        await back.answered(SECONDS)
        await until(chiara, lambda: back.call.party.number == "2002")
        await until(bruno, lambda: not into.call.held_by_other)
        await back.end()
        await into.over(SECONDS)


async def test_a_second_call_holds_the_first(lab: RunningLab) -> None:
    """Call waiting: answering holds the other call, taking that back swaps them."""
    async with person(lab, "anita") as anita, person(lab, "bruno") as bruno, person(lab, "chiara") as chiara:
        out, into = await talk(anita, bruno, "2002", (None, None), (None, None))
        rings = asyncio.create_task(anita.next_call(seconds=SECONDS))
        third = await chiara.call("2001")
        second = await rings
        await second.answer()
        await third.answered(SECONDS)
        states = {call.id: call.state for call in calls(anita)}
        assert states == {out.call.id: "held", second.call.id: "active"}
        await calling(anita).desk.hold(out.call.id, held=False)
        states = {call.id: call.state for call in calls(anita)}
        assert states == {out.call.id: "active", second.call.id: "held"}
        await third.end()
        await out.end()
        await asyncio.gather(second.over(SECONDS), into.over(SECONDS))


async def test_digits_arrive_in_order(lab: RunningLab) -> None:
    """Keys go as telephone events (RFC 4733)."""
    async with person(lab, "anita") as anita, person(lab, "bruno") as bruno:
        out, into = await talk(anita, bruno, "2002", (tone(440), None), (None, None))
        await out.press("159#*0")
        await until(bruno, lambda: len(into.digits) >= 6)
        assert into.digits == "159#*0"
        await out.end()
        await into.over(SECONDS)


async def test_others_see_who_is_on_a_call(lab: RunningLab) -> None:
    """Presence says so while somebody talks, and what was before comes back."""
    async with person(lab, "anita") as anita, person(lab, "bruno") as bruno, person(lab, "chiara") as chiara:
        people = chiara.engine.signed_in().people
        await until(chiara, lambda: people.shown("anita@example.com").show == "available")
        out, into = await talk(anita, bruno, "2002", (None, None), (None, None))
        await until(chiara, lambda: people.shown("anita@example.com").show == "call")
        await out.end()
        await into.over(SECONDS)
        await until(chiara, lambda: people.shown("anita@example.com").show == "available")


async def test_forwarding_and_do_not_disturb_are_set_and_kept(lab: RunningLab) -> None:
    """Set by the user data service, shown, in force, and taken back."""
    async with person(lab, "anita") as anita, person(lab, "bruno") as bruno, person(lab, "chiara") as chiara:
        await calling(bruno).preferences.set_forward("2003")
        assert calling(bruno).phone.forward == "2003"
        rings = asyncio.create_task(chiara.next_call(seconds=SECONDS))
        out = await anita.call("2002")
        into = await rings
        assert any(reason.id == "calls.why.diverted" for reason in into.call.why)
        await out.end()
        await into.over(SECONDS)
        await calling(bruno).preferences.set_forward("")
        assert calling(bruno).phone.forward == ""
        await calling(bruno).preferences.set_do_not_disturb(on=True)
        assert calling(bruno).phone.do_not_disturb
        await calling(bruno).preferences.set_do_not_disturb(on=False)
        assert not calling(bruno).phone.do_not_disturb
