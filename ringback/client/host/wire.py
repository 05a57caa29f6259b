"""The interface between the engine host and a page: JSON texts over one WebSocket, ``/api/socket``.

The page sends a *command*: one of the ``Command`` structs with a number of its own in ``n``. The host answers each with
``Done`` (``n`` repeated, ``value`` where the command has an answer) or ``Refused``. Without being asked the host sends
*events*: first ``Welcome`` with the whole snapshot, then changes of it. A page that connects again just takes the new
``Welcome``: nothing is kept per connection. Times are ISO 8601 in UTC. The TypeScript types of the page are generated
from this module by ``scripts/generate_types.py``.

Photos are got by ``GET /api/photo/<person id>?v=<version>``; the trace as a file by ``GET /api/trace.json``.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct, field

from ringback.client.host.wire_base import Command, Event
from ringback.client.host.wire_calls import (
    AddToCall,
    AnswerCall,
    Call,
    CallMade,
    CallsChanged,
    ChooseDevice,
    CompleteTransfer,
    ConnectMedia,
    DeclineCall,
    DivertCall,
    EndCall,
    GetRecents,
    HoldCall,
    MediaAnswer,
    MergeCalls,
    MoveCall,
    MuteCall,
    NumberPlan,
    PageQuality,
    ParkCall,
    Phone,
    PhoneChanged,
    PickUp,
    PlanNumber,
    Recent,
    RecentCalls,
    RecentsChanged,
    RemoveRecent,
    SeeRecents,
    SendDigits,
    SetDoNotDisturb,
    SetForward,
    SetLowBandwidth,
    SetVideo,
    StartCall,
    TransferCall,
)
from ringback.client.host.wire_sign_in import (
    Account,
    AccountChanged,
    AnswerCertificate,
    ApplyConfiguration,
    BeginBrowserSignIn,
    BrowserSignIn,
    Cancel,
    FindServices,
    ForgetKnown,
    GetTrace,
    PostponeConfiguration,
    Questions,
    QuestionsChanged,
    RefreshConfiguration,
    SetManual,
    SignIn,
    SignInChanged,
    SignInWith,
    SignOut,
    TestServers,
    TryAgain,
    UseKnown,
)
from ringback.rules.reasons import Reason
from ringback.rules.trace import Entry

# --- snapshot

Show = Literal["available", "away", "dnd", "call", "meeting", "out", "offline", "unknown"]
MessageState = Literal["sending", "sent", "delivered", "read", "failed", "received"]
ServiceState = Literal["off", "connecting", "up", "waiting", "failed"]


class Presence(Struct, frozen=True, kw_only=True):
    """What is shown of a person's availability, with its reasons (source, what it said, when)."""

    show: Show = "unknown"
    status: str = ""
    since: str | None = None
    until: str | None = None
    reasons: list[PresenceReason] = field(default_factory=list)


class PresenceReason(Struct, frozen=True, kw_only=True):
    """One source of a presence: ``source`` and ``said`` are sentences, ``at`` when."""

    source: Reason
    said: Reason
    at: str | None = None


class Number(Struct, frozen=True, kw_only=True):
    """A number with its kind; ``shown`` is formatted for reading."""

    kind: Literal["work", "mobile", "home", "other"]
    value: str
    shown: str


class Person(Struct, frozen=True, kw_only=True):
    """A person as known from roster and directory. ``id`` is the bare JID. ``photo`` is a version or empty: none.

    ``subscription``: roster state; ``asks``: wants to see our presence and waits for an answer.
    """

    id: str
    name: str
    presence: Presence = field(default_factory=Presence)
    photo: str = ""
    title: str = ""
    department: str = ""
    manager: str = ""
    mail: str = ""
    numbers: list[Number] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    in_list: bool = False
    favourite: bool = False
    subscription: Literal["none", "to", "from", "both"] = "none"
    pending: bool = False
    asks: bool = False
    blocked: bool = False
    source: str = ""


class Message(Struct, frozen=True, kw_only=True):
    """A message. ``id`` is stable over sending, archive and reload. ``sender`` is a person id (in rooms too)."""

    id: str
    conversation: str
    sender: str
    sender_name: str
    own: bool
    at: str
    body: str
    state: MessageState
    read_by: list[str] = field(default_factory=list)
    failure: Reason | None = None
    kind: Literal["text", "event"] = "text"
    event: Reason | None = None


class Member(Struct, frozen=True, kw_only=True):
    """Somebody in a group chat."""

    id: str
    name: str
    role: Literal["owner", "moderator", "member", "guest"]
    here: bool


class Conversation(Struct, frozen=True, kw_only=True):
    """A chat with a person or a group. ``id``: the bare JID. ``unread_from``: first unread message."""

    id: str
    kind: Literal["person", "room"]
    title: str
    last: Message | None = None
    unread: int = 0
    mentions: int = 0
    unread_from: str | None = None
    typing: list[str] = field(default_factory=list)
    members: list[Member] = field(default_factory=list)
    encrypted: Literal["server", "none"] = "server"
    pinned: bool = False
    muted: bool = False
    draft: str = ""
    joined: bool = True


