"""The calls of one SIP connection of the world: their descriptions rewritten, their ports opened and closed again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

import structlog

from ringback.protocols.edge.call_media import CallMedia, Place
from ringback.protocols.edge.session_media import Answer, Inside, Kind, NotEncryptedError, Places, Side
from ringback.protocols.edge.sip_screen import Refused
from ringback.protocols.sdp.description import Description, SdpError
from ringback.protocols.sip.message import Request, Response
from ringback.rules.reasons import Reason
from ringback.services.edge.media_inner import NoMediaError
from ringback.services.edge.media_stream import Stream

MOST: Final = 32
"""Calls of one connection."""
_RETRY: Final = (("Retry-After", "10"),)

_log = structlog.get_logger("ringback.edge.sip")

OpenStream = Callable[[Kind], Awaitable[Stream]]
"""Opens ports for a stream. Raises NoMediaError."""


@dataclass(slots=True)
class _Call:
    """A call and its streams by section."""

    media: CallMedia
    streams: dict[int, Stream] = field(default_factory=dict)


@dataclass(slots=True)
class CallFigures:
    """Calls of all connections of a company: ``begun`` since the start, and ``now``."""

    begun: int = 0
    now: int = 0


class Calls:
    """See the head of the module. ``close`` must be called at the end of the connection."""

    def __init__(self, inside: Inside, open_stream: OpenStream, figures: CallFigures | None = None) -> None:
        self._figures = figures or CallFigures()
        self._inside: Inside = inside
        self._open_stream = open_stream
        self._calls: dict[str, _Call] = {}
        self._closed = False

    def __len__(self) -> int:
        return len(self._calls)

    @property
    def streams(self) -> tuple[Stream, ...]:
        """Those that are open."""
        return tuple(stream for call in self._calls.values() for stream in call.streams.values())

    async def pass_request(self, request: Request, side: Side) -> Refused | None:
        """A request on its way, its description rewritten; why it can't go on. Raises MalformedMessage."""
        call_id = request.call_id
        call = self._calls.get(call_id)
        if call is None:
            if request.method != "INVITE":
                return None
            if len(self._calls) >= MOST:
                return Refused(503, Reason.of("edge.sip.busy"), headers=_RETRY)
            call = self._calls[call_id] = _Call(CallMedia(self._inside))
            self._figures.begun += 1
            self._figures.now += 1
            call.media.confirmed = bool(request.to_tag)  # a call that moved here from another connection
        place = call.media.of_request(request, side)
        refused = None
        if place.role == "offer":
            refused = await self._offer(call, place, request, side)
        elif place.role == "answer":
            self._answer(call, place, request)
        if refused is not None and request.method == "INVITE" and not call.media.confirmed:
            call.media.over = True
        self._look(call_id, call)
        return refused

    async def pass_response(self, response: Response, side: Side) -> None:
        """A response on its way. Raises MalformedMessage."""
        call_id = response.call_id
        call = self._calls.get(call_id)
        if call is None:
            return
        place = call.media.of_response(response, side)
        if place.role == "offer":
            kept = call.media.kept(place, response.body)
            if kept is not None:
                response.body = kept
            elif (await self._offer(call, place, response, side)) is not None:
                response.body = b""
        elif place.role == "answer":
            self._answer(call, place, response)
        self._look(call_id, call)

    def close(self) -> None:
        """End all calls' media."""
        self._closed = True
        calls, self._calls = self._calls, {}
        self._figures.now -= len(calls)
        for call in calls.values():
            _close(call)

    async def _offer(self, call: _Call, place: Place, message: Request | Response, side: Side) -> Refused | None:
        media = call.media.media
        try:
            offered = Description.parse(message.body)
            for index, kind in media.wanted(offered, side):
                stream = await self._open_stream(kind)
                if self._closed or call.media.over:
                    stream.close()
                    return None
                call.streams[index] = stream
                media.give(index, Places(stream.outside, stream.inside))
            message.body = call.media.offer(place, offered, side, message.body)
        except NotEncryptedError:
            return Refused(488, Reason.of("edge.sip.not_encrypted"))
        except SdpError as error:
            _log.info("edge.sip_description", why=str(error), side=side)
            return Refused(400, Reason.of("edge.sip.unreadable"))
        except NoMediaError as error:
            _log.warning("edge.no_media", why=str(error))
            return Refused(503, Reason.of("edge.sip.no_media"), headers=_RETRY)
        return None

    def _answer(self, call: _Call, place: Place, message: Request | Response) -> None:
        answered: Description | None = None
        try:
            answered = Description.parse(message.body)
            message.body, found = call.media.answer(place, answered, message.body)
            self._agree(call, place, found)
        except SdpError as error:
            _log.warning("edge.sip_answer", why=str(error))
            message.body = call.media.refusal(place, answered)

    def _agree(self, call: _Call, place: Place, found: Answer) -> None:
        for index, terms in enumerate(found.terms):
            stream = call.streams.get(index)
            if stream is None:
                continue
            if terms is not None:
                stream.agree(terms)
            elif call.media.ended(place, index):
                stream.close()
                del call.streams[index]
                call.media.media.drop(index)

    def _look(self, call_id: str, call: _Call) -> None:
        if call.media.over:
            self._figures.now -= self._calls.pop(call_id, None) is not None
            _close(call)


def _close(call: _Call) -> None:
    call.media.over = True
    streams, call.streams = call.streams, {}
    for stream in streams.values():
        stream.close()
