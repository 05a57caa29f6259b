"""Which directories a client asks, with reasons (planning guide, "Contact Source Options").

Outside the company network it is always the user data service. Inside it is LDAP where the configuration says so, and
the user data service as long as LDAP can't be reached, or where the configuration says UDS. Address books of the person
and directories of the company's own making are asked beside them.
"""

from __future__ import annotations

from dataclasses import dataclass

from ringback.rules.reasons import Reason


@dataclass(frozen=True, slots=True)
class SourceEvidence:
    """``ldap``: the configuration wants LDAP; ``uds_set``: it says UDS in so many words; ``ldap_fails``: LDAP was
    tried and can't be used now; ``local_allowed``: ``EnableLocalAddressBookSearch``."""

    call_manager: bool
    ldap: bool = False
    uds_set: bool = False
    ldap_fails: bool = False
    outside: bool = False
    local_allowed: bool = True


@dataclass(frozen=True, slots=True)
class SourceChoice:
    """``company``: those of the company in the order of their word; ``local``: address books of this machine too."""

    company: tuple[str, ...]
    local: bool
    reasons: tuple[Reason, ...]


def choose_sources(evidence: SourceEvidence) -> SourceChoice:
    """The directories to ask."""
    reasons: list[Reason] = []
    company: list[str] = []
    if evidence.outside:
        reasons.append(Reason.of("contacts.choice.outside"))
    elif evidence.ldap:
        company.append("ldap")
        reasons.append(Reason.of("contacts.choice.ldap"))
        if evidence.ldap_fails and evidence.call_manager:
            reasons.append(Reason.of("contacts.choice.instead"))
    elif evidence.call_manager:
        reasons.append(Reason.of("contacts.choice.uds" if evidence.uds_set else "contacts.choice.default"))
    if evidence.call_manager and (evidence.outside or not evidence.ldap or evidence.ldap_fails):
        company.append("uds")
    if not company:
        reasons.append(Reason.of("contacts.choice.none"))
    if not evidence.local_allowed:
        reasons.append(Reason.of("contacts.choice.no_local"))
    return SourceChoice(tuple(company), evidence.local_allowed, tuple(reasons))
