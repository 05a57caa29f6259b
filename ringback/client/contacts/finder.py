"""Searching and resolving over several sources at once: bounded, in steps, and never stopped by one of them.

A search first gives what is known here (own contacts and cache), then grows each time a source answers or fails; all
records are merged and ranked anew each time. Whoever types on cancels the search before, and with it every question
that is open. A source that failed is told with its reason and left alone for a while, so that a hanging one costs its
time limit once and not at each key.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeVar

import structlog

from ringback.client.contacts.cache import PRIORITY, PeopleCache
from ringback.client.contacts.facts import Facts
from ringback.client.contacts.merge import merge
from ringback.client.contacts.ranking import STRANGER, Match, Nearness, match, order
from ringback.client.contacts.sources.base import Answers, ContactSource, Query, Record, SourceError, Wanted
from ringback.rules.failover import Backoff, next_wait
from ringback.rules.reasons import Reason

SEARCH_SECONDS = 8.0
RESOLVE_SECONDS = 5.0
PAUSE_SECONDS = 0.15  # how long a person who types is waited for before directories are asked
REST = Backoff(first=5.0, longest=120.0)

log = structlog.get_logger(__name__)

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Hit:
    """Somebody found, and by what."""

    facts: Facts
    match: Match


@dataclass(frozen=True, slots=True)
class Step:
    """How far a source is with a search. ``seconds``: how long its answer took."""

    source: str
    state: Literal["asking", "done", "failed"] = "asking"
    found: int = 0
    total: int | None = None
    seconds: float = 0.0
    problem: Reason | None = None
    next: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """A search so far. ``hits``: ranked, at most the limit; ``more``: there are others."""

    query: Query
    hits: tuple[Hit, ...]
    steps: tuple[Step, ...]
    more: bool

    @property
    def complete(self) -> bool:
        """Whether nobody is asked any more."""
        return all(step.state != "asking" for step in self.steps)


@dataclass(slots=True)
class Health:
    """How a source is. ``until``: it is left alone till then (monotonic seconds)."""

    failures: int = 0
    until: float = 0.0
    problem: Reason | None = None
    answered: float = 0.0


@dataclass(slots=True)
class Search:
    """A search under way; ``records`` of each source, page by page."""

    query: Query
    records: dict[str, list[Record]] = field(default_factory=dict)
    steps: dict[str, Step] = field(default_factory=dict)


class Finder:
    """Asks sources on behalf of one person. ``near`` says what a person is to us; ``learned`` hears all records.

    ``told`` hears when a source began to fail, or answers again.
    """

    def __init__(
        self,
        cache: PeopleCache,
        near: Callable[[Facts], Nearness] = lambda _: STRANGER,
        learned: Callable[[Sequence[Record]], None] = lambda _: None,
        told: Callable[[str, Reason | None], None] = lambda _name, _why: None,
        pick: Callable[[], float] = random.random,
        search_seconds: float = SEARCH_SECONDS,
    ) -> None:
        self._cache = cache
        self._near = near
        self._learned = learned
        self._told = told
        self._pick = pick
        self._search_seconds = search_seconds
        self._sources: dict[str, ContactSource] = {}
        self._health: dict[str, Health] = {}
        self.region = ""
        self.hidden: frozenset[str] = frozenset()  # ids of people who are not shown among those found
        self.priority = PRIORITY

    @property
    def sources(self) -> Mapping[str, ContactSource]:
        """The sources that are asked, by name."""
        return self._sources

    def health(self, name: str) -> Health:
        """How a source is."""
        return self._health.setdefault(name, Health())

    def use(self, source: ContactSource) -> None:
        """Ask this source too, in place of one of that name."""
        self._sources[source.name] = source
        self._health[source.name] = Health()

    def drop(self, name: str) -> ContactSource | None:
        """Ask it no more; the caller closes it."""
        self._health.pop(name, None)
        return self._sources.pop(name, None)

    # --- searching

    def here(self, query: Query) -> Found:
        """What is known without asking anybody, and who is going to be asked."""
        search = Search(query)
        if query.text:
            self._mark(search, self._sources.values())
        return self._found(search)

    async def search(self, query: Query, *, pause: float = PAUSE_SECONDS) -> AsyncGenerator[Found, None]:
        """The search growing: the first step at once, the last is complete."""
        search = Search(query)
        async for found in self._grow(search, list(self._sources.values()), pause):
            yield found

    async def continued(self, search: Search, limit: int) -> AsyncGenerator[Found, None]:
        """Go on with a search: further pages of the sources that have some."""
        search.query = replace(search.query, limit=limit)
        wanting = [self._sources[name] for name, step in search.steps.items() if step.next and name in self._sources]
        async for found in self._grow(search, wanting, 0.0):
            yield found

    async def begin(self, search: Search, *, pause: float = PAUSE_SECONDS) -> AsyncGenerator[Found, None]:
        """Like ``search``, with what is needed to go on later in ``search``."""
        async for found in self._grow(search, list(self._sources.values()), pause):
            yield found

    async def _grow(self, search: Search, asked: list[ContactSource], pause: float) -> AsyncGenerator[Found, None]:
        if not search.query.text:
            yield self._found(search)
            return
        waiting = self._mark(search, asked)
        yield self._found(search)
        if not waiting:
            return
        if pause:
            await asyncio.sleep(pause)
        tasks = {asyncio.create_task(self._ask(source, search), name=f"search {source.name}") for source in waiting}
        try:
            while tasks:
                done, tasks = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
                yield self._found(search)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _mark(self, search: Search, asked: Iterable[ContactSource]) -> list[ContactSource]:
        """Note who is going to be asked and who rests after a failure; gives the former."""
        now, waiting = time.monotonic(), []
        for source in asked:
            before, health = search.steps.get(source.name, Step(source.name)), self.health(source.name)
            if health.until <= now:
                waiting.append(source)
                search.steps[source.name] = replace(before, state="asking", problem=None)
            else:
                search.steps[source.name] = replace(before, state="failed", problem=health.problem)
        return waiting

    async def _ask(self, source: ContactSource, search: Search) -> None:
        before, began = search.steps[source.name], time.monotonic()
        query = replace(search.query, cursor=before.next, limit=search.query.limit + len(self.hidden))
        page = await self._answer(source, source.search(query), self._search_seconds)
        seconds = time.monotonic() - began
        if isinstance(page, Reason):
            search.steps[source.name] = replace(before, state="failed", seconds=seconds, problem=page, next="")
            return
        rows = search.records.setdefault(source.name, [])
        rows += page.records
        search.steps[source.name] = Step(
            source.name, "done", len(rows), page.total, seconds, page.note, page.next if page.records else ""
        )
        self._learned(page.records)

    async def _answer(
        self, source: ContactSource, question: Coroutine[object, object, _T], seconds: float
    ) -> _T | Reason:
        """An answer within its time, or why there is none; the source's health is kept by it."""
        try:
            async with asyncio.timeout(seconds):
                answer = await question
        except SourceError as error:
            return self._failed(source, error.reason)
        except TimeoutError:
            return self._failed(
                source, Reason.of("contacts.source.timeout", server=source.server, seconds=round(seconds))
            )
        except Exception as error:  # a source must not take the others with it
            log.exception("contacts.source_failed", source=source.name)
            reason = Reason.of("engine.internal", work=source.name, kind=type(error).__name__)
            return self._failed(source, reason)
        health = self.health(source.name)
        if health.problem is not None:
            self._told(source.name, None)
        health.failures, health.until, health.problem, health.answered = 0, 0.0, None, time.time()
        return answer

    def _failed(self, source: ContactSource, reason: Reason) -> Reason:
        health = self.health(source.name)
        health.failures += 1
        health.until = time.monotonic() + next_wait(health.failures, self._pick(), REST).seconds
        health.problem = reason
        self._told(source.name, reason)
        return reason

    def hurry(self) -> None:
        """Ask everybody again, whoever failed."""
        for health in self._health.values():
            health.until = 0.0

    def _found(self, search: Search) -> Found:
        query = search.query
        records = [row for rows in search.records.values() for row in rows]
        fresh = merge(records, self.priority, self.region)
        places = {place for facts in fresh for place in facts.places}
        # A person of the cache whom a source just told of is known better now; both merged are one.
        known = self._cache.search(query)
        old = [row for facts in known for row in self._cache.records(facts.id) if (row.source, row.key) not in places]
        people = merge([*records, *old], self.priority, self.region) if old else fresh
        hits = []
        for facts in people:
            if facts.id in self.hidden:
                continue
            near = self._near(facts)
            found = match(query, facts, near, self.region)
            if found is None and any(place in places for place in facts.places):
                found = Match(7, "elsewhere")  # the source has its own idea of what fits
            if found is not None:
                hits.append((order(found, facts, near), Hit(facts, found)))
        hits.sort(key=lambda row: row[0])
        shown = tuple(hit for _, hit in hits[: query.limit])
        more = len(hits) > query.limit or any(step.next for step in search.steps.values())
        return Found(query, shown, tuple(search.steps.values()), more)

    # --- resolving

    async def resolve(self, wanted: Sequence[Wanted], *, seconds: float = RESOLVE_SECONDS) -> Mapping[Wanted, Facts]:
        """Who is behind addresses and numbers, by all sources; several people behind one are nobody.

        Sources that fail or take too long are left out; the cache is not looked at.
        """
        now = time.monotonic()
        ready = [source for source in self._sources.values() if self.health(source.name).until <= now]
        rows = list(dict.fromkeys(wanted))
        if not rows or not ready:
            return {}
        answers = await asyncio.gather(*(self._answer(one, one.resolve(rows), seconds) for one in ready))
        given = [answer for answer in answers if isinstance(answer, Answers)]
        self._learned([row for answer in given for found in answer.found.values() for row in found])
        result = {}
        for one in rows:
            people = merge([row for answer in given for row in answer.found.get(one, ())], self.priority, self.region)
            if len(people) == 1:
                result[one] = people[0]
        return result

    async def photo(self, facts: Facts, *, seconds: float = RESOLVE_SECONDS) -> tuple[bytes, str] | None:
        """A picture as a source gives it, and which; the first place that has one counts."""
        for place in facts.photos:
            source = self._sources.get(place.source)
            if source is None or self.health(place.source).until > time.monotonic():
                continue
            record = Record(
                source=place.source, key=place.key, at=facts.at, jid=facts.jid, user=facts.user, photo=place.reference
            )
            try:
                async with asyncio.timeout(seconds):
                    data = await source.photo(record)
            except (SourceError, TimeoutError):
                continue  # a missing picture is no news; searches and look-ups tell of a silent source
            if data:
                return data, place.source
        return None

    async def close(self) -> None:
        """Close all sources."""
        sources, self._sources = list(self._sources.values()), {}
        for source in sources:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(2.0):
                    await source.close()
