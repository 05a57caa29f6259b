"""What the voicemail costs: recordings at once on a core, messages listed, and the time from hang-up to the badge.

The service runs alone in a process; callers in the generator's speak G.711 to it in clear, as a call manager hands
calls on. Recordings per core: how many go on at once, divided by the share of a core that they take; every message must
lie in its mailbox afterwards, as long as it was spoken.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import msgspec

from bench.processes import cpu_seconds
from bench.report import Result
from bench.workloads import LostError
from ringback.net.node_resolver import NodeResolver
from ringback.net.tls import client_context
from ringback.protocols.vmrest.messages import Query
from ringback.rules.addresses import HostPort
from ringback.storage.voicemail.store import VoicemailStore
from tests.support.voice_callers import Caller, callers, tone
from tests.support.voicemail_alone import FIRST, NODE, PASSWORD, fill

_START = 30.0
_SILENT = 5.5  # seconds; longer silence would have ended a recording
_CONFIGURATION = "G.711, SQLite file, synchronous"


@dataclass(frozen=True, slots=True)
class Alone:
    """A voicemail node in a process of its own."""

    folder: Path
    pid: int
    ports: dict[str, int]

    @contextlib.asynccontextmanager
    async def session(self, user: str = "u0") -> AsyncIterator[aiohttp.ClientSession]:
        """A client of the interface that is this person."""
        connector = aiohttp.TCPConnector(
            ssl=client_context(self.folder / "ca" / "ca.pem"), resolver=NodeResolver({NODE: HostPort("127.0.0.1", 0)})
        )
        headers = {"Authorization": aiohttp.encode_basic_auth(user, PASSWORD), "Accept": "application/json"}
        async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
            yield session

    def url(self, path: str, service: str = "vmrest") -> str:
        """The address of a resource."""
        return f"https://{NODE}:{self.ports[service]}{path}"

    @property
    def store(self) -> str:
        """The URL of its database."""
        return f"sqlite+aiosqlite:///{self.folder}/voicemail.db"


@contextlib.contextmanager
def alone(folder: Path, *, mailboxes: int) -> Iterator[Alone]:
    """The node, running."""
    folder.mkdir(parents=True, exist_ok=True)
    words = (sys.executable, "-m", "tests.support.voicemail_alone", str(folder), f"mailboxes={mailboxes}")
    with (folder / "output.txt").open("w") as output:
        process = subprocess.Popen(words, stdout=output, stderr=subprocess.STDOUT)
    try:
        until = time.monotonic() + _START
        while not (folder / "ready.json").exists():
            if process.poll() is not None or time.monotonic() > until:
                raise LostError((folder / "output.txt").read_text()[-2000:])
            time.sleep(0.05)
        yield Alone(folder, process.pid, json.loads((folder / "ready.json").read_text()))
    finally:
        process.terminate()
        process.wait(20)


def results(folder: Path, rounds: int, *, short: bool) -> list[Result]:
    """The rows of the table."""
    at_once, seconds, messages = (10, 3.0, 200) if short else (100, 15.0, 10_000)
    rows = [
        Result("voicemail, recordings", "recording", "ringback", _CONFIGURATION, 300, measure="recordings per core"),
        Result("voicemail, messages listed", "message", "ringback", f"{messages:,} in the mailbox, JSON", None),
        Result("voicemail, hang-up to badge", "message", "ringback", "CometD, idle", None, measure="ms"),
    ]
    with alone(folder, mailboxes=at_once) as node:
        for _ in range(rounds):
            rows[0].values.append(asyncio.run(_recordings(node, at_once, seconds)))
        asyncio.run(_fill(node, messages))
        for _ in range(rounds):
            rows[1].values.append(asyncio.run(_listed(node, messages)) * 1000)
        rows[2].values += asyncio.run(_badges(node, 1 if short else 10))
    return rows


async def _recordings(node: Alone, count: int, seconds: float) -> float:
    """Recordings that a core takes at once. Raises LostError where one is not there, or too short."""
    async with callers(node.ports["sip"]) as everybody:
        frames = tone(440)
        store = await VoicemailStore.open(node.store)
        try:
            before = sum([(await store.counts(f"u{number}")).new for number in range(count)])
            calls = [everybody.call(str(FIRST + number), frames) for number in range(count)]
            await asyncio.gather(*(call.skip_greeting() for call in calls))
            for call in calls:
                call.speaking = True
            began, cpu = time.monotonic(), cpu_seconds(node.pid)
            await asyncio.sleep(seconds)
            used, passed = cpu_seconds(node.pid) - cpu, time.monotonic() - began
            spoken = sum(call.spoken for call in calls)  # less than it should be where the generator is starved
            print(f"voicemail: {spoken / passed:.0f} recordings take {used / passed:.2f} of a core", file=sys.stderr)
            for call in calls:
                call.hang_up()
            await asyncio.gather(*(call.until_over() for call in calls))
            await _arrived(store, count, before + count, calls)
        finally:
            await store.close()
    return spoken / used


async def _arrived(store: VoicemailStore, count: int, wanted: int, calls: list[Caller]) -> None:
    async with asyncio.timeout(_START):
        # Another process delivers.
        while sum([(await store.counts(f"u{number}")).new for number in range(count)]) < wanted:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    for number, call in enumerate(calls):
        _, rows = await store.page(f"u{number}", "inbox", Query(rows=1))
        # Before they all speak, the first ones are silent for a while after their tone.
        if not -0.5 < rows[0].message.duration / 1000 - call.spoken < _SILENT:
            raise LostError(f"{call.spoken:.2f} s were spoken, {rows[0].message.duration / 1000:.2f} s are kept")


async def _fill(node: Alone, count: int) -> None:
    store = await VoicemailStore.open(node.store)
    try:
        await fill(store, "u1", count)
    finally:
        await store.close()


async def _listed(node: Alone, count: int) -> float:
    """CPU seconds of a message in a list."""
    async with node.session("u1") as session:
        cpu, seen = cpu_seconds(node.pid), 0
        for page in range(1, count // 100 + 1):
            async with session.get(node.url(f"/vmrest/messages?rowsperpage=100&pagenumber={page}")) as answer:
                seen += len(msgspec.json.decode(await answer.read())["Message"])
        used = cpu_seconds(node.pid) - cpu
    if seen != count:
        raise LostError(f"{seen} of {count} messages were listed")
    return used / count


async def _badges(node: Alone, count: int) -> list[float]:
    """Milliseconds from the hang-up to the notification of each message."""
    found = []
    async with node.session("u0") as session, callers(node.ports["sip"]) as everybody:
        async with session.post(node.url("/vmrest/mailbox?method=requestnotification")) as answer:
            channel = f"/vmrest/mailbox/{await answer.text()}"
        url = node.url("/vmevents/cometd", "notify-tls")

        async def post(**packet: object) -> list[dict[str, object]]:
            async with session.post(url, json=[packet]) as answer:
                rows: list[dict[str, object]] = msgspec.json.decode(await answer.read())
                return rows

        [greeted] = await post(channel="/meta/handshake", version="1.0", supportedConnectionTypes=["long-polling"])
        me = greeted["clientId"]
        await post(channel="/meta/subscribe", clientId=me, subscription=channel)

        async def hears() -> float:
            while True:
                rows = await post(channel="/meta/connect", clientId=me, connectionType="long-polling")
                if any(row["channel"] == channel for row in rows):
                    return time.monotonic()

        for _ in range(count):
            waiting = asyncio.create_task(hears())
            call = everybody.call(str(FIRST), tone(440))
            await call.skip_greeting()
            await call.speak(1.5)
            began = time.monotonic()
            call.hang_up()
            found.append((await waiting - began) * 1000)
    return [statistics.median(found)]
