"""Media at the inner proxy: what clients of the world send comes in frames from the outer proxy, is opened with keys
that only the client and this process have, and goes on inside as each end there wants it; and back.

SSRC, sequence numbers and timestamps stay as they are: both sides see one stream. A client's address is believed only
after a packet from there proved the key.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import secrets
import socket
from collections.abc import Callable
from typing import Final

import structlog

from ringback.media.transport.errors import NoPortError
from ringback.media.transport.ports import PortPool, PortRange
from ringback.media.transport.protection import Buffer
from ringback.media.transport.sockets import Sockets
from ringback.protocols.traversal import frames
from ringback.protocols.traversal.frames import HEAD, TAG, Frame, Kind
from ringback.protocols.traversal.media_words import (
    CloseMedia,
    MediaFlow,
    MediaKind,
    MediaOpened,
    MediaPlace,
    MediaRefused,
    MediaWord,
    OpenMedia,
)
from ringback.services.edge.marks import MARKS, mark_as_sound, note
from ringback.services.edge.media_stream import Stream

GREET: Final = 10.0
"""Seconds between two greetings: firewalls forget a UDP flow after 30 at the earliest."""
_AGAIN: Final = 0.5  # seconds between greetings that nobody answered yet
_UNHEARD: Final = 25.0  # seconds without an answer after which the flow counts as cut
_ANSWER: Final = 3.0  # seconds for the outer proxy to open ports
_FLOW_BUFFER: Final = 4 * 1024 * 1024
_TURN: Final = 64
_TURNS: Final = 6  # greetings in which all streams have been named

_log = structlog.get_logger("ringback.edge.media")


class NoMediaError(Exception):
    """Media can't be relayed now; the message says why."""


class InnerMedia:
    """Media of all outer proxies. ``say`` tells one of them something, ``host_of`` gives the address of its link."""

    def __init__(
        self,
        address: str,
        ports: tuple[int, int],
        say: Callable[[str, MediaWord], None],
        host_of: Callable[[str], str | None],
    ) -> None:
        """Raises NoMediaError where the range of ports is empty."""
        self._address = address
        self.pool = self.pool_of(ports)
        self.sockets = Sockets(asyncio.get_running_loop())
        self.buffer = Buffer()
        self._say = say
        self._host_of = host_of
        self._flows: dict[str, Flow] = {}

    def pool_of(self, ports: tuple[int, int]) -> PortPool:
        """Another range of ports, for ``pool``. Raises NoMediaError where it is empty."""
        try:
            return PortPool(self._address, PortRange(*ports))
        except NoPortError as error:
            raise NoMediaError(str(error)) from error

    @property
    def streams(self) -> tuple[Stream, ...]:
        """Those that are open."""
        return tuple(stream for flow in self._flows.values() for stream in flow.streams.values())

    def ready(self, outer: str) -> bool:
        """Whether frames go to and fro."""
        return outer in self._flows and self._flows[outer].ready.is_set()

    def said(self, outer: str, word: MediaWord) -> None:
        """An outer proxy says something."""
        flow = self._flows.get(outer)
        match word:
            case MediaPlace(port):
                self._place(outer, port)
            case MediaOpened() | MediaRefused() if flow is not None:
                flow.answered(word)

    def parted(self, outer: str) -> None:
        """An outer proxy is gone, and the ports of all streams with it."""
        flow = self._flows.pop(outer, None)
        if flow is not None:
            flow.close()

    async def open(self, outer: str, kind: MediaKind) -> Stream:
        """Ports of the world and of the inside for a stream. Raises NoMediaError."""
        flow = self._flows.get(outer)
        if flow is None:
            raise NoMediaError(f"{outer} takes no media")
        return await flow.open(kind)

    def stop(self) -> None:
        """End everything."""
        for outer in tuple(self._flows):
            self.parted(outer)
        self.sockets.close()

    def _place(self, outer: str, port: int) -> None:
        flow, host = self._flows.get(outer), self._host_of(outer)
        if host is None or (flow is not None and flow.port == port):
            return
        if flow is not None:
            self.parted(outer)
        try:
            made = Flow(self, outer, (host, port), lambda word: self._say(outer, word))
        except OSError as error:
            _log.warning("edge.no_media_flow", outer=outer, why=str(error))
            return
        self._flows[outer] = made
        made.start()


