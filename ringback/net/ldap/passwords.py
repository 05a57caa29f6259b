"""Passwords that a directory knows: it is right where the directory lets its person bind with it.

The person's name becomes a distinguished name by a search as a service account, or by a template. An unknown person
costs the directory the same questions as a wrong password. Nothing is kept: neither the password nor the answer.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from typing import Final

import structlog
from sansldap import FilterAnd, FilterEquality, LDAPFilter, LDAPResultCode

from ringback.net.ldap.connection import LdapConnection
from ringback.net.ldap.errors import LdapRefusedError, LdapSettingsError, LdapUnavailableError
from ringback.net.ldap.servers import LdapServers
from ringback.protocols.ldap import filters
from ringback.protocols.ldap.errors import LdapFormatError

PLACE_OF_NAME: Final = "{user}"
"""Where the user name goes in a template."""

_ATTRIBUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}\Z")
_NOBODY: Final = "cn=ringback-nobody"
_WRONG: Final = frozenset(
    {
        LDAPResultCode.INVALID_CREDENTIALS, LDAPResultCode.NO_SUCH_OBJECT, LDAPResultCode.INVALID_DN_SYNTAX,
        LDAPResultCode.INAPPROPRIATE_AUTHENTICATION, LDAPResultCode.UNWILLING_TO_PERFORM,
        LDAPResultCode.CONSTRAINT_VIOLATION, LDAPResultCode.INSUFFICIENT_ACCESS_RIGHTS,
    }
)  # fmt: skip
"""What directories answer to a bind that is not to succeed: a wrong password, a locked or expired account, nobody."""

_log = structlog.get_logger("ringback.ldap")


@dataclass(frozen=True, slots=True)
class PersonSearch:
    """How a person is found: below ``base``, by ``attribute`` (a user name, case as the directory compares it), among
    what also fits ``filter`` (RFC 4515; empty: anything). Raises LdapSettingsError where that can't be."""

    base: str
    attribute: str = "uid"
    filter: str = ""
    parsed: LDAPFilter | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        if not self.base:
            raise LdapSettingsError("A search for people needs a base")
        if not _ATTRIBUTE.match(self.attribute):
            raise LdapSettingsError(f"{self.attribute!r} is no name of an attribute")
        object.__setattr__(self, "parsed", parse_filter(self.filter))

    def of(self, user: str) -> LDAPFilter:
        """The filter for one person. The name is a value in it and never read as a filter."""
        named = FilterEquality(self.attribute, user.encode())
        return named if self.parsed is None else FilterAnd([self.parsed, named])


def parse_filter(text: str) -> LDAPFilter | None:
    """A filter as text (RFC 4515); None where it is empty. Raises LdapSettingsError."""
    try:
        return filters.parse_filter(text)
    except LdapFormatError as error:
        raise LdapSettingsError(f"The filter {text!r} can't be read: {error}") from error


def bind_name(template: str, user: str) -> str:
    """The name to bind with by a template that holds ``{user}``: a distinguished name, in which the user name is
    escaped (RFC 4514 section 2.4), or one like ``{user}@example.com``, as Active Directory takes it. Empty where the
    user name can't stand in one of the latter."""
    if "=" in template:
        safe = "".join(
            letter if letter.isascii() and letter.isalnum() else "".join(f"\\{octet:02x}" for octet in letter.encode())
            for letter in user
        )
        return template.replace(PLACE_OF_NAME, safe)
    return template.replace(PLACE_OF_NAME, user) if re.fullmatch(r"[\w.-]+", user) else ""


class DirectoryPasswords:
    """Asks the directory. ``way``: how a user name becomes a name to bind with."""

    def __init__(self, servers: LdapServers, way: PersonSearch | str) -> None:
        """Raises LdapSettingsError where the template holds no ``{user}``."""
        if isinstance(way, str) and PLACE_OF_NAME not in way:
            raise LdapSettingsError(f"The name to bind with needs {PLACE_OF_NAME} in it")
        self._servers = servers
        self._way = way

    async def right(self, user: str, password: str) -> bool:
        """Whether this is the person's password. Raises LdapUnavailableError."""
        if not user or not password:
            return False
        return await self._servers.use(lambda connection: self._check(connection, user, password))

    async def _check(self, connection: LdapConnection, user: str, password: str) -> bool:
        name = await self._name(connection, user)
        if not name:  # the same for the clock as a wrong password
            name, password = _NOBODY, secrets.token_urlsafe(12)
        try:
            await connection.bind(name, password)
        except LdapRefusedError as error:
            if error.code not in _WRONG:
                raise LdapUnavailableError(f"The directory did not check a password: {error}") from error
            _log.info("ldap.refused", user=user, code=error.code)
            return False
        return name != _NOBODY

    async def _name(self, connection: LdapConnection, user: str) -> str:
        if isinstance(self._way, str):
            return bind_name(self._way, user)
        settings = self._servers.settings
        try:
            if settings.account:
                await connection.bind(settings.account, settings.password)
            else:
                await connection.be_nobody()  # the connection may have been somebody's before
            found = await connection.search(self._way.base, self._way.of(user), (), most=2)
        except LdapRefusedError as error:
            raise LdapUnavailableError(f"The directory does not let us search for people: {error}") from error
        if len(found) > 1:
            _log.warning("ldap.name_is_not_unique", user=user)
        return found[0].name if len(found) == 1 else ""