class Service(Struct, frozen=True, kw_only=True):
    """A service of the person and its state, with why. ``id``: messages, contacts, directory, configuration."""

    id: str
    state: ServiceState
    server: str = ""
    since: str | None = None
    next_try: str | None = None
    text: Reason | None = None
    reasons: list[Reason] = field(default_factory=list)


class Me(Struct, frozen=True, kw_only=True):
    """The signed-in person. ``chosen``: what was set by hand, empty: the devices decide."""

    id: str
    name: str
    presence: Presence
    chosen: Literal["", "available", "away", "dnd", "offline"] = ""
    status: str = ""
    photo: str = ""
    title: str = ""


class Features(Struct, frozen=True, kw_only=True):
    """What the product mode and the policies give this person; absent ones are not shown at all.
    ``start_with_video``: the company set that calls begin with pictures."""

    chats: bool = True
    contacts: bool = True
    group_chats: bool = True
    directory: bool = True
    calls: bool = True
    video: bool = True
    start_with_video: bool = False
    product_mode: str = ""
    reasons: list[Reason] = field(default_factory=list)


class Security(Struct, frozen=True, kw_only=True):
    """How strict this client is with servers, and why. In other modes than ``usual`` nobody accepts a certificate."""

    mode: Literal["usual", "fips", "common-criteria"] = "usual"
    reasons: list[Reason] = field(default_factory=list)


class Snapshot(Struct, frozen=True, kw_only=True):
    """All that a page shows. Before sign-in only ``sign_in`` is filled."""

    sign_in: SignIn
    me: Me | None = None
    features: Features = field(default_factory=Features)
    people: list[Person] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    conversations: list[Conversation] = field(default_factory=list)
    services: list[Service] = field(default_factory=list)
    phone: Phone = field(default_factory=Phone)
    calls: list[Call] = field(default_factory=list)
    recents: list[Recent] = field(default_factory=list)
    questions: Questions = field(default_factory=Questions)
    account: Account | None = None
    security: Security = field(default_factory=Security)
    version: str = ""


# --- events


class Welcome(Event, frozen=True, kw_only=True):
    """The whole state, after connecting and after signing in or out."""

    snapshot: Snapshot


class TraceGrew(Event, frozen=True, kw_only=True):
    """New lines of the trace, from ``first`` on (0: begin anew)."""

    first: int
    entries: list[Entry]


class PeopleChanged(Event, frozen=True, kw_only=True):
    """People that changed or came, and ids that went."""

    people: list[Person] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    groups: list[str] | None = None


class MeChanged(Event, frozen=True, kw_only=True):
    """Own presence, name or photo changed."""

    me: Me


class ConversationsChanged(Event, frozen=True, kw_only=True):
    """Conversations that changed or came, and ids that went."""

    conversations: list[Conversation] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)


class MessagesChanged(Event, frozen=True, kw_only=True):
    """Messages of a conversation that came or changed (same id: replace). ``live`` ones are worth a notification."""

    conversation: str
    messages: list[Message]
    live: bool = False


class ServicesChanged(Event, frozen=True, kw_only=True):
    """Services that changed state."""

    services: list[Service]


class Done(Event, frozen=True, kw_only=True):
    """The answer to a command. ``value``: what that command documents, else null."""

    n: int
    value: (
        SearchResults
        | History
        | PersonCard
        | Conversation
        | Message
        | TraceLines
        | CallMade
        | MediaAnswer
        | NumberPlan
        | RecentCalls
        | BrowserSignIn
        | None
    ) = None


class Refused(Event, frozen=True, kw_only=True):
    """The command could not be done, with the reason."""

    n: int
    reason: Reason


class History(Struct, frozen=True, kw_only=True, tag="History"):
    """Older messages, oldest first; ``complete``: nothing older is kept."""

    messages: list[Message]
    complete: bool


class SearchResults(Struct, frozen=True, kw_only=True, tag="SearchResults"):
    """People found: own contacts first, then the directory. ``total``: how many it knows; None: it did not answer."""

    query: str
    people: list[Person]
    conversations: list[Conversation]
    total: int | None
    problem: Reason | None = None


class PersonCard(Struct, frozen=True, kw_only=True, tag="PersonCard"):
    """All that is known of a person, with where it comes from."""

    person: Person
    sources: list[Reason]
    shared_rooms: list[str] = field(default_factory=list)


class TraceLines(Struct, frozen=True, kw_only=True, tag="TraceLines"):
    """The whole trace."""

    entries: list[Entry]


# --- commands


class SetPresence(Command, frozen=True, kw_only=True):
    """Own availability by hand; empty ``show`` lets the devices decide. ``status`` null leaves the message as it is."""

    show: Literal["", "available", "away", "dnd", "offline"] = ""
    status: str | None = None


class ReportActivity(Command, frozen=True, kw_only=True):
    """The person is active (or idle since so many seconds), for away and client state indication."""

    idle_seconds: int


