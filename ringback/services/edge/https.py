"""HTTPS of the world: the edge's own answers, and requests for servers inside, streamed both ways.

The head of a request is read by one parser only, here, and written anew for the server inside; what two parsers could
read differently never reaches a second one.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Final

import aiohttp
import structlog
from aiohttp import WSMsgType, hdrs, web
from multidict import CIMultiDict
from yarl import URL

from ringback.net.closing import abort
from ringback.protocols.edge import Target, TargetError
from ringback.protocols.traversal import Opening
from ringback.rules.edge_paths import Passage, passage
from ringback.services.edge.door import COOKIE, SESSION_SECONDS, Door, Guest, TurnedAway
from ringback.services.edge.settings import HttpsSettings

_SERVER: Final = "CE_C ECS"
_REALM: Final = "Cisco-Edge"
_PIECE: Final = 64 * 1024
_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, connect=5, sock_connect=5, sock_read=75)
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE"})
_OF_ONE_CONNECTION: Final = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "http2-settings",
    }
)
"""RFC 9110 section 7.6.1: they say something between two neighbours only."""
_ABOUT_CLIENTS: Final = frozenset(
    {"forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "host", "content-length"}
)
"""What only a proxy may say, since whoever is outside could claim anything with it; or what is said anew."""

_log = structlog.get_logger("ringback.edge.https")

Own = Callable[[web.BaseRequest, Target, str], Awaitable[web.StreamResponse]]
"""Answers what is asked of the edge itself: the request, the target of its path, and who asks (folded user id)."""


class HttpsFront:
    """Serves the connections of the listener ``https``."""

    def __init__(self, settings: HttpsSettings, door: Door, own: Mapping[str, tuple[bool, Own]]) -> None:
        """``own``: by the last part of the path, whether people must have signed in, and who answers."""
        self._settings = settings
        self._door = door
        self._own = own
        self._session: aiohttp.ClientSession | None = None
        self._openings: dict[int, Opening] = {}
        self._server = web.Server(
            self._handle,
            access_log=None,
            keepalive_timeout=75.0,
            max_line_size=8190,
            max_field_size=8190,
            lingering_time=2.0,
        )

    async def start(self) -> None:
        """Open the connection pool to the servers inside."""
        connector = aiohttp.TCPConnector(
            ssl=self._settings.tls, resolver=self._settings.resolver, limit=0, limit_per_host=200, keepalive_timeout=30
        )
        self._session = aiohttp.ClientSession(
            connector=connector, timeout=_TIMEOUT, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
        )

    async def stop(self) -> None:
        """End all connections."""
        await self._server.shutdown(1.0)
        if self._session is not None:
            await self._session.close()
            self._session = None

    def serve(self, opening: Opening, ours: socket.socket) -> asyncio.Protocol:
        """The protocol of a new connection."""
        self._openings[ours.fileno()] = opening  # a number is taken again only after its socket was closed
        return self._server()

    # --- a request

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        raw, _, query = request.raw_path.partition("?")
        _, _, rest = raw.partition("/")
        segment, slash, path = rest.partition("/")
        if not raw.startswith("/") or not slash:
            return _refusal(404, "There is nothing at this path")
        try:
            target = Target.parse(segment)
        except TargetError as error:
            return _refusal(404, f"There is nothing at this path: {error}")
        if target.domain not in self._settings.domains:
            return _refusal(404, "This edge serves other domains")
        if request.method not in _METHODS:
            return _refusal(405, "This method does not pass the edge")
        if target.server is None:
            return await self._answer_self(request, target, path)
        upgrade = request.headers.get(hdrs.UPGRADE, "").lower()
        found = passage(
            self._settings.allowed,
            scheme=target.scheme or "",
            server=target.server,
            method=request.method,
            path="/" + path,
            socket=bool(upgrade),
        )
        if found.row is None:
            _log.info("edge.passage_refused", why=found.reason.id, **found.reason.values)
            return _refusal(403, "The edge does not lead there")
        guest = await self._who(request, found)
        if isinstance(guest, web.Response):
            return guest
        url = URL(f"{target.scheme}://{target.server}/{path}{'?' + query if query else ''}", encoded=True)
        if upgrade:
            return await self._pass_socket(request, url) if upgrade == "websocket" else _refusal(501, "No such upgrade")
        return await self._pass(request, url, segment, guest)

    async def _answer_self(self, request: web.BaseRequest, target: Target, path: str) -> web.StreamResponse:
        needed, own = self._own.get(path, (False, None))
        if own is None:
            return _refusal(404, "There is nothing at this path")
        if request.method != "GET":
            return _refusal(405, "This can only be read")
        if not needed:
            return await own(request, target, "")
        found = await self._admit(request)
        if isinstance(found, TurnedAway):
            return _turned_away(found)
        answer = await own(request, target, found.user)
        _give_session(answer.headers, found.session, target.domain)
        return answer

    async def _who(self, request: web.BaseRequest, found: Passage) -> str | web.Response:
        """The new session to give; empty where there is none to give."""
        if found.open and not request.headers.get(hdrs.AUTHORIZATION):
            return ""
        guest = await self._admit(request)
        if isinstance(guest, TurnedAway):
            if found.open and guest.status == 401:  # such as the Basic of a token request, which is a client's
                return ""
            return _turned_away(guest)
        return guest.session

    async def _admit(self, request: web.BaseRequest) -> TurnedAway | Guest:
        cookie = request.cookies.get(COOKIE, "")
        return await self._door.admit(request.headers.get(hdrs.AUTHORIZATION, ""), cookie, self._address(request))

    def _address(self, request: web.BaseRequest) -> str:
        transport = request.transport
        ours = None if transport is None else transport.get_extra_info("socket")
        opening = None if ours is None else self._openings.get(ours.fileno())
        return "" if opening is None else opening.peer.host

    async def _pass(self, request: web.BaseRequest, url: URL, segment: str, session: str) -> web.StreamResponse:
        if self._session is None:
            return _refusal(503, "The edge stops")
        body = _pieces(request.content) if request.body_exists else None
        headers = _inward(request.headers)
        if request.content_length is not None and body is not None:
            headers[hdrs.CONTENT_LENGTH] = str(request.content_length)
        answer: web.StreamResponse | None = None
        try:
            async with self._session.request(
                request.method,
                url,
                headers=headers,
                data=body,
                allow_redirects=False,
                skip_auto_headers=(hdrs.USER_AGENT, hdrs.CONTENT_TYPE),
            ) as inner:
                answer = web.StreamResponse(status=inner.status, reason=inner.reason)
                self._outward(inner.headers, answer.headers, url, segment)
                _give_session(answer.headers, session, "")
                await answer.prepare(request)
                async for piece in inner.content.iter_chunked(_PIECE):
                    await answer.write(piece)
                await answer.write_eof()
                return answer
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            _log.warning("edge.next_hop", server=url.host, error=type(error).__name__)
            if answer is None or not answer.prepared:
                return _refusal(502, "Next Hop Connection Failed")
            if request.transport is not None:  # half an answer must not look like a whole one
                abort(request.transport)
            return answer

    async def _pass_socket(self, request: web.BaseRequest, url: URL) -> web.StreamResponse:
        if self._session is None:
            return _refusal(503, "The edge stops")
        wanted = [one.strip() for one in request.headers.get("Sec-WebSocket-Protocol", "").split(",") if one.strip()]
        headers = _inward(request.headers)
        for name in [name for name in headers if name.lower().startswith("sec-websocket-")]:
            del headers[name]
        try:
            async with self._session.ws_connect(url, headers=headers, protocols=wanted, heartbeat=30.0) as inner:
                outer = web.WebSocketResponse(protocols=[inner.protocol] if inner.protocol else (), heartbeat=30.0)
                await outer.prepare(request)
                async with asyncio.TaskGroup() as pumps:
                    pumps.create_task(_pump(inner, outer))
                    pumps.create_task(_pump(outer, inner))
                return outer
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            _log.warning("edge.next_hop", server=url.host, error=type(error).__name__)
            return _refusal(502, "Next Hop Connection Failed")

    def _outward(self, found: Mapping[str, str], headers: CIMultiDict[str], url: URL, segment: str) -> None:
        """What the server inside said, with ways that lead through the edge."""
        named = {one.strip().lower() for one in found.get(hdrs.CONNECTION, "").split(",")}
        for name, value in found.items():
            lower = name.lower()
            if lower in _OF_ONE_CONNECTION or lower in named:
                continue
            if lower == "location":
                headers.add(name, self._way(value, url, segment))
            elif lower == "set-cookie":
                headers.add(name, _cookie(value, segment))
            else:
                headers.add(name, value)

    def _way(self, location: str, url: URL, segment: str) -> str:
        """A redirection to a server on the list goes through the edge too; any other is left as it is."""
        try:
            wanted = url.join(URL(location, encoded=True))
        except ValueError:
            return location
        if wanted.host is None or wanted.scheme not in ("http", "https"):
            return location
        tail = wanted.raw_path_qs + (f"#{wanted.raw_fragment}" if wanted.raw_fragment else "")
        if (wanted.scheme, wanted.host, wanted.port) == (url.scheme, url.host, url.port):
            return f"/{segment}{tail}"
        for row in self._settings.allowed:
            if (row.scheme, row.server.host, row.server.port) == (wanted.scheme, wanted.host, wanted.port):
                return f"/{Target(Target.parse(segment).domain, row.scheme, row.server).segment()}{tail}"
        return location


def _inward(found: Mapping[str, str]) -> CIMultiDict[str]:
    """What the server inside is told; the session of the edge is not its business."""
    named = {one.strip().lower() for one in found.get(hdrs.CONNECTION, "").split(",")}
    headers: CIMultiDict[str] = CIMultiDict()
    for name, value in found.items():
        lower = name.lower()
        if lower in _OF_ONE_CONNECTION or lower in _ABOUT_CLIENTS or lower in named:
            continue
        if lower != "cookie":
            headers.add(name, value)
            continue
        parts = (part.strip() for part in value.split(";"))
        if kept := "; ".join(part for part in parts if part.partition("=")[0] != COOKIE):
            headers.add(name, kept)
    return headers


async def _pieces(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    async for piece in content.iter_chunked(_PIECE):
        yield piece


async def _pump(
    source: aiohttp.ClientWebSocketResponse | web.WebSocketResponse,
    sink: aiohttp.ClientWebSocketResponse | web.WebSocketResponse,
) -> None:
    async for message in source:
        if message.type is WSMsgType.TEXT:
            await sink.send_str(message.data)
        elif message.type is WSMsgType.BINARY:
            await sink.send_bytes(message.data)
    await sink.close(code=source.close_code or 1000)


def _cookie(value: str, segment: str) -> str:
    """A cookie of a server inside is for its own paths at the edge, and for no other host."""
    parts = [part.strip() for part in value.split(";")]
    kept = [part for part in parts if part.partition("=")[0].strip().lower() not in ("domain", "path")]
    path = next((part.partition("=")[2].strip() for part in parts[1:] if part.lower().startswith("path=")), "/")
    return "; ".join([*kept, f"Path=/{segment}{path if path.startswith('/') else '/'}"])


def _give_session(headers: CIMultiDict[str], session: str, domain: str) -> None:
    if session:
        scope = f"; Domain={domain}" if domain else ""
        headers.add(hdrs.SET_COOKIE, f"{COOKIE}={session}; Path=/; Max-Age={SESSION_SECONDS}; Secure; HttpOnly{scope}")


def _refusal(status: int, why: str) -> web.Response:
    reason = why if status == 502 else None
    return web.Response(status=status, reason=reason, text=f"{why}.\n", headers={"Server": _SERVER})


def _turned_away(found: TurnedAway) -> web.Response:
    answer = _refusal(found.status, found.why)
    if found.status == 401:
        answer.headers.add(hdrs.WWW_AUTHENTICATE, f'Bearer realm="{_REALM}"')
        answer.headers.add(hdrs.WWW_AUTHENTICATE, f'Basic realm="{_REALM}"')
    if found.seconds:
        answer.headers[hdrs.RETRY_AFTER] = str(found.seconds)
    return answer
