"""Who checks the password: the documented order of sources, as one decision with reasons.

Deployment options, "How the Client Gets an Authenticator": manual settings, a cached cloud domain, the cloud look-up,
cached records, SRV records, the bootstrap file; else the person chooses. Planning guide, chapter 5, adds the exclusions
and what a record means: ``_cisco-uds`` leaves the choice to the service profile, ``_cuplogin`` names the presence
service, ``_collab-edge`` leads to the service profile through the edge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from ringback.rules.addresses import HostPort
from ringback.rules.reasons import Reason
from ringback.rules.remote_access import ServiceRecords, usable
from ringback.rules.services_domain import Bootstrap, Excluded
from ringback.rules.srv import SrvRecord


class Authenticator(StrEnum):
    """Who checks the password. ``profile``: the service profile will say, after the call manager knows the person."""

    PROFILE = "profile"
    PRESENCE = "presence"
    CALL_MANAGER = "callmanager"
    MESSENGER = "messenger"
    XMPP = "xmpp"
    ASK = "ask"


class AuthenticatorSource(StrEnum):
    """The sources in the documented order; ``person``: none of them knew."""

    MANUAL = "manual"
    CACHED_CLOUD = "cached-cloud"
    CLOUD = "cloud"
    CACHED_RECORDS = "cached-records"
    RECORDS = "records"
    BOOTSTRAP = "bootstrap"
    PERSON = "person"


class CloudAnswer(StrEnum):
    """What the cloud look-up said of the services domain."""

    CLOUD = "cloud"
    CLOUD_WITH_SSO = "cloud-with-sso"
    NOT_CLOUD = "not-cloud"
    NO_ANSWER = "no-answer"
    NOT_ASKED = "not-asked"


@dataclass(frozen=True, slots=True)
class ManualServers:
    """Servers entered by hand (A9). ``account`` is what the person chose; ``xmpp`` is any XMPP server. ``edge``: the
    company is reached through it, whatever the name server says."""

    account: Authenticator
    presence: HostPort | None = None
    call_manager: HostPort | None = None
    configuration: HostPort | None = None
    cloud_url: str = ""
    edge: HostPort | None = None

    @property
    def servers(self) -> tuple[HostPort, ...]:
        """The servers of the chosen account, in the order to try; where an edge was entered, it leads to all others."""
        if self.edge is not None:
            return (self.edge,)
        if self.account in (Authenticator.PRESENCE, Authenticator.XMPP):
            first = self.presence
        else:
            first = self.call_manager or self.configuration
        return (first,) if first is not None else ()


@dataclass(frozen=True, slots=True)
class CachedRecords:
    """SRV records that an earlier start found (usable ones only)."""

    uds: tuple[SrvRecord, ...] = ()
    cuplogin: tuple[SrvRecord, ...] = ()
    edge: tuple[SrvRecord, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.uds or self.cuplogin or self.edge)


@dataclass(frozen=True, slots=True)
class AuthenticatorEvidence:
    """All that was found. ``records`` is None where the name server was not asked (the cache sufficed)."""

    manual: ManualServers | None = None
    cached_cloud: CloudAnswer = CloudAnswer.NOT_ASKED
    cloud: CloudAnswer = CloudAnswer.NOT_ASKED
    cached_records: CachedRecords = CachedRecords()
    records: ServiceRecords | None = None
    bootstrap: Bootstrap | None = None
    excluded: frozenset[Excluded] = frozenset()


@dataclass(frozen=True, slots=True)
class AuthenticatorDecision:
    """The choice. ``service`` is the SRV service it rests on (``_cisco-uds``, ...) or empty.

    ``records`` are those of that service, to be ordered and tried; ``servers`` are servers given outright.
    ``reasons`` has one line for each source looked at, in order: passed over or taken.
    """

    authenticator: Authenticator
    source: AuthenticatorSource
    reasons: tuple[Reason, ...]
    service: str = ""
    records: tuple[SrvRecord, ...] = ()
    servers: tuple[HostPort, ...] = ()
    single_sign_on: bool = False

    @property
    def through_edge(self) -> bool:
        """Whether the servers are reached from outside, through the edge."""
        return self.service == "_collab-edge"


UDS, CUPLOGIN, EDGE = "_cisco-uds", "_cuplogin", "_collab-edge"
_BY_SERVICE = {UDS: Authenticator.PROFILE, CUPLOGIN: Authenticator.PRESENCE, EDGE: Authenticator.PROFILE}
_EXCLUDED_SERVICE = {UDS: Excluded.UDS, CUPLOGIN: Excluded.CUPLOGIN}
_CLOUD = (CloudAnswer.CLOUD, CloudAnswer.CLOUD_WITH_SSO)

_Step = AuthenticatorDecision | Reason


def decide_authenticator(evidence: AuthenticatorEvidence) -> AuthenticatorDecision:
    """Go through the sources in the documented order; the first that knows decides."""
    passed: list[Reason] = []
    for look in _ORDER:
        for step in look(evidence):
            if isinstance(step, Reason):
                passed.append(step)
                continue
            return AuthenticatorDecision(
                step.authenticator, step.source, (*passed, *step.reasons),
                step.service, step.records, step.servers, step.single_sign_on,
            )  # fmt: skip
    passed.append(Reason.of("authenticator.person.asked"))
    return AuthenticatorDecision(Authenticator.ASK, AuthenticatorSource.PERSON, tuple(passed))


def _manual(evidence: AuthenticatorEvidence) -> Iterator[_Step]:
    manual = evidence.manual
    if manual is None:
        yield Reason.of("authenticator.manual.none")
        return
    reason = Reason.of(
        "authenticator.manual.taken", account=manual.account, server=", ".join(map(str, manual.servers)) or "-"
    )
    if manual.edge is not None:
        by_edge = Reason.of("authenticator.manual.edge", server=manual.edge)
        yield AuthenticatorDecision(
            Authenticator.PROFILE, AuthenticatorSource.MANUAL, (by_edge,), EDGE, servers=manual.servers
        )
        return
    yield AuthenticatorDecision(manual.account, AuthenticatorSource.MANUAL, (reason,), servers=manual.servers)


def _cached_cloud(evidence: AuthenticatorEvidence) -> Iterator[_Step]:
    if Excluded.CLOUD in evidence.excluded:
        return
    if evidence.cached_cloud in _CLOUD:
        yield _cloud_decision(AuthenticatorSource.CACHED_CLOUD, evidence.cached_cloud)
    else:
        yield Reason.of("authenticator.cached-cloud.none")


def _cloud(evidence: AuthenticatorEvidence) -> Iterator[_Step]:
    if Excluded.CLOUD in evidence.excluded:
        yield Reason.of("authenticator.cloud.excluded")
    elif evidence.cloud in _CLOUD:
        yield _cloud_decision(AuthenticatorSource.CLOUD, evidence.cloud)
    else:
        yield Reason.of(f"authenticator.cloud.{evidence.cloud}")


def _cloud_decision(source: AuthenticatorSource, answer: CloudAnswer) -> AuthenticatorDecision:
    reason = Reason.of(f"authenticator.{source}.taken")
    with_sso = answer is CloudAnswer.CLOUD_WITH_SSO
    return AuthenticatorDecision(Authenticator.MESSENGER, source, (reason,), single_sign_on=with_sso)


def _cached_records(evidence: AuthenticatorEvidence) -> Iterator[_Step]:
    kept = evidence.cached_records
    for service, records in ((UDS, kept.uds), (CUPLOGIN, kept.cuplogin), (EDGE, kept.edge)):
        if records and _EXCLUDED_SERVICE.get(service) not in evidence.excluded:
            reason = Reason.of("authenticator.cached-records.taken", service=service)
            yield AuthenticatorDecision(
                _BY_SERVICE[service], AuthenticatorSource.CACHED_RECORDS, (reason,), service, records
            )
    yield Reason.of("authenticator.cached-records.none")


def _records(evidence: AuthenticatorEvidence) -> Iterator[_Step]:
    asked = evidence.records
    if asked is None:
        yield Reason.of("authenticator.records.not-asked")
        return
    for service, answer in ((UDS, asked.uds), (CUPLOGIN, asked.cuplogin), (EDGE, asked.edge)):
        if _EXCLUDED_SERVICE.get(service) in evidence.excluded:
            yield Reason.of("authenticator.records.excluded", service=service)
        elif answer is None:
            yield Reason.of("authenticator.records.service-not-asked", service=service)
        elif found := usable(answer):
            reason = Reason.of(f"authenticator.records.{service.removeprefix('_')}", service=service)
            yield AuthenticatorDecision(_BY_SERVICE[service], AuthenticatorSource.RECORDS, (reason,), service, found)
        else:
            yield Reason.of(f"authenticator.records.{answer.outcome}", service=service)


def _bootstrap(evidence: AuthenticatorEvidence) -> Iterator[_Step]:
    bootstrap = evidence.bootstrap
    if bootstrap is None:
        yield Reason.of("authenticator.bootstrap.none")
    elif not bootstrap.authenticator:
        yield Reason.of("authenticator.bootstrap.silent")
    else:
        chosen, server = {
            "CUP": (Authenticator.PRESENCE, bootstrap.cup_address),
            "CUCM": (Authenticator.CALL_MANAGER, bootstrap.ccmcip or bootstrap.tftp),
            "WEBEX": (Authenticator.MESSENGER, ""),
        }[bootstrap.authenticator]
        reason = Reason.of("authenticator.bootstrap.taken", authenticator=bootstrap.authenticator, server=server or "-")
        yield AuthenticatorDecision(
            chosen,
            AuthenticatorSource.BOOTSTRAP,
            (reason,),
            servers=_given(server),
            single_sign_on=bool(bootstrap.sso_org_domain),
        )


def _given(server: str) -> tuple[HostPort, ...]:
    """A server named by a switch, which may carry no port: the documented one of all three services."""
    try:
        return (HostPort.parse(server, 8443),) if server else ()
    except ValueError:
        return ()


_ORDER: tuple[Callable[[AuthenticatorEvidence], Iterator[_Step]], ...] = (
    _manual, _cached_cloud, _cloud, _cached_records, _records, _bootstrap,
)  # fmt: skip


class ProductType(StrEnum):
    """The product type of the instant messaging and presence service in a service profile."""

    ON_PREMISES = "on-premises"
    CLOUD = "cloud"
    NOT_SET = "not-set"


def decide_by_profile(product: ProductType, discovered: AuthenticatorDecision) -> AuthenticatorDecision:
    """The authenticator that a service profile names (planning guide, "Client Connects to Internal Services").

    A profile never overrules a cloud domain that was already discovered, nor servers by hand.
    """
    if discovered.authenticator is not Authenticator.PROFILE:
        return discovered
    chosen = {
        ProductType.ON_PREMISES: Authenticator.PRESENCE,
        ProductType.CLOUD: Authenticator.MESSENGER,
        ProductType.NOT_SET: Authenticator.CALL_MANAGER,
    }[product]
    return AuthenticatorDecision(
        chosen, discovered.source, (*discovered.reasons, Reason.of(f"authenticator.profile.{product}")),
        discovered.service, discovered.records, discovered.servers, discovered.single_sign_on,
    )  # fmt: skip
