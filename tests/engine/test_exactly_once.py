"""Every acknowledged message exactly once, while the presence service is killed under the conversation (kill -9)."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from ringback.client.engine.engine import Engine
from ringback.rules.addresses import HostPort
from tests.engine.conftest import Person, person_in
from tests.support.lab import SplitLab, split_lab

CHATS, ROOM_TEXTS = 24, 16


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SplitLab]:
    """The lab with a presence service that can be killed."""
    with split_lab(tmp_path_factory.mktemp("split")) as running:
        yield running


@contextlib.asynccontextmanager
async def signed_in(lab: SplitLab, user: str, data: Path) -> AsyncIterator[Person]:
    """A person of the lab."""
    server = HostPort.parse(lab.rest.inside)
    async with person_in(user, data / user, name_server=server, ca=lab.rest.ca_file) as person:
        yield person


async def test_kill_loses_and_doubles_nothing(lab: SplitLab, tmp_path: Path) -> None:
    async with signed_in(lab, "anita", tmp_path) as anita, signed_in(lab, "bruno", tmp_path) as bruno:
        room = await anita.engine.signed_in().create_room("Night shift", [bruno.address])
        await bruno.until(lambda: (talk := bruno.engine.conversation(room.id)) is not None and talk.joined)
        for round_number in range(2):
            killer = asyncio.create_task(kill_soon(lab, 0.05 + 0.1 * round_number))
            for number in range(CHATS // 2):
                name = f"{round_number}-{number}"
                await anita.say(bruno.address, f"chat-{name}", f"chat {name}")
                if number < ROOM_TEXTS // 2:
                    await bruno.say(room.id, f"room-{name}", f"room {name}")
                await asyncio.wait([killer], timeout=0.01)
            await killer
            await asyncio.to_thread(lab.start_presence)
            for person in (anita, bruno):
                person.engine.signed_in().try_now()
        wanted_chats = [f"chat {round_number}-{number}" for round_number in range(2) for number in range(CHATS // 2)]
        wanted_room = [
            f"room {round_number}-{number}" for round_number in range(2) for number in range(ROOM_TEXTS // 2)
        ]
        got = await bruno.history(anita.address, CHATS)
        assert Counter(message.body for message in got) == Counter(wanted_chats)
        in_room = await anita.history(room.id, ROOM_TEXTS)
        assert Counter(message.body for message in in_room) == Counter(wanted_room)
        await nothing_waits(anita)
        await nothing_waits(bruno)
        for person in (anita, bruno):
            for conversation in (bruno.address, anita.address, room.id):
                texts = [message.body for message in await person.history(conversation)]
                assert len(texts) == len(set(texts))


async def kill_soon(lab: SplitLab, seconds: float) -> None:
    """Kill the presence service a moment from now."""
    await asyncio.to_thread(asyncio.run, asyncio.sleep(seconds))
    await asyncio.to_thread(lab.kill_presence)


async def nothing_waits(person: Person) -> None:
    """Wait until the outbox is empty: the server took responsibility for everything."""
    async with asyncio.timeout(20):
        while await person.engine.signed_in().chats.unsent():
            await person.events.next()


async def test_a_third_machine_sees_the_same(lab: SplitLab, tmp_path: Path) -> None:
    async with signed_in(lab, "anita", tmp_path) as anita:
        await anita.say("bruno@example.com", "seen-everywhere", "seen everywhere")
        await nothing_waits(anita)
    async with signed_in(lab, "anita", tmp_path / "elsewhere") as again:
        texts = [message.body for message in await again.history("bruno@example.com", 1)]
        assert texts.count("seen everywhere") == 1
        assert isinstance(again.engine, Engine)
