"""The session description in a message, whether it is the body or a part of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ringback.protocols.sip.bodies import multipart
from ringback.protocols.sip.errors import SipError

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
    lower = kind[:40].lower()
    if lower.startswith("application/sdp"):
        return body
    if lower.startswith("multipart/"):
        return _part_of(message)
    return None


def _part_of(message: Message) -> bytes | None:
    """The part with the description (RFC 5621). A body that can't be taken apart has none."""
    media_type = message.content_type
    try:
        parts = multipart.parse(message.body, media_type) if media_type is not None else ()
    except SipError:
        return None
    return next((part.body for part in parts if part.kind == "application/sdp"), None)
