"""One side of a call: a SIP session with a device or another system, and where its offer and answer stand.

```
                 end offers              end asks us to offer
    IDLE ───────────────► OFFERED    IDLE ───────────────► BLANK
      ▲  ◄─ we answer ─────┘           ▲                     │ we offer in the answer
      │                                └── end answers ── OFFERING ◄─ we offer ── IDLE
    IDLE ── we ask for an offer ──► ASKED ── it comes ──► OFFERED
```
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final, Literal, Protocol

from msgspec import Struct

from ringback.protocols.sdp.description import Description
from ringback.protocols.sip.session import Session
from ringback.services.callmanager.calls.facts import Cause, OnBehalfOf, QualityFacts
from ringback.services.callmanager.calls.identity import Shown
from ringback.services.callmanager.calls.media_path import Agreed, agreed_media, end_of, quick_end

if TYPE_CHECKING:
    from ringback.services.callmanager.calls.call import Call
    from ringback.services.callmanager.calls.joining import Exchange
    from ringback.services.callmanager.calls.peers import Peer


class Talk(Enum):
    """Where the offer and answer with an end stand; see the picture above."""

    IDLE = "idle"
    OFFERED = "offered"
    BLANK = "blank"
    ASKED = "asked"
    OFFERING = "offering"


How = Literal["invite", "again", "accepted"]
"""How the open exchange is answered: in the 2xx of the first INVITE, of a later request, or in the ACK to a 2xx."""

HeardKind = Literal["nothing", "quiet", "leg", "music", "ringback", "confirmation", "room"]


class Room(Protocol):
    """A conference: everybody in it hears the others."""

    @property
    def number(self) -> int:
        """Its number, for addresses and records."""

    def place(self, leg: int, keying: str) -> Source:
        """A place for one leg."""


class Heard:
    """What an end hears: the other leg directly (or through the relay), music, a tone, a conference, or, because it
    holds, nothing. A value: equal where all is the same; never changed."""

    __slots__ = ("kind", "leg", "room")

    def __init__(self, kind: HeardKind, leg: Leg | None = None, room: Room | None = None) -> None:
        self.kind: HeardKind = kind
        self.leg = leg
        self.room = room

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Heard):
            return NotImplemented
        return self.kind == other.kind and self.leg is other.leg and self.room is other.room

    def __hash__(self) -> int:
        return hash((self.kind, id(self.leg), id(self.room)))


NOTHING: Final = Heard("nothing")
QUIET: Final = Heard("quiet")
MUSIC: Final = Heard("music")
RINGBACK: Final = Heard("ringback")
CONFIRMATION: Final = Heard("confirmation")


class Source(Protocol):
    """Sound of our own for one end: music, a tone, a place in a conference. Made by the media desk."""

    def offer(self, before: Description | None) -> Description:
        """What we offer the end."""

    def answer(self, offered: Description, before: Description | None) -> Description:
        """The answer to the end's offer. Raises SdpError where nothing is in common."""

    def settle(self, answered: Description) -> None:
        """The end's answer to our offer. Raises SdpError where nothing is in common."""

    def close(self) -> None:
        """Stop, and give the port back."""


class Parted(Struct, frozen=True, gc=False):
    """What is still known of a leg whose record is kept, for a report that comes with the answer to our BYE."""

    call: int
    leg: int
    number: str
    device: str


class Leg:
    """A side of a call. ``number`` names it in records; ``outgoing``: we invited it. ``shown``: who is at this end.

    ``up``: answered; ``over``: no more. ``told`` is the description that the end got last, ``said`` the one that it
    gave last; both are kept as bytes until somebody looks into them.
    """

    __slots__ = (
        "_said",
        "_told",
        "address",
        "began",
        "call",
        "cause",
        "device",
        "exchange",
        "failures",
        "held",
        "hops",
        "how",
        "instance",
        "line",
        "number",
        "outgoing",
        "over",
        "parted",
        "quality",
        "room_number",
        "secure",
        "session",
        "shown",
        "side",
        "source",
        "talk",
        "terminated_by",
        "transferring",
        "trunk",
        "up",
        "user",
    )

    def __init__(self, number: int, session: Session, shown: Shown, *, outgoing: bool, now: float) -> None:
        self.number = number
        self.session = session
        self.shown = shown
        self.outgoing = outgoing
        self.began = now
        self.call: Call | None = None
        self.device = ""
        self.line = ""
        self.user = ""
        self.trunk: Peer | None = None
        self.address = ""
        self.instance = 1
        self.hops = 70
        self.up = False
        self.over = False
        self.held = False
        self.secure = False
        self.room_number = 0
        self.talk = Talk.IDLE
        self.how: How = "invite"
        self.side: Heard = NOTHING
        self.source: Source | None = None
        self.exchange: Exchange | None = None
        self.failures = 0
        self.transferring = False
        self.cause = Cause.NO_ERROR
        self.terminated_by = OnBehalfOf.NONE
        self.quality: QualityFacts | None = None
        self.parted: Parted | None = None
        self._told: bytes | Description | None = None
        self._said: bytes | Description | None = None

    def __repr__(self) -> str:
        state = "over" if self.over else "up" if self.up else "new"
        return f"Leg({self.number} {self.line or self.shown.user} {state} {self.talk.value} hears {self.side.kind})"

    @property
    def told(self) -> Description | None:
        """What the end was told last. Raises SdpError where what was passed on can't be read."""
        if isinstance(self._told, bytes):
            self._told = Description.parse(self._told)
        return self._told

    def set_told(self, description: bytes | Description) -> None:
        """Keep what the end was told."""
        self._told = description

    @property
    def said(self) -> Description | None:
        """What the end said last. Raises SdpError where it can't be read."""
        if isinstance(self._said, bytes):
            self._said = Description.parse(self._said)
        return self._said

    def set_said(self, description: bytes | Description) -> None:
        """Keep what the end said."""
        self._said = description

    @property
    def raw_said(self) -> bytes | None:
        """What the end said last, as bytes."""
        return self._said if isinstance(self._said, bytes) or self._said is None else self._said.encode()

    @property
    def keying(self) -> str:
        """How the end encrypts its sound: none, sdes or dtls."""
        said = self._said
        if isinstance(said, bytes):
            return "none" if b"a=crypto" not in said and b"SAVP" not in said else quick_end(said).keying
        return "none" if said is None else end_of(said).keying

    @property
    def sound(self) -> Agreed | None:
        """Where the end wants its sound and in which codec, by what was said and told; None before anything was."""
        if self._said is None:
            return None
        return agreed_media(self._said, self._told, "audio")

    @property
    def picture(self) -> Agreed | None:
        """The same of its picture."""
        return None if self._said is None else agreed_media(self._said, self._told, "video")

    @property
    def has_said(self) -> bool:
        """Whether the end described itself already."""
        return self._said is not None

    @property
    def is_caller_waiting(self) -> bool:
        """Whether this is a caller whose INVITE has no final answer yet."""
        return not self.outgoing and not self.up and not self.over
