"""What directories said lately: records of people, merged as they come, kept for a day and never too many.

A pure core: time is an argument (seconds since 1970) and the store is somebody else's. After its life a record is due:
of people who are shown (``pinned``: contacts, partners of chats and calls) it is kept until a newer one came, so that
names stand when no directory answers; of everybody else it is forgotten. Records made by hand have no end.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ringback.client.contacts.facts import Facts
from ringback.client.contacts.index import PeopleIndex
from ringback.client.contacts.merge import merge
from ringback.client.contacts.sources.base import By, Query, Record, Wanted

LIFE = 24 * 3600.0  # seconds; planning guide, "Contact Caching"
MOST = 3000  # people: what is read at the next start must not be felt
CUSTOM = "custom"  # the source of contacts made by hand
PRIORITY = (CUSTOM, "account", "ldap", "uds", "custom-directory", "cloud")
"""Whose word counts first (chosen); address books of the computer follow."""

_Place = tuple[str, str]  # source and key of a record


@dataclass(frozen=True, slots=True)
class Change:
    """What became of the people: those new or changed, and ids that are no more (gone, or another id now)."""

    put: tuple[Facts, ...] = ()
    gone: tuple[str, ...] = ()


class PeopleCache:
    """The records and the people whom they describe. ``priority``: sources whose word counts first."""

    def __init__(
        self, priority: Sequence[str] = PRIORITY, region: str = "", life: float = LIFE, most: int = MOST
    ) -> None:
        self._priority = _priority(priority)
        self._region = region
        self._life = life
        self._most = most
        self._records: dict[str, dict[_Place, Record]] = {}  # by the id of the person
        self._owners: dict[_Place, str] = {}
        self._people = PeopleIndex(region=region)

    def __len__(self) -> int:
        return len(self._people)

    def get(self, person_id: str) -> Facts | None:
        """Somebody by id."""
        return self._people.get(person_id)

    def holder(self, source: str, key: str) -> Facts | None:
        """Who is made of this record, among others."""
        owner = self._owners.get((source, key))
        return self._people.get(owner) if owner is not None else None

    def everybody(self) -> list[Facts]:
        """All who are known."""
        return list(self._people)

    def records(self, person_id: str) -> list[Record]:
        """The records of which a person is made, for the store."""
        return list(self._records.get(person_id, {}).values())

    def search(self, query: Query) -> list[Facts]:
        """Who may fit what was typed, not ranked."""
        return self._people.search(query)

    def resolve(self, wanted: Wanted) -> list[Facts]:
        """Who has this address or number."""
        return self._people.resolve(wanted)

    def configure(self, priority: Sequence[str], region: str) -> None:
        """Other sources are asked from now on, or numbers are read in another country."""
        if (_priority(priority), region) == (self._priority, self._region):
            return
        rows = [record for records in self._records.values() for record in records.values()]
        self._priority = _priority(priority)
        self._region = region
        self._records, self._owners = {}, {}
        self._take_all(rows)

    def load(self, records: Iterable[Record]) -> None:
        """Begin with what the store kept."""
        self._take_all(records)

    def _take_all(self, records: Iterable[Record]) -> None:
        rows = list(records)
        facts = merge(rows, self._priority, self._region)
        by_place = {(record.source, record.key): record for record in rows}
        self._people = PeopleIndex(facts, self._region)
        for one in facts:
            self._note(one, by_place)

    def take(self, records: Iterable[Record]) -> Change:
        """Take over what a source said; a record of the same source and key replaces the older one."""
        new = {(record.source, record.key): record for record in records}
        if not new:
            return Change()
        known = self._about(new.values())
        touched = {owner for place in (*new, *known) if (owner := self._owners.get(place)) is not None}
        before = {name: self._people.get(name) for name in touched}
        for name in touched:
            self._drop(name)
        rows = [*{**known, **new}.values()]
        merged = merge(rows, self._priority, self._region)
        put: list[Facts] = []
        by_place = {(record.source, record.key): record for record in rows}
        for facts in merged:
            self._people.put(facts)
            self._note(facts, by_place)
            if before.get(facts.id) != facts:
                put.append(facts)
        return Change(tuple(put), tuple(name for name in touched if name not in self._records))

    def _about(self, records: Iterable[Record]) -> dict[_Place, Record]:
        """All records that could be of the same people as these: whoever shares an address or a number with one of
        them, and with those again, since a new record can join or part others."""
        found: dict[_Place, Record] = {}
        seen: set[str] = set()
        waiting = list(records)
        while waiting:
            record = waiting.pop()
            owner = self._owners.get((record.source, record.key))
            sharing = {facts.id for wanted in _ways(record) for facts in self._people.resolve(wanted)}
            for name in (sharing | {owner} if owner is not None else sharing) - seen:
                seen.add(name)
                found.update(self._records[name])
                waiting.extend(self._records[name].values())
        return found

    def forget(self, source: str, key: str) -> Change:
        """A record is no more (a contact made by hand was deleted, a file lost it)."""
        owner = self._owners.get((source, key))
        if owner is None:
            return Change()
        rest = [record for place, record in self._records[owner].items() if place != (source, key)]
        self._drop(owner)
        change = self.take(rest)
        gone = () if owner in self._records else (owner,)
        return Change(change.put, gone)

    def due(self, person_id: str, now: float) -> bool:
        """Whether a directory should be asked about somebody: nothing is known, or for too long."""
        records = self._records.get(person_id, {}).values()
        told = [record.at for record in records if record.source != CUSTOM]
        return not told or now - max(told) >= self._life

    def prune(self, now: float, pinned: Container[str]) -> Change:
        """Forget what is too old or too much, but for those who are shown."""
        gone: list[str] = []
        put: list[Facts] = []
        for name in list(self._records):
            if name in pinned:
                continue
            rows = self._records[name]
            fresh = [row for row in rows.values() if row.source == CUSTOM or now - row.at < self._life]
            if len(fresh) < len(rows):
                self._drop(name)
                put += self.take(fresh).put
                if name not in self._records:
                    gone.append(name)
        over = len(self._people) - self._most
        if over > 0:
            oldest = sorted((facts.at, facts.id) for facts in self._people if self._may_go(facts, pinned))
            for _, name in oldest[:over]:
                self._drop(name)
                gone.append(name)
        return Change(tuple(one for one in put if one.id in self._records), tuple(gone))

    def _may_go(self, facts: Facts, pinned: Container[str]) -> bool:
        return facts.id not in pinned and CUSTOM not in facts.sources

    def _note(self, facts: Facts, by_place: Mapping[_Place, Record]) -> None:
        self._records[facts.id] = {place: by_place[place] for place in facts.places}
        self._owners.update(dict.fromkeys(facts.places, facts.id))

    def _drop(self, person_id: str) -> None:
        for place in self._records.pop(person_id, {}):
            self._owners.pop(place, None)
        self._people.remove(person_id)


def _priority(sources: Sequence[str]) -> tuple[str, ...]:
    return (CUSTOM, *(name for name in sources if name != CUSTOM))  # what was made by hand was meant so


def _ways(record: Record) -> list[Wanted]:
    """All by which another record may be the same person's."""
    ways = [Wanted(By.MAIL, mail) for mail in record.mails]
    ways += [Wanted(By.NUMBER, phone.value) for phone in record.phones]
    return [*ways, Wanted(By.JID, record.jid)] if record.jid else ways
