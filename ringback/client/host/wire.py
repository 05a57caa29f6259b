"""The interface between the engine host and a page: JSON texts over one WebSocket, ``/api/socket``.

The page sends a *command*: one of the ``Command`` structs with a number of its own in ``n``. The host answers each with
``Done`` (``n`` repeated, ``value`` where the command has an answer) or ``Refused``. Without being asked the host sends
*events*: first ``Welcome`` with the whole snapshot, then changes of it. A page that connects again just takes the new
``Welcome``: nothing is kept per connection. Times are ISO 8601 in UTC. The TypeScript types of the page are generated
from this module by ``scripts/generate_types.py``.

Photos are got by ``GET /api/photo/<person id>`` (``wire_people``); the trace as a file by ``GET /api/trace.json``.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct, field

from ringback.client.host.wire_base import Command, Event, ServiceState
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
from ringback.client.host.wire_chats import (
    Conversation,
    ConversationsChanged,
    CreateRoom,
    GetHistory,
    History,
    InviteToRoom,
    LeaveRoom,
    MarkRead,
    Message,
    MessagesChanged,
    OpenChat,
    RemoveMessage,
    RenameRoom,
    RetryMessage,
    SendMessage,
    SetConversation,
    SetTyping,
)
from ringback.client.host.wire_people import (
    AddContact,
    AddGroup,
    AnswerRequest,
    ApplyImport,
    ChangeContact,
    CheckDirectory,
    DirectoriesChanged,
    Directory,
    DirectoryReport,
    ExportContacts,
    ExportedContacts,
    Findings,
    FindingsGrew,
    FindMore,
    FindPeople,
    GetPerson,
    ImportDone,
    ImportPlan,
    OrderContacts,
    OrderGroups,
    PeopleChanged,
    Person,
    PersonCard,
    Presence,
    ReadContacts,
    RemoveContact,
    RemoveGroup,
    RenameGroup,
    SaveContact,
    Search,
    SearchResults,
    SetBlocked,
    SetDirectoryLogin,
    StopFinding,
    UndoImport,
)
from ringback.client.host.wire_place import Place, PlaceChanged
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
from ringback.client.host.wire_voicemail import (
    ControlPhonePlay,
    DeleteVoiceMessage,
    DropRecording,
    EmptyDeletedVoice,
    FindVoicePeople,
    GetGreetings,
    GetVoiceMessages,
    GetVoiceSound,
    Greetings,
    LookAtVoicemail,
    Mailbox,
    MailboxChanged,
    MarkVoiceMessage,
    PlayOnPhone,
    RecordGreeting,
    RestoreVoiceMessage,
    SendVoiceMessage,
    SetGreeting,
    SetTranscription,
    SignInToVoicemail,
    VoiceAddresses,
    VoiceMessage,
    VoiceMessages,
    VoiceMessagesChanged,
    VoiceSound,
)
from ringback.rules.reasons import Reason
from ringback.rules.trace import Entry

# --- snapshot


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
    orders: dict[str, list[str]] = field(default_factory=dict)
    directories: list[Directory] = field(default_factory=list)
    conversations: list[Conversation] = field(default_factory=list)
    services: list[Service] = field(default_factory=list)
    place: Place = field(default_factory=Place)
    phone: Phone = field(default_factory=Phone)
    calls: list[Call] = field(default_factory=list)
    recents: list[Recent] = field(default_factory=list)
    mailbox: Mailbox = field(default_factory=Mailbox)
    voice_messages: list[VoiceMessage] = field(default_factory=list)
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


class MeChanged(Event, frozen=True, kw_only=True):
    """Own presence, name or photo changed."""

    me: Me


class ServicesChanged(Event, frozen=True, kw_only=True):
    """Services that changed state."""

    services: list[Service]


class Done(Event, frozen=True, kw_only=True):
    """The answer to a command. ``value``: what that command documents, else null."""

    n: int
    value: (
        SearchResults
        | Findings
        | ImportPlan
        | ImportDone
        | ExportedContacts
        | DirectoryReport
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
        | VoiceMessages
        | VoiceSound
        | VoiceAddresses
        | Greetings
        | None
    ) = None


class Refused(Event, frozen=True, kw_only=True):
    """The command could not be done, with the reason."""

    n: int
    reason: Reason


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
    | FindPeople
    | FindMore
    | StopFinding
    | GetPerson
    | AddContact
    | ChangeContact
    | RemoveContact
    | AnswerRequest
    | SetBlocked
    | SaveContact
    | AddGroup
    | RenameGroup
    | RemoveGroup
    | OrderGroups
    | OrderContacts
    | ReadContacts
    | ApplyImport
    | UndoImport
    | ExportContacts
    | CheckDirectory
    | SetDirectoryLogin
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
    | ControlPhonePlay
    | DeleteVoiceMessage
    | DropRecording
    | EmptyDeletedVoice
    | FindVoicePeople
    | GetGreetings
    | GetVoiceMessages
    | GetVoiceSound
    | LookAtVoicemail
    | MarkVoiceMessage
    | PlayOnPhone
    | RecordGreeting
    | RestoreVoiceMessage
    | SendVoiceMessage
    | SetGreeting
    | SetTranscription
    | SignInToVoicemail
)
AnyEvent = (
    Welcome
    | SignInChanged
    | QuestionsChanged
    | AccountChanged
    | TraceGrew
    | PeopleChanged
    | FindingsGrew
    | DirectoriesChanged
    | MeChanged
    | ConversationsChanged
    | MessagesChanged
    | ServicesChanged
    | PlaceChanged
    | PhoneChanged
    | CallsChanged
    | RecentsChanged
    | MailboxChanged
    | VoiceMessagesChanged
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
