"""Calls on the interface between host and page: what is shown of them, and what a page can ask.

A page that carries the sound of a call is an ordinary WebRTC client of its engine: it offers, the engine answers
(``ConnectMedia``). The engine never offers; where it needs a new connection, the call's ``media`` rises.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field

from ringback.client.host.wire_base import Command, Event
from ringback.rules.reasons import Reason

CallState = Literal["dialling", "ringing_out", "ringing_in", "active", "held", "ended"]
CallAction = Literal["hold", "transfer", "add", "merge", "park", "divert", "move", "video", "digits", "record"]
QualityWord = Literal["unknown", "good", "fair", "poor"]
PhoneState = Literal["off", "connecting", "registered", "waiting", "refused"]


class Party(Struct, frozen=True, kw_only=True):
    """Who is at the other end. ``person``: the id of a known one, else empty; ``number`` as dialled or presented."""

    number: str = ""
    shown: str = ""
    name: str = ""
    uri: str = ""
    person: str = ""
    emergency: bool = False


class Barred(Struct, frozen=True, kw_only=True):
    """An action that can't be done on this call now, and why."""

    action: CallAction
    reason: Reason


class Leg(Struct, frozen=True, kw_only=True):
    """A part of the way of a call between two named ends, and whether nobody can listen on it."""

    here: str
    there: str
    encrypted: bool
    how: str = ""


class Heard(Struct, frozen=True, kw_only=True):
    """One direction of a call. ``loss``: of 100 packets, after repair ``gaps``; ``jitter`` and ``delay`` in ms;
    ``score``: the opinion score (1 to 4.5, ITU-T G.107); ``minute``: loss in each of the last 60 seconds."""

    word: QualityWord = "unknown"
    loss: float = 0.0
    gaps: float = 0.0
    jitter: float = 0.0
    delay: float = 0.0
    score: float = 0.0
    minute: list[float] = field(default_factory=list)


class Quality(Struct, frozen=True, kw_only=True):
    """How a call is heard, with one sentence, its cause and what would help. ``details``: name and value, to copy."""

    word: QualityWord = "unknown"
    verdict: Reason | None = None
    cause: Reason | None = None
    remedy: Reason | None = None
    sending: Heard = field(default_factory=Heard)
    receiving: Heard = field(default_factory=Heard)
    codec: str = ""
    video_codec: str = ""
    resolution: str = ""
    frames: float = 0.0
    path: str = ""
    details: list[Detail] = field(default_factory=list)


class Detail(Struct, frozen=True, kw_only=True):
    """A technical detail: what it is, and the value with its unit."""

    name: Reason
    value: str


class Call(Struct, frozen=True, kw_only=True):
    """A call of the person. ``line``: the own number that is called. ``media`` rises whenever the page has to connect
    its microphone and loudspeaker anew with ``ConnectMedia``; 0: no sound yet. ``early``: the network sends tones
    itself. ``consults``: the call that this one is a question for. ``ringing``: on how many devices. ``note``: what
    happened last (busy, no answer, answered elsewhere); ``why``: why it rings here. ``parked``: where to get it back.
    ``video``: what is agreed; ``asks_video``: the other side would like to. ``low``: low-bandwidth mode.
    ``here``: this engine's softphone carries it, not another device of the person."""

    id: str
    direction: Literal["in", "out"]
    state: CallState
    party: Party
    line: str = ""
    device: str = ""
    here: bool = True
    members: list[Party] = field(default_factory=list)
    conference: bool = False
    began: str = ""
    answered: str | None = None
    held_by_other: bool = False
    muted: bool = False
    video: Literal["none", "sending", "receiving", "both"] = "none"
    asks_video: bool = False
    media: int = 0
    early: bool = False
    ringing: int = 0
    consults: str = ""
    parked: str = ""
    secure: Literal["none", "part", "all"] = "none"
    legs: list[Leg] = field(default_factory=list)
    quality: Quality = field(default_factory=Quality)
    may: list[CallAction] = field(default_factory=list)
    barred: list[Barred] = field(default_factory=list)
    note: Reason | None = None
    why: list[Reason] = field(default_factory=list)
    low: bool = False


class StoryLine(Struct, frozen=True, kw_only=True):
    """Something that happened in a call, with when."""

    at: str
    text: Reason


class Recent(Struct, frozen=True, kw_only=True):
    """A call that is over. ``seen``: a missed one that the person has looked at."""

    id: str
    direction: Literal["in", "out"]
    result: Literal["answered", "missed", "declined", "elsewhere", "busy", "unanswered", "failed", "diverted"]
    party: Party
    at: str
    seconds: int = 0
    seen: bool = True
    video: bool = False
    device: str = ""
    word: QualityWord = "unknown"
    quality: Quality | None = None
    story: list[StoryLine] = field(default_factory=list)


class PhoneDevice(Struct, frozen=True, kw_only=True):
    """A device of the person. ``id``: the device name; ``softphone``: this computer can be it."""

    id: str
    kind: str
    model: str
    description: str
    number: str
    softphone: bool
    chosen: bool = False


class Phone(Struct, frozen=True, kw_only=True):
    """The softphone, with its state explained. ``missed``: calls not yet seen; ``messages``: in the voicemail."""

    state: PhoneState = "off"
    device: str = ""
    number: str = ""
    server: str = ""
    secure: bool = False
    next_try: str | None = None
    text: Reason | None = None
    reasons: list[Reason] = field(default_factory=list)
    devices: list[PhoneDevice] = field(default_factory=list)
    missed: int = 0
    messages: int = 0
    do_not_disturb: bool = False
    forward: str = ""
    voicemail: str = ""
    low: bool = False


