"""Sounds between page and engine over HTTP: of messages and greetings to be played, and recordings to be sent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import get_args

from aiohttp import web

from ringback.client.engine.errors import EngineError
from ringback.client.host.sessions import BrowserSession
from ringback.client.host.wire_voicemail import GreetingKind
from ringback.client.voicemail.service import Voicemail
from ringback.client.voicemail.sounds import RECORDING_LIMIT, playable
from ringback.rules.catalogue import render
from ringback.rules.reasons import Reason

_GREETINGS: tuple[GreetingKind, ...] = get_args(GreetingKind)
_NO_STORE = {"Cache-Control": "no-store"}  # what is heard stays in the encrypted store only


class VoiceSounds:
    """The routes; ``session_of`` gives the browser's session of a request."""

    def __init__(self, session_of: Callable[[web.Request], Awaitable[BrowserSession | None]]) -> None:
        self._session_of = session_of

    def routes(self) -> Sequence[web.RouteDef]:
        """What to add to the router."""
        return [
            web.get("/api/voicemail/{message}", self._message),
            web.get("/api/greeting/{kind}", self._greeting),
            web.post("/api/recording", self._record),
        ]

    async def _message(self, request: web.Request) -> web.Response:
        try:
            voicemail = await self._voicemail(request)
            return await _wav(await voicemail.sound(request.match_info["message"][:128]))
        except EngineError as error:
            return _refused(error)

    async def _greeting(self, request: web.Request) -> web.Response:
        kind = next((one for one in _GREETINGS if one == request.match_info["kind"]), None)
        if kind is None:
            return web.Response(status=404, headers=_NO_STORE)
        try:
            voicemail = await self._voicemail(request)
            return await _wav(await voicemail.greeting_sound(kind))
        except EngineError as error:
            return _refused(error)

    async def _record(self, request: web.Request) -> web.Response:
        parts: list[bytes] = []
        size = 0
        async for chunk in request.content.iter_chunked(64 * 1024):
            size += len(chunk)
            if size > RECORDING_LIMIT:
                return web.Response(status=413, headers=_NO_STORE)
            parts.append(chunk)
        try:
            voicemail = await self._voicemail(request)
            name = await asyncio.to_thread(voicemail.recordings.put, b"".join(parts))
        except EngineError as error:
            return _refused(error)
        return web.Response(text=name, status=201, headers=_NO_STORE)

    async def _voicemail(self, request: web.Request) -> Voicemail:
        session = await self._session_of(request)
        if session is None:
            raise EngineError(Reason.of("engine.not_signed_in"))
        return session.engine.signed_in().voicemail


async def _wav(data: bytes) -> web.Response:
    body = await asyncio.to_thread(playable, data)
    return web.Response(body=body, content_type="audio/wav", headers=_NO_STORE)


def _refused(error: EngineError) -> web.Response:
    return web.Response(text=render(error.reason), status=409, headers=_NO_STORE)
