"""What a dialogue is told, what it wants done, and what it asks about mailboxes. No socket, no loop, no clock here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from ringback.protocols.vmrest.messages import Priority, Sensitivity

# --- what is said


@dataclass(frozen=True, slots=True)
class Prompt:
    """Words of the house, by name (``prompts``)."""

    name: str


@dataclass(frozen=True, slots=True)
class Digits:
    """Digits, said one by one."""

    digits: str


@dataclass(frozen=True, slots=True)
class Number:
    """A number, said as one."""

    number: int


@dataclass(frozen=True, slots=True)
class OwnGreeting:
    """The greeting that the owner of a mailbox recorded."""

    user: str


@dataclass(frozen=True, slots=True)
class Recording:
    """What was just recorded in this call."""


@dataclass(frozen=True, slots=True)
class VoiceMessage:
    """A message of the mailbox."""

    user: str
    id: str


Spoken: TypeAlias = Prompt | Digits | Number | OwnGreeting | Recording | VoiceMessage

# --- what happens


@dataclass(frozen=True, slots=True)
class Mailbox:
    """What a dialogue must know of a mailbox. ``greeting``: the owner recorded one that counts now. ``full``: it takes
    no messages. ``has_pin``: its owner can open it by telephone."""

    user: str
    extension: str
    greeting: bool = False
    full: bool = False
    has_pin: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """A call that came. ``to``: the mailbox that it was diverted from, None where somebody called the service itself;
    ``caller``: the mailbox of who calls, None for strangers. ``operator``: where the key 0 leads, empty: nowhere."""

    to: Mailbox | None
    caller: Mailbox | None
    operator: str = ""


@dataclass(frozen=True, slots=True)
class Key:
    """A key was pressed."""

    digit: str


@dataclass(frozen=True, slots=True)
class Said:
    """All that was to be said was said."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """The recording ended by itself: silence, or its longest time. ``seconds``: of sound kept."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Waited:
    """Nothing happened for as long as ``Wait`` said."""


@dataclass(frozen=True, slots=True)
class Found:
    """The mailbox that was asked for with ``Find``, or None."""

    mailbox: Mailbox | None


@dataclass(frozen=True, slots=True)
class Checked:
    """Whether the PIN was right. ``wait``: seconds until another may be tried, 0: now."""

    right: bool
    wait: int = 0


@dataclass(frozen=True, slots=True)
class Listed:
    """The messages that were asked for, newest first; heard ones after the new ones."""

    messages: tuple[Heard, ...]


@dataclass(frozen=True, slots=True)
class Heard:
    """A message to listen to."""

    id: str
    new: bool
    urgent: bool
    caller: str
    minutes_ago: int = 0


@dataclass(frozen=True, slots=True)
class Saved:
    """Whether what was to be saved was saved; ``why``: name of the prompt that says why not."""

    done: bool
    why: str = ""


Event: TypeAlias = Key | Said | Recorded | Waited | Found | Checked | Listed | Saved

# --- what to do


@dataclass(frozen=True, slots=True)
class Say:
    """Say this, in order; a key stops it where ``interruptible``."""

    spoken: tuple[Spoken, ...]
    interruptible: bool = True


@dataclass(frozen=True, slots=True)
class Wait:
    """Tell when nothing happened for this long (seconds)."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Record:
    """Beep, then record until a key, silence or the longest time."""


@dataclass(frozen=True, slots=True)
class StopRecording:
    """End the recording now and keep it."""


@dataclass(frozen=True, slots=True)
class DropRecording:
    """Forget what was recorded."""


@dataclass(frozen=True, slots=True)
class Deliver:
    """Put the recording into a mailbox; answered by ``Saved``."""

    user: str
    priority: Priority = "Normal"
    sensitivity: Sensitivity = "Normal"


@dataclass(frozen=True, slots=True)
class Find:
    """Look for the mailbox of an extension; answered by ``Found``."""

    extension: str


@dataclass(frozen=True, slots=True)
class CheckPin:
    """Answered by ``Checked``."""

    user: str
    pin: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SetPin:
    """Answered by ``Saved``."""

    user: str
    pin: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeepGreeting:
    """Keep the recording as the greeting of a mailbox, or go back to the standard one; answered by ``Saved``."""

    user: str
    recorded: bool


@dataclass(frozen=True, slots=True)
class List:
    """Answered by ``Listed``."""

    user: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A message was heard whole, or is to be new again."""

    user: str
    id: str
    read: bool


@dataclass(frozen=True, slots=True)
class Delete:
    """Move a message to the deleted ones."""

    user: str
    id: str


@dataclass(frozen=True, slots=True)
class Transfer:
    """Send the caller to a number."""

    number: str


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the call after what is being said."""


Command: TypeAlias = (
    Say | Wait | Record | StopRecording | DropRecording | Deliver | Find | CheckPin | SetPin | KeepGreeting | List
    | Mark | Delete | Transfer | HangUp
)  # fmt: skip
