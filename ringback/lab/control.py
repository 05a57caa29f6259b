"""How a web client that runs is told to move: a socket in its folder, which only its owner can open.

One line of JSON is asked (``{"network": "internet"}``), one is answered (``{"cut": 3}`` or ``{"why": "..."}``).
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import msgspec

from ringback.net.folder_socket import listen, reachable

NAME: Final = "control"
_SECONDS: Final = 10.0


class ControlError(Exception):
    """It was not done; the message says why."""


class _Asked(msgspec.Struct, frozen=True):
    network: str


class _Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    cut: int = 0
    why: str = ""


class Control:
    """The socket of a web client. ``stop`` mirrors ``start``."""

    def __init__(self, folder: Path, move: Callable[[str], Awaitable[int]]) -> None:
        """``move`` does it; what it raises as ControlError is answered."""
        self._folder = folder
        self._move = move
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen. Raises OSError."""
        self._server = await asyncio.start_unix_server(self._serve, sock=listen(self._folder / NAME))

    async def stop(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()
            self._server = None
            (self._folder / NAME).unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_SECONDS):
                asked = msgspec.json.decode(await reader.readline(), type=_Asked)
                answer = _Answer(await self._move(asked.network))
        except ControlError as error:
            answer = _Answer(why=str(error))
        except (msgspec.DecodeError, ValueError, TimeoutError, ConnectionError):
            answer = _Answer(why="This is no question of ours")
        with contextlib.suppress(ConnectionError):
            writer.write(msgspec.json.encode(answer) + b"\n")
            await writer.drain()
        writer.close()


def ask(folder: Path, network: str) -> int:
    """Have the web client of a folder moved; how many of its connections that cut. Raises ControlError; OSError where
    none runs there."""
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(_SECONDS)
        with reachable(folder / NAME) as path:
            asking.connect(path)
        asking.sendall(msgspec.json.encode(_Asked(network)) + b"\n")
        line = asking.makefile("rb").readline()
    try:
        answer = msgspec.json.decode(line, type=_Answer)
    except msgspec.DecodeError as error:
        raise ControlError("It ended without an answer") from error
    if answer.why:
        raise ControlError(answer.why)
    return answer.cut
