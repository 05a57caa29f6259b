"""People while somebody is signed in: directories opened and kept, searches in steps, learning who is who.

Everybody who is shown (contacts, partners of chats, callers, managers) is asked about once a day; what is learnt goes
into the cache, and from there into lists, cards, calls and chats. A silent directory never stops anything.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import msgspec
import structlog

from ringback.client.contacts.facts import NO_JID, Facts
from ringback.client.contacts.finder import Finder, Found, Search
from ringback.client.contacts.photos import Photo
from ringback.client.contacts.search import find_rooms
from ringback.client.contacts.sources.base import By, Query, Record, Wanted
from ringback.client.contacts.sources.context import Login, SourceContext
from ringback.client.engine.directory_check import check_directory
from ringback.client.engine.errors import EngineError
from ringback.client.engine.following import Following
from ringback.client.engine.people_sources import PeopleSources
from ringback.client.engine.people_wire import facts_of, findings, moment
from ringback.client.engine.session import Session
from ringback.client.host.wire_people import (
    DirectoriesChanged,
    Directory,
    DirectoryReport,
    Findings,
    FindingsGrew,
    PersonCard,
    SearchResults,
)
from ringback.client.trust import CertificateStopError
from ringback.rules.reasons import Reason

OPEN_SECONDS = 8.0  # how long a script waits for directories that are not open yet
LOOK_SECONDS = 1.0  # how soon somebody new in the contact list gets a name and a picture
FRESH_SECONDS = 8 * 3600.0  # after so long directories are asked again about somebody whom they did not know
PRUNE_SECONDS = 60.0
SEARCH_LIMIT = 500
SEARCHES_MOST = 32  # searches of all pages of one person that are kept for going on
_BATCH = 20
_PICTURES_AT_ONCE = 4
ACCOUNT = "account"  # the source of what the plan tells of the person
_LOGIN = ("meta", "directory-login")

log = structlog.get_logger(__name__)


class _KeptLogin(msgspec.Struct, frozen=True):
    user: str
    password: str

    def __repr__(self) -> str:
        return "_KeptLogin()"


@dataclass(slots=True)
class _Running:
    """A search of a page. ``shown``: what it was told last."""

    search: Search
    task: asyncio.Task[None] | None = None
    shown: Found | None = None


class PeopleService:
    """One signed-in person's. ``run`` it as long as the session lives; it can be asked before and after."""

    def __init__(
        self, session: Session, certificate: Callable[[CertificateStopError, Reason, str], None],
        clock: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        """``certificate`` asks the person about a directory's certificate."""
        self._session = session
        self._clock = clock
        self._login: Login | None = None
        people = session.people
        self.finder = Finder(people.cache, people.nearness, self._learned, self._told)
        self.sources = PeopleSources(self.finder, session.board, self._changed, certificate)
        self.finder.hidden = frozenset({str(session.own)})
        people.source_name = self.sources.shown_name
        self._following = Following(session, self.finder)
        self._running: dict[str, _Running] = {}
        self._asked: dict[str, float] = {}
        self._pictured: dict[str, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()

    # --- life

    async def run(self, context: SourceContext, own: Record | None = None) -> None:
        """Open the directories and learn about people until cancelled. ``own``: what the cluster says of the person."""
        if own is not None:
            await self._session.learn([own])
            people = self._session.people  # what the plan told of the person for the time until now
            await people.took(people.cache.forget(ACCOUNT, context.user))
        await self._following.begin()
        kept = await self._session.store.get(*_LOGIN, _KeptLogin)
        self._login = Login(kept.user, kept.password) if kept is not None else None
        region = self._session.calling.region()
        await self._session.people.use_region(region)
        self.finder.region = region
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.sources.run(replace(context, region=region)), name="directories")
                group.create_task(self._learn_forever(), name="people")
                group.create_task(self._picture_forever(), name="pictures")
        finally:
            for task in [*self._tasks, *(row.task for row in self._running.values() if row.task is not None)]:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self._running.clear()
            await self.finder.close()

    async def opened(self, seconds: float = OPEN_SECONDS) -> None:
        """Wait until the directories are open, or failed, for so many seconds at most."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.sources.tried.wait()

    def typed_login(self) -> Login | None:
        """What the person typed for the company directory."""
        return self._login

    async def set_login(self, user: str, password: str) -> None:
        """Use another name and password for the company directory, kept encrypted; an empty user forgets them."""
        self._login = Login(user, password) if user else None
        if user:
            await self._session.store.put(*_LOGIN, _KeptLogin(user, password))
        else:
            await self._session.store.remove(_LOGIN[0], [_LOGIN[1]])
        await self.sources.reopen("ldap")

    def try_now(self) -> None:
        """Ask everybody again, whoever failed; open what could not be opened."""
        self.finder.hurry()
        self.sources.hurry()
        self._asked.clear()
        self._woken.set()

    def _spawn(self, work: Coroutine[object, object, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(self._guarded(work, name), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _guarded(self, work: Coroutine[object, object, None], name: str) -> None:
        try:
            await work
        except Exception:  # one search or one picture must not end the others
            log.exception("people.work_failed", work=name)

    def _learned(self, records: Sequence[Record]) -> None:
        if records:
            self._spawn(self._take(list(records)), "people learnt")

    async def _take(self, records: Sequence[Record]) -> None:
        await self._session.learn(records)

    def _told(self, source: str, problem: Reason | None) -> None:
        self.sources.health_changed(source, problem)

    def _changed(self) -> None:
        self._asked.clear()  # another directory may know whom the others did not
        self._session.events.note("directories", lambda: DirectoriesChanged(directories=self.directories()))
        self._woken.set()

    def directories(self) -> list[Directory]:
        """How all directories are."""
        return self.sources.shown()

    # --- learning

    async def _learn_forever(self) -> None:
        pruned = 0.0
        while True:
            self._woken.clear()
            now = time.monotonic()
            if self.finder.sources:
                await self._guarded(self._learn_due(), "learning")
            if now - pruned >= PRUNE_SECONDS:
                pruned = now
                await self._session.people.took(self._session.people.cache.prune(self._clock(), self._pinned()))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._woken.wait()

    def _partners(self) -> list[str]:
        session = self._session
        return [name for name in session.chats.ids() if not session.rooms.is_room(name)]

    def _pinned(self) -> set[str]:
        """Of whom what was said is kept though it is old."""
        session = self._session
        shown = [str(session.own), *session.people.ids(), *self._partners(), *session.calling.partners()]
        return {*shown, *session.people.managers(shown)}

    async def _learn_due(self) -> None:
        people, now = self._session.people, time.monotonic()
        for name in sorted(self._pinned()):
            if now - self._asked.get(name, -FRESH_SECONDS) < FRESH_SECONDS or not people.cache.due(name, self._clock()):
                continue
            batch = [one for one in sorted(self._pinned()) if self._is_due(one, now)][:_BATCH]
            await self.learn(batch)
            self._asked.update(dict.fromkeys(batch, now))
        await self._following.look(set(self._asked))
        await self._learn_callers(now)

    async def _picture_forever(self) -> None:
        """Get the pictures of who is shown, a few at a time."""
        while True:
            people, now = self._session.people, time.monotonic()
            due = []
            for name in (str(self._session.own), *people.ids(), *self._partners()):
                facts = people.facts(name)
                if (
                    facts is not None
                    and facts.photos
                    and now - self._pictured.get(name, -FRESH_SECONDS) >= FRESH_SECONDS
                ):
                    due.append((name, facts))
            for first in range(0, len(due), _PICTURES_AT_ONCE):
                batch = due[first : first + _PICTURES_AT_ONCE]
                self._pictured.update((name, now) for name, _ in batch)
                learning = (self._guarded(self._learn_photo(name, facts), "picture") for name, facts in batch)
                await asyncio.gather(*learning)
            await asyncio.sleep(LOOK_SECONDS)

    def _is_due(self, name: str, now: float) -> bool:
        old = now - self._asked.get(name, -FRESH_SECONDS) >= FRESH_SECONDS
        return old and self._session.people.cache.due(name, self._clock())

    async def _learn_callers(self, now: float) -> None:
        """Callers of the past who were unknown: somebody may know them today."""
        calling = self._session.calling
        for recent in calling.unknown_recents():
            key = f"call:{recent.party.number}"
            if now - self._asked.get(key, -FRESH_SECONDS) >= FRESH_SECONDS:
                self._asked[key] = now
                await calling.learn_recent(recent)

    async def learn(self, people: Sequence[str]) -> None:
        """Ask about people; who is silent or knows nobody changes nothing."""
        await self.finder.resolve([wanted for person in people for wanted in self._wanted(person)])

    def _wanted(self, person_id: str) -> list[Wanted]:
        """By what to look for somebody of this id."""
        if not person_id.startswith(NO_JID):
            return [Wanted(By.JID, person_id)]
        facts = self._session.people.facts(person_id)
        if facts is None:
            return []
        if facts.jid:
            return [Wanted(By.JID, facts.jid)]
        return [Wanted(By.MAIL, facts.mail)] if facts.mail else [Wanted(By.NUMBER, one.value) for one in facts.phones]

    async def resolve(self, wanted: Sequence[Wanted]) -> Mapping[Wanted, Facts]:
        """Who is behind addresses and numbers: the cache while what it says is fresh, then the directories, then what
        the cache still has."""
        cache, now = self._session.people.cache, self._clock()
        known = {one: found[0] for one in wanted if len(found := cache.resolve(one)) == 1}
        fresh = {one: facts for one, facts in known.items() if not cache.due(facts.id, now)}
        asked = await self.finder.resolve([one for one in wanted if one not in fresh])
        for _ in range(3):  # what was learnt comes into the book by tasks of its own
            await asyncio.sleep(0)
        return {**known, **asked, **fresh}

    # --- searching

    async def find(self, search: str, query: str, limit: int) -> Findings:
        """Begin a search of a page: gives what is known here; the rest comes as events."""
        await self.stop(search)
        while len(self._running) >= SEARCHES_MOST:
            await self.stop(next(iter(self._running)))
        self._note_exchanges()
        row = self._running[search] = _Running(Search(Query.of(query, max(1, min(limit, SEARCH_LIMIT)))))
        row.shown = self.finder.here(row.search.query)
        row.task = self._spawn(self._follow(search, row, goes_on=False), "search")
        return self._findings(search, row.shown)

    def _note_exchanges(self) -> None:
        """Whom we lately had to do with, for the order of people found."""
        session = self._session
        for name in self._partners():
            talk = session.chats.conversation(name)
            if talk is not None and talk.last is not None:
                session.people.exchanged(name, datetime.fromisoformat(talk.last.at).timestamp())
        for recent in session.calling.recents():
            if recent.party.person:
                session.people.exchanged(recent.party.person, datetime.fromisoformat(recent.at).timestamp())

    async def find_more(self, search: str, limit: int) -> Findings:
        """Go on with a search. Raises EngineError where there is none of this name."""
        row = self._running.get(search)
        if row is None or row.shown is None:
            raise EngineError(Reason.of("contacts.search.none"))
        await self._cancel(row)
        row.search.query = replace(row.search.query, limit=max(1, min(limit, SEARCH_LIMIT)))
        row.task = self._spawn(self._follow(search, row, goes_on=True), "search")
        return self._findings(search, row.shown)

    async def stop(self, search: str) -> None:
        """Nobody waits for it any more."""
        row = self._running.pop(search, None)
        if row is not None:
            await self._cancel(row)

    async def _cancel(self, row: _Running) -> None:
        if row.task is not None and not row.task.done():
            row.task.cancel()
            await asyncio.gather(row.task, return_exceptions=True)

    async def _follow(self, search: str, row: _Running, *, goes_on: bool) -> None:
        limit = row.search.query.limit
        steps = self.finder.continued(row.search, limit) if goes_on else self.finder.begin(row.search)
        async with contextlib.aclosing(steps):
            async for found in steps:
                row.shown = found
                self._session.events.tell(FindingsGrew(findings=self._findings(search, found)))

    def _findings(self, search: str, found: Found) -> Findings:
        rooms = find_rooms(found.query.text, self._session.conversations(), found.query.limit)
        return findings(search, found, self._session.people, rooms, self.finder.region)

    async def search(self, query: str, limit: int) -> tuple[Found, Reason | None]:
        """A whole search, after everybody answered, and what is wrong with a directory, if anything."""
        self._note_exchanges()
        last = self.finder.here(asked := Query.of(query, limit))
        async with contextlib.aclosing(self.finder.search(asked, pause=0.0)) as steps:
            async for found in steps:
                last = found
        return last, next((step.problem for step in last.steps if step.state == "failed"), None)

    async def results(self, query: str, limit: int) -> SearchResults:
        """A whole search as the page's older command has it."""
        found, problem = await self.search(query, max(1, min(limit, SEARCH_LIMIT)))
        rooms = find_rooms(query, self._session.conversations(), limit)
        people = [self._session.people.stranger(hit.facts) for hit in found.hits]
        totals = [step.total for step in found.steps if step.state == "done" and step.total is not None]
        return SearchResults(
            query=query, people=people, conversations=rooms, total=max(totals, default=None), problem=problem
        )

    async def check(self, source: str) -> DirectoryReport:
        """Try a directory now, step by step. Raises EngineError where there is none of this name."""
        self.sources.hurry()
        self.finder.hurry()
        return await check_directory(source, self.finder, self.sources, str(self._session.own))

    # --- cards and pictures

    async def card(self, person_id: str) -> PersonCard:
        """All that is known of a person, with where it comes from."""
        session, people = self._session, self._session.people
        if people.facts(person_id) is None or people.cache.due(person_id, self._clock()):
            await self.learn([person_id])
            await asyncio.sleep(0)
        facts = people.facts(person_id)
        sources = [Reason.of("engine.source.roster")] if people.is_contact(person_id) else []
        for name in facts.sources if facts is not None else ():
            if name == ACCOUNT:
                continue
            sources.append(Reason.of("engine.source.directory", server=people.source_name(name)))
        shared = [talk.id for talk in session.conversations() if any(one.id == person_id for one in talk.members)]
        photo = await session.photos.kept(person_id)
        return PersonCard(
            person=people.person(person_id), sources=sources, shared_rooms=shared,
            facts=facts_of(facts, people) if facts is not None else [],
            merged=list(facts.merged) if facts is not None else [],
            photo_from=_photo_from(photo, people.source_name), photo_at=moment(photo.at) if photo is not None else None,
        )  # fmt: skip

    async def photo(self, person_id: str) -> Photo | None:
        """The picture of a person: kept, announced, or a directory's; None where there is none."""
        found = await self._session.photos.get(person_id)
        facts = self._session.people.facts(person_id)
        if found is None and facts is not None and facts.photos:
            await self._learn_photo(person_id, facts)
            found = await self._session.photos.kept(person_id)
        return found

    async def _learn_photo(self, person_id: str, facts: Facts) -> None:
        got = await self.finder.photo(facts)
        if got is not None:
            await self._session.photos.keep(person_id, *got)


def _photo_from(photo: Photo | None, shown_name: Callable[[str], str]) -> Reason | None:
    if photo is None:
        return None
    if photo.source in ("pep", "vcard"):
        return Reason.of("contacts.photo.from_person")
    return Reason.of("engine.source.directory", server=shown_name(photo.source))
