"""Several directories at once: in steps, merged, and none of them can stop the others."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest

from ringback.client.contacts.cache import PeopleCache
from ringback.client.contacts.finder import Finder, Found, Search
from ringback.client.contacts.ranking import Nearness
from ringback.client.contacts.sources.base import By, Query, Record, SourceError, Wanted
from ringback.client.contacts.sources.local import LocalSource
from ringback.client.contacts.sources.remote import RemoteSource
from ringback.client.contacts.system_books import address_books, own_address_books, system_address_books
from ringback.deployment.authority import Authority
from ringback.rules.reasons import Reason
from tests.people.json_directory import JsonDirectory, directories
from tests.people.records import phones, record

SECONDS = 30.0


def names(found: Found) -> list[str]:
    """Who was found, in order."""
    return [hit.facts.name for hit in found.hits]


async def steps_of(finder: Finder, text: str, limit: int = 20) -> list[Found]:
    """All steps of a search."""
    async with asyncio.timeout(SECONDS):
        return [found async for found in finder.search(Query.of(text, limit), pause=0.0)]


async def test_what_is_known_comes_first_and_directories_follow(tmp_path: Path) -> None:
    async with directories(tmp_path, "cloud") as [(directory, source)]:
        cache = PeopleCache()
        cache.take([record("1", "custom", jid="adam@example.com", name="Adam Riese", phones=phones("+49 30 1"))])
        finder = Finder(cache, lambda facts: Nearness(contact=facts.id == "adam@example.com"))
        finder.use(source)
        directory.held = asyncio.Event()
        search = finder.search(Query.of("ad"), pause=0.0)
        first = await anext(search)
        assert (names(first), first.complete) == (["Adam Riese"], False)
        directory.held.set()
        last = [found async for found in search][-1]
        assert last.complete
        assert names(last) == ["Adam Riese", "Ada King", "Adele Goldberg"]
        adam = last.hits[0].facts
        assert [phone.value for phone in adam.phones] == ["+49 30 1", "+49 30 5550 104"]
        assert adam.sources == ("custom", "cloud")
        step = last.steps[0]
        assert (step.state, step.found, step.total) == ("done", 3, 3)


async def test_two_directories_are_asked_at_the_same_time_and_merged(tmp_path: Path) -> None:
    async with directories(tmp_path, "cloud", "custom-directory") as [(one, first), (two, second)]:
        finder = Finder(PeopleCache())
        finder.use(first)
        finder.use(second)
        one.held = two.held = asyncio.Event()
        search = asyncio.ensure_future(steps_of(finder, "ada"))
        async with asyncio.timeout(SECONDS):
            await one.waiting.wait()
            await two.waiting.wait()
        one.held.set()
        last = (await search)[-1]
        assert names(last) == ["Ada King", "Adam Riese"]
        assert {tuple(sorted(hit.facts.sources)) for hit in last.hits} == {("cloud", "custom-directory")}


async def test_typing_on_gives_up_what_was_asked(tmp_path: Path) -> None:
    async with directories(tmp_path, "cloud") as [(directory, source)]:
        finder = Finder(PeopleCache())
        finder.use(source)
        directory.held = asyncio.Event()
        search = asyncio.ensure_future(steps_of(finder, "a"))
        async with asyncio.timeout(SECONDS):
            await directory.waiting.wait()
        search.cancel()
        await asyncio.gather(search, return_exceptions=True)
        directory.held.set()
        directory.held = None
        last = (await steps_of(finder, "ad"))[-1]
        assert len(last.hits) == 3
        assert directory.given_up == 1


async def _hangs(directory: JsonDirectory, _folder: Path) -> None:
    directory.held = asyncio.Event()


async def _dies(directory: JsonDirectory, _folder: Path) -> None:
    await directory.stop()


async def _garbage(directory: JsonDirectory, _folder: Path) -> None:
    directory.body = b'{"people": [{"id": 5'


async def _wrong_shape(directory: JsonDirectory, _folder: Path) -> None:
    directory.body = b'{"people": {"id": "1"}}'


async def _nested(directory: JsonDirectory, _folder: Path) -> None:
    directory.body = b'{"people": ' + b"[" * 200_000


async def _huge(directory: JsonDirectory, _folder: Path) -> None:
    directory.body = json.dumps({"people": directory.people * 20_000}).encode()


async def _refuses(directory: JsonDirectory, _folder: Path) -> None:
    directory.status = 500


async def _other_certificate(directory: JsonDirectory, folder: Path) -> None:
    await directory.stop()
    await directory.start(Authority(folder / "another authority"))


@pytest.mark.parametrize(
    ("fails", "why"),
    [
        (_hangs, "contacts.source.timeout"),
        (_dies, "engine.directory.no_answer"),
        (_garbage, "contacts.source.garbage"),
        (_wrong_shape, "contacts.source.garbage"),
        (_nested, "contacts.source.garbage"),
        (_huge, "engine.directory.no_answer"),
        (_refuses, "engine.directory.no_answer"),
        (_other_certificate, "engine.directory.no_answer"),
    ],
)
async def test_a_directory_that_fails_says_so_and_the_others_answer(tmp_path: Path, fails: object, why: str) -> None:
    async with directories(tmp_path, "cloud", "custom-directory") as [(bad, first), (_, second)]:
        told: list[tuple[str, Reason | None]] = []
        finder = Finder(PeopleCache(), told=lambda name, reason: told.append((name, reason)), search_seconds=1.0)
        finder.use(first)
        finder.use(second)
        await fails(bad, tmp_path)  # type: ignore[operator]
        last = (await steps_of(finder, "grace"))[-1]
        assert names(last) == ["Grace Hopper"]
        states = {step.source: step for step in last.steps}
        assert (states["cloud"].state, states["custom-directory"].state) == ("failed", "done")
        problem = states["cloud"].problem
        assert problem is not None
        assert problem.id == why
        assert [(name, reason.id if reason else "") for name, reason in told] == [("cloud", why)]
        # It rests now: the next search does not wait for it, and says why it is missing.
        again = (await steps_of(finder, "grace"))[0]
        assert {step.source: step.state for step in again.steps}["cloud"] == "failed"
        # And it heals.
        await bad.stop()
        bad.held, bad.body, bad.status = None, None, 200
        await bad.start()
        finder.hurry()
        healed = (await steps_of(finder, "grace"))[-1]
        assert all(step.state == "done" for step in healed.steps)
        assert told[-1] == ("cloud", None)


async def test_going_on_brings_the_next_pages(tmp_path: Path) -> None:
    async with directories(tmp_path, "cloud") as [(directory, source)]:
        directory.people = [
            {"id": str(number), "name": f"Ada No{number:03}", "mails": [f"{number}@x"]} for number in range(45)
        ]
        finder = Finder(PeopleCache())
        finder.use(source)
        search = Search(Query.of("ada", 20))
        first = [found async for found in finder.begin(search, pause=0.0)][-1]
        assert (len(first.hits), first.more, first.steps[0].total) == (20, True, 45)
        second = [found async for found in finder.continued(search, 40)][-1]
        assert (len(second.hits), second.more) == (40, True)
        third = [found async for found in finder.continued(search, 60)][-1]
        assert (len(third.hits), third.more) == (45, False)
        assert [query["cursor"] for query in directory.asked if "cursor" in query] == [["20"]]


async def test_resolving_by_jid_mail_and_number(tmp_path: Path) -> None:
    learned: list[Record] = []
    async with directories(tmp_path, "cloud", "custom-directory") as [(_, first), (bad, second)]:
        finder = Finder(PeopleCache(), learned=learned.extend)
        finder.use(first)
        finder.use(second)
        await bad.stop()
        wanted = [
            Wanted(By.JID, "ada@example.com"), Wanted(By.MAIL, "grace@mail.example.com"),
            Wanted(By.NUMBER, "+49 30 5550 105"), Wanted(By.NUMBER, "+49 30 1"),
        ]  # fmt: skip
        found = await finder.resolve(wanted)
        assert [found[one].name for one in wanted[:3]] == ["Ada King", "Grace Hopper", "Zoe Ong"]
        assert wanted[3] not in found
        assert {row.name for row in learned} == {"Ada King", "Grace Hopper", "Zoe Ong"}


async def test_a_picture_of_another_server_is_not_asked_for(tmp_path: Path) -> None:
    async with directories(tmp_path, "cloud") as [(directory, source)]:
        for photo in ("https://evil.example/1.png", "http://127.0.0.1/1.png", "//evil.example/x", "file:///etc/passwd"):
            assert await source.photo(record("1", "cloud", photo=photo)) is None
        assert directory.asked == []
        assert await source.photo(record("1", "cloud", photo="missing.png")) is None


def test_an_address_without_https_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as refused:
        RemoteSource("cloud", "http://directory.example.com/", None)  # type: ignore[arg-type]
    assert refused.value.reason.id == "contacts.source.address"


CARD = "BEGIN:VCARD\nVERSION:3.0\nFN:{name}\nN:{name};;;;\nTEL;TYPE=WORK:{number}\nEND:VCARD\n"


async def test_address_books_are_read_again_when_they_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ringback.client.contacts.sources.local.LOOK_SECONDS", 0.0)
    (tmp_path / "one.vcf").write_text(CARD.format(name="Plumber", number="+49 30 1"))
    (tmp_path / "notes.txt").write_text("nothing for us")
    source = LocalSource(tmp_path, "DE")
    assert [row.name for row in (await source.search(Query.of("plu"))).records] == ["Plumber"]
    (tmp_path / "two.csv").write_text("Name,Mobile Phone\nBaker,030 5550200\n")
    wanted = Wanted(By.NUMBER, "+49 30 5550200")
    assert [row.name for row in (await source.resolve([wanted])).found[wanted]] == ["Baker"]
    (tmp_path / "one.vcf").unlink()
    assert (await source.search(Query.of("plumber"))).records == ()


async def test_an_address_book_that_is_gone_says_so(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as refused:
        await LocalSource(tmp_path / "gone.vcf").search(Query.of("x"))
    assert refused.value.reason.id == "contacts.source.file"


def test_where_address_books_of_this_computer_lie(tmp_path: Path) -> None:
    home = tmp_path / "home"
    for folder in (home / ".contacts", tmp_path / "data" / "contacts", tmp_path / "ringback" / "address-books"):
        folder.mkdir(parents=True)
    found = system_address_books(home, {"XDG_DATA_HOME": str(tmp_path / "data")})
    assert found == (tmp_path / "data" / "contacts", home / ".contacts")
    assert system_address_books(home, {}) == (home / ".contacts",)
    assert own_address_books(tmp_path / "ringback") == (tmp_path / "ringback" / "address-books",)
    assert own_address_books(home) == ()


def test_address_books_are_named_by_path_or_as_those_of_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".contacts").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    books = address_books(["team.csv", "~/mine.vcf", "system", "system"], Path("/srv"))
    assert books == (Path("/srv/team.csv"), tmp_path / "mine.vcf", tmp_path / ".contacts")


def test_the_first_step_of_a_search_is_there_at_once() -> None:
    cache = PeopleCache(region="DE")
    cache.load(
        record(
            str(number), jid=f"u{number}@example.com", name=f"Ada No{number}", title="Engineer",
            mails=(f"u{number}@mail.example.com",), phones=phones(f"+49 30 555 {number:06d}"),
        )
        for number in range(3000)
    )  # fmt: skip
    finder = Finder(cache)
    finder.region = "DE"
    finder.here(Query.of("a"))  # the first one fills what is remembered of words
    for text in ("a", "ad", "ada", "ada no29", "engineer", "0305550029", "u2999@mail", "nobody at all"):
        began = time.process_time()
        found = finder.here(Query.of(text))
        assert time.process_time() - began < 0.1, text
        assert (len(found.hits) > 0) == (text != "nobody at all")
