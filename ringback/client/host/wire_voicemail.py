"""Voicemail on the interface between host and page: what is shown of it, and what a page can ask.

The sound of a message is got by ``GET /api/voicemail/<id>``, that of a greeting by ``GET /api/greeting/<kind>``. What
was recorded in the page goes to ``POST /api/recording`` (a WAV file), which answers its id as text; commands name it.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field

from ringback.client.host.wire_base import Command, Event, ServiceState
from ringback.client.host.wire_calls import Party
from ringback.rules.reasons import Reason

VoiceFolder = Literal["inbox", "sent", "deleted"]
GreetingKind = Literal["standard", "alternate", "busy", "closed", "internal", "holiday"]


class VoiceMessage(Struct, frozen=True, kw_only=True):
    """A voice message. ``party``: who left it; ``to``: who got it. ``new``: not heard yet. ``kept``: its
    sound is on this machine. ``transcript``: what a speech model of this machine made of it; empty: nothing."""

    id: str
    folder: VoiceFolder
    party: Party
    at: str
    seconds: float = 0.0
    new: bool = False
    urgent: bool = False
    private: bool = False
    secure: bool = False
    subject: str = ""
    to: list[Party] = field(default_factory=list)
    kept: bool = False
    transcript: str = ""


class PhonePlay(Struct, frozen=True, kw_only=True):
    """A message that is played on a phone, which the service called."""

    message: str
    number: str
    state: Literal["calling", "playing", "paused"]


class Mailbox(Struct, frozen=True, kw_only=True):
    """The person's mailbox. ``new``: unheard messages in the inbox; ``totals``: of each folder, by the service.
    ``used``, ``limit``: octets, 0: no limit. ``asks``: the service wants an account of its own, ``user`` is proposed.
    ``told``: changes come at once; else the list is looked at now and then. ``longest``, ``longest_greeting``: seconds,
    0: not known. ``dial``: the number of the voicemail by telephone. ``speech``: whether what is said can be written
    down on this machine."""

    state: ServiceState = "off"
    server: str = ""
    text: Reason | None = None
    reasons: list[Reason] = field(default_factory=list)
    next_try: str | None = None
    looked: str | None = None
    told: bool = False
    new: int = 0
    totals: dict[str, int] = field(default_factory=dict)
    used: int = 0
    limit: int = 0
    warned: bool = False
    may_send: bool = True
    asks: bool = False
    user: str = ""
    longest: int = 0
    longest_greeting: int = 0
    dial: str = ""
    playing: PhonePlay | None = None
    speech: Literal["absent", "off", "on", "loading"] = "absent"


class Greeting(Struct, frozen=True, kw_only=True):
    """A greeting. ``on``: it counts; ``recorded``: the own recording is played instead of the standard words;
    ``until``: when it ends by itself. ``standard`` is always on; recorded, it is the personal one."""

    kind: GreetingKind
    on: bool
    recorded: bool
    until: str | None = None


class VoiceAddress(Struct, frozen=True, kw_only=True):
    """Somebody who can be sent a message; ``address`` names them to the service."""

    name: str
    address: str
    number: str = ""
    person: str = ""


# --- values


class VoiceMessages(Struct, frozen=True, kw_only=True, tag="VoiceMessages"):
    """A page of a folder, newest first; ``complete``: nothing older is known."""

    messages: list[VoiceMessage]
    complete: bool


class VoiceSound(Struct, frozen=True, kw_only=True, tag="VoiceSound"):
    """The shape of a sound: its loudness in equal steps (0 to 100), its length, and the format it is kept in."""

    peaks: list[int]
    seconds: float
    format: str


class Greetings(Struct, frozen=True, kw_only=True, tag="Greetings"):
    """The greetings that the service has."""

    greetings: list[Greeting]


class VoiceAddresses(Struct, frozen=True, kw_only=True, tag="VoiceAddresses"):
    """People who can be sent a message."""

    people: list[VoiceAddress]


# --- events


class MailboxChanged(Event, frozen=True, kw_only=True):
    """The mailbox changed."""

    mailbox: Mailbox


class VoiceMessagesChanged(Event, frozen=True, kw_only=True):
    """Messages that came or changed, and ids that are gone. ``arrived``: ids of new ones worth a notification."""

    messages: list[VoiceMessage] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    arrived: list[str] = field(default_factory=list)


# --- commands


class GetVoiceMessages(Command, frozen=True, kw_only=True):
    """Messages of a folder before one of them, or the newest. Answer: VoiceMessages."""

    folder: VoiceFolder
    before: str = ""
    limit: int = 50


class GetVoiceSound(Command, frozen=True, kw_only=True):
    """The shape of a message's sound, which is fetched and kept. Answer: VoiceSound."""

    message: str


class MarkVoiceMessage(Command, frozen=True, kw_only=True):
    """Heard, or new again."""

    message: str
    new: bool


class DeleteVoiceMessage(Command, frozen=True, kw_only=True):
    """To the deleted ones; with ``hard``, or where it lies there already, for good."""

    message: str
    hard: bool = False


class RestoreVoiceMessage(Command, frozen=True, kw_only=True):
    """Back to the inbox."""

    message: str


class EmptyDeletedVoice(Command, frozen=True, kw_only=True):
    """Delete the deleted ones for good."""


class SendVoiceMessage(Command, frozen=True, kw_only=True):
    """Send a recording. ``about``: the message it replies to or forwards (a forward may be without a recording).
    ``to``: addresses, person ids or extensions; a reply needs none."""

    recording: str = ""
    to: list[str] = field(default_factory=list)
    subject: str = ""
    urgent: bool = False
    private: bool = False
    about: str = ""
    how: Literal["new", "reply", "replyall", "forward"] = "new"


class FindVoicePeople(Command, frozen=True, kw_only=True):
    """Who can be sent a message, by the beginning of a name. Answer: VoiceAddresses."""

    query: str


class DropRecording(Command, frozen=True, kw_only=True):
    """A recording is not wanted any more."""

    recording: str


class GetGreetings(Command, frozen=True, kw_only=True):
    """Answer: Greetings."""


class SetGreeting(Command, frozen=True, kw_only=True):
    """Switch a greeting. ``until``: an ISO time, empty: until it is switched off, null: as it is."""

    kind: GreetingKind
    on: bool | None = None
    recorded: bool | None = None
    until: str | None = None


class RecordGreeting(Command, frozen=True, kw_only=True):
    """Keep a recording as a greeting; it counts from then on."""

    kind: GreetingKind
    recording: str


class PlayOnPhone(Command, frozen=True, kw_only=True):
    """Have a phone called and the message played there. ``number`` empty: the own line."""

    message: str
    number: str = ""
    start: float = 0.0


class ControlPhonePlay(Command, frozen=True, kw_only=True):
    """Pause, go on or end what is played on a phone."""

    op: Literal["pause", "resume", "stop"]


class SignInToVoicemail(Command, frozen=True, kw_only=True):
    """The voicemail service's own account."""

    user: str
    password: str


class LookAtVoicemail(Command, frozen=True, kw_only=True):
    """Look now instead of waiting."""


class SetTranscription(Command, frozen=True, kw_only=True):
    """Have a speech model of this machine write down what is said, or not any more."""

    on: bool
