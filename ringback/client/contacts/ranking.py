"""In which order found people are shown, and by what each was found: pure, a total order.

First how well the typed text fits (a whole name before the beginning of one, a name before a department), then how near
the person is to us (favourites, own contacts, whom we last had to do with), then names as they sort, then ids.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from ringback.client.contacts.facts import Facts
from ringback.client.contacts.numbers import number_key, typed_keys
from ringback.client.contacts.sources.base import Phone, Query
from ringback.rules import name_search

Matched = Literal["name", "nickname", "number", "mail", "address", "title", "department", "company", "elsewhere"]
_APART = str.maketrans("@.-_", "    ")
NUMBER_SHORTEST = 2  # digits; one alone is in nearly every number


@dataclass(frozen=True, slots=True)
class Nearness:
    """What a person is to us. ``nickname``: the name given here; ``last``: the last exchange, seconds since 1970."""

    nickname: str = ""
    favourite: bool = False
    contact: bool = False
    available: bool = False
    last: float = 0.0


fold = lru_cache(maxsize=65536)(name_search.fold)
STRANGER = Nearness()


@dataclass(frozen=True, slots=True)
class Match:
    """How a text fits a person: ``grade`` 0 is best. ``value``: the number, mail or address that fits, else empty."""

    grade: int
    matched: Matched
    value: str = ""


Order = tuple[int, int, float, int, str, str]


def match(query: Query, facts: Facts, nearness: Nearness = STRANGER, region: str = "") -> Match | None:
    """How what was typed fits a person; None: not visibly."""
    found = _number(query, facts, region) if len(name_search.digits(query.digits)) >= NUMBER_SHORTEST else None
    return found or (_text(query, facts, nearness) if query.words else None)


def order(found: Match, facts: Facts, nearness: Nearness = STRANGER) -> Order:
    """The key to sort by; no two people have the same."""
    near = 0 if nearness.favourite else (1 if nearness.contact else 2)
    name = fold(nearness.nickname or facts.name)
    return found.grade, near, -nearness.last, 0 if nearness.available else 1, name, facts.id


def words_of(*texts: str) -> list[str]:
    """The folded words of texts, with addresses and hyphened names taken apart as well as whole."""
    return [word for text in texts if text for word in _words(text)]


@lru_cache(maxsize=65536)
def _words(text: str) -> tuple[str, ...]:
    words: list[str] = []
    for word in fold(text).split():
        words.append(word)
        parts = word.translate(_APART).split()
        if len(parts) > 1:
            words += parts
    return tuple(words)


def _number(query: Query, facts: Facts, region: str) -> Match | None:
    wanted, typed = number_key(query.digits, region), typed_keys(query.digits, region)
    best: Match | None = None
    for phone in facts.phones:
        grade = _number_grade(phone, wanted, typed, region)
        if grade is not None and (best is None or grade < best.grade):
            best = Match(grade, "number", phone.value)
    return best


def _number_grade(phone: Phone, wanted: str, typed: tuple[str, ...], region: str) -> int | None:
    key, bare = number_key(phone.value, region), name_search.digits(phone.value)
    if key == wanted:
        return 0
    if key.endswith(typed) or bare.endswith(typed):
        return 2
    if key.startswith(typed) or bare.startswith(typed):
        return 3
    return 4 if any(one in key or one in bare for one in typed) else None


def _text(query: Query, facts: Facts, nearness: Nearness) -> Match | None:
    name, own = fold(facts.name), fold(nearness.nickname)
    whole = " ".join(query.words)
    full = fold(f"{facts.first} {facts.last}")
    turned = fold(f"{facts.last} {facts.first}")
    names = [one for one in (name, full, turned, own, fold(facts.nickname)) if one]
    by_own: Matched = "nickname" if own and whole in own and whole not in name else "name"
    if whole in names:
        return Match(0, by_own)
    if any(one.startswith(whole) for one in names):
        return Match(1, by_own)
    words = words_of(facts.name, facts.first, facts.last, facts.nickname, nearness.nickname)
    if _in_order(query.words, words):
        return Match(2, by_own)
    if _all_begin(query.words, words):
        return Match(3, by_own)
    return _elsewhere(query, facts, words)


def _elsewhere(query: Query, facts: Facts, words: list[str]) -> Match | None:
    places: tuple[tuple[Matched, tuple[str, ...]], ...] = (
        ("mail", facts.mails),
        ("address", tuple(one for one in (facts.jid, facts.sip_uri, facts.user) if one)),
    )
    for matched, values in places:
        value = next((one for one in values if _all_begin(query.words, words_of(one))), "")
        if value:
            return Match(4, matched, value)
    # Words may be spread: "ada berlin" is Ada of the office in Berlin.
    for matched, text in (("title", facts.title), ("department", facts.department), ("company", facts.company)):
        if text and _all_begin(query.words, [*words, *words_of(text)]):
            return Match(5, matched)
    everything = words_of(*facts.mails, facts.jid, facts.user, facts.title, facts.department, facts.company)
    return Match(6, "elsewhere") if _all_begin(query.words, [*words, *everything, *words_of(facts.location)]) else None


def _all_begin(wanted: tuple[str, ...], words: list[str]) -> bool:
    return all(any(word.startswith(one) for word in words) for one in wanted)


def _in_order(wanted: tuple[str, ...], words: list[str]) -> bool:
    place = 0
    for one in wanted:
        place = next((at + 1 for at in range(place, len(words)) if words[at].startswith(one)), -1)
        if place < 0:
            return False
    return True
