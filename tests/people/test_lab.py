"""People in a whole enterprise: searches in steps, callers who become known, the contact list with groups and files."""

from __future__ import annotations

import base64
import contextlib
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from ringback.client.contacts.formats import Format
from ringback.client.contacts.sources.base import Kind, Phone
from ringback.client.engine.engine import Engine
from ringback.client.engine.errors import EngineError
from ringback.client.engine.list_service import Typed
from ringback.client.engine.settings import EngineSettings
from ringback.client.host.commands import Tab, perform
from ringback.client.host.wire import AnyCommand, Done
from ringback.client.host.wire_calls import Party, Recent
from ringback.client.host.wire_people import (
    AddGroup,
    CheckDirectory,
    DirectoryReport,
    Findings,
    FindingsGrew,
    FindMore,
    FindPeople,
    OrderContacts,
    PersonCard,
    RenameGroup,
    SaveContact,
    StopFinding,
    TypedNumber,
)
from ringback.client.script import Me
from ringback.rules.addresses import HostPort
from tests.engine.conftest import Person, person_in
from tests.support.lab import RunningLab

TAB = Tab("http://127.0.0.1", "test")
BOOK = "BEGIN:VCARD\nVERSION:3.0\nFN:Pavel Plumber\nN:Plumber;Pavel;;;\nTEL;TYPE=CELL:+41 79 555 99 01\nEND:VCARD\n"


@contextlib.asynccontextmanager
async def signed_in(lab: RunningLab, user: str, data: Path) -> AsyncIterator[Person]:
    """A person of the lab."""
    async with person_in(user, data, name_server=HostPort.parse(lab.inside), ca=lab.ca_file) as person:
        yield person


async def do(engine: Engine, command: AnyCommand) -> object:
    """What a command answers."""
    answer = await perform(engine, command, TAB)
    assert isinstance(answer, Done), answer
    return answer.value


async def until(engine: Engine, condition: Callable[[], object]) -> None:
    """Wait until a condition holds; it is looked at after each event of the engine."""
    await Person(engine).until(condition, 20)


async def test_a_search_of_a_page_grows_until_it_is_complete(shared_lab: RunningLab, tmp_path: Path) -> None:
    async with signed_in(shared_lab, "anita", tmp_path) as anita:
        await anita.until(lambda: anita.engine.people().finder.sources)
        first = await do(anita.engine, FindPeople(n=1, search="s1", query="m", limit=1))
        assert isinstance(first, Findings)
        grown = await anita.event(lambda event: isinstance(event, FindingsGrew) and event.findings.complete)
        assert isinstance(grown, FindingsGrew)
        found = grown.findings
        assert (found.search, found.query, len(found.people)) == ("s1", "m", 1)
        assert [(step.kind, step.state) for step in found.sources] == [("uds", "done")]
        more = await do(anita.engine, FindMore(n=2, search="s1", limit=50))
        assert isinstance(more, Findings)
        await anita.event(lambda event: isinstance(event, FindingsGrew) and len(event.findings.people) > 1)
        await do(anita.engine, StopFinding(n=3, search="s1"))
        report = await do(anita.engine, CheckDirectory(n=4, source="uds"))
        assert isinstance(report, DirectoryReport)
        assert {line.state for line in report.lines} == {"good"}
        assert [row.state for row in anita.engine.snapshot().directories] == ["up"]


async def test_scripts_search_and_resolve(shared_lab: RunningLab, tmp_path: Path) -> None:
    async with signed_in(shared_lab, "bruno", tmp_path) as bruno:
        me = Me(bruno.engine)
        await bruno.until(lambda: bruno.engine.people().finder.sources)
        assert [person.id for person in await me.search("leila")][:1] == ["leila@example.com"]
        for who in ("chiara@example.com", "sip:chiara@example.com", "+41 44 555 20 03", "044 555 20 03", "2003"):
            person = await me.resolve(who)
            assert person is not None, who
            assert person.name == "Chiara Moretti", who
        assert await me.resolve("+41 44 000 00 00") is None
        assert await me.resolve("nobody@example.com") is None


