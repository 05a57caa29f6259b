"""A call: its legs, what it knows of its way here, and what each of its ends shall hear."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ringback.rules.reasons import Reason
from ringback.services.callmanager.calls.facts import OnBehalfOf, RedirectReason
from ringback.services.callmanager.calls.identity import Diversion, Shown
from ringback.services.callmanager.calls.leg import CONFIRMATION, MUSIC, NOTHING, QUIET, RINGBACK, Heard, Leg

if TYPE_CHECKING:
    from ringback.services.callmanager.calls.attempts import Attempt
    from ringback.services.callmanager.calls.conferences import Conference

_NOBODY: Final = Shown("")
_NO_PART: Final = OnBehalfOf.NONE
_NO_REDIRECT: Final = RedirectReason.NONE
_REDIRECTS: Final = {
    "all": RedirectReason.ALL,
    "busy": RedirectReason.BUSY,
    "no-answer": RedirectReason.NO_ANSWER,
    "unregistered": RedirectReason.UNREGISTERED,
    "divert": RedirectReason.DIVERT,
}


class Way:
    """How a call got where it is: what was dialled, and who sent it on, in order."""

    __slots__ = (
        "dialled",
        "diversions",
        "final",
        "first_redirect",
        "joined_by",
        "last_redirect",
        "original",
        "reasons",
        "redirect",
        "redirected_by",
    )

    def __init__(self) -> None:
        self.dialled = ""
        self.original = ""
        self.final: Shown = _NOBODY
        self.diversions: list[Diversion] = []
        self.reasons: list[Reason] = []
        self.joined_by: OnBehalfOf = _NO_PART
        self.redirect: RedirectReason = _NO_REDIRECT
        self.redirected_by: OnBehalfOf = _NO_PART
        self.last_redirect = ""
        self.first_redirect: RedirectReason = _NO_REDIRECT

    def sent_on(self, by: Shown, why: str) -> None:
        """A line forwarded or diverted the call."""
        self.diversions.append(Diversion(by, why.replace("-", "_")))
        self.redirect = _REDIRECTS.get(why, RedirectReason.NONE)
        self.first_redirect = self.first_redirect or self.redirect
        self.redirected_by = OnBehalfOf.IMMEDIATE_DIVERT if why == "divert" else OnBehalfOf.FORWARD
        self.last_redirect = by.user


class Call:
    """``number`` is the global id. ``legs``: the caller first; in a call between two there are at most two; ringing
    ones are with their ``attempt`` until they are answered. ``parked``: the number it is parked at, empty for none."""

    __slots__ = (
        "attempt",
        "began",
        "conference",
        "confirms",
        "connected",
        "legs",
        "mover",
        "number",
        "over",
        "parked",
        "recorded",
        "way",
    )

    def __init__(self, number: int, now: float) -> None:
        self.number = number
        self.began = now
        self.connected: float | None = None
        self.legs: list[Leg] = []
        self.attempt: Attempt | None = None
        self.conference: Conference | None = None
        self.mover: Leg | None = None
        self.parked = ""
        self.confirms = False
        self.over = False
        self.recorded = False
        self.way = Way()

    def __repr__(self) -> str:
        return f"Call({self.number} {self.legs})"

    def add(self, leg: Leg) -> None:
        """Take a leg in."""
        leg.call = self
        self.legs.append(leg)

    def remove(self, leg: Leg) -> None:
        """Let a leg go."""
        if leg in self.legs:
            self.legs.remove(leg)

    def other(self, leg: Leg) -> Leg | None:
        """The other end of a call between two."""
        if len(self.legs) != 2:
            return None
        first, second = self.legs
        return second if leg is first else first

    def wish(self, leg: Leg) -> Heard:
        """What a leg shall hear now."""
        if leg.over or leg not in self.legs:
            return NOTHING
        if leg.held:
            return QUIET
        if self.conference is not None:
            return Heard("room", room=self.conference.room)
        other = self.other(leg)
        if other is None:
            return self._alone(leg)
        if other.held and other.up:
            return MUSIC if leg.up else NOTHING
        return Heard("leg", other)

    def _alone(self, leg: Leg) -> Heard:
        if self.confirms:
            return CONFIRMATION
        if (not leg.up and not self.parked) or leg.transferring:
            return NOTHING
        if self.attempt is not None and self.attempt.rings:
            return RINGBACK
        return MUSIC
