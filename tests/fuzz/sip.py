"""Harnesses of SIP: messages on datagrams and streams, URIs and header values, digest, bodies, and SDP.

What can be read must also be written, and read again as the same; a raise of anything but the documented error, and a
message that changes by being passed on, are what is looked for.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from ringback.protocols.sdp import Description, Format, Origin, SdpError
from ringback.protocols.sdp.negotiation import Local, answer, offer, settle
from ringback.protocols.sip import headers
from ringback.protocols.sip.bodies import (
    alarm,
    dialog_info,
    feature_event,
    kpml,
    message_summary,
    multipart,
    presence,
    remotecc,
    service_control,
    sipfrag,
)
from ringback.protocols.sip.bodies.markup import BodyError
from ringback.protocols.sip.digest import Answer, Answerer, Challenge, Credentials, Guard, Verdict, challenges_of
from ringback.protocols.sip.errors import MalformedMessage
from ringback.protocols.sip.headers import MediaType
from ringback.protocols.sip.message import Message, Request, Response, parse
from ringback.protocols.sip.reader import Reader
from ringback.protocols.sip.uri import Uri
from tests.sip_messages.torture import load

_TORTURE = tuple(case.data for document in ("rfc4475", "rfc5118") for case in load(document).values())
_HERE = Origin("1", 1, "192.0.2.1")
_AUDIO = Local(
    "audio",
    4000,
    (
        Format(111, "opus", 48000, 2),
        Format(9, "G722", 8000),
        Format(0, "PCMU", 8000),
        Format(101, "telephone-event", 8000),
    ),
    encryption="best_effort",
    crypto=("1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz",),
)
_VIDEO = Local("video", 4002, (Format(97, "H264", 90000), Format(96, "VP8", 90000)), feedback=("nack",))
_TYPED = tuple(name for kind in Message.__mro__ for name, value in vars(kind).items() if isinstance(value, property))


def _fail(what: str) -> None:
    raise AssertionError(what)


def _same(one: Message, other: Message) -> bool:
    return str(one) == str(other) and one.items() == other.items() and one.body == other.body


def _look(message: Request | Response) -> None:
    for name in _TYPED:
        with contextlib.suppress(MalformedMessage):
            getattr(message, name)
    with contextlib.suppress(MalformedMessage):
        message.check()
        if not message.branch and not message.via.host:
            _fail("a message without a way back was let through")
    for values in (message.all("WWW-Authenticate"), message.all("Proxy-Authenticate")):
        with contextlib.suppress(MalformedMessage):
            challenges_of(values, ())
    if isinstance(message, Request):
        parse(message.respond(400, to_tag="t").encode())


def _datagram(data: bytes) -> None:
    try:
        message = parse(data)
    except MalformedMessage as error:
        if isinstance(error.message, Request):
            parse(error.message.respond(error.status).encode())
        return
    _look(message)
    if not _same(parse(message.encode()), message):
        _fail("a message changes when it is passed on")


def _stream(data: bytes) -> None:
    """However a stream is cut, the same comes out (keep-alives aside, whose pairs depend on the cuts)."""
    if not data:
        return
    size, data = 1 + data[0], data[1:]
    whole, cut = Reader(2000, 2000), Reader(2000, 2000)
    once = [item for item in whole.feed(data) if isinstance(item, Request | Response)]
    pieces = [cut.feed(data[start : start + size]) for start in range(0, len(data), size)]
    parts = [item for piece in pieces for item in piece if isinstance(item, Request | Response)]
    if whole.broken != cut.broken or len(once) != len(parts) or not all(map(_same, once, parts)):
        _fail("the cuts of a stream change what is read")


def _values(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape").replace("\r", "").replace("\n", "")
    kinds = (headers.CSeq, headers.MediaType, headers.NameAddr, headers.Parametered, headers.RAck, headers.Reason)
    more = (headers.Replaces, headers.SessionExpires, headers.SessionId, headers.SubscriptionState)
    for read in (*(kind.parse for kind in (*kinds, *more)), headers.UriWithParams.parse, headers.Via.parse):
        with contextlib.suppress(MalformedMessage):
            value = read(text)
            if read(str(value)) != value:
                _fail(f"{value!r} is not read back as itself")
    with contextlib.suppress(MalformedMessage):
        if headers.tag_of(text) != headers.NameAddr.parse(text).tag:
            _fail("the short way to a tag finds another than the long one")
    with contextlib.suppress(MalformedMessage):
        headers.split_commas(text)


def _uri(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    with contextlib.suppress(MalformedMessage):
        uri = Uri.parse(text)
        built = Uri(uri.scheme, uri.user, uri.host, uri.port, uri.params, uri.headers, uri.password, uri.opaque)
        if str(uri) != text or Uri.parse(str(built)) != uri or hash(built) != hash(uri):
            _fail(f"{text!r} is not read back as itself")


def _digest(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape").replace("\r", "").replace("\n", "")
    guard = Guard("r", b"k" * 32)
    with contextlib.suppress(MalformedMessage):
        if guard.verify(Answer.parse(text), "INVITE", "0" * 64, 1.0) is not Verdict.WRONG:
            _fail("an answer of nobody was taken")
    with contextlib.suppress(MalformedMessage):
        challenge = Challenge.parse(text)
        client = Answerer([Credentials("a", "b")])
        for _ in client.learn([challenge]):
            for _, value in client.headers("INVITE", "sip:a"):
                Answer.parse(value)


def _bodies(data: bytes) -> None:
    for read in (
        alarm.Alarm.parse,
        dialog_info.DialogInfo.parse,
        kpml.KpmlRequest.parse,
        kpml.KpmlResponse.parse,
        message_summary.MessageSummary.parse,
        presence.LinePresence.parse,
        remotecc.RemoteCcResponse.parse,
        sipfrag.SipFragment.parse,
        service_control.ServiceControl.parse,
    ):
        with contextlib.suppress(BodyError):
            read(read(data).encode())
    with contextlib.suppress(BodyError):
        remotecc.parse(remotecc.encode(remotecc.parse(data)))
    with contextlib.suppress(BodyError):
        feature_event.parse(feature_event.encode(feature_event.parse(data)))
    kind = MediaType("multipart/mixed", {"boundary": "b"})
    with contextlib.suppress(BodyError):
        parts = multipart.parse(data, kind)
        multipart.parse(multipart.encode(parts, "b"), kind)


def _description(data: bytes) -> None:
    """A description as offer and as answer: an answer of ours must settle with the offer that it answers."""
    try:
        description = Description.parse(data)
    except SdpError:
        return
    Description.parse(description.encode())
    with contextlib.suppress(SdpError):
        settled = answer(description, _HERE, "192.0.2.1", [_AUDIO, _VIDEO])
        Description.parse(settled.description.encode())
    with contextlib.suppress(SdpError):
        settle(offer(_HERE, "192.0.2.1", [_AUDIO, _VIDEO]), description, [_AUDIO, _VIDEO])


_GUARD = Guard("example.com", b"k" * 32)
_SEED_BODIES = (
    alarm.Alarm("DeviceTLInfo", {"DeviceName": "SEP1"}).encode(),
    dialog_info.DialogInfo(
        "sip:a@b", 1, True, (dialog_info.WatchedDialog("1", "confirmed", "c", "l", "r", "recipient", park="parked"),)
    ).encode(),
    kpml.KpmlRequest().encode(),
    kpml.KpmlResponse(200, "1#").encode(),
    message_summary.MessageSummary.voice(1, 2, "sip:a@b").encode(),
    presence.LinePresence("sip:a@b", True, tuple(presence.Activity), "note", "sip:c").encode(),
    remotecc.encode(remotecc.SoftkeyEvent("Park", remotecc.DialogId("a", "b", "c"), 1)),
    remotecc.encode(remotecc.BulkUpdate((remotecc.LineUpdate(1, True, 1, 2, "3", True),))),
    remotecc.RemoteCcResponse(200, remotecc.Options(("bfcp",), 6, (("dialog", "hook status"),)), ("bfcp",)).encode(),
    feature_event.encode(feature_event.Forwarding("1", "forwardBusy", True, "2", 3)),
    sipfrag.SipFragment(200).encode(),
    service_control.ServiceControl("reset", {"RegisterCallId": "1"}).encode(),
    multipart.encode((multipart.Part("text/plain", b"a", "1", "session"), multipart.Part("text/plain", b"b")), "b"),
)

SIP: dict[str, tuple[Callable[[bytes], None], tuple[bytes, ...]]] = {
    "sip-message": (_datagram, _TORTURE),
    "sip-stream": (_stream, tuple(bytes([size]) + data for size, data in zip((1, 7, 200), _TORTURE[:3], strict=True))),
    "sip-value": (
        _values,
        (
            b'"A, \\"B\\"" <sip:a@b;lr>;tag=1;x="2"',
            b"SIP/2.0/UDP [::1]:5060;branch=z9hG4bK1;rport",
            b"1 INVITE",
            b"a@b;to-tag=1;from-tag=2;early-only",
            b'SIP;cause=200;text="a"',
            b"active;expires=60;reason=x",
        ),
    ),
    "sip-uri": (_uri, (b"sip:a%20b:c@[::1]:5060;transport=tcp;lr?X=y%3D", b"tel:+1-555;phone-context=a", b"urn:a:b")),
    "sip-digest": (
        _digest,
        (
            _GUARD.challenges(1.0)[0].encode(),
            (
                b'Digest username="a", realm="r", nonce="n", uri="u", response="0", algorithm=MD5, '
                b'cnonce="c", qop=auth, nc=00000001'
            ),
        ),
    ),
    "sip-body": (_bodies, _SEED_BODIES),
    "sdp": (
        _description,
        (
            offer(_HERE, "192.0.2.1", [_AUDIO, _VIDEO]).encode(),
            *(data.partition(b"\r\n\r\n")[2] for data in _TORTURE[:3]),
        ),
    ),
}
