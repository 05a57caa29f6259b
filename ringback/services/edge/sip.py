"""SIP through the edge: TLS of the client ends here, and each connection goes on to a call manager of its own.

What is let through, and how messages change, is decided by ``protocols.edge.sip_screen``; sound and picture by
``sip_calls``. When either connection ends, the other one does, so that the client registers anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import ssl
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol

import structlog

from ringback.protocols.edge.session_media import Kind
from ringback.protocols.edge.sip_screen import Refused, Registered, Registering, Served, SipScreen
from ringback.protocols.sip.errors import MalformedMessage
from ringback.protocols.sip.message import Request, Response
from ringback.protocols.sip.names import reason_phrase
from ringback.protocols.sip.reader import KeepAlive, Reader
from ringback.protocols.traversal import Opening
from ringback.rules.catalogue import render
from ringback.rules.reasons import Reason
from ringback.services.edge.media_inner import InnerMedia, NoMediaError
from ringback.services.edge.media_stream import Stream
from ringback.services.edge.settings import SipSettings
from ringback.services.edge.sip_calls import CallFigures, Calls
from ringback.services.edge.sip_managers import Managers

HEAD: Final = 32 * 1024
"""Octets of a message's head."""
BODY: Final = 64 * 1024
"""Octets of a message's body."""
_PIECE: Final = 16 * 1024
_UNREGISTERED: Final = 30.0  # seconds until a REGISTER must have been answered with 2xx
_SILENT: Final = 180.0  # seconds without a word of the client, where its registration does not last longer
_LATE: Final = 60.0  # seconds after the end of a registration
_MANAGER_SILENT: Final = 30.0  # seconds after which a call manager is asked whether it lives
_MANAGER_DEAD: Final = 45.0
_LOOK: Final = 5.0
_WRITE: Final = 10.0  # seconds that a reader may take
_RATE: Final = 40.0  # messages of a client in a second
_BURST: Final = 120.0
_STRIKES: Final = 5  # suspicious messages that end a connection
_PING: Final = b"\r\n\r\n"
_PONG: Final = b"\r\n"

_log = structlog.get_logger("ringback.edge.sip")


class Gate(Protocol):
    """Who may register (``Watch`` and ``Guests`` of this edge)."""

    def kept_out(self, address: str, user: str) -> float:
        """Seconds for which somebody is kept out for failed sign-ins; 0 for everybody else."""

    def failed(self, address: str, user: str) -> None:
        """A sign-in failed."""

    def let_in(self, address: str, user: str) -> None:
        """A sign-in was right."""

    def refuses(self, user: str, device: str) -> Reason | None:
        """Why people of this device have no calls outside."""

    def enter(self, device: str, end: Callable[[Reason], None]) -> Callable[[], None]:
        """A device is registered; ``end`` is called when its person may no longer be. Gives what says that the
        connection is over."""


@dataclass(slots=True)
class SipFigures:
    """Counted since the start."""

    connections: int = 0
    registered: int = 0
    refused: int = 0
    cut: int = 0


class SipFront:
    """Serves the connections of the listener ``sip``."""

    def __init__(self, settings: SipSettings, media: InnerMedia, gate: Gate) -> None:
        self.settings = settings
        self.node = settings.node
        self.media = media
        self.gate = gate
        self.managers = Managers(settings)
        self.served = _served(settings)
        self.figures = SipFigures()
        self.calls = CallFigures()
        self._pipes: dict[asyncio.Task[None], SipPipe] = {}
        self._sweep: asyncio.TimerHandle | None = None

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._pipes)

    def become(self, settings: SipSettings) -> None:
        """Serve these domains and names, and lead to these call managers, from the next connection on."""
        here = self.settings
        self.settings = replace(
            here, domains=settings.domains, managers=settings.managers, names=settings.names, media=settings.media
        )
        if settings.managers != here.managers:
            self.managers = Managers(self.settings)
        self.served = _served(self.settings)

    async def stop(self) -> None:
        """End all connections."""
        tasks = list(self._pipes)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None

    def serve(self, opening: Opening) -> asyncio.Protocol:
        """The protocol of a new connection."""
        loop = asyncio.get_running_loop()

        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            pipe = SipPipe(self, opening, reader, writer)
            task = loop.create_task(pipe.run(), name=f"SIP of {opening.peer}")
            self._pipes[task] = pipe
            task.add_done_callback(self._pipes.pop)
            if self._sweep is None:
                self._sweep = loop.call_later(_LOOK, self._look_after)

        return asyncio.StreamReaderProtocol(asyncio.StreamReader(limit=_PIECE, loop=loop), connected, loop=loop)

    def _look_after(self) -> None:
        """Look for silence, as long as there is anybody."""
        loop = asyncio.get_running_loop()
        for pipe in tuple(self._pipes.values()):
            pipe.look_after(loop.time())
        self._sweep = loop.call_later(_LOOK, self._look_after) if self._pipes else None


