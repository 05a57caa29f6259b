"""The outer proxy's ports of the world alone: who gets packets, and who does not."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack

import pytest
import pytest_asyncio

from ringback.protocols.traversal.frames import HEAD, Frame, Kind, Part, read, write
from ringback.protocols.traversal.media_words import (
    CloseMedia,
    MediaFlow,
    MediaOpened,
    MediaPlace,
    MediaRefused,
    MediaWord,
    OpenMedia,
)
from ringback.rules.addresses import HostPort
from ringback.services.edge.media_outer import LEASE, OuterMedia, PacketRate
from ringback.services.edge.settings import OuterMediaSettings
from tests.support.waiting import until

HERE, TAG, OTHER = "127.0.0.1", b"t" * 16, b"o" * 16


class Inside:
    """An inner proxy: what it is told, and its end of the flow."""

    def __init__(self, media: OuterMedia, words: list[MediaWord], stack: ExitStack, name: str, tag: bytes) -> None:
        self.media = media
        self.words = words
        self.name = name
        self.tag = tag
        self.flow = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self.flow.setblocking(False)
        self.flow.connect((media.place.host, media.place.port))
        media.told(name, MediaFlow(tag))

    async def greet(self) -> None:
        self.flow.send(write(Frame(Kind.HELLO, self.tag)))
        assert read(await self.got()).kind is Kind.HEARD

    async def got(self) -> bytes:
        return await asyncio.wait_for(asyncio.get_running_loop().sock_recv(self.flow, 2048), 5)

    def open(self, number: int, kind: str = "audio") -> tuple[str, int]:
        self.media.told(self.name, OpenMedia(number, "video" if kind == "video" else "audio"))
        word = self.words[-1]
        assert isinstance(word, MediaOpened)
        assert word.number == number
        return word.address, word.port

    def send(self, number: int, peer: tuple[str, int], data: bytes, part: Part = Part.RTP) -> None:
        self.flow.send(write(Frame(Kind.MEDIA, self.tag, number, part, peer)) + data)


@pytest_asyncio.fixture
async def made() -> AsyncIterator[tuple[OuterMedia, list[MediaWord], ExitStack]]:
    words: list[MediaWord] = []
    media = OuterMedia(OuterMediaSettings(HERE, HostPort(HERE, 0), (0, 0)), lambda _, word: words.append(word))
    media.start()
    with ExitStack() as stack:
        yield media, words, stack
    media.stop()


def client(stack: ExitStack) -> socket.socket:
    one = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    one.bind((HERE, 0))
    one.setblocking(False)
    return one


async def until_dropped(media: OuterMedia, more_than: int) -> None:
    await until(lambda: media.dropped > more_than)


Made = tuple[OuterMedia, list[MediaWord], ExitStack]


async def test_packets_go_both_ways_and_back_only_to_who_sent(made: Made) -> None:
    media, words, stack = made
    media.joined("inner")
    assert words == [MediaPlace(media.place.port)]
    inner = Inside(media, words, stack, "inner", TAG)
    await inner.greet()
    place = inner.open(7)
    somebody, victim = client(stack), client(stack)
    inner.send(7, victim.getsockname(), b"thrown at somebody")
    await until_dropped(media, 0)
    somebody.sendto(b"hello", place)
    frame = await inner.got()
    assert (read(frame).number, read(frame).peer, frame[HEAD:]) == (7, somebody.getsockname(), b"hello")
    somebody.sendto(b"report", (place[0], place[1] + 1))
    assert read(await inner.got()).part is Part.RTCP
    inner.send(7, somebody.getsockname(), b"back")
    inner.send(7, somebody.getsockname(), b"reported", Part.RTCP)
    loop = asyncio.get_running_loop()
    found = {await asyncio.wait_for(loop.sock_recv(somebody, 100), 5) for _ in range(2)}
    assert found == {b"back", b"reported"}
    inner.send(7, victim.getsockname(), b"thrown at somebody")
    await until_dropped(media, 1)
    media.told("inner", CloseMedia(7))
    assert media.allocations == 0
    inner.send(7, somebody.getsockname(), b"too late")
    await until_dropped(media, 2)


@pytest.mark.parametrize(("kind", "octet"), [("audio", 0xB8), ("video", 0x88)])
async def test_packets_are_marked_on_every_way(made: Made, kind: str, octet: int) -> None:
    media, words, stack = made
    inner = Inside(media, words, stack, "inner", TAG)
    await inner.greet()
    place = inner.open(7, kind)
    somebody = client(stack)
    for one in (inner.flow, somebody):
        one.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
    somebody.sendto(b"hello", place)
    await wait_readable(inner.flow)
    _, notes, _, _ = inner.flow.recvmsg(2048, 100)
    assert [data[0] for _, _, data in notes] == [octet]
    inner.send(7, somebody.getsockname(), b"back")
    await wait_readable(somebody)
    _, notes, _, _ = somebody.recvmsg(2048, 100)
    assert [data[0] for _, _, data in notes] == [octet]


async def wait_readable(one: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    came = asyncio.Event()
    loop.add_reader(one, came.set)
    try:
        await asyncio.wait_for(came.wait(), 5)
    finally:
        loop.remove_reader(one)


async def test_nobody_speaks_for_another(made: Made) -> None:
    media, words, stack = made
    inner, other = Inside(media, words, stack, "inner", TAG), Inside(media, words, stack, "other", OTHER)
    await inner.greet()
    await other.greet()
    place = inner.open(7)
    somebody = client(stack)
    somebody.sendto(b"hello", place)
    await inner.got()
    other.send(7, somebody.getsockname(), b"of another")  # a number that it does not have
    other.tag = b"x" * 16
    other.send(7, somebody.getsockname(), b"with no known tag")
    other.flow.send(b"rubbish")
    await until_dropped(media, 2)
    inner.send(7, somebody.getsockname(), b"right")
    assert await asyncio.wait_for(asyncio.get_running_loop().sock_recv(somebody, 100), 5) == b"right"
    media.told("other", CloseMedia(7))
    assert media.allocations == 1
    media.told("stranger", OpenMedia(1, "audio"))
    assert isinstance(words[-1], MediaRefused)
    media.told("inner", OpenMedia(7, "audio"))
    assert isinstance(words[-1], MediaRefused), "the same number twice"
    media.told("inner", MediaFlow(TAG))
    assert media.allocations == 1, "the same flow over another link"
    media.told("inner", MediaFlow(b"n" * 16))
    assert media.allocations == 0, "a new process has nothing"


async def test_strangers_push_nobody_out(made: Made) -> None:
    media, words, stack = made
    inner = Inside(media, words, stack, "inner", TAG)
    await inner.greet()
    place = inner.open(7)
    somebody = client(stack)
    somebody.sendto(b"hello", place)
    await inner.got()
    inner.send(7, somebody.getsockname(), b"believed")
    await asyncio.wait_for(asyncio.get_running_loop().sock_recv(somebody, 100), 5)
    for _ in range(40):
        client(stack).sendto(b"noise", place)
        await inner.got()
    inner.send(7, somebody.getsockname(), b"still")
    assert await asyncio.wait_for(asyncio.get_running_loop().sock_recv(somebody, 100), 5) == b"still"


async def test_ports_that_nobody_needs_are_free_again(made: Made) -> None:
    media, words, stack = made
    inner = Inside(media, words, stack, "inner", TAG)
    await inner.greet()
    inner.open(7)
    inner.open(8)
    now = time.monotonic()
    media.sweep(now + LEASE - 1)
    assert media.allocations == 2
    inner.flow.send(write(Frame(Kind.HELLO, TAG, 8)))
    await inner.greet()  # was read after it
    inner.media.sweep(now + LEASE)
    assert media.allocations == 1, "the word that closes one was lost with its link"


def test_a_port_takes_no_more_than_media_need() -> None:
    rate = PacketRate(100.0, 20.0)
    assert sum(rate.admits(1000.0) for _ in range(1000)) == 20
    assert sum(rate.admits(1000.0 + number / 10_000) for number in range(10_000)) in range(98, 102)
    assert sum(rate.admits(2000.0) for _ in range(1000)) == 20
