"""Questions over verified HTTPS to a person's own servers: bounded in time and size, redirects never followed.

This is the one place where the client's HTTP goes out, directly or, where the person is outside the company's network,
through the edge: ``EdgeRoute`` says which at each request, and nobody who asks needs to know.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from types import TracebackType
from typing import Self

import aiohttp
from yarl import URL

from ringback.client.edge.problems import SERVER, EdgeProblemError, reason_in, reason_of
from ringback.client.edge.way import EdgeRoute, EdgeWay
from ringback.client.trust import CertificateStopError, Expected, Place, TrustJudge
from ringback.net.names import NameClient, NameResolver
from ringback.protocols.edge import KIND_HEADER
from ringback.rules.edge_access import ClientKind
from ringback.rules.reasons import Reason

REQUEST_SECONDS = 8.0
EDGE_CONNECT_SECONDS = 3.0  # for one outer proxy, while there is another one to try
_LIMIT = 4 * 1024 * 1024
_COOKIE = "X-Auth"
_SAFE = ("GET", "HEAD")  # may be asked again where it is not known whether the first one was heard
_SHORT = 2.0  # seconds that an edge asks to wait for, and that are waited here


class HttpsError(Exception):
    """No usable answer came from ``server``; ``detail`` is the literal error.

    ``reason``: the same as a sentence, where an edge gave one; ``status`` of its answer, ``wait``: seconds to leave it
    alone. ``sent``: it may have been heard.
    """

    def __init__(
        self,
        server: str,
        detail: str,
        *,
        reason: Reason | None = None,
        status: int = 0,
        wait: float = 0.0,
        sent: bool = False,
    ) -> None:
        super().__init__(f"{server}: {detail}")
        self.server = server
        self.detail = detail
        self.reason = reason
        self.status = status
        self.wait = wait
        self.sent = sent


class CertificateProblemError(HttpsError):
    """The server's certificate stands in the way; ``stop`` says what may be done about it."""

    def __init__(self, server: str, stop: CertificateStopError) -> None:
        super().__init__(server, str(stop))
        self.stop = stop


@dataclass(frozen=True, slots=True)
class Answer:
    """What came over HTTP. ``location``: where it redirects to; ``retry_after``: seconds to leave the server alone;
    ``of_edge``: the edge itself said it, not the server that was asked, ``reason`` being its sentence where it has one
    for this; ``access``: what it lets the person use (``all``, ``messaging``), where it says so."""

    status: int
    body: bytes = field(repr=False)
    kind: str
    location: str = field(default="", repr=False)
    retry_after: float = 0.0
    of_edge: bool = False
    reason: Reason | None = None
    access: str = ""


@dataclass(frozen=True, slots=True)
class _Request:
    """One question, wherever it goes."""

    method: str
    url: URL
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)
    form: Mapping[str, str] | None = field(repr=False)
    seconds: float
    limit: int

    @property
    def proven(self) -> bool:
        """Whether it carries what proves who the person is."""
        return "Authorization" in self.headers


