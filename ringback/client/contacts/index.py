"""People in memory, found by the beginnings of words and by digits without looking at each of them.

Words lie sorted, so that those with a beginning are one slice (bisection); the rarest word of a query is looked up, the
others are checked on who was found. Made for a quarter of a million people: a question takes milliseconds.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator

from ringback.client.contacts.facts import Facts
from ringback.client.contacts.numbers import number_key, typed_keys
from ringback.client.contacts.ranking import NUMBER_SHORTEST, words_of
from ringback.client.contacts.sources.base import By, Query, Wanted
from ringback.rules import name_search
from ringback.rules.name_search import fold

MOST = 500  # people of one answer; more are a sign that too little was typed
_LAST = "\U0010ffff"


class PeopleIndex:
    """Holds people by id. ``region``: ISO 3166 code in which national numbers are read."""

    def __init__(self, people: Iterable[Facts] = (), region: str = "") -> None:
        self._region = region
        self._people: dict[str, Facts] = {}
        self._words: list[tuple[str, str]] = []
        self._addresses: dict[str, dict[str, None]] = {}
        self._numbers: dict[str, dict[str, None]] = {}
        self._digits = ""  # all keys of the numbers as one text, in which a part is found at once; empty: make it anew
        words: set[tuple[str, str]] = set()
        for facts in people:
            self._people[facts.id] = facts
        for facts in self._people.values():
            words.update((word, facts.id) for word in _words(facts))
            self._note(facts)
        self._words = sorted(words)

    def __len__(self) -> int:
        return len(self._people)

    def __iter__(self) -> Iterator[Facts]:
        return iter(self._people.values())

    def get(self, person_id: str) -> Facts | None:
        """Somebody by id."""
        return self._people.get(person_id)

    def put(self, facts: Facts) -> None:
        """Take somebody in, in place of what was known."""
        self.remove(facts.id)
        self._people[facts.id] = facts
        for word in _words(facts):
            insort(self._words, (word, facts.id))
        self._note(facts)

    def remove(self, person_id: str) -> None:
        """Forget somebody."""
        facts = self._people.pop(person_id, None)
        if facts is None:
            return
        self._digits = ""
        for word in _words(facts):
            place = bisect_left(self._words, (word, person_id))
            if place < len(self._words) and self._words[place] == (word, person_id):
                del self._words[place]
        for table, keys in ((self._addresses, _addresses(facts)), (self._numbers, self._number_keys(facts))):
            for key in keys:
                holders = table.get(key, {})
                holders.pop(person_id, None)
                if not holders:
                    table.pop(key, None)

    def search(self, query: Query, most: int = MOST) -> list[Facts]:
        """Who may fit, at most so many, not ranked: everybody for whom each word begins a word, and who has such a
        number."""
        found: dict[str, None] = {}
        typed = name_search.digits(query.digits)
        if len(typed) >= NUMBER_SHORTEST:
            for part in typed_keys(query.digits, self._region):
                for key in self._having(part):
                    found.update(self._numbers[key])
                    if len(found) >= most:
                        break
        if query.words and len(found) < most:
            found.update(dict.fromkeys(self._by_words(query.words, most - len(found))))
        return [self._people[name] for name in found][:most]

    def resolve(self, wanted: Wanted) -> list[Facts]:
        """Who has this address or number."""
        if wanted.by is By.NUMBER:
            holders = self._numbers.get(number_key(wanted.value, self._region), {})
        else:
            holders = self._addresses.get(f"{wanted.by}:{fold(wanted.value)}", {})
        return [self._people[name] for name in holders]

    def _having(self, part: str) -> Iterator[str]:
        """The keys of numbers in which some digits are."""
        if not self._digits:
            self._digits = "\n".join(("", *self._numbers, ""))
        text, place = self._digits, self._digits.find(part)
        while place >= 0:
            begin, end = text.rfind("\n", 0, place) + 1, text.find("\n", place)
            yield text[begin:end]
            place = text.find(part, end)

    def _by_words(self, words: tuple[str, ...], most: int) -> Iterator[str]:
        slices = [
            (bisect_left(self._words, (word, "")), bisect_left(self._words, (word + _LAST, ""))) for word in words
        ]
        first, end = min(slices, key=lambda one: one[1] - one[0])
        seen: set[str] = set()
        for _, name in self._words[first:end]:
            if name in seen:
                continue
            seen.add(name)
            if len(words) == 1 or _begin(words, _words(self._people[name])):
                yield name
                most -= 1
                if most <= 0:
                    return

    def _note(self, facts: Facts) -> None:
        self._digits = ""
        for key in _addresses(facts):
            self._addresses.setdefault(key, {})[facts.id] = None
        for key in self._number_keys(facts):
            self._numbers.setdefault(key, {})[facts.id] = None

    def _number_keys(self, facts: Facts) -> set[str]:
        keys = {key for phone in facts.phones if (key := number_key(phone.value, self._region))}
        # As written too: who types 030 5550 100 must find +49 30 5550100 and the other way round.
        return keys | {bare for phone in facts.phones if (bare := name_search.digits(phone.value))}


def _words(facts: Facts) -> set[str]:
    return set(
        words_of(
            facts.name, facts.first, facts.last, facts.nickname, facts.title, facts.department, facts.company,
            facts.location, facts.jid, facts.user, facts.sip_uri, *facts.mails,
        )
    )  # fmt: skip


def _addresses(facts: Facts) -> set[str]:
    keys = {f"{By.JID}:{fold(facts.id)}"}
    if facts.jid:
        keys |= {f"{By.JID}:{fold(facts.jid)}", f"{By.URI}:{fold(facts.jid)}"}
    if facts.sip_uri:
        keys.add(f"{By.URI}:{fold(facts.sip_uri)}")
    if facts.user:
        keys.add(f"{By.USER}:{fold(facts.user)}")
    return keys | {f"{By.MAIL}:{fold(mail)}" for mail in facts.mails}


def _begin(wanted: tuple[str, ...], words: set[str]) -> bool:
    return all(any(word.startswith(one) for word in words) for one in wanted)
