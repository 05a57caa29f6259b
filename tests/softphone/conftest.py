"""A lab of its own, people who are signed in there, and tones that tell whose voice is heard."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from ringback.client import Me, sign_in
from ringback.client.calling.script import registered
from ringback.client.host.wire_calls import Call
from ringback.media.players.sound import Sound, read_sound
from tests.support import tones
from tests.support.lab import RunningLab, running_lab

SECONDS = 30.0
RATE = 16_000
PASSWORD = "ringback"


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    """A running lab for all tests that leave nothing behind but words."""
    with running_lab(tmp_path_factory.mktemp("lab")) as running:
        yield running


@contextlib.asynccontextmanager
async def person(lab: RunningLab, user: str, data: Path | None = None) -> AsyncIterator[Me]:
    """A person who is signed in and whose softphone is registered."""
    address = f"{user}@example.com"
    async with sign_in(address, password=PASSWORD, nameserver=lab.inside, ca_file=lab.ca_file, data=data) as me:
        await registered(me.engine)
        yield me


async def until(me: Me, condition: Callable[[], object], seconds: float = SECONDS) -> None:
    """Wait until a condition holds; it is looked at after each event of the engine."""
    events = me.engine.subscribe()
    try:
        async with asyncio.timeout(seconds):
            while not condition():
                await events.next()
    finally:
        events.close()


def calls(me: Me) -> list[Call]:
    """The calls of a person that have not ended."""
    return [call for call in me.engine.signed_in().calling.calls() if call.state != "ended"]


async def rings(me: Me) -> Call:
    """Wait until it rings at a person."""
    await until(me, lambda: any(call.state == "ringing_in" for call in calls(me)))
    return next(call for call in calls(me) if call.state == "ringing_in")


def tone(frequency: float, seconds: float = 1.0) -> Sound:
    """An even tone that goes on for ever, at a quarter of full scale."""
    times = np.arange(int(RATE * seconds)) / RATE
    return Sound(RATE, (8000 * np.sin(2 * np.pi * frequency * times)).astype(np.int16), repeat=True)


def heard(file: Path, *, last: float = 1.5) -> tuple[float, float]:
    """The loudest frequency (Hz) and the level (share of full scale) in the last seconds of a recording, without its
    very end, when the other side has gone already."""
    sound = read_sound(file)
    end = len(sound.pcm) - int(0.3 * sound.rate)
    return measured(sound.pcm[max(end - int(last * sound.rate), 0) : end], sound.rate)


def measured(pcm: np.ndarray[tuple[int], np.dtype[np.int16]], rate: int) -> tuple[float, float]:
    """The loudest frequency (Hz) and the level (share of full scale) of some sound."""
    told = tones.heard(pcm.astype(np.float64) / 32768, rate)
    return told.frequency, 10 ** (told.level / 20)
