"""What changes while somebody is signed in: the password at the server, and whether anybody looks at the page."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

import pytest

from ringback.client.engine.engine import Engine
from ringback.client.engine.settings import EngineSettings
from ringback.client.host.wire_sign_in import ManualSettings, SignInChanged
from ringback.rules.addresses import HostPort
from tests.engine.conftest import PEOPLE, SECONDS, Person, person_in
from tests.engine.relay import relay_to
from tests.support.foreign import ForeignServer
from tests.support.lab import RunningLab
from tests.support.prosody import running_prosody

NEW = "another secret of anita"


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForeignServer]:
    """The same domain after the password was changed."""
    with running_prosody(tmp_path_factory.mktemp("changed"), PEOPLE | {"anita": NEW}) as server:
        yield server


async def test_a_changed_password_is_asked_for_once(
    prosody: ForeignServer, changed: ForeignServer, tmp_path: Path
) -> None:
    authorities = tmp_path / "authorities.pem"
    authorities.write_text(prosody.ca.read_text() + changed.ca.read_text())
    settings = EngineSettings(data=tmp_path / "data", ca_file=authorities, cloud_url="", use_keyring=False)
    async with relay_to(HostPort(prosody.address, prosody.port)) as relay, Engine(settings) as engine:
        await engine.set_manual(ManualSettings(mode="manual", account="xmpp", presence=str(relay.place)))
        await engine.sign_in(f"anita@{prosody.domain}", PEOPLE["anita"], remember=True)
        anita = Person(engine)
        relay.lead_to(HostPort(changed.address, changed.port))
        taken = relay.taken
        await relay.cut()
        phases: list[str] = []
        while "credentials" not in phases:
            event = await anita.event(lambda event: isinstance(event, SignInChanged))
            if isinstance(event, SignInChanged):
                phases.append(event.sign_in.phase)
        assert relay.taken == taken + 1, "the old password was shown to the server once"
        shown = engine.snapshot().sign_in
        assert shown.address == f"anita@{prosody.domain}"
        assert [known.remembered for known in await engine.accounts.known()] == [False]
        await engine.sign_in_with(NEW)
        await anita.until(lambda: engine.snapshot().sign_in.phase == "ready")
        assert relay.taken == taken + 2


@contextlib.asynccontextmanager
async def signed_in(lab: RunningLab, user: str, data: Path) -> AsyncIterator[Person]:
    """A person of the lab."""
    async with person_in(user, data / user, name_server=HostPort.parse(lab.inside), ca=lab.ca_file) as person:
        yield person


async def heard(person: Person) -> None:
    """Return when the server has taken all that this person sent."""
    await person.engine.signed_in().request("get", Element("{urn:xmpp:ping}ping"))


async def test_nobody_looking_saves_the_server_the_news(lab: RunningLab, tmp_path: Path) -> None:
    async with signed_in(lab, "anita", tmp_path) as anita, signed_in(lab, "bruno", tmp_path) as bruno:
        statuses: list[str] = []
        news = asyncio.Event()

        async def listen() -> None:
            while True:
                status = bruno.engine.signed_in().people.shown(anita.address).status
                if status not in statuses[-1:]:
                    statuses.append(status)
                    news.set()
                await bruno.events.next()

        async def shown(status: str) -> None:
            async with asyncio.timeout(SECONDS):
                while status not in statuses[-1:]:
                    news.clear()
                    await news.wait()

        async def tell(*words: str) -> None:
            for status in words:
                await anita.engine.signed_in().set_presence("available", status)
                await heard(anita)

        await bruno.until(lambda: bruno.show(anita.address) == "available")
        listener = asyncio.create_task(listen(), name="listener")
        try:
            bruno.engine.signed_in().report_activity(600)
            await heard(bruno)
            await tell(*(f"unseen {number}" for number in range(20)), "last")
            await heard(bruno)  # an answer is urgent: it brings the last word of everybody
            await shown("last")
            assert len(statuses) <= 10, "only what came along with answers was sent"
            bruno.engine.signed_in().report_activity(0)
            await heard(bruno)
            await tell("four", "five")
            await shown("five")
            assert statuses[-2:] == ["four", "five"]
        finally:
            listener.cancel()
