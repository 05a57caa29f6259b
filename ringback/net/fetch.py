"""One HTTP request whose result is a value: an answer, or what stood in the way. Nothing is raised, nothing retried."""

from __future__ import annotations

import asyncio
import base64
import errno
import ssl
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import aiohttp
from yarl import URL

from ringback.net.certificates import inspect_certificate, obstacle_of
from ringback.net.names import NameClient, NameResolver
from ringback.net.tls import client_context
from ringback.rules.reachability import CertificateFacts, Obstacle

_BODY_LIMIT = 4 * 1024 * 1024  # octets; more is cut off and counts as no answer
_PROBE_TIMEOUT = 1.5  # seconds
_TRIES = 3  # connections to one server while it is found out whether its certificate is good
_ERRNO = {
    errno.ECONNREFUSED: Obstacle.REFUSED,
    errno.ETIMEDOUT: Obstacle.TIMED_OUT,
    errno.EHOSTUNREACH: Obstacle.UNREACHABLE,
    errno.ENETUNREACH: Obstacle.UNREACHABLE,
    errno.ENETDOWN: Obstacle.UNREACHABLE,
    errno.EHOSTDOWN: Obstacle.UNREACHABLE,
    errno.ECONNRESET: Obstacle.CLOSED,
}


@dataclass(frozen=True, slots=True)
class Fetched:
    """The result of a request. ``obstacle`` is None where the server answered; then ``status`` and ``body`` are its.

    ``certificate`` is filled where it was the obstacle. ``took`` is in seconds. ``date`` is when the
    server says that it answered (RFC 9110 section 6.6.1), as it stands.
    """

    url: str
    status: int = 0
    body: bytes = b""
    content_type: str = ""
    obstacle: Obstacle | None = None
    certificate: CertificateFacts | None = None
    detail: str = ""
    took: float = 0.0
    date: str = ""

    @property
    def ok(self) -> bool:
        """Whether the answer is 200."""
        return self.obstacle is None and self.status == 200


class Trust(Protocol):
    """Says whether servers may be trusted, in place of the system's authorities and ``ca_file`` alone."""

    @property
    def context(self) -> ssl.SSLContext:
        """What connections are opened with."""

    async def again(self, error: BaseException, host: str, port: int) -> bool:
        """Whether to connect once more after a certificate ended a connection: more is known of it now."""


