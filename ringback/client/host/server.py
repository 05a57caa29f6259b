"""The engine host: an HTTP server on loopback that serves the page, its WebSocket, photos and the trace as a file."""

from __future__ import annotations

import asyncio
import errno
import html
import mimetypes
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import structlog
from aiohttp import web

import ringback
from ringback.client.engine.errors import EngineError
from ringback.client.engine.settings import EngineSettings
from ringback.client.engine.ways import WAY_SECONDS
from ringback.client.host.commands import LEAVE_PATH, Tab
from ringback.client.host.security import (
    COOKIE,
    HEADERS,
    RETURN_COOKIE,
    host_allowed,
    origin_allowed,
    token_right,
)
from ringback.client.host.sessions import BrowserSession, BrowserSessions, TooManySessionsError
from ringback.client.host.settings import HostSettings
from ringback.client.host.socket import TabSocket
from ringback.client.host.voice_sounds import VoiceSounds
from ringback.client.store.errors import StoreClosedError, StoreError
from ringback.protocols.oauth.clients import RETURN_PATH
from ringback.rules.catalogue import render
from ringback.rules.reasons import Reason

COOKIE_SECONDS = 30 * 24 * 3600
_HASHED = re.compile(r"[.-][A-Za-z0-9_-]{8,}\.[a-z0-9]+\Z")
_ENCODINGS = (("br", ".br"), ("gzip", ".gz"))

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

log = structlog.get_logger(__name__)

# Addresses inside the page: /chats/<id> and the like.
_PLACES = ("/chats", "/contacts", "/calls", "/voicemail", "/settings")


