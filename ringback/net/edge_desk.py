"""Asking a proxy of the edge that runs on this machine, over the socket in its data folder."""

from __future__ import annotations

from pathlib import Path
from typing import Final, TypeVar

import aiohttp
import msgspec

from ringback.net.folder_socket import reachable
from ringback.protocols.edge.desk import SOCKET, Done, State

_TIMEOUT: Final = aiohttp.ClientTimeout(total=15, connect=3)
_Answer = TypeVar("_Answer", State, Done)


class DeskError(Exception):
    """The proxy could not be asked; the message says why."""


class NotHereError(DeskError):
    """No proxy runs with this folder on this machine."""


async def state(folder: Path) -> State:
    """How it goes. Raises DeskError."""
    return await _ask(folder, "GET", "/state", None, State)


async def order(folder: Path, path: str, what: msgspec.Struct | None = None) -> Done:
    """Have something done. Raises DeskError, also with the proxy's own words."""
    done = await _ask(folder, "POST", path, what, Done)
    if done.fault:
        raise DeskError(done.fault)
    return done


async def _ask(folder: Path, method: str, path: str, what: msgspec.Struct | None, kind: type[_Answer]) -> _Answer:
    body = None if what is None else msgspec.json.encode(what)
    try:
        with reachable(folder / SOCKET) as name:
            connector = aiohttp.UnixConnector(name)
            async with (
                aiohttp.ClientSession(connector=connector, timeout=_TIMEOUT) as session,
                session.request(method, f"http://edge{path}", data=body) as answer,
            ):
                content = await answer.read()
                if answer.status != 200:
                    raise DeskError(f"The proxy answered {answer.status}: {content[:200].decode(errors='replace')}")
        return msgspec.json.decode(content, type=kind)
    except (FileNotFoundError, ConnectionRefusedError, aiohttp.ClientConnectorError) as error:
        raise NotHereError(f"The proxy of {folder} does not run on this machine") from error
    except (TimeoutError, aiohttp.ClientError, OSError, msgspec.MsgspecError) as error:
        raise DeskError(f"The proxy can't be asked: {str(error) or type(error).__name__}") from error
