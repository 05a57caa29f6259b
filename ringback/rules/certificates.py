"""Whether a server's certificate is good enough to go on, and if not, whether the person may decide; pure.

Three questions, each with its reasons: whose certificate is it (``match_identity``: the documented identity fields and
wildcard rule, after RFC 6125), how strict are we (``fips_mode``: the table of bootstrap and platform), and what follows
(``judge``: connect, ask, refuse). A certificate that was accepted once counts for that server only, and only as long as
the server shows the very same one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from ringback.rules.reasons import Reason

MINIMUM_RSA_BITS = 2048
"""Shorter RSA keys are refused (common criteria mode demands it, and nobody needs them)."""


class Purpose(StrEnum):
    """What the connection is for; it decides which identity fields count."""

    XMPP = "xmpp"
    HTTP = "http"
    SIP = "sip"


@dataclass(frozen=True, slots=True)
class PresentedNames:
    """The identity fields of a certificate, as they stand in it."""

    dns: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    xmpp: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    common: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class IdentityEvidence:
    """Who was expected: ``host`` is the name or address that was connected to, ``domain`` the service's domain where
    the protocol has one (XMPP, SIP), ``service`` the label of its SRV record (``xmpp-client``)."""

    purpose: Purpose
    host: str
    presented: PresentedNames
    domain: str = ""
    service: str = ""


@dataclass(frozen=True, slots=True)
class IdentityMatch:
    """Whether one of the fields names the server: ``field`` and ``name`` that did, and why."""

    matches: bool
    field: str
    name: str
    reasons: tuple[Reason, ...]


def match_identity(evidence: IdentityEvidence) -> IdentityMatch:
    """Look through the fields in the documented order; the common name counts only where there is no alternative name
    of any kind (RFC 6125 section 6.4.4)."""
    presented = evidence.presented
    for field, names, wanted, wildcards in _fields(evidence):
        for name in names:
            if any(_same(name, one, wildcards) for one in wanted):
                return IdentityMatch(True, field, name, (Reason.of(f"certificates.matched.{field}", name=name),))
    shown = [*presented.xmpp, *presented.services, *presented.dns, *presented.addresses] or [*presented.common]
    found = ", ".join(dict.fromkeys(shown)) or "-"
    wanted_names = " / ".join(dict.fromkeys(filter(None, (evidence.domain, evidence.host))))
    return IdentityMatch(False, "", "", (Reason.of("certificates.other_name", expected=wanted_names, found=found),))


def _fields(evidence: IdentityEvidence) -> list[tuple[str, tuple[str, ...], tuple[str, ...], bool]]:
    """The fields that count, in order: name, content, what is wanted there, whether ``*.`` may stand in it."""
    presented, host, domain = evidence.presented, evidence.host, evidence.domain
    wanted = tuple(filter(None, (domain, host)))
    fields: list[tuple[str, tuple[str, ...], tuple[str, ...], bool]] = []
    if evidence.purpose is Purpose.XMPP:
        fields.append(("xmpp_address", presented.xmpp, (domain,) if domain else (), False))
        fields.append(("service_name", presented.services, (f"_{evidence.service}.{domain}",), False))
    fields.append(("dns_name", presented.dns, wanted, True))
    fields.append(("address", presented.addresses, (host,), False))
    if not (presented.dns or presented.addresses or presented.xmpp or presented.services):
        fields.append(("common_name", presented.common, wanted, True))
    return fields


def _same(presented: str, wanted: str, wildcards: bool) -> bool:
    """Names are compared without case; ``*`` stands for one whole label, the leftmost, and for no top-level domain."""
    if not wanted or not presented:
        return False
    have, want = presented.rstrip(".").lower(), wanted.rstrip(".").lower()
    if have == want:
        return True
    if not wildcards or not have.startswith("*.") or _is_address(want):
        return False
    _, dot, rest = want.partition(".")
    return bool(dot) and rest == have[2:] and "." in rest and "*" not in rest


def _is_address(name: str) -> bool:
    return ":" in name or name.replace(".", "").isdigit()


# --- how strict


@dataclass(frozen=True, slots=True)
class Strictness:
    """The modes that make the client manage certificates more strictly, and why they are on or off."""

    fips: bool
    common_criteria: bool
    reasons: tuple[Reason, ...]

    @property
    def person_may_accept(self) -> bool:
        """In either mode nobody accepts an untrusted certificate."""
        return not (self.fips or self.common_criteria)


def fips_mode(bootstrap: bool | None, *, platform: bool, common_criteria: bool = False) -> Strictness:
    """The table of bootstrap setting and platform: the bootstrap setting decides, the platform only where it is silent.

    ``bootstrap`` None: FIPS_MODE was not set. ``common_criteria``: CC_MODE.
    """
    source = "platform" if bootstrap is None else "bootstrap"
    fips = platform if bootstrap is None else bootstrap
    reasons = [Reason.of(f"certificates.fips.{'on' if fips else 'off'}.{source}")]
    if common_criteria:
        reasons.append(Reason.of("certificates.common_criteria"))
    return Strictness(fips, common_criteria, tuple(reasons))


# --- what follows

Revocation = Literal["good", "revoked", "unreachable", "unknown", "not_named"]
Behaviour = Literal["PromptPerSession", "RejectAndNotify"]
Outcome = Literal["connect", "ask", "refuse"]


@dataclass(frozen=True, slots=True)
class CertificateEvidence:
    """What is known of a certificate that a server showed.

    ``trusted``: its chain ends in a known authority. ``valid``: ``now``, ``later`` (not yet) or ``over``. ``key_bits``:
    of an RSA key, 0 for others. ``revocation``: what its CRL or OCSP server said; ``not_named``: it names none.
    ``remembered``: the person accepted this very certificate for this server before. ``checks_revocation``: a
    certificate without a revocation server is refused then as well.
    """

    server: str
    identity: IdentityMatch
    trusted: bool
    valid: Literal["now", "later", "over"] = "now"
    key_bits: int = 0
    revocation: Revocation = "not_named"
    checks_revocation: bool = False
    remembered: bool = False
    behaviour: Behaviour = "PromptPerSession"


@dataclass(frozen=True, slots=True)
class CertificateVerdict:
    """Whether to connect, to ask the person, or to refuse and say so; ``reasons`` in the order of the questions."""

    outcome: Outcome
    reasons: tuple[Reason, ...]


def judge(evidence: CertificateEvidence, strictness: Strictness) -> CertificateVerdict:
    """What follows from a certificate. Revoked ones and weak keys nobody can accept; a revocation server that does not
    answer means refused; everything else may be accepted once by the person where mode and policy allow it."""
    final = _never(evidence)
    if final:
        return CertificateVerdict("refuse", tuple(final))
    faults = _faults(evidence)
    if not faults:
        return CertificateVerdict("connect", evidence.identity.reasons)
    if strictness.person_may_accept:
        if evidence.remembered:
            return CertificateVerdict(
                "connect", (*faults, Reason.of("certificates.remembered", server=evidence.server))
            )
        if evidence.behaviour == "PromptPerSession":
            return CertificateVerdict("ask", tuple(faults))
        return CertificateVerdict("refuse", (*faults, Reason.of("certificates.policy_refuses")))
    return CertificateVerdict("refuse", (*faults, *strictness.reasons))


def _never(evidence: CertificateEvidence) -> list[Reason]:
    found = []
    if evidence.revocation == "revoked":
        found.append(Reason.of("certificates.revoked", server=evidence.server))
    if evidence.revocation == "unreachable" or (evidence.revocation == "unknown" and evidence.checks_revocation):
        found.append(Reason.of("certificates.revocation_unreachable", server=evidence.server))
    if evidence.revocation == "not_named" and evidence.checks_revocation:
        found.append(Reason.of("certificates.revocation_not_named", server=evidence.server))
    if 0 < evidence.key_bits < MINIMUM_RSA_BITS:
        found.append(Reason.of("certificates.weak_key", server=evidence.server, bits=evidence.key_bits))
    return found


def _faults(evidence: CertificateEvidence) -> list[Reason]:
    found = []
    if not evidence.trusted:
        found.append(Reason.of("certificates.untrusted", server=evidence.server))
    if evidence.valid != "now":
        found.append(Reason.of(f"certificates.{'expired' if evidence.valid == 'over' else 'not_yet'}"))
    if not evidence.identity.matches:
        found += evidence.identity.reasons
    return found
