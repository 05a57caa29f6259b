"""People on the interface between host and page: who is shown, searches in steps, the contact list, the directories.

A person's ``id`` is the bare JID. Who has none gets an id that begins with ``~`` (``~mail:ada@firm.example``,
``~tel:493055501``, ``~own:<letters>``): it works wherever an id is asked for, but nobody can chat with it.

Pictures are got by ``GET /api/photo/<id>?v=<version>&size=<pixels>``: the smallest kept size that is not under ``size``
(32, 64, 128); without ``size`` the largest.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field

from ringback.client.host.wire_base import Command, Event, ServiceState
from ringback.client.host.wire_chats import Conversation
from ringback.rules.reasons import Reason

Show = Literal["available", "away", "dnd", "call", "meeting", "out", "offline", "unknown"]
NumberKind = Literal["work", "mobile", "home", "other", "pager", "fax"]
Matched = Literal["name", "nickname", "number", "mail", "address", "title", "department", "company", "elsewhere"]
DirectoryKind = Literal["uds", "ldap", "local", "custom", "cloud", "cache"]
ContactFormat = Literal["csv", "xml", "vcard"]


# --- who is shown


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

    kind: NumberKind
    value: str
    shown: str


class Person(Struct, frozen=True, kw_only=True):
    """A person as known from contact list and directories. ``photo`` is a version or empty: none.

    ``name`` is what is shown: the ``nickname`` given here, else ``full_name`` of the directory, else the address.
    ``chat``: address for messages, empty: none. ``mails``: all, the first is ``mail``. ``manager_id``: where the
    manager is a known person. ``custom``: made by hand here, may be edited. ``subscription``: roster state; ``asks``:
    wants to see our presence and waits for an answer. ``source``: whom the facts come from, for reading.
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
    chat: str = ""
    nickname: str = ""
    full_name: str = ""
    company: str = ""
    location: str = ""
    mails: list[str] = field(default_factory=list)
    manager_id: str = ""
    custom: bool = False


class Directory(Struct, frozen=True, kw_only=True):
    """A directory and how it is. ``name`` for reading; ``secure``: nobody between can read or change what it says.

    ``text`` what is wrong, ``remedy`` what helps; ``reasons``: why this directory, there, that way; ``people``: how
    many it holds where it says; ``asked``: when it answered last; ``login``: it wants a user name and a password.
    """

    id: str
    kind: DirectoryKind
    name: str
    server: str = ""
    state: ServiceState = "off"
    since: str | None = None
    next_try: str | None = None
    secure: bool = False
    text: Reason | None = None
    remedy: Reason | None = None
    reasons: list[Reason] = field(default_factory=list)
    people: int | None = None
    asked: str | None = None
    login: bool = False


# --- searches


class FoundPerson(Struct, frozen=True, kw_only=True):
    """Somebody found: by what (``value``: the number or address that fits, for reading), and where from."""

    person: Person
    matched: Matched
    value: str = ""
    sources: list[str] = field(default_factory=list)


class SourceStep(Struct, frozen=True, kw_only=True):
    """How far a directory is with a search. ``total``: how many fit there in all; None: it does not say."""

    id: str
    kind: DirectoryKind
    name: str
    state: Literal["asking", "done", "failed"]
    found: int = 0
    total: int | None = None
    ms: float = 0.0
    problem: Reason | None = None


class Findings(Struct, frozen=True, kw_only=True, tag="Findings"):
    """A search so far: the whole ranked list, at most as many as asked for. ``number``: the text can be dialled.

    ``more``: FindMore would bring others; ``complete``: nobody is being asked any more.
    """

    search: str
    query: str
    people: list[FoundPerson] = field(default_factory=list)
    rooms: list[Conversation] = field(default_factory=list)
    sources: list[SourceStep] = field(default_factory=list)
    number: Number | None = None
    more: bool = False
    complete: bool = False


class SearchResults(Struct, frozen=True, kw_only=True, tag="SearchResults"):
    """People found: own contacts first, then the directory. ``total``: how many it knows; None: it did not answer."""

    query: str
    people: list[Person]
    conversations: list[Conversation]
    total: int | None
    problem: Reason | None = None


class Fact(Struct, frozen=True, kw_only=True):
    """One line of a card and where it comes from. ``field``: a field of Person, or a kind of number."""

    field: str
    value: str
    source: Reason
    at: str | None = None


class PersonCard(Struct, frozen=True, kw_only=True, tag="PersonCard"):
    """All that is known of a person, with where it comes from."""

    person: Person
    sources: list[Reason]
    shared_rooms: list[str] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    photo_from: Reason | None = None
    photo_at: str | None = None
    merged: list[Reason] = field(default_factory=list)


# --- taking over and handing out contact lists


class ImportRow(Struct, frozen=True, kw_only=True):
    """A contact of a file: what will become of it, or why nothing. ``number`` is the first of its numbers."""

    line: int
    name: str
    address: str
    number: str
    groups: list[str]
    what: Literal["add", "change", "same", "refused"]
    reasons: list[Reason] = field(default_factory=list)


