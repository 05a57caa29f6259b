"""Asks the authorities of certificates whether these were revoked: by OCSP, else by their revocation lists.

Off the way of the connections: a handshake asks ``known``, which never waits; who has no answer asks ``check`` and
comes again. Answers are kept as long as they say, and a day at most; that nobody answered is kept for half a minute.
Python's TLS gives no stapled response, so a responder is asked itself.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import os
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import aiohttp
import structlog
from cryptography import x509

from ringback.net.certificates import UNREADABLE
from ringback.net.names import NameClient, NameResolver
from ringback.net.revocation_answers import (
    Answer,
    AnswerError,
    look_up,
    named,
    ocsp_request,
    read_list,
    read_ocsp,
)
from ringback.rules.certificates import Revocation

_REQUEST_SECONDS = 5.0
_OCSP_LIMIT = 64 * 1024  # octets
_LIST_LIMIT = 16 * 1024 * 1024  # octets; the lists of public authorities have less than 10 MB
_LISTS_LIMIT = 64 * 1024 * 1024  # octets, all kept lists together
_ANSWERS = 4096
_SILENCE = 30.0  # seconds that no answer is taken for one
_LONGEST = 86400.0
_NONCE = 32  # octets (RFC 8954 section 2.1)
_WORST: tuple[Revocation, ...] = ("revoked", "unreachable", "unknown")
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Kept:
    status: Revocation
    until: float


@dataclass(frozen=True, slots=True)
class _KeptList:
    document: x509.CertificateRevocationList
    size: int
    until: float


class RevocationChecker:
    """Asks and remembers. Needs ``close`` where ``check`` was used."""

    def __init__(
        self, names: NameClient, clock: Callable[[], float] = time.time, *, seconds: float = _REQUEST_SECONDS
    ) -> None:
        """``names`` finds the servers; ``clock`` gives seconds since 1970; ``seconds`` are given to each request."""
        self._seconds = seconds
        self._names = names
        self._clock = clock
        self._answers: OrderedDict[bytes, _Kept] = OrderedDict()
        self._lists: OrderedDict[str, _KeptList] = OrderedDict()
        self._asking: dict[bytes, asyncio.Task[Revocation]] = {}
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """End what is under way."""
        tasks = list(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def change_names(self, names: NameClient) -> None:
        """Find servers by another name client from now on."""
        self._names = names
        session, self._session = self._session, None
        if session is not None and session.connector is not None:
            session.connector.close()

    def forget(self) -> None:
        """Forget all answers and lists."""
        self._answers.clear()
        self._lists.clear()

    def known(self, chain: tuple[bytes, ...]) -> Revocation | None:
        """What is known of a verified chain (DER, the server's own first, the authority last) now; None: must be asked.

        The worst answer counts; ``not_named`` is of the server's own certificate.
        """
        now = self._clock()
        found: list[Revocation] = []
        for der, _ in itertools.pairwise(chain):
            kept = self._answers.get(hashlib.sha256(der).digest())
            if kept is not None and kept.until >= now:
                found.append(kept.status)
            elif _names_somebody(der):
                return None
            else:
                found.append("not_named")
        return _worst(found)

    async def check(self, chain: tuple[bytes, ...]) -> Revocation:
        """Ask about every certificate of a verified chain but the authority's own. Never raises for what servers do."""
        if (known := self.known(chain)) is not None:
            return known
        pairs = itertools.pairwise(chain)
        return _worst(await asyncio.gather(*(self._ask_once(der, issuer) for der, issuer in pairs)))

    async def _ask_once(self, der: bytes, issuer: bytes) -> Revocation:
        """Those who want to know the same wait together."""
        place = hashlib.sha256(der).digest()
        kept = self._answers.get(place)
        if kept is not None and kept.until >= self._clock():
            return kept.status
        task = self._asking.get(place)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._ask(place, der, issuer), name="revocation")
            self._asking[place] = task
            task.add_done_callback(lambda _done: self._asking.pop(place, None))
        return await asyncio.shield(task)

    async def _ask(self, place: bytes, der: bytes, issuer: bytes) -> Revocation:
        try:
            certificate, authority = x509.load_der_x509_certificate(der), x509.load_der_x509_certificate(issuer)
        except UNREADABLE:
            return "not_named"
        who = named(certificate)
        if not who:
            return "not_named"
        answer: Answer | None = None
        for url in (*who.responders, *who.lists):
            is_responder = url in who.responders
            try:
                ask = self._ask_responder if is_responder else self._ask_list
                answer = await ask(url, certificate, authority)
            except (AnswerError, aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
                why = str(error) or type(error).__name__
                _log.info("no word on revocation", url=url, certificate=certificate.subject.rfc4514_string(), why=why)
                continue
            if answer.status != "unknown":
                break
        now = self._clock()
        kept = _Kept("unreachable", now + _SILENCE)
        if answer is not None:
            kept = _Kept(answer.status, max(min(answer.until, now + _LONGEST), now + _SILENCE))
        self._answers[place] = kept
        if len(self._answers) > _ANSWERS:
            self._answers.popitem(last=False)
        return kept.status

    async def _ask_responder(self, url: str, certificate: x509.Certificate, issuer: x509.Certificate) -> Answer:
        nonce = os.urandom(_NONCE)
        body = await self._fetch(url, _OCSP_LIMIT, ocsp_request(certificate, issuer, nonce))
        return await asyncio.to_thread(read_ocsp, body, certificate, issuer, nonce, self._clock())

    async def _ask_list(self, url: str, certificate: x509.Certificate, issuer: x509.Certificate) -> Answer:
        now = self._clock()
        kept = self._lists.get(url)
        if kept is None or kept.until < now or kept.document.issuer != issuer.subject:
            body = await self._fetch(url, _LIST_LIMIT)
            # a list of a large authority takes some 100 ms to read and verify
            document = await asyncio.to_thread(read_list, body, issuer, now)
            kept = self._keep(url, document, len(body), now)
        return await asyncio.to_thread(look_up, kept.document, certificate, now)

    def _keep(self, url: str, document: x509.CertificateRevocationList, size: int, now: float) -> _KeptList:
        until = document.next_update_utc.timestamp() if document.next_update_utc is not None else now
        kept = self._lists[url] = _KeptList(document, size, min(until, now + _LONGEST))
        self._lists.move_to_end(url)
        while sum(each.size for each in self._lists.values()) > _LISTS_LIMIT:
            self._lists.popitem(last=False)
        return kept

    async def _fetch(self, url: str, limit: int, body: bytes | None = None) -> bytes:
        if self._session is None:
            connector = aiohttp.TCPConnector(resolver=NameResolver(self._names), limit=8)
            self._session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        method = "GET" if body is None else "POST"
        headers = {} if body is None else {"Content-Type": "application/ocsp-request"}
        async with (
            asyncio.timeout(self._seconds),
            self._session.request(method, url, data=body, headers=headers, allow_redirects=False) as response,
        ):
            if response.status != 200:
                raise AnswerError(f"HTTP {response.status}")
            read = await response.content.read(limit + 1)
            while len(read) <= limit and (more := await response.content.read(limit)):
                read += more
        if len(read) > limit:
            raise AnswerError("the answer is too long")
        return read


def _worst(found: Sequence[Revocation]) -> Revocation:
    """The worst of a chain; else that of its first certificate, the server's own."""
    first: Revocation = found[0] if found else "not_named"
    return next((status for status in _WORST if status in found), first)


def _names_somebody(der: bytes) -> bool:
    try:
        return bool(named(x509.load_der_x509_certificate(der)))
    except UNREADABLE:
        return False
