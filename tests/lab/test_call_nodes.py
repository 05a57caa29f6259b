"""Two nodes of a cluster, each a process of its own with one store: what happens to phones when one dies."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ringback.protocols.call_records import parse
from ringback.protocols.sip.session import Session
from tests.support.lab import loopback_range, ringback, start_until, stop
from tests.support.postgres import running_postgres
from tests.support.sip_phone import Accepted, Bell, Ended, Failed, Invited, SipPhone, sip_phone

KEEP_ALIVE = 2
FIRST, SECOND = "cm1.example.com", "cm2.example.com"


@dataclass
class Nodes:
    """The two call managers of the head office."""

    file: Path
    data: Path
    loopback: str
    processes: dict[str, subprocess.Popen[str]] = field(default_factory=dict)

    def start(self, name: str) -> None:
        """Start a node (again); returns when it serves."""
        (self.data / "lab.json").unlink(missing_ok=True)
        output = self.data / f"{name}.txt"
        with output.open("a") as out:
            process = subprocess.Popen(
                ringback("serve", str(self.file), "--node", name, "--data", str(self.data)),
                stdout=out, stderr=subprocess.STDOUT, text=True, env=dict(os.environ),
            )  # fmt: skip
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

    async def notes_calls(self, count: int) -> None:
        """Wait until the store has a note of so many calls under way."""
        store = self.data / "nodes" / "head-office" / "call-manager.db"
        async with asyncio.timeout(5):
            while count_open_calls(store) < count:  # noqa: ASYNC110  another process writes it
                await asyncio.sleep(0.05)

    def records(self, name: str) -> list[dict[str, Any]]:
        """Call detail records of a node, those that it is still writing included."""
        folder = self.data / "nodes" / name / "records"
        return [record for file in sorted(folder.glob("cdr_*")) for record in parse(file.read_text())[1]]


def count_open_calls(store: Path) -> int:
    """How many calls the store of a cluster has as under way."""
    with contextlib.closing(sqlite3.connect(store)) as connection:
        return int(connection.execute("SELECT count(*) FROM open_calls").fetchone()[0])


@pytest.fixture
def nodes(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Nodes]:
    with loopback_range() as loopback, contextlib.ExitStack() as stack:
        text = subprocess.run(ringback("lab", "--show"), capture_output=True, text=True, check=True).stdout
        if getattr(request, "param", "sqlite") == "postgresql":
            url = stack.enter_context(running_postgres()).fresh_url()
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


@pytest.mark.parametrize("nodes", ["sqlite", "postgresql"], indirect=True)
async def test_phones_of_different_nodes_call_each_other(nodes: Nodes) -> None:
    async with phones(nodes, [FIRST], [SECOND]) as (reception, desk):
        assert (reception.registered_with, desk.registered_with) == (FIRST, SECOND)
        await talk(reception, desk, "2007")
        await talk(desk, reception, "2000")


async def test_phones_go_to_the_second_node_when_the_first_is_killed(nodes: Nodes) -> None:
    async with phones(nodes, [FIRST, SECOND], [FIRST, SECOND]) as (reception, desk):
        session = reception.call("2007")
        await reception.bell.until(lambda: reception.saw(Accepted, session))
        await nodes.notes_calls(1)
        nodes.kill(FIRST)
        took = await reception.bell.until(lambda: {reception.registered_with, desk.registered_with} == {SECOND})
        assert took < 2 * KEEP_ALIVE
        await talk(desk, reception, "2000")

        nodes.start(FIRST)
        owed = next(record for record in nodes.records(FIRST) if record["comment"] == "NodeEnded")
        assert (owed["callingPartyNumber"], owed["finalCalledPartyNumber"]) == ("2000", "2007")
        assert owed["origCause_value"] == owed["destCause_value"] == 41
        assert [record["callingPartyNumber"] for record in nodes.records(SECOND)] == ["2007"]


async def test_phones_notice_a_node_that_is_silent(nodes: Nodes) -> None:
    async with phones(nodes, [FIRST, SECOND], [FIRST, SECOND]) as (reception, desk):
        begin = time.monotonic()
        while time.monotonic() - begin < 3 * KEEP_ALIVE:  # long enough for the first keep-alives to be answered
            await talk(reception, desk, "2007")
        frozen = nodes.processes[FIRST]
        frozen.send_signal(signal.SIGSTOP)
        try:
            took = await reception.bell.until(lambda: {reception.registered_with, desk.registered_with} == {SECOND}, 60)
            assert took < 15 + 2 * KEEP_ALIVE  # the interval, and the time that an answer may take
            await talk(desk, reception, "2000")
        finally:
            frozen.send_signal(signal.SIGCONT)
