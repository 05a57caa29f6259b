"""Who is at the other end: a number or address, made into a person by what is known here and by the directories."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

import msgspec

from ringback.client.contacts.facts import Facts
from ringback.client.contacts.numbers import digits, shown_number
from ringback.client.contacts.people import People
from ringback.client.contacts.sources.base import By, Kind, Query, Wanted
from ringback.client.host.wire_calls import Party
from ringback.client.messaging.stanzas import parse_jid
from ringback.rules.dial_rules import DialRule, look_up_number

_SHORTEST_TAIL = 4  # digits of an inner number that are enough to be the end of a colleague's number


class Resolver(Protocol):
    """Asks the directories who is behind addresses and numbers; their silence is no error here."""

    async def resolve(self, wanted: Sequence[Wanted]) -> Mapping[Wanted, Facts]:
        """Those who are known now."""


class Parties:
    """Makes parties. ``rules`` gives the look-up rules of now, ``directory`` whom to ask where there is anybody."""

    def __init__(
        self,
        people: People,
        rules: Callable[[], Sequence[DialRule]],
        directory: Callable[[], Resolver | None],
    ) -> None:
        self._people = people
        self._rules = rules
        self._directory = directory

    def of(self, number: str, name: str = "", *, emergency: bool = False) -> Party:
        """The party of a number or of an address without its scheme. ``name``: what the other side calls itself."""
        person = self._person(number)
        facts = self._people.facts(person) if person else None
        return Party(
            number=number,
            shown=shown_number(number),
            name=self._people.name(person) if person else name,
            uri=f"sip:{number}" if "@" in number else "",
            person=person if facts is not None or person in self._people.ids() else "",
            emergency=emergency,
        )

    async def learn(self, party: Party) -> Party | None:
        """Ask the directories about a party without a person; None where nothing new became known."""
        directory = self._directory()
        if party.person or directory is None:
            return None
        wanted = self.wanted(party.number)
        known = await directory.resolve(wanted)
        for one in wanted:
            if (facts := known.get(one)) is not None:
                person = self._people.id_of(facts)
                return msgspec.structs.replace(party, name=self._people.name(person) or party.name, person=person)
        return None

    def wanted(self, number: str) -> list[Wanted]:
        """By what to look for a number (after the look-up rules, then as it is) or for an address."""
        user, at, _ = number.partition("@")
        if at and digits(user) != user:
            return [Wanted(By.URI, number)]
        plain = digits(user)
        looked_up = look_up_number(plain, self._rules()).number if plain else ""
        return [Wanted(By.NUMBER, one) for one in dict.fromkeys((looked_up, plain)) if one]

    def number_of(self, person: str) -> str:
        """The number of a person that is called first; empty where none is known."""
        facts = self._people.facts(person)
        return facts.first_number if facts is not None else ""

    def _person(self, number: str) -> str:
        if "@" in number:
            jid = parse_jid(number.partition(":")[0])
            known = str(jid.bare) if jid is not None else ""
            if known and self._people.known(known):
                return known
            return self._one(self._people.cache.resolve(Wanted(By.URI, number))) or self._by_user(number)
        if not digits(number):
            return ""
        for wanted in self.wanted(number):
            if found := self._one(self._people.cache.resolve(wanted)):
                return found
        query = look_up_number(digits(number), self._rules()).number
        return self._one(facts for facts in self._people.cache.search(Query.of(query)) if _ends_with(facts, query))

    def _by_user(self, address: str) -> str:
        """``number@host``, as call managers write callers."""
        user = address.partition("@")[0]
        return self._person(user) if digits(user) == user else ""

    def _one(self, found: Iterable[Facts]) -> str:
        """The id of the only one; several are nobody."""
        rows = list(dict.fromkeys(map(self._people.id_of, found)))
        return rows[0] if len(rows) == 1 else ""


def _ends_with(facts: Facts, number: str) -> bool:
    """Whether an inner number is the end of the number at work."""
    return len(number) >= _SHORTEST_TAIL and number.isdigit() and digits(facts.phone(Kind.WORK)).endswith(number)
