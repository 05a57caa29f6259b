"""What a dialogue is told, what it wants done, and what it asks about mailboxes. No socket, no loop, no clock here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from ringback.protocols.vmrest.messages import Priority, Sensitivity
from ringback.storage.voicemail.records import GreetingKind

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
    """A greeting that the owner of a mailbox recorded."""

    user: str
    kind: GreetingKind = "Standard"


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
    """What a dialogue must know of a mailbox. ``greeting``: the kind that counts now and was recorded, None: the
    standard words are said. ``full``: it takes no messages. ``has_pin``: its owner can open it by telephone."""

    user: str
    extension: str
    greeting: GreetingKind | None = None
    full: bool = False
    has_pin: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """A call that came. ``to``: the mailbox that it was diverted from, None where somebody called the service itself,
    or where the number that was called, ``diverted``, has none; ``caller``: the mailbox of who calls, None for
    strangers. ``operator``: where the key 0 leads, empty: nowhere. ``busy``: the person speaks with somebody.
    ``longest``: seconds of a message; ``pin_length``: digits that a new PIN has at least."""

    to: Mailbox | None
    caller: Mailbox | None
    operator: str = ""
    diverted: str = ""
    busy: bool = False
    longest: float = 300.0
    pin_length: int = 4


@dataclass(frozen=True, slots=True)
class Key:
    """A key was pressed."""

    digit: str


@dataclass(frozen=True, slots=True)
class Said:
    """All that was to be said was said."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """The recording ended. ``seconds``: of sound kept; ``full``: its longest time was over."""

    seconds: float
    full: bool = False


@dataclass(frozen=True, slots=True)
class Waited:
    """Nothing happened for as long as ``Wait`` said."""


@dataclass(frozen=True, slots=True)
class Found:
    """The mailbox that was asked for with ``Find``, or None."""

    mailbox: Mailbox | None


@dataclass(frozen=True, slots=True)
class Checked:
    """Whether the PIN was right. ``wait``: seconds until another may be tried, 0: now. ``expired``: it was right, but
    another has to be chosen."""

    right: bool
    wait: int = 0
    expired: bool = False


@dataclass(frozen=True, slots=True)
class Listed:
    """The messages that were asked for: new ones first, of these the urgent ones. ``nearly_full``: the mailbox."""

    messages: tuple[Heard, ...]
    nearly_full: bool = False


@dataclass(frozen=True, slots=True)
class Heard:
    """A message to listen to. ``answerable``: who left it has a mailbox here; ``private``: it isn't for others."""

    id: str
    new: bool
    urgent: bool
    caller: str
    answerable: bool = False
    private: bool = False


@dataclass(frozen=True, slots=True)
class GreetingNow:
    """A greeting as it is: whether it is on."""

    kind: GreetingKind
    on: bool


@dataclass(frozen=True, slots=True)
class Saved:
    """Whether what was to be saved was saved; ``why``: name of the prompt that says why not."""

    done: bool
    why: str = ""


Event: TypeAlias = Key | Said | Recorded | Waited | Found | Checked | Listed | GreetingNow | Saved

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
class Reply:
    """Send the recording to who left a message; answered by ``Saved``."""

    user: str
    id: str
    priority: Priority = "Normal"
    sensitivity: Sensitivity = "Normal"


@dataclass(frozen=True, slots=True)
class SendOn:
    """Send the recording, or a message with the recording (where there is one) before it, to somebody's mailbox;
    answered by ``Saved``. ``id`` empty: the recording alone."""

    user: str
    to: str
    id: str = ""
    recorded: bool = True
    priority: Priority = "Normal"
    sensitivity: Sensitivity = "Normal"


@dataclass(frozen=True, slots=True)
class Find:
    """Look for the mailbox of an extension; answered by ``Found``."""

    extension: str


@dataclass(frozen=True, slots=True)
class CheckPin:
    """Answered by ``Checked``. ``extension``: what was typed, also where nobody has it."""

    user: str
    pin: str = field(repr=False)
    extension: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class SetPin:
    """Answered by ``Saved``."""

    user: str
    pin: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeepGreeting:
    """Keep the recording as a greeting of a mailbox, or go back to the standard words; answered by ``Saved``."""

    user: str
    recorded: bool
    kind: GreetingKind = "Standard"


@dataclass(frozen=True, slots=True)
class AskGreeting:
    """How a greeting is; answered by ``GreetingNow``."""

    user: str
    kind: GreetingKind


@dataclass(frozen=True, slots=True)
class SwitchGreeting:
    """Turn a greeting on or off; answered by ``Saved``."""

    user: str
    kind: GreetingKind
    on: bool


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
    Say | Wait | Record | StopRecording | DropRecording | Deliver | Reply | SendOn | Find | CheckPin | SetPin
    | KeepGreeting | AskGreeting | SwitchGreeting | List | Mark | Delete | Transfer | HangUp
)  # fmt: skip