class Https:
    """An async context manager. ``request`` raises HttpsError. No cookies are kept unless ``cookies`` is set."""

    def __init__(
        self,
        names: NameClient,
        judge: TrustJudge,
        *,
        cookies: bool = False,
        route: EdgeRoute | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """``route``: says whether one asks through an edge; None: never. ``clock``: seconds since 1970."""
        self._names = names
        self._judge = judge
        self._cookies = cookies
        self._route = route or EdgeRoute()
        self._clock = clock
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
        """Ask once, through the edge where the route says so. Raises HttpsError; CertificateProblemError where the
        certificate is not good. ``seconds``: for all of it; ``limit``: octets of an answer."""
        asked = _Request(method, url, dict(headers or {}), body, form, seconds, limit)
        way = self._route.now
        if way is None:
            return (await self._send(asked, url, Expected()))[0]
        answer, stale = await self._through(way, asked)
        if answer.status == 401 and answer.of_edge and not asked.proven and way.proof is not None:
            await self._renew(way, stale)
            answer, _ = await self._through(way, asked)
        return _passed(way, asked, answer)

    async def ask_edge(
        self, way: EdgeWay, path: str, headers: Mapping[str, str] | None = None, *, seconds: float = REQUEST_SECONDS
    ) -> Answer:
        """GET what the edge itself answers, whatever the route says; it hears what kind of client asks. Raises as
        ``request``."""
        told = {KIND_HEADER: ClientKind.DESKTOP.value, **(headers or {})}
        asked = _Request("GET", URL(), told, None, None, seconds, _LIMIT)
        answer, _ = await self._through(way, asked, path)
        return _passed(way, asked, answer)

    def address_of(self, url: URL) -> URL:
        """The address by which the person's browser reaches a server inside."""
        way = self._route.now
        return url if way is None else way.url(url)

    # --- through the edge

    async def _renew(self, way: EdgeWay, stale: str) -> None:
        """Another session in place of one that the edge does not know; of many who want one at once, one asks."""
        async with way.renewing:
            if way.session and way.session != stale:
                return
            if way.proof is None:
                return
            try:
                headers = {"Authorization": await way.proof()}
            except EdgeProblemError as error:
                raise HttpsError(str(way.edge), error.reason.id, reason=error.reason, wait=error.wait) from error
            await self.ask_edge(way, "get_edge_config", headers)

    async def _through(self, way: EdgeWay, asked: _Request, own: str = "") -> tuple[Answer, str]:
        """Ask the outer proxies in their order until one answers, and take over what they say of the way. Gives the
        session that was shown, too."""
        if asked.proven and way.refused(asked.headers["Authorization"], self._clock()):
            return Answer(401, b"", "", of_edge=True), ""
        problem: HttpsError | None = None
        busy = False
        edges = list(way.edges)
        while edges:
            if (shut := way.closed(self._clock())) is not None:
                raise HttpsError(str(way.edge), shut[0].id, reason=shut[0], status=429, wait=shut[1])
            edge, session = edges[0], way.session
            try:
                target = way.own(own, edge) if own else way.url(asked.url, edge)
            except ValueError as error:
                raise HttpsError(f"{asked.url.host}:{asked.url.port}", str(error)) from error
            try:
                answer, given = await self._send(
                    asked, target, way.expected(edge), session, EDGE_CONNECT_SECONDS if len(edges) > 1 else None
                )
            except HttpsError as error:
                way.dead(edge)
                if error.sent and asked.method not in _SAFE:
                    raise
                problem = problem if problem is not None and isinstance(error, CertificateProblemError) else error
                edges.pop(0)
                continue
            if given:
                way.given(given, self._clock())
            if answer.status == 429 and answer.of_edge and 0 < answer.retry_after <= _SHORT and not busy:
                busy = True  # it looks at one sign-in of a person at a time
                await asyncio.sleep(answer.retry_after)
                continue
            self._heard(way, asked, answer, session)
            return answer, session
        raise problem or HttpsError(str(way.edge), "no edge is known")

    def _heard(self, way: EdgeWay, asked: _Request, answer: Answer, session: str) -> None:
        if not answer.of_edge:
            return
        if answer.status == 401:
            if asked.proven:
                way.refuse(asked.headers["Authorization"], self._clock())
            else:
                way.over(session)
        if answer.status == 429 and _is_block(answer):
            reason = reason_of(429, way.edge, domain=way.domain, wait=answer.retry_after)
            if reason is not None:
                way.close(reason, self._clock() + answer.retry_after)

    # --- one request

    async def _send(
        self, asked: _Request, url: URL, expected: Expected, session: str = "", connect: float | None = None
    ) -> tuple[Answer, str]:
        """Ask one server. Gives the answer and the session of an edge that came with it."""
        host = f"{url.host}:{url.port}"
        client = self._session
        if client is None:
            raise HttpsError(host, "the connection is closed")
        data = aiohttp.FormData(dict(asked.form)) if asked.form is not None else asked.body
        timeout = aiohttp.ClientTimeout(total=asked.seconds, sock_connect=connect)
        headers = dict(asked.headers)
        if session:
            headers["Cookie"] = f"{_COOKIE}={session}"
        sent = False

        async def ask() -> tuple[Answer, str]:
            nonlocal sent
            async with client.request(
                asked.method, url, headers=headers, data=data, allow_redirects=False, timeout=timeout,
                ssl=self._judge.context(expected),
            ) as response:  # fmt: skip
                sent = True
                return await _read(host, response, asked.limit), _session_in(response)

        try:
            return await self._judge.reach(Place(url.host or "", url.port or 443, expected), ask)
        except CertificateStopError as error:
            raise CertificateProblemError(host, error) from error
        except aiohttp.ConnectionTimeoutError as error:
            raise HttpsError(host, "it does not answer") from error
        except TimeoutError as error:
            raise HttpsError(host, f"no answer within {asked.seconds:g} s", sent=True) from error
        except aiohttp.ClientConnectorError as error:
            why = error.os_error.strerror or type(error.os_error).__name__
            raise HttpsError(host, why, sent=sent) from error
        except (aiohttp.ClientError, OSError, asyncio.IncompleteReadError) as error:
            raise HttpsError(host, str(error) or type(error).__name__, sent=True) from error


def _is_block(answer: Answer) -> bool:
    """Whether the edge shuts us out, and is not only busy. Edges of others don't say why; they block for minutes."""
    named = answer.reason.id == "edge.sign_in.blocked" if answer.reason is not None else answer.retry_after >= 60.0
    return named and answer.retry_after > _SHORT


def _passed(way: EdgeWay, asked: _Request, answer: Answer) -> Answer:
    """The answer, where it is one to go on with. Raises HttpsError where the edge did not let the question pass. A
    refused sign-in is left to who asked, as it would be without an edge."""
    if not answer.of_edge or answer.status in (200, 401):
        return answer
    server = asked.url.host or ""
    reason = answer.reason
    if reason is None or answer.status == 429:  # here the edge and the time are known, too
        reason = reason_of(answer.status, way.edge, domain=way.domain, server=server, wait=answer.retry_after)
    if reason is None:
        return answer
    raise HttpsError(
        str(way.edge), f"HTTP {answer.status}", reason=reason, status=answer.status, wait=answer.retry_after
    )


def _session_in(response: aiohttp.ClientResponse) -> str:
    """The session that an edge gave with this answer; empty: none."""
    for text in response.headers.getall("Set-Cookie", ()):
        if text.startswith(f"{_COOKIE}="):
            try:
                morsel = SimpleCookie(text).get(_COOKIE)
            except CookieError:
                continue
            if morsel is not None and morsel.value.isprintable() and len(morsel.value) <= 512:
                return morsel.value
    return ""


async def _read(host: str, response: aiohttp.ClientResponse, limit: int) -> Answer:
    parts, size = [], 0
    while size <= limit and (more := await response.content.read(_LIMIT)):
        parts.append(more)
        size += len(more)
    read = b"".join(parts)
    if size > limit:
        raise HttpsError(host, "the answer is too long")
    heads = response.headers
    of_edge = heads.get("Server", "") == SERVER
    return Answer(
        response.status,
        read,
        response.content_type,
        heads.get("Location", ""),
        _seconds(heads.get("Retry-After", "")),
        of_edge,
        reason_in(heads.get("Ringback-Reason", ""), heads.get("Ringback-Reason-Values", "")) if of_edge else None,
        heads.get("Ringback-Remote-Access", "") if of_edge else "",
    )


def _seconds(text: str) -> float:
    """The seconds of a Retry-After header; dates are not used by the servers that this client asks."""
    return float(min(int(text), 3600)) if text.isascii() and text.isdigit() and len(text) < 8 else 0.0
