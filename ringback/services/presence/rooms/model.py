"""What rooms are made of: affiliations, roles, configuration, occupants."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Protocol

import msgspec


class Affiliation(IntEnum):
    """A person's lasting relation to a room, in order of power (XEP-0045 section 5.2)."""

    OUTCAST = 0
    NONE = 1
    MEMBER = 2
    ADMIN = 3
    OWNER = 4

    @property
    def word(self) -> str:
        """As on the wire."""
        return self.name.lower()


class Role(IntEnum):
    """An occupant's standing during this stay, in order of power (XEP-0045 section 5.1)."""

    NONE = 0
    VISITOR = 1
    PARTICIPANT = 2
    MODERATOR = 3

    @property
    def word(self) -> str:
        """As on the wire."""
        return self.name.lower()


AFFILIATIONS = {affiliation.word: affiliation for affiliation in Affiliation}
ROLES = {role.word: role for role in Role}


class RoomConfiguration(msgspec.Struct, frozen=True, forbid_unknown_fields=False):
    """How a room behaves (XEP-0045 section 10). Unsaid fields have the defaults of an instant room.

    ``real_addresses`` makes the room non-anonymous; ``public`` lists it for everybody; ``max_users`` counts occupants;
    ``history`` is how many past messages a newcomer gets without asking.
    """

    name: str = ""
    description: str = ""
    persistent: bool = False
    public: bool = False
    members_only: bool = False
    moderated: bool = False
    real_addresses: bool = False
    change_subject: bool = False
    allow_invites: bool = False
    private_messages: bool = True
    archived: bool = True
    max_users: int = 200
    history: int = 20


class Client(Protocol):
    """One client of an occupant, as far as a room needs it: a ``Session`` of the presence service is one."""

    @property
    def full(self) -> str:
        """The full JID."""

    @property
    def full_xml(self) -> bytes:
        """The full JID, ready for an attribute value."""

    @property
    def bare(self) -> str:
        """The account's bare JID."""

    def send(self, raw: bytes) -> None:
        """Queue one stanza; never waits."""


@dataclass(slots=True, eq=False)
class Occupant:
    """A person in a room under a nickname, with one client or several.

    ``address`` is the occupant JID and ``id_element`` the XEP-0421 element, both ready XML; ``shown`` holds per client
    the content of its last presence.
    """

    nick: str
    bare: str
    role: Role
    address: bytes
    id_element: bytes
    clients: dict[str, Client] = field(default_factory=dict)
    shown: dict[str, bytes] = field(default_factory=dict)

    @property
    def client(self) -> Client:
        """The client that came last."""
        return next(reversed(self.clients.values()))


@dataclass(frozen=True, slots=True)
class Member:
    """A line of a room's affiliation list."""

    affiliation: Affiliation
    nick: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A message of the room as its history keeps it: between ``head`` and ``middle`` stands the receiver's address.

    ``id`` is its archive id (0 where the room is not archived), ``at`` seconds since 1970.
    """

    id: int
    at: float
    head: bytes
    middle: bytes


@dataclass(frozen=True, slots=True)
class HistoryWish:
    """How much history a newcomer asks for (XEP-0045 section 7.2.13); None where not said. ``since`` in seconds."""

    stanzas: int | None = None
    characters: int | None = None
    since: float | None = None
