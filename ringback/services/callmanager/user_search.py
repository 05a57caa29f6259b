"""Where a search of the user data service looks: in the cluster's tables, or, where set so, in the directory itself.

The directory answers for everybody whom it has, the cluster's own people or not, so that a search reaches more people
than a cluster could hold. It knows no offsets: as many entries are looked at as the limit of a question allows, put in
the usual order, and the page cut out. Where the directory does not answer in time, the tables do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace

import structlog
from sansldap import LDAPFilter

from ringback.net.ldap.connection import LdapConnection
from ringback.net.ldap.errors import LdapError
from ringback.net.ldap.servers import LdapServers, LdapServersSettings
from ringback.net.tls import client_context
from ringback.protocols.ldap.filters import all_of, any_of, ends, equals, parse_filter, spread, starts
from ringback.protocols.ldap.numbers import beginnings, notations
from ringback.protocols.ldap.search import LdapEntry, LdapSearch
from ringback.rules.name_search import digits, fold
from ringback.rules.number_search import spellings
from ringback.rules.tls_modes import USUAL, TlsMode
from ringback.services.callmanager.settings import SearchPolicy
from ringback.services.callmanager.synchronisation.agreement import DirectorySearch
from ringback.services.callmanager.synchronisation.decide import person_of
from ringback.services.callmanager.synchronisation.reading import attributes_of, entry_of
from ringback.storage.callmanager.records import Criteria, PersonRow, key_of
from ringback.storage.callmanager.store import Store

_NUMBERS = ("phone_number", "mobile_number", "home_number")
_WORDS = 3

_log = structlog.get_logger("ringback.callmanager.user_search")


class UserSearch:
    """Finds people. Make it with ``open``."""

    def __init__(
        self, store: Store, policy: SearchPolicy, country: str, outside_prefix: str, lookup: DirectoryLookup | None
    ) -> None:
        """``country`` and ``outside_prefix`` are those of the dial plan."""
        self._store = store
        self._policy = policy
        self._country = country
        self._outside_prefix = outside_prefix
        self._lookup = lookup

    @classmethod
    async def open(
        cls,
        stack: AsyncExitStack,
        store: Store,
        policy: SearchPolicy,
        *,
        country: str = "",
        outside_prefix: str = "",
        directory: DirectorySearch | None = None,
        mode: TlsMode = USUAL,
    ) -> UserSearch:
        """Ready to look. Raises OSError or ssl.SSLError where authorities can't be read, LdapSettingsError."""
        lookup = None
        if directory is not None:
            lookup = DirectoryLookup.open(stack, directory, country, outside_prefix, policy.digits_to_match, mode)
        return cls(store, policy, country, outside_prefix, lookup)

    async def find(self, criteria: Criteria, start: int, limit: int) -> tuple[list[PersonRow], int]:
        """A page of people by last and first name, and how many there are in all as far as is known."""
        if self._lookup is not None and criteria != Criteria():
            try:
                return await self._lookup.find(criteria, start, limit)
            except (LdapError, TimeoutError) as error:
                _log.warning("the directory does not answer a search; the cluster's tables do", why=str(error))
        return await self._store.find(
            criteria,
            start=start,
            limit=limit,
            digits_to_match=self._policy.digits_to_match,
            country=self._country,
            outside_prefix=self._outside_prefix,
        )


