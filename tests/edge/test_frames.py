"""Frames and words of media between the two proxies."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.protocols.traversal.control import ControlError, Lines, line
from ringback.protocols.traversal.frames import HEAD, Frame, FrameError, Kind, Part, read, write
from ringback.protocols.traversal.media_words import (
    CloseMedia,
    MediaFlow,
    MediaOpened,
    MediaPlace,
    MediaRefused,
    MediaWord,
    OpenMedia,
)

TAG = bytes(range(16))
ADDRESSES = st.ip_addresses().filter(lambda one: int(one) != 0 and getattr(one, "ipv4_mapped", None) is None).map(str)
FRAMES = st.builds(
    Frame,
    st.just(Kind.MEDIA),
    st.binary(min_size=16, max_size=16),
    st.integers(0, 2**32 - 1),
    st.sampled_from(Part),
    st.tuples(ADDRESSES, st.integers(1, 65535)),
)
NUMBERS = st.integers(0, 2**32 - 1)
WORDS: st.SearchStrategy[MediaWord] = st.one_of(
    st.builds(MediaPlace, st.integers(0, 65535)),
    st.builds(MediaFlow, st.binary(min_size=16, max_size=16)),
    st.builds(OpenMedia, NUMBERS, st.sampled_from(("audio", "video"))),
    st.builds(CloseMedia, NUMBERS),
    st.builds(MediaOpened, NUMBERS, st.ip_addresses().map(str), st.integers(0, 65535)),
    st.builds(MediaRefused, NUMBERS, st.text(max_size=100)),
)


@given(FRAMES, st.binary(max_size=1500))
def test_a_frame_is_read_as_it_was_written(frame: Frame, datagram: bytes) -> None:
    data = write(frame) + datagram
    assert read(data) == frame
    assert data[HEAD:] == datagram


@given(st.binary(max_size=100))
def test_any_octets_are_a_frame_or_none(data: bytes) -> None:
    try:
        frame = read(data)
    except FrameError:
        return
    assert write(frame)[:4] == data[:2] + (data[2:4] if frame.kind is Kind.MEDIA else b"\0\0")


def test_an_address_of_ipv4_stays_one() -> None:
    frame = Frame(Kind.MEDIA, TAG, 7, Part.RTCP, ("203.0.113.9", 4711))
    assert read(write(frame)).peer == ("203.0.113.9", 4711)
    assert ipaddress.IPv6Address(write(frame)[24:40]).ipv4_mapped == ipaddress.IPv4Address("203.0.113.9")
    assert "0102" not in repr(frame), "the tag is secret"


@pytest.mark.parametrize("kind", [Kind.HELLO, Kind.HEARD])
def test_greetings_carry_nothing_but_the_tag(kind: Kind) -> None:
    assert read(write(Frame(kind, TAG))) == Frame(kind, TAG)


@pytest.mark.parametrize(
    "data",
    [b"", b"\1" * 39, b"\4" + b"\0" * 39, b"\1\2" + b"\1" * 38, b"\1\0\0\0" + b"\1" * 36, b"\1\0\0\1" + b"\0" * 36],
)
def test_what_is_no_frame_is_refused(data: bytes) -> None:
    with pytest.raises(FrameError):
        read(data)


def test_what_can_t_be_written_is_refused() -> None:
    with pytest.raises(FrameError):
        write(Frame(Kind.MEDIA, TAG, 2**32, Part.RTP, ("127.0.0.1", 1)))
    with pytest.raises(FrameError):
        write(Frame(Kind.MEDIA, TAG, 1, Part.RTP, ("nowhere", 1)))


@given(st.lists(WORDS, max_size=5))
def test_words_about_media_come_as_they_were_said(words: list[MediaWord]) -> None:
    assert Lines().feed(b"".join(line(word) for word in words)) == words


@pytest.mark.parametrize(
    "text",
    [
        b'{"media": {"what": "flow", "text": "00"}}\n',
        b'{"media": {"what": "flow", "text": "zz"}}\n',
        b'{"media": {"what": "open", "number": 1, "text": "smell"}}\n',
        b'{"media": {"what": "open", "number": -1, "text": "audio"}}\n',
        b'{"media": {"what": "opened", "number": 1, "text": "host.example", "port": 5}}\n',
        b'{"media": {"what": "place", "port": 65536}}\n',
        b'{"media": {"what": "other"}}\n',
    ],
)
def test_words_that_can_t_be_are_refused(text: bytes) -> None:
    with pytest.raises(ControlError):
        Lines().feed(text)
