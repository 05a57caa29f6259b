"""People whose passwords a directory knows: which they are, and the question to the directory."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from ringback.net.ldap.connection import LdapServer
from ringback.net.ldap.errors import LdapUnavailableError
from ringback.net.ldap.passwords import DirectoryPasswords, PersonSearch
from ringback.net.ldap.servers import LdapServers, LdapServersSettings
from ringback.net.tls import client_context
from ringback.rules.tls_modes import USUAL, TlsMode
from ringback.services.callmanager.authentication import CheckUnavailableError


@dataclass(frozen=True, slots=True)
class DirectorySettings:
    """The directory that knows passwords. ``servers`` in the order in which they are asked, verified with the system's
    authorities and those of ``ca_file``; ``way``: how a user name becomes a name to bind with; ``account`` and
    ``password`` are those of the service account for searches; ``timeout`` is in seconds."""

    servers: tuple[LdapServer, ...]
    way: PersonSearch | str
    account: str = ""
    password: str = field(default="", repr=False)
    ca_file: Path | None = None
    timeout: float = 5.0


class DirectoryChecker:
    """``authentication.PasswordChecker``. Unknown users are asked for in the directory as well, where all people are
    there, so that they take as long as a wrong password; they never get in."""

    def __init__(self, passwords: DirectoryPasswords, theirs: frozenset[str], others: frozenset[str]) -> None:
        """Folded user names: ``theirs`` have their passwords in the directory, ``others`` here."""
        self._passwords = passwords
        self._fixed = theirs
        self._theirs = theirs
        self._others = others

    def bring(self, users: Iterable[str]) -> None:
        """From now on these (folded user names) have their passwords in the directory too, in place of whom this said
        before."""
        self._theirs = self._fixed | frozenset(users)

    @classmethod
    async def open(
        cls,
        stack: AsyncExitStack,
        settings: DirectorySettings,
        theirs: Iterable[str],
        others: Iterable[str],
        mode: TlsMode = USUAL,
    ) -> DirectoryChecker:
        """Ready to ask, by what TLS ``mode`` allows. Raises OSError or ssl.SSLError where authorities can't be read,
        LdapSettingsError."""
        tls = client_context(settings.ca_file, mode=mode)
        servers = LdapServers(
            LdapServersSettings(settings.servers, tls, settings.timeout, settings.account, settings.password)
        )
        stack.push_async_callback(servers.close)
        return cls(DirectoryPasswords(servers, settings.way), frozenset(theirs), frozenset(others))

    def asks(self, user: str) -> bool:
        """See ``PasswordChecker``."""
        return user in self._theirs or (not self._others and bool(self._theirs))

    async def right(self, user: str, password: str) -> bool:
        """See ``PasswordChecker``."""
        try:
            return await self._passwords.right(user, password) and user in self._theirs
        except LdapUnavailableError as error:
            raise CheckUnavailableError(str(error)) from error
