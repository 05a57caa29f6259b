"""The way to the voicemail: sipp is the voicemail system, and reads from the Diversion whose mailbox it is and why."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from bench.signalling.generator import answering
from ringback.client import Me
from ringback.client.calling.preferences import VOICEMAIL
from tests.softphone.conftest import SECONDS, person
from tests.softphone.test_modes import deployment
from tests.support.lab import RunningLab, loopback_range, running_lab

pytestmark = pytest.mark.peer

PILOT = "2999"
ANSWER = Path(__file__).parents[2] / "bench" / "signalling" / "answer.xml"
READ = """<recv request="INVITE" rrs="true"><action>
  <ereg regexp="sip:2002@" search_in="hdr" header="Diversion:" check_it="true" assign_to="1"/>
  <ereg regexp="reason=[a-z-]*" search_in="hdr" header="Diversion:" check_it="true" assign_to="2"/>
  <exec command="echo [$1] [$2] >> told.txt"/>
</action></recv>"""


@contextlib.contextmanager
def office(folder: Path, voicemail: str, loopback: str) -> Iterator[RunningLab]:
    """The lab with a voicemail system."""
    file = deployment(folder)  # its own mailboxes give way to a foreign voicemail system
    trunk = f'\n[[trunk]]\nname = "mail"\nkind = "voicemail"\ntransport = "udp"\nhosts = ["{voicemail}"]\n'
    text = file.read_text().replace("127.0.", f"{loopback}.")
    file.write_text(f"{text}{trunk}\n[calls]\nring-seconds = 2\n")
    with running_lab(folder / "data", str(file), loopback=loopback) as running:
        yield running


@contextlib.asynccontextmanager
async def voicemail(folder: Path, loopback: str, count: int) -> AsyncIterator[str]:
    """A voicemail system that takes so many calls, each of them with a mailbox; gives its host and port."""
    scenario = folder / "voicemail.xml"
    scenario.write_text(ANSWER.read_text().replace('<recv request="INVITE" rrs="true"/>', READ, 1))
    address = f"{loopback}.10.50"
    async with answering(address, folder, scenario, count=count) as port:
        yield f"{address}:{port}"


async def leaves_a_message(caller: Me, to: str = "2002") -> None:
    """Call, be answered by the voicemail, hang up."""
    out = await caller.call(to)
    await out.answered(SECONDS)
    await out.end()
    await out.over(SECONDS)


async def test_the_voicemail_is_told_whose_mailbox_and_why(tmp_path: Path) -> None:
    """Not registered, not answered, diverted, declined, silent (do not disturb), all forwarded: each with why."""
    with loopback_range() as loopback:
        async with voicemail(tmp_path, loopback, 6) as door:
            with office(tmp_path, door, loopback) as lab:
                async with person(lab, "anita") as anita:
                    await leaves_a_message(anita)
                    async with person(lab, "bruno") as bruno:
                        await is_not_there(anita, bruno)
    told = [line.split() for line in (tmp_path / "told.txt").read_text().splitlines()]
    assert [mailbox for mailbox, _ in told] == ["sip:2002@"] * 6
    assert [why.removeprefix("reason=") for _, why in told] == [
        "unavailable",
        "no-answer",
        "deflection",
        "user-busy",
        "no-answer",
        "unconditional",
    ]


async def is_not_there(anita: Me, bruno: Me) -> None:
    """All ways in which a registered person lets a call go to the voicemail."""
    calling = bruno.engine.signed_in().calling
    assert calling.phone.voicemail == PILOT
    await leaves_a_message(anita)
    await rings_and(anita, bruno, "divert")
    await rings_and(anita, bruno, "decline")
    await calling.preferences.set_do_not_disturb(on=True)
    await rings_and(anita, bruno, "silence")
    await calling.preferences.set_do_not_disturb(on=False)
    await calling.preferences.set_forward(VOICEMAIL)
    await leaves_a_message(anita)


async def rings_and(anita: Me, bruno: Me, action: str) -> None:
    """It rings at Bruno, who does something else than to answer."""
    desk = bruno.engine.signed_in().calling.desk
    rings = asyncio.create_task(bruno.next_call(seconds=SECONDS))
    message = asyncio.create_task(leaves_a_message(anita))
    into = await rings
    assert "divert" in into.call.may
    assert any(why.id == "calls.why.silent" for why in into.call.why) == (action == "silence")
    if action == "divert":
        await desk.divert(into.call.id, PILOT)
    elif action == "decline":
        desk.decline(into.call.id)
    ends = {"divert": "diverted", "decline": "declined", "silence": "missed"}
    assert (await into.over(SECONDS)).result == ends[action]
    await message
