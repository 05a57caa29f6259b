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
    LAID_ASIDE = "DELETED_MESSAGE_CREATE"
    SAVED_ASIDE = "DELETED_MESSAGE_READ"
    UNREAD_ASIDE = "DELETED_MESSAGE_UNREAD"
    REMOVED = "DELETED_MESSAGE_DELETE"
    TAKEN_BACK = "DELETED_MESSAGE_UNDELETE"


@dataclass(frozen=True, slots=True)
class Happened:
    """Something that happened in a mailbox, as one or several events in their published order: the message it is about,
    and the inbox as it is now. ``name``: of the mailbox's owner; ``at`` in Unix milliseconds."""

    kinds: tuple[Kind, ...]
    user: str
    kept: Kept
    counts: Counts
    at: int
    name: str = ""
