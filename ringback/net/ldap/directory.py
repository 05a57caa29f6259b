"""A directory that is asked again and again: one connection that is kept, bound and healed, and its other servers.

A connection that was silent for a while is tried before a question is trusted to it; one that fails is replaced, and
the question asked again once. While every server fails, questions fail at once instead of waiting their time out, and
the servers are tried anew after a moment. No more questions wait than a person could want.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import structlog

from ringback.net.ldap.connection import PAGE, LdapConnection, LdapServer
from ringback.net.ldap.errors import (
    LdapBusyError,
    LdapCertificateError,
    LdapError,
    LdapInsecureError,
    LdapRefusedError,
    LdapUnavailableError,
)
from ringback.net.ldap.referrals import Chased, Place, chase
from ringback.net.ldap.signing_in import (
    LdapSealingError,
    SignedIn,
    SignInMeans,
    may_be_sealed,
    sign_in,
    sign_in_sealed,
)
from ringback.protocols.ldap import names
from ringback.protocols.ldap.search import Found, LdapEntry, LdapSearch, RootDse
from ringback.rules.directory_discovery import DirectoryServer, clear_form, secure_form
from ringback.rules.directory_settings import DirectorySettings
from ringback.rules.reasons import Reason

_AT_ONCE: Final = 8  # searches under way
_WAITING: Final = 64
_SILENT: Final = 30.0  # seconds without a word, after which a connection is tried before it is used
_PROBE: Final = 2.0  # seconds for that
_SPARE: Final = 15.0  # seconds for which a server that failed is asked last
_ALL_FAILED: Final = 2.0  # seconds for which nobody is tried after every server failed
_ELSEWHERE: Final = 4  # connections kept to servers that others point to
_NO_SUCH_OBJECT: Final = 32

Connect = Callable[[LdapServer], Awaitable[LdapConnection]]
"""Opens a connection to a server: looks its name up, and judges its certificate. Raises LdapUnavailableError, and
whatever of its own callers of ``LdapDirectory`` know."""

_log = structlog.get_logger("ringback.ldap")


@dataclass(frozen=True, slots=True)
class LdapDirectorySettings:
    """``servers`` in the order to try. ``connect_clear`` opens a connection without TLS, which is used for nothing but
    to have Kerberos seal it; None: that is never done."""

    servers: Sequence[DirectoryServer]
    directory: DirectorySettings
    connect: Connect
    connect_clear: Connect | None = None
    means: SignInMeans = field(default_factory=SignInMeans)


@dataclass(frozen=True, slots=True)
class LdapBound:
    """A connection that may be used, and to whom."""

    connection: LdapConnection
    server: DirectoryServer
    root: RootDse
    signed_in: SignedIn


class LdapDirectory:
    """Methods raise LdapError, and what ``connect`` raises."""

    def __init__(self, settings: LdapDirectorySettings, clock: Callable[[], float] = time.monotonic) -> None:
        self.settings = settings
        self._clock = clock
        self._bound: LdapBound | None = None
        self._elsewhere: dict[Place, LdapBound] = {}
        self._opening: asyncio.Task[LdapBound] | None = None
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._waiting = 0
        self._spare: dict[DirectoryServer, float] = {}
        self._failed: tuple[float, Exception] | None = None
        self._closed = False

    @property
    def server(self) -> DirectoryServer | None:
        """Whom we are connected with."""
        bound = self._bound
        return bound.server if bound is not None and not bound.connection.is_over else None

    @property
    def could_ask(self) -> bool:
        """Whether we ask as nobody although somebody's credentials could be used."""
        return self._bound is not None and self._bound.signed_in.ask

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Why we are who we are there."""
        return self._bound.signed_in.reasons if self._bound is not None else ()

    def use_servers(self, servers: Sequence[DirectoryServer]) -> None:
        """Connect with these from the next connection on."""
        self.settings = replace(self.settings, servers=tuple(servers))
        self._failed = None

    async def bound(self) -> LdapBound:
        """The connection, made where there is none. Who stops waiting for it does not stop its making: somebody who
        types asks again at once."""
        found = self._bound
        if found is not None and await self._is_alive(found.connection):
            return found
        if self._closed:
            raise LdapUnavailableError("It is closed")
        if self._opening is None or self._opening.done():
            self._opening = asyncio.create_task(self._renew(), name="ldap-connect")
            self._opening.add_done_callback(lambda task: task.cancelled() or task.exception())
        try:
            return await asyncio.shield(self._opening)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if self._is_closed() and task is not None and not task.cancelling():  # the making was cancelled
                raise LdapUnavailableError("It is closed") from None
            raise

    async def bases(self) -> tuple[str, ...]:
        """Where searches for people begin: as configured, else at the top of what the server holds."""
        if self.settings.directory.bases:
            return self.settings.directory.bases
        return self._top(await self.bound())

    async def group_bases(self) -> tuple[str, ...]:
        """Where searches for groups begin."""
        return self.settings.directory.group_bases or await self.bases()

    async def find(self, search: LdapSearch) -> Chased:
        """One search, asked anew on another connection where one fails under it."""
        async with self._place():
            for last in (False, True):
                bound = await self.bound()
                try:
                    found = await bound.connection.find(search)
                except LdapUnavailableError as error:
                    if last or not bound.connection.is_over:
                        raise
                    self._note(bound.server, error)
                else:
                    return await self._followed(found, search)
        raise LdapUnavailableError("No directory server answers")

    async def find_below(self, bases: Sequence[str], search: LdapSearch) -> Chased:
        """The same search below several bases at once, in their order, each entry once. A base that does not exist is
        told in the notes; where none exists, LdapRefusedError is raised."""
        flat = not self.settings.directory.recursive and bool(self.settings.directory.bases)
        searches = [replace(search, base=base, scope="one" if flat else search.scope) for base in bases]
        answers = await asyncio.gather(*(self.find(one) for one in searches), return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException) and not _is_missing(answer):
                raise answer
        good = [answer for answer in answers if isinstance(answer, Chased)]
        if not good:
            raise next(
                (answer for answer in answers if isinstance(answer, BaseException)),
                LdapRefusedError(_NO_SUCH_OBJECT, ""),
            )
        entries: dict[str, LdapEntry] = {}
        for answer in good:
            entries.update((names.normal(one.name), one) for one in answer.found.entries)
        kept = tuple(entries.values())[: search.most or None]
        code = next((answer.found.code for answer in good if answer.found.code), 0)
        complete = all(answer.found.complete for answer in good) and len(kept) == len(entries)
        missing = [
            Reason.of("ldap.settings.base", base=one.base)
            for one, answer in zip(searches, answers, strict=True)
            if _is_missing(answer)
        ]
        return Chased(Found(kept, complete, code), (*(note for one in good for note in one.notes), *missing))

    async def pages(self, search: LdapSearch, size: int = PAGE) -> AsyncGenerator[Found, None]:
        """All that a search finds, page by page, on the connection that there is; a failure ends it."""
        async with self._place():
            bound = await self.bound()
            async with contextlib.aclosing(bound.connection.pages(search, size)) as pages:
                async for found in pages:
                    yield found

    async def close(self) -> None:
        """End all connections."""
        self._closed = True
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.gather(self._opening, return_exceptions=True)
        bound, self._bound = self._bound, None
        kept = [one for one in (bound, *self._elsewhere.values()) if one is not None]
        self._elsewhere.clear()
        await asyncio.gather(*(one.connection.close() for one in kept))

    # --- inside: searching

    async def _followed(self, found: Found, search: LdapSearch) -> Chased:
        if not found.references or not self.settings.directory.follow_referrals:
            return Chased(found)
        return await chase(found, search, self.find_at)

    async def find_at(self, place: Place, search: LdapSearch) -> Found:
        """One search at another server, as the same person; a few such connections are kept. Raises LdapError only."""
        try:
            return await self._ask_elsewhere(place, search)
        except LdapError:
            raise
        except Exception as error:  # what ``connect`` raises beside them ends the look elsewhere only
            raise LdapUnavailableError(f"{place.host}: {error}") from error

    async def _ask_elsewhere(self, place: Place, search: LdapSearch) -> Found:
        server = DirectoryServer(place.host, place.port, place.secure, "named")
        kept = self._elsewhere.pop(place, None)
        if kept is not None and not await self._is_alive(kept.connection):
            await kept.connection.close()
            kept = None
        bound = kept or await self._open(server)
        good = False
        try:
            found = await bound.connection.find(search)
            good = True
        finally:
            replaced = self._elsewhere.get(place)
            if good and replaced is None and not self._closed and len(self._elsewhere) < _ELSEWHERE:
                self._elsewhere[place] = bound
            else:
                await bound.connection.close()
        return found

    @contextlib.asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        if self._waiting >= _WAITING:
            raise LdapBusyError("Too many searches are waiting")
        self._waiting += 1
        try:
            async with self._places:
                yield
        finally:
            self._waiting -= 1

    def _top(self, bound: LdapBound) -> tuple[str, ...]:
        root = bound.root
        if bound.server.catalogue == "global" or bound.server.port in (3268, 3269):
            return ("",)  # the global catalogue is searched as a whole (MS-ADTS 3.1.1.3.1.3.1)
        return (root.default_context,) if root.default_context else root.contexts or ("",)

    # --- inside: connecting

    async def _is_alive(self, connection: LdapConnection) -> bool:
        if connection.is_over:
            return False
        if asyncio.get_running_loop().time() - connection.heard < _SILENT:
            return True
        try:
            async with asyncio.timeout(_PROBE):
                await connection.root()
        except (LdapUnavailableError, LdapRefusedError, TimeoutError):
            await connection.close()
            return False
        return True

    def _is_closed(self) -> bool:
        return self._closed

    async def _renew(self) -> LdapBound:
        before, self._bound = self._bound, None
        if before is not None:
            if not before.connection.is_over:
                return self._keep(before)  # it was renewed between two looks
            await before.connection.close()
        return self._keep(await self._open_any())

    def _keep(self, bound: LdapBound) -> LdapBound:
        self._bound = bound
        return bound

    async def _open_any(self) -> LdapBound:
        now = self._clock()
        if self._failed is not None and now - self._failed[0] < _ALL_FAILED:
            raise self._failed[1]
        failure: Exception | None = None
        for server in sorted(self.settings.servers, key=lambda one: self._spare.get(one, 0.0) > now):
            try:
                bound = await self._open(server)
            except Exception as error:  # noqa: BLE001 - also what ``connect`` raises; the last one is raised below
                failure = _better(failure, error)
                self._note(server, error)
                continue
            self._failed = None
            if self._spare.pop(server, None) is not None:
                _log.info("ldap.server_answers_again", server=server.host)
            return bound
        failure = failure or LdapUnavailableError("No directory server is known")
        self._failed = (self._clock(), failure)
        raise failure

    def _note(self, server: DirectoryServer, error: Exception) -> None:
        if server not in self._spare:
            _log.warning("ldap.server_failed", server=server.host, port=server.port, why=str(error))
        self._spare[server] = self._clock() + _SPARE

    async def _open(self, server: DirectoryServer) -> LdapBound:
        sealing = self.settings.connect_clear is not None and may_be_sealed(self.settings.directory)
        try:
            return await self._open_with_tls(server, may_seal=sealing)
        except (LdapInsecureError, LdapSealingError):
            if not sealing:
                raise
        try:
            return await self._open_sealed(clear_form(server))
        except (LdapRefusedError, LdapUnavailableError) as error:
            _log.info("ldap.not_sealed", server=server.host, why=str(error))
        return await self._open_with_tls(server)

    async def _open_with_tls(self, server: DirectoryServer, *, may_seal: bool = False) -> LdapBound:
        try:
            connection = await self.settings.connect(LdapServer(server.host, server.port, server.secure))
        except LdapInsecureError as insecure:
            secure = secure_form(server)
            if secure is None:
                raise
            server = secure  # its other port may have what this one lacks
            try:
                connection = await self.settings.connect(LdapServer(server.host, server.port, server.secure))
            except LdapCertificateError:
                raise
            except LdapUnavailableError:
                raise insecure from None
        try:
            root = await connection.root()
            signed_in = await sign_in(
                connection,
                server.host,
                root.mechanisms,
                self.settings.directory,
                self.settings.means,
                may_seal=may_seal,
            )
        except BaseException:
            await connection.close()
            raise
        return LdapBound(connection, server, root, signed_in)

    async def _open_sealed(self, server: DirectoryServer) -> LdapBound:
        """By Kerberos alone. What the server said of itself before is asked again once it is proved to be the one."""
        if self.settings.connect_clear is None:
            raise LdapUnavailableError("Connections without TLS are not made")
        connection = await self.settings.connect_clear(LdapServer(server.host, server.port, secure=False))
        try:
            signed_in = await sign_in_sealed(connection, server.host, self.settings.directory, self.settings.means)
            return LdapBound(connection, server, await connection.root(), signed_in)
        except BaseException:
            await connection.close()
            raise


def _is_missing(answer: object) -> bool:
    """Whether an answer says that the base of a search does not exist."""
    return isinstance(answer, LdapRefusedError) and answer.code == _NO_SUCH_OBJECT


def _better(before: Exception | None, now: Exception) -> Exception:
    """Of several failures the one that says most: a refusal or a certificate more than silence."""
    return now if before is None or isinstance(before, LdapUnavailableError) else before
