"""As whom the company directory is asked, and in which way: decided from what is configured and what there is.

Pure. Source: planning guide 12.5, chapter 6, "LDAP Service Account" and "Manual Configuration for the LDAP Service":
credentials of service profile or configuration file come before everything; else the mechanisms of the server, in its
order, or those configured; with PLAIN configured and no account, the person is asked; the call manager's credentials
count where ``LDAP_UseCredentialsFrom`` says so. Nothing is ever sent without TLS (chosen), so each connection is what
the guide calls a secure port.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from ringback.rules.directory_settings import DirectorySettings, Mechanism
from ringback.rules.reasons import Reason

USUAL = (Mechanism.GSSAPI, Mechanism.EXTERNAL)
"""Tried where the server names both or its order is not known: "the most secure", says the guide."""
_OF_SERVERS = {"GSSAPI": Mechanism.GSSAPI, "GSS-SPNEGO": Mechanism.GSSAPI, "EXTERNAL": Mechanism.EXTERNAL}


class Account(StrEnum):
    """Whose credentials a simple bind uses."""

    CONFIGURED = "configured"
    TYPED = "typed"
    CALL_MANAGER = "call manager"


@dataclass(frozen=True, slots=True)
class AuthenticationEvidence:
    """``server_mechanisms`` in the server's order. ``has_ticket``: Kerberos can be tried here; ``has_certificate``:
    there is one for the person; ``has_typed``, ``has_call_manager``: such credentials are at hand."""

    settings: DirectorySettings
    server_mechanisms: tuple[str, ...] = ()
    has_ticket: bool = False
    has_certificate: bool = False
    has_typed: bool = False
    has_call_manager: bool = False


@dataclass(frozen=True, slots=True)
class Attempt:
    """One way to try. ``account`` belongs to ``simple``."""

    way: Literal["simple", "gssapi", "external", "anonymous"]
    account: Account | None = None


@dataclass(frozen=True, slots=True)
class Attempts:
    """The ways in the order to try, and why. ``ask``: where none succeeds, the person's credentials would help."""

    ways: tuple[Attempt, ...]
    reasons: tuple[Reason, ...]
    ask: bool = False


def attempts(evidence: AuthenticationEvidence) -> Attempts:
    """The ways to bind. A configured account is the only way where there is one: the guide gives it precedence, and a
    wrong one must be seen, not covered."""
    settings = evidence.settings
    if settings.username and settings.password:
        return Attempts(
            (Attempt("simple", Account.CONFIGURED),), (Reason.of("ldap.sign_in.configured", user=settings.username),)
        )
    reasons: list[Reason] = []
    ways: list[Attempt] = []
    for mechanism in _order(evidence, reasons):
        ways.extend(_ways(mechanism, evidence, reasons))
    plain = Mechanism.PLAIN in settings.mechanisms
    if not settings.mechanisms:
        # Without a word on mechanisms the other credentials come after Kerberos and certificate.
        ways.extend(_ways(Mechanism.PLAIN, evidence, reasons))
    return Attempts(tuple(dict.fromkeys(ways)), tuple(reasons), ask=(plain or not settings.mechanisms))


def _order(evidence: AuthenticationEvidence, reasons: list[Reason]) -> tuple[Mechanism, ...]:
    configured = evidence.settings.mechanisms
    if configured:
        reasons.append(Reason.of("ldap.sign_in.order_configured", mechanisms=" ".join(configured)))
        return configured
    named = tuple(
        dict.fromkeys(_OF_SERVERS[one.upper()] for one in evidence.server_mechanisms if one.upper() in _OF_SERVERS)
    )
    if named:
        reasons.append(Reason.of("ldap.sign_in.order_server", mechanisms=" ".join(named)))
    return named


def _ways(mechanism: Mechanism, evidence: AuthenticationEvidence, reasons: list[Reason]) -> list[Attempt]:
    match mechanism:
        case Mechanism.GSSAPI:
            if not evidence.has_ticket:
                reasons.append(Reason.of("ldap.sign_in.no_kerberos"))
                return []
            return [Attempt("gssapi")]
        case Mechanism.EXTERNAL:
            if not evidence.has_certificate:
                reasons.append(Reason.of("ldap.sign_in.no_certificate"))
                return []
            return [Attempt("external")]
        case Mechanism.PLAIN:
            return _plain(evidence, reasons)


def _plain(evidence: AuthenticationEvidence, reasons: list[Reason]) -> list[Attempt]:
    if evidence.has_typed:
        reasons.append(Reason.of("ldap.sign_in.typed"))
        return [Attempt("simple", Account.TYPED)]
    if evidence.settings.call_manager_credentials:
        if evidence.has_call_manager:
            reasons.append(Reason.of("ldap.sign_in.call_manager"))
            return [Attempt("simple", Account.CALL_MANAGER)]
        reasons.append(Reason.of("ldap.sign_in.no_call_manager"))
    reasons.append(Reason.of("ldap.sign_in.anonymous"))
    return [Attempt("anonymous")]


def bind_name(user: str, settings: DirectorySettings, account: Account) -> str:
    """The name to bind with: what is configured as it stands; a user id becomes ``user@LDAPUserDomain`` where that is
    set (the guide's ``CUCMUsername@LdapUserDomain``). A name that is whole already stays."""
    whole = "=" in user or "@" in user or "\\" in user
    if account is Account.CONFIGURED or whole or not settings.user_domain:
        return user
    return f"{user}@{settings.user_domain}"
