"""What a file of contacts holds, whatever its format."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from ringback.client.contacts.sources.base import Phone
from ringback.rules.reasons import Reason

ENTRIES_MOST = 20_000  # contacts of one file; the rest is told as lost
TEXT_MOST = 1000  # characters of one value


class Format(StrEnum):
    """How a file is written."""

    VCARD = "vcard"
    CSV = "csv"
    XML = "xml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A contact of a file. ``line`` is where it begins, from 1. ``address``: what it says the Jabber identifier is, as
    it stands; ``owner``: whose contact list it is of, where the file says so."""

    line: int
    address: str = ""
    owner: str = ""
    name: str = ""
    first: str = ""
    last: str = ""
    nickname: str = ""
    title: str = ""
    department: str = ""
    company: str = ""
    location: str = ""
    mails: tuple[str, ...] = ()
    phones: tuple[Phone, ...] = ()
    groups: tuple[str, ...] = ()
    photo: bytes = field(default=b"", repr=False)

    @property
    def shown_name(self) -> str:
        """The name to show."""
        reached = self.address or (self.mails[0] if self.mails else (self.phones[0].value if self.phones else ""))
        return self.nickname or self.name or f"{self.first} {self.last}".strip() or reached


@dataclass(frozen=True, slots=True)
class Lost:
    """Something that was not understood, or can't be kept; ``line`` 0: the whole file."""

    line: int
    reason: Reason


@dataclass(frozen=True, slots=True)
class ContactFile:
    """What was read."""

    format: Format
    entries: tuple[Entry, ...] = ()
    lost: tuple[Lost, ...] = ()


def short(text: str) -> str:
    """A value as it is kept: one line, not endless."""
    return " ".join(text.replace("\x00", " ").split())[:TEXT_MOST]
