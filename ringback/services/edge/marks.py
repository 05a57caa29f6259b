"""How packets of media are marked between the two proxies, where sound and picture share one socket (RFC 4594)."""

from __future__ import annotations

import socket
import struct
from typing import Final

from ringback.media.transport.ports import Mark
from ringback.protocols.traversal.media_words import MediaKind

Note = list[tuple[int, int, bytes]]
"""What goes with a packet to ``sendmsg``."""

MARKS: Final[dict[MediaKind, Mark]] = {"audio": Mark.AUDIO, "video": Mark.VIDEO}
"""Those of each kind of media."""


def mark_as_sound(one: socket.socket) -> None:
    """Mark what a socket sends as sound, but for packets that say otherwise."""
    level, option = _of(one.family)
    one.setsockopt(level, option, Mark.AUDIO.traffic_class)


def note(kind: MediaKind, family: int) -> Note | None:
    """What says otherwise; None where nothing needs to."""
    if kind == "audio":
        return None
    return [(*_of(family), struct.pack("@i", MARKS[kind].traffic_class))]


def _of(family: int) -> tuple[int, int]:
    if family == socket.AF_INET6:
        return socket.IPPROTO_IPV6, socket.IPV6_TCLASS
    return socket.IPPROTO_IP, socket.IP_TOS
