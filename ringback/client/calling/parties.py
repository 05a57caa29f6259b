"""Who is at the other end: a number or address, made into a person by what is known here and by the directory."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import msgspec

from ringback.client.contacts.directory import DirectoryError, Found
from ringback.client.contacts.numbers import digits, shown_number
from ringback.client.contacts.people import Facts, People
from ringback.client.host.wire_calls import Party
from ringback.client.messaging.stanzas import parse_jid
from ringback.rules.dial_rules import DialRule, look_up_number

_SHORTEST_TAIL = 4  # digits of an inner number that are enough to be the end of a colleague's number


class NumberSearch(Protocol):
    """Asks the directory about a number or name."""

    async def search(self, query: str, limit: int) -> Found:
        """People found. Raises DirectoryError."""


class Parties:
    """Makes parties. ``rules`` gives the look-up rules of now, ``directory`` the service where there is one."""

    def __init__(
        self,
        people: People,
        rules: Callable[[], Sequence[DialRule]],
        directory: Callable[[], NumberSearch | None],
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
        """Ask the directory about a party without a person; None where nothing new became known."""
        directory = self._directory()
        number = digits(party.number)
        if party.person or directory is None or not number:
            return None
        for query in dict.fromkeys((look_up_number(number, self._rules()).number, number)):
            with contextlib.suppress(DirectoryError):  # its silence is shown as the state of the service
                found = await directory.search(query, 2)
                matches = [row for row in found.people if _has_number(row, query)]
                if len(matches) == 1:
                    return msgspec.structs.replace(party, name=matches[0].name or party.name, person=matches[0].jid)
        return None

    def number_of(self, person: str) -> str:
        """The number of a person that is called first; empty where none is known."""
        facts = self._people.facts(person)
        return (facts.work or facts.mobile or facts.home) if facts is not None else ""

    def _person(self, number: str) -> str:
        if "@" in number:
            jid = parse_jid(number.partition(":")[0])
            known = str(jid.bare) if jid is not None else ""
            return known if known and known in self._people.known() else self._by_user(number)
        if not digits(number):
            return ""
        query = look_up_number(digits(number), self._rules()).number
        facts = [row for row in map(self._people.facts, self._people.known()) if row is not None]
        return _one(row.jid for row in facts if _has_number(row, query)) or _one(
            row.jid for row in facts if _ends_with(row, query)
        )

    def _by_user(self, address: str) -> str:
        """``number@host``, as call managers write callers."""
        user = address.partition("@")[0]
        return self._person(user) if digits(user) == user else ""


def _numbers(facts: Facts) -> list[str]:
    return [digits(one) for one in (facts.work, facts.mobile, facts.home) if one]


def _has_number(facts: Facts, number: str) -> bool:
    wanted = digits(number).lstrip("+")
    return any(one.lstrip("+") == wanted for one in _numbers(facts)) if wanted else False


def _ends_with(facts: Facts, number: str) -> bool:
    """Whether an inner number is the end of the number at work."""
    return len(number) >= _SHORTEST_TAIL and number.isdigit() and digits(facts.work).endswith(number)


def _one(found: Iterable[str]) -> str:
    rows = list(dict.fromkeys(found))
    return rows[0] if len(rows) == 1 else ""
