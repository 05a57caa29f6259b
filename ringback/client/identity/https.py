"""Questions over verified HTTPS to a person's own servers: bounded in time and size, redirects never followed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import aiohttp
from yarl import URL

from ringback.client.trust import CertificateStopError, Place, TrustJudge
from ringback.net.names import NameClient, NameResolver

REQUEST_SECONDS = 8.0
_LIMIT = 4 * 1024 * 1024


class HttpsError(Exception):
    """No usable answer came from ``server``; ``detail`` is the literal error."""

    def __init__(self, server: str, detail: str) -> None:
        super().__init__(f"{server}: {detail}")
        self.server = server
        self.detail = detail


class CertificateProblemError(HttpsError):
    """The server's certificate stands in the way; ``stop`` says what may be done about it."""

    def __init__(self, server: str, stop: CertificateStopError) -> None:
        super().__init__(server, str(stop))
        self.stop = stop


@dataclass(frozen=True, slots=True)
class Answer:
    """What came over HTTP. ``location``: where it redirects to; ``retry_after``: seconds to leave the server alone."""

    status: int
    body: bytes = field(repr=False)
    kind: str
    location: str = field(default="", repr=False)
    retry_after: float = 0.0


class Https:
    """An async context manager. ``request`` raises HttpsError. No cookies are kept unless ``cookies`` is set."""

    def __init__(self, names: NameClient, judge: TrustJudge, *, cookies: bool = False) -> None:
        self._names = names
        self._judge = judge
        self._cookies = cookies
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        resolver = NameResolver(self._names)
        connector = aiohttp.TCPConnector(resolver=resolver, ssl=self._judge.context(), limit=8)
        # Sessions of the call manager are bound to cookies; its nodes may be known by address only.
        jar = aiohttp.CookieJar(unsafe=True) if self._cookies else aiohttp.DummyCookieJar()
        timeout = aiohttp.ClientTimeout(total=REQUEST_SECONDS)
        self._session = aiohttp.ClientSession(connector=connector, cookie_jar=jar, timeout=timeout)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def request(
        self,
        method: str,
        url: URL,
        headers: Mapping[str, str] | None = None,
        *,
        body: bytes | None = None,
        form: Mapping[str, str] | None = None,
        seconds: float = REQUEST_SECONDS,
        limit: int = _LIMIT,
    ) -> Answer:
        """Ask once. Raises HttpsError; CertificateProblemError where the certificate is not good. ``seconds``: for all
        of it; ``limit``: octets of an answer."""
        host = f"{url.host}:{url.port}"
        session = self._session
        if session is None:
            raise HttpsError(host, "the connection is closed")
        data = aiohttp.FormData(dict(form)) if form is not None else body
        timeout = aiohttp.ClientTimeout(total=seconds)

        async def ask() -> Answer:
            async with session.request(
                method, url, headers=dict(headers or {}), data=data, allow_redirects=False, timeout=timeout
            ) as response:
                return await _read(host, response, limit)

        try:
            return await self._judge.reach(Place(url.host or "", url.port or 443), ask)
        except CertificateStopError as error:
            raise CertificateProblemError(host, error) from error
        except TimeoutError as error:
            raise HttpsError(host, f"no answer within {seconds:g} s") from error
        except (aiohttp.ClientError, OSError, asyncio.IncompleteReadError) as error:
            raise HttpsError(host, str(error) or type(error).__name__) from error


async def _read(host: str, response: aiohttp.ClientResponse, limit: int) -> Answer:
    parts, size = [], 0
    while size <= limit and (more := await response.content.read(_LIMIT)):
        parts.append(more)
        size += len(more)
    read = b"".join(parts)
    if size > limit:
        raise HttpsError(host, "the answer is too long")
    location = response.headers.get("Location", "")
    return Answer(
        response.status, read, response.content_type, location, _seconds(response.headers.get("Retry-After", ""))
    )


def _seconds(text: str) -> float:
    """The seconds of a Retry-After header; dates are not used by the servers that this client asks."""
    return float(min(int(text), 3600)) if text.isascii() and text.isdigit() and len(text) < 8 else 0.0