class EngineHost:
    """Serves pages and holds one engine for each browser session. ``stop`` mirrors ``start``."""

    def __init__(self, settings: HostSettings) -> None:
        self._settings = settings
        engine = EngineSettings(
            data=settings.data,
            name_server=settings.name_server,
            ca_file=settings.ca_file,
            cloud_url=settings.cloud_url,
            use_keyring=settings.use_keyring,
            bootstrap=settings.bootstrap,
            address_books=settings.address_books,
            roaming=settings.roaming,
        )
        if settings.addresses is not None:
            engine = replace(engine, addresses=settings.addresses)
        if settings.addresses_every is not None:
            engine = replace(engine, addresses_every=settings.addresses_every)
        self._sessions = BrowserSessions(engine, settings.grace)
        self._runner: web.AppRunner | None = None
        self._sockets: set[TabSocket] = set()
        self._port = 0

    @property
    def port(self) -> int:
        """The port that is bound; 0 before ``start``."""
        return self._port

    @property
    def url(self) -> str:
        """What to open in a browser, with the token."""
        return f"{self.origin}/?token={self._settings.token}"

    @property
    def origin(self) -> str:
        """The address of the page, without the token."""
        address = self._settings.address
        return f"http://{f'[{address}]' if ':' in address else address}:{self._port}"

    async def start(self) -> None:
        """Bind and serve. Raises OSError where no port of those to try is free."""
        app = web.Application(middlewares=[self._guard], client_max_size=64 * 1024)
        app.router.add_get("/api/socket", self._socket)
        app.router.add_get("/api/photo/{person}", self._photo)
        app.router.add_get("/api/trace.json", self._trace)
        app.router.add_routes(VoiceSounds(self._session_of).routes())
        app.router.add_get(LEAVE_PATH, self._leave)
        app.router.add_get(RETURN_PATH, self._return)
        app.router.add_get("/{path:.*}", self._page)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0, handle_signals=False)
        await self._runner.setup()
        try:
            await self._bind(self._runner)
        except OSError:
            await self._runner.cleanup()
            self._runner = None
            raise

    async def _bind(self, runner: web.AppRunner) -> None:
        wanted = self._settings.port
        for port in range(wanted, wanted + (self._settings.tries if wanted else 1)):
            site = web.TCPSite(runner, self._settings.address, port, reuse_address=True)
            try:
                await site.start()
            except OSError as error:
                await site.stop()
                if error.errno != errno.EADDRINUSE or port == wanted + self._settings.tries - 1:
                    raise
                continue
            self._port = int(runner.addresses[-1][1])
            return

    async def stop(self) -> None:
        """End all tabs and engines."""
        await asyncio.gather(*(socket.close() for socket in tuple(self._sockets)))
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        await self._sessions.close()
        self._port = 0

    # --- who may

    @web.middleware
    async def _guard(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        if not host_allowed(request, self._settings.address, self._port):
            return _words(421, "This is not the host that was asked for", f"Open {self.origin} instead.")
        if request.path.startswith("/api/") and not origin_allowed(request):
            return _words(403, "Another page may not do this", "Open Ringback itself.")
        try:
            response = await handler(request)
        except web.HTTPException as error:
            response = _words(error.status, error.reason, "Go back to the start page.")
        except StoreError as error:
            response = _words(500, "What Ringback keeps on this computer can't be opened", str(error))
        if not response.prepared:
            for name, value in HEADERS.items():
                response.headers.setdefault(name, value)
        return response

    async def _session_of(self, request: web.Request) -> BrowserSession | None:
        cookie = request.cookies.get(COOKIE, "")
        return await self._sessions.find(cookie) if cookie else None

    # --- the page

    async def _page(self, request: web.Request) -> web.StreamResponse:
        token = request.query.get("token")
        if token is not None:
            return await self._enter(request, token)
        try:
            session = await self._session_of(request)
        except TooManySessionsError:
            return _words(503, "Too many browsers are open here", "Close one and try again.")
        if session is None:
            return _words(
                401,
                "Open Ringback with its own link",
                "For your safety this page opens only with the link that was printed where Ringback was started. "
                "It ends in ?token= and some letters.",
            )
        return self._file(request)

    async def _enter(self, request: web.Request, token: str) -> web.StreamResponse:
        """The link with the token: it makes the browser's session and goes out of the address line at once."""
        if not token_right(token, self._settings.token):
            return _words(401, "This link is not valid any more", "Use the link that Ringback printed last.")
        response = web.Response(status=303, headers={"Location": request.path, "Cache-Control": "no-store"})
        if await self._session_of(request) is None:
            response.set_cookie(
                COOKIE, self._sessions.make_cookie(), httponly=True, samesite="Strict", path="/", max_age=COOKIE_SECONDS
            )
        return response

    def _file(self, request: web.Request) -> web.StreamResponse:
        root = self._settings.page.resolve()
        if not (root / "index.html").is_file():
            return _words(
                503,
                "The page is not built",
                "Run make page, which builds it from the web folder, then open this again.",
            )
        path = (root / request.match_info["path"]).resolve()
        if not path.is_relative_to(root) or not path.is_file():
            if not request.path.startswith(_PLACES) and request.path != "/":
                return _words(404, "There is no such page", "Go back to the start page.")
            path = root / "index.html"
        return _static(request, path)

    # --- signing in in the browser

    async def _leave(self, request: web.Request) -> web.StreamResponse:
        """The page goes to the company's sign-in: with a cookie that comes back when another site leads back here."""
        session = await self._session_of(request)
        left = await session.engine.ways.leave(request.query.get("way", ""), session.digest) if session else None
        if session is None or left is None:
            return _words(400, "This sign-in is not open any more", "Go back to the start page and begin it again.")
        url, secret = left
        response = web.Response(status=303, headers={"Location": url, "Cache-Control": "no-store"})
        response.set_cookie(
            RETURN_COOKIE, f"{session.digest}.{secret}", httponly=True, samesite="Lax", path=RETURN_PATH,
            max_age=int(WAY_SECONDS),
        )  # fmt: skip
        return response

    async def _return(self, request: web.Request) -> web.StreamResponse:
        """The company's sign-in leads back. The session's own cookie does not come along from another site, so the
        page that answers goes on to the start page by itself, and then it does."""
        name, _, secret = request.cookies.get(RETURN_COOKIE, "").partition(".")
        why: Reason | None = Reason.of("sign_in.browser.no_question")
        try:
            ours = bool(secret) and name.isascii()  # whatever else somebody puts into a cookie
            session = await self._sessions.known_as(name) if ours else None
            if session is not None:
                why = None
                await session.engine.came_back(list(request.query.items()), secret, session.digest)
        except TooManySessionsError:
            return _words(503, "Too many browsers are open here", "Close one and try again.")
        except EngineError as error:
            why = error.reason
        if why is not None:
            return _words(400, "This sign-in does not count", render(why))
        response = _words(200, "You are signed in there", "This page goes on by itself.", go_to="/")
        response.del_cookie(RETURN_COOKIE, path=RETURN_PATH)
        return response

    # --- the interface

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        # A browser always tells where a WebSocket comes from; one that does not is no page of ours.
        try:
            session = await self._session_of(request)
        except TooManySessionsError:
            return _words(503, "Too many browsers are open here", "Close one and try again.")
        if session is None:
            return _words(401, "Open Ringback with its own link", "The session of this browser is over.")
        tab = Tab(f"http://{request.host}", session.digest)
        socket = TabSocket(session.engine, tab, lambda: self._note_account(session))
        self._sockets.add(socket)
        self._sessions.opened(session)
        try:
            return await socket.serve(request)
        finally:
            self._sockets.discard(socket)
            self._sessions.closed(session)
            await self._note_account(session)

    async def _note_account(self, session: BrowserSession) -> None:
        """Keep, or forget, who goes on in this browser after a restart of the host."""
        try:
            address = session.engine.progress.now.address
            account = await session.engine.accounts.get(address) if address else None
            signed_in = session.engine.session is not None
            keep = address if account is not None and account.remembered and signed_in else ""
            await self._sessions.remember(session, keep)
        except (EngineError, StoreClosedError):  # the engine is closed already
            log.debug("host.account_not_noted")

    async def _photo(self, request: web.Request) -> web.StreamResponse:
        session = await self._session_of(request)
        if session is None:
            return _words(401, "Open Ringback with its own link", "The session of this browser is over.")
        try:
            photo = await session.engine.photo(request.match_info["person"])
        except EngineError:  # signed out meanwhile
            photo = None
        if photo is None:
            return web.Response(status=404, headers={"Cache-Control": "no-store"})
        size = request.query.get("size", "")
        wanted = int(size) if size.isascii() and size.isdigit() and len(size) < 6 else max(photo.sizes)
        tag = f'"{photo.version}-{wanted}"'
        caching = {"ETag": tag, "Cache-Control": "private, max-age=86400"}
        if request.headers.get("If-None-Match") == tag:
            return web.Response(status=304, headers=caching)
        return web.Response(body=photo.at_least(wanted), content_type="image/png", headers=caching)

    async def _trace(self, request: web.Request) -> web.StreamResponse:
        session = await self._session_of(request)
        if session is None:
            return _words(401, "Open Ringback with its own link", "The session of this browser is over.")
        sign_in = session.engine.progress.now
        report = {
            "ringback": ringback.__version__,
            "address": sign_in.address,
            "phase": sign_in.phase,
            "fault": sign_in.fault,
            "seconds": sign_in.seconds,
            "entries": session.engine.trace(),
        }
        return web.Response(
            body=msgspec.json.format(msgspec.json.encode(report), indent=1),
            content_type="application/json",
            headers={"Content-Disposition": 'attachment; filename="ringback-trace.json"', "Cache-Control": "no-store"},
        )


def _static(request: web.Request, path: Path) -> web.StreamResponse:
    """A file of the page, compressed if it lies there compressed and the browser takes it."""
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    headers = {
        "Content-Type": f"{kind}; charset=utf-8" if kind.startswith("text/") or kind.endswith("javascript") else kind,
        "Cache-Control": "public, max-age=31536000, immutable" if _HASHED.search(path.name) else "no-cache",
        "Vary": "Accept-Encoding",
    }
    accepted = {part.split(";")[0].strip() for part in request.headers.get("Accept-Encoding", "").split(",")}
    for encoding, suffix in _ENCODINGS:
        packed = path.with_name(path.name + suffix)
        if encoding in accepted and packed.is_file():
            headers["Content-Encoding"] = encoding
            return web.FileResponse(packed, headers=headers)
    return web.FileResponse(path, headers=headers)


def _words(status: int, title: str, help_text: str, go_to: str = "") -> web.Response:
    """A small page in words, for what happens before the real one is there. ``go_to``: where it goes on at once."""
    onward = f"<meta http-equiv=refresh content='0;url={html.escape(go_to)}'>" if go_to else ""
    # Without a session the start page could only say the same again.
    link = "" if status in (401, 421) else "<p><a href='/'>Go on to Ringback</a></p>"
    body = (
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"{onward}<title>{html.escape(title)} · Ringback</title>"
        "<style>body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:20vh auto;padding:0 1.5rem;"
        "color:#10222a;background:#f6f9fa}h1{font-size:1.5rem}p{color:#3e5159}a{color:#0b5c73}"
        "@media(prefers-color-scheme:dark){body{color:#e9f0f2;background:#0f1a1e}p{color:#bcc9ce}a{color:#7fc4d6}}</style>"
        f"<h1>{html.escape(title)}</h1><p>{html.escape(help_text)}</p>{link}</html>"
    )
    return web.Response(text=body, content_type="text/html", status=status, headers={"Cache-Control": "no-store"})
