"""Where the company directory is: what is configured, else the global catalogue's records, else those of the domain.

Pure: ``questions`` says which records to look up, ``choose`` what follows from the answers. Source: planning guide,
chapter 6, "How Cisco Directory Integration Works with LDAP". The guide asks Windows for forest and site; here the
variables of the environment stand for both everywhere (chosen), and a site may be configured (LdapSiteName, chosen).
The guide writes the sites of the domain's record without their underscore; the record's true name has it (MS-ADTS
6.3.2.3), as it stands in the global catalogue's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ringback.rules.addresses import AddressError, parse_domain
from ringback.rules.directory_settings import DirectorySettings
from ringback.rules.reasons import Reason
from ringback.rules.srv import NameAnswer, order_srv

Catalogue = Literal["global", "domain", "named"]
FOREST_VARIABLE = "DNSFORESTNAME"
DOMAIN_VARIABLE = "USERDNSDOMAIN"
SITE_VARIABLE = "DNSSITENAME"
LDAP, LDAPS = 389, 636
GLOBAL, GLOBAL_SECURE = 3268, 3269
_SECURE_PORT = {LDAP: LDAPS, GLOBAL: GLOBAL_SECURE}
_CLEAR_PORT = {LDAPS: LDAP, GLOBAL_SECURE: GLOBAL}
_MOST_SERVERS = 8


@dataclass(frozen=True, slots=True)
class DirectoryEvidence:
    """``environment``: variables of the computer; ``address_domain``: of the address that the person signed in with."""

    settings: DirectorySettings
    environment: Mapping[str, str] = field(default_factory=dict)
    address_domain: str = ""


@dataclass(frozen=True, slots=True)
class DirectoryQuestion:
    """An SRV record to look up; ``reason`` says where its domain comes from."""

    name: str
    catalogue: Catalogue
    reason: Reason


@dataclass(frozen=True, slots=True)
class DirectoryServer:
    """A server to try. ``secure``: TLS from the first octet, else StartTLS."""

    host: str
    port: int
    secure: bool
    catalogue: Catalogue


@dataclass(frozen=True, slots=True)
class DirectoryChoice:
    """The servers in the order to try, and why; ``question`` is the record that named them, or empty."""

    servers: tuple[DirectoryServer, ...]
    reasons: tuple[Reason, ...]
    question: str = ""


def questions(evidence: DirectoryEvidence) -> tuple[DirectoryQuestion, ...]:
    """The records to look up, in order; none where servers are configured."""
    settings = evidence.settings
    if settings.servers:
        return ()
    site, site_reason = _site(evidence)
    found: list[DirectoryQuestion] = []
    sources: tuple[tuple[Catalogue, str, tuple[tuple[str, Reason], ...]], ...] = (
        ("global", "_gc._tcp", _forest(evidence)),
        ("domain", "_ldap._tcp", _domain(evidence)),
    )
    for catalogue, label, candidates in sources:
        domain, reason = _first(candidates)
        if not domain:
            continue
        if site and site_reason is not None:
            found.append(DirectoryQuestion(f"{label}.{site}._sites.{domain}", catalogue, site_reason))
        found.append(DirectoryQuestion(f"{label}.{domain}", catalogue, reason))
    return tuple(found)


def choose(evidence: DirectoryEvidence, answers: Mapping[str, NameAnswer], pick: float = 0.0) -> DirectoryChoice:
    """The servers. ``answers`` by the names of the questions; those not asked may be missing. ``pick`` in [0, 1) orders
    records of the same priority by weight (RFC 2782)."""
    settings = evidence.settings
    if settings.servers:
        servers = tuple(
            _server(one.host, one.port or LDAP, settings, "named", at_port=bool(one.port)) for one in settings.servers
        )
        named = ", ".join(one.host for one in settings.servers)
        return DirectoryChoice(servers, (Reason.of("ldap.discovery.named", servers=named),))
    reasons: list[Reason] = []
    asked = questions(evidence)
    if not any(one.catalogue == "global" for one in asked):
        reasons.append(Reason.of("ldap.discovery.no_forest"))
    for question in asked:
        answer = answers.get(question.name)
        if answer is None:
            continue
        reasons.append(question.reason)
        records = [record for record in order_srv(answer.srv, lambda: pick) if record.target]
        if records:
            reasons.append(Reason.of("ldap.discovery.found", name=question.name, count=len(records)))
            servers = tuple(
                _server(record.target, record.port, settings, question.catalogue) for record in records[:_MOST_SERVERS]
            )
            return DirectoryChoice(tuple(dict.fromkeys(servers)), tuple(reasons), question.name)
        reasons.append(Reason.of("ldap.discovery.nothing", name=question.name, outcome=answer.outcome.value))
    reasons.append(Reason.of("ldap.discovery.none"))
    return DirectoryChoice((), tuple(reasons))


def secure_form(server: DirectoryServer) -> DirectoryServer | None:
    """The same server with TLS from the first octet, for one that does no StartTLS; None where there is none."""
    port = _SECURE_PORT.get(server.port)
    return None if server.secure or port is None else DirectoryServer(server.host, port, True, server.catalogue)


def clear_form(server: DirectoryServer) -> DirectoryServer:
    """The same server at the port where a connection begins without TLS."""
    return DirectoryServer(server.host, _CLEAR_PORT.get(server.port, server.port), False, server.catalogue)


def _server(
    host: str, port: int, settings: DirectorySettings, catalogue: Catalogue, *, at_port: bool = False
) -> DirectoryServer:
    """UseSSL means TLS from the first octet, at the port for that unless another one is configured; the ports for it
    mean it by themselves."""
    if port in _CLEAR_PORT:
        return DirectoryServer(host, port, True, catalogue)
    if not settings.use_ssl:
        return DirectoryServer(host, port, False, catalogue)
    if at_port and port not in _SECURE_PORT:
        return DirectoryServer(host, port, True, catalogue)
    return DirectoryServer(host, _SECURE_PORT.get(port, port), True, catalogue)


def _first(candidates: tuple[tuple[str, Reason], ...]) -> tuple[str, Reason]:
    for text, reason in candidates:
        try:
            return parse_domain(text.strip().rstrip(".")), reason
        except AddressError:
            continue
    return "", Reason.of("ldap.discovery.none")


def _forest(evidence: DirectoryEvidence) -> tuple[tuple[str, Reason], ...]:
    variable = _variable(evidence, FOREST_VARIABLE)
    configured = evidence.settings.forest_domain
    return (
        (variable, Reason.of("ldap.discovery.forest.environment", name=FOREST_VARIABLE, domain=variable)),
        (configured, Reason.of("ldap.discovery.forest.configured", domain=configured)),
    )


def _domain(evidence: DirectoryEvidence) -> tuple[tuple[str, Reason], ...]:
    variable = _variable(evidence, DOMAIN_VARIABLE)
    configured, address = evidence.settings.user_domain, evidence.address_domain
    return (
        (variable, Reason.of("ldap.discovery.domain.environment", name=DOMAIN_VARIABLE, domain=variable)),
        (configured, Reason.of("ldap.discovery.domain.configured", domain=configured)),
        (address, Reason.of("ldap.discovery.domain.address", domain=address)),
    )


def _site(evidence: DirectoryEvidence) -> tuple[str, Reason | None]:
    variable = _variable(evidence, SITE_VARIABLE)
    for text, reason in (
        (variable, "ldap.discovery.site.environment"),
        (evidence.settings.site, "ldap.discovery.site"),
    ):
        label = text.strip()
        if label and len(label) <= 63 and label.replace("-", "").replace("_", "").isalnum():
            return label.lower(), Reason.of(reason, site=label)
    return "", None


def _variable(evidence: DirectoryEvidence, name: str) -> str:
    return evidence.environment.get(name, "").strip()
