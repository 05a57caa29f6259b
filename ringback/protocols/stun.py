"""STUN messages (RFC 8489): read, written, their integrity checked. An absent integrity attribute is a refusal."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
import struct
import zlib
from dataclasses import dataclass

MAGIC = 0x2112A442
HEADER_SIZE = 20
BINDING = 0x001
REQUEST, INDICATION, SUCCESS, ERROR = 0, 1, 2, 3  # classes, section 5

MAPPED_ADDRESS, USERNAME, MESSAGE_INTEGRITY, ERROR_CODE, UNKNOWN_ATTRIBUTES = 0x0001, 0x0006, 0x0008, 0x0009, 0x000A
REALM, NONCE, MESSAGE_INTEGRITY_SHA256, XOR_MAPPED_ADDRESS = 0x0014, 0x0015, 0x001C, 0x0020
SOFTWARE, FINGERPRINT = 0x8022, 0x8028

_FINGERPRINT_XOR = 0x5354554E


class StunError(ValueError):
    """Root of this module's errors."""


class StunFormatError(StunError):
    """Octets are not a STUN message, or an attribute does not hold what its type says."""


class StunIntegrityError(StunError):
    """The message has no integrity attribute, or one that this key did not make. It must not be acted upon."""


@dataclass(frozen=True, slots=True)
class StunMessage:
    """A message: ``message_class`` and ``method`` (section 5), a transaction id of 12 octets, attributes in order.

    ``raw`` is what was read, for the integrity check; empty in messages made here.
    """

    message_class: int
    method: int
    transaction: bytes
    attributes: tuple[tuple[int, bytes], ...] = ()
    raw: bytes = b""

    @classmethod
    def parse(cls, data: bytes) -> StunMessage:
        """Read a datagram. Raises StunFormatError, also for a fingerprint that does not match (section 14.7)."""
        if not is_stun(data):
            raise StunFormatError("not a STUN header")
        kind, length = struct.unpack_from("!HH", data)
        if length % 4 or HEADER_SIZE + length != len(data):
            raise StunFormatError("the length does not fit the datagram")
        attributes = []
        at = HEADER_SIZE
        while at < len(data):
            if at + 4 > len(data):
                raise StunFormatError("an attribute header is cut off")
            number, size = struct.unpack_from("!HH", data, at)
            if at + 4 + size > len(data):
                raise StunFormatError("an attribute runs past the end")
            if number == FINGERPRINT:
                _check_fingerprint(data, at, size)
            attributes.append((number, bytes(data[at + 4 : at + 4 + size])))
            at += 4 + size + (-size % 4)
        message_class = kind >> 7 & 2 | kind >> 4 & 1
        method = kind & 0x000F | kind >> 1 & 0x0070 | kind >> 2 & 0x0F80
        return cls(message_class, method, bytes(data[8:20]), tuple(attributes), bytes(data))

    def get(self, attribute: int) -> bytes | None:
        """The first attribute of this type, or None."""
        return next((value for number, value in self.attributes if number == attribute), None)

    def serialize(self, key: bytes | None = None, *, fingerprint: bool = False) -> bytes:
        """The octets; with ``key``, MESSAGE-INTEGRITY is added, so that every receiver can check it.

        Raises StunFormatError where a field does not fit.
        """
        if len(self.transaction) != 12 or not 0 <= self.method <= 0xFFF or not 0 <= self.message_class <= 3:
            raise StunFormatError("a transaction id has 12 octets, a method 12 bits and a class 2")
        body = b"".join(_attribute(number, value) for number, value in self.attributes)
        if key is not None:
            head = self._head(len(body) + 24)
            body += _attribute(MESSAGE_INTEGRITY, hmac.digest(key, head + body, "sha1"))
        if fingerprint:
            head = self._head(len(body) + 8)
            body += _attribute(FINGERPRINT, struct.pack("!I", zlib.crc32(head + body) ^ _FINGERPRINT_XOR))
        return self._head(len(body)) + body

    def _head(self, length: int) -> bytes:
        kind = (self.message_class & 2) << 7 | (self.message_class & 1) << 4
        kind |= self.method & 0x000F | (self.method & 0x0070) << 1 | (self.method & 0x0F80) << 2
        try:
            return struct.pack("!HHI", kind, length, MAGIC) + self.transaction
        except struct.error as error:
            raise StunFormatError("more attributes than a message holds") from error

    def check_integrity(self, key: bytes) -> None:
        """Raises StunIntegrityError unless an integrity attribute is there and this key made it (section 14.5, 14.6).

        The first one found decides; what follows it is not protected and must be ignored by the caller.
        """
        at = HEADER_SIZE
        for number, value in self.attributes:
            if number in {MESSAGE_INTEGRITY, MESSAGE_INTEGRITY_SHA256}:
                sha256 = number == MESSAGE_INTEGRITY_SHA256
                if not (len(value) == 20 if not sha256 else 16 <= len(value) <= 32 and len(value) % 4 == 0):
                    raise StunIntegrityError("the integrity attribute has a wrong length")
                length = at - HEADER_SIZE + 4 + len(value)
                covered = self.raw[:2] + struct.pack("!H", length) + self.raw[4:at]
                wanted = hmac.digest(key, covered, "sha256" if sha256 else "sha1")[: len(value)]
                if not hmac.compare_digest(wanted, value):
                    raise StunIntegrityError("the integrity attribute was not made with this key")
                return
            at += 4 + len(value) + (-len(value) % 4)
        raise StunIntegrityError("the message carries no integrity attribute")

    def mapped_address(self) -> tuple[str, int] | None:
        """Address and port as the other side saw them, or None. Raises StunFormatError."""
        value = self.get(XOR_MAPPED_ADDRESS)
        if value is not None:
            return _read_address(value, struct.pack("!I", MAGIC) + self.transaction)
        value = self.get(MAPPED_ADDRESS)
        return None if value is None else _read_address(value, bytes(16))

    def error(self) -> tuple[int, str] | None:
        """Code and phrase of an error response (section 14.8), or None. Raises StunFormatError."""
        value = self.get(ERROR_CODE)
        if value is None:
            return None
        if len(value) < 4 or not 3 <= value[2] & 7 <= 6 or value[3] > 99:
            raise StunFormatError("not an error code")
        return (value[2] & 7) * 100 + value[3], value[4:].decode("utf-8", "replace")


