"""A person's morning by the Python interface: chat, a search, a call. One is outside, one is at the office.

Run as a program with one JSON object: who, whom, name server, authority, folder, and what to do. ``held`` are the own
address and the networks that the process is held to where no firewall stands between; ``tries`` are addresses that it
tries to reach.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import sys
from pathlib import Path

import msgspec

from ringback.client import sign_in
from ringback.client.calling.script import Talk
from ringback.client.script import Me
from ringback.net.fence import Fence, Reach
from tests.support.tones import Heard, heard, read_wave, write_tone
from tests.support.waiting import until

SECONDS = 40.0
TALK = 1.5  # seconds of sound that are listened to


class Part(msgspec.Struct, frozen=True):
    """What this one is and does; ``calls``: calls the other, else takes the call."""

    me: str
    other: str
    number: str
    password: str
    nameserver: str
    ca: str
    folder: str
    tone: float
    hears: float
    calls: bool
    held: list[str] = []
    tries: list[str] = []


class Report(msgspec.Struct):
    """How it went."""

    reached: list[str] = []
    place: str = ""
    read: list[str] = []
    found: list[str] = []
    secure: str = ""
    frequency: float = 0.0
    share: float = 0.0


async def live(part: Part) -> Report:
    """The morning."""
    folder = Path(part.folder)
    report = Report(reached=[place for place in part.tries if await reaches(place)])
    async with (
        asyncio.timeout(SECONDS),
        sign_in(part.me, password=part.password, nameserver=part.nameserver, ca_file=part.ca) as me,
    ):
        report.place = me.engine.place.now.where
        (folder / "ready").touch()
        await until((folder.parent / part.other / "ready").exists, SECONDS, pause=0.05)
        await chat(me, part, report)
        report.found = [person.name for person in await me.search("Chiara")]
        await call(me, part, folder, report)
    return report


async def reaches(place: str) -> bool:
    """Whether a connection is taken there."""
    host, _, port = place.rpartition(":")
    try:
        async with asyncio.timeout(2):
            _, writer = await asyncio.open_connection(host, int(port))
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


async def chat(me: Me, part: Part, report: Report) -> None:
    """One writes and reads the answer, the other the other way round."""
    mine = f"from {part.me}"
    if part.calls:
        await me.send(part.other, mine)
    async for message in me.messages():
        report.read.append(message.body)
        break
    if not part.calls:
        await me.send(part.other, mine)


async def call(me: Me, part: Part, folder: Path, report: Report) -> None:
    """Talk, until the other's tone was heard for a while at both ends."""
    tone, record = write_tone(folder / "tone.wav", part.tone, seconds=20.0, rate=16000), folder / "heard.wav"
    if part.calls:
        talk = await me.call(part.number, play=tone, record=record)
        await talk.answered(SECONDS)
    else:
        talk = await me.next_call(play=tone, record=record, seconds=SECONDS)
        await talk.answer()
    report.secure = talk.call.secure
    found = await listen(talk, record, part.hears)
    report.frequency, report.share = found.frequency, found.share
    # The one who called hangs up when the other has heard enough, too.
    (folder / "enough").touch()
    if part.calls:
        await until((folder.parent / part.other / "enough").exists, SECONDS, pause=0.05)
        report.secure = talk.call.secure
        await talk.end()
    await talk.over(SECONDS)


async def listen(talk: Talk, record: Path, wanted: float) -> Heard:
    """What is heard, once it is the wanted tone, or at the end of patience."""
    found = Heard(0.0, 0.0, -120.0)

    def is_wanted() -> bool:
        nonlocal found
        try:
            samples, rate = read_wave(record)
        except (EOFError, FileNotFoundError):
            return False
        found = heard(samples[-int(TALK * rate) :], rate)
        return len(samples) > TALK * rate and abs(found.frequency - wanted) < 10 and found.share > 0.8

    with contextlib.suppress(TimeoutError):
        await until(is_wanted, SECONDS / 2, pause=0.1)
    return found


def main() -> None:
    """Live, and print how it went."""
    part = msgspec.json.decode(sys.argv[1], type=Part)
    Path(part.folder).mkdir(parents=True, exist_ok=True)
    if part.held:
        own, *networks = part.held
        Fence(Reach(own, tuple(ipaddress.ip_network(text) for text in networks))).install()
    sys.stdout.write(json.dumps(msgspec.to_builtins(asyncio.run(live(part)))) + "\n")


if __name__ == "__main__":
    main()
