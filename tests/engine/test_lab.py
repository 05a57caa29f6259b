"""From nothing but an address to a conversation, in a whole enterprise: discovery, configuration, directory, photos."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

import msgspec
import pytest

import ringback.client
from ringback.client.configuration.fetch import ConfigurationFetcher
from ringback.client.discovery.ledger import Ledger
from ringback.client.engine.engine import Engine
from ringback.client.engine.errors import EngineError, SignInError
from ringback.client.engine.settings import EngineSettings
from ringback.client.host.wire_sign_in import ManualSettings, SignInChanged
from ringback.client.identity.callmanager import CallManager
from ringback.client.identity.credentials import Credentials
from ringback.client.trust import TrustJudge, TrustSettings
from ringback.net.names import NameClient
from ringback.rules.addresses import HostPort, Jid, UserAddress
from ringback.rules.authenticator import Authenticator, AuthenticatorDecision, AuthenticatorSource
from ringback.rules.catalogue import render
from ringback.rules.precedence import ValueSource
from tests.engine.conftest import Person, person_in
from tests.support.lab import RunningLab


@contextlib.asynccontextmanager
async def signed_in(lab: RunningLab, user: str, data: Path) -> AsyncIterator[Person]:
    """A person of the lab."""
    async with person_in(user, data, name_server=HostPort.parse(lab.inside), ca=lab.ca_file) as person:
        yield person


async def test_the_address_is_enough(lab: RunningLab, tmp_path: Path) -> None:
    settings = EngineSettings(
        data=tmp_path, name_server=HostPort.parse(lab.inside), ca_file=lab.ca_file, cloud_url="", use_keyring=False
    )
    async with Engine(settings) as engine:
        events = engine.subscribe()
        await engine.sign_in("anita@example.com", "ringback")
        shown = engine.snapshot().sign_in
        assert [(step.id, step.state) for step in shown.steps] == [
            ("services", "done"), ("home", "done"), ("identity", "done"), ("connecting", "done"), ("ready", "done"),
        ]  # fmt: skip
        assert all(step.seconds is not None for step in shown.steps[:4])
        assert "_cisco-uds._tcp.example.com" in shown.steps[0].names
        assert "cm1.example.com" in shown.steps[1].names
        assert shown.questions >= 8
        # Names appear while they are asked, before their step is done.
        early = []
        with contextlib.suppress(TimeoutError):
            while True:
                async with asyncio.timeout(0.2):
                    event = await events.next()
                if isinstance(event, SignInChanged) and event.sign_in.steps:
                    step = event.sign_in.steps[0]
                    early.append((step.state, "_cisco-uds._tcp.example.com" in step.names))
        assert ("active", True) in early
        assert engine.features().product_mode == "full"
        reasons = [reason for entry in engine.trace() for reason in (entry.text, *entry.reasons)]
        assert all(render(reason) for reason in reasons)


async def test_contacts_come_with_names_titles_and_photos(lab: RunningLab, tmp_path: Path) -> None:
    async with signed_in(lab, "anita", tmp_path) as anita:
        people = anita.engine.signed_in().people
        await anita.until(
            lambda: all(people.person(name).photo for name in ("bruno@example.com", "chiara@example.com"))
        )
        bruno = people.person("bruno@example.com")
        assert (bruno.name, bruno.title) == ("Bruno Keller", "Shift planner")
        assert [number.kind for number in bruno.numbers] == ["work", "mobile"]
        photo = await anita.engine.photo(bruno.id)
        assert photo is not None
        assert photo.at_least(64).startswith(b"\x89PNG")


async def test_search_finds_own_contacts_first_then_the_directory(lab: RunningLab, tmp_path: Path) -> None:
    async with signed_in(lab, "anita", tmp_path) as anita:
        found = await anita.engine.search("brun")
        assert found.people[0].id == "bruno@example.com"
        assert found.total is not None
        assert found.problem is None
        by_number = await anita.engine.search("5552003")
        assert "chiara@example.com" in [person.id for person in by_number.people]


async def test_two_colleagues_see_each_other_come_and_go(lab: RunningLab, tmp_path: Path) -> None:
    async with signed_in(lab, "anita", tmp_path / "a") as anita:
        async with signed_in(lab, "bruno", tmp_path / "b") as bruno:
            await anita.until(lambda: anita.show("bruno@example.com") == "available")
            await bruno.until(lambda: bruno.show("anita@example.com") == "available")
            bruno.engine.signed_in().report_activity(600)
            await anita.until(lambda: anita.show("bruno@example.com") == "away")
            said = anita.engine.signed_in().people.shown("bruno@example.com").reasons[0].said
            assert said.id == "presence.said.idle"
        await anita.until(lambda: anita.show("bruno@example.com") == "offline")


async def test_a_wrong_password_is_not_tried_twice(lab: RunningLab, tmp_path: Path) -> None:
    with pytest.raises(SignInError) as caught:
        async with person_in(
            "george", tmp_path, name_server=HostPort.parse(lab.inside), ca=lab.ca_file, password="wrong"
        ):
            pass
    assert caught.value.reason.id == "engine.password_wrong"


async def test_an_unknown_domain_is_a_fault_with_a_remedy(lab: RunningLab, tmp_path: Path) -> None:
    settings = EngineSettings(
        data=tmp_path, name_server=HostPort.parse(lab.inside), ca_file=lab.ca_file, cloud_url="", use_keyring=False
    )
    async with Engine(settings) as engine:
        with pytest.raises(SignInError) as caught:
            await engine.sign_in("anita@nowhere.example", "ringback")
        assert caught.value.fault is not None
        assert render(caught.value.fault.do_first)
        assert engine.snapshot().sign_in.phase == "failed"
        # Servers by hand come before everything that is found.
        host, port = lab.endpoint("xmpp")
        await engine.set_manual(ManualSettings(mode="manual", account="presence", presence=f"{host}:{port}"))
        await engine.sign_in("anita@example.com", "ringback")
        assert engine.snapshot().sign_in.phase == "ready"


async def test_the_example_of_the_readme(lab: RunningLab) -> None:
    common = {"password": "ringback", "nameserver": lab.inside, "ca_file": lab.ca_file}
    async with (
        ringback.client.sign_in("anita@example.com", **common) as me,  # type: ignore[arg-type]
        ringback.client.sign_in("bruno@example.com", **common) as bruno,  # type: ignore[arg-type]
    ):
        sent = await me.send("bruno@example.com", "Hello")
        assert sent.state in ("sent", "delivered")
        async for message in bruno.messages():
            assert (message.sender_name, message.body) == ("Anita Berg", "Hello")
            break
        await bruno.set_presence("dnd", "Busy")
        async for person in me.presence():
            if person.id == "bruno@example.com" and person.presence.show == "dnd":
                assert person.presence.status == "Busy"
                break


async def test_group_chats_follow_to_another_machine(lab: RunningLab, tmp_path: Path) -> None:
    async with (
        signed_in(lab, "chiara", tmp_path / "desk") as desk,
        signed_in(lab, "chiara", tmp_path / "laptop") as laptop,
        signed_in(lab, "emeka", tmp_path / "emeka") as emeka,
    ):
        talk = await desk.engine.signed_in().create_room("Timetable", [emeka.address])
        for person in (laptop, emeka):
            await person.until(lambda person=person: in_room(person, talk.id))  # type: ignore[misc]
        await emeka.say(talk.id, "to-both", "For both machines")
        for person in (desk, laptop):
            messages = await person.history(talk.id, 1)
            assert [(message.sender, message.body) for message in messages] == [(emeka.address, "For both machines")]
        await desk.say(talk.id, "from-desk", "From the desk")
        texts = await laptop.history(talk.id, 2)
        assert [(message.body, message.own) for message in texts][1] == ("From the desk", True)
        room = talk.id
    async with signed_in(lab, "chiara", tmp_path / "train") as train:
        await train.until(lambda: in_room(train, room))
        kept = await train.history(room, 2)
        assert [message.body for message in kept] == ["For both machines", "From the desk"]


async def test_who_left_a_group_is_not_listed_and_the_group_keeps_an_owner(lab: RunningLab, tmp_path: Path) -> None:
    async with (
        signed_in(lab, "anita", tmp_path / "anita") as anita,
        signed_in(lab, "bruno", tmp_path / "bruno") as bruno,
        signed_in(lab, "chiara", tmp_path / "chiara") as chiara,
    ):
        talk = await anita.engine.signed_in().create_room("Handover", [bruno.address, chiara.address])
        for guest in (bruno, chiara):
            await guest.until(lambda guest=guest: in_room(guest, talk.id))  # type: ignore[misc]
        await chiara.engine.signed_in().leave_room(talk.id)
        for other in (anita, bruno):
            await other.until(lambda other=other: roles(other, talk.id).keys() == {anita.address, bruno.address})  # type: ignore[misc]
        assert chiara.engine.conversation(talk.id) is None
        await anita.engine.signed_in().leave_room(talk.id)
        await bruno.until(lambda: roles(bruno, talk.id) == {bruno.address: "owner"})
        await bruno.engine.signed_in().rooms.rename(talk.id, "Only me")
    async with signed_in(lab, "anita", tmp_path / "anita") as anita:
        assert anita.engine.conversation(talk.id) is None


def roles(person: Person, room: str) -> dict[str, str]:
    """Who belongs to a group chat, as what."""
    talk = person.engine.conversation(room)
    return {member.id: member.role for member in talk.members} if talk is not None else {}


def in_room(person: Person, room: str) -> bool:
    """Whether a person is in a group chat."""
    talk = person.engine.conversation(room)
    return talk is not None and talk.joined


async def test_a_set_up_link_comes_before_the_typed_domain(lab: RunningLab, tmp_path: Path) -> None:
    settings = EngineSettings(
        data=tmp_path, name_server=HostPort.parse(lab.inside), ca_file=lab.ca_file, cloud_url="", use_keyring=False
    )
    async with Engine(settings) as engine:
        await engine.find_services("ciscojabber://provision?ServicesDomain=example.com")
        assert engine.snapshot().sign_in.phase == "address"
        await engine.sign_in("anita@mail.example", "ringback")
        assert engine.signed_in().own == Jid.parse("anita@example.com")
        with pytest.raises(EngineError) as caught:
            await engine.find_services("ciscojabber://something-else")
        assert caught.value.reason.id == "engine.link_wrong"


@contextlib.asynccontextmanager
async def started(lab: RunningLab, data: Path, manual: ManualSettings) -> AsyncIterator[Engine]:
    """An engine in the office with connection settings."""
    settings = EngineSettings(
        data=data, name_server=HostPort.parse(lab.inside), ca_file=lab.ca_file, cloud_url="", use_keyring=False
    )
    async with Engine(settings) as engine:
        await engine.set_manual(manual)
        yield engine


def asked(engine: Engine) -> dict[str, str]:
    """Every question of the trace with its answer's outcome."""
    return {entry.question: entry.outcome for entry in engine.trace() if entry.question}


