"""People with engines of their own, against foreign servers and against a lab."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from ringback.client.engine.engine import Engine
from ringback.client.engine.settings import EngineSettings
from ringback.client.events import Subscription
from ringback.client.host.wire import AnyEvent
from ringback.client.host.wire_chats import Message
from ringback.client.host.wire_sign_in import ManualSettings
from ringback.rules.addresses import HostPort
from tests.support.foreign import ForeignServer
from tests.support.lab import RunningLab
from tests.support.prosody import running_prosody

PEOPLE = {"anita": "secret of anita", "bruno": "secret of bruno", "chiara": "secret of chiara"}
SECONDS = 30.0


class Person:
    """A person with an engine, and everything it ever told."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.events: Subscription = engine.subscribe()

    @property
    def address(self) -> str:
        """The person's Jabber identifier."""
        return str(self.engine.signed_in().own)

    async def until(self, condition: Callable[[], object], seconds: float = SECONDS) -> None:
        """Wait until a condition holds; it is looked at after each event of the engine."""
        async with asyncio.timeout(seconds):
            while not condition():
                await self.events.next()

    async def event(self, fits: Callable[[AnyEvent], bool], seconds: float = SECONDS) -> AnyEvent:
        """The next event that fits."""
        async with asyncio.timeout(seconds):
            while True:
                event = await self.events.next()
                if fits(event):
                    return event

    async def history(self, conversation: str, count: int = 0) -> list[Message]:
        """The messages of a conversation, once there are at least so many."""
        messages: list[Message] = []
        async with asyncio.timeout(SECONDS):
            while True:
                kept = (await self.engine.signed_in().chats.history(conversation, None, 1000))[0]
                messages = [message for message in kept if message.kind == "text"]
                if len(messages) >= count:
                    return messages
                await self.events.next()

    async def say(self, conversation: str, message_id: str, body: str) -> Message:
        """Send a text."""
        return await self.engine.signed_in().say(conversation, message_id, body)

    def show(self, person: str) -> str:
        """The availability shown of somebody."""
        return self.engine.signed_in().people.shown(person).show


@pytest.fixture(scope="session")
def lab(shared_lab: RunningLab) -> RunningLab:
    """The worker's lab."""
    return shared_lab


@pytest.fixture(scope="module")
def prosody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForeignServer]:
    """A Prosody with three people, for the tests of a module."""
    with running_prosody(tmp_path_factory.mktemp("prosody"), PEOPLE) as server:
        yield server


@contextlib.asynccontextmanager
async def person_at(
    server: ForeignServer, user: str, data: Path, *, remember: bool = False, password: str = ""
) -> AsyncIterator[Person]:
    """A person signed in by hand at an XMPP server, with history in ``data``."""
    settings = EngineSettings(data=data, ca_file=server.ca, cloud_url="", use_keyring=False)
    async with Engine(settings) as engine:
        manual = ManualSettings(mode="manual", account="xmpp", presence=f"{server.address}:{server.port}")
        await engine.set_manual(manual)
        await engine.sign_in(f"{user}@{server.domain}", password or PEOPLE[user], remember=remember)
        person = Person(engine)
        async with asyncio.timeout(SECONDS):
            await engine.signed_in().up.wait()
        yield person


@contextlib.asynccontextmanager
async def person_in(
    user: str, data: Path, *, name_server: HostPort, ca: Path, password: str = "ringback", remember: bool = False
) -> AsyncIterator[Person]:
    """A person of the lab, signed in by nothing but the address."""
    settings = EngineSettings(data=data, name_server=name_server, ca_file=ca, cloud_url="", use_keyring=False)
    async with Engine(settings) as engine:
        await engine.sign_in(f"{user}@example.com", password, remember=remember)
        person = Person(engine)
        async with asyncio.timeout(SECONDS):
            await engine.signed_in().up.wait()
        yield person
