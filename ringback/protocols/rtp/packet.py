"""RTP packets (RFC 3550 section 5.1) with header extensions (RFC 8285)."""

from __future__ import annotations

import struct
from typing import NamedTuple

from ringback.protocols.rtp.errors import RtpFormatError

HEADER_SIZE = 12  # octets without contributing sources and extension
ONE_BYTE_PROFILE = 0xBEDE  # RFC 8285 section 4.2
TWO_BYTE_PROFILE = 0x1000  # section 4.3; the low four bits are the application's

_HEADER = struct.Struct("!BBHII")


def is_rtcp(data: bytes | bytearray | memoryview) -> bool:
    """Whether a datagram on a shared port is RTCP (RFC 5761 section 4: second octet 192 to 223)."""
    return len(data) >= 2 and 192 <= data[1] <= 223


class RtpPacket(NamedTuple):  # a frozen dataclass takes four times as long to make, and one is made for each packet
    """One packet. ``timestamp`` counts in the payload's clock; ``extension`` is a profile number with its octets."""

    payload_type: int
    sequence_number: int
    timestamp: int
    ssrc: int
    payload: bytes = b""
    marker: bool = False
    csrc: tuple[int, ...] = ()
    extension: tuple[int, bytes] | None = None

    @classmethod
    def parse(cls, data: bytes) -> RtpPacket:
        """Read a whole datagram, padding taken off. Raises RtpFormatError."""
        size = len(data)
        if size < HEADER_SIZE:
            raise RtpFormatError("shorter than an RTP header")
        first, second, sequence_number, timestamp, ssrc = _HEADER.unpack_from(data)
        if first >> 6 != 2:
            raise RtpFormatError(f"RTP version {first >> 6}, not 2")
        at = HEADER_SIZE
        csrc: tuple[int, ...] = ()
        extension = None
        if first & 0x0F:
            at += 4 * (first & 0x0F)
            if at > size:
                raise RtpFormatError("contributing sources run past the end")
            csrc = struct.unpack_from(f"!{first & 0x0F}I", data, HEADER_SIZE)
        if first & 0x10:
            extension, at = _extension(data, at)
        end = size
        if first & 0x20:
            padding = data[-1]
            if not padding or at + padding > size:
                raise RtpFormatError("padding longer than the payload, or none where some was announced")
            end -= padding
        return cls(
            second & 0x7F, sequence_number, timestamp, ssrc, bytes(data[at:end]), bool(second & 0x80), csrc, extension
        )

    def serialize(self) -> bytes:
        """The octets, without padding. Raises RtpFormatError where a field does not fit."""
        first = 0x80 | len(self.csrc) | (0x10 if self.extension else 0)
        try:
            if len(self.csrc) > 15 or not 0 <= self.payload_type <= 127:
                raise RtpFormatError("more than 15 contributing sources, or a payload type above 127")
            head = _HEADER.pack(
                first, self.payload_type | (0x80 if self.marker else 0), self.sequence_number, self.timestamp, self.ssrc
            )
            if self.csrc:
                head += struct.pack(f"!{len(self.csrc)}I", *self.csrc)
            if self.extension:
                profile, content = self.extension
                if len(content) % 4:
                    raise RtpFormatError("a header extension fills whole words of 32 bits")
                head += struct.pack("!HH", profile, len(content) // 4) + content
        except struct.error as error:
            raise RtpFormatError(f"a header field is out of range: {error}") from error
        return head + self.payload

    def extension_elements(self) -> dict[int, bytes]:
        """Elements of the header extension by their local id; empty where none is present or its profile is foreign.

        Raises RtpFormatError.
        """
        if self.extension is None:
            return {}
        profile, content = self.extension
        if profile == ONE_BYTE_PROFILE:
            return _elements(content, 1)
        if profile & 0xFFF0 == TWO_BYTE_PROFILE:
            return _elements(content, 2)
        return {}


def _extension(data: bytes, at: int) -> tuple[tuple[int, bytes], int]:
    if at + 4 > len(data):
        raise RtpFormatError("the header extension is cut off")
    profile, words = struct.unpack_from("!HH", data, at)
    start, end = at + 4, at + 4 + words * 4
    if end > len(data):
        raise RtpFormatError("the header extension runs past the end")
    return (profile, bytes(data[start:end])), end


def _elements(content: bytes, head: int) -> dict[int, bytes]:
    elements: dict[int, bytes] = {}
    at = 0
    while at < len(content):
        if not content[at]:  # padding between elements
            at += 1
            continue
        if head == 1:
            number, length = content[at] >> 4, (content[at] & 0x0F) + 1
            if number == 15:  # "processing ... MUST terminate", RFC 8285 section 4.2
                break
        else:
            if at + 1 >= len(content):
                raise RtpFormatError("an extension element without a length")
            number, length = content[at], content[at + 1]
        at += head
        if at + length > len(content):
            raise RtpFormatError("an extension element runs past the end")
        elements[number] = content[at : at + length]
        at += length
    return elements
