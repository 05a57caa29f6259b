"""What a media section says in its attributes: payload formats, directions, keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from ringback.protocols.sdp.description import Attribute, MediaSection, SdpError
from ringback.rules.codecs import Codec

_STATIC: Mapping[int, tuple[str, int]] = {
    0: ("PCMU", 8000),
    3: ("GSM", 8000),
    4: ("G723", 8000),
    8: ("PCMA", 8000),
    9: ("G722", 8000),
    13: ("CN", 8000),
    15: ("G728", 8000),
    18: ("G729", 8000),
    26: ("JPEG", 90000),
    31: ("H261", 90000),
    34: ("H263", 90000),
}
"""Payload types with a fixed meaning (RFC 3551 section 6) that phones in use name without a=rtpmap."""

_CANONICAL = {
    name.lower(): name for name in ("opus", "G722", "PCMU", "PCMA", "G729", "CN", "H264", "VP8", "VP9", "AV1")
}
_PAYLOAD_TYPES = 128


class Direction(StrEnum):
    """Who sends, seen from the side that wrote the description (RFC 3264 section 5.1)."""

    BOTH = "sendrecv"
    SEND = "sendonly"
    RECEIVE = "recvonly"
    NONE = "inactive"

    @property
    def sends(self) -> bool:
        """Whether the writer sends."""
        return self in (Direction.BOTH, Direction.SEND)

    @property
    def receives(self) -> bool:
        """Whether the writer receives."""
        return self in (Direction.BOTH, Direction.RECEIVE)

    @property
    def reversed(self) -> Direction:
        """The same, seen from the other side."""
        return Direction.of(self.receives, self.sends)

    def limited_to(self, other: Direction) -> Direction:
        """What both allow, seen from the same side."""
        return Direction.of(self.sends and other.sends, self.receives and other.receives)

    @classmethod
    def of(cls, sends: bool, receives: bool) -> Direction:
        """The direction of two facts."""
        if sends:
            return cls.BOTH if receives else cls.SEND
        return cls.RECEIVE if receives else cls.NONE


@dataclass(frozen=True, slots=True)
class Format:
    """A payload type and what it stands for. ``fmtp`` is the text after the payload type of its a=fmtp line."""

    payload_type: int
    name: str
    clock: int
    channels: int = 1
    fmtp: str = ""

    @property
    def codec(self) -> Codec:
        """The same without its number, for decisions."""
        return Codec(self.name, self.clock, self.channels, parameters(self.fmtp))

    @property
    def attributes(self) -> tuple[Attribute, ...]:
        """Its a=rtpmap and a=fmtp lines."""
        channels = f"/{self.channels}" if self.channels > 1 else ""
        lines = [Attribute("rtpmap", f"{self.payload_type} {self.name}/{self.clock}{channels}")]
        if self.fmtp:
            lines.append(Attribute("fmtp", f"{self.payload_type} {self.fmtp}"))
        return tuple(lines)


def parameters(fmtp: str) -> dict[str, str]:
    """The parameters of an a=fmtp line by lower-case name; those without ``=`` (0-15 of telephone-event) by nothing."""
    found: dict[str, str] = {}
    for part in filter(None, map(str.strip, fmtp.split(";"))):
        name, equals, value = part.partition("=")
        found[name.strip().lower() if equals else ""] = value.strip() if equals else name
    return found


def formats_of(section: MediaSection) -> tuple[Format, ...]:
    """The formats of an RTP section in its order; those that nothing explains are left out. Raises SdpError."""
    maps = _numbered(section.values("rtpmap"))
    fmtps = _numbered(section.values("fmtp"))
    found = []
    for text in dict.fromkeys(section.formats):
        if not (text.isascii() and text.isdigit()) or int(text) >= _PAYLOAD_TYPES:
            raise SdpError(f"{text[:20]!r} is not an RTP payload type")
        number = int(text)
        one = _mapped(number, maps.get(number), fmtps.get(number, ""))
        if one is not None:
            found.append(one)
    return tuple(found)


def _numbered(values: tuple[str, ...]) -> dict[int, str]:
    found: dict[int, str] = {}
    for value in values:
        number, _, rest = value.partition(" ")
        if number.isascii() and number.isdigit() and len(number) <= 3:
            found.setdefault(int(number), rest.strip())
    return found


def _mapped(number: int, rtpmap: str | None, fmtp: str) -> Format | None:
    if rtpmap is None:
        static = _STATIC.get(number)
        return Format(number, *static, fmtp=fmtp) if static else None
    name, *rest = rtpmap.split("/")
    if not rest or not (rest[0].isascii() and rest[0].isdigit()) or len(rest[0]) > 9:
        raise SdpError(f"a=rtpmap:{number} has no clock rate")
    channels = int(rest[1]) if len(rest) > 1 and rest[1].isascii() and rest[1].isdigit() and len(rest[1]) < 3 else 1
    return Format(number, _CANONICAL.get(name.lower(), name), int(rest[0]), channels, fmtp)


Keying = Literal["none", "sdes", "dtls"]


@dataclass(frozen=True, slots=True)
class Security:
    """How a section is encrypted. ``crypto``: values of a=crypto lines (RFC 4568); ``fingerprint`` and ``setup`` of
    DTLS (RFC 8122, RFC 4145)."""

    keying: Keying = "none"
    crypto: tuple[str, ...] = field(default=(), repr=False)
    fingerprint: str = ""
    setup: str = ""


NOT_ENCRYPTED = Security()


def suite_of(crypto: str) -> str:
    """The crypto suite that an a=crypto value names; empty where it is malformed."""
    fields = crypto.split()
    return fields[1] if len(fields) >= 3 else ""


def is_secure_profile(proto: str) -> bool:
    """Whether a transport of an ``m=`` line demands encryption (RTP/SAVP and its kin)."""
    return "SAVP" in proto.upper()
