"""Which domain's records are looked for (planning guide, chapter 5, "How the Client Gets a Services Domain").

Sources: the typed address, a configuration URL (``ciscojabber://provision?...``), the bootstrap file that an installer
wrote, and what an earlier start kept. Where the domain of people's addresses is not the one with the records, the URL
or the bootstrap file names it (chapter 5, "Service Discovery using Jabber IDs"), so both come before the typed domain.
The voice services domain, for hybrid deployments, is the domain of the SRV records where that differs from the one
that the cloud knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import parse_qsl, urlsplit

from ringback.rules.addresses import AddressError, UserAddress, parse_domain
from ringback.rules.reasons import Reason

_URL_LIMIT = 4096  # characters; no real link comes near
_BOOTSTRAP_LIMIT = 65536
_SCHEMES = ("ciscojabber", "ringback")
_URL_KEYS = frozenset(
    ("servicesdomain", "voiceservicesdomain", "servicediscoveryexcludedservices", "servicesdomainssoemailprompt")
)


class ProvisionError(ValueError):
    """A configuration URL or bootstrap file can't be read; the message says why in words for the person."""


class Excluded(StrEnum):
    """A kind of look-up that the deployment does not want (``ServiceDiscoveryExcludedServices``)."""

    CLOUD = "WEBEX"
    UDS = "CUCM"
    CUPLOGIN = "CUP"


class DomainSource(StrEnum):
    """Where a domain came from."""

    TYPED = "typed"
    MANUAL = "manual"
    URL = "url"
    BOOTSTRAP = "bootstrap"
    CACHE = "cache"
    CONFIGURATION = "configuration"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Provision:
    """What a configuration URL or managed-app configuration says. ``others`` are further keys, as written."""

    services_domain: str = ""
    voice_services_domain: str = ""
    excluded: frozenset[Excluded] = frozenset()
    sso_email_prompt: bool | None = None
    others: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """What installer switches left for the first launch (deployment options, "Installer Switches").

    ``authenticator`` is CUP, CUCM, WEBEX or empty. ``others`` are further switches such as FIPS_MODE, as written.
    """

    authenticator: str = ""
    cup_address: str = ""
    tftp: str = ""
    cti: str = ""
    ccmcip: str = ""
    product_mode: str = ""
    services_domain: str = ""
    voice_services_domain: str = ""
    excluded: frozenset[Excluded] = frozenset()
    sso_org_domain: str = ""
    tftp_file_name: str = ""
    others: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DomainEvidence:
    """All that can name a domain. ``cached_source`` tells where the cached services domain had come from.

    ``manual_voice_domain`` is what the person entered among the connection settings.
    """

    typed: UserAddress | None = None
    provision: Provision | None = None
    bootstrap: Bootstrap | None = None
    cached_domain: str = ""
    cached_source: DomainSource = DomainSource.NONE
    cached_voice_domain: str = ""
    configuration_voice_domain: str = ""
    manual_voice_domain: str = ""


@dataclass(frozen=True, slots=True)
class DomainDecision:
    """The services domain (empty: the person must type an address), the domain of the SRV records, what not to ask."""

    services_domain: str
    source: DomainSource
    voice_domain: str
    voice_source: DomainSource
    excluded: frozenset[Excluded]
    reasons: tuple[Reason, ...]


def decide_domains(evidence: DomainEvidence) -> DomainDecision:
    """Choose the domains, with reasons."""
    domain, source = _services_domain(evidence)
    reasons = [Reason.of(f"domain.services.{source}", domain=domain)]
    voice, voice_source = _voice_domain(evidence, domain)
    if voice and voice != domain:
        reasons.append(Reason.of(f"domain.voice.{voice_source}", domain=voice))
    else:
        voice, voice_source = domain, source
    excluded = _excluded(evidence)
    if len(excluded) == len(Excluded):
        reasons.append(Reason.of("domain.excluded.all"))
    elif excluded:
        reasons.append(Reason.of("domain.excluded.some", services=", ".join(sorted(excluded))))
    return DomainDecision(domain, source, voice, voice_source, excluded, tuple(reasons))


def _services_domain(evidence: DomainEvidence) -> tuple[str, DomainSource]:
    if evidence.provision is not None and evidence.provision.services_domain:
        return evidence.provision.services_domain, DomainSource.URL
    if evidence.bootstrap is not None and evidence.bootstrap.services_domain:
        return evidence.bootstrap.services_domain, DomainSource.BOOTSTRAP
    kept = evidence.cached_domain
    if kept and evidence.cached_source in (DomainSource.URL, DomainSource.BOOTSTRAP):
        return kept, DomainSource.CACHE
    if evidence.typed is not None:
        return evidence.typed.domain, DomainSource.TYPED
    if kept:
        return kept, DomainSource.CACHE
    return "", DomainSource.NONE


