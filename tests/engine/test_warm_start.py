"""A second start shows contacts and history before any server answered; forgetting deletes; keys protect."""

from __future__ import annotations

from pathlib import Path

import pytest

from ringback.client.engine.engine import Engine
from ringback.client.engine.settings import EngineSettings
from ringback.client.host.wire import Welcome
from ringback.client.host.wire_sign_in import SignInChanged
from ringback.client.store.errors import StoreKeyError
from tests.engine.conftest import PEOPLE, Person, person_at
from tests.support.foreign import ForeignServer
from tests.support.prosody import running_prosody


async def settled_messages(person: Person, conversation: str, count: int) -> None:
    """Send some messages and wait until the server has them all."""
    for number in range(count):
        await person.say(conversation, f"kept-{number}", f"kept {number}")
    while await person.engine.signed_in().chats.unsent():
        await person.events.next()


def files_in(folder: Path) -> list[Path]:
    """All files below a folder."""
    return [file for file in folder.rglob("*") if file.is_file()]


def stores_in(folder: Path) -> set[str]:
    """The names of the stores in a folder."""
    return {file.name for file in folder.glob("*.db")}


async def test_cached_things_come_first(tmp_path: Path) -> None:
    data = tmp_path / "anita"
    with running_prosody(tmp_path / "prosody", PEOPLE) as server:
        async with person_at(server, "anita", data, remember=True) as anita:
            await anita.engine.signed_in().contacts.add(f"bruno@{server.domain}", "Bruno Keller", ["Team"])
            await anita.until(lambda: anita.engine.groups() == ["Team"])
            await settled_messages(anita, f"bruno@{server.domain}", 210)
        address, authority = f"anita@{server.domain}", server.ca
    # The server is gone now; the person opens the client again.
    async with Engine(EngineSettings(data=data, ca_file=authority, cloud_url="", use_keyring=False)) as engine:
        assert [(known.address, known.remembered) for known in engine.snapshot().sign_in.known] == [(address, True)]
        events = engine.subscribe()
        await engine.use_known(address)
        phases = []
        while True:
            event = await events.next()
            if isinstance(event, SignInChanged):
                phases.append(event.sign_in.phase)
            if isinstance(event, Welcome):
                break
        assert "credentials" not in phases
        assert [(person.name, person.presence.show) for person in event.snapshot.people] == [
            ("Bruno Keller", "unknown")
        ]
        assert event.snapshot.groups == ["Team"]
        messages, _ = await engine.signed_in().history("bruno@prosody.example", None, 200)
        assert [message.body for message in messages] == [f"kept {number}" for number in range(10, 210)]
        # What is written now waits, and is not lost when the client ends.
        waiting = await engine.signed_in().say("bruno@prosody.example", "offline-1", "Written without a server")
        assert waiting.state == "sending"
    async with Engine(EngineSettings(data=data, ca_file=authority, cloud_url="", use_keyring=False)) as engine:
        await engine.use_known(address)
        await engine.subscribe().next()
        while engine.session is None:
            await engine.subscribe().next()
        assert [message.id for message in await engine.session.chats.unsent()] == ["offline-1"]


async def test_forgetting_deletes_everything(prosody: ForeignServer, tmp_path: Path) -> None:
    async with person_at(prosody, "chiara", tmp_path, remember=True) as chiara:
        await settled_messages(chiara, f"bruno@{prosody.domain}", 2)
        stores = stores_in(tmp_path)
        await chiara.engine.sign_out(forget=True)
        assert stores_in(tmp_path) == {"machine.db"} != stores
        assert chiara.engine.snapshot().sign_in.known == []
        assert chiara.engine.snapshot().sign_in.phase == "address"


async def test_nothing_plain_on_the_disk(prosody: ForeignServer, tmp_path: Path) -> None:
    async with person_at(prosody, "bruno", tmp_path, remember=True) as bruno:
        await settled_messages(bruno, f"anita@{prosody.domain}", 3)
        await bruno.engine.signed_in().set_presence("away", "Out on the line")
    octets = b"".join(file.read_bytes() for file in files_in(tmp_path))
    for plain in (b"kept", b"anita", b"bruno", b"Out on the line", PEOPLE["bruno"].encode(), b"prosody.example"):
        assert plain not in octets
    assert all(file.stat().st_mode & 0o077 == 0 for file in files_in(tmp_path))


async def test_another_key_opens_nothing(prosody: ForeignServer, tmp_path: Path) -> None:
    async with person_at(prosody, "bruno", tmp_path):
        pass
    (tmp_path / "key").unlink()
    with pytest.raises(StoreKeyError):
        await Engine(EngineSettings(data=tmp_path, cloud_url="", use_keyring=False)).start()
