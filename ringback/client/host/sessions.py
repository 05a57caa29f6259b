"""Browser sessions, each with its engine, which outlives the last tab for a while: so a reload costs nothing."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from dataclasses import dataclass

import structlog

from ringback.client.engine.engine import Engine
from ringback.client.engine.errors import EngineError
from ringback.client.engine.settings import EngineSettings

SESSIONS_LIMIT = 64

log = structlog.get_logger(__name__)


class TooManySessionsError(Exception):
    """More browsers than this host is made for."""


def digest(cookie: str) -> str:
    """Under which a session is known here: the cookie itself is kept nowhere."""
    return hashlib.sha256(cookie.encode("utf-8", "replace")).hexdigest()


@dataclass(slots=True)
class BrowserSession:
    """One browser: its engine and how many tabs look at it."""

    digest: str
    engine: Engine
    tabs: int = 0
    ending: asyncio.TimerHandle | None = None


class BrowserSessions:
    """All browser sessions of the host."""

    def __init__(self, settings: EngineSettings, grace: float) -> None:
        self._settings = settings
        self._grace = grace
        self._sessions: dict[str, BrowserSession] = {}
        self._known: dict[str, None] = {}
        self._lock = asyncio.Lock()
        self._ends: set[asyncio.Task[None]] = set()

    def make_cookie(self) -> str:
        """A new session's cookie: 256 random bits."""
        cookie = secrets.token_urlsafe(32)
        self._known[digest(cookie)] = None
        while len(self._known) > SESSIONS_LIMIT * 4:
            self._known.pop(next(iter(self._known)))
        return cookie

    async def find(self, cookie: str) -> BrowserSession | None:
        """The session of a cookie, its engine started; None where the cookie is none of ours.

        After a restart of the host a session goes on by itself where its person wanted to be remembered.
        """
        return await self.known_as(digest(cookie))

    async def known_as(self, name: str) -> BrowserSession | None:
        """The session that is known by this digest, as ``find``."""
        async with self._lock:
            session = self._sessions.get(name)
            if session is not None:
                return session
            if len(self._sessions) >= SESSIONS_LIMIT:
                raise TooManySessionsError
            engine = Engine(self._settings)
            await engine.start()
            try:
                address = await engine.accounts.session(name)
                if address or name in self._known or await engine.ways.waits(name):
                    session = self._sessions[name] = BrowserSession(name, engine)
            finally:
                if session is None:
                    await engine.close()
            if session is None:
                return None
            self._plan_end(session)
        if address:
            try:
                await engine.use_known(address)
            except EngineError as error:
                log.info("host.not_remembered", reason=error.reason.id)
        return session

    def opened(self, session: BrowserSession) -> None:
        """A tab looks at the session."""
        session.tabs += 1
        if session.ending is not None:
            session.ending.cancel()
            session.ending = None

    def closed(self, session: BrowserSession) -> None:
        """A tab went."""
        session.tabs -= 1
        if session.tabs <= 0:
            self._plan_end(session)

    def _plan_end(self, session: BrowserSession) -> None:
        if session.ending is not None:
            session.ending.cancel()
        loop = asyncio.get_running_loop()
        session.ending = loop.call_later(self._grace, self._end_soon, session)

    def _end_soon(self, session: BrowserSession) -> None:
        if self._sessions.get(session.digest) is session and session.tabs <= 0:
            del self._sessions[session.digest]
            self._known[session.digest] = None
            task = asyncio.create_task(session.engine.close(), name="engine end")
            self._ends.add(task)
            task.add_done_callback(self._ends.discard)

    async def remember(self, session: BrowserSession, address: str) -> None:
        """Note (or with an empty address forget) who goes on in this browser after a restart of the host."""
        await session.engine.accounts.set_session(session.digest, address)

    async def close(self) -> None:
        """End all engines."""
        sessions = list(self._sessions.values())
        self._sessions.clear()
        for session in sessions:
            if session.ending is not None:
                session.ending.cancel()
        await asyncio.gather(*(session.engine.close() for session in sessions), *self._ends, return_exceptions=True)
