"""What works outside the company's network, through its edge, and what does not: the published table as data.

Three editions of the table stand behind it: the early one (S), the planning guide (P) and the newest (D). The newest
counts; where an older one says otherwise, or where this project does more than the table promises, ``note`` names the
sentence that says so. A service that is not to be had has a reason that a person can understand.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ringback.rules.reasons import Reason


class Support(StrEnum):
    """``yes``: through the edge as inside. ``listed``: where the server stands on the edge's list. ``no``: not at all.
    ``here``: the table says no, and this project does it."""

    YES = "yes"
    LISTED = "listed"
    NO = "no"
    HERE = "here"


class Needs(StrEnum):
    """Who misses a service that is not to be had: everybody, or only who has that kind of service inside."""

    NOTHING = "nothing"
    MESSAGES = "messages"
    CALLS = "calls"
    LDAP = "ldap"


@dataclass(frozen=True, slots=True)
class Service:
    """A row. ``early``, ``planning``, ``newest``: what each edition says; None where it says nothing."""

    id: str
    support: Support
    needs: Needs = Needs.NOTHING
    early: bool | None = True
    planning: bool | None = True
    newest: bool | None = True
    note: str = ""

    @property
    def reason(self) -> Reason:
        """Why it is not to be had outside, or what is to be known of it there."""
        return Reason.of(f"outside.{self.id}")

    @property
    def differs(self) -> bool:
        """Whether the editions don't agree."""
        return len({one for one in (self.early, self.planning, self.newest) if one is not None}) > 1


def _no(name: str, needs: Needs = Needs.NOTHING, *, early: bool | None = False) -> Service:
    return Service(name, Support.NO, needs, early, planning=False, newest=False)


SERVICES: Final = (
    Service("search", Support.YES),
    _no("directory", Needs.LDAP),
    Service("photos", Support.LISTED),
    Service("contact_ids", Support.YES),
    Service("federation", Support.YES, early=False, note="outside.note.federation"),
    Service("chat", Support.YES),
    Service("group_chat", Support.YES),
    Service("messaging_failover", Support.YES),
    Service("managed_files", Support.YES),
    _no("file_transfer", Needs.MESSAGES),
    _no("screen_share", Needs.MESSAGES, early=None),
    Service("calls", Support.YES),
    _no("desk_phone", Needs.CALLS),
    _no("extend_and_connect", Needs.CALLS),
    _no("remote_desktop", Needs.CALLS),
    _no("monitoring", Needs.CALLS, early=None),
    Service("session_persistency", Support.HERE, Needs.CALLS, False, False, False, "outside.note.session_persistency"),
    Service("early_media", Support.HERE, Needs.CALLS, False, False, False, "outside.note.early_media"),
    _no("self_care"),
    Service("shared_lines", Support.YES, early=None, newest=None),
    Service("voicemail", Support.LISTED),
    _no("meetings"),
    Service("updates", Support.LISTED),
    _no("custom_tabs", early=True),
    _no("certificate_enrolment", Needs.CALLS),
    Service("encryption", Support.YES, planning=None),
    Service("single_sign_on", Support.YES, early=None),
    Service("fast_sign_in", Support.YES, early=None, newest=None),
    Service("report", Support.YES),
    _no("reports"),
    Service("call_failover", Support.HERE, Needs.CALLS, False, False, False, "outside.note.call_failover"),
    Service("voicemail_failover", Support.HERE, Needs.NOTHING, False, False, False, "outside.note.voicemail_failover"),
)
"""The rows in the order of the published tables."""


@dataclass(frozen=True, slots=True)
class OutsideEvidence:
    """What a person has inside, and what the edge says. ``access``: its word on this person (``all``, ``messaging``;
    empty: it does not say); ``sip``: it takes calls from them."""

    messages: bool = True
    calls: bool = False
    ldap: bool = False
    access: str = ""
    sip: bool = True


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that is not to be had outside, and why."""

    id: str
    reason: Reason


def missing_outside(evidence: OutsideEvidence) -> tuple[Missing, ...]:
    """What this person misses outside: first what company or edge withhold from them, then what nobody has there."""
    found: list[Missing] = []
    if evidence.calls and evidence.access == "messaging":
        found.append(Missing("calls", Reason.of("edge.access.messaging")))
    elif evidence.calls and not evidence.sip:
        found.append(Missing("calls", Reason.of("outside.no_calls")))
    has = {
        Needs.NOTHING: True,
        Needs.MESSAGES: evidence.messages,
        Needs.CALLS: evidence.calls and not found,
        Needs.LDAP: evidence.ldap,
    }
    found += [Missing(row.id, row.reason) for row in SERVICES if row.support is Support.NO and has[row.needs]]
    return tuple(found)
