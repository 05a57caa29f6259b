"""What is written to and read from the tables, as value types. Times are Unix milliseconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal, get_args

from ringback.protocols.vmrest.messages import FolderName, Message, Priority, Sender, Sensitivity
from ringback.rules.name_search import fold

GreetingKind = Literal["Standard", "Alternate", "Busy", "Closed", "Internal", "Holiday", "Error"]
GREETING_KINDS: Final[tuple[GreetingKind, ...]] = get_args(GreetingKind)


@dataclass(frozen=True, slots=True)
class MailboxRow:
    """A person's mailbox. ``pin`` and ``password`` are argon2id hashes, empty where there is none: then one signs in
    with the account of the call manager only, and has no telephone interface. ``size_limit`` in octets, 0: none.

    ``wrong_pins``: tries since the last right one; until ``locked_until`` (Unix milliseconds) no PIN is tried.
    ``pin_expired``: the owner has to choose another one before anything else. ``own_limit``: an administrator set the
    limit."""

    id: str
    display_name: str = ""
    smtp: str = ""
    extension: str = ""
    locale: str = ""
    pin: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    size_limit: int = 0
    own_limit: bool = False
    wrong_pins: int = 0
    locked_until: int = 0
    pin_expired: bool = False

    @property
    def user(self) -> str:
        """The key: the folded user name."""
        return fold(self.id)


@dataclass(frozen=True, slots=True)
class NewVoiceMessage:
    """A message to deliver: ``sound`` is a whole WAV file, ``duration`` in milliseconds, ``arrived`` the moment."""

    sound: bytes = field(repr=False)
    duration: int
    arrived: int
    sender: Sender = field(default_factory=Sender)
    subject: str = ""
    priority: Priority = "Normal"
    sensitivity: Sensitivity = "Normal"
    secure: bool = False


@dataclass(frozen=True, slots=True)
class Kept:
    """A message where it lies. ``changed``: the number of changes of its folder at its last one. ``deleted_at``: when
    it was moved to the deleted ones, or 0."""

    user: str
    folder: FolderName
    message: Message
    changed: int
    deleted_at: int = 0


@dataclass(frozen=True, slots=True)
class Counts:
    """Messages of an inbox, for the lamp: new ones, heard ones, and how many of each are urgent (RFC 3842)."""

    new: int = 0
    old: int = 0
    urgent_new: int = 0
    urgent_old: int = 0


@dataclass(frozen=True, slots=True)
class Greeting:
    """A greeting of a mailbox. ``until``: when it ends by itself (Unix milliseconds), or 0. ``recorded``: there is a
    sound, in ``language`` (a Windows locale identifier, 0: not said); it is played where ``spoken``, else the standard
    words are."""

    kind: GreetingKind
    enabled: bool
    until: int = 0
    recorded: bool = False
    spoken: bool = False
    language: int = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the audit log."""

    at: int
    who: str
    what: str
    mailbox: str = ""
    detail: str = ""
