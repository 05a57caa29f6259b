"""WebSockets: only where the list says so, only for people, and only messages of a sane size."""

from __future__ import annotations

import asyncio
import base64
import os
import struct

import aiohttp
import pytest

from tests.edge.conftest import EDGE
from tests.edge.siege import SECONDS, Siege, cases, hang_up, statuses_of
from tests.support.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="session")

KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
UPGRADE = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", KEY)

# headers, whether somebody asks, by which method, where, and the answer
REFUSED = {
    "nobody": (UPGRADE, False, "GET", "/pages/socket", 401),
    "not-below-the-list": (UPGRADE, True, "GET", "/secret", 403),
    "by-post": (UPGRADE, True, "POST", "/pages/socket", 400),
    "where-sockets-are-not-listed": (UPGRADE, True, "GET", "/open/socket", 403),
    "twice": ((*UPGRADE, "Upgrade: websocket"), True, "GET", "/pages/socket", 400),
    **{
        name: (headers, True, "GET", "/pages/socket", status)
        for name, headers, status in (
            ("without-connection", (UPGRADE[0], *UPGRADE[2:]), 400),
            ("without-key", UPGRADE[:3], 400),
            ("short-key", (*UPGRADE[:3], "Sec-WebSocket-Key: eA=="), 400),
            ("old-version", (*UPGRADE[:2], "Sec-WebSocket-Version: 8", KEY), 426),
            ("to-http-2", ("Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABk"), 501),
            ("to-tls", ("Upgrade: TLS/1.0", "Connection: Upgrade"), 501),
            ("two-upgrades", ("Upgrade: websocket, h2c", "Connection: Upgrade"), 501),
            ("of-another-site", (*UPGRADE, "Origin: https://attacker.example"), 403),
            ("of-a-site-without-a-name", (*UPGRADE, "Origin: null"), 403),
        )
    },
}


@pytest.mark.parametrize("name", cases(REFUSED))
async def test_what_may_not_be_a_socket_is_none(siege: Siege, name: str) -> None:
    headers, signed, method, path, status = REFUSED[name]
    before = siege.reached()
    reader, writer = await siege.connect()
    writer.write(siege.head(f"/{siege.target()}{path}", *headers, method=method, signed=signed))
    assert statuses_of(await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), SECONDS)) == [status]
    await hang_up(writer)
    assert siege.reached() == before
    await siege.is_healthy()


async def _open(siege: Siege, *headers: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, bytes]:
    """A socket that stands, and its head."""
    reader, writer = await siege.connect()
    writer.write(siege.head(f"/{siege.target()}/pages/socket", *UPGRADE, *headers))
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), SECONDS)
    assert statuses_of(head) == [101]
    return reader, writer, head


def _frame(kind: int, data: bytes, *, length: bytes = b"", final: bool = True) -> bytes:
    size = len(data)
    long = b"\x7e" + struct.pack("!H", size) if size < 65536 else b"\x7f" + struct.pack("!Q", size)
    told = length or (bytes([size]) if size < 126 else long)
    mask = os.urandom(4)
    first = bytes([kind | (0x80 if final else 0), told[0] | 0x80]) + told[1:]
    return first + mask + bytes(one ^ mask[index % 4] for index, one in enumerate(data))


FRAMES = {
    "huge-frame": _frame(2, b"x" * 100, length=b"\x7f" + struct.pack("!Q", 1 << 40)),
    "frame-beyond-63-bits": _frame(2, b"x" * 100, length=b"\x7f" + struct.pack("!Q", 1 << 63)),
    "beyond-the-limit": _frame(1, b"x" * (1024 * 1024 + 1)),
    "beyond-the-limit-in-parts": b"".join(
        _frame(1 if not number else 0, b"x" * 65000, final=False) for number in range(18)
    ),
    "packed-without-being-asked": bytes([_frame(1, b"hello")[0] | 0x40]) + _frame(1, b"hello")[1:],
    "unknown-kind": _frame(5, b"hello"),
    "long-ping": _frame(9, b"x" * 126),
    "ping-in-parts": _frame(9, b"x", final=False),
    "no-text": _frame(1, b"\xff\xfe"),
    "rest-without-beginning": _frame(0, b"x"),
    "another-beginning": _frame(1, b"x", final=False) + _frame(1, b"y"),
    "close-of-one-octet": _frame(8, b"x"),
    "close-with-a-code-of-nobody": _frame(8, struct.pack("!H", 1005)),
    "http-in-the-socket": b"GET /secret HTTP/1.1\r\nHost: x\r\n\r\n",
}


@pytest.mark.parametrize("name", cases(FRAMES))
async def test_frames_that_may_not_be_end_the_socket(siege: Siege, name: str) -> None:
    reader, writer, _ = await _open(siege)
    seen = siege.pages.begun
    writer.write(FRAMES[name])
    found = await asyncio.wait_for(reader.read(-1), SECONDS)
    assert not found or found[0] == 0x88  # at most a word of farewell
    assert b"hello" not in found
    await hang_up(writer)
    assert siege.pages.begun == seen
    await siege.is_healthy()


async def test_nothing_is_packed_in_a_socket(siege: Siege) -> None:
    """What is packed grows on being read."""
    _, writer, head = await _open(siege, "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits")
    assert b"permessage-deflate" not in head
    await hang_up(writer)
    await siege.is_healthy()


async def test_a_socket_that_is_dropped_leaves_nothing_inside(siege: Siege) -> None:
    _, writer, _ = await _open(siege)
    open_ones = siege.edge.outer.connections
    writer.transport.abort()
    await until(lambda: siege.edge.outer.connections < open_ones)
    await siege.is_healthy()


async def test_a_socket_of_an_honest_person_echoes(siege: Siege) -> None:
    connector = aiohttp.TCPConnector(ssl=siege.context(), resolver=siege.resolver(), local_addr=("127.0.60.51", 0))
    url = f"wss://{siege.here}/{siege.target()}/pages/socket"
    headers = {"Cookie": f"X-Auth={siege.cookie}", "Origin": f"https://{EDGE}:{siege.edge.port}"}
    text = base64.b64encode(os.urandom(30_000)).decode()
    async with aiohttp.ClientSession(connector=connector) as session, session.ws_connect(url, headers=headers) as found:
        await found.send_str(text)
        assert await found.receive_str(timeout=SECONDS) == text
