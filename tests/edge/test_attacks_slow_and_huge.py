"""Slow and huge: whoever takes long is cut off, and what is too large is refused before anybody inside reads it."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
from contextlib import suppress

import pytest

from tests.edge.siege import LARGEST, LIMITS, SECONDS, Siege, hang_up, statuses_of
from tests.support.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def _trickle(writer: asyncio.StreamWriter, piece: bytes, over: asyncio.Event) -> None:
    """A piece every 50 ms, until the other side has had enough."""
    with suppress(OSError, ssl.SSLError):
        while not over.is_set():
            writer.write(piece)
            await writer.drain()
            with suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), 0.05)


async def _until_cut_off(siege: Siege, begin: bytes, piece: bytes) -> tuple[list[int], float]:
    """Send something, then go on piece by piece until the edge ends it: what it said, and after how many seconds."""
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    reader, writer = await siege.connect()
    began = loop.time()
    writer.write(begin)
    slow = asyncio.create_task(_trickle(writer, piece, over))
    found = b""
    try:
        with suppress(OSError, ssl.SSLError):
            found = await asyncio.wait_for(reader.read(-1), SECONDS)
    finally:
        over.set()
        await slow
        await hang_up(writer)
    return statuses_of(found), loop.time() - began


HEADS = {
    "nothing-at-all": (b"", b""),
    "letter-by-letter": (b"GET /", b"a"),
    "header-by-header": (b"GET / HTTP/1.1\r\nHost: x\r\n", b"X: y\r\n"),
    "blank-lines-first": (b"\r\n", b"\r\n"),
}


async def _slow_heads(siege: Siege) -> None:
    runs = await asyncio.gather(*(_until_cut_off(siege, *one) for one in HEADS.values()))
    for name, (statuses, seconds) in zip(HEADS, runs, strict=True):
        assert set(statuses) <= {400, 404}, name
        assert seconds < LIMITS.head + 4.0, name


async def _slow_bodies(siege: Siege) -> None:
    path = f"/{siege.target()}/pages/form"
    heads = {
        "silent": (siege.head(path, "Content-Length: 1000", method="POST"), b""),
        "slow": (siege.head(path, "Content-Length: 60000", method="POST"), b"x"),
        "slow-chunks": (siege.head(path, "Transfer-Encoding: chunked", method="POST"), b"1\r\nx\r\n"),
    }
    runs = await asyncio.gather(*(_until_cut_off(siege, *one) for one in heads.values()))
    for name, (statuses, seconds) in zip(heads, runs, strict=True):
        assert statuses == [408], name
        assert seconds < 2 * LIMITS.grace + 4.0, name


async def _refused_bodies(siege: Siege) -> None:
    """Nobody waits for the body of what is refused anyway."""
    begin = siege.head(f"/{siege.target()}/secret", "Content-Length: 60000", method="POST")
    statuses, seconds = await _until_cut_off(siege, begin, b"x")
    assert statuses == [403]
    assert seconds < LIMITS.grace + 4.0


async def _broken_chunks(siege: Siege) -> None:
    """A chunk that is none, when the beginning of the body has reached the server inside."""
    begun = siege.pages.begun
    reader, writer = await siege.connect()
    head = siege.head(f"/{siege.target()}/pages/form", "Transfer-Encoding: chunked", method="POST")
    writer.write(head + b"5\r\nhello\r\n")
    await siege.pages.until(begun + 1)
    writer.write(b"zz\r\nGET /hidden HTTP/1.1\r\nHost: x\r\n\r\n")
    found = await asyncio.wait_for(reader.read(-1), SECONDS)
    assert statuses_of(found)
    assert set(statuses_of(found)) <= {400, 408}
    await hang_up(writer)


async def test_who_is_slow_is_cut_off(siege: Siege) -> None:
    """All at once, since each of them takes its time: nobody holds up the others, or people."""
    seen = [one.path for one in siege.pages.seen].count("/pages/form")
    async with asyncio.TaskGroup() as attacks:
        for attack in (_slow_heads, _slow_bodies, _refused_bodies, _broken_chunks):
            attacks.create_task(attack(siege))
        for _ in range(5):
            await siege.anita_works()
    assert [one.path for one in siege.pages.seen].count("/pages/form") == seen  # inside, none of them was a whole one
    await siege.is_healthy()


async def test_whoever_reads_nothing_is_cut_off(siege: Siege) -> None:
    """Also who asks many times in a row without reading. What the outer proxy still holds of it goes soon after."""
    writers = []
    for count in (1, 20):
        reader, writer = await siege.connect()
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        reader._transport.pause_reading()  # type: ignore[attr-defined]  # the asyncio way not to read
        writer.write(siege.head(f"/{siege.target()}/pages/large") * count)
        writers.append(writer)
    open_ones = siege.edge.inner.connections
    await until(lambda: siege.edge.inner.connections <= open_ones - 2)
    for writer in writers:
        await hang_up(writer)
    await siege.is_healthy()


async def test_huge_heads_are_refused(siege: Siege) -> None:
    heads = {
        "line": b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        "query": siege.head(f"/{siege.target()}/pages/x?" + "a" * 9000),
        "header": siege.head("/", "X-One: " + "a" * 9000),
        "name": siege.head("/", "a" * 9000 + ": x"),
        "many": siege.head("/", *(f"X-{number}: y" for number in range(100))),
        "endless": b"GET / HTTP/1.1\r\nX: " + b"a" * 2_000_000,
    }
    for name, head in heads.items():
        before = siege.reached()
        statuses, _ = await siege.send(head)
        assert statuses == [400], name
        assert siege.reached() == before, name
    await siege.is_healthy()


async def test_bodies_beyond_the_limit_of_their_row_are_refused(siege: Siege) -> None:
    path = f"/{siege.target()}/pages/form"
    before = siege.reached()
    lengths = (f"Content-Length: {LARGEST + 1}", "Content-Length: 9223372036854775807")
    runs = await asyncio.gather(*(siege.send(siege.head(path, one, method="PUT")) for one in lengths))
    assert [statuses for statuses, _ in runs] == [[413], [413]]
    assert siege.reached() == before
    seen = len(siege.pages.seen)
    piece = b"1000\r\n" + b"x" * 4096 + b"\r\n"
    head = siege.head(path, "Transfer-Encoding: chunked", method="POST")
    statuses, _ = await siege.send(head + piece * (LARGEST // 4096 + 1) + b"0\r\n\r\n", end=b"")
    assert statuses == [413]
    assert len(siege.pages.seen) == seen
    statuses, _ = await siege.send(head + piece * (LARGEST // 4096) + b"0\r\n\r\n")
    assert statuses == [200, 404]  # just as much as is allowed
    assert len(siege.pages.seen[-1].body) == LARGEST
    await siege.is_healthy()


async def test_a_bomb_is_not_unpacked_at_the_edge(siege: Siege) -> None:
    """16 KiB that would be 16 MiB go on as they came: what a server inside makes of them is bound by its own limit."""
    bomb = gzip.compress(b"\0" * 16 * 1024 * 1024, 9)
    assert len(bomb) <= LARGEST
    begun, seen = siege.pages.begun, len(siege.pages.seen)
    headers = ("Content-Encoding: gzip", f"Content-Length: {len(bomb)}")
    statuses, _ = await siege.send(siege.head(f"/{siege.target()}/pages/form", *headers, method="POST") + bomb)
    assert statuses[-1] == 404
    assert siege.pages.begun == begun + 1
    assert len(siege.pages.seen) == seen  # aiohttp's own limit inside: 1 MiB unpacked
    await siege.is_healthy()


async def test_packed_bodies_arrive_as_they_were(siege: Siege) -> None:
    packed = gzip.compress(b"hello" * 100)
    headers = ("Content-Encoding: gzip", f"Content-Length: {len(packed)}")
    statuses, _ = await siege.send(siege.head(f"/{siege.target()}/pages/form", *headers, method="POST") + packed)
    assert statuses == [200, 404]
    assert siege.pages.seen[-1].body == b"hello" * 100  # unpacked by the server inside, once
    await siege.is_healthy()


async def test_many_ranges_are_not_asked_for_inside(siege: Siege) -> None:
    many = "Range: bytes=" + ",".join(f"{number}-" for number in range(1000))
    statuses, _ = await siege.send(siege.head(f"/{siege.target()}/pages/x", many))
    assert statuses == [200, 404]
    assert siege.pages.seen[-1].values("Range") == []
    await siege.send(siege.head(f"/{siege.target()}/pages/x", "Range: bytes=0-9"))
    assert siege.pages.seen[-1].values("Range") == ["bytes=0-9"]
    await siege.is_healthy()


async def test_requests_come_at_a_pace(siege: Siege) -> None:
    """One address, and one person, ask so many times at once and no more."""
    many = 1000
    statuses, _ = await siege.send(siege.head("/", signed=False) * many)
    assert statuses.count(404) >= LIMITS.address[0]
    assert statuses.count(429) > 0
    assert set(statuses) == {404, 429}
    await siege.is_healthy()
