"""``python -m bench.media.edge_server outer|inner``: media of one edge proxy alone in a process, as the proxy runs it.

The words that the proxies say to each other go over a connection of their own. The outer one tells its port in a line;
the inner one is told what to open in a line of JSON and tells the places of each stream. Both end with their input.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable

import uvloop

from ringback.protocols.edge.session_media import Terms
from ringback.protocols.rtp.crypto import CryptoLine, Suite
from ringback.protocols.traversal.control import Lines, Word, line
from ringback.protocols.traversal.media_words import (
    CloseMedia,
    MediaFlow,
    MediaOpened,
    MediaPlace,
    MediaRefused,
    OpenMedia,
)
from ringback.rules.addresses import HostPort
from ringback.services.edge.media_inner import InnerMedia
from ringback.services.edge.media_outer import OuterMedia
from ringback.services.edge.settings import OuterMediaSettings

_HERE = "127.0.0.1"
_SUITE = Suite.AES_CM_128_HMAC_SHA1_80


async def _words(reader: asyncio.StreamReader, said: Callable[[Word], None]) -> None:
    lines = Lines()
    while data := await reader.read(65536):
        for word in lines.feed(data):
            said(word)


async def _outer() -> None:
    writers: list[asyncio.StreamWriter] = []
    media = OuterMedia(
        OuterMediaSettings(_HERE, HostPort(_HERE, 0), (0, 0)), lambda _, word: writers[-1].write(line(word))
    )
    media.start()

    def told(word: Word) -> None:
        if isinstance(word, MediaFlow | OpenMedia | CloseMedia):
            media.told("inner", word)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        media.joined("inner")
        await _words(reader, told)

    server = await asyncio.start_server(serve, _HERE, 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.readline)
    media.stop()
    server.close()


async def _inner() -> None:
    wish = json.loads(await asyncio.to_thread(sys.stdin.readline))
    reader, writer = await asyncio.open_connection(_HERE, wish["words"])
    media = InnerMedia(_HERE, (0, 0), lambda _, word: writer.write(line(word)), lambda _: _HERE)

    def said(word: Word) -> None:
        if isinstance(word, MediaPlace | MediaOpened | MediaRefused):
            media.said("outer", word)

    hearing = asyncio.create_task(_words(reader, said))
    async with asyncio.timeout(10):
        while True:
            if media.ready("outer"):
                break
            await asyncio.sleep(0.02)
    theirs, ours = (CryptoLine(1, _SUITE, bytes.fromhex(key)) for key in wish["keys"])
    places = []
    for port in wish["phones"]:
        stream = await media.open("outer", "audio")
        inner = (ours, theirs) if wish["secure"] else None
        stream.agree(Terms((ours, theirs), inner, _HERE, port, _HERE, port + 1, mux=False))
        places.append((stream.outside, stream.inside))
    sys.stdout.write(json.dumps(places) + "\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.readline)
    media.stop()
    hearing.cancel()
    writer.close()


if __name__ == "__main__":
    uvloop.run(_outer() if sys.argv[1] == "outer" else _inner())
