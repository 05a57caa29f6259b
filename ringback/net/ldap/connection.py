"""One connection to a directory server: TLS first, then operations, several at once, each within its time.

A server whose certificate does not fit gets nothing, and so does one that will not do StartTLS. One task reads what
comes and hands it to the operation that it belongs to. An operation whose waiting task is cancelled is given up at the
server too. Referrals are told, not followed: see ``referrals``.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar
from urllib.parse import urlsplit

from sansldap import (
    BindResponse,
    ExtendedOperations,
    ExtendedResponse,
    LDAPControl,
    LDAPError,
    LDAPFilter,
    LDAPMessage,
    LDAPResult,
    LDAPResultCode,
    PagedResultControl,
    SearchResultDone,
    SearchResultEntry,
    SearchResultReference,
    SearchScope,
)

from ringback.net.ldap.answers import Answers
from ringback.net.ldap.errors import (
    LdapCertificateError,
    LdapInsecureError,
    LdapRefusedError,
    LdapSettingsError,
    LdapUnavailableError,
)
from ringback.net.ldap.wire import Layer, Wire
from ringback.protocols.ldap.client import Client
from ringback.protocols.ldap.entries import FoundEntry
from ringback.protocols.ldap.errors import LdapFormatError
from ringback.protocols.ldap.filters import present
from ringback.protocols.ldap.search import ROOT_ATTRIBUTES, Found, LdapEntry, LdapSearch, RootDse

__all__ = ["LdapConnection", "LdapEntry", "LdapServer"]

PAGE: Final = 500  # entries of a page: half of what Active Directory gives at most
_PORTS: Final = {"ldaps": 636, "ldap": 389}
_CLOSING: Final = 0.5  # seconds for a goodbye
_GRACE: Final = 0.5  # seconds after a server's own time limit, for its answer to arrive
_EMPTY_PAGES: Final = 20  # one after the other, after which a server is not believed any more
_BREATH: Final = 32  # messages read in a row before others have their turn
_SCOPES: Final = {"base": SearchScope.BASE, "one": SearchScope.ONE_LEVEL, "tree": SearchScope.SUBTREE}
_LIMITS: Final = frozenset(
    {
        LDAPResultCode.TIME_LIMIT_EXCEEDED, LDAPResultCode.SIZE_LIMIT_EXCEEDED, LDAPResultCode.ADMIN_LIMIT_EXCEEDED,
        LDAPResultCode.REFERRAL,
    }
)  # fmt: skip
"""Results of a search that gave what it could."""
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


class LdapConnection:
    """Made by ``open``. Methods raise LdapUnavailableError, after which the connection may be of no use any more
    (``is_over``), and LdapRefusedError. Searches may run side by side; a bind must be alone."""

    def __init__(self, wire: Wire, timeout: float) -> None:
        self._wire = wire
        self._timeout = timeout
        self._client = Client()
        self._waiting: dict[int, Answers] = {}
        self._failure: LdapUnavailableError | None = None
        self._listener: asyncio.Task[None] | None = None
        self.heard = 0.0
        """When something came last, by the loop's clock."""

    @classmethod
    async def open(
        cls,
        server: LdapServer,
        tls: ssl.SSLContext | None,
        timeout: float,  # noqa: ASYNC109
    ) -> LdapConnection:
        """Connect and secure. ``timeout`` is in seconds: for the connection with its TLS, and for each operation.

        Without ``tls`` the connection is open to everybody, until ``seal`` ends that: nothing may be sent before that
        but what is no secret. Raises LdapUnavailableError: LdapCertificateError for a certificate, LdapInsecureError
        for a server that does no TLS.
        """
        wire: Wire | None = None
        at_once = tls if server.secure else None
        try:
            async with asyncio.timeout(timeout):
                wire = Wire(
                    *await asyncio.open_connection(
                        server.address or server.host,
                        server.port,
                        ssl=at_once,
                        server_hostname=server.host if at_once else None,
                    )
                )
                connection = cls(wire, timeout)
                if tls is not None and not server.secure:
                    await connection._start_tls(server, tls)
        except BaseException as error:
            if wire is not None:
                wire.abort()
            if isinstance(error, ssl.SSLCertVerificationError):
                raise LdapCertificateError(f"{server}: {_words(error)}") from error
            if isinstance(error, OSError | TimeoutError | ValueError):  # ssl.SSLError is an OSError
                raise LdapUnavailableError(f"{server}: {_words(error)}") from error
            raise
        connection._begin()
        return connection

    # --- who we are

    async def bind(self, name: str, password: str) -> None:
        """Prove to be somebody (RFC 4511 section 4.2). Raises LdapRefusedError; ValueError where name or password is
        empty, which a server would take for somebody anonymous and call a success (RFC 4513 section 5.1.2)."""
        if not name or not password:
            raise ValueError("A bind needs a name and a password")
        await self._bind(name, password)

    async def be_nobody(self) -> None:
        """Give up who was proved to be: an anonymous bind. Raises LdapRefusedError where the server takes none."""
        await self._bind("", "")

    async def bind_sasl(self, mechanism: str, credentials: bytes | None) -> tuple[bool, bytes]:
        """One step of a SASL bind (RFC 4513 section 5.2): whether it is over, and what the server says. Raises
        LdapRefusedError."""
        with self._operation(self._put(lambda: self._client.bind_sasl(mechanism, None, credentials))) as answers:
            response = await self._answer(answers, BindResponse)
        if response.result.result_code not in (LDAPResultCode.SUCCESS, LDAPResultCode.SASL_BIND_IN_PROGRESS):
            raise _refusal(response.result)
        return response.result.result_code == LDAPResultCode.SUCCESS, response.server_sasl_creds or b""

    def seal(self, layer: Layer) -> None:
        """Seal everything from now on, as was agreed by a bind. Raises LdapUnavailableError."""
        self._wire.use(layer)

    @property
    def certificate(self) -> bytes:
        """The server's certificate (DER); empty where the connection has no TLS."""
        return self._wire.certificate

    # --- what is there

    async def root(self) -> RootDse:
        """What the server says of itself."""
        found = await self.find(
            LdapSearch("", present("objectClass"), ROOT_ATTRIBUTES, scope="base", seconds=self._timeout)
        )
        return RootDse.of(found.entries[0]) if found.entries else RootDse()

    async def search(
        self, base: str, wanted: LDAPFilter, attributes: Sequence[str], *, most: int, whole_tree: bool = True
    ) -> list[LdapEntry]:
        """The entries below ``base`` that fit, ``most`` at most; where there are more, ``most`` of them. Without
        ``attributes`` their names alone."""
        scope: Final = "tree" if whole_tree else "base"
        try:
            found = await self.find(LdapSearch(base, wanted, attributes, most, scope, self._timeout))
        except LdapRefusedError as error:
            raise _refusal(LDAPResult(LDAPResultCode(error.code), "", error.text)) from error
        if found.code not in (LDAPResultCode.SUCCESS, LDAPResultCode.SIZE_LIMIT_EXCEEDED):
            raise _refusal(LDAPResult(LDAPResultCode(found.code), "", ""))
        return list(found.entries)

    async def find(self, search: LdapSearch) -> Found:
        """What a search finds at once; a server's limits cut it short and are told."""
        found, _ = await self._search(search, [], search.most)
        return found

    async def pages(self, search: LdapSearch, size: int = PAGE) -> AsyncGenerator[Found, None]:
        """What a search finds, page by page (RFC 2696), however much it is; a server that knows no pages gives one."""
        cookie, left, empty = b"", search.most, 0
        while True:
            control = PagedResultControl(critical=False, size=min(size, left) if search.most else size, cookie=cookie)
            found, answered = await self._search(search, [control], left)
            pages = [one for one in answered if isinstance(one, PagedResultControl)]
            cookie = pages[0].cookie if pages and not found.code else b""
            left = max(0, left - len(found.entries))
            over = not cookie or (search.most > 0 and not left)
            yield Found(found.entries, found.complete and not cookie, found.code, found.references) if over else found
            if over:
                return
            empty = 0 if found.entries else empty + 1
            if empty > _EMPTY_PAGES:
                raise LdapUnavailableError("The directory gives one empty page after the other")

    async def close(self) -> None:
        """Say goodbye and close."""
        with contextlib.suppress(LDAPError, OSError, TimeoutError):
            self._client.unbind()
            self._flush()
            async with asyncio.timeout(_CLOSING):
                await self._wire.close()
        self._end(LdapUnavailableError("The connection is closed"))
        if self._listener is not None:
            await asyncio.gather(self._listener, return_exceptions=True)

    @property
    def is_over(self) -> bool:
        """Whether it is closed, by whomever."""
        return self._failure is not None or self._wire.is_over

    # --- inside: securing

    async def _start_tls(self, server: LdapServer, tls: ssl.SSLContext) -> None:
        self._client.extended_request(ExtendedOperations.LDAP_START_TLS.value)
        self._flush()
        await self._wire.drain()
        try:
            message = await self._message()
        except (LdapFormatError, EOFError) as error:
            raise LdapUnavailableError(f"{server}: {_words(error)}") from error
        if not isinstance(message, ExtendedResponse):
            raise LdapUnavailableError(f"{server} answered something else than was asked")
        if message.result.result_code != LDAPResultCode.SUCCESS:
            raise LdapInsecureError(f"{server} does not do StartTLS ({message.result.result_code})")
        await self._wire.start_tls(tls, server.host)

    async def _bind(self, name: str, password: str) -> None:
        with self._operation(self._put(lambda: self._client.bind_simple(name, password))) as answers:
            result = (await self._answer(answers, BindResponse)).result
        if result.result_code != LDAPResultCode.SUCCESS:
            raise _refusal(result)

    async def _answer(self, answers: Answers, kind: type[_Answer]) -> _Answer:
        """The one message that answers what was just sent."""
        try:
            async with asyncio.timeout(self._timeout):
                await self._drain()
                message = await answers.get()
        except TimeoutError:
            raise self._end(LdapUnavailableError("it took too long")) from None
        answers.complete = True
        if not isinstance(message, kind):
            raise self._end(LdapUnavailableError("The directory answered something else than was asked"))
        return message

    # --- inside: searching

    async def _search(
        self, search: LdapSearch, controls: list[LDAPControl], most: int
    ) -> tuple[Found, list[LDAPControl]]:
        number = self._put(
            lambda: self._client.search_request(
                search.base,
                _SCOPES[search.scope],
                size_limit=most,
                time_limit=max(1, int(search.seconds)),
                filter=search.filter,
                attributes=list(search.attributes) or ["1.1"],
                controls=controls,
            )
        )
        with self._operation(number) as answers:
            try:
                async with asyncio.timeout(search.seconds + _GRACE):
                    await self._drain()
                    return await _collected(answers, most)
            except TimeoutError:
                late = LdapUnavailableError("it took too long")
                if asyncio.get_running_loop().time() - self.heard >= search.seconds:
                    self._end(late)  # not one octet all the while: it is not the question, the server is gone
                raise late from None

    def _put(self, make: Callable[[], int]) -> int:
        """Put a request into the protocol; its number."""
        if self._failure is not None:
            raise LdapUnavailableError(str(self._failure))
        try:
            return make()
        except (LDAPError, ValueError) as error:
            raise LdapUnavailableError(_words(error)) from error

    @contextlib.contextmanager
    def _operation(self, number: int) -> Iterator[Answers]:
        """The answers of a request; it is given up at the server where they are not read to their end."""
        answers = self._waiting[number] = Answers()
        try:
            self._flush()
            yield answers
        finally:
            answers.end()
            del self._waiting[number]
            if not answers.complete and self._failure is None:
                with contextlib.suppress(LDAPError, OSError):
                    self._client.abandon(number)
                    self._flush()

    def _flush(self) -> None:
        self._wire.send(self._client.data_to_send())

    async def _drain(self) -> None:
        try:
            await self._wire.drain()
        except OSError as error:
            raise self._end(LdapUnavailableError(_words(error))) from error

    # --- inside: reading

    def _begin(self) -> None:
        self.heard = asyncio.get_running_loop().time()
        self._listener = asyncio.create_task(self._listen(), name="ldap-reader")

    async def _listen(self) -> None:
        read = 0
        try:
            while True:
                message = await self._message()
                self.heard = asyncio.get_running_loop().time()
                answers = self._waiting.get(message.message_id)
                if answers is not None:
                    await answers.put(message)
                read += 1
                if read % _BREATH == 0:
                    await asyncio.sleep(0)
        except (OSError, EOFError, LdapFormatError) as error:
            self._end(LdapUnavailableError(_words(error)))

    async def _message(self) -> LDAPMessage | FoundEntry:
        return self._client.take(await self._wire.message())

    def _end(self, error: LdapUnavailableError) -> LdapUnavailableError:
        """The connection is of no use any more, for everybody who waits."""
        if self._failure is None:
            self._failure = error
            self._wire.abort()
            for answers in self._waiting.values():
                answers.fail(LdapUnavailableError(str(error)))
            if self._listener is not None and self._listener is not asyncio.current_task():
                self._listener.cancel()
        return error


