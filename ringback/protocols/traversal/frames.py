"""Datagrams of media between the two proxies: one UDP flow for each pair, opened by the inner one (*chosen*).

Each frame has a head of 40 octets, then the datagram as the client sent it or is to get it: kind, part (RTP or RTCP),
the client's port, the number of the allocation, the flow's tag (16 secret octets that only the two proxies know), the
client's address (IPv6, or IPv4 mapped into it). Frames with another tag are dropped unread, so that nobody who does not
see the flow can put anything into it; what is inside is encrypted between the client and the inner proxy.
"""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache
from typing import Final

HEAD: Final = 40
"""Octets before the datagram."""
TAG: Final = 16
"""Octets of a tag."""
LONGEST: Final = 2048
"""Octets of a datagram."""

_HEAD: Final = struct.Struct("!BBHI16s16s")
_MAPPED: Final = b"\0" * 10 + b"\xff\xff"
_EMPTY: Final = bytes(16)


class FrameError(ValueError):
    """A datagram is not a frame; the message says why."""


class Kind(IntEnum):
    """``HELLO`` from inside keeps the way through the firewall open and says where to send; ``HEARD`` answers it."""

    MEDIA = 1
    HELLO = 2
    HEARD = 3


class Part(IntEnum):
    """Which of the two ports of an allocation."""

    RTP = 0
    RTCP = 1


_KINDS: Final = {int(kind): kind for kind in Kind}
_PARTS: Final = (Part.RTP, Part.RTCP)

Peer = tuple[str, int]
"""The address and port of a client."""


@dataclass(frozen=True, slots=True)
class Frame:
    """The head of a frame. Greetings have no ``peer``; a hello with a ``number`` says that those ports are needed."""

    kind: Kind
    tag: bytes = field(repr=False)
    number: int = 0
    part: Part = Part.RTP
    peer: Peer = ("", 0)


def write(frame: Frame) -> bytes:
    """The head as it goes over the wire. Raises FrameError."""
    try:
        return head(frame.kind, frame.part, frame.number, frame.tag, frame.peer)
    except (struct.error, ValueError) as error:
        raise FrameError(f"This can't be a frame: {error}") from error


def head(kind: int, part: int, number: int, tag: bytes, peer: Peer) -> bytes:
    """As ``write``, without a value in between: the path of every packet. Raises struct.error, ValueError."""
    return _HEAD.pack(kind, part, peer[1], number, tag, packed(peer[0]) if peer[0] else _EMPTY)


def read(data: bytes | bytearray | memoryview) -> Frame:
    """The head of a frame; what is behind its 40 octets is the datagram. Raises FrameError."""
    if len(data) < HEAD:
        raise FrameError("A frame has at least 40 octets")
    kind, part, port, number, tag, address = _HEAD.unpack_from(data)
    known = _KINDS.get(kind)
    if known is None or part > 1:
        raise FrameError(f"There are no frames of kind {kind}, part {part}")
    if known is not Kind.MEDIA:
        return Frame(known, tag, number)
    if not port or address == _EMPTY:
        raise FrameError("A frame of media without the client's address")
    return Frame(known, tag, number, _PARTS[part], (unpacked(address), port))


Raw = tuple[int, int, int, int, bytes, bytes]
"""Kind, part, port, number, tag and address of a head, as they stand there."""


def raw(data: bytes | bytearray | memoryview) -> Raw:
    """The fields of a head unchecked: the path of every packet. Raises struct.error where it is too short."""
    return _HEAD.unpack_from(data)


def raw_head(part: int, port: int, number: int, tag: bytes, address: bytes) -> bytes:
    """The head of a frame of media from such fields."""
    return _HEAD.pack(Kind.MEDIA, part, port, number, tag, address)


@lru_cache(maxsize=4096)
def packed(address: str) -> bytes:
    """16 octets for an IP address in text form. Raises ValueError."""
    parsed = ipaddress.ip_address(address)
    return _MAPPED + parsed.packed if parsed.version == 4 else parsed.packed


@lru_cache(maxsize=4096)
def unpacked(address: bytes) -> str:
    """The address in text form, IPv4 where it was mapped."""
    return str(ipaddress.IPv4Address(address[12:]) if address[:12] == _MAPPED else ipaddress.IPv6Address(address))
