"""Somebody outside the company's network, whose name server shows the edge only, and the others inside."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ringback.client.discovery import CachedDiscovery, DiscoverySettings, Remembered, discover
from ringback.client.engine.engine import Engine
from ringback.client.engine.errors import EngineError, SignInError
from ringback.client.engine.settings import EngineSettings
from ringback.client.host.wire_sign_in import ManualSettings
from ringback.client.voicemail.service import Parcel
from ringback.rules.addresses import HostPort, UserAddress
from ringback.rules.authenticator import CachedRecords
from ringback.rules.catalogue import render
from ringback.rules.remote_access import Location
from ringback.rules.services_domain import DomainSource
from ringback.rules.srv import SrvRecord
from tests.engine.conftest import SECONDS, Person
from tests.support.lab import RunningLab
from tests.support.nursery import start_ringback
from tests.support.tones import write_tone

HANA, IVAN = "hana@example.com", "ivan@example.com"
EDGE = "edge.example.com:8443"


def engine_of(lab: RunningLab, data: Path, *, outside: bool = True) -> Engine:
    """A client in a café, or at the office."""
    names = HostPort.parse(lab.outside if outside else lab.inside)
    return Engine(EngineSettings(data, names, lab.ca_file, "", use_keyring=False))


async def test_a_morning_in_a_cafe(lab: RunningLab, tmp_path: Path) -> None:
    async with engine_of(lab, tmp_path / "hana") as first, engine_of(lab, tmp_path / "ivan", outside=False) as second:
        hana, ivan = Person(first), Person(second)
        await second.sign_in(IVAN, "ringback")
        await first.sign_in(HANA, "ringback", remember=True)

        # Where one is, why, and what there is not, is told; inside nothing is.
        await hana.until(lambda: first.place.now.where == "outside" and first.route.now and first.route.now.opened)
        place = first.place.now
        assert (place.edge, [reason.id for reason in place.reasons]) == (EDGE, ["location.outside.edge"])
        assert {"file_transfer", "reports", "self_care"} <= {row.id for row in place.missing}
        assert all(render(row.reason) for row in place.missing)
        assert (second.place.now.where, second.place.now.missing) == ("inside", [])
        board = {service.id: service.server for service in first.services()}
        assert board["messages"] == "edge.example.com:5222"

        # Every step is in the trace, and no server inside was asked but by the edge.
        asked = {entry.text.id: entry for entry in first.trace()}
        assert asked["trace.asked.edge_sso"].answer == asked["trace.asked.edge_config"].answer == "HTTP 200"
        assert "cm1.example.com:8443" in asked["trace.decided.edge.records"].answer
        assert asked["trace.asked.home"].answer == "cm1.example.com"
        assert asked["engine.trace.device"].question.endswith("CSFHANA.cnf.xml")

        # Chats, and a group chat.
        await ivan.say(HANA, "m1", "Kommst du?")
        assert (await hana.history(IVAN, 1))[-1].body == "Kommst du?"
        await hana.say(IVAN, "m2", "Ich sitze im Café")
        assert (await ivan.history(HANA, 2))[-1].body == "Ich sitze im Café"
        room = await first.signed_in().create_room("Ausflug", [IVAN])
        await hana.say(room.id, "g1", "Wer kommt mit?")
        await ivan.until(lambda: ivan.engine.conversation(room.id) is not None)
        assert (await ivan.history(room.id, 1))[-1].body == "Wer kommt mit?"

        # People come from the user data service, pictures from its server.
        await hana.until(lambda: any(row.id == "directory" and row.state == "up" for row in first.services()))
        found = (await first.search("Chiara")).people[0]
        assert (found.mail, found.source) == ("chiara@example.com", "cm1.example.com")
        picture = await first.photo(found.id)
        assert picture is not None
        assert len(picture.at_least(96)) > 1000

        # Voicemail: told at once, listed, heard.
        await hana.until(lambda: first.signed_in().voicemail.mailbox.told)
        await ivan.until(lambda: second.signed_in().voicemail.mailbox.state == "up")
        tone = write_tone(tmp_path / "tone.wav", 440.0, seconds=1.0, rate=8000).read_bytes()
        await second.signed_in().voicemail.send(Parcel([HANA], "Grüße"), tone)
        await hana.until(first.signed_in().voicemail.newest)
        message = first.signed_in().voicemail.newest()[0]
        assert message.subject == "Grüße"
        assert len(await first.signed_in().voicemail.sound(message.id)) > 8000
        await first.signed_in().voicemail.delete(message.id, hard=True)

    # The next start is outside, too: at once, without a question, by what was kept.
    async with engine_of(lab, tmp_path / "hana") as first:
        await first.use_known(HANA)
        await first.until_ready()
        async with asyncio.timeout(SECONDS):
            await first.signed_in().up.wait()
        assert [entry.question.split()[0] for entry in first.trace() if entry.kind == "asked"] == ["XMPP"]
        assert (first.place.now.where, first.place.now.edge) == ("outside", EDGE)
        assert [reason.id for reason in first.place.now.reasons] == ["location.outside.edge"]

    # And one at the office goes on there, since where one is, is asked each time.
    async with engine_of(lab, tmp_path / "hana", outside=False) as first:
        await first.use_known(HANA)
        await first.until_ready()
        async with asyncio.timeout(SECONDS):
            await first.signed_in().up.wait()
        assert (first.place.now.where, first.route.now) == ("inside", None)
        entry = next(entry for entry in first.trace() if entry.question.startswith("XMPP"))
        assert entry.question == "XMPP im1.example.com:5222"
        plan = await first.sources.plan(UserAddress.parse(HANA))
        assert plan is not None
        assert plan.edge is None
        await first.sign_out()


async def test_what_keeps_somebody_out_is_said(lab: RunningLab, tmp_path: Path) -> None:
    async with engine_of(lab, tmp_path) as engine:
        with pytest.raises(SignInError) as refused:
            await engine.sign_in(HANA, "not that")
        assert (refused.value.reason.id, engine.progress.now.user) == ("engine.password_wrong", "hana")

        # People of the branch sign in at a page that the world can't reach in this lab.
        with pytest.raises(SignInError) as refused:
            await engine.find("leila@example.com")
        assert refused.value.fault is not None
        assert refused.value.fault.id == "edge-provider"
        assert render(refused.value.fault.why).startswith("You sign in at idp.example.com, which can't be reached")

        # An edge entered by hand counts, wherever one is.
        await engine.set_manual(ManualSettings(mode="manual", edge="edge.example.com:1"))
        with pytest.raises(SignInError) as refused:
            await engine.find(HANA)
        assert refused.value.fault is not None
        assert refused.value.fault.id == "edge-unreachable"
        with pytest.raises(EngineError) as wrong:
            await engine.set_manual(ManualSettings(mode="manual", edge="edge:port"))
        assert wrong.value.reason.values["field"] == "edge"
    async with engine_of(lab, tmp_path / "by hand", outside=False) as engine:
        await engine.set_manual(ManualSettings(mode="manual", edge="edge.example.com", name_server=lab.outside))
        await engine.sign_in(HANA, "ringback")
        assert (engine.place.now.where, engine.place.now.edge) == ("outside", EDGE)
        assert [reason.id for reason in engine.place.now.reasons] == ["location.manual.edge"]


async def test_outside_a_user_name_that_the_address_does_not_hold_is_asked_for(lab: RunningLab, tmp_path: Path) -> None:
    address = "ivan.petrov@example.com"
    async with engine_of(lab, tmp_path) as engine:
        with pytest.raises(SignInError) as refused:
            await engine.sign_in(address, "ringback")
        assert (refused.value.reason.id, engine.progress.now.user) == ("engine.password_wrong", "ivan.petrov")
        await engine.sign_in_with("ringback", remember=True, user=" ivan ")
        await engine.until_ready()
        assert (str(engine.signed_in().own), engine.progress.now.address) == (IVAN, address)
    async with engine_of(lab, tmp_path) as engine:
        await engine.use_known(address)
        await engine.until_ready()
        async with asyncio.timeout(SECONDS):
            await engine.signed_in().up.wait()
        await engine.sign_out()


@pytest.mark.parametrize("outside", [True, False], ids=["now outside", "now inside"])
async def test_who_is_elsewhere_than_last_time_is_found_anew(lab: RunningLab, outside: bool) -> None:
    """Kept records lead to a server that answers nothing here, and would be waited for in vain."""
    mute = await asyncio.start_server(_say_nothing, "127.0.0.1", 0)
    try:
        far = (SrvRecord(0, 0, mute.sockets[0].getsockname()[1], "127.0.0.1"),)
        records = CachedRecords(uds=far) if outside else CachedRecords(edge=far)
        cache = CachedDiscovery("example.com", DomainSource.TYPED, records=records)
        names = HostPort.parse(lab.outside if outside else lab.inside)
        settings = DiscoverySettings(names, "", lab.ca_file, timeout=4.0)
        found = await discover(UserAddress.parse(HANA), settings, Remembered(cache=cache))
    finally:
        mute.close()
    assert found.fault is None
    assert found.location.location is (Location.OUTSIDE if outside else Location.INSIDE)
    assert (found.edge is not None) is outside
    assert "trace.decided.moved" in [entry.text.id for entry in found.entries]
    assert found.remember is not None
    assert bool(found.remember.records.edge) is outside


async def _say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


def test_the_command_line_finds_its_way_from_outside(lab: RunningLab, tmp_path: Path) -> None:
    output = tmp_path / "output.txt"
    words = (
        "people",
        "search",
        "Chiara",
        "--json",
        "--as",
        HANA,
        "--nameserver",
        lab.outside,
        "--ca",
        str(lab.ca_file),
    )
    process = start_ringback(words, output, {"RINGBACK_PASSWORD": "ringback"})
    assert process.wait(60) == 0
    assert "chiara@example.com" in output.read_text()


async def test_one_word_on_the_edge_is_enough_for_all_services(lab: RunningLab, tmp_path: Path) -> None:
    """Nobody here trusts the company's authority: the person is asked about the edge, and about nothing behind it."""
    async with Engine(EngineSettings(tmp_path, HostPort.parse(lab.outside), None, "", use_keyring=False)) as engine:
        with pytest.raises(SignInError) as refused:
            await engine.find(IVAN)
        assert refused.value.fault is not None
        assert refused.value.fault.id == "certificate-untrusted"
        question = engine.progress.now.certificate
        assert question is not None
        assert question.server == EDGE
        person = Person(engine)
        await engine.answer_certificate(question.fingerprint, True)
        await person.until(lambda: engine.progress.now.phase == "credentials")
        await engine.sign_in_with("ringback")
        await person.until(
            lambda: {"messages", "directory"} <= {row.id for row in engine.services() if row.state == "up"}
        )
        assert engine.questions.now.certificate is None
