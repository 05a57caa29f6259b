"""Harnesses of what comes to the edge for calls: frames of media, words about them, descriptions from both sides, and
SIP before and after a registration."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from ringback.protocols.edge.call_media import CallMedia
from ringback.protocols.edge.session_media import Places, Side
from ringback.protocols.edge.sip_screen import Refused, Served, SipScreen
from ringback.protocols.sdp.description import Description, SdpError
from ringback.protocols.sip.errors import MalformedMessage
from ringback.protocols.sip.message import Request
from ringback.protocols.sip.reader import KeepAlive, Reader
from ringback.protocols.traversal.control import ControlError, Lines, line
from ringback.protocols.traversal.frames import Frame, FrameError, Kind, Part, read, write
from ringback.protocols.traversal.media_words import MediaFlow, MediaOpened, OpenMedia
from ringback.rules.addresses import HostPort

_TAG = bytes(range(16))
_SERVED = Served(frozenset({"example.com"}), frozenset({"cm1.example.com"}), frozenset({"edge.example.com"}))
_SDP = (
    b"v=0\r\no=- 1 1 IN IP4 192.168.7.7\r\ns=-\r\nc=IN IP4 192.168.7.7\r\nt=0 0\r\nm=audio 5000 RTP/SAVP 0\r\n"
    b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh\r\n"
)
_PLAIN = b"v=0\r\no=- 1 1 IN IP4 10.1.1.9\r\ns=-\r\nc=IN IP4 10.1.1.9\r\nt=0 0\r\nm=audio 7000 RTP/AVP 0\r\n"


def _message(method: bytes, body: bytes = b"", more: bytes = b"") -> bytes:
    return (
        method + b" sip:2002@example.com SIP/2.0\r\nVia: SIP/2.0/TLS h;branch=z9hG4bK1;rport\r\n"
        b"From: <sip:2001@example.com>;tag=f\r\nTo: <sip:2002@example.com>\r\nCall-ID: c\r\nCSeq: 1 " + method + b"\r\n"
        b"Contact: <sip:2001@h>\r\n" + more + b"Content-Length: %d\r\n\r\n" % len(body) + body
    )


_ROUTE = b"Route: <sip:edge.example.com;lr>\r\n"
_TYPE = b"Content-Type: application/sdp\r\n"


def _frames(data: bytes) -> None:
    with contextlib.suppress(FrameError):
        frame = read(data)
        if read(write(frame)) != frame:
            raise AssertionError("what was read is not what was written")


def _words(data: bytes) -> None:
    with contextlib.suppress(ControlError):
        for word in Lines().feed(data):
            if Lines().feed(line(word)) != [word]:
                raise AssertionError("what was read is not what was said")


def _exchange(data: bytes) -> None:
    """Offer and answer, divided by a zero octet; the first one says from which side."""
    side: Side = "outside" if data[:1] < b"\x80" else "inside"
    first, _, second = data[1:].partition(b"\0")
    call = CallMedia("best-effort")
    with contextlib.suppress(SdpError):
        offered = Description.parse(first)
        for index, _kind in call.media.wanted(offered, side):
            call.media.give(index, Places(("203.0.113.20", 20000), ("10.1.1.41", 30000)))
        offer = call.media.offer(offered, side)
        Description.parse(offer.written.encode())
        answer = call.media.answer(offer, Description.parse(second))
        Description.parse(answer.written.encode())


def _sip(data: bytes) -> None:
    """A client's connection; what passes must be readable behind the edge."""
    screen = SipScreen(_SERVED, HostPort("203.0.113.20", 5061), HostPort("198.51.100.7", 4711))
    screen.registered = data[:1] > b"\x80"
    for item in Reader(32_768, 65_536).feed(data[1:]):
        if isinstance(item, KeepAlive | MalformedMessage):
            continue
        with contextlib.suppress(MalformedMessage):
            found = screen.request_in(item) if isinstance(item, Request) else screen.response_in(item)
            if isinstance(found, Refused):
                continue
            again = Reader().feed(item.encode())
            if len(again) != 1 or isinstance(again[0], KeepAlive | MalformedMessage) or again[0].has("Route"):
                raise AssertionError("what passed can't be read, or still has a route")


EDGE_MEDIA: dict[str, tuple[Callable[[bytes], None], tuple[bytes, ...]]] = {
    "edge-frames": (
        _frames,
        (
            write(Frame(Kind.MEDIA, _TAG, 7, Part.RTCP, ("203.0.113.9", 4711))) + b"\x80\xc8",
            write(Frame(Kind.MEDIA, _TAG, 7, Part.RTP, ("2001:db8::1", 4711))),
            write(Frame(Kind.HELLO, _TAG)),
        ),
    ),
    "edge-words": (
        _words,
        (line(MediaFlow(_TAG)) + line(OpenMedia(1, "audio")) + line(MediaOpened(1, "203.0.113.20", 20000)),),
    ),
    "edge-descriptions": (_exchange, (b"\0" + _SDP + b"\0" + _PLAIN, b"\xff" + _PLAIN + b"\0" + _SDP)),
    "edge-sip": (
        _sip,
        (
            b"\0" + _message(b"REGISTER", more=_ROUTE),
            b"\xff" + _message(b"INVITE", _SDP, _TYPE + _ROUTE),
            b"\0" + _message(b"OPTIONS") + b"\r\n\r\n",
        ),
    ),
}