async def test_an_unknown_caller_of_the_past_becomes_known(shared_lab: RunningLab, tmp_path: Path) -> None:
    async with signed_in(shared_lab, "bruno", tmp_path) as bruno:
        calling = bruno.engine.signed_in().calling
        party = Party(number="+41445552003", shown="+41 44 555 20 03")
        past = Recent(id="r1", direction="in", result="missed", party=party, at="2026-01-01T00:00:00+00:00")
        await calling._recents.add(past)
        bruno.engine.people().try_now()
        await bruno.until(lambda: calling.recents()[0].party.person)
        known = calling.recents()[0].party
        assert (known.person, known.name) == ("chiara@example.com", "Chiara Moretti")


async def test_names_stand_when_no_directory_answers(shared_lab: RunningLab, tmp_path: Path) -> None:
    lab = shared_lab
    async with person_in(
        "bruno", tmp_path, name_server=HostPort.parse(lab.inside), ca=lab.ca_file, remember=True
    ) as bruno:
        await Me(bruno.engine).search("leila")
        await bruno.until(lambda: bruno.engine.signed_in().people.facts("leila@example.com"))
    settings = EngineSettings(
        data=tmp_path, name_server=HostPort("127.0.0.1", 9), ca_file=lab.ca_file, cloud_url="", use_keyring=False
    )
    async with Engine(settings) as engine:
        await engine.use_known("bruno@example.com")
        await until(engine, lambda: engine.snapshot().me is not None)
        found = await engine.search("leila")
        assert [person.name for person in found.people] == ["Leila Haddad"]
        card = await engine.person_card("leila@example.com")
        assert card.facts


async def test_the_contact_list_with_groups_files_and_people_of_ones_own(
    shared_lab: RunningLab, tmp_path: Path
) -> None:
    async with signed_in(shared_lab, "hana", tmp_path) as hana:
        engine, people = hana.engine, hana.engine.signed_in().people
        saved = await do(
            engine,
            SaveContact(
                n=1, name="Pavel Plumber", company="Pipes", groups=["Suppliers"],
                numbers=[TypedNumber(kind="mobile", value="+41 79 555 99 01")],
            ),
        )  # fmt: skip
        assert isinstance(saved, PersonCard)
        pavel = saved.person
        assert pavel.id.startswith("~own:")
        assert (pavel.custom, pavel.in_list, pavel.chat, pavel.groups) == (True, True, "", ["Suppliers"])
        await do(engine, AddGroup(n=2, name="Empty"))
        await do(engine, RenameGroup(n=3, name="Suppliers", to="Craftsmen"))
        await do(engine, OrderContacts(n=4, group="Craftsmen", people=[pavel.id]))
        shown = engine.snapshot()
        assert {"Empty", "Craftsmen"} <= set(shown.groups)
        assert shown.orders == {"Craftsmen": [pavel.id]}
        # A number that calls is this person now, and a search finds him.
        assert engine.signed_in().calling.parties.of("+41795559901").name == "Pavel Plumber"
        assert [one.id for one in (await engine.search("plumber")).people] == [pavel.id]

        lists = engine.contact_list()
        text = "User ID,User Domain,Contact ID,Contact Domain,Nickname,Group Name\n" + "".join(
            f"hana,example.com,{name},example.com,{nick},Imported\n"
            for name, nick in (("george", "Geo"), ("ivan", ""), ("ivan", ""))
        )
        plan = await lists.read("list.csv", text.encode())
        assert [(row.address, row.what) for row in plan.rows] == [
            ("george@example.com", "change" if people.is_contact("george@example.com") else "add"),
            ("ivan@example.com", "change" if people.is_contact("ivan@example.com") else "add"),
        ]
        assert plan.groups == ["Imported"]
        done = await lists.apply(plan.id, None)
        assert done.failed == []
        await hana.until(
            lambda: (
                sum("Imported" in item.groups for item in people.roster()) == 2
                and people.name("george@example.com") == "Geo"
            )
        )
        exported = await lists.export(Format.CSV, ["Imported"])
        assert exported.people == 2
        again = await lists.read("again.csv", base64.b64decode(exported.data))
        assert {row.what for row in again.rows} == {"same"}
        whole = await lists.export(Format.VCARD, None)
        assert b"Pavel Plumber" in base64.b64decode(whole.data)
        await lists.undo(done.undo)
        await hana.until(lambda: "Imported" not in people.groups())
        with pytest.raises(EngineError):
            await lists.undo(done.undo)

        # Somebody made by hand who turns out to be a colleague keeps the place and can be written to.
        colleague = await lists.save(
            "", Typed(name="Leila at home", phones=(Phone(Kind.OTHER, "1"),), mail="leila@example.com")
        )
        await hana.until(lambda: people.person(colleague).chat == "leila@example.com", 15)
        await lists.remove(colleague)
        await lists.remove(pavel.id)
        assert not any(one.startswith("~") for one in people.ids())


