"""What happened in a mailbox, for the lamp and for notifications."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ringback.storage.voicemail.records import Counts, Kept


class Kind(StrEnum):
    """The published kinds of events."""

    NEW = "NEW_MESSAGE"
    SAVED = "SAVED_MESSAGE"
    UNREAD = "UNREAD_MESSAGE"
    DELETED = "DELETED_MESSAGE"
    REMOVED = "DELETED_MESSAGE_DELETE"
    TAKEN_BACK = "DELETED_MESSAGE_UNDELETE"


@dataclass(frozen=True, slots=True)
class Happened:
    """An event of a mailbox: the message it is about, and the inbox as it is now. ``at`` in Unix milliseconds."""

    kind: Kind
    user: str
    kept: Kept
    counts: Counts
    at: int
