"""Which attributes a directory finds people by quickly: read where the directory tells, else measured.

Active Directory says it in its schema (``searchFlags``: bit 0 is an index, bit 5 one for texts in the middle; MS-ADTS
2.2.9). OpenLDAP says it in ``cn=config`` (``olcDbIndex``), where whoever asks may read that. Everywhere else a search
for a value that nobody has is timed: with an index the answer is there at once, without one every entry is read. That
shows only where there are enough entries; among few it is not known, and does not matter either.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from ringback.net.ldap.connection import LdapConnection
from ringback.net.ldap.errors import LdapRefusedError
from ringback.protocols.ldap.filters import any_of, equals, present, starts
from ringback.protocols.ldap.search import LdapSearch, RootDse

How = Literal["schema", "configuration", "measured"]

_INDEX: Final = 1
_TRIES: Final = 5
_SECONDS: Final = 10.0
_SLOW: Final = 2.0  # milliseconds more than the shortest search that a measured one without an index takes at least
_TIMES: Final = 6.0  # and so many times as long
_AT_ONCE: Final = 50
_STARTS: Final = frozenset({"sub", "subinitial"})
_WORDS: Final = re.compile(r"[\s,]+")


@dataclass(frozen=True, slots=True)
class IndexFinding:
    """``indexed`` None: it can't be told. ``milliseconds`` is a search for a start that nobody has, as people type;
    ``how`` it was found, ``kinds`` what the directory says that it has an index for."""

    attribute: str
    indexed: bool | None
    milliseconds: float
    how: How
    kinds: str = ""


async def look_at_indexes(
    connection: LdapConnection, base: str, attributes: Sequence[str], root: RootDse
) -> tuple[IndexFinding, ...]:
    """What can be told of each attribute. Raises LdapError."""
    told: dict[str, tuple[bool, str, How]] = {}
    if root.schema_context and root.is_active_directory:
        told = await _schema(connection, root.schema_context, attributes)
    if not told:
        told = await _configuration(connection, base, attributes)
    shortest = await _shortest(connection, base)
    found = []
    for attribute in dict.fromkeys(attributes):
        took = await _measure(connection, base, attribute)
        if attribute.lower() in told:
            indexed, kinds, how = told[attribute.lower()]
            found.append(IndexFinding(attribute, indexed, took, how, kinds))
        else:
            slow = took - shortest > _SLOW and took > shortest * _TIMES
            found.append(IndexFinding(attribute, False if slow else None, took, "measured"))
    return tuple(found)


async def _schema(
    connection: LdapConnection, context: str, attributes: Sequence[str]
) -> dict[str, tuple[bool, str, How]]:
    """Active Directory: the attributes' own entries."""
    wanted = any_of(*(equals("lDAPDisplayName", name) for name in attributes))
    try:
        found = await connection.find(
            LdapSearch(context, wanted, ("lDAPDisplayName", "searchFlags"), most=_AT_ONCE, seconds=_SECONDS)
        )
    except LdapRefusedError:
        return {}
    told: dict[str, tuple[bool, str, How]] = {}
    for entry in found.entries:
        text = entry.text("searchFlags")
        flags = int(text) if text.isascii() and text.isdigit() else 0
        told[entry.text("lDAPDisplayName").lower()] = bool(flags & _INDEX), f"searchFlags={flags}", "schema"
    return told


async def _configuration(
    connection: LdapConnection, base: str, attributes: Sequence[str]
) -> dict[str, tuple[bool, str, How]]:
    """OpenLDAP: the database that holds the base, where it may be read."""
    search = LdapSearch("cn=config", present("olcDbIndex"), ("olcDbIndex", "olcSuffix"), most=20, seconds=_SECONDS)
    try:
        entries = (await connection.find(search)).entries
    except LdapRefusedError:
        return {}
    kinds: dict[str, set[str]] = {}
    for entry in entries:
        if not any(_is_below(base, suffix) for suffix in entry.texts("olcSuffix")):
            continue
        for line in entry.texts("olcDbIndex"):
            names, _, words = line.strip().partition(" ")
            for name in names.split(","):
                kinds.setdefault(name.strip().lower(), set()).update(filter(None, _WORDS.split(words)))
    if not kinds:
        return {}
    usual = kinds.get("default", set())
    told: dict[str, tuple[bool, str, How]] = {}
    for name in attributes:
        has = (kinds[name.lower()] or usual) if name.lower() in kinds else set()
        told[name.lower()] = bool(has & _STARTS), ",".join(sorted(has)), "configuration"
    return told


def _is_below(base: str, suffix: str) -> bool:
    plain, end = (re.sub(r"\s*([,=])\s*", r"\1", text).lower() for text in (base, suffix))
    return plain == end or plain.endswith(f",{end}")


async def _shortest(connection: LdapConnection, base: str) -> float:
    """Milliseconds of a question that reads one entry."""
    return await _timed(connection, [LdapSearch(base, present("objectClass"), ("1.1",), scope="base")] * _TRIES)


async def _measure(connection: LdapConnection, base: str, attribute: str) -> float:
    """Milliseconds of a search for a start that nobody has."""
    values = (secrets.token_hex(5) for _ in range(_TRIES))
    searches = [
        LdapSearch(base, starts(attribute, f"zq{value}"), ("1.1",), most=1, seconds=_SECONDS) for value in values
    ]
    return await _timed(connection, searches)


async def _timed(connection: LdapConnection, searches: Iterable[LdapSearch]) -> float:
    """The shortest counts: a busy network or machine only ever adds to what a directory has to do."""
    took = []
    for search in searches:
        began = time.perf_counter()
        await connection.find(search)
        took.append((time.perf_counter() - began) * 1000)
    return min(took)
