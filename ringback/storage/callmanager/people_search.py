"""A search for people as statements that stay quick however many fit.

A number that few have is looked up first, and its people then. One that many have, such as the digits that all numbers
of a company begin with, is the other way round: people are walked in the order of the answer until the page is full,
and counted in one walk of the numbers' index, since of each person only one row of a range has its predecessor outside.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, union
from sqlalchemy.ext.asyncio import AsyncConnection

from ringback.rules.name_search import NameField, alternatives, fold
from ringback.rules.number_search import spellings
from ringback.storage.callmanager.records import Criteria
from ringback.storage.callmanager.tables import numbers, people

_AFTER_ALL: Final = "\U0010ffff"
_FEW: Final = 2000  # people; up to so many are looked up by their numbers
_NAME_COLUMNS: Final = {
    NameField.FIRST: people.c.by_first,
    NameField.LAST: people.c.by_last,
    NameField.EMAIL: people.c.by_email,
}


def starts(column: ColumnElement[str], text: str) -> ColumnElement[bool]:
    """Starts-with, as a range of the column's index."""
    return and_(column >= text, column < text + _AFTER_ALL)


@dataclass(frozen=True, slots=True)
class _Range:
    """Numbers with a common start (or end, read backwards)."""

    column: ColumnElement[str]
    previous: ColumnElement[str]
    text: str

    @property
    def condition(self) -> ColumnElement[bool]:
        return starts(self.column, self.text)

    @property
    def users(self) -> Select[str]:
        return select(numbers.c.user).where(self.condition)


def name_conditions(criteria: Criteria) -> list[ColumnElement[bool]]:
    """Everything but the number."""
    found = []
    ways = [
        and_(*(starts(_NAME_COLUMNS[field], text) for field, text in way.starts)) for way in alternatives(criteria.name)
    ]
    if ways:
        found.append(or_(*ways))
    for column, text in (
        (people.c.by_first, criteria.first),
        (people.c.by_last, criteria.last),
        (people.c.by_display, criteria.display_name),
        (people.c.user, criteria.user_name),
        (people.c.by_email, criteria.email),
    ):
        if folded := fold(text):
            found.append(starts(column, folded))
    if uri := fold(criteria.uri):
        found.append(people.c.by_uri == uri)
    return found


@dataclass(frozen=True, slots=True)
class Found:
    """The condition that people meet, and how many do where that was found on the way (None: count them)."""

    conditions: tuple[ColumnElement[bool], ...]
    total: int | None = None


async def conditions(
    connection: AsyncConnection, criteria: Criteria, digits_to_match: int, country: str, outside_prefix: str
) -> Found:
    """How to look for people, which depends on how many have the number."""
    named = name_conditions(criteria)
    if not criteria.number:
        return Found(tuple(named))
    wanted = spellings(criteria.number, country, outside_prefix, digits_to_match)
    ranges = [_Range(numbers.c.digits, numbers.c.previous, text) for text in _shortest(wanted.starts)]
    backwards = _shortest(end[::-1] for end in wanted.ends)
    ranges += [_Range(numbers.c.reversed, numbers.c.previous_reversed, text) for text in backwards]
    if not ranges:  # something was asked, but there is no digit in it: nobody has that number
        return Found((people.c.user.in_([]),), 0)
    few: set[str] = set()
    wide: list[_Range] = []
    for one in ranges:
        rows: list[str] = [row[0] for row in await connection.execute(one.users.limit(_FEW + 1))]
        if len(rows) > _FEW:
            wide.append(one)
        else:
            few.update(rows)
    if not wide and len(few) <= _FEW:
        users = people.c.user.in_(sorted(few))
        return Found((*named, users), None if named else len(few))
    any_range = or_(*(one.condition for one in ranges))
    has = select(numbers.c.user).where(numbers.c.user == people.c.user, any_range).exists()
    return Found((*named, has), None if named else await _count(connection, wide, few))


async def _count(connection: AsyncConnection, wide: Sequence[_Range], few: set[str]) -> int:
    """How many people have a number in one of the ranges; ``few`` are those of the narrow ones."""
    if len(wide) != 1:
        every: Any = union(*(one.users for one in wide)) if wide else None
        rows = set(await connection.scalars(every)) if every is not None else set()
        return len(rows | few)
    only = wide[0]
    counted = select(func.count()).select_from(numbers).where(only.condition, only.previous < only.text)
    total = int((await connection.execute(counted)).scalar_one())
    if not few:
        return total
    both = only.users.where(numbers.c.user.in_(sorted(few))).distinct()
    return total + len(few) - len((await connection.scalars(both)).all())


def _shortest(texts: Iterable[str]) -> list[str]:
    """Those that no other one of them begins."""
    found: list[str] = []
    for text in sorted(set(texts)):
        if not any(text.startswith(one) for one in found):
            found.append(text)
    return found
