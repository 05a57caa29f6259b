"""Our engine on foreign servers: contacts, presence, chats, marks, group chats, archive, by servers entered by hand."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from ringback.client.engine.engine import Engine
from ringback.client.engine.errors import SignInError
from ringback.client.engine.settings import EngineSettings
from ringback.client.host.wire_sign_in import ManualSettings
from ringback.rules.addresses import Jid
from tests.engine.conftest import PEOPLE, SECONDS, Person, person_at
from tests.support.ejabberd import running_ejabberd
from tests.support.foreign import ForeignServer
from tests.support.prosody import running_prosody

pytestmark = pytest.mark.peer


@pytest.fixture(scope="module", params=["prosody", "ejabberd"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForeignServer]:
    """Each foreign server in turn, new for this module."""
    run = running_prosody if request.param == "prosody" else running_ejabberd
    with run(tmp_path_factory.mktemp(request.param), PEOPLE) as running:
        yield running


async def befriend(one: Person, other: Person) -> None:
    """Both put each other into their contact lists and see each other."""
    await one.engine.signed_in().contacts.add(other.address, "", ["Team"])
    await other.until(lambda: one.address in other.engine.signed_in().people.ids())
    await other.engine.signed_in().contacts.add(one.address, "", [])
    await one.until(lambda: one.show(other.address) == "available")
    await other.until(lambda: other.show(one.address) == "available")


async def test_people_talk(server: ForeignServer, tmp_path: Path) -> None:
    async with person_at(server, "anita", tmp_path / "a") as anita:
        async with person_at(server, "bruno", tmp_path / "b") as bruno:
            await befriend(anita, bruno)
            assert anita.engine.groups() == ["Team"]

            await bruno.engine.signed_in().set_presence("dnd", "Timetable")
            await anita.until(lambda: anita.show(bruno.address) == "dnd")
            assert anita.engine.signed_in().people.shown(bruno.address).status == "Timetable"

            await anita.say(bruno.address, "first", "Good morning")
            (got,) = await bruno.history(anita.address, 1)
            assert (got.body, got.state, got.own) == ("Good morning", "received", False)
            await bruno.until(lambda: unread(bruno, anita.address) == (1, got.id))

            anita.engine.signed_in().set_typing(bruno.address, typing=True)
            await bruno.until(lambda: typing(bruno, anita.address) == [anita.address])
            anita.engine.signed_in().set_typing(bruno.address, typing=False)
            await bruno.until(lambda: typing(bruno, anita.address) == [])

            await bruno.engine.signed_in().mark_read(anita.address, got.id)
            await anita.until(lambda: state_of(anita, bruno.address) == "read")
            talk = bruno.engine.conversation(anita.address)
            assert talk is not None
            assert talk.unread == 0
        await anita.until(lambda: anita.show(f"bruno@{server.domain}") == "offline")


def typing(person: Person, conversation: str) -> list[str]:
    """Who is typing."""
    talk = person.engine.conversation(conversation)
    return talk.typing if talk is not None else []


def state_of(person: Person, conversation: str) -> str:
    """The state of the last message."""
    talk = person.engine.conversation(conversation)
    return talk.last.state if talk is not None and talk.last is not None else ""


async def test_messages_for_who_is_away_wait(server: ForeignServer, tmp_path: Path) -> None:
    chiara_address = f"chiara@{server.domain}"
    async with person_at(server, "anita", tmp_path / "a") as anita:
        await anita.say(chiara_address, "for-later", "Read this tomorrow")
        await anita.until(lambda: state_of(anita, chiara_address) in ("sent", "delivered"))
        async with person_at(server, "chiara", tmp_path / "c") as chiara:
            messages = await chiara.history(anita.address, 1)
            assert [message.body for message in messages] == ["Read this tomorrow"]
            talk = chiara.engine.conversation(anita.address)
            assert talk is not None
            assert talk.unread == 1
        # A machine that never saw it finds it in the archive, and only once.
        async with person_at(server, "chiara", tmp_path / "c2") as chiara:
            messages = await chiara.history(anita.address, 1)
            assert [message.body for message in messages] == ["Read this tomorrow"]


async def test_a_group_talks(server: ForeignServer, tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        anita, bruno, chiara = [
            await stack.enter_async_context(person_at(server, user, tmp_path / user)) for user in PEOPLE
        ]
        talk = await anita.engine.signed_in().create_room("Night shift", [bruno.address, chiara.address])
        for guest in (bruno, chiara):
            await guest.until(lambda guest=guest: joined(guest, talk.id))  # type: ignore[misc]
        await anita.until(lambda: here(anita, talk.id) == {anita.address, bruno.address, chiara.address})
        await bruno.say(talk.id, "room-1", "I take the first half")
        for listener in (anita, chiara):
            (message,) = await listener.history(talk.id, 1)
            assert (message.sender, message.body) == (bruno.address, "I take the first half")
        await bruno.until(lambda: state_of(bruno, talk.id) == "sent")
        (own,) = await bruno.history(talk.id)
        assert own.id == "room-1"

        await anita.engine.signed_in().rooms.rename(talk.id, "Day shift")
        await chiara.until(lambda: title(chiara, talk.id) == "Day shift")

        await chiara.engine.signed_in().leave_room(talk.id)
        await anita.until(lambda: here(anita, talk.id) == {anita.address, bruno.address})
        if server.domain == "prosody.example":  # ejabberd leaves membership to owners and admins
            await anita.until(lambda: belonging(anita, talk.id) == {anita.address, bruno.address})
        room = talk.id
        async with asyncio.timeout(SECONDS):  # each look is a question to the server
            while Jid.parse(room) not in [mark for mark, _ in await bruno.engine.signed_in().rooms.bookmarked()]:
                pass
    # On another machine the room comes back with what was said in it.
    async with person_at(server, "bruno", tmp_path / "bruno elsewhere") as bruno:
        await bruno.until(lambda: joined(bruno, room))
        messages = await bruno.history(room, 1)
        assert [message.body for message in messages] == ["I take the first half"]
        assert messages[0].own


def unread(person: Person, conversation: str) -> tuple[int, str | None]:
    """How many messages are unread, and from which on."""
    talk = person.engine.conversation(conversation)
    return (talk.unread, talk.unread_from) if talk is not None else (0, None)


def joined(person: Person, room: str) -> bool:
    """Whether a person is in a room."""
    talk = person.engine.conversation(room)
    return talk is not None and talk.joined


def here(person: Person, room: str) -> set[str]:
    """Who is in a room now."""
    talk = person.engine.conversation(room)
    return {member.id for member in talk.members if member.here} if talk is not None else set()


def belonging(person: Person, room: str) -> set[str]:
    """Who belongs to a room, in it or not."""
    talk = person.engine.conversation(room)
    return {member.id for member in talk.members} if talk is not None else set()


def title(person: Person, room: str) -> str:
    """The name of a room."""
    talk = person.engine.conversation(room)
    return talk.title if talk is not None else ""


async def test_a_blocked_person_is_not_heard(server: ForeignServer, tmp_path: Path) -> None:
    async with (
        person_at(server, "bruno", tmp_path / "b") as bruno,
        person_at(server, "chiara", tmp_path / "c") as chiara,
    ):
        await bruno.engine.signed_in().contacts.set_blocked(chiara.address, blocked=True)
        assert bruno.engine.signed_in().people.person(chiara.address).blocked
        await chiara.say(bruno.address, "blocked", "Hello?")
        await chiara.until(lambda: state_of(chiara, bruno.address) == "failed")
        await bruno.engine.signed_in().contacts.set_blocked(chiara.address, blocked=False)
        await chiara.engine.signed_in().retry(bruno.address, "blocked")
        messages = await bruno.history(chiara.address, 1)
        assert [message.body for message in messages] == ["Hello?"]


async def test_a_wrong_password_is_said_at_once(server: ForeignServer, tmp_path: Path) -> None:
    with pytest.raises(SignInError) as caught:
        async with person_at(server, "anita", tmp_path, password="not that"):
            pass
    assert caught.value.reason.id == "engine.password_wrong"
    assert caught.value.fault is None


async def test_an_untrusted_certificate_ends_the_sign_in(server: ForeignServer, tmp_path: Path) -> None:
    async with Engine(EngineSettings(data=tmp_path, cloud_url="", use_keyring=False)) as engine:
        where = f"{server.address}:{server.port}"
        await engine.set_manual(ManualSettings(mode="manual", account="xmpp", presence=where))
        with pytest.raises(SignInError) as caught:
            await engine.sign_in(f"anita@{server.domain}", PEOPLE["anita"])
    assert caught.value.fault is not None
    assert caught.value.fault.why.id == "certificates.untrusted"


async def test_a_dead_server_is_named(server: ForeignServer, tmp_path: Path) -> None:
    async with Engine(EngineSettings(data=tmp_path, cloud_url="", use_keyring=False)) as engine:
        await engine.set_manual(ManualSettings(mode="manual", account="xmpp", presence="127.0.0.1:1"))
        with pytest.raises(SignInError) as caught:
            await engine.sign_in(f"anita@{server.domain}", PEOPLE["anita"])
    assert caught.value.fault is not None
    assert caught.value.fault.why.values["server"] == "127.0.0.1:1"


async def test_another_machine_follows_into_a_group_and_out(server: ForeignServer, tmp_path: Path) -> None:
    async with (
        person_at(server, "anita", tmp_path / "desk") as desk,
        person_at(server, "anita", tmp_path / "laptop") as laptop,
    ):
        talk = await desk.engine.signed_in().create_room("Two desks", [])
        await laptop.until(lambda: joined(laptop, talk.id))
        await desk.say(talk.id, "from-desk", "Both see this once")
        messages = await laptop.history(talk.id, 1)
        assert [(message.body, message.own) for message in messages] == [("Both see this once", True)]
        await desk.engine.signed_in().rooms.rename(talk.id, "One desk")
        await laptop.until(lambda: title(laptop, talk.id) == "One desk")
        await laptop.engine.signed_in().leave_room(talk.id)
        await desk.until(lambda: desk.engine.conversation(talk.id) is None)
