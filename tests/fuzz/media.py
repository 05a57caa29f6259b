"""Harnesses of what media bring: RTP, RTCP, redundancy, telephone events, keys by SDES, STUN, WAV files."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from ringback.media.players.sound import SoundFileError, parse_sound
from ringback.protocols import stun
from ringback.protocols.rtp import rtcp
from ringback.protocols.rtp.crypto import CryptoLine, Suite
from ringback.protocols.rtp.errors import (
    CryptoFormatError,
    RedFormatError,
    RtcpFormatError,
    RtpFormatError,
    TelephoneEventFormatError,
)
from ringback.protocols.rtp.packet import RtpPacket
from ringback.protocols.rtp.pictures import begins_whole_picture
from ringback.protocols.rtp.red import RedBlock, parse_red, serialize_red
from ringback.protocols.rtp.rtcp_wire import parse_compound, serialize_compound
from ringback.protocols.rtp.telephone_event import EventReceiver, TelephoneEvent, parse_events, serialize_events

_KEY = b"key"


def _rtp(data: bytes) -> None:
    with contextlib.suppress(RtpFormatError):
        packet = RtpPacket.parse(data)
        if RtpPacket.parse(packet.serialize()) != packet:
            raise AssertionError("what was read is not what was written")
        begins_whole_picture("H264", packet.payload)
        begins_whole_picture("VP8", packet.payload)
        packet.extension_elements()


def _rtcp(data: bytes) -> None:
    with contextlib.suppress(RtcpFormatError):
        serialize_compound(parse_compound(data))


def _red(data: bytes) -> None:
    with contextlib.suppress(RedFormatError):
        blocks = parse_red(data)
        if serialize_red(blocks) != data:
            raise AssertionError("what was read is not what was written")


def _events(data: bytes) -> None:
    receiver = EventReceiver()
    for number in range(0, len(data), 8):
        with contextlib.suppress(TelephoneEventFormatError):
            head, payload = data[number : number + 4].ljust(4, b"\0"), data[number + 4 : number + 8]
            parse_events(payload)
            receiver.receive(int.from_bytes(head[:2]), int.from_bytes(head[2:]), payload, number / 400)


def _sdes(data: bytes) -> None:
    with contextlib.suppress(CryptoFormatError):
        line = CryptoLine.parse(data.decode("utf-8", "replace"))
        if line.suite is not None and CryptoLine.parse(str(line)).key != line.key:
            raise AssertionError("what was read is not what was written")


def _stun(data: bytes) -> None:
    with contextlib.suppress(stun.StunError):
        message = stun.StunMessage.parse(data)
        with contextlib.suppress(stun.StunFormatError):
            message.mapped_address()
            message.error()
        message.check_integrity(_KEY)
        numbers = {number for number, _ in message.attributes}
        if not numbers & {stun.MESSAGE_INTEGRITY, stun.MESSAGE_INTEGRITY_SHA256}:
            raise AssertionError("a message without integrity was accepted")


def _sound(data: bytes) -> None:
    with contextlib.suppress(SoundFileError):
        parse_sound(data)


MEDIA: dict[str, tuple[Callable[[bytes], None], tuple[bytes, ...]]] = {
    "rtp": (_rtp, (RtpPacket(0, 1, 2, 3, b"x" * 20, True, (4, 5), (0xBEDE, b"\x10a\0\0")).serialize(),)),
    "rtcp": (
        _rtcp,
        (
            serialize_compound(
                (
                    rtcp.SenderReport(1, 2, 3, 4, 5, (rtcp.ReportBlock(1, 2, -3, 4, 5, 6, 7),)),
                    rtcp.SourceDescription.of(1, "name"),
                    rtcp.Goodbye((1,), b"done"),
                )
            ),
            serialize_compound(
                (
                    rtcp.ReceiverReport(1),
                    rtcp.Nack(1, 2, (3, 4, 30)),
                    rtcp.PictureLoss(1, 2),
                    rtcp.FullIntraRequest(1, ((2, 3),)),
                    rtcp.ReceiverEstimate(1, 300_000, (2,)),
                    rtcp.ExtendedReport(
                        1, (rtcp.VoipMetrics(2), rtcp.ReferenceTime(3), rtcp.LastReferenceTimes(((1, 2, 3),)))
                    ),
                )
            ),
        ),
    ),
    "red": (_red, (serialize_red((RedBlock(111, 960, b"old"), RedBlock(111, 0, b"new"))),)),
    "telephone-events": (_events, (b"\0\1\0\1" + serialize_events((TelephoneEvent(5, 400),)),)),
    "sdes": (_sdes, (str(CryptoLine(1, Suite.AEAD_AES_256_GCM, bytes(44))).encode(),)),
    "stun": (
        _stun,
        (
            stun.binding_request(bytes(12)).serialize(_KEY, fingerprint=True),
            stun.binding_response(stun.binding_request(bytes(12)), ("192.0.2.1", 5)).serialize(),
        ),
    ),
    "sound-file": (
        _sound,
        (b"RIFF\x2c\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data\x04\0\0\0\1\2\3\4",),
    ),
}
