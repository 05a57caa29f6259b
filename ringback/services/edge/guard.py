"""Limits of what one client may ask of the HTTPS front: how long it may take, and how much it may send."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import aiohttp
import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from ringback.net.closing import abort
from ringback.protocols.traversal import Opening
from ringback.services.edge.http_limits import HttpLimits

_log = structlog.get_logger("ringback.edge.https")

MOST_HEADERS: Final = 64
LONGEST_LINE: Final = 8190
"""Octets of the request line, and of each header."""


def connection(server: web.Server, opening: Opening, limits: HttpLimits) -> Connection:
    """The protocol of a connection that came as ``opening`` says."""
    return Connection(
        server,
        loop=asyncio.get_running_loop(),
        opening=opening,
        limits=limits,
        access_log=None,
        keepalive_timeout=limits.head,
        max_line_size=LONGEST_LINE,
        max_field_size=LONGEST_LINE,
        max_headers=MOST_HEADERS,
        lingering_time=min(2.0, limits.grace),
        auto_decompress=False,  # what a server inside is sent is what the client sent; bombs are its limits' business
    )


class Connection(web.RequestHandler):
    """A connection of the world. A client that takes nothing of what waits for it is cut off after a while."""

    __slots__ = ("_stall", "_stalled", "opening")

    def __init__(self, server: web.Server, *, opening: Opening, limits: HttpLimits, **settings: object) -> None:
        super().__init__(server, **settings)  # type: ignore[arg-type]  # passed on as they are
        self.opening = opening
        self._stall = limits.stall
        self._stalled: asyncio.TimerHandle | None = None

    def pause_writing(self) -> None:
        """The client reads more slowly than it is sent to."""
        super().pause_writing()
        if self._stalled is None:
            self._stalled = asyncio.get_running_loop().call_later(self._stall, self._cut_off)

    def resume_writing(self) -> None:
        """It has caught up."""
        super().resume_writing()
        self._in_time()

    def connection_lost(self, exc: BaseException | None) -> None:
        """It is gone."""
        self._in_time()
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """What can't be read is refused without repeating it, and without telling what reads it. Garbage of the world
        is no line of the log, else the world could fill it; a fault of ours is."""
        if status == 500:
            _log.error("edge.https_fault", exc_info=exc)
        if request.writer.output_size:
            raise ConnectionError("The answer had begun")
        why = "The edge made a mistake" if status == 500 else "This can't be read"
        answer = web.Response(
            status=status, text=f"{why}.\n", headers={"Server": "CE_C ECS", "X-Content-Type-Options": "nosniff"}
        )
        answer.force_close()
        return answer

    def _in_time(self) -> None:
        stalled, self._stalled = self._stalled, None
        if stalled is not None:
            stalled.cancel()

    def _cut_off(self) -> None:
        self._stalled = None
        if self.transport is not None:
            abort(self.transport)


class BodyError(Exception):
    """The body of a request is refused; its status is in ``Body.fault``."""


class Body:
    """A request's body on its way inside. ``fault``: the status to answer with where it is refused under way: 413 too
    much, 408 too slowly, 400 not a body."""

    def __init__(self, content: aiohttp.StreamReader, largest: int, limits: HttpLimits) -> None:
        self.fault = 0
        self._content = content
        self._largest = largest
        self._limits = limits

    async def pieces(self) -> AsyncIterator[bytes]:
        """Raises BodyError."""
        loop, limits = asyncio.get_running_loop(), self._limits
        size, waited = 0, 0.0
        while True:
            began = loop.time()
            try:
                async with asyncio.timeout(limits.grace):
                    piece = await self._content.readany()
            except TimeoutError:
                raise self._refuse(408) from None
            except (web.RequestPayloadError, HttpProcessingError) as error:
                raise self._refuse(400) from error
            if not piece:
                return
            size, waited = size + len(piece), waited + loop.time() - began
            if size > self._largest:
                raise self._refuse(413)
            if waited > limits.grace and size < waited * limits.rate:
                raise self._refuse(408)
            yield piece

    def _refuse(self, status: int) -> BodyError:
        self.fault = status
        return BodyError(str(status))
