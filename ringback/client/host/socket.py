"""One tab's WebSocket: commands in, each done beside the others; events out, from a bounded queue.

Commands that change a conversation keep their order, because each is begun in the order it came and the book of chats
takes one at a time. A tab that does not take its events is closed; it connects again and takes the new snapshot.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import msgspec
import structlog
from aiohttp import WSCloseCode, WSMsgType, web

from ringback.client.engine.engine import Engine
from ringback.client.events import EventsLostError, Subscription
from ringback.client.host import wire
from ringback.client.host.commands import Tab, perform
from ringback.rules.reasons import Reason

MESSAGE_LIMIT = 3 * 1024 * 1024  # octets; a file of contacts of 2 MB in base64 is the largest
COMMANDS_AT_ONCE = 32
SEND_SECONDS = 20.0
PING_SECONDS = 25.0

log = structlog.get_logger(__name__)


class TabSocket:
    """Serves one tab until it goes."""

    def __init__(self, engine: Engine, tab: Tab, welcomed: Callable[[], Awaitable[None]]) -> None:
        """``welcomed`` is called after each new snapshot: somebody signed in or out."""
        self._tab = tab
        self._welcomed = welcomed
        self._engine = engine
        self._events = Subscription(engine.events)
        self._socket = web.WebSocketResponse(heartbeat=PING_SECONDS, max_msg_size=MESSAGE_LIMIT, compress=False)
        self._running = asyncio.Semaphore(COMMANDS_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """Take the socket over and serve it to its end."""
        await self._socket.prepare(request)
        self._engine.events.flush()  # what happened before belongs into the snapshot only
        self._events = self._engine.subscribe()
        self._events.put(wire.Welcome(snapshot=self._engine.snapshot()))
        if entries := self._engine.trace():
            self._events.put(wire.TraceGrew(first=0, entries=entries))
        writer = asyncio.create_task(self._write(self._events), name="tab events")
        try:
            await self._read()
        finally:
            self._events.close()
            for task in (writer, *self._tasks):
                task.cancel()
            await asyncio.gather(writer, *self._tasks, return_exceptions=True)
        return self._socket

    async def close(self) -> None:
        """End the socket: the host goes."""
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(1.0):
                await self._socket.close(code=WSCloseCode.GOING_AWAY)

    async def _write(self, subscription: Subscription) -> None:
        try:
            async for event in subscription:
                async with asyncio.timeout(SEND_SECONDS):
                    await self._socket.send_str(wire.encode_event(event))
                if isinstance(event, wire.Welcome):
                    await self._welcomed()
        except (EventsLostError, TimeoutError):
            log.info("host.tab_too_slow")
            await self._socket.close(code=WSCloseCode.TRY_AGAIN_LATER)
        except ConnectionError:
            log.debug("host.tab_gone")

    async def _read(self) -> None:
        async for message in self._socket:
            if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                return
            try:
                command = wire.decode_command(message.data)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                reason = Reason.of("host.not_understood", why=error)
                self._events.put(wire.Refused(n=_number_of(message.data), reason=reason))
                continue
            await self._running.acquire()
            task = asyncio.create_task(self._do(command), name=f"command {type(command).__name__}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _do(self, command: wire.AnyCommand) -> None:
        try:
            answer = await perform(self._engine, command, self._tab)
        except Exception as error:  # one command that fails in an unforeseen way must not end the tab
            log.exception("host.command_failed", command=type(command).__name__)
            reason = Reason.of("engine.internal", work=type(command).__name__, kind=type(error).__name__)
            answer = wire.Refused(n=command.n, reason=reason)
        finally:
            self._running.release()
        # Behind what the command changed, so that a page that got the answer has seen the change.
        self._engine.events.flush()
        self._events.put(answer)


def _number_of(data: str | bytes) -> int:
    """The page's number of a command that can't be read as a whole; 0 where not even that can."""
    try:
        return msgspec.json.decode(data, type=_Numbered).n
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return 0


class _Numbered(msgspec.Struct):
    n: int = 0
