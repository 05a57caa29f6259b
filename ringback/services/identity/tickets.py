"""Kerberos: a ticket that the browser or program got from its domain says who somebody is (RFC 4559, SPNEGO).

The library stands on the system's MIT Kerberos or Heimdal, hence an extra of its own (``ringback[kerberos]``).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ringback.services.identity.errors import NotProvenError
from ringback.services.identity.settings import Kerberos

if TYPE_CHECKING:
    import gssapi

_REFUSED = "identity.ticket-refused"


class KerberosMissingError(RuntimeError):
    """Kerberos is configured, but the library for it is not installed."""


class Tickets:
    """Checks tickets with the key of a keytab."""

    def __init__(self, settings: Kerberos) -> None:
        """Raises KerberosMissingError, or OSError where the keytab can't be read or holds no key."""
        try:
            import gssapi as library  # noqa: PLC0415 - an extra that need not be installed
            from gssapi.raw.misc import GSSError  # noqa: PLC0415
        except ImportError as error:
            raise KerberosMissingError("Kerberos needs more: pip install 'ringback[kerberos]'") from error
        if not settings.keytab.is_file():
            raise OSError(f"There is no keytab {settings.keytab}")
        self._library = library
        self._error = GSSError
        self._realm = settings.realm
        # The store is named here, so that other keytabs and caches of the system play no part.
        self._store: dict[bytes | str, bytes | str] = {"keytab": f"FILE:{settings.keytab}"}
        try:
            self._credentials()
        except GSSError as error:
            raise OSError(f"The keytab {settings.keytab} does not serve: {error}") from error

    async def check(self, token: bytes) -> tuple[str, bytes]:
        """The user of a ticket, without the realm, and the token that answers it. Raises NotProvenError."""
        return await asyncio.to_thread(self._check, token)

    def _check(self, token: bytes) -> tuple[str, bytes]:
        try:
            context = self._library.SecurityContext(creds=self._credentials(), usage="accept")
            answer = context.step(token)
            if not context.complete:  # more rounds would tie the proof to the connection, which proxies share
                raise NotProvenError(_REFUSED)
            name = str(context.initiator_name)
        except self._error as error:
            raise NotProvenError(_REFUSED) from error
        user, _, realm = name.rpartition("@")
        if realm != self._realm or not user or "/" in user:
            raise NotProvenError(_REFUSED)
        return user, answer or b""

    def _credentials(self) -> gssapi.Credentials:
        return self._library.Credentials(usage="accept", store=self._store)