class ImportPlan(Struct, frozen=True, kw_only=True, tag="ImportPlan"):
    """What a file would change; nothing is changed yet. ``groups``: new ones; ``lost``: what was not understood."""

    id: str
    format: ContactFormat
    rows: list[ImportRow]
    groups: list[str]
    lost: list[Reason] = field(default_factory=list)


class ImportDone(Struct, frozen=True, kw_only=True, tag="ImportDone"):
    """What was changed. ``undo``: for UndoImport, as long as the session lasts."""

    added: int
    changed: int
    failed: list[ImportRow]
    undo: str


class ExportedContacts(Struct, frozen=True, kw_only=True, tag="ExportedContacts"):
    """A file to keep: ``data`` is base64. ``lost``: what this format can't hold."""

    name: str
    kind: str
    data: str
    people: int
    lost: list[Reason] = field(default_factory=list)


class CheckLine(Struct, frozen=True, kw_only=True):
    """One check of a directory. ``ms``: how long it took."""

    state: Literal["good", "warning", "bad"]
    text: Reason
    detail: str = ""
    ms: float | None = None


class DirectoryReport(Struct, frozen=True, kw_only=True, tag="DirectoryReport"):
    """The checks of a directory in their order."""

    lines: list[CheckLine]


# --- events


class PeopleChanged(Event, frozen=True, kw_only=True):
    """People that changed or came, and ids that went. ``groups`` (in shown order, empty ones included) and ``orders``
    (group → ids put in order by hand) only where they changed."""

    people: list[Person] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    groups: list[str] | None = None
    orders: dict[str, list[str]] | None = None


class FindingsGrew(Event, frozen=True, kw_only=True):
    """A directory answered a running search, or failed. Other pages' searches come too: look at ``search``."""

    findings: Findings


class DirectoriesChanged(Event, frozen=True, kw_only=True):
    """All directories, after a change of one."""

    directories: list[Directory]


# --- commands: searching


class Search(Command, frozen=True, kw_only=True):
    """People, rooms by text or number, after all directories answered. Answer: SearchResults."""

    query: str
    limit: int = 20


class FindPeople(Command, frozen=True, kw_only=True):
    """Search in steps; ends the former search of this name. Answer: Findings at once, then FindingsGrew."""

    search: str
    query: str
    limit: int = 20


class FindMore(Command, frozen=True, kw_only=True):
    """Go on with a search up to a larger limit. Answer: Findings, then FindingsGrew."""

    search: str
    limit: int


class StopFinding(Command, frozen=True, kw_only=True):
    """Nobody waits for this search any more."""

    search: str


class GetPerson(Command, frozen=True, kw_only=True):
    """Answer: PersonCard."""

    person: str


# --- commands: the contact list


class AddContact(Command, frozen=True, kw_only=True):
    """Put a person into the contact list, in groups, and ask to see the presence."""

    person: str
    name: str = ""
    groups: list[str] = field(default_factory=list)


class ChangeContact(Command, frozen=True, kw_only=True):
    """New name (nickname; empty: none) or groups of a contact; null leaves as it is."""

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


class TypedNumber(Struct, frozen=True, kw_only=True):
    """A number as somebody typed it."""

    kind: NumberKind
    value: str


class SaveContact(Command, frozen=True, kw_only=True):
    """Make a contact by hand (empty ``person``) or change one. Answer: PersonCard. Only ``custom`` ones change."""

    person: str = ""
    name: str
    title: str = ""
    company: str = ""
    mail: str = ""
    address: str = ""
    numbers: list[TypedNumber] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)


class AddGroup(Command, frozen=True, kw_only=True):
    """A new group without people."""

    name: str


class RenameGroup(Command, frozen=True, kw_only=True):
    """Another name for a group; where that exists, the two become one."""

    name: str
    to: str


class RemoveGroup(Command, frozen=True, kw_only=True):
    """Take a group away; its people stay in the list."""

    name: str


class OrderGroups(Command, frozen=True, kw_only=True):
    """The groups in the order to show; those not named follow by name."""

    groups: list[str]


class OrderContacts(Command, frozen=True, kw_only=True):
    """The people of a group (empty: those in none) in the order to show; an empty list: by name again."""

    group: str
    people: list[str]


class ReadContacts(Command, frozen=True, kw_only=True):
    """Read a file of contacts (base64, 2 MB at most) without changing anything. Answer: ImportPlan."""

    name: str
    data: str


class ApplyImport(Command, frozen=True, kw_only=True):
    """Do what a plan says, for these lines or for all. Answer: ImportDone."""

    plan: str
    lines: list[int] | None = None


class UndoImport(Command, frozen=True, kw_only=True):
    """Take back what ApplyImport did."""

    undo: str


class ExportContacts(Command, frozen=True, kw_only=True):
    """The contact list, or these groups of it, as a file. Answer: ExportedContacts."""

    format: ContactFormat
    groups: list[str] | None = None


# --- commands: directories


class CheckDirectory(Command, frozen=True, kw_only=True):
    """Try a directory now, step by step. Answer: DirectoryReport."""

    source: str


class SetDirectoryLogin(Command, frozen=True, kw_only=True):
    """Name and password for the company directory, kept encrypted; an empty ``user`` forgets them."""

    user: str
    password: str