class Fetcher:
    """Requests with one name client, one set of authorities and one time limit. An async context manager."""

    def __init__(
        self, names: NameClient, *, ca_file: Path | None = None, timeout: float = 5.0, trust: Trust | None = None
    ) -> None:
        """``timeout`` is in seconds for a whole request. ``trust`` counts instead of ``ca_file`` where it is given."""
        self._trust = trust
        self._names = names
        self._timeout = timeout
        self._ca_file = ca_file
        self._context: ssl.SSLContext | None = None
        self._session: aiohttp.ClientSession | None = None

    @property
    def names(self) -> NameClient:
        """The name client."""
        return self._names

    @property
    def tls(self) -> ssl.SSLContext:
        """The context with which servers are verified. Raises RuntimeError outside the fetcher's context."""
        if self._context is None:
            raise RuntimeError("the fetcher is used outside its context")
        return self._context

    async def __aenter__(self) -> Fetcher:
        """Raises OSError or ssl.SSLError where ``ca_file`` can't be read."""
        self._context = self._trust.context if self._trust is not None else client_context(self._ca_file)
        resolver = NameResolver(self._names)
        connector = aiohttp.TCPConnector(resolver=resolver, ssl=self._context, limit=20, use_dns_cache=True)
        self._session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        return self

    async def __aexit__(self, *_exception: object) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def get(self, url: str, *, basic: tuple[str, str] | None = None, through_proxy: bool = False) -> Fetched:
        """GET a URL; redirects are not followed. Never raises for what a server or network does.

        ``basic`` is a user name and password, sent over https only (ValueError is raised for any other URL).
        ``through_proxy`` goes by the system's proxy where there is one (``https_proxy`` and ``no_proxy``), but not
        where a name server was given: the proxy would see names in another view.
        """
        if self._session is None:
            raise RuntimeError("the fetcher is used outside its context")
        if basic is not None and not url.startswith("https://"):
            raise ValueError("A password is sent over https only")
        headers = {"Authorization": _basic(*basic)} if basic is not None else {}
        began = time.monotonic()
        tried = 0
        while True:
            tried += 1
            try:
                return await self._ask(self._session, url, headers, began, through_proxy=through_proxy)
            except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
                obstacle, detail = _obstacle(error)
                if obstacle.of_certificate and tried < _TRIES and await self._again(error, url):
                    continue
                certificate = await self._inspect(url) if obstacle.of_certificate else None
                took = time.monotonic() - began
                return Fetched(url, obstacle=obstacle, certificate=certificate, detail=detail, took=took)

    async def _ask(
        self, session: aiohttp.ClientSession, url: str, headers: dict[str, str], began: float, *, through_proxy: bool
    ) -> Fetched:
        target = URL(url)
        proxy = _system_proxy(target) if through_proxy and self._names.nameserver is None else None
        async with (
            asyncio.timeout(self._timeout),
            session.get(target, allow_redirects=False, proxy=proxy, headers=headers) as response,
        ):
            body = await response.content.read(_BODY_LIMIT + 1)
            while chunk := await response.content.read(_BODY_LIMIT):
                body += chunk
                if len(body) > _BODY_LIMIT:
                    return Fetched(url, obstacle=Obstacle.CLOSED, detail="the answer is too long")
            took, date = time.monotonic() - began, response.headers.get("Date", "")
            return Fetched(url, response.status, body, response.content_type, took=took, date=date)

    async def _again(self, error: BaseException, url: str) -> bool:
        target = URL(url)
        if self._trust is None or target.host is None or target.port is None:
            return False
        return await self._trust.again(error, target.host, target.port)

    async def _inspect(self, url: str) -> CertificateFacts | None:
        target = URL(url)
        if target.host is None or target.port is None:
            return None
        for address in (await self._names.addresses(target.host)).addresses:
            if (facts := await inspect_certificate(address, target.port, target.host)) is not None:
                return facts
        return None

    async def is_open(self, host: str, port: int) -> bool:
        """Whether something accepts TCP connections there."""
        for address in (await self._names.addresses(host)).addresses:
            try:
                async with asyncio.timeout(_PROBE_TIMEOUT):
                    _, writer = await asyncio.open_connection(address, port)
            except (OSError, TimeoutError):
                continue
            writer.close()
            return True
        return False


def _basic(user: str, password: str) -> str:
    """The value of an Authorization header (RFC 7617, UTF-8)."""
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def _system_proxy(target: URL) -> str | None:
    """The proxy of the system for a URL. One that wants a password is not used (planning guide, chapter 5)."""
    if target.host is None or urllib.request.proxy_bypass(target.host):
        return None
    proxy = urllib.request.getproxies().get(target.scheme, "")
    return proxy if proxy.startswith("http://") and "@" not in proxy else None


def _obstacle(error: BaseException) -> tuple[Obstacle, str]:
    detail = str(error) or type(error).__name__
    if isinstance(error, aiohttp.ClientConnectorError):
        detail = error.os_error.strerror or detail
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        inner = error.certificate_error
        return obstacle_of(inner) if isinstance(inner, ssl.SSLError) else Obstacle.UNTRUSTED, str(inner)
    if isinstance(error, aiohttp.ClientConnectorDNSError | aiohttp.InvalidURL):
        return Obstacle.NO_ADDRESS, detail
    if isinstance(error, aiohttp.ClientConnectorSSLError | ssl.SSLError):
        return Obstacle.NOT_TLS, detail
    if isinstance(error, TimeoutError):
        return Obstacle.TIMED_OUT, detail
    if isinstance(error, OSError):
        number = error.errno
        if isinstance(error, aiohttp.ClientConnectorError):
            number = error.os_error.errno
        return _ERRNO.get(number or 0, Obstacle.CLOSED), detail
    return Obstacle.CLOSED, detail
