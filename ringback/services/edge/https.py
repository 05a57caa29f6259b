"""HTTPS of the world: the edge's own answers, and requests for servers inside, streamed both ways.

The head of a request is read by one parser only, here, and written anew for the server inside; what two parsers could
read differently never reaches a second one.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Final

import aiohttp
import structlog
from aiohttp import WSCloseCode, WSMsgType, hdrs, web
from multidict import CIMultiDict
from yarl import URL

from ringback.net.closing import abort
from ringback.net.node_resolver import local_address
from ringback.protocols.edge import Target, TargetError
from ringback.protocols.traversal import Opening
from ringback.rules.edge_headers import ONCE, inward, session_of
from ringback.rules.edge_paths import Passage, passage, query_fault
from ringback.rules.edge_protection import household_of
from ringback.rules.reasons import Reason
from ringback.rules.throttle import Throttle
from ringback.services.edge.answers import tell
from ringback.services.edge.door import COOKIE, SESSION_SECONDS, Door, Guest, TurnedAway
from ringback.services.edge.guard import Body, Connection, connection
from ringback.services.edge.resolver import GuardedResolver
from ringback.services.edge.settings import HttpsSettings

_SERVER: Final = "CE_C ECS"
_EDGE: Final = "Ringback-Edge"  # by which address the server inside is reached from outside: single sign-on needs it
_REALM: Final = "Cisco-Edge"
_KEPT_CLOSE: Final = "Secure; HttpOnly; SameSite=Strict"
_PIECE: Final = 64 * 1024
_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, connect=5, sock_connect=5, sock_read=75)
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE"})
_WITHOUT_BODY: Final = frozenset({"GET", "HEAD"})
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
    }
)
"""RFC 9110 section 7.6.1: they say something between two neighbours only."""
_MESSAGE: Final = 1024 * 1024  # octets of a message of a WebSocket
_SOCKET_KEY: Final = re.compile(r"[A-Za-z0-9+/]{22}==\Z")  # RFC 6455 section 4.1

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
        self._server = web.Server(self._counted, handler_cancellation=True)
        self.answers: Counter[int] = Counter()
        """Answers since the start, by the first digit of their status."""
        limits = settings.limits
        self._by_address, self._by_person = Throttle(*limits.address), Throttle(*limits.person)

    async def start(self) -> None:
        """Open the connection pool to the servers inside."""
        # No limit for a server: people who wait there for news, or have a WebSocket, would hold up everybody else.
        # Each address and person has its own limits, and the links theirs.
        connector = aiohttp.TCPConnector(
            ssl=self._settings.tls,
            resolver=self._settings.resolver,
            limit=0,
            limit_per_host=0,
            keepalive_timeout=30,
            local_addr=local_address(self._settings.source),
        )
        self._session = aiohttp.ClientSession(
            connector=connector, timeout=_TIMEOUT, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
        )

    def become(self, settings: HttpsSettings) -> None:
        """Use this list, these domains and limits from the next request on. How servers are found and trusted stays,
        but for where names may lead."""
        here, limits = self._settings, settings.limits
        if isinstance(here.resolver, GuardedResolver) and isinstance(settings.resolver, GuardedResolver):
            here.resolver.inside = settings.resolver.inside
        self._settings = replace(here, domains=settings.domains, allowed=settings.allowed, limits=limits)
        if limits != here.limits:
            self._by_address, self._by_person = Throttle(*limits.address), Throttle(*limits.person)

    async def stop(self) -> None:
        """End all connections."""
        await self._server.shutdown(1.0)
        if self._session is not None:
            await self._session.close()
            self._session = None

    def serve(self, opening: Opening) -> asyncio.Protocol:
        """The protocol of a new connection."""
        return connection(self._server, opening, self._settings.limits)

    # --- a request

    async def _counted(self, request: web.BaseRequest) -> web.StreamResponse:
        answer = await self._handle(request)
        self.answers[answer.status // 100] += 1
        return answer

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if seconds := _count(self._by_address, household_of(_address(request))):
            return _too_many(seconds)
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
        if any(len(request.headers.getall(name, ())) > 1 for name in ONCE):
            return _refusal(400, "A header that stands once stands twice")
        if not _is_text(request):
            return _refusal(400, "A header is no text")
        if request.body_exists and request.method in _WITHOUT_BODY:
            return _refusal(400, "A request that only reads has no body")
        if target.server is None:
            return await self._answer_self(request, target, path)
        return await self._lead(request, target, segment, path, query)

    async def _lead(
        self, request: web.BaseRequest, target: Target, segment: str, path: str, query: str
    ) -> web.StreamResponse:
        """To a server inside, where the list and the person's sign-in allow it."""
        if target.server is None:
            return _refusal(404, "There is nothing at this path")
        upgrade = request.headers.get(hdrs.UPGRADE, "").lower()
        found = passage(
            self._settings.allowed,
            scheme=target.scheme or "",
            server=target.server,
            method=request.method,
            path="/" + path,
            socket=bool(upgrade),
        )
        fault = query_fault(query) or (found.reason if found.row is None else None)
        if found.row is None or fault is not None:
            reason = fault or found.reason
            _log.info("edge.passage_refused", why=reason.id, **reason.values)
            return _refusal(403, "The edge does not lead there")
        if upgrade and (refused := _no_socket(request, upgrade)):
            return refused
        if (request.content_length or 0) > found.row.largest:
            return _refusal(413, "This is more than the edge passes on", last=True)
        guest = await self._who(request, found)
        if isinstance(guest, web.Response):
            return guest
        url = URL(f"{target.scheme}://{target.server}/{path}{'?' + query if query else ''}", encoded=True)
        if upgrade:
            return await self._pass_socket(request, url, guest.user)
        body = Body(request.content, found.row.largest, self._settings.limits) if request.body_exists else None
        answer = await self._pass(request, url, segment, guest.session, body)
        # What is shown at an open page was looked at here already, and counted where it was wrong.
        tried = guest.user != "" if hdrs.AUTHORIZATION in request.headers else request.method == "POST"
        accounts = found.row.accounts and answer.status == 401
        # At a page for signing in, or with an account of that server, nobody else counts what failed.
        if tried and (accounts or (found.open and answer.status in (401, 403))):
            self._door.failed_inside(_address(request), guest.user)
        return answer

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

    async def _who(self, request: web.BaseRequest, found: Passage) -> Guest | web.Response:
        """Who asks; nobody in particular where that is not needed."""
        if found.open and (blocked := self._door.kept_out(_address(request))) is not None:
            return _turned_away(blocked)
        if found.open and not request.headers.get(hdrs.AUTHORIZATION):
            return Guest("")
        guest = await self._admit(request, accounts=found.row is not None and found.row.accounts)
        if isinstance(guest, TurnedAway):
            if found.open and guest.status == 401:  # such as the Basic of a token request, which is a client's
                return Guest("")
            return _turned_away(guest)
        if not found.open and not request.headers.get(hdrs.AUTHORIZATION) and _is_foreign(request):
            return _refusal(403, "Another site began this request, with the cookie of a person")
        if seconds := _count(self._by_person, guest.user):
            return _too_many(seconds)
        return guest

    async def _admit(self, request: web.BaseRequest, *, accounts: bool = False) -> TurnedAway | Guest:
        """Who asks. ``accounts``: a password may be meant for an account of the server inside, and then says nothing
        here; the session does."""
        cookie = session_of(request.headers.items(), COOKIE)
        shown, address = request.headers.get(hdrs.AUTHORIZATION, ""), _address(request)
        if accounts and cookie and shown.lower().startswith("basic "):
            known = await self._door.admit("", cookie, address)
            if isinstance(known, Guest) or known.status != 401:
                return known
        return await self._door.admit(shown, cookie, address)

    async def _pass(
        self, request: web.BaseRequest, url: URL, segment: str, session: str, body: Body | None
    ) -> web.StreamResponse:
        if self._session is None:
            return _refusal(503, "The edge stops")
        headers = CIMultiDict(inward(request.headers.items(), COOKIE))
        if expected := request.headers.get(hdrs.EXPECT):
            if expected.lower() != "100-continue":
                return _refusal(417, "The edge can't meet this expectation")
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        headers[_EDGE] = f"https://{request.headers.get(hdrs.HOST, '')}/{segment}"
        if request.content_length is not None and body is not None:
            headers[hdrs.CONTENT_LENGTH] = str(request.content_length)
        answer: web.StreamResponse | None = None
        try:
            async with self._session.request(
                request.method,
                url,
                headers=headers,
                data=body.pieces() if body is not None else None,
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
            if body is not None and body.fault and (answer is None or not answer.prepared):
                return _refusal(body.fault, "The body of the request is not one that passes the edge", last=True)
            _log.warning("edge.next_hop", server=url.host, error=type(error).__name__)
            if answer is None or not answer.prepared:
                return _refusal(502, "Next Hop Connection Failed")
            if request.transport is not None:  # half an answer must not look like a whole one
                abort(request.transport)
            return answer

    async def _pass_socket(self, request: web.BaseRequest, url: URL, user: str) -> web.StreamResponse:
        """Both ways, until one of them ends, or the person may not have it any more."""
        if self._session is None:
            return _refusal(503, "The edge stops")
        wanted = [one.strip() for one in request.headers.get("Sec-WebSocket-Protocol", "").split(",") if one.strip()]
        headers = CIMultiDict(inward(request.headers.items(), COOKIE))
        try:
            async with self._session.ws_connect(
                url, headers=headers, protocols=wanted, heartbeat=30.0, max_msg_size=_MESSAGE
            ) as inner:
                outer = web.WebSocketResponse(
                    protocols=[inner.protocol] if inner.protocol else (),
                    heartbeat=30.0,
                    max_msg_size=_MESSAGE,
                    compress=False,  # nothing that grows on being read
                )
                await outer.prepare(request)
                ended: list[Reason] = []
                async with asyncio.TaskGroup() as pumps:
                    both = pumps.create_task(_pump(inner, outer)), pumps.create_task(_pump(outer, inner))

                    def end(reason: Reason) -> None:
                        ended.append(reason)
                        for pump in both:
                            pump.cancel()

                    leave = self._door.stay(user, end)
                    both[0].add_done_callback(lambda _: leave())
                if ended:
                    await outer.close(code=WSCloseCode.POLICY_VIOLATION, message=ended[0].id.encode())
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
                if value.partition("=")[0].strip().lower() != COOKIE.lower():  # that one is the edge's own to give
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


def _address(request: web.BaseRequest) -> str:
    """Whose connection it is. Raises ConnectionResetError where it is gone."""
    found = request.protocol
    if not isinstance(found, Connection):
        raise ConnectionResetError
    return found.opening.peer.host


def _count(throttle: Throttle, who: str) -> int:
    """Count a request; the seconds to wait where it is one too many."""
    now = asyncio.get_running_loop().time()
    if seconds := throttle.wait(who, now):
        return seconds
    throttle.count(who, now)
    return 0


def _no_socket(request: web.BaseRequest, upgrade: str) -> web.Response | None:
    """Why this is not the beginning of a WebSocket (RFC 6455 section 4.2.1); None where it is."""
    if upgrade != "websocket":
        return _refusal(501, "There is no such upgrade")
    named = {one.strip().lower() for one in request.headers.get(hdrs.CONNECTION, "").split(",")}
    key = request.headers.get(hdrs.SEC_WEBSOCKET_KEY, "")
    if request.method != "GET" or request.body_exists or "upgrade" not in named or not _SOCKET_KEY.match(key):
        return _refusal(400, "This is not the beginning of a WebSocket")
    if request.headers.get(hdrs.SEC_WEBSOCKET_VERSION) != "13":
        answer = _refusal(426, "The edge speaks version 13 of WebSockets")
        answer.headers[hdrs.SEC_WEBSOCKET_VERSION] = "13"
        return answer
    return None


def _is_text(request: web.BaseRequest) -> bool:
    """Whether path and headers can be passed on as they came."""
    try:
        request.raw_path.encode()
        for _, value in request.raw_headers:
            value.decode()
    except UnicodeError:
        return False
    return True


def _is_foreign(request: web.BaseRequest) -> bool:
    """Whether a page of another site had a browser send this."""
    origin = request.headers.get(hdrs.ORIGIN)
    return origin is not None and origin.lower() != f"https://{request.headers.get(hdrs.HOST, '').lower()}"


async def _pump(
    source: aiohttp.ClientWebSocketResponse | web.WebSocketResponse,
    sink: aiohttp.ClientWebSocketResponse | web.WebSocketResponse,
) -> None:
    """One direction, until either side ends."""
    with contextlib.suppress(aiohttp.ClientError, OSError):  # who is gone is told no more
        async for message in source:
            if message.type is WSMsgType.TEXT:
                await sink.send_str(message.data)
            elif message.type is WSMsgType.BINARY:
                await sink.send_bytes(message.data)
    await sink.close(code=_sendable(source.close_code))


def _sendable(code: int | None) -> int:
    """A close code that may be sent (RFC 6455 section 7.4): some are only for one's own use."""
    return code if code is not None and (1000 <= code <= 1003 or 1007 <= code <= 1011 or 3000 <= code < 5000) else 1001


def _cookie(value: str, segment: str) -> str:
    """A cookie of a server inside is for its own paths at the edge, and for no other host."""
    parts = [part.strip() for part in value.split(";")]
    kept = [part for part in parts if part.partition("=")[0].strip().lower() not in ("domain", "path")]
    path = next((part.partition("=")[2].strip() for part in parts[1:] if part.lower().startswith("path=")), "/")
    return "; ".join([*kept, f"Path=/{segment}{path if path.startswith('/') else '/'}"])


def _give_session(headers: CIMultiDict[str], session: str, domain: str) -> None:
    if session:
        scope = f"; Domain={domain}" if domain else ""
        headers.add(hdrs.SET_COOKIE, f"{COOKIE}={session}; Path=/; Max-Age={SESSION_SECONDS}; {_KEPT_CLOSE}{scope}")


def _refusal(status: int, why: str, *, last: bool = False) -> web.Response:
    """``last``: the connection ends with it, since nobody wants to read the rest of the request."""
    reason = why if status == 502 else None
    headers = {"Server": _SERVER, "X-Content-Type-Options": "nosniff"}
    answer = web.Response(status=status, reason=reason, text=f"{why}.\n", headers=headers)
    if last:
        answer.force_close()
    return answer


def _too_many(seconds: int) -> web.Response:
    answer = _refusal(429, "Too many requests")
    answer.headers[hdrs.RETRY_AFTER] = str(seconds)
    return answer


def _turned_away(found: TurnedAway) -> web.Response:
    answer = _refusal(found.status, found.why)
    tell(answer, found.reason)
    if found.status == 401:
        answer.headers.add(hdrs.WWW_AUTHENTICATE, f'Basic realm="{_REALM}"')  # first: some clients read no other
        answer.headers.add(hdrs.WWW_AUTHENTICATE, f'Bearer realm="{_REALM}"')
    if found.seconds:
        answer.headers[hdrs.RETRY_AFTER] = str(found.seconds)
    return answer
