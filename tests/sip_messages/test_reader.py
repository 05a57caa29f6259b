"""Streams: the same messages come out however the bytes are cut; what cannot be framed ends the stream."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.protocols.sip.errors import MalformedMessage
from ringback.protocols.sip.message import Request, Response
from ringback.protocols.sip.reader import KeepAlive, Reader, Received
from tests.sip_messages.torture import load

RFC4475 = load("rfc4475")
MESSAGES = (
    Request("OPTIONS", "sip:a@b", [("Call-ID", "1")]).encode(),
    Request("MESSAGE", "sip:a@b", [("Call-ID", "2")], b"\r\n\r\nOPTIONS sip:c SIP/2.0\r\n\r\n").encode(),
    Response(200, headers=[("Call-ID", "3"), ("Subject", "äöü")], body=bytes(range(256))).encode(),
)


def shown(items: list[Received]) -> list[object]:
    return [
        (str(item), item.items(), item.body) if isinstance(item, Request | Response) else item
        for item in items
        if item is not KeepAlive.PONG
    ]


@given(st.data(), st.lists(st.sampled_from(MESSAGES), max_size=4))
def test_cuts_do_not_matter(data: st.DataObject, messages: list[bytes]) -> None:
    stream = b"".join(messages)
    expected = shown(Reader().feed(stream))
    assert len(expected) == len(messages)
    reader, found, position = Reader(), list[Received](), 0
    while position < len(stream):
        size = data.draw(st.integers(1, 60))
        found += reader.feed(stream[position : position + size])
        position += size
    assert shown(found) == expected
    assert not reader.pending


def test_keep_alives() -> None:
    reader = Reader()
    assert reader.feed(b"\r\n\r\n") == [KeepAlive.PING]
    assert reader.feed(b"\r\n") == [KeepAlive.PONG]
    assert reader.feed(b"\r\n") == [KeepAlive.PING]  # a question that came in two pieces
    assert reader.feed(b"\r\n\r\n\r\n\r\n") == [KeepAlive.PING, KeepAlive.PING]
    found = reader.feed(b"\r\n" + MESSAGES[0] + b"\r\n\r\n")
    assert (found[0], found[2]) == (KeepAlive.PONG, KeepAlive.PING)
    assert not reader.pending


def test_a_half_line_break_waits() -> None:
    reader = Reader()
    assert reader.feed(b"\r") == []
    assert reader.pending
    assert reader.feed(b"\n\r") == [KeepAlive.PONG]
    assert reader.feed(b"\n") == [KeepAlive.PING]


@pytest.mark.parametrize("name", ["clerr", "ncl", "mcl01", "inv2543"])
def test_torture_that_loses_the_framing(name: str) -> None:
    reader = Reader()
    found = reader.feed(RFC4475[name].data)
    if name == "clerr":
        assert found == []  # the rest may still come
        assert reader.pending
        return
    (error,) = found
    assert isinstance(error, MalformedMessage)
    assert (error.status, error.fatal, reader.broken) == (400, True, True)
    assert isinstance(error.message, Request)
    assert reader.feed(MESSAGES[0]) == []


def test_a_bad_message_with_good_framing_costs_only_itself() -> None:
    reader = Reader()
    bad = b"OPTIONS sip:a SIP/7.0\r\nCall-ID: x\r\nl: 3\r\n\r\nabc"
    found = reader.feed(bad + MESSAGES[0])
    assert isinstance(found[0], MalformedMessage)
    assert (found[0].status, found[0].fatal) == (505, False)
    assert isinstance(found[1], Request)


def test_limits() -> None:
    for data, head, body in (
        (b"OPTIONS sip:a SIP/2.0\r\nA: " + b"b" * 200, 100, 100),
        (b"OPTIONS sip:a SIP/2.0\r\nA: " + b"b" * 200 + b"\r\n\r\n", 100, 100),
        (b"OPTIONS sip:a SIP/2.0\r\nl: 101\r\n\r\n", 100, 100),
    ):
        (error,) = Reader(head, body).feed(data)
        assert isinstance(error, MalformedMessage)
        assert (error.status, error.fatal) == (513, True)
    assert len(Reader(100, 100).feed(b"OPTIONS sip:a SIP/2.0\r\nl: 100\r\n\r\n" + b"x" * 100)) == 1


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\r\n\r\n", b"x\ny\r\n\r\n"])
def test_other_protocols_end_the_stream(data: bytes) -> None:
    reader = Reader()
    (error,) = reader.feed(data)
    assert isinstance(error, MalformedMessage)
    assert error.fatal
    assert reader.broken


@given(st.lists(st.binary(max_size=100), max_size=5))
def test_any_bytes_are_read_without_a_raise(chunks: list[bytes]) -> None:
    reader = Reader(200, 200)
    for chunk in chunks:
        reader.feed(chunk)
    assert reader.pending in (True, False)
