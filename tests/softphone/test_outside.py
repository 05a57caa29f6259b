"""Calls of somebody outside: through the edge both ways, and along when one walks out of the office with a call."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ringback.cli.main import make_app
from ringback.client import Me
from ringback.client.calling.errors import CallError
from ringback.client.calling.script import Talk, registered
from ringback.client.engine.engine import Engine
from ringback.client.engine.settings import EngineSettings
from ringback.rules.addresses import HostPort
from ringback.rules.catalogue import render
from tests.softphone.conftest import PASSWORD, SECONDS, calls, heard, person, tone, until
from tests.support.lab import RunningLab, built_in

ADDRESSES = {"inside": frozenset({"10.1.2.3"}), "outside": frozenset({"192.168.1.7"})}


@dataclass
class Network:
    """The network that a computer is in; it may be carried into another one."""

    lab: RunningLab
    where: str = "outside"

    def name_server(self) -> HostPort:
        """That of the network."""
        return HostPort.parse(self.lab.inside if self.where == "inside" else self.lab.outside)

    def addresses(self) -> frozenset[str]:
        """Those of the computer."""
        return ADDRESSES[self.where]


@contextlib.asynccontextmanager
async def traveller(network: Network, user: str, data: Path) -> AsyncIterator[Me]:
    """Somebody who is signed in wherever they are."""
    settings = EngineSettings(
        data=data, name_server=network.name_server, ca_file=network.lab.ca_file, cloud_url="", use_keyring=False,
        addresses=network.addresses, addresses_every=0.02,
    )  # fmt: skip
    async with Engine(settings) as engine:
        await engine.sign_in(f"{user}@example.com", PASSWORD)
        yield Me(engine)


async def connected(caller: Me, called: Me, number: str, folder: Path) -> tuple[Talk, Talk]:
    """A call in which both play a tone and record what they hear."""
    waits = asyncio.create_task(called.next_call(play=tone(700), record=folder / "called.wav", seconds=SECONDS))
    out = await caller.call(number, play=tone(440), record=folder / "caller.wav")
    into = await waits
    await into.answer()
    await out.answered()
    return out, into


async def listens(me: Me, talk: Talk, seconds: int = 1) -> None:
    """Wait until somebody has heard the other side for so many seconds more."""
    first = len(talk.call.quality.receiving.minute)
    await until(me, lambda: len(talk.call.quality.receiving.minute) >= first + seconds)


def heard_both(folder: Path) -> None:
    """At the end of the call each heard the other's tone."""
    for name, frequency in (("called", 440), ("caller", 700)):
        loudest, level = heard(folder / f"{name}.wav", last=0.6)
        assert abs(loudest - frequency) < 15, name
        assert level > 0.05, name


async def test_calls_through_the_edge(lab: RunningLab, tmp_path: Path) -> None:
    async with traveller(Network(lab), "anita", tmp_path / "anita") as anita, person(lab, "bruno") as bruno:
        await registered(anita.engine)
        phone = anita.engine.signed_in().calling.phone
        assert phone.secure
        assert phone.text is not None
        assert phone.text.id == "calls.phone.registered_edge"
        out, into = await connected(anita, bruno, "2002", tmp_path)
        await listens(anita, out)
        leg = next(one for one in out.call.legs if one.here == "engine")
        assert (leg.there, leg.encrypted) == ("edge.example.com", True)
        await out.press("42")
        await until(bruno, lambda: into.digits == "42")
        await out.hold()
        await until(bruno, lambda: into.call.held_by_other)
        await out.hold(held=False)
        await listens(bruno, into)
        await listens(anita, out)
        await out.end()
        await into.over(SECONDS)
        await out.over(SECONDS)
        heard_both(tmp_path)
        # And from the office to the café.
        out, into = await connected(bruno, anita, "2001", tmp_path)
        await listens(anita, into)
        await listens(bruno, out)
        await into.end()
        await out.over(SECONDS)
        await into.over(SECONDS)
        heard_both(tmp_path)
        assert not calls(anita)


async def test_where_only_messages_are_allowed_calls_say_so(lab: RunningLab, tmp_path: Path) -> None:
    file = tmp_path / "example.toml"
    file.write_text(built_in())
    words = ["people", "remote-access", str(file), "julia", "messaging", "--data", str(lab.data)]
    done = await asyncio.to_thread(CliRunner().invoke, make_app("people"), words)
    assert done.exit_code == 0, done.output
    network = Network(lab, "inside")
    async with traveller(network, "julia", tmp_path / "julia") as julia, person(lab, "bruno") as bruno:
        session = julia.engine.signed_in()
        await registered(julia.engine)
        out, into = await connected(julia, bruno, "2002", tmp_path)
        network.where = "outside"
        told = await out.over(SECONDS)  # at once, in place of a call that hangs
        assert told.note is not None
        # The edge hears of the policy within seconds, perhaps only after the call had moved.
        assert told.note.id in ("calls.ended.network", "calls.ended.edge")
        await until(julia, lambda: session.calling.phone.state == "refused")
        why = session.calling.phone.text
        assert why is not None
        assert render(why).startswith("Your company allows messages and presence from outside")

        def marked() -> bool:
            return [row.reason for row in julia.engine.place.now.missing if row.id == "calls"] == [why]

        await until(julia, marked)
        with pytest.raises(CallError) as refused:
            await session.calling.desk.start("2002")
        assert refused.value.reason == why
        await session.say("bruno@example.com", "from-julia", "I can write, though")
        await until(julia, session.up.is_set)
        assert not calls(julia)
        await into.end()


async def test_a_call_walks_out_of_the_office_and_back(lab: RunningLab, tmp_path: Path) -> None:
    network = Network(lab, "inside")
    async with traveller(network, "chiara", tmp_path / "chiara") as chiara, person(lab, "bruno") as bruno:
        out, into = await connected(chiara, bruno, "2002", tmp_path)
        await listens(bruno, into)
        calling, route = chiara.engine.signed_in().calling, chiara.engine.route

        def once_more() -> None:
            """Networks often change twice, an address first, then the name server: here as soon as the way is known."""
            if not route.outside:
                asyncio.get_running_loop().call_soon(calling.network_changed)

        route.listen(once_more)
        for where in ("outside", "inside"):
            network.where = where
            await until(chiara, lambda where=where: chiara.engine.place.now.where == where)  # type: ignore[misc]
            await until(chiara, lambda: not out.call.note)
            edges = [leg for leg in out.call.legs if leg.there == "edge.example.com" and leg.encrypted]
            assert bool(edges) is (where == "outside")
            await listens(bruno, into)
            await listens(chiara, out)
            assert out.call.state == into.call.state == "active"
        await into.end()
        await out.over(SECONDS)
        await into.over(SECONDS)
        heard_both(tmp_path)
