"""The session description in a message, whether it is the body or a part of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ringback.protocols.sip.message import Message


def description_in(message: Message) -> bytes | None:
    """The session description of a message, None without one."""
    body = message.body
    if not body:
        return None
    kind = message.get("Content-Type")
    if kind is None:
        return None
    if kind[:15].lower() == "application/sdp":
        return body
    return None
