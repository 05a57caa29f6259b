"""Whether a server's certificate is good enough to go on, and if not, whether the person may decide; pure.

Three questions, each with its reasons: whose certificate is it (``match_identity``: the documented identity fields and
wildcard rule, after RFC 6125), how strict are we (``fips_mode``: the table of bootstrap and platform), and what follows
(``judge``: connect, ask, refuse). A certificate that was accepted once counts for that server only, and only as long as
the server shows the very same one.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

import idna

from ringback.rules.reasons import Reason
from ringback.rules.tls_modes import MINIMUM_RSA_BITS, TlsMode, mode_of


class Purpose(StrEnum):
    """What the connection is for; it decides which identity fields count."""

    XMPP = "xmpp"
    HTTP = "http"
    SIP = "sip"
    EDGE = "edge"


@dataclass(frozen=True, slots=True)
class PresentedNames:
    """The identity fields of a certificate, as they stand in it.

    ``xmpp`` and ``services`` are the other names xmppAddr (RFC 6120 section 13.7.1.4) and SRVName (RFC 4985), ``uris``
    the alternative names of that kind, ``common`` the common names of the subject.
    """

    dns: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    xmpp: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    uris: tuple[str, ...] = ()
    common: tuple[str, ...] = ()

    @property
    def alternative(self) -> tuple[str, ...]:
        """All alternative names that can name a server: where there is one, the common name does not count."""
        return (*self.xmpp, *self.services, *self.uris, *self.dns, *self.addresses)


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
    shown = presented.alternative or presented.common
    found = ", ".join(dict.fromkeys(shown)) or "-"
    wanted_names = " / ".join(dict.fromkeys(filter(None, (evidence.domain, evidence.host))))
    return IdentityMatch(False, "", "", (Reason.of("certificates.other_name", expected=wanted_names, found=found),))


def _fields(evidence: IdentityEvidence) -> list[tuple[str, tuple[str, ...], tuple[str, ...], bool]]:
    """The fields that count, in order: name, content, what is wanted there, whether ``*.`` may stand in it.

    SIP after RFC 5922 section 7: a SIP URI names the domain, and there are no wildcards. An edge is found by a record
    that anybody could forge, so its certificate must name the domain (in one of the ways that edges in use do), and the
    host's own name counts for nothing.
    """
    presented, host, domain = evidence.presented, evidence.host, evidence.domain
    wanted = tuple(filter(None, (domain, host)))
    if evidence.purpose is Purpose.EDGE:
        wanted = (domain, f"collab-edge.{domain}")
    wildcards = evidence.purpose not in (Purpose.SIP, Purpose.EDGE)
    fields: list[tuple[str, tuple[str, ...], tuple[str, ...], bool]] = []
    if evidence.purpose is Purpose.XMPP:
        fields.append(("xmpp_address", presented.xmpp, (domain,) if domain else (), False))
    if evidence.purpose in (Purpose.XMPP, Purpose.EDGE):
        service = (f"_{evidence.service}.{domain}",) if evidence.service and domain else ()
        fields.append(("service_name", presented.services, service, False))
    if evidence.purpose is Purpose.SIP:
        fields.append(("sip_uri", presented.uris, tuple(f"sip:{name}" for name in wanted), False))
    fields.append(("dns_name", presented.dns, wanted, wildcards))
    fields.append(("address", presented.addresses, tuple(filter(_is_address, wanted)), False))
    if not presented.alternative:
        fields.append(("common_name", presented.common, wanted, wildcards))
    return fields


def _same(presented: str, wanted: str, wildcards: bool) -> bool:
    """Names are compared without case; ``*`` stands for one whole label, the leftmost, and for no top-level domain."""
    have, want = comparable_host(presented), comparable_host(wanted)
    if not have or not want or "*" in want:
        return False
    if have == want:
        return True
    if not wildcards or not have.startswith("*.") or _is_address(want):
        return False
    first, dot, rest = want.partition(".")
    return bool(first and dot) and rest == have[2:] and "." in rest and "*" not in rest


def comparable_host(name: str) -> str:
    """A host or domain as it is compared: without case and the root's dot, letters beyond ASCII as certificates and TLS
    write them (RFC 5890), addresses in their canonical text."""
    name = name.removesuffix(".").lower()
    if not name.isascii():
        try:
            name = idna.encode(name, uts46=True).decode("ascii")
        except idna.IDNAError:
            return name
    try:
        return str(ipaddress.ip_address(name.strip("[]")))
    except ValueError:
        return name


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return name.replace(".", "").isdigit()
    return True


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

    @property
    def tls(self) -> TlsMode:
        """What TLS may use."""
        return mode_of(fips=self.fips, common_criteria=self.common_criteria)


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

Revocation = Literal["good", "revoked", "unreachable", "unknown", "not_named", "unasked"]
RevocationChecks = Literal["off", "soft", "named", "required"]
Behaviour = Literal["PromptPerSession", "RejectAndNotify"]
Outcome = Literal["connect", "ask", "refuse"]


@dataclass(frozen=True, slots=True)
class CertificateEvidence:
    """What is known of a certificate that a server showed.

    ``trusted``: its chain ends in a known authority. ``valid``: ``now``, ``later`` (not yet) or ``over``. ``key_bits``:
    of an RSA key, 0 for others. ``weak``: what else is too weak in its chain or the connection. ``revocation``: what
    its CRL or OCSP server said; ``not_named``: it names none; ``unknown``: the server knows nothing of it;
    ``unasked``: the chain is not trusted, so that nobody's answer could be (and no stranger's address is asked).
    ``checks``: ``soft`` refuses revoked ones only; ``named`` (as documented) also where a named server gives no answer;
    ``required`` also a certificate that names none. ``remembered``: the person accepted this very certificate for this
    server before.
    """

    server: str
    identity: IdentityMatch
    trusted: bool
    valid: Literal["now", "later", "over"] = "now"
    key_bits: int = 0
    weak: tuple[Reason, ...] = ()
    revocation: Revocation = "not_named"
    checks: RevocationChecks = "named"
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
    found = list(_revocation(evidence))
    if 0 < evidence.key_bits < MINIMUM_RSA_BITS:
        found.append(Reason.of("certificates.weak_key", server=evidence.server, bits=evidence.key_bits))
    return [*found, *(reason for reason in evidence.weak if reason not in found)]


def _revocation(evidence: CertificateEvidence) -> tuple[Reason, ...]:
    said, checks, server = evidence.revocation, evidence.checks, evidence.server
    if checks == "off" or said == "good":
        return ()
    if said == "revoked":
        return (Reason.of("certificates.revoked", server=server),)
    if checks == "soft" or (said in ("not_named", "unasked") and checks == "named"):
        return ()
    return (Reason.of(f"certificates.{_WITHOUT_ANSWER[said]}", server=server),)


_WITHOUT_ANSWER = {
    "unreachable": "revocation_unreachable",
    "unasked": "revocation_untrusted",
    "unknown": "revocation_unknown",
    "not_named": "revocation_not_named",
}


def _faults(evidence: CertificateEvidence) -> list[Reason]:
    found = []
    if not evidence.trusted:
        found.append(Reason.of("certificates.untrusted", server=evidence.server))
    if evidence.valid != "now":
        found.append(Reason.of(f"certificates.{'expired' if evidence.valid == 'over' else 'not_yet'}"))
    if not evidence.identity.matches:
        found += evidence.identity.reasons
    return found
