"""Going on where a directory points to (RFC 4511 sections 4.1.10 and 4.5.3), within bounds.

Only where the configuration says so (UseLdapReferral). A server that is pointed to is reached as any other: with TLS
and a certificate that passes, before credentials or anything else is sent; an address without TLS means StartTLS. No
place is asked twice, chains end after a few servers, and a place that fails is told, not raised: what was found stands.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final

from ringback.net.ldap.errors import LdapError
from ringback.protocols.ldap import names
from ringback.protocols.ldap.errors import LdapFormatError
from ringback.protocols.ldap.filters import parse_filter
from ringback.protocols.ldap.search import Found, LdapEntry, LdapSearch
from ringback.protocols.ldap.urls import LdapUrl
from ringback.rules.reasons import Reason

_DEEPEST: Final = 4
_MOST: Final = 12  # places for one search
_BESIDE = ("dc=domaindnszones,", "dc=forestdnszones,", "cn=configuration,", "cn=schema,")
"""Parts of Active Directory that every search from the top points to, in which there are no people."""


@dataclass(frozen=True, slots=True)
class Place:
    """A server that is pointed to."""

    host: str
    port: int
    secure: bool


@dataclass(frozen=True, slots=True)
class Chased:
    """All that was found, and what of the places failed or was not asked, with the reasons."""

    found: Found
    notes: tuple[Reason, ...] = ()


async def chase(first: Found, search: LdapSearch, ask: Callable[[Place, LdapSearch], Awaitable[Found]]) -> Chased:
    """Follow what a first answer points to. ``ask`` may raise LdapError."""
    entries: dict[str, LdapEntry] = {names.normal(entry.name): entry for entry in first.entries}
    notes: list[Reason] = []
    asked: set[tuple[Place, str, str]] = set()
    code = first.code
    waiting = [(text, search, 1) for text in first.references]
    while waiting:
        text, about, depth = waiting.pop(0)
        try:
            place, on = _next(text, about)
        except LdapFormatError as error:
            notes.append(Reason.of("ldap.source.reference", server=text[:120], why=error))
            continue
        mark = (place, names.normal(on.base), on.scope)
        if mark in asked or names.normal(on.base).startswith(_BESIDE):
            continue
        if depth > _DEEPEST or len(asked) >= _MOST:
            notes.append(Reason.of("ldap.source.reference", server=place.host, why="too many servers point on"))
            continue
        asked.add(mark)
        try:
            found = await ask(place, on)
        except LdapError as error:
            notes.append(Reason.of("ldap.source.reference", server=place.host, why=error))
            continue
        entries.update((names.normal(entry.name), entry) for entry in found.entries)
        code = code if found.code in (0, 10) else found.code
        waiting.extend((each, on, depth + 1) for each in found.references)
    kept = tuple(entries.values())
    if search.most:
        kept = kept[: search.most]
    code = 0 if code == 10 and not notes else code
    return Chased(Found(kept, complete=code == 0 and not notes and len(kept) == len(entries), code=code), tuple(notes))


def _next(text: str, search: LdapSearch) -> tuple[Place, LdapSearch]:
    """Where to go on and with what: the address counts where it says something, the search else."""
    url = LdapUrl.parse(text)
    if not url.host:
        raise LdapFormatError("it names no server")
    wanted = parse_filter(url.filter) if url.filter else None
    return Place(url.host.lower(), url.port, url.secure), replace(
        search,
        base=url.base if url.base is not None else search.base,
        scope=url.scope or search.scope,
        filter=wanted or search.filter,
    )