def is_stun(data: bytes) -> bool:
    """Whether octets begin like a STUN message: two zero bits and the magic cookie."""
    return len(data) >= HEADER_SIZE and data[0] < 4 and data[4:8] == b"\x21\x12\xa4\x42"


def binding_request(transaction: bytes | None = None, *attributes: tuple[int, bytes]) -> StunMessage:
    """A binding request, also used to keep a flow alive (RFC 5626 section 3.5.2)."""
    return StunMessage(REQUEST, BINDING, transaction or secrets.token_bytes(12), attributes)


def binding_response(request: StunMessage, address: tuple[str, int]) -> StunMessage:
    """The answer: where the request came from. Raises StunFormatError where ``address`` is none."""
    return StunMessage(
        SUCCESS, BINDING, request.transaction, ((XOR_MAPPED_ADDRESS, _write_address(address, request.transaction)),)
    )


def error_response(request: StunMessage, code: int, phrase: str) -> StunMessage:
    """A refusal with its code."""
    value = struct.pack("!HBB", 0, code // 100, code % 100) + phrase.encode()[:508]
    return StunMessage(ERROR, request.method, request.transaction, ((ERROR_CODE, value),))


def long_term_key(username: str, realm: str, password: str) -> bytes:
    """The key of long-term credentials, as MESSAGE-INTEGRITY needs it (section 9.2.2)."""
    return hashlib.md5(f"{username}:{realm}:{password}".encode(), usedforsecurity=False).digest()


def _check_fingerprint(data: bytes, at: int, size: int) -> None:
    if size != 4 or at + 8 != len(data):
        raise StunFormatError("a fingerprint has four octets and is the last attribute")
    (found,) = struct.unpack_from("!I", data, at + 4)
    if found != zlib.crc32(data[:at]) ^ _FINGERPRINT_XOR:
        raise StunFormatError("the fingerprint does not match")


def _attribute(number: int, value: bytes) -> bytes:
    try:
        return struct.pack("!HH", number, len(value)) + value + bytes(-len(value) % 4)
    except struct.error as error:
        raise StunFormatError("an attribute is too long") from error


def _read_address(value: bytes, mask: bytes) -> tuple[str, int]:
    if len(value) < 4 or (value[1], len(value)) not in {(1, 8), (2, 20)}:
        raise StunFormatError("not an address attribute")
    port = int.from_bytes(value[2:4]) ^ int.from_bytes(mask[:2])
    octets = bytes(one ^ other for one, other in zip(value[4:], mask, strict=False))
    return str(ipaddress.ip_address(octets)), port


def _write_address(address: tuple[str, int], transaction: bytes) -> bytes:
    mask = struct.pack("!I", MAGIC) + transaction
    try:
        packed = ipaddress.ip_address(address[0]).packed
        port = struct.pack("!H", address[1] ^ MAGIC >> 16)
    except (ValueError, struct.error) as error:
        raise StunFormatError(f"not an address: {address!r}") from error
    family = 1 if len(packed) == 4 else 2
    return bytes([0, family]) + port + bytes(one ^ other for one, other in zip(packed, mask, strict=False))
