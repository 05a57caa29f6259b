"""One connection to a directory server: TLS first, then one operation after the other, each within its time.

A server whose certificate does not fit gets nothing, and so does one that will not do StartTLS. Referrals are not
followed: a password goes to the configured servers only.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar
from urllib.parse import urlsplit

from sansldap import (
    BindResponse,
    ExtendedOperations,
    ExtendedResponse,
    LDAPClient,
    LDAPError,
    LDAPFilter,
    LDAPMessage,
    LDAPResult,
    LDAPResultCode,
    SearchResultDone,
    SearchResultEntry,
    SearchResultReference,
    SearchScope,
)

from ringback.net.closing import abort
from ringback.net.ldap.errors import LdapRefusedError, LdapSettingsError, LdapUnavailableError

_SEQUENCE: Final = 0x30  # every LDAP message is one (RFC 4511 section 4.1.1)
_LARGEST: Final = 4 * 1024 * 1024  # octets of a message: an entry with pictures
_PORTS: Final = {"ldaps": 636, "ldap": 389}
_CLOSING: Final = 0.5  # seconds for a goodbye
_BUSY: Final = frozenset(
    {
        LDAPResultCode.OPERATIONS_ERROR, LDAPResultCode.PROTOCOL_ERROR, LDAPResultCode.TIME_LIMIT_EXCEEDED,
        LDAPResultCode.ADMIN_LIMIT_EXCEEDED, LDAPResultCode.BUSY, LDAPResultCode.UNAVAILABLE, LDAPResultCode.OTHER,
    }
)  # fmt: skip
"""Results that say something of the server at this moment, not of the question."""

_Answer = TypeVar("_Answer", bound=LDAPMessage)


@dataclass(frozen=True, slots=True)
class LdapServer:
    """A directory server. ``secure``: TLS from the first octet (``ldaps``), else StartTLS, without which nothing is
    sent. ``address``: where to connect where the system's name server does not know the host."""

    host: str
    port: int
    secure: bool
    address: str = ""

    @classmethod
    def parse(cls, url: str) -> LdapServer:
        """``ldaps://host[:port]`` or ``ldap://host[:port]``. Raises LdapSettingsError."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise LdapSettingsError(f"{url}: {error}") from error
        if parts.scheme not in _PORTS or not parts.hostname:
            raise LdapSettingsError(f"{url} is no address like ldaps://ldap.example.com")
        if parts.path.strip("/") or parts.query or parts.fragment or parts.username is not None:
            raise LdapSettingsError(f"{url}: only host and port may stand here")
        return cls(parts.hostname, port or _PORTS[parts.scheme], parts.scheme == "ldaps")

    def __str__(self) -> str:
        return f"{'ldaps' if self.secure else 'ldap'}://{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class LdapEntry:
    """An entry as found: its distinguished name, and its attributes by name in lower case, values as they came."""

    name: str
    attributes: Mapping[str, tuple[bytes, ...]] = field(default_factory=dict)


class LdapConnection:
    """Made by ``open``. Methods raise LdapUnavailableError, after which the connection is of no use any more, and
    LdapRefusedError. One operation at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, timeout: float) -> None:
        self._reader = reader
        self._writer = writer
        self._timeout = timeout
        self._client = LDAPClient()

    @classmethod
    async def open(cls, server: LdapServer, tls: ssl.SSLContext, timeout: float) -> LdapConnection:  # noqa: ASYNC109
        """Connect and secure. ``timeout`` is in seconds: for the connection with its TLS, and for each operation."""
        writer: asyncio.StreamWriter | None = None
        try:
            async with asyncio.timeout(timeout):
                reader, writer = await asyncio.open_connection(
                    server.address or server.host,
                    server.port,
                    ssl=tls if server.secure else None,
                    server_hostname=server.host if server.secure else None,
                )
                connection = cls(reader, writer, timeout)
                if not server.secure:
                    await connection._start_tls(server, tls)
                return connection
        except BaseException as error:
            if writer is not None:
                abort(writer.transport)
            if isinstance(error, OSError | TimeoutError | ValueError):  # ssl.SSLError is an OSError
                raise LdapUnavailableError(f"{server}: {_words(error)}") from error
            raise

    async def bind(self, name: str, password: str) -> None:
        """Prove to be somebody (RFC 4511 section 4.2). Raises LdapRefusedError; ValueError where name or password is
        empty, which a server would take for somebody anonymous and call a success (RFC 4513 section 5.1.2)."""
        if not name or not password:
            raise ValueError("A bind needs a name and a password")
        await self._bind(name, password)

    async def be_nobody(self) -> None:
        """Give up who was proved to be: an anonymous bind. Raises LdapRefusedError where the server takes none."""
        await self._bind("", "")

    async def search(
        self, base: str, wanted: LDAPFilter, attributes: Sequence[str], *, most: int, whole_tree: bool = True
    ) -> list[LdapEntry]:
        """The entries below ``base`` that fit, ``most`` at most; where there are more, ``most`` of them. Without
        ``attributes`` their names alone."""
        scope = SearchScope.SUBTREE if whole_tree else SearchScope.BASE
        found: list[LdapEntry] = []
        async with self._within():
            self._client.search_request(
                base, scope, size_limit=most, time_limit=max(1, int(self._timeout)), filter=wanted,
                attributes=list(attributes) or ["1.1"],
            )  # fmt: skip
            await self._flush()
            while True:
                message = await self._message()
                if isinstance(message, SearchResultEntry) and len(found) < most:
                    values = {one.name.lower(): tuple(one.values) for one in message.attributes}
                    found.append(LdapEntry(message.object_name, values))
                elif isinstance(message, SearchResultDone):
                    break
                elif not isinstance(message, SearchResultReference | SearchResultEntry):
                    raise LdapUnavailableError("The directory answered something else than was asked")
        if message.result.result_code not in {LDAPResultCode.SUCCESS, LDAPResultCode.SIZE_LIMIT_EXCEEDED}:
            raise _refusal(message.result)
        return found

    async def close(self) -> None:
        """Say goodbye and close."""
        with contextlib.suppress(LDAPError, OSError, TimeoutError):
            self._client.unbind()
            self._writer.write(self._client.data_to_send())
            self._writer.close()
            async with asyncio.timeout(_CLOSING):
                await self._writer.wait_closed()
        abort(self._writer.transport)

    @property
    def is_over(self) -> bool:
        """Whether the server has closed it."""
        return self._writer.is_closing() or self._reader.at_eof()

    # Inside.

    async def _start_tls(self, server: LdapServer, tls: ssl.SSLContext) -> None:
        async with self._within():
            self._client.extended_request(ExtendedOperations.LDAP_START_TLS.value)
            result = (await self._answer(ExtendedResponse)).result
        if result.result_code != LDAPResultCode.SUCCESS:
            raise LdapUnavailableError(f"{server} does not do StartTLS ({result.result_code})")
        if await self._has_more():
            # What came unprotected behind the answer would be taken for protected afterwards.
            raise LdapUnavailableError(f"{server} sent something before TLS began")
        await self._writer.start_tls(tls, server_hostname=server.host)

    async def _has_more(self) -> bool:
        """Whether octets have arrived that nobody asked for yet."""
        more = asyncio.ensure_future(self._reader.read(1))
        await asyncio.sleep(0)
        done = more.done()
        more.cancel()
        await asyncio.gather(more, return_exceptions=True)
        return done

    async def _bind(self, name: str, password: str) -> None:
        async with self._within():
            self._client.bind_simple(name, password)
            result = (await self._answer(BindResponse)).result
        if result.result_code != LDAPResultCode.SUCCESS:
            raise _refusal(result)

    async def _answer(self, kind: type[_Answer]) -> _Answer:
        """The one message that answers what was just put into the protocol."""
        await self._flush()
        message = await self._message()
        if not isinstance(message, kind):
            raise LdapUnavailableError("The directory answered something else than was asked")
        return message

    @contextlib.asynccontextmanager
    async def _within(self) -> AsyncIterator[None]:
        """One operation: in time, and with one error for whatever the network or the other side does."""
        try:
            async with asyncio.timeout(self._timeout):
                yield
        except (OSError, TimeoutError, EOFError, LDAPError, ValueError, IndexError, RecursionError) as error:
            abort(self._writer.transport)
            raise LdapUnavailableError(_words(error)) from error

    async def _flush(self) -> None:
        self._writer.write(self._client.data_to_send())
        await self._writer.drain()

    async def _message(self) -> LDAPMessage:
        """The next message: framed here, so that none is read that is too long."""
        head = await self._reader.readexactly(2)
        length = head[1]
        if length & 0x80:
            more = await self._reader.readexactly(length & 0x7F)
            head, length = head + more, int.from_bytes(more, "big")
        if head[0] != _SEQUENCE or length > _LARGEST:
            raise ValueError("That is no LDAP message, or one that is too long")
        messages = self._client.receive(head + await self._reader.readexactly(length))
        if len(messages) != 1:
            raise ValueError("That is no LDAP message")
        return messages[0]


def _refusal(result: LDAPResult) -> LdapRefusedError | LdapUnavailableError:
    error = LdapRefusedError(int(result.result_code), result.diagnostics_message[:200])
    return LdapUnavailableError(str(error)) if result.result_code in _BUSY else error


def _words(error: BaseException) -> str:
    return "it took too long" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