def _served(settings: SipSettings) -> Served:
    hosts = {name.lower() for one in settings.managers for name in (one.name, one.address.host)}
    return Served(
        frozenset(one.lower() for one in settings.domains),
        frozenset(hosts),
        frozenset(one.lower() for one in settings.names),
    )


class _Over(Exception):  # noqa: N818  no mistake: a connection's end
    """The connection ends; the message says why."""


class SipPipe:
    """One connection of a client, and the one to its call manager."""

    def __init__(
        self, front: SipFront, opening: Opening, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._front = front
        self._address = opening.peer.host
        self._through = opening.through
        self._reader = reader
        self._writer = writer
        self._screen = SipScreen(front.served, opening.listener, opening.peer)
        self._calls = Calls(front.settings.media, self._open_stream, front.calls)
        self._inner: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._manager = ""
        self._strikes = 0
        self._tokens = _BURST
        loop = asyncio.get_running_loop()
        self._time = loop.time
        self._began = self._took = self._heard = self._manager_heard = loop.time()
        self._over: asyncio.Future[str] = loop.create_future()
        self._leave: Callable[[], None] | None = None
        self._silent = _SILENT
        self._tasks: list[asyncio.Task[None]] = []

    async def run(self) -> None:
        """Serve it until it ends."""
        front = self._front
        front.figures.connections += 1
        why = ""
        try:
            if front.gate.kept_out(self._address, ""):
                return
            self._begin(self._from_client(), "SIP inwards")
            why = await self._over
        finally:
            for task in self._tasks:
                task.cancel()
            for result in await asyncio.gather(*self._tasks, return_exceptions=True):
                if isinstance(result, Exception):  # a mistake of ours, which ends this connection only
                    _log.error("edge.sip_mistake", exc_info=result)
            self._calls.close()
            if self._leave is not None:
                self._leave()
            if self._inner is not None:
                await _close(self._inner[1])
            await _close(self._writer)
            _log.info("edge.sip_over", peer=self._address, manager=self._manager, why=why)

    def _begin(self, work: object, name: str) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(self._guarded(work), name=name)
        self._tasks.append(task)

    async def _guarded(self, work: object) -> None:
        """Whatever ends one direction ends the connection."""
        why = "over"
        try:
            await work  # type: ignore[misc]
        except _Over as over:
            why = str(over)
        except MalformedMessage as error:
            self._cut("malformed")
            why = f"a message that can't be read: {error.text}"
        except (OSError, ssl.SSLError, TimeoutError) as error:
            why = str(error) or type(error).__name__
        finally:
            self._end(why)

    # --- from the client

    async def _from_client(self) -> None:
        reader = Reader(HEAD, BODY)
        while data := await self._reader.read(_PIECE):
            self._heard = self._time()
            for item in reader.feed(data):
                if isinstance(item, KeepAlive):
                    if item is KeepAlive.PING:
                        await self._tell(_PONG)
                elif isinstance(item, MalformedMessage):
                    raise item
                else:
                    await self._paced()
                    await self._take(item)
        raise _Over("the client ended it")

    async def _paced(self) -> None:
        """No faster than is usual: who sends more waits."""
        now = self._time()
        self._tokens = min(self._tokens + (now - self._took) * _RATE, _BURST) - 1.0
        self._took = now
        if self._tokens < 0:
            await asyncio.sleep(-self._tokens / _RATE)

    async def _take(self, message: Request | Response) -> None:
        if isinstance(message, Response):
            refused = self._screen.response_in(message)
            if refused is None:
                await self._calls.pass_response(message, "outside")
                await self._ask(message.encode())
            else:
                self._count(refused)
            return
        found = self._screen.request_in(message)
        if isinstance(found, Registering):
            found = self._barred(found) or await self._joined(found)
        refused = found
        if refused is None:
            refused = await self._calls.pass_request(message, "outside")
        if refused is None:
            await self._ask(message.encode())
        else:
            await self._refuse(message, refused)
            self._count(refused)

    def _barred(self, asked: Registering) -> Refused | None:
        """Who is kept out, or has no calls outside."""
        gate = self._front.gate
        seconds = gate.kept_out(self._address, asked.user) if asked.user else 0.0
        if seconds:
            why = Reason.of("edge.sign_in.blocked", minutes=math.ceil(seconds / 60))
            return Refused(403, why, headers=(("Retry-After", str(math.ceil(seconds))),))
        for device in dict.fromkeys((asked.device, asked.user)):
            reason = gate.refuses("", device) if device else None
            if reason is not None:
                unknown = reason.id == "edge.access.unknown"  # no call manager told the policies yet
                return Refused(503, reason, headers=(("Retry-After", "5"),)) if unknown else Refused(403, reason)
        return None

    async def _joined(self, asked: Registering) -> Refused | None:
        """With a call manager, from the first REGISTER on."""
        if self._inner is not None:
            return None
        reached = await self._front.managers.reach(asked.host)
        if reached is None:
            return Refused(503, Reason.of("edge.sip.no_call_manager"), headers=(("Retry-After", "5"),))
        manager, self._inner = reached
        self._manager = manager.name
        self._manager_heard = self._time()
        self._begin(self._from_manager(self._inner[0]), "SIP outwards")
        return None

    async def _refuse(self, request: Request, refused: Refused) -> None:
        if request.method == "ACK" or not refused.status:
            return
        self._screen.answered(request)
        rows = list(refused.headers)
        if refused.status >= 300:
            text = render(refused.reason).replace('"', "'")
            rows += [("Warning", f'399 {self._front.node} "{text}"'), ("Ringback-Reason", refused.reason.id)]
        await self._tell(request.answer(refused.status, reason_phrase(refused.status), to_tag="edge", headers=rows))

    def _count(self, refused: Refused) -> None:
        self._front.figures.refused += refused.status >= 300
        if not refused.suspicious:
            return
        self._strikes += 1
        if self._strikes >= _STRIKES:
            self._cut("a scanner")
            raise _Over(f"{self._strikes} messages that no honest client sends")

    def _cut(self, why: str) -> None:
        self._front.figures.cut += 1
        if not self._screen.registered:
            self._front.gate.failed(self._address, "")
        _log.warning("edge.sip_cut", peer=self._address, why=why)

    # --- from the call manager

    async def _from_manager(self, source: asyncio.StreamReader) -> None:
        reader = Reader()
        while data := await source.read(_PIECE):
            self._manager_heard = self._time()
            for item in reader.feed(data):
                if isinstance(item, KeepAlive):
                    if item is KeepAlive.PING:
                        await self._ask(_PONG)
                elif isinstance(item, MalformedMessage):
                    raise _Over(f"the call manager can't be read: {item.text}")
                else:
                    await self._give(item)
        raise _Over("the call manager ended it")

    async def _give(self, message: Request | Response) -> None:
        try:
            if isinstance(message, Request):
                self._screen.request_out(message)
                refused = await self._calls.pass_request(message, "inside")
                if refused is not None and message.method != "ACK":
                    await self._ask(message.answer(refused.status, to_tag="edge", headers=refused.headers))
                    return
            else:
                registered = self._screen.response_out(message)
                await self._calls.pass_response(message, "inside")
                if registered is not None:
                    self._registered(registered)
        except MalformedMessage as error:
            raise _Over(f"the call manager can't be read: {error.text}") from error
        await self._tell(message.encode())

    def _registered(self, how: Registered) -> None:
        gate, user = self._front.gate, how.asked.user
        if how.outcome == "wrong":
            gate.failed(self._address, user)
        elif how.outcome == "in":
            self._silent = max(self._silent, how.expires + _LATE)
            if how.asked.user:
                gate.let_in(self._address, user)
            if self._leave is None:
                self._front.figures.registered += 1
                self._leave = gate.enter(how.asked.device or how.asked.user, self._ended)

    def _ended(self, reason: Reason) -> None:
        self._end(render(reason))

    def _end(self, why: str) -> None:
        if not self._over.done():
            self._over.set_result(why)

    # --- both

    async def _open_stream(self, kind: Kind) -> Stream:
        if not self._through:
            raise NoMediaError("the connection came through no outer proxy")
        return await self._front.media.open(self._through, kind)

    async def _tell(self, data: bytes) -> None:
        await _write(self._writer, data)

    async def _ask(self, data: bytes) -> None:
        if self._inner is not None:
            await _write(self._inner[1], data)

    def look_after(self, now: float) -> None:
        """End what is silent: clients that vanished, and call managers that died without a word."""
        if not self._screen.registered and now - self._began > _UNREGISTERED:
            self._end("it did not register")
        elif now - self._heard > self._silent:
            self._end("the client is silent")
        elif self._inner is not None and now - self._manager_heard > _MANAGER_DEAD:
            self._end("the call manager is silent")
        elif self._inner is not None and now - self._manager_heard > _MANAGER_SILENT:
            self._inner[1].write(_PING)


async def _write(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    async with asyncio.timeout(_WRITE):
        await writer.drain()


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError, ssl.SSLError, TimeoutError):
        async with asyncio.timeout(0.5):
            await writer.wait_closed()