async def _collected(answers: Answers, most: int) -> tuple[Found, list[LDAPControl]]:
    entries: list[LdapEntry] = []
    references: list[str] = []
    while True:
        message = await answers.get()
        if isinstance(message, FoundEntry | SearchResultEntry):
            if most and len(entries) >= most:  # it was told to give no more
                return Found(tuple(entries), complete=False, references=tuple(references)), []
            entries.append(message.entry if isinstance(message, FoundEntry) else _entry(message))
        elif isinstance(message, SearchResultReference):
            references.extend(message.uris)
        elif isinstance(message, SearchResultDone):
            break
        else:
            raise LdapUnavailableError("The directory answered something else than was asked")
    answers.complete = True
    result = message.result
    if result.result_code == LDAPResultCode.OPERATIONS_ERROR:  # how Active Directory says: first tell who you are
        raise LdapRefusedError(int(result.result_code), result.diagnostics_message[:200])
    if result.result_code != LDAPResultCode.SUCCESS and result.result_code not in _LIMITS:
        raise _refusal(result)
    references.extend(result.referrals or ())
    code = int(result.result_code)
    return Found(tuple(entries), code == 0, code, tuple(references)), message.controls


def _entry(message: SearchResultEntry) -> LdapEntry:
    return LdapEntry(message.object_name, {one.name.lower(): tuple(one.values) for one in message.attributes})


def _refusal(result: LDAPResult) -> LdapRefusedError | LdapUnavailableError:
    error = LdapRefusedError(int(result.result_code), result.diagnostics_message[:200])
    return LdapUnavailableError(str(error)) if result.result_code in _BUSY else error


def _words(error: BaseException) -> str:
    return "it took too long" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
