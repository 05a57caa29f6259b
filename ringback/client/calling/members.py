"""Who is in a conference, as its server tells: ``application/conference-info+xml`` (RFC 4575)."""

from __future__ import annotations

from dataclasses import dataclass

from ringback.protocols import markup
from ringback.protocols.markup import Element
from ringback.protocols.sip.errors import MalformedMessage
from ringback.protocols.sip.uri import Uri

MEMBERS_LIMIT = 100


@dataclass(frozen=True, slots=True)
class Member:
    """``number``: digits or ``user@host``."""

    number: str
    name: str


def read_members(data: bytes) -> list[Member] | None:
    """The members of a whole conference document; None where it can't be read or is only a part."""
    try:
        root = markup.parse(data)
    except markup.MarkupError:
        return None
    if _local(root) != "conference-info" or root.attributes.get("state", "full") != "full":
        return None
    users = next((one for one in root.children if _local(one) == "users"), None)
    if users is None:
        return []
    rows = [one for one in users.children if _local(one) == "user" and one.attributes.get("state") != "deleted"]
    return [found for found in map(_member, rows[:MEMBERS_LIMIT]) if found is not None]


def _member(user: Element) -> Member | None:
    try:
        uri = Uri.parse(user.attributes.get("entity", ""))
    except MalformedMessage:
        return None
    name = next((one.text for one in user.children if _local(one) == "display-text"), "")
    number = uri.number
    if number.lstrip("+").isdigit():
        return Member(number, name)
    return Member(f"{uri.user}@{uri.host}" if uri.user else uri.host, name)


def _local(element: Element) -> str:
    return element.name.rpartition(":")[2]
