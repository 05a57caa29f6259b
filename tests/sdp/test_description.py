"""Reading and writing session descriptions: samples of phones in use, round trips, and any bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.protocols.sdp import Attribute, Connection, Description, SdpError

PHONE = b"""v=0
o=Cisco-SIPUA 5842 0 IN IP4 10.0.0.7
s=SIP Call
t=0 0
m=audio 16384 RTP/AVP 0 8 18 101
c=IN IP4 10.0.0.7
a=rtpmap:0 PCMU/8000
a=rtpmap:18 G729/8000
a=fmtp:18 annexb=no
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=sendrecv
"""


def test_a_phone_s_description_is_read_and_written_again() -> None:
    read = Description.parse(PHONE)
    audio = read.media[0]
    assert read.origin.user == "Cisco-SIPUA"
    assert (audio.kind, audio.port, audio.proto) == ("audio", 16384, "RTP/AVP")
    assert audio.formats == ("0", "8", "18", "101")
    assert read.connection_of(audio) == Connection("10.0.0.7")
    assert audio.value("fmtp") == "18 annexb=no"
    assert read.value("sendrecv", audio) == ""
    written = read.encode()
    assert written.count(b"\r\n") == written.count(b"\n")
    assert Description.parse(written) == read


def test_what_is_not_understood_is_kept() -> None:
    data = PHONE + b"i=a title\r\na=x-future:1\r\nm=application 5060 TCP/BFCP *\r\na=floorctrl:c-only\r\n"
    read = Description.parse(data)
    assert read.media[0].other == ("i=a title",)
    assert read.media[0].attributes[-1] == Attribute("x-future", "1")
    assert read.media[1].formats == ("*",)
    assert Description.parse(read.encode()) == read


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no o="),
        (b"hello", "x=value"),
        (b"o=- 1 1 IN IP4 1.1.1.1", "v=0"),
        (b"v=1\no=- 1 1 IN IP4 1.1.1.1", "v=0"),
        (b"v=0\no=- 1 IN IP4 1.1.1.1", "six fields"),
        (b"v=0\no=- 1 x IN IP4 1.1.1.1", "not a number"),
        (b"v=0\no=- 1 1 IN IP4 1.1.1.1\nm=audio 70000 RTP/AVP 0", "no port"),
        (b"v=0\no=- 1 1 IN IP4 1.1.1.1\nm=audio 5000/0 RTP/AVP 0", "no port"),
        (b"v=0\no=- 1 1 IN IP4 1.1.1.1\nm=audio RTP/AVP 0", "needs kind"),
        (b"v=0\no=- 1 1 IN IP4 1.1.1.1\nc=IN IP9 x", "IP4 or IP6"),
        (b"v=0\no=- 1 1 IN IP4 1.1.1.1\nc=IN IP4 /127", "no address"),
        (b"v=0\no=- 1 1 IN IP4 1.1.1.1\n" + b"m=audio 1 RTP/AVP 0\n" * 33, "media sections"),
        (b"v=0\n" + b"a=b\n" * 2001, "lines"),
        (b"v=0\n" + b"a=" + b"x" * 70000, "longer"),
    ],
)
def test_what_is_wrong_is_said(data: bytes, why: str) -> None:
    with pytest.raises(SdpError, match=why):
        Description.parse(data)


@given(st.binary(max_size=400) | st.text(alphabet="v=0oacmst \r\nINP46.:/1", max_size=400).map(str.encode))
def test_any_bytes_give_a_description_or_the_error(data: bytes) -> None:
    try:
        read = Description.parse(data)
    except SdpError:
        return
    assert Description.parse(read.encode()) == read


@given(st.lists(st.sampled_from(PHONE.splitlines(keepends=True)), max_size=30), st.binary(max_size=20))
def test_shuffled_lines_give_a_description_or_the_error(lines: list[bytes], tail: bytes) -> None:
    try:
        read = Description.parse(b"v=0\n" + b"".join(lines) + tail)
    except SdpError:
        return
    assert Description.parse(read.encode()) == read
