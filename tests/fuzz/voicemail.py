"""Harnesses of the voicemail interface: documents in both notations, multipart bodies, CometD, sounds, diversions."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import msgspec
from aiohttp import MultipartReader, StreamReader
from aiohttp.base_protocol import BaseProtocol

from ringback.media.players.recorder import wav_of_codes
from ringback.media.players.sound import SoundFileError
from ringback.protocols import cometd
from ringback.protocols.markup import Element
from ringback.protocols.sip.errors import SipError
from ringback.protocols.sip.message import Request
from ringback.protocols.sip.message import parse as parse_message
from ringback.protocols.vmrest import documents
from ringback.protocols.vmrest.calls import CallControl, PhoneCall
from ringback.protocols.vmrest.documents import DocumentError
from ringback.protocols.vmrest.greetings import GreetingChange, UserGreeting
from ringback.protocols.vmrest.mailbox import Folder, Mailbox, NewMessage, Recipient, recipients, recipients_of
from ringback.protocols.vmrest.messages import Message, MessageChange, MessageList, Query, Sender, message_id
from ringback.services.voicemail import sounds
from ringback.services.voicemail.errors import BadSoundError, TooLongError
from ringback.services.voicemail.parts import read_parts
from ringback.services.voicemail.telephone.diverted import diverted

_ID = "0b9b1a0e-1111-4222-8333-444455556666"
_MESSAGE = Message(_ID, "Lunch", sender=Sender("Anita", "anita@example.com", "2001"), arrived=1, duration=2, size=3)
_READERS: tuple[tuple[str, Callable[[Element], object]], ...] = (
    ("Message", Message.read_from),
    ("Message", MessageChange.read_from),
    ("Message", NewMessage.read_from),
    ("Messages", MessageList.read_from),
    ("Recipients", recipients_of),
    ("Mailbox", Mailbox.read_from),
    ("Folder", Folder.read_from),
    ("Greeting", UserGreeting.read_from),
    ("Greeting", GreetingChange.read_from),
    ("Call", PhoneCall.read_from),
    ("CallControl", CallControl.read_from),
)


def _documents(data: bytes) -> None:
    for kind in (documents.XML, documents.JSON):
        for name, read in _READERS:
            with contextlib.suppress(DocumentError):
                read(documents.parse(data, kind, name))
    words = data.decode("latin-1")
    with contextlib.suppress(DocumentError):
        Query.parse(dict(pair.partition("=")[::2] for pair in words.split("&")))
    with contextlib.suppress(DocumentError):
        message_id(words)


def _multipart(data: bytes) -> None:
    asyncio.run(_read_body(data))


async def _read_body(data: bytes) -> None:
    loop = asyncio.get_running_loop()
    stream = StreamReader(BaseProtocol(loop), 2**16, loop=loop)
    stream.feed_data(data)
    stream.feed_eof()
    reader = MultipartReader({"Content-Type": "multipart/form-data; boundary=limit"}, stream)
    with contextlib.suppress(DocumentError, BadSoundError, TooLongError):
        parts = await read_parts(reader, 1.0)
        if not 2 <= len(parts) <= 3:
            raise RuntimeError(f"{len(parts)} parts are no message")
        for part in parts[:2]:
            with contextlib.suppress(DocumentError):
                part.document("Message")


def _cometd(data: bytes) -> None:
    server = cometd.Bayeux(lambda channel: channel == "/a", new_id=lambda: "client", waiting=3)
    with contextlib.suppress(cometd.BayeuxError):
        packets = cometd.parse(data)
        msgspec.json.encode(server.receive(packets, 1.0).packets)
        server.publish("/a", {"n": 1})
        server.take("client")
        server.expire(100.0)


def _sounds(data: bytes) -> None:
    with contextlib.suppress(BadSoundError, TooLongError):
        found = sounds.check(data, 5.0)
        with contextlib.suppress(SoundFileError):
            sounds.as_kept(found.wav, sounds.LINEAR)


def _diversions(data: bytes) -> None:
    with contextlib.suppress(SipError):
        message = parse_message(data)
        if isinstance(message, Request):
            diverted(message)


def _both(element: Element) -> tuple[bytes, bytes]:
    return documents.render(element, json=False), documents.render(element, json=True)


_INVITE = (
    b"INVITE sip:2999@vm SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\n"
    b"To: <sip:2999@vm>\r\n"
    b"Call-ID: 1\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\n%b\r\nContent-Length: 0\r\n\r\n"
)
_PART = b"--limit\r\nContent-Type: %b\r\n\r\n%b\r\n"

VOICEMAIL: dict[str, tuple[Callable[[bytes], None], tuple[bytes, ...]]] = {
    "voicemail-documents": (
        _documents,
        (
            *_both(_MESSAGE.element()),
            *_both(MessageList(1, [_MESSAGE]).element()),
            *_both(MessageChange(read=True, subject="x").element()),
            *_both(recipients([Recipient(user="bram"), Recipient(smtp="a@b.example", kind="CC")])),
            *_both(CallControl("PLAY", "MESSAGE", f"0:{_ID}").element()),
            *_both(PhoneCall("2001").element()),
            *_both(UserGreeting("Busy", enabled=True).element()),
            b"read=true&sortkey=priority&pagenumber=2",
        ),
    ),
    "voicemail-multipart": (
        _multipart,
        (
            _PART % (b"application/json", b"{}")
            + _PART % (b"application/json", b'{"Recipient":{"Address":{"UserGuid":"bram"}}}')
            + _PART % (b"audio/wav", wav_of_codes(bytes(800), 8000, "mu"))
            + b"--limit--\r\n",
        ),
    ),
    "voicemail-cometd": (
        _cometd,
        (
            (
                b'[{"channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":["long-polling"]},'
                b'{"channel":"/meta/subscribe","clientId":"client","subscription":"/a"},'
                b'{"channel":"/meta/connect","clientId":"client","connectionType":"long-polling"}]'
            ),
        ),
    ),
    "voicemail-sounds": (_sounds, (wav_of_codes(bytes(800), 8000, "mu"), wav_of_codes(bytes(80), 8000, "A"))),
    "voicemail-diversions": (
        _diversions,
        (
            _INVITE % b"Diversion: <sip:2002@cm>;reason=user-busy",
            _INVITE
            % b"History-Info: <sip:2002@cm?Reason=SIP%3Bcause%3D486>;index=1, <sip:2999@vm;cause=486>;index=1.1",
        ),
    ),
}
