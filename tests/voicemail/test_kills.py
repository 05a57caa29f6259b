"""The service is killed while callers speak: what a caller was told to be saved is there, whole, once.

Eight callers at a time are in all phases of a message when the power goes; ``make soak`` does it until 200 recordings.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ringback.media.players.sound import parse_sound
from ringback.protocols.vmrest.messages import Query
from ringback.storage.voicemail.store import VoicemailStore
from tests.support.soak import often
from tests.support.tones import heard
from tests.support.voice_callers import Caller, callers, tone
from tests.support.voicemail_alone import FIRST

pytestmark = [pytest.mark.soak, pytest.mark.timeout(900)]

_AT_ONCE = 8
_ROUNDS = often(1, 25)


@contextlib.asynccontextmanager
async def service(folder: Path, *, mailboxes: int) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    """A node that runs, and its SIP port."""
    ready = folder / "ready.json"
    ready.unlink(missing_ok=True)
    with (folder / "output.txt").open("a") as output:
        words = (sys.executable, "-m", "tests.support.voicemail_alone", str(folder), f"mailboxes={mailboxes}")
        process = await asyncio.create_subprocess_exec(*words, stdout=output, stderr=output)
    try:
        async with asyncio.timeout(40):
            while not ready.exists():
                assert process.returncode is None, (folder / "output.txt").read_text()[-2000:]
                await asyncio.sleep(0.05)
        yield process, json.loads(ready.read_text())["sip"]
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


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


async def test_what_a_caller_was_told_to_be_saved_is_there_once(tmp_path: Path) -> None:
    chance = random.Random(7)
    told = kept = 0
    for turn in range(_ROUNDS):
        async with service(tmp_path, mailboxes=_AT_ONCE) as (process, port), callers(port) as everybody:
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
                    await _is_whole(store, n, rows[0].message.id, seconds)
        finally:
            await store.close()
    assert kept >= told


async def _is_whole(store: VoicemailStore, n: int, message: str, seconds: float) -> None:
    """As long as it was spoken, and the caller's own tone all through."""
    wav = await store.sound(f"u{n}", message)
    assert wav is not None
    sound = parse_sound(wav)
    assert 0.9 <= sound.seconds <= seconds + 2.5
    voice = heard(sound.pcm[sound.rate // 2 : sound.rate] / 32768, sound.rate)
    assert abs(voice.frequency - (400 + 100 * n)) < 12