class Flow:
    """The frames of one outer proxy."""

    def __init__(self, media: InnerMedia, outer: str, place: tuple[str, int], say: Callable[[MediaWord], None]) -> None:
        """Raises OSError."""
        self.media = media
        self.outer = outer
        self.port = place[1]
        self.tag = secrets.token_bytes(TAG)
        self.ready = asyncio.Event()
        self.streams: dict[int, Stream] = {}
        self.dropped = 0
        self._say = say
        self._numbers = itertools.count(1)
        self._asked: dict[int, asyncio.Future[MediaOpened | MediaRefused]] = {}
        self._heard = 0.0
        self._turn = 0
        self._timer: asyncio.TimerHandle | None = None
        self._head = bytearray(HEAD)
        self._into = (self._head, media.buffer.octets)
        self._socket = _connected(place)
        self._picture = note("video", self._socket.family) or []
        media.sockets.watch(self._socket, self._frames)

    def start(self) -> None:
        """Say whose frames these will be, and greet."""
        self._say(MediaFlow(self.tag))
        self._greet()

    def close(self) -> None:
        """End all streams."""
        if self._timer is not None:
            self._timer.cancel()
        for stream in tuple(self.streams.values()):
            stream.close()
        for asked in self._asked.values():
            asked.cancel()
        self.media.sockets.unwatch(self._socket)
        self._socket.close()

    async def open(self, kind: MediaKind) -> Stream:
        """See ``InnerMedia.open``."""
        number = next(self._numbers) % 2**32
        asked: asyncio.Future[MediaOpened | MediaRefused] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(_ANSWER):
                await self.ready.wait()
                self._asked[number] = asked
                self._say(OpenMedia(number, kind))
                answer = await asked
        except TimeoutError as error:
            self._say(CloseMedia(number))
            raise NoMediaError(f"{self.outer} opened no ports within {_ANSWER:.0f} seconds") from error
        except asyncio.CancelledError:
            self._say(CloseMedia(number))
            if asked.cancelled() and (task := asyncio.current_task()) is not None and not task.cancelling():
                raise NoMediaError(f"{self.outer} is gone") from None
            raise
        finally:
            self._asked.pop(number, None)
        if isinstance(answer, MediaRefused):
            raise NoMediaError(f"{self.outer} opened no ports: {answer.why}")
        try:
            pair = self.media.pool.take(MARKS[kind])
        except (NoPortError, OSError) as error:
            self._say(CloseMedia(number))
            raise NoMediaError(str(error)) from error
        stream = self.streams[number] = Stream(self, number, kind, (answer.address, answer.port), pair)
        self.media.sockets.watch(pair.rtp, stream.rtp_readable)
        self.media.sockets.watch(pair.rtcp, stream.rtcp_readable)
        return stream

    def forget(self, stream: Stream) -> None:
        """A stream closed."""
        if self.streams.pop(stream.number, None) is not None:
            self.media.sockets.unwatch(stream.pair.rtp)
            self.media.sockets.unwatch(stream.pair.rtcp)
            stream.pair.close()
            self._say(CloseMedia(stream.number))

    def answered(self, word: MediaOpened | MediaRefused) -> None:
        """The outer proxy opened ports, or not."""
        asked = self._asked.get(word.number)
        if asked is not None and not asked.done():
            asked.set_result(word)
        elif isinstance(word, MediaOpened) and word.number not in self.streams:
            self._say(CloseMedia(word.number))  # too late

    def send(self, parts: tuple[bytes, memoryview], kind: MediaKind = "audio") -> bool:
        """A frame to the outer proxy. False where it could not be sent."""
        try:
            if kind == "audio":
                self._socket.sendmsg(parts)
            else:
                self._socket.sendmsg(parts, self._picture)
        except OSError:
            self.dropped += 1
            return False
        return True

    def _greet(self) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):  # nobody there yet: again soon
            self._socket.send(frames.write(Frame(Kind.HELLO, self.tag)))
        if self.ready.is_set() and loop.time() - self._heard > _UNHEARD:
            self.ready.clear()
            _log.warning("edge.media_flow_cut", outer=self.outer, seconds=round(loop.time() - self._heard))
        if not self.ready.is_set():
            self._say(MediaFlow(self.tag))
        else:
            self._keep()
        self._timer = loop.call_later(GREET if self.ready.is_set() else _AGAIN, self._greet)

    def _keep(self) -> None:
        """Say which ports are still needed, each once a minute: so nothing stays open where a word was lost."""
        self._turn = (self._turn + 1) % _TURNS
        for number in self.streams:
            if number % _TURNS == self._turn:
                self.send((frames.write(Frame(Kind.HELLO, self.tag, number)), memoryview(b"")))

    def _frames(self, now: float) -> None:
        buffer = self.media.buffer
        for _ in range(_TURN):
            try:
                size = self._socket.recvmsg_into(self._into)[0]
            except OSError:
                return
            kind, part, port, number, tag, address = frames.raw(self._head)
            if size < HEAD or tag != self.tag or part > 1:
                self.dropped += 1
            elif kind == Kind.MEDIA:
                stream = self.streams.get(number)
                if stream is not None:
                    stream.inwards(part, (address, port), buffer, size - HEAD)
            elif kind == Kind.HEARD:
                self._heard = asyncio.get_running_loop().time()
                self.ready.set()


def _connected(place: tuple[str, int]) -> socket.socket:
    """A socket whose other end is the outer proxy only, and whose packets count as sound on their way."""
    six = ":" in place[0]
    made = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        made.setblocking(False)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _FLOW_BUFFER)
        mark_as_sound(made)
        made.connect(place)
    except OSError:
        made.close()
        raise
    return made
