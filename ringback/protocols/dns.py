"""DNS messages (RFC 1035, EDNS of RFC 6891), read and written by dnspython; only this module's errors come out."""

from __future__ import annotations

import struct

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode

HEADER_SIZE = 12
PLAIN_UDP_LIMIT = 512  # octets, RFC 1035 section 2.3.4
EDNS_UDP_LIMIT = 1232  # octets that pass every link unfragmented (DNS flag day 2020)


PARSE_ERRORS = (dns.exception.DNSException, ValueError, struct.error, IndexError)
"""What dnspython raises for octets that are no message, or that hold values which do not fit."""


class DnsFormatError(ValueError):
    """Octets are not a DNS message. ``reply`` is the header of the refusal to send, or None where none may be sent."""

    def __init__(self, text: str, reply: bytes | None = None) -> None:
        super().__init__(text)
        self.reply = reply


def parse_message(wire: bytes) -> dns.message.Message:
    """Read a whole message. Raises DnsFormatError, whose ``reply`` is a FORMERR to a query (RFC 1035 section 4.1.1)."""
    if len(wire) < HEADER_SIZE:
        raise DnsFormatError("shorter than a DNS header")
    try:
        return dns.message.from_wire(wire, ignore_trailing=False, one_rr_per_rrset=False)
    except PARSE_ERRORS as error:
        raise DnsFormatError(f"not a DNS message: {type(error).__name__}", _format_error(wire)) from error


def _format_error(wire: bytes) -> bytes | None:
    number, flags = struct.unpack_from("!HH", wire)
    if flags & dns.flags.QR:
        return None  # never answer an answer: two servers would talk for ever
    kept = flags & (dns.flags.RD | 0x7800)
    return struct.pack("!HHHHHH", number, dns.flags.QR | kept | dns.rcode.FORMERR, 0, 0, 0, 0)


def empty_reply(wire: bytes, rcode: int, *, truncated: bool = False) -> bytes | None:
    """A reply that repeats the question and holds nothing else, made without reading more than that.

    None where the octets are no query with one question.
    """
    end = _end_of_question(wire)
    if end is None:
        return None
    number, flags = struct.unpack_from("!HH", wire)
    kept = flags & (dns.flags.RD | 0x7800)
    flags = dns.flags.QR | kept | (dns.flags.TC if truncated else 0) | rcode
    return struct.pack("!HHHHHH", number, flags, 1, 0, 0, 0) + wire[HEADER_SIZE:end]


def _end_of_question(wire: bytes) -> int | None:
    """Where the first question ends; None where there is not exactly one, uncompressed, in a query."""
    if len(wire) < HEADER_SIZE or wire[2] & 0x80 or wire[4:6] != b"\x00\x01":
        return None
    at = HEADER_SIZE
    while at < len(wire) and wire[at]:
        if wire[at] > 63:
            return None
        at += wire[at] + 1
    return at + 5 if at + 5 <= len(wire) and at - HEADER_SIZE < 255 else None