class DirectoryLookup:
    """Asks the directory."""

    def __init__(
        self,
        settings: DirectorySearch,
        servers: LdapServers,
        country: str,
        outside_prefix: str,
        digits_to_match: int,
    ) -> None:
        """Raises LdapFormatError for a filter that can't be read."""
        self._settings = settings
        self._servers = servers
        self._country = country
        self._outside_prefix = outside_prefix
        self._digits_to_match = digits_to_match
        self._people = parse_filter(settings.filter or settings.agreement.wanted)

    @classmethod
    def open(
        cls,
        stack: AsyncExitStack,
        settings: DirectorySearch,
        country: str,
        outside_prefix: str,
        digits_to_match: int,
        mode: TlsMode = USUAL,
    ) -> DirectoryLookup:
        """As ``UserSearch.open``."""
        access = settings.agreement.access
        tls = client_context(access.ca_file, mode=mode)
        servers = LdapServers(
            LdapServersSettings(access.servers, tls, settings.timeout, access.account, access.password)
        )
        stack.push_async_callback(servers.close)
        return cls(settings, servers, country, outside_prefix, digits_to_match)

    async def find(self, criteria: Criteria, start: int, limit: int) -> tuple[list[PersonRow], int]:
        """As ``UserSearch.find``. Raises the LdapError tree and TimeoutError."""
        wanted = self.filter_of(criteria)
        if wanted is None:
            return [], 0
        async with asyncio.timeout(self._settings.timeout * 2):
            rows = await self._servers.use(lambda connection: self._search(connection, wanted))
        agreement = self._settings.agreement
        people = (person_of(entry_of(row, agreement), agreement, {}) for row in rows)
        found = {person.user: person for person in people if person.user_name}
        ordered = sorted(found.values(), key=lambda each: (fold(each.last_name), fold(each.first_name), each.user))
        page = ordered[start : start + limit]
        return [replace(one, id=key_of("person", one.user)) for one in page], len(ordered)

    async def _search(self, connection: LdapConnection, wanted: LDAPFilter) -> list[LdapEntry]:
        settings, access = self._settings, self._settings.agreement.access
        if access.account:
            await connection.bind(access.account, access.password)
        else:
            await connection.be_nobody()
        found: dict[str, LdapEntry] = {}
        for base in settings.bases:
            left = settings.most - len(found)
            if left <= 0:
                break
            asked = LdapSearch(base, wanted, attributes_of(settings.agreement), most=left, seconds=settings.timeout)
            found.update({row.name: row for row in (await connection.find(asked)).entries})
        return list(found.values())

    def filter_of(self, criteria: Criteria) -> LDAPFilter | None:
        """The filter for a search; None where nobody can fit it. What was typed is a value in it and never read as a
        filter."""
        found: list[LDAPFilter] = [] if self._people is None else [self._people]
        pairs = (
            ("first_name", criteria.first), ("last_name", criteria.last), ("display_name", criteria.display_name),
            ("user_name", criteria.user_name), ("email", criteria.email),
        )  # fmt: skip
        parts = [self._starts(field, _shown(text)) for field, text in pairs if text.strip()]
        if criteria.name.strip():
            parts.append(self._named(criteria.name))
        if criteria.uri:
            parts.append(self._addressed(criteria.uri))
        if criteria.number:
            parts.append(self._numbered(criteria.number))
        for part in parts:
            if part is None:
                return None
            found.append(part)
        return all_of(*found) if found else None

    def _attributes(self, *fields: str) -> list[str]:
        mapping = self._settings.agreement.mapping
        return list(dict.fromkeys(name for field in fields for name in mapping.get(field, ())))

    def _any(self, found: Iterable[LDAPFilter]) -> LDAPFilter | None:
        ways = list(found)
        return any_of(*ways) if ways else None

    def _starts(self, field: str, text: str) -> LDAPFilter | None:
        if not text:
            return None
        texts = dict.fromkeys((text, fold(text) or text))  # few directories fold accents themselves
        return self._any(starts(name, one) for name in self._attributes(field) for one in texts)

    def _named(self, name: str) -> LDAPFilter | None:
        """As ``rules.name_search.alternatives``: one word begins first name, last name or mail; more are both names in
        one of two orders."""
        ways: list[LDAPFilter | None] = []
        words = _shown(name).split()[:_WORDS]
        if len(words) == 1:
            ways = [self._starts(field, words[0]) for field in ("first_name", "last_name", "email")]
        for cut in range(1, len(words)):
            one, two = " ".join(words[:cut]), " ".join(words[cut:])
            ways += [self._both(one, two), self._both(two, one)]
        if len(words) == 2:
            ways += [self._starts(field, " ".join(words)) for field in ("last_name", "first_name")]
        return self._any(way for way in ways if way is not None)

    def _both(self, first: str, last: str) -> LDAPFilter | None:
        one, two = self._starts("first_name", first), self._starts("last_name", last)
        return all_of(one, two) if one is not None and two is not None else None

    def _addressed(self, uri: str) -> LDAPFilter | None:
        user, _, domain = uri.partition("@")
        ways = [equals(name, f"{scheme}{uri}") for name in self._attributes("directory_uri") for scheme in ("", "sip:")]
        if domain.lower() == self._settings.agreement.domain.lower():
            ways += [equals(name, user) for name in self._attributes("user_name")]
        return self._any(ways)

    def _numbered(self, number: str) -> LDAPFilter | None:
        """A number in any notation, the beginning of one, and the end of one where enough digits are given."""
        if not digits(number):
            return None
        wanted = spellings(number, self._country, self._outside_prefix, self._digits_to_match)
        ways: list[LDAPFilter] = []
        for name in self._attributes(*_NUMBERS):
            whole: list[Sequence[str]] = list(notations(number, self._country, ()))
            for start in wanted.starts:
                whole += notations(f"+{start}", self._country, ())
            ways += [spread(name, way) for way in dict.fromkeys(tuple(way) for way in whole)]
            ways += [starts(name, start) for start in beginnings(number, self._country)]
            ways += [ends(name, end) for end in wanted.ends]
        return self._any(ways)


def _shown(text: str) -> str:
    """What of a text can be seen, with single spaces. Directories map other signs to nothing (RFC 4518 section 2.2), so
    that a text of them alone would begin every value."""
    return "".join(sign for sign in " ".join(text.split()) if sign.isprintable())