async def test_address_books_of_this_computer_are_searched_too(shared_lab: RunningLab, tmp_path: Path) -> None:
    book = tmp_path / "book.vcf"
    book.write_text(BOOK)
    settings = EngineSettings(
        data=tmp_path / "data", name_server=HostPort.parse(shared_lab.inside), ca_file=shared_lab.ca_file,
        cloud_url="", use_keyring=False, address_books=(book,),
    )  # fmt: skip
    async with Engine(settings) as engine:
        await engine.sign_in("anita@example.com", "ringback")
        me = Me(engine)
        await until(engine, lambda: len(engine.people().finder.sources) == 2)
        assert [person.name for person in await me.search("pavel")] == ["Pavel Plumber"]
        found = await me.resolve("+41 79 555 99 01")
        assert found is not None
        assert (found.name, found.source) == ("Pavel Plumber", "book.vcf")


async def test_contacts_follow_when_the_domain_changes(shared_lab: RunningLab, tmp_path: Path) -> None:
    async with signed_in(shared_lab, "ivan", tmp_path) as ivan:
        session = ivan.engine.signed_in()
        was_contact = session.people.is_contact("chiara@example.com")
        await session.contacts.add("chiara@old.example", "Chi", ["Dispatch"])
        await ivan.until(lambda: session.people.item("chiara@old.example"))
        await session.store.put("meta", "own-address", "ivan@old.example")
    async with signed_in(shared_lab, "ivan", tmp_path) as ivan:
        people = ivan.engine.signed_in().people
        await ivan.until(lambda: people.item("chiara@old.example") is None)
        moved = people.item("chiara@example.com")
        assert moved is not None
        assert "Dispatch" in moved.groups
        reasons = [reason.id for row in ivan.engine.services() for reason in row.reasons]
        assert "contacts.moved.domain" in reasons
        if not was_contact:  # others use this lab, too
            await ivan.engine.contact_list().remove("chiara@example.com")


async def test_what_roams_goes_to_another_computer_and_the_rest_stays(shared_lab: RunningLab, tmp_path: Path) -> None:
    roaming, here, there = tmp_path / "roaming", tmp_path / "here", tmp_path / "there"

    def settings(data: Path) -> EngineSettings:
        return EngineSettings(
            data=data, roaming=roaming, name_server=HostPort.parse(shared_lab.inside), ca_file=shared_lab.ca_file,
            cloud_url="", use_keyring=False,
        )  # fmt: skip

    async with Engine(settings(here)) as engine:
        await engine.sign_in("julia@example.com", "ringback", remember=True)
    assert {path.name for path in roaming.iterdir()} >= {"machine.db", "key"}
    assert not (here / "machine.db").exists()
    assert [path for path in here.iterdir() if path.suffix == ".db"]
    async with Engine(settings(there)) as engine:  # no password is asked for there
        await engine.use_known("julia@example.com")
        await engine.until_ready()
        assert engine.signed_in().own.local == "julia"


async def test_somebody_unknown_who_writes_gets_a_name(shared_lab: RunningLab, tmp_path: Path) -> None:
    async with (
        signed_in(shared_lab, "kenji", tmp_path / "kenji") as kenji,
        signed_in(shared_lab, "fatima", tmp_path / "fatima") as fatima,
    ):
        await fatima.say("kenji@example.com", uuid.uuid4().hex, "Hello")
        session = kenji.engine.signed_in()

        def named() -> bool:
            talk = session.conversation("fatima@example.com")
            return talk is not None and talk.title == "Fatima El-Amin"

        await kenji.until(named)
        assert session.people.person("fatima@example.com").title
