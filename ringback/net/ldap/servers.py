"""The servers of a directory: asked in order, those that failed a moment ago last; connections are used again."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

import structlog

from ringback.net.ldap.connection import LdapConnection, LdapServer
from ringback.net.ldap.errors import LdapSettingsError, LdapUnavailableError

_SPARE_SILENT: Final = 15.0  # seconds for which a server that failed is asked last
_IDLE: Final = 30.0  # seconds that a connection waits for its next use; directories close idle ones themselves
_KEPT: Final = 8
_AT_ONCE: Final = 16  # operations under way

_Result = TypeVar("_Result")

_log = structlog.get_logger("ringback.ldap")


@dataclass(frozen=True, slots=True)
class LdapServersSettings:
    """``servers`` in the order in which they are asked; ``tls`` verifies their certificates; ``timeout`` is in seconds,
    for a connection and for each operation. With ``account`` (a distinguished name) searches are made as that one."""

    servers: Sequence[LdapServer]
    tls: ssl.SSLContext = field(repr=False)
    timeout: float = 5.0
    account: str = ""
    password: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if not self.servers:
            raise LdapSettingsError("A directory needs a server")
        if bool(self.account) != bool(self.password):
            raise LdapSettingsError("A service account needs a name and a password")


@dataclass(slots=True)
class _Idle:
    connection: LdapConnection
    server: LdapServer
    since: float


class LdapServers:
    """Does work with a connection to the first server that answers."""

    def __init__(self, settings: LdapServersSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self.settings = settings
        self._clock = clock
        self._silent: dict[LdapServer, float] = {}
        self._idle: list[_Idle] = []
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._closed = False

    async def close(self) -> None:
        """Close what waits for its next use, and keep nothing from now on."""
        self._closed = True
        idle, self._idle = self._idle, []
        await asyncio.gather(*(one.connection.close() for one in idle))

    async def use(self, work: Callable[[LdapConnection], Awaitable[_Result]]) -> _Result:
        """What ``work`` gives with a connection; it is done anew with the next server where one fails in between, so it
        must not matter how often. Raises LdapUnavailableError where none answers, and what ``work`` raises."""
        async with self._places:
            await self._drop_old()
            failure: LdapUnavailableError | None = None
            while self._idle:  # one that waited may have been closed by the server meanwhile: that counts for nothing
                kept = self._idle.pop()
                try:
                    return await self._with(kept.connection, kept.server, work)
                except LdapUnavailableError as error:
                    failure = error
            for server in self._in_order():
                try:
                    connection = await LdapConnection.open(server, self.settings.tls, self.settings.timeout)
                    result = await self._with(connection, server, work)
                except LdapUnavailableError as error:
                    failure = error
                    if server not in self._silent:
                        _log.warning("ldap.server_failed", server=str(server), why=str(error))
                    self._silent[server] = self._clock() + _SPARE_SILENT
                    continue
                if self._silent.pop(server, None) is not None:
                    _log.info("ldap.server_answers_again", server=str(server))
                return result
            raise failure or LdapUnavailableError("No directory server is configured")

    async def _with(
        self, connection: LdapConnection, server: LdapServer, work: Callable[[LdapConnection], Awaitable[_Result]]
    ) -> _Result:
        good = False
        try:
            result = await work(connection)
            good = True
            return result
        finally:
            if good and not self._closed and not connection.is_over and len(self._idle) < _KEPT:
                self._idle.append(_Idle(connection, server, self._clock()))
            else:
                await connection.close()

    async def _drop_old(self) -> None:
        old = [one for one in self._idle if one.since + _IDLE <= self._clock() or one.connection.is_over]
        self._idle = [one for one in self._idle if one not in old]
        await asyncio.gather(*(one.connection.close() for one in old))

    def _in_order(self) -> list[LdapServer]:
        now = self._clock()
        return sorted(self.settings.servers, key=lambda server: self._silent.get(server, 0.0) > now)
