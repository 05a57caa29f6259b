"""The service is killed while callers speak: what a caller was told to be saved is there, whole, once, and whoever
listens to the mailbox is told of it once.

Eight callers at a time are in all phases of a message when the power goes; ``make soak`` does it until 200 recordings.
A CometD client of others listens to all eight mailboxes from before the first kill until after the last.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from aiocometd_ng.client import Client

from ringback.deployment.authority import Authority
from ringback.media.players.sound import parse_sound
from ringback.net.tls import client_context
from ringback.protocols.vmrest.messages import Query
from ringback.storage.voicemail.store import VoicemailStore
from tests.support.nursery import Process, start_module
from tests.support.soak import often
from tests.support.tones import heard
from tests.support.voice_callers import Caller, callers, tone
from tests.support.voicemail_alone import FIRST, PASSWORD
from tests.support.waiting import until

pytestmark = [pytest.mark.soak, pytest.mark.timeout(900)]

_AT_ONCE = 8
_ROUNDS = often(1, 25)


@contextlib.asynccontextmanager
async def service(folder: Path, **given: int) -> AsyncIterator[tuple[Process, dict[str, int]]]:
    """A node that runs, and its ports; ``given`` are its settings."""
    ready = folder / "ready.json"
    ready.unlink(missing_ok=True)
    output = folder / "output.txt"
    amounts = [f"{name}={value}" for name, value in given.items()]
    process = start_module("tests.support.voicemail_alone", [str(folder), *amounts], output)
    try:
        await until(lambda: process.poll() is not None or ready.exists(), 40)
        assert process.poll() is None, output.read_text()[-2000:]
        yield process, json.loads(ready.read_text())
    finally:
        process.kill()
        await until(lambda: process.poll() is not None)


@dataclass
class Watch:
    """What the client that stays was told: for each message the change numbers that came with it, in order."""

    told: dict[str, list[str]] = field(default_factory=dict)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def listen(self, client: Client) -> None:
        while True:
            data = (await client.receive())["data"]
            for info in data["MessageInfo"]:
                self.told.setdefault(info["MessageId"].removeprefix("0:"), []).append(data["USN"])
            self.news.set()

    async def until_told(self, messages: set[str]) -> None:
        async with asyncio.timeout(30):
            while messages - self.told.keys():
                self.news.clear()
                await self.news.wait()


@contextlib.asynccontextmanager
async def watching(folder: Path, ports: dict[str, int]) -> AsyncIterator[Watch]:
    """A client of others that listens to all mailboxes and is left to itself. (Its own watch of the connection asks
    for what Python 3.10 removed.)"""
    watch = Watch()
    tls = client_context(Authority(folder / "ca").ca_file)
    async with Client(f"http://127.0.0.1:{ports['notify']}/vmevents/cometd", connection_timeout=0) as client:
        async with aiohttp.ClientSession(base_url=f"https://127.0.0.1:{ports['vmrest']}") as session:
            for n in range(_AT_ONCE):
                path = "/vmrest/mailbox?method=requestnotification"
                me = {"Authorization": aiohttp.encode_basic_auth(f"u{n}", PASSWORD)}
                async with session.post(path, ssl=tls, headers=me, data=b"{}") as answer:
                    assert answer.status == 200
                    await client.subscribe(f"/vmrest/mailbox/{await answer.text()}")
        task = asyncio.create_task(watch.listen(client))
        try:
            yield watch
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def _leave(caller: Caller, start: float, seconds: float, *, by_key: bool) -> None:
    """A message: the moment it begins, how long it is, and whether its caller waits for the good-bye or hangs up."""
    with contextlib.suppress(TimeoutError):
        await caller.skip_greeting()
        await caller.speak(start + seconds)
        if not by_key:
            caller.hang_up()
            return
        caller.press("#")
        for _ in range(10):
            await caller.callers.beat()
        caller.press("1")
        caller.speaking = False
        await caller.until_over()


async def test_what_a_caller_was_told_to_be_saved_is_there_and_told_once(tmp_path: Path) -> None:
    with socket.socket() as free:  # the same port after each start; a free one now
        free.bind(("127.0.0.1", 0))
        given = {"mailboxes": _AT_ONCE, "passwords": _AT_ONCE, "notify_port": free.getsockname()[1]}
    async with contextlib.AsyncExitStack() as stack:
        async with service(tmp_path, **given) as (_, ports):
            watch = await stack.enter_async_context(watching(tmp_path, ports))
        kept = await _rounds(tmp_path, given)
        async with service(tmp_path, **given):
            await watch.until_told(kept)
    assert watch.told.keys() == kept
    again = {message: numbers for message, numbers in watch.told.items() if len(numbers) > 1}
    # Killed in the few milliseconds between a client's answer and the note of it: known by the same number.
    assert all(len(set(numbers)) == 1 for numbers in again.values()), again
    assert len(again) <= max(1, len(kept) // 20), again


async def _rounds(tmp_path: Path, given: dict[str, int]) -> set[str]:
    """All turns; the messages that were kept."""
    chance = random.Random(7)
    told = kept = 0
    ids: set[str] = set()
    for turn in range(_ROUNDS):
        async with service(tmp_path, **given) as (process, ports), callers(ports["sip"]) as everybody:
            store = await VoicemailStore.open(f"sqlite+aiosqlite:///{tmp_path}/voicemail.db")
            calls = [everybody.call(str(FIRST + n), tone(400 + 100 * n)) for n in range(_AT_ONCE)]
            # Longer than what counts as no message at all, also where the machine is slow.
            plans = [(n * 0.15, chance.uniform(1.8, 2.4), chance.random() < 0.6) for n in range(_AT_ONCE)]
            tasks = [
                asyncio.create_task(_leave(call, start, seconds, by_key=by_key))
                for call, (start, seconds, by_key) in zip(calls, plans, strict=True)
            ]
            before = {n: (await store.page(f"u{n}", "inbox", Query()))[0] for n in range(_AT_ONCE)}
            await asyncio.gather(*(call.until_answered() for call in calls))
            await asyncio.wait(tasks, timeout=chance.uniform(1.5, 6.0))
            process.kill()
            spoken = [(call.told, call.spoken) for call in calls]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await store.close()
        # As the next start finds it.
        store = await VoicemailStore.open(f"sqlite+aiosqlite:///{tmp_path}/voicemail.db")
        try:
            for n, (was_told, seconds) in enumerate(spoken):
                total, rows = await store.page(f"u{n}", "inbox", Query(rows=1))
                fresh = total - before[n]
                assert fresh == 1 if was_told else fresh in (0, 1), f"turn {turn}, caller {n}: {fresh} messages"
                told += was_told
                kept += fresh
                if fresh:
                    ids.add(rows[0].message.id)
                    await _is_whole(store, n, rows[0].message.id, seconds)
        finally:
            await store.close()
    assert kept >= told
    return ids


async def _is_whole(store: VoicemailStore, n: int, message: str, seconds: float) -> None:
    """As long as it was spoken, and the caller's own tone all through."""
    wav = await store.sound(f"u{n}", message)
    assert wav is not None
    sound = parse_sound(wav)
    assert 0.9 <= sound.seconds <= seconds + 2.5
    voice = heard(sound.pcm[sound.rate // 2 : sound.rate] / 32768, sound.rate)
    assert abs(voice.frequency - (400 + 100 * n)) < 12