async def test_the_voice_services_domain_can_be_typed(lab: RunningLab, tmp_path: Path) -> None:
    async with started(lab, tmp_path, ManualSettings(voice_domain="example.com")) as engine:
        events = engine.subscribe()
        await engine.find_services("anita@mail.example")
        async with asyncio.timeout(15):
            while engine.snapshot().sign_in.phase in ("address", "finding"):
                await events.next()
        assert engine.snapshot().sign_in.phase == "credentials"
        assert asked(engine)["_cisco-uds._tcp.example.com SRV"] == "ok"
        assert "domain.voice.manual" in [reason.id for entry in engine.trace() for reason in entry.reasons]
        with pytest.raises(EngineError) as caught:
            await engine.set_manual(ManualSettings(voice_domain="not a domain"))
        assert caught.value.reason.values["field"] == "voice_domain"


async def test_a_voice_services_domain_of_the_configuration_counts_at_the_next_look(
    lab: RunningLab, tmp_path: Path
) -> None:
    async with started(lab, tmp_path, ManualSettings()) as engine:
        await engine.sign_in("anita@example.com", "ringback")
        address = UserAddress.parse("anita@example.com")
        plan = await engine.sources.plan(address)
        assert plan is not None
        named = msgspec.structs.replace(plan, voice_domain="voice.example.com")
        await engine.sources.keep_plan(address, named)
        with pytest.raises(SignInError):  # no such records there, and what was kept belongs to another domain
            await engine.sign_in("anita@example.com", "ringback")
        assert "domain.voice.configuration" in [reason.id for entry in engine.trace() for reason in entry.reasons]
        assert "_cisco-uds._tcp.voice.example.com SRV" in asked(engine)


