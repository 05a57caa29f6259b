"""Two nodes of a cluster, each a process of its own with one store: what happens to phones when one dies.

All tests share the nodes: each leaves both of them serving.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ringback.net.sip import streams
from ringback.protocols.call_records import parse
from ringback.protocols.sip.session import Session
from tests.support.lab import built_in, loopback_range, start_until, stop
from tests.support.nursery import Process, start_ringback
from tests.support.sip_phone import Accepted, Bell, Ended, Failed, Invited, SipPhone, sip_phone
from tests.support.soak import often
from tests.support.strangers import RATE, strangers

KEEP_ALIVE = 2
PONG_WITHIN = 3.0  # seconds; ten in use (RFC 5626 section 4.4.1), which would only make the test longer
KILLS = often(2, 30)
FLOOD = often(2.0, 120.0)  # seconds
FIRST, SECOND = "cm1.example.com", "cm2.example.com"


@dataclass
class Nodes:
    """The two call managers of the head office."""

    file: Path
    data: Path
    loopback: str
    processes: dict[str, Process] = field(default_factory=dict)

    def start(self, name: str) -> None:
        """Start a node (again); returns when it serves."""
        (self.data / "lab.json").unlink(missing_ok=True)
        output = self.data / f"{name}.txt"
        process = start_ringback(["serve", str(self.file), "--node", name, "--data", str(self.data)], output)
        self.processes[name] = process
        start_until(process, self.data / "lab.json", output)

    def kill(self, name: str) -> None:
        """End a node as a power cut would."""
        stop(self.processes[name], signal.SIGKILL)

    @property
    def servers(self) -> list[tuple[str, str, int]]:
        """Name, address and port of both, in the order of the device files."""
        return [(FIRST, f"{self.loopback}.10.10", 5061), (SECOND, f"{self.loopback}.10.12", 5061)]

    @property
    def ca_file(self) -> Path:
        """The certificate of the private authority."""
        return self.data / "certificates" / "ca.pem"

    def open_calls(self) -> int:
        """How many calls the store has a note of as under way."""
        return count_open_calls(self.data / "nodes" / "head-office" / "call-manager.db")

    async def notes_calls(self, count: int, *, exactly: bool = False) -> None:
        """Wait until the store has a note of so many calls, or more, under way."""
        async with asyncio.timeout(10):
            while (found := self.open_calls()) < count or (exactly and found != count):  # noqa: ASYNC110  another process writes it
                await asyncio.sleep(0.05)

    def records(self, name: str) -> list[dict[str, Any]]:
        """Call detail records of a node, those that it is still writing included."""
        folder = self.data / "nodes" / name / "records"
        return [record for file in sorted(folder.glob("cdr_*")) for record in parse(file.read_text())[1]]


def count_open_calls(store: Path) -> int:
    """How many calls the store of a cluster has as under way."""
    with contextlib.closing(sqlite3.connect(store)) as connection:
        return int(connection.execute("SELECT count(*) FROM open_calls").fetchone()[0])


@pytest.fixture(scope="module", params=["sqlite"])
def nodes(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Nodes]:
    tmp_path = tmp_path_factory.mktemp("nodes")
    with loopback_range() as loopback, contextlib.ExitStack() as stack:
        text = built_in()
        if request.param == "postgresql":
            url = request.getfixturevalue("postgres").fresh_url()
            head_office = 'cluster = "head-office"\n'
            text = text.replace(
                f'roles = ["call-manager"]\n{head_office}',
                f'roles = ["call-manager"]\n{head_office}database = "{url}"\n',
            )
        file = tmp_path / "office.toml"
        file.write_text(text.replace("127.0.", f"{loopback}.") + f"\n[calls]\nkeep-alive-seconds = {KEEP_ALIVE}\n")
        data = tmp_path / "data"
        data.mkdir()
        running = Nodes(file, data, loopback)
        stack.callback(lambda: [stop(process, signal.SIGKILL) for process in running.processes.values()])
        running.start(FIRST)
        running.start(SECOND)
        yield running


@contextlib.asynccontextmanager
async def phones(nodes: Nodes, first: list[str], second: list[str]) -> AsyncIterator[tuple[SipPhone, SipPhone]]:
    """The phone of the reception and George's desk phone, each with its nodes in this order."""
    places = {name: (name, address, port) for name, address, port in nodes.servers}
    bell = Bell()
    async with (
        sip_phone(nodes.ca_file, "reception", "reception-phone", "2000", bell) as reception,
        sip_phone(nodes.ca_file, "george-desk", "george-desk-phone", "2007", bell) as desk,
    ):
        reception.register([places[name] for name in first], keep_alive=KEEP_ALIVE)
        desk.register([places[name] for name in second], keep_alive=KEEP_ALIVE)
        await reception.bell.until(lambda: bool(reception.registered_with and desk.registered_with))
        yield reception, desk


async def answered(caller: SipPhone, session: Session) -> bool:
    """Whether a call is answered, rather than refused."""
    await caller.bell.until(lambda: caller.saw(Accepted, session) or caller.saw(Failed, session))
    return caller.saw(Accepted, session)


