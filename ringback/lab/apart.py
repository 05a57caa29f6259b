"""A web client that is held to its network: a process of its own, which a fence keeps there, and which can be moved.

It is forked before any loop or thread runs, so it costs little beside what it does, and it ends with the process that
it came from. The two speak in lines of JSON over a pair of sockets.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import signal
import socket
from collections.abc import Mapping
from dataclasses import replace
from multiprocessing.process import BaseProcess
from pathlib import Path

import msgspec
import structlog

from ringback.lab.control import Control, ControlError
from ringback.lab.places import Place
from ringback.lab.web import WebRole, WebSettings
from ringback.net.fence import Fence
from ringback.net.service import Endpoint
from ringback.rules.addresses import HostPort

_START_SECONDS = 30.0  # on a loaded machine: it waits for nothing but the processor
_END_SECONDS = 1.2
_MOVE_SECONDS = 5.0
_LOOK_EVERY = 1.0  # seconds until somebody who was moved notices

_log = structlog.get_logger("ringback.lab")


class _Began(msgspec.Struct, tag=True, frozen=True):
    """It serves at this port, with this address to open; or it does not, and ``why``."""

    port: int = 0
    url: str = ""
    note: str = ""
    why: str = ""


class _Move(msgspec.Struct, tag=True, frozen=True):
    """Go to another network."""

    network: str


class _Moved(msgspec.Struct, tag=True, frozen=True):
    """It is there; so many connections were cut."""

    network: str
    cut: int


class _End(msgspec.Struct, tag=True, frozen=True):
    """End in order."""


_encode = msgspec.json.Encoder().encode
_told_to = msgspec.json.Decoder(_Move | _End)
_told_by = msgspec.json.Decoder(_Began | _Moved)


class ApartWeb:
    """The web client of a fenced network, as the one who starts it sees it. ``fork`` comes before the loop."""

    def __init__(self, settings: WebSettings, places: Mapping[str, Place], folder: Path) -> None:
        """``places`` by network, its own first; in ``folder`` it is told to move."""
        self._settings = settings
        self._places = places
        self._network = next(iter(places))
        self._process: BaseProcess | None = None
        self._socket: socket.socket | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._listener: asyncio.Task[None] | None = None
        self._began: asyncio.Future[_Began] | None = None
        self._moved: asyncio.Future[_Moved] | None = None
        self._moving = asyncio.Lock()
        self._control = Control(folder, self.move)
        self._here = _Began()
        self._ending = False

    @property
    def node(self) -> str:
        """The name of its node."""
        return self._settings.node

    @property
    def network(self) -> str:
        """The network of a person who opens it, by the file."""
        return self._settings.network

    @property
    def url(self) -> str:
        """The address to open, with its token."""
        return self._here.url

    @property
    def note(self) -> str:
        """A sentence where another port had to be taken, else empty."""
        return self._here.note

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Where the page is."""
        if not self._here.port:
            return ()
        settings = self._settings
        return (Endpoint("web", settings.node, "web", "http", settings.address, self._here.port),)

    def fork(self) -> None:
        """Make the process. To be called where nothing runs yet: no loop, no thread."""
        self._socket, theirs = socket.socketpair()
        context = multiprocessing.get_context("fork")
        self._process = context.Process(
            target=_live, args=(self._settings, self._places, theirs, self._socket), name=self.node, daemon=True
        )
        self._process.start()
        theirs.close()

    async def start(self) -> None:
        """Wait until it serves. Raises OSError with its reason where it does not."""
        if self._socket is None or self._process is None:
            raise OSError(f"{self.node} was not forked before the start")
        reader, self._writer = await asyncio.open_unix_connection(sock=self._socket)
        self._began = asyncio.get_running_loop().create_future()
        self._listener = asyncio.create_task(self._listen(reader), name=f"listen to {self.node}")
        async with asyncio.timeout(_START_SECONDS):
            began = await self._began
        if began.why:
            raise OSError(began.why)
        self._here = began
        await self._control.start()

    async def stop(self) -> None:
        """End it; where it lingers, as a power cut would."""
        self._ending = True
        await self._control.stop()
        if self._writer is not None and self._listener is not None:
            self._say(_End())
            _, lingering = await asyncio.wait((self._listener,), timeout=_END_SECONDS)
            for task in lingering:
                task.cancel()
            self._writer.close()
        if self._process is not None and self._process.is_alive():
            if self._listener is None or not self._listener.done() or self._listener.cancelled():
                self._process.kill()
            await asyncio.to_thread(self._process.join, 1.0)

    async def move(self, network: str) -> int:
        """Bring it to another network of the file; how many connections that cut. Raises ControlError."""
        if network not in self._places:
            raise ControlError(f"The file says nothing about a network {network!r}; it has: {', '.join(self._places)}")
        async with self._moving:
            if self._writer is None or self._listener is None or self._listener.done():
                raise ControlError(f"{self.node} does not run")
            self._moved = asyncio.get_running_loop().create_future()
            self._say(_Move(network))
            try:
                async with asyncio.timeout(_MOVE_SECONDS):
                    cut = (await self._moved).cut
            except TimeoutError:
                raise ControlError(f"{self.node} does not answer") from None
            if network != self._network:
                _log.info("moved", node=self.node, network=network, cut=cut)
            self._network = network
            return cut

    def _say(self, words: _Move | _End) -> None:
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(_encode(words) + b"\n")

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                told = _told_by.decode(line)
                waiting = self._began if isinstance(told, _Began) else self._moved
                if waiting is not None and not waiting.done():
                    waiting.set_result(told)
        for future in (self._began, self._moved):
            if future is not None and not future.done():
                future.set_exception(OSError(f"The process of {self.node} ended"))
        if not self._ending:
            _log.error("web client ended", node=self.node, remedy="restart this program to have it again")


# --- the process itself


class _Here:
    """Where this process is now."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.fence = Fence(place.reach)

    def name_server(self) -> HostPort | None:
        return self.place.name_server

    def known_by(self) -> frozenset[str]:
        return self.place.known_by

    def move(self, place: Place) -> int:
        self.place = place
        return self.fence.change(place.reach)


def _live(settings: WebSettings, places: Mapping[str, Place], ours: socket.socket, theirs: socket.socket) -> None:
    theirs.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C of a terminal is for both: the other one says when to end
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    here = _Here(next(iter(places.values())))
    here.fence.install()
    role = WebRole(replace(settings, name_server=here.name_server, known_by=here.known_by, look_every=_LOOK_EVERY))
    asyncio.run(_serve(role, places, ours, here))


async def _serve(role: WebRole, places: Mapping[str, Place], ours: socket.socket, here: _Here) -> None:
    reader, writer = await asyncio.open_unix_connection(sock=ours)
    try:
        await role.start()
    except OSError as error:
        writer.write(_encode(_Began(why=str(error))) + b"\n")
        await writer.drain()
        return
    try:
        (endpoint,) = role.endpoints
        writer.write(_encode(_Began(endpoint.port, role.url, role.note)) + b"\n")
        while line := await reader.readline():  # its end: whoever started this is gone
            told = _told_to.decode(line)
            if isinstance(told, _End):
                break
            cut = here.move(places[told.network])
            writer.write(_encode(_Moved(told.network, cut)) + b"\n")
    finally:
        await role.stop()
        writer.close()