# --- values


class CallMade(Struct, frozen=True, kw_only=True, tag="CallMade"):
    """A call that was begun."""

    call: Call


class MediaAnswer(Struct, frozen=True, kw_only=True, tag="MediaAnswer"):
    """The engine's session description (WebRTC) for the page's offer; ``media`` is the generation it connects."""

    sdp: str
    media: int


class NumberPlan(Struct, frozen=True, kw_only=True, tag="NumberPlan"):
    """What a text would dial. ``dials``: empty where it can't be dialled; ``shown`` for reading; ``why``: the rules."""

    dials: str
    shown: str = ""
    person: str = ""
    emergency: bool = False
    why: list[Reason] = field(default_factory=list)


class RecentCalls(Struct, frozen=True, kw_only=True, tag="RecentCalls"):
    """Older calls, newest first; ``complete``: nothing older is kept."""

    recents: list[Recent]
    complete: bool


# --- events


class PhoneChanged(Event, frozen=True, kw_only=True):
    """The softphone's state, devices or counts changed."""

    phone: Phone


class CallsChanged(Event, frozen=True, kw_only=True):
    """Calls that came or changed, and ids that went. A call that ended is told once with its note, then goes."""

    calls: list[Call] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)


class RecentsChanged(Event, frozen=True, kw_only=True):
    """Past calls that came or changed (newest first), and ids that were removed."""

    recents: list[Recent] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)


# --- commands


class StartCall(Command, frozen=True, kw_only=True):
    """Call a number, an address or a person id. Answer: CallMade. ``consults``: as a question for this call, which is
    held meanwhile."""

    to: str
    video: bool = False
    consults: str = ""


class AnswerCall(Command, frozen=True, kw_only=True):
    """Take a ringing call. Another active one is held, or ended with ``end_other``."""

    call: str
    video: bool = False
    end_other: bool = False


class DeclineCall(Command, frozen=True, kw_only=True):
    """Refuse a ringing call on all devices; the caller hears busy or reaches the voicemail."""

    call: str


class DivertCall(Command, frozen=True, kw_only=True):
    """Send a ringing call to the voicemail."""

    call: str


class EndCall(Command, frozen=True, kw_only=True):
    """End a call."""

    call: str


class HoldCall(Command, frozen=True, kw_only=True):
    """Hold, or take back with ``held`` false (which holds the other active call)."""

    call: str
    held: bool


class MuteCall(Command, frozen=True, kw_only=True):
    """Send silence, or not any more."""

    call: str
    muted: bool


class SendDigits(Command, frozen=True, kw_only=True):
    """Tones (RFC 4733): 0 to 9, ``*``, ``#``, A to D."""

    call: str
    digits: str


class TransferCall(Command, frozen=True, kw_only=True):
    """Connect the other side with somebody else, without asking first."""

    call: str
    to: str


class CompleteTransfer(Command, frozen=True, kw_only=True):
    """Connect the two other sides: of a call and of the one that consults for it."""

    call: str
    consult: str


class MergeCalls(Command, frozen=True, kw_only=True):
    """Make one conference of two calls."""

    call: str
    other: str


class AddToCall(Command, frozen=True, kw_only=True):
    """Call somebody and take them into this call as soon as they answer. Answer: CallMade."""

    call: str
    to: str


class ParkCall(Command, frozen=True, kw_only=True):
    """Park a call; its number comes with the call's ``parked``."""

    call: str


class MoveCall(Command, frozen=True, kw_only=True):
    """Carry on with a call on another device of the person."""

    call: str
    device: str


class SetVideo(Command, frozen=True, kw_only=True):
    """Begin or end to send pictures in a call."""

    call: str
    on: bool


class PickUp(Command, frozen=True, kw_only=True):
    """Take a call that rings at somebody else: of the own group, or of ``number``. Answer: CallMade."""

    number: str = ""


class ConnectMedia(Command, frozen=True, kw_only=True):
    """The page's offer (WebRTC) for a call's generation ``media``; a later one takes the sound over. Answer:
    MediaAnswer."""

    call: str
    media: int
    sdp: str


class PageQuality(Command, frozen=True, kw_only=True):
    """What the page measures between itself and the engine, once a second: loss of 100, ms, and its picture."""

    call: str
    loss: float = 0.0
    jitter: float = 0.0
    delay: float = 0.0
    width: int = 0
    height: int = 0
    frames: float = 0.0


class ChooseDevice(Command, frozen=True, kw_only=True):
    """Which device of the person this computer's calls use."""

    device: str


class SetForward(Command, frozen=True, kw_only=True):
    """Send all calls to a number; empty: no longer. ``voicemail``: the word for the voicemail."""

    to: str


class SetDoNotDisturb(Command, frozen=True, kw_only=True):
    """Calls don't ring here, or ring again."""

    on: bool


class SetLowBandwidth(Command, frozen=True, kw_only=True):
    """Sound with as few bits as possible, no pictures."""

    on: bool


class PlanNumber(Command, frozen=True, kw_only=True):
    """What would be dialled for a text. Answer: NumberPlan."""

    text: str


class GetRecents(Command, frozen=True, kw_only=True):
    """Calls before a recent call's id, or the newest. Answer: RecentCalls."""

    before: str | None = None
    limit: int = 50


class SeeRecents(Command, frozen=True, kw_only=True):
    """The missed calls have been looked at."""


class RemoveRecent(Command, frozen=True, kw_only=True):
    """Take a past call out of the list."""

    recent: str