async def talk(caller: SipPhone, called: SipPhone, number: str) -> None:
    """A call that is answered and ended. Other nodes learn within two seconds where a phone is: it is tried again."""
    async with asyncio.timeout(15):  # each try takes the nodes some work, so no pause is needed
        session = caller.call(number)
        while not await answered(caller, session):
            session = caller.call(number)
    assert called.saw(Invited)
    caller.hang_up(session)
    await caller.bell.until(lambda: caller.saw(Ended, session) and called.saw(Ended))


@pytest.mark.soak
async def test_phones_go_to_the_other_node_when_theirs_is_killed(nodes: Nodes) -> None:
    """Each answered call has one record, whoever wrote it, and no call is left hanging."""
    dice = random.Random(7)
    for number in range(KILLS):
        theirs, other = ((FIRST, SECOND), (SECOND, FIRST))[number % 2]
        await kill_under_calls(nodes, theirs, other, dice)


async def kill_under_calls(nodes: Nodes, theirs: str, other: str, dice: random.Random) -> None:
    """Some calls are under way, perhaps one more is just being set up, when the node dies."""
    before = Counter(record["comment"] == "NodeEnded" for record in nodes.records(theirs))
    at_other = len(nodes.records(other))
    async with phones(nodes, [theirs, other], [theirs, other]) as (reception, desk):
        made = [(reception, reception.call("2007"))]
        if dice.random() < 0.5:
            made.append((desk, desk.call("2000")))
        answered_ones = sum([await answered(caller, session) for caller, session in made])
        assert answered_ones >= 1
        await nodes.notes_calls(answered_ones, exactly=True)
        in_doubt = dice.random() < 0.5
        if in_doubt:
            desk.call("2000")
        nodes.kill(theirs)
        took = await reception.bell.until(lambda: {reception.registered_with, desk.registered_with} == {other})
        assert took < 2 * KEEP_ALIVE
        await talk(desk, reception, "2000")

        nodes.start(theirs)
        await nodes.notes_calls(0, exactly=True)
        owed = [record for record in nodes.records(theirs) if record["comment"] == "NodeEnded"][before[True] :]
        assert answered_ones <= len(owed) <= answered_ones + in_doubt
        first = next(record for record in owed if record["callingPartyNumber"] == "2000")
        assert first["finalCalledPartyNumber"] == "2007"
        assert first["origCause_value"] == first["destCause_value"] == 41
        connected = [
            record["callingPartyNumber"]
            for record in nodes.records(other)[at_other:]
            if record["duration"] or record["dateTimeConnect"]
        ]
        assert connected == ["2007"]


async def test_phones_notice_a_node_that_is_silent(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_PONG_WITHIN", PONG_WITHIN)
    async with phones(nodes, [FIRST, SECOND], [FIRST, SECOND]) as (reception, desk):
        begin = time.monotonic()
        while time.monotonic() - begin < 1.5 * KEEP_ALIVE:  # long enough for the first keep-alives to be answered
            await talk(reception, desk, "2007")
        frozen = nodes.processes[FIRST]
        frozen.send_signal(signal.SIGSTOP)
        try:
            took = await reception.bell.until(lambda: {reception.registered_with, desk.registered_with} == {SECOND}, 60)
            assert took < 5 + PONG_WITHIN + 2 * KEEP_ALIVE  # the interval, and the time that an answer may take
            await talk(desk, reception, "2000")
        finally:
            frozen.send_signal(signal.SIGCONT)


@pytest.mark.soak
async def test_strangers_who_flood_a_node_change_nothing_for_its_phones(nodes: Nodes) -> None:
    """Thousands of OPTIONS, REGISTER and INVITE a second: every call is set up, and soon."""
    took: list[float] = []
    async with phones(nodes, [FIRST], [FIRST]) as (reception, desk):
        with strangers(f"{nodes.loopback}.10.10", 5060, FLOOD) as crowd:
            while crowd.poll() is None:
                began = time.monotonic()
                session = desk.call("2000")
                assert await answered(desk, session)
                took.append(time.monotonic() - began)
                desk.hang_up(session)
                await desk.bell.until(lambda session=session: desk.saw(Ended, session))  # type: ignore[misc]
            assert crowd.stdout is not None
            assert int(crowd.stdout.read()) > FLOOD * RATE / 2
        assert (reception.registered_with, desk.registered_with) == (FIRST, FIRST)
    assert len(took) > 2 * FLOOD
    assert max(took) < 2.0
    await nodes.notes_calls(0, exactly=True)


@pytest.mark.parametrize("nodes", ["sqlite", "postgresql"], indirect=True)
async def test_phones_of_different_nodes_call_each_other(nodes: Nodes) -> None:
    async with phones(nodes, [FIRST], [SECOND]) as (reception, desk):
        assert (reception.registered_with, desk.registered_with) == (FIRST, SECOND)
        await talk(reception, desk, "2007")
        await talk(desk, reception, "2000")
