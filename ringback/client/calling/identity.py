"""Who a SIP message says is at the other end, and how it is protected there."""

from __future__ import annotations

from dataclasses import dataclass

from ringback.client.contacts.numbers import digits
from ringback.protocols.sip.errors import MalformedMessage
from ringback.protocols.sip.headers import NameAddr
from ringback.protocols.sip.message import Message, Request

_ANONYMOUS = frozenset({"anonymous", "anonymous.invalid"})


@dataclass(frozen=True, slots=True)
class Identity:
    """``number``: digits or ``user@host``; empty for somebody who hides it."""

    number: str
    name: str


def presented(message: Message) -> Identity | None:
    """What the network says of the other side (Remote-Party-ID, then RFC 3325); None where it says nothing."""
    try:
        found = message.remote_party or next(iter(message.asserted_identities), None)
    except MalformedMessage:
        return None
    return _identity(found) if found is not None else None


def caller(request: Request) -> Identity:
    """Who calls, by what the network says, else by From."""
    try:
        return presented(request) or _identity(request.from_)
    except MalformedMessage:
        return Identity("", "")


def far_security(message: Message) -> str:
    """What the server says of the other side's leg (``Call-Info: <urn:x-cisco-remotecc:callinfo>;security=...``)."""
    try:
        for one in message.call_infos:
            if "callinfo" in str(one.uri):
                return str(one.params.get("security") or "")
    except MalformedMessage:
        return ""
    return ""


def conference_of(message: Message) -> bool:
    """Whether the other side is a conference (RFC 4579 section 5.2: ``isfocus`` on the Contact)."""
    try:
        contact = message.contact
    except MalformedMessage:
        return False
    return contact is not None and "isfocus" in contact.params


def _identity(address: NameAddr) -> Identity:
    uri = address.uri
    name = address.display or ""
    if uri.host in _ANONYMOUS or uri.user == "anonymous":
        return Identity("", "")
    if digits(uri.number):
        return Identity(uri.number, name)
    return Identity(f"{uri.user}@{uri.host}" if uri.user else uri.host, name)