class Search(Command, frozen=True, kw_only=True):
    """People, rooms by text or number. Answer: SearchResults."""

    query: str
    limit: int = 20


class GetPerson(Command, frozen=True, kw_only=True):
    """Answer: PersonCard."""

    person: str


class AddContact(Command, frozen=True, kw_only=True):
    """Put a person into the contact list, in groups, and ask to see the presence."""

    person: str
    name: str = ""
    groups: list[str] = field(default_factory=list)


class ChangeContact(Command, frozen=True, kw_only=True):
    """New name (nickname) or groups of a contact; null leaves as it is."""

    person: str
    name: str | None = None
    groups: list[str] | None = None


class RemoveContact(Command, frozen=True, kw_only=True):
    """Out of the contact list."""

    person: str


class AnswerRequest(Command, frozen=True, kw_only=True):
    """Allow or refuse that a person sees our presence."""

    person: str
    allow: bool


class SetBlocked(Command, frozen=True, kw_only=True):
    """Block or unblock a person."""

    person: str
    blocked: bool


class OpenChat(Command, frozen=True, kw_only=True):
    """Make sure that a conversation with a person exists. Answer: Conversation."""

    person: str


class GetHistory(Command, frozen=True, kw_only=True):
    """Messages before a message id, or the newest. Answer: History."""

    conversation: str
    before: str | None = None
    limit: int = 50


class SendMessage(Command, frozen=True, kw_only=True):
    """Send a text; ``id`` is made by the page and stays the message's id. Answer: Message."""

    conversation: str
    id: str
    body: str


class RetryMessage(Command, frozen=True, kw_only=True):
    """Try a failed message again, in its place."""

    conversation: str
    id: str


class RemoveMessage(Command, frozen=True, kw_only=True):
    """Take a message that was never sent out of the list."""

    conversation: str
    id: str


class SetTyping(Command, frozen=True, kw_only=True):
    """Composing or not any more."""

    conversation: str
    typing: bool


class MarkRead(Command, frozen=True, kw_only=True):
    """Read up to and including this message."""

    conversation: str
    message: str


class CreateRoom(Command, frozen=True, kw_only=True):
    """A group chat with people. Answer: Conversation."""

    title: str
    people: list[str]


class InviteToRoom(Command, frozen=True, kw_only=True):
    """More people into a group chat."""

    conversation: str
    people: list[str]


class RenameRoom(Command, frozen=True, kw_only=True):
    """Another title for a group chat."""

    conversation: str
    title: str


class LeaveRoom(Command, frozen=True, kw_only=True):
    """Out of a group chat."""

    conversation: str


class SetConversation(Command, frozen=True, kw_only=True):
    """Pin, mute, keep a draft or close; null leaves as it is."""

    conversation: str
    pinned: bool | None = None
    muted: bool | None = None
    draft: str | None = None
    closed: bool | None = None


AnyCommand = (
    FindServices
    | SignInWith
    | BeginBrowserSignIn
    | UseKnown
    | ForgetKnown
    | Cancel
    | TryAgain
    | SetManual
    | TestServers
    | AnswerCertificate
    | RefreshConfiguration
    | ApplyConfiguration
    | PostponeConfiguration
    | SignOut
    | GetTrace
    | SetPresence
    | ReportActivity
    | Search
    | GetPerson
    | AddContact
    | ChangeContact
    | RemoveContact
    | AnswerRequest
    | SetBlocked
    | OpenChat
    | GetHistory
    | SendMessage
    | RetryMessage
    | RemoveMessage
    | SetTyping
    | MarkRead
    | CreateRoom
    | InviteToRoom
    | RenameRoom
    | LeaveRoom
    | SetConversation
    | StartCall
    | AnswerCall
    | DeclineCall
    | DivertCall
    | EndCall
    | HoldCall
    | MuteCall
    | SendDigits
    | TransferCall
    | CompleteTransfer
    | MergeCalls
    | AddToCall
    | ParkCall
    | MoveCall
    | SetVideo
    | PickUp
    | ConnectMedia
    | PageQuality
    | ChooseDevice
    | SetForward
    | SetDoNotDisturb
    | SetLowBandwidth
    | PlanNumber
    | GetRecents
    | SeeRecents
    | RemoveRecent
)
AnyEvent = (
    Welcome
    | SignInChanged
    | QuestionsChanged
    | AccountChanged
    | TraceGrew
    | PeopleChanged
    | MeChanged
    | ConversationsChanged
    | MessagesChanged
    | ServicesChanged
    | PhoneChanged
    | CallsChanged
    | RecentsChanged
    | Done
    | Refused
)

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[AnyCommand] = msgspec.json.Decoder(AnyCommand)


def encode_event(event: AnyEvent) -> str:
    """An event as the JSON text of the wire."""
    return _encoder.encode(event).decode()


def decode_command(text: str | bytes) -> AnyCommand:
    """A command from the wire. Raises msgspec.ValidationError or msgspec.DecodeError, whose text says where."""
    return _decoder.decode(text)
