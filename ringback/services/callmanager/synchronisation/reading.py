"""What the directory has of an agreement: its entries, those of the groups only where groups are named."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from typing import Final

from sansldap import FilterAnd, FilterExtensibleMatch, FilterOr, FilterPresent, LDAPFilter

from ringback.net.ldap.connection import LdapConnection
from ringback.net.ldap.errors import LdapError, LdapRefusedError
from ringback.net.ldap.passwords import parse_filter
from ringback.net.ldap.servers import LdapServers, LdapServersSettings
from ringback.net.tls import client_context
from ringback.protocols.ldap.search import Found, LdapEntry, LdapSearch
from ringback.rules.name_search import fold
from ringback.rules.tls_modes import USUAL, TlsMode
from ringback.services.callmanager.synchronisation.agreement import Agreement
from ringback.services.callmanager.synchronisation.decide import TAKEN_OVER, Entry

MOST: Final = 200_000
"""Entries of an agreement at most; a directory that has more is cut into several agreements."""

_PAGE: Final = 500
_MEMBERS: Final = ("member", "uniqueMember", "memberUid")
_DEPTH: Final = 10  # groups in groups
_GROUPS: Final = 1000
_IN_CHAIN: Final = "1.2.840.113556.1.4.1941"  # Active Directory's rule that looks through groups in groups


class NoGroupError(LdapError):
    """A group of the agreement is not in the directory; the message is its name."""


class IncompleteError(LdapError):
    """The directory gives only so many entries; ``code`` is its result (0: we asked for no more)."""

    def __init__(self, count: int, code: int) -> None:
        super().__init__(f"The directory gives {count} entries and no more (result {code})")
        self.count = count
        self.code = code


async def read(agreement: Agreement, mode: TlsMode = USUAL) -> list[Entry]:
    """Every entry of the agreement. Raises the LdapError tree; OSError or ssl.SSLError where authorities can't be
    read."""
    access = agreement.access
    tls = client_context(access.ca_file, mode=mode)
    servers = LdapServers(LdapServersSettings(access.servers, tls, access.timeout, access.account, access.password))
    try:
        return await servers.use(lambda connection: _read(connection, agreement))
    finally:
        await servers.close()


async def _read(connection: LdapConnection, agreement: Agreement) -> list[Entry]:
    access = agreement.access
    if access.account:
        await connection.bind(access.account, access.password)
    else:
        await connection.be_nobody()
    wanted = parse_filter(agreement.wanted) or FilterPresent("objectClass")
    members: _Members | None = None
    if agreement.groups and agreement.product == "active-directory":
        wanted = FilterAnd([wanted, _of_groups(agreement.groups)])
    elif agreement.groups:
        members = await _members(connection, agreement.groups)
    # No limit is sent: OpenLDAP counts the pages before against it.
    search = LdapSearch(agreement.base, wanted, attributes_of(agreement), seconds=access.timeout)
    entries: list[Entry] = []
    last = Found()
    async for page in connection.pages(search, _PAGE):
        entries += [entry_of(row, agreement) for row in page.entries]
        last = page
        if len(entries) > MOST:
            raise IncompleteError(MOST, 0)
    if not last.complete:  # who is not among them would be taken for somebody who left
        raise IncompleteError(len(entries), last.code)
    return entries if members is None else [entry for entry in entries if members.has(entry, agreement)]


def attributes_of(agreement: Agreement) -> list[str]:
    """Every attribute that a person of the agreement is made of."""
    mapping = agreement.mapping
    wanted = {name for field in TAKEN_OVER for name in mapping.get(field, ())}
    return sorted({*wanted, agreement.unique})


def entry_of(row: LdapEntry, agreement: Agreement) -> Entry:
    """An entry as the decision takes it."""
    unique = agreement.unique.lower()
    values = {
        name: tuple(value.decode("utf-8", "replace") for value in found)
        for name, found in row.attributes.items()
        if name != unique
    }
    return Entry(row.name, _unique(row.attributes.get(unique, ())), values)


def _unique(values: Sequence[bytes]) -> str:
    """A lasting id as text: objectGUID is 16 octets in Microsoft's order, entryUUID a text."""
    if not values:
        return ""
    value = values[0]
    return str(uuid.UUID(bytes_le=value)) if len(value) == 16 else value.decode("ascii", "replace").lower()


def _of_groups(groups: Iterable[str]) -> LDAPFilter:
    return FilterOr([FilterExtensibleMatch(_IN_CHAIN, "memberOf", group.encode(), False) for group in groups])


class _Members:
    """Who is in the groups: distinguished names, and user names of groups of that older kind."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.users: set[str] = set()

    def has(self, entry: Entry, agreement: Agreement) -> bool:
        if fold(entry.name) in self.names:
            return True
        users = (user for name in agreement.mapping["user_name"] for user in entry.values.get(name.lower(), ()))
        return any(fold(user) in self.users for user in users)


async def _members(connection: LdapConnection, groups: Sequence[str]) -> _Members:
    """The members of groups, and of the groups in them."""
    found, seen = _Members(), set[str]()
    wanted = list(groups)
    for depth in range(_DEPTH):
        inner: list[str] = []
        for name in wanted:
            key = fold(name)
            if key in seen or len(seen) >= _GROUPS:
                continue
            seen.add(key)
            rows = await _group(connection, name)
            if not rows and depth == 0:
                raise NoGroupError(name)
            for row in rows:
                inner += _take(found, row)
        wanted = inner
    return found


async def _group(connection: LdapConnection, name: str) -> list[LdapEntry]:
    has_members = FilterOr([FilterPresent(attribute) for attribute in _MEMBERS])
    try:
        return await connection.search(name, has_members, _MEMBERS, most=1, whole_tree=False)
    except LdapRefusedError as error:
        if error.code == _NO_SUCH_OBJECT:
            return []
        raise


def _take(found: _Members, row: LdapEntry) -> list[str]:
    inner = []
    for attribute in ("member", "uniquemember"):
        for value in row.attributes.get(attribute, ()):
            name = value.decode("utf-8", "replace")
            found.names.add(fold(name))
            inner.append(name)
    found.users |= {fold(value.decode("utf-8", "replace")) for value in row.attributes.get("memberuid", ())}
    return inner


_NO_SUCH_OBJECT: Final = 32