def _voice_domain(evidence: DomainEvidence, domain: str) -> tuple[str, DomainSource]:
    if evidence.manual_voice_domain:
        return evidence.manual_voice_domain, DomainSource.MANUAL
    if evidence.provision is not None and evidence.provision.voice_services_domain:
        return evidence.provision.voice_services_domain, DomainSource.URL
    if evidence.bootstrap is not None and evidence.bootstrap.voice_services_domain:
        return evidence.bootstrap.voice_services_domain, DomainSource.BOOTSTRAP
    if evidence.configuration_voice_domain:
        return evidence.configuration_voice_domain, DomainSource.CONFIGURATION
    if evidence.cached_voice_domain and evidence.cached_domain == domain:  # else it belongs to another company
        return evidence.cached_voice_domain, DomainSource.CACHE
    return "", DomainSource.NONE


def _excluded(evidence: DomainEvidence) -> frozenset[Excluded]:
    """A URL speaks for the person's own device and comes before the installer's switches."""
    if evidence.provision is not None and evidence.provision.excluded:
        return evidence.provision.excluded
    return evidence.bootstrap.excluded if evidence.bootstrap is not None else frozenset()


def parse_configuration_url(text: str) -> Provision:
    """Read ``ciscojabber://provision?ServicesDomain=...``. Raises ProvisionError.

    Keys are matched without regard to case: the documents call them case sensitive and then write
    ``servicesdomain`` in their own examples.
    """
    link = "".join(text.split()) if len(text) <= _URL_LIMIT else ""
    if not link:
        raise ProvisionError("The set-up link is empty or too long")
    try:
        parts = urlsplit(link)
        pairs = parse_qsl(parts.query, keep_blank_values=True, max_num_fields=100)
    except ValueError as error:
        raise ProvisionError("The set-up link can't be read") from error
    if parts.scheme.lower() not in _SCHEMES or (parts.netloc or parts.path.strip("/")).lower() != "provision":
        raise ProvisionError("A set-up link begins with ciscojabber://provision?")
    return provision_from(dict(pairs))


def provision_from(values: Mapping[str, str]) -> Provision:
    """The same from keys and values of a managed-app configuration (EMM). Raises ProvisionError."""
    lower = {key.lower(): value.strip() for key, value in values.items()}
    prompt = lower.get("servicesdomainssoemailprompt", "").upper()
    if prompt not in ("", "ON", "OFF"):
        raise ProvisionError(f"ServicesDomainSsoEmailPrompt is {prompt}; it can be ON or OFF")
    return Provision(
        _domain("ServicesDomain", lower.get("servicesdomain", "")),
        _domain("VoiceServicesDomain", lower.get("voiceservicesdomain", "")),
        _read_excluded(lower.get("servicediscoveryexcludedservices", "")),
        {"ON": True, "OFF": False}.get(prompt),
        {key: value for key, value in values.items() if key.lower() not in _URL_KEYS},
    )


def parse_bootstrap(text: str) -> Bootstrap:
    """Read a bootstrap file: lines of ``KEY=value``, ``KEY: value`` or comments after ``#``. Raises ProvisionError."""
    if len(text) > _BOOTSTRAP_LIMIT:
        raise ProvisionError("The bootstrap file is too long")
    values: dict[str, str] = {}
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith(("#", ";")):
            continue
        key, sign, value = line.partition("=")
        if not sign:
            key, sign, value = line.partition(":")
        if not sign or not key.strip():
            raise ProvisionError(f"Line {number} of the bootstrap file is not KEY=value")
        values[key.strip().upper()] = value.strip().strip('"')
    authenticator = values.pop("AUTHENTICATOR", "").upper()
    if authenticator not in ("", "CUP", "CUCM", "WEBEX"):
        raise ProvisionError(f"AUTHENTICATOR is {authenticator}; it can be CUP, CUCM or WEBEX")
    return Bootstrap(
        authenticator,
        values.pop("CUP_ADDRESS", ""),
        values.pop("TFTP", ""),
        values.pop("CTI", ""),
        values.pop("CCMCIP", ""),
        values.pop("PRODUCT_MODE", "").lower(),
        _domain("SERVICES_DOMAIN", values.pop("SERVICES_DOMAIN", "")),
        _domain("VOICE_SERVICES_DOMAIN", values.pop("VOICE_SERVICES_DOMAIN", "")),
        _read_excluded(values.pop("EXCLUDED_SERVICES", "")),
        _domain("SSO_ORG_DOMAIN", values.pop("SSO_ORG_DOMAIN", "")),
        values.pop("TFTP_FILE_NAME", ""),
        values,
    )


def _domain(key: str, value: str) -> str:
    try:
        return parse_domain(value) if value else ""
    except AddressError as error:
        raise ProvisionError(f"{key}: {error}") from error


def _read_excluded(value: str) -> frozenset[Excluded]:
    words = {word.strip().upper() for word in value.split(",") if word.strip()}
    if unknown := words - {each.value for each in Excluded}:
        raise ProvisionError(f"{min(unknown)} is no service that can be excluded; WEBEX, CUCM and CUP can")
    return frozenset(Excluded(word) for word in words)
