"""Redundant audio (RFC 2198): a payload carries earlier ones again, so that a lost packet is not lost sound."""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass

from ringback.protocols.rtp.errors import RedFormatError

MAX_OFFSET = (1 << 14) - 1  # timestamp units, section 3
MAX_BLOCK = (1 << 10) - 1  # octets


@dataclass(frozen=True, slots=True)
class RedBlock:
    """One encoding. ``offset`` is how many timestamp units it is older than the packet; the last block, the primary
    one, has 0."""

    payload_type: int
    offset: int
    payload: bytes


def parse_red(payload: bytes) -> tuple[RedBlock, ...]:
    """The blocks of a redundant payload, the primary one last. Raises RedFormatError."""
    heads: list[tuple[int, int, int]] = []
    at = 0
    while True:
        if at >= len(payload):
            raise RedFormatError("no primary block")
        kind = payload[at] & 0x7F
        if not payload[at] & 0x80:
            at += 1
            break
        if at + 4 > len(payload):
            raise RedFormatError("a block header is cut off")
        (word,) = struct.unpack_from("!I", payload, at)
        heads.append((kind, word >> 10 & MAX_OFFSET, word & MAX_BLOCK))
        at += 4
    blocks = []
    for number, offset, length in heads:
        if at + length > len(payload):
            raise RedFormatError("a block runs past the end")
        blocks.append(RedBlock(number, offset, payload[at : at + length]))
        at += length
    blocks.append(RedBlock(kind, 0, payload[at:]))
    return tuple(blocks)


def serialize_red(blocks: tuple[RedBlock, ...]) -> bytes:
    """The payload; the last block is the primary one. Raises RedFormatError where a block does not fit."""
    if not blocks or blocks[-1].offset:
        raise RedFormatError("the last block is the primary one and has no offset")
    heads = b""
    for block in blocks[:-1]:
        if not 0 <= block.offset <= MAX_OFFSET or len(block.payload) > MAX_BLOCK or not 0 <= block.payload_type <= 127:
            raise RedFormatError("a redundant block is too old or too long")
        heads += struct.pack("!I", 0x80000000 | block.payload_type << 24 | block.offset << 10 | len(block.payload))
    if not 0 <= blocks[-1].payload_type <= 127:
        raise RedFormatError("a payload type above 127")
    return heads + bytes([blocks[-1].payload_type]) + b"".join(block.payload for block in blocks)


class RedSender:
    """Adds the last ``depth`` payloads to each new one, as far as they fit.

    ``depth`` may change at any time: the repair rule asks for more as more is lost.
    """

    LONGEST = 4  # payloads; more than 80 ms later nobody waits for them

    def __init__(self, depth: int = 1) -> None:
        self.depth = depth
        self._past: deque[tuple[int, int, bytes]] = deque(maxlen=self.LONGEST)

    def wrap(self, payload_type: int, timestamp: int, payload: bytes) -> bytes:
        """The redundant payload for this packet."""
        wanted = list(self._past)[-self.depth :] if self.depth > 0 else []
        blocks = []
        for kind, when, octets in wanted:
            offset = (timestamp - when) & 0xFFFFFFFF
            if 0 < offset <= MAX_OFFSET and 0 < len(octets) <= MAX_BLOCK:
                blocks.append(RedBlock(kind, offset, octets))
        self._past.append((payload_type, timestamp, payload))
        return serialize_red((*blocks, RedBlock(payload_type, 0, payload)))
