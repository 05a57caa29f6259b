"""The client's side of the protocol: sansldap's, with operations given up (RFC 4511 section 4.11) and one error.

What a server sends may be anything: ``read`` gives one message or raises LdapFormatError.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from sansldap import LDAPClient, LDAPError, LDAPMessage, SessionState
from sansldap.asn1 import ASN1Tag, ASN1Writer, TagClass

from ringback.protocols.ldap.entries import FoundEntry, read_entry
from ringback.protocols.ldap.errors import LdapFormatError

_SEQUENCE: Final = 0x30  # every LDAP message is one (RFC 4511 section 4.1.1)
_LARGEST: Final = 8 * 1024 * 1024  # octets of a message: an entry with pictures
_LENGTHS: Final = 4  # octets of a length, which are more than enough for that
_REMEMBERED: Final = 4096  # operations given up whose late answers are known as such


@dataclass(frozen=True)
class AbandonRequest(LDAPMessage):
    """Give up an operation (RFC 4511 section 4.11). It has no answer."""

    tag_number: int = field(init=False, default=16)
    abandoned: int

    def pack(self, options: object) -> bytes:
        """The message as octets."""
        writer = ASN1Writer()
        with writer.push_sequence() as sequence:
            sequence.write_integer(self.message_id)
            sequence.write_integer(self.abandoned, tag=ASN1Tag(TagClass.APPLICATION, self.tag_number, False))
        return bytes(writer.get_data())


def head_length(head: bytes) -> int:
    """How many octets of length follow the first two octets of a message. Raises LdapFormatError."""
    if head[0] != _SEQUENCE:
        raise LdapFormatError("That is no LDAP message")
    more = head[1] & 0x7F if head[1] & 0x80 else 0
    if more > _LENGTHS or head[1] == 0x80:
        raise LdapFormatError("That is no LDAP message, or one that is too long")
    return more


def body_length(head: bytes) -> int:
    """How many octets follow the whole head of a message. Raises LdapFormatError."""
    length = int.from_bytes(head[2:], "big") if len(head) > 2 else head[1]
    if length > _LARGEST:
        raise LdapFormatError("That is an LDAP message that is too long")
    return length


class Client(LDAPClient):
    """The state of one connection."""

    def __init__(self) -> None:
        super().__init__()
        self._given_up: OrderedDict[int, None] = OrderedDict()

    def abandon(self, message_id: int) -> None:
        """Give up an operation: what still comes of it is dropped."""
        request = AbandonRequest(message_id=0, controls=[], abandoned=message_id)
        own = self._send(request)
        for done in (own, message_id):
            self._outstanding_requests.discard(done)
        self._search_requests.discard(message_id)
        self._given_up[message_id] = None
        if len(self._given_up) > _REMEMBERED:
            self._given_up.popitem(last=False)

    def take(self, data: bytes) -> LDAPMessage | FoundEntry:
        """One whole message, an entry of a search in its short form. Raises LdapFormatError like ``read``."""
        found = read_entry(data)
        known = found is not None and (found.message_id in self._search_requests or found.message_id in self._given_up)
        # Buffered octets would be the beginning of another message: never the case with whole ones.
        if found is None or not known or self._incoming_buffer or self.state is not SessionState.OPENED:
            return self.read(data)
        return found

    def read(self, data: bytes) -> LDAPMessage:
        """One whole message. Raises LdapFormatError, after which the connection is of no use."""
        try:
            messages = self.receive(data)
        except (LDAPError, ValueError, IndexError, TypeError, OverflowError, RecursionError) as error:
            raise LdapFormatError(str(error) or type(error).__name__) from error
        if len(messages) != 1:
            raise LdapFormatError("That is no LDAP message")
        return messages[0]

    def _process_incoming_message(self, msg: LDAPMessage) -> None:
        if msg.message_id not in self._given_up:
            super()._process_incoming_message(msg)
