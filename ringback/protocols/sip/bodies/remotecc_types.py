"""What phones and call managers ask each other for by RemoteCC, as values; ``remotecc`` reads and writes them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DialogId:
    """A dialog as its sender sees it."""

    call_id: str
    local_tag: str
    remote_tag: str

    def swapped(self) -> DialogId:
        """The same dialog as the receiver sees it."""
        return DialogId(self.call_id, self.remote_tag, self.local_tag)


@dataclass(frozen=True, slots=True)
class SoftkeyEvent:
    """A key of the phone: Park, ParkMonitor, Conference, ConfList, RmLastConf, Join, HLog, IDivert, CallBack, MCID ...

    ``consult`` is the second call of a conference, ``join`` the one to join. ``line`` is 0 where not told.
    """

    event: str
    dialog: DialogId | None = None
    line: int = 0
    consult: DialogId | None = None
    join: DialogId | None = None


@dataclass(frozen=True, slots=True)
class BulkRegister:
    """All lines of the device register by this one request."""

    all_contacts: bool = True


@dataclass(frozen=True, slots=True)
class Options:
    """What a device can do, by the names of the elements in the order sent, such as ``cfwdall-anyline``.

    ``combined`` is how many requests it takes at once (0: not told). ``subscribes`` are the usages of dialog and
    presence that it knows, as (``dialog``, ``hook status``).
    """

    names: tuple[str, ...] = ()
    combined: int = 0
    subscribes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class AnswerCall:
    """The phone is asked to answer."""

    dialog: DialogId


@dataclass(frozen=True, slots=True)
class InitiateCall:
    """The phone is asked to dial."""

    dial_string: str
    line: int = 1


@dataclass(frozen=True, slots=True)
class HoldRetrieve:
    """The phone is asked to take a call off hold."""

    dialog: DialogId


@dataclass(frozen=True, slots=True)
class PlayTone:
    """The phone is asked to play a tone, such as ``DtLineBusyTone``; ``direction`` is user, network or all."""

    tone: str
    direction: str = "user"
    dialog: DialogId | None = None


@dataclass(frozen=True, slots=True)
class StatusLine:
    """A text for the phone's status line, for ``timeout`` seconds (0: for good); ``line`` 0 is the whole phone."""

    text: str
    dialog: DialogId | None = None
    timeout: int = 10
    line: int = 0
    priority: int = 1
    action: str = "notify_display"


@dataclass(frozen=True, slots=True)
class FeatureNotice:
    """How a feature ended: Join is Complete, for example."""

    dialog: DialogId
    feature: str
    status: str


@dataclass(frozen=True, slots=True)
class DataPassThrough:
    """Heads the menu or text of another part (``x-cisco-remotecc-cm+xml``)."""

    application: int = 0
    transaction: int = 0
    sequence: str = "StationSequenceLast"
    priority: int = 0
    instance: int = 0
    routing: int = 0
    conference: int = 0


@dataclass(frozen=True, slots=True)
class DoNotDisturbUpdate:
    """Do not disturb was switched; ``option`` is ringeroff or callreject."""

    enabled: bool
    option: str = "ringeroff"


@dataclass(frozen=True, slots=True)
class HuntLogUpdate:
    """The line group log-in was switched."""

    enabled: bool


@dataclass(frozen=True, slots=True)
class ForwardAllUpdate:
    """Forward all of a line is on with an address, or off without one; ``to_voicemail``: it goes there."""

    line: int
    address: str = ""
    to_voicemail: bool = False


@dataclass(frozen=True, slots=True)
class LineUpdate:
    """The state of one line after registration; line 0 stands for all of them.

    ``new`` and ``old`` count voice messages, None where not told.
    """

    line: int
    waiting: bool
    new: int | None = None
    old: int | None = None
    forward: str = ""
    forward_to_voicemail: bool = False


@dataclass(frozen=True, slots=True)
class BulkUpdate:
    """The states of all lines."""

    lines: tuple[LineUpdate, ...]


@dataclass(frozen=True, slots=True)
class UnknownRequest:
    """A request that is not known here; answer with code 501."""

    name: str


OfPhone = SoftkeyEvent | BulkRegister | Options
OfServer = (
    AnswerCall
    | InitiateCall
    | HoldRetrieve
    | PlayTone
    | StatusLine
    | FeatureNotice
    | DataPassThrough
    | DoNotDisturbUpdate
    | HuntLogUpdate
    | ForwardAllUpdate
    | BulkUpdate
)
RemoteCcRequest = OfPhone | OfServer | UnknownRequest