async def test_files_come_from_the_server_that_was_entered(lab: RunningLab, tmp_path: Path) -> None:
    by_hand = ManualSettings(
        mode="manual", account="callmanager", call_manager="cm1.example.com", configuration="cm-berlin.example.com"
    )
    async with started(lab, tmp_path, by_hand) as engine:
        await engine.sign_in("anita@example.com", "ringback")
        assert asked(engine)["GET https://cm-berlin.example.com:6972/jabber-config.xml"] == "ok"


@pytest.mark.parametrize(("protocol", "phase"), [("ipv4", "ready"), ("ipv6", "failed")])
async def test_the_chosen_internet_protocol_is_kept_to(
    lab: RunningLab, tmp_path: Path, protocol: Literal["ipv4", "ipv6"], phase: str
) -> None:
    async with started(lab, tmp_path, ManualSettings(internet_protocol=protocol)) as engine:
        with contextlib.suppress(SignInError):
            await engine.sign_in("anita@example.com", "ringback")
        assert engine.snapshot().sign_in.phase == phase


async def test_the_settings_of_a_group_come_before_those_of_all(lab: RunningLab, tmp_path: Path) -> None:
    async with signed_in(lab, "hana", tmp_path) as hana:
        assert [outcome for question, outcome in asked(hana.engine).items() if question.endswith("/sales.xml")] == [
            "ok"
        ]
        plan = await hana.engine.sources.plan(UserAddress.parse("hana@example.com"))
        assert plan is not None
    names = NameClient(HostPort.parse(lab.inside))
    judge = TrustJudge(TrustSettings(lab.ca_file), names)
    async with CallManager(names, judge, plan.call_managers, Credentials(plan.user, "ringback")) as call_manager:
        user = await call_manager.user()
        discovered = AuthenticatorDecision(Authenticator.PROFILE, AuthenticatorSource.RECORDS, ())
        fetcher = ConfigurationFetcher(call_manager, Ledger())
        settings = (await fetcher.fetch(user, "example.com", plan.call_managers, discovered)).settings
    told = {name: (setting.value, setting.source) for name, setting in settings.items()}
    assert told["Set_Status_Inactive_Timeout"] == ("5", ValueSource.GROUP_FILE)
    assert told["Set_Status_Away_On_Inactive"] == ("true", ValueSource.FILE)
    assert told["File_Transfer_Enabled"] == ("false", ValueSource.GROUP_FILE)


async def test_a_bootstrap_file_counts_at_the_first_launch(lab: RunningLab, tmp_path: Path) -> None:
    bootstrap = tmp_path / "jabber-bootstrap.properties"
    bootstrap.write_text("SERVICES_DOMAIN=example.com\n")
    settings = EngineSettings(
        data=tmp_path / "data", name_server=HostPort.parse(lab.inside), ca_file=lab.ca_file, cloud_url="",
        use_keyring=False, bootstrap=bootstrap,
    )  # fmt: skip
    async with Engine(settings) as engine:
        await engine.sign_in("anita@mail.example", "ringback")
        assert "domain.services.bootstrap" in [reason.id for entry in engine.trace() for reason in entry.reasons]
        await engine.sign_out()
        bootstrap.write_text("SERVICES_DOMAIN=nowhere.example\n")
        await engine.sign_in("anita@mail.example", "ringback")
        assert engine.snapshot().sign_in.phase == "ready"
