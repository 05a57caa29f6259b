"""Somebody walks from the office into a café and back: what is written meanwhile arrives once; nobody sees them go."""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ringback.client.engine.engine import Engine
from ringback.client.engine.settings import EngineSettings
from ringback.client.host.wire_people import PeopleChanged
from ringback.rules.addresses import HostPort
from tests.engine.conftest import SECONDS, Person, person_in
from tests.support.lab import RunningLab
from tests.support.soak import often

ADDRESSES = {"inside": frozenset({"10.1.2.3"}), "outside": frozenset({"192.168.1.7"})}


@dataclass
class Network:
    """The network that a computer is in; it may be carried into another one."""

    lab: RunningLab
    where: str = "inside"
    looked: asyncio.Event = field(default_factory=asyncio.Event)

    def name_server(self) -> HostPort:
        """That of the network."""
        return HostPort.parse(self.lab.inside if self.where == "inside" else self.lab.outside)

    def addresses(self) -> frozenset[str]:
        """Those of the computer."""
        self.looked.set()
        return ADDRESSES[self.where]


@contextlib.asynccontextmanager
async def traveller(
    network: Network, data: Path, user: str = "anita", *, remember: bool = False
) -> AsyncIterator[Person]:
    """Anita, signed in wherever she is."""
    settings = EngineSettings(
        data=data, name_server=network.name_server, ca_file=network.lab.ca_file, cloud_url="", use_keyring=False,
        addresses=network.addresses, addresses_every=0.02,
    )  # fmt: skip
    async with Engine(settings) as engine:
        await engine.sign_in("anita@example.com", "ringback")
        person = Person(engine)
        async with asyncio.timeout(SECONDS):
            await engine.signed_in().up.wait()
        yield person


async def sightings(person: Person, whom: str, shown: list[str]) -> None:
    """Note every availability of somebody that a person is told."""
    events = person.engine.subscribe()
    try:
        async for event in events:
            if isinstance(event, PeopleChanged):
                shown.extend(one.presence.show for one in event.people if one.id == whom)
    finally:
        events.close()


async def test_messages_written_while_one_moves_come_once(lab: RunningLab, tmp_path: Path) -> None:
    network, tag = Network(lab), secrets.token_hex(4)
    bruno_in = person_in("bruno", tmp_path / "bruno", name_server=HostPort.parse(lab.inside), ca=lab.ca_file)
    async with traveller(network, tmp_path / "anita") as anita, bruno_in as bruno:
        written: list[str] = []
        shown: list[str] = []

        async def write(step: str) -> None:
            for one, other in ((anita, bruno), (bruno, anita)):
                written.append(f"{tag} {step} by {one.address}")
                await one.say(other.address, f"{tag}-{len(written)}", written[-1])

        assert anita.engine.place.now.where == "inside"
        await bruno.until(lambda: bruno.show(anita.address) == "available")
        watching = asyncio.create_task(sightings(bruno, anita.address, shown))
        for step, where in enumerate(("outside", "inside", "outside", "inside")):
            network.where = where
            await anita.until(lambda: anita.engine.place.now.where == "moving")
            await write(f"{step} on the way")
            await anita.until(lambda where=where: anita.engine.place.now.where == where)  # type: ignore[misc]
            await write(f"{step} there")
            place = anita.engine.snapshot().place
            assert bool(place.edge) is (where == "outside")
            assert place.reasons
            assert anita.engine.snapshot().sign_in.phase == "ready"
            assert anita.engine.questions.now.again is None
        for one, other in ((anita, bruno), (bruno, anita)):
            await arrived(one, other.address, tag, len(written))
            texts = [message.body for message in await one.history(other.address) if message.body.startswith(tag)]
            assert sorted(texts) == sorted(written), "each once"
        watching.cancel()
        assert "offline" not in shown, "nobody saw anita go"


@pytest.mark.soak
async def test_whoever_turns_round_on_the_way_loses_nothing(lab: RunningLab, tmp_path: Path) -> None:
    """The network changes again and again, often before anything stands in the one before."""
    network, tag, dice = Network(lab), secrets.token_hex(4), random.Random(6)
    bruno_in = person_in("bruno", tmp_path / "bruno", name_server=HostPort.parse(lab.inside), ca=lab.ca_file)
    async with traveller(network, tmp_path / "anita") as anita, bruno_in as bruno:
        written: list[str] = []
        for step in range(often(4, 40)):
            network.where = "outside" if network.where == "inside" else "inside"
            network.looked.clear()
            async with asyncio.timeout(SECONDS):
                await network.looked.wait()
            for one, other in ((anita, bruno), (bruno, anita)):
                written.append(f"{tag} {step} by {one.address}")
                await one.say(other.address, f"{tag}-{len(written)}", written[-1])
            if dice.random() < 0.3:
                await anita.until(lambda: anita.engine.place.now.where == network.where)
        await anita.until(lambda: anita.engine.place.now.where == network.where)
        for one, other in ((anita, bruno), (bruno, anita)):
            await arrived(one, other.address, tag, len(written))
            texts = [message.body for message in await one.history(other.address) if message.body.startswith(tag)]
            assert sorted(texts) == sorted(written), "each once"


async def arrived(person: Person, conversation: str, tag: str, count: int) -> None:
    """Wait until so many messages with a tag are kept."""
    async with asyncio.timeout(SECONDS):
        while sum(message.body.startswith(tag) for message in await person.history(conversation)) < count:
            await person.events.next()
