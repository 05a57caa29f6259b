"""What discovery is told and what it finds, as value types that can be kept from one start to the next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ringback.client.edge import EdgeWay
from ringback.client.names import InternetProtocol
from ringback.client.trust import CertificateStopError, TrustJudge
from ringback.protocols.edge import EdgeSignIn
from ringback.rules.addresses import HostPort, UserAddress
from ringback.rules.authenticator import AuthenticatorDecision, CachedRecords, CloudAnswer, ManualServers
from ringback.rules.reachability import CertificateFacts
from ringback.rules.remote_access import LocationDecision, ServiceRecords
from ringback.rules.services_domain import Bootstrap, DomainDecision, DomainSource, Provision
from ringback.rules.trace import Entry, Fault

DOCUMENTED_CLOUD_URL = "https://loginp.webexconnect.com/cas/FederatedSSO"

OnEntry = Callable[[int, Entry], None]
"""Told of each line of the trace with its index; a line that was open comes again under its index when answered."""


@dataclass(frozen=True, slots=True)
class DiscoverySettings:
    """How to look. Times are in seconds.

    ``nameserver``: None asks the system's. ``cloud_url``: empty never asks the cloud. ``ca_file``: a PEM file with
    authorities to trust beside the system's. ``timeout`` is for the whole look-up (about 20 in the documents),
    ``question_timeout`` for one try of a DNS question, ``request_timeout`` for one HTTPS request; ``cloud_grace`` is
    how much longer than the name server, where that found records, the cloud may take. ``uds_port`` is where call
    managers usually listen: tried for a diagnosis where an SRV record names another port that is closed.
    ``internet_protocol`` is the only one over which servers are reached. ``judge``: says which servers may be trusted;
    None: those that the authorities stand behind.
    """

    nameserver: HostPort | None = None
    cloud_url: str = DOCUMENTED_CLOUD_URL
    ca_file: Path | None = None
    timeout: float = 20.0
    question_timeout: float = 2.0
    request_timeout: float = 5.0
    cloud_grace: float = 3.0
    uds_port: int = 8443
    judge: TrustJudge | None = None
    internet_protocol: InternetProtocol = "both"


@dataclass(frozen=True, slots=True)
class CachedDiscovery:
    """What an earlier start found, for the next one. ``services_source`` tells where the domain had come from."""

    services_domain: str
    services_source: DomainSource
    voice_domain: str = ""
    cloud: CloudAnswer = CloudAnswer.NOT_ASKED
    records: CachedRecords = field(default_factory=CachedRecords)


@dataclass(frozen=True, slots=True)
class Remembered:
    """All that can be known before anybody is asked.

    ``configuration_voice_domain`` is what the company's configuration of last time named, ``manual_voice_domain`` what
    the person entered.

    ``bootstrap`` is given at the first launch only (A10). ``known_domains`` are those of people who signed in here
    before: a mistyped one is recognised by them.
    """

    manual: ManualServers | None = None
    provision: Provision | None = None
    bootstrap: Bootstrap | None = None
    cache: CachedDiscovery | None = None
    configuration_voice_domain: str = ""
    manual_voice_domain: str = ""
    known_domains: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class HomeCluster:
    """A person's home cluster. ``base`` is ``https://host:port/cucm-uds``; ``user`` the user id there.

    ``servers`` are the cluster's nodes in order, ``asked`` the call manager that gave the answer.
    """

    user: str
    host: str
    base: str
    user_uri: str
    servers_uri: str
    servers: tuple[str, ...]
    asked: HostPort


@dataclass(frozen=True, slots=True)
class Discovery:
    """The result of one look-up.

    ``servers`` are those of the decision in the order to try. ``home`` is filled where a call manager was found and
    knows the person. ``fault`` says why there is no going on; ``certificate`` is the certificate that was not trusted,
    ``stop`` what the judge said of it. ``suggestion`` is a domain that was probably meant. ``remember`` is what to keep
    for the next start, or None. ``edge`` is the way to the servers where this computer is outside, and ``sign_in`` what
    the edge says of how people sign in; ``home`` is then what it said, to be looked up once the person has proved
    who they are.
    """

    address: UserAddress
    domains: DomainDecision
    location: LocationDecision
    decision: AuthenticatorDecision
    records: ServiceRecords
    servers: tuple[HostPort, ...]
    home: HomeCluster | None
    fault: Fault | None
    certificate: CertificateFacts | None
    suggestion: str
    entries: tuple[Entry, ...]
    seconds: float
    remember: CachedDiscovery | None
    stop: CertificateStopError | None = None
    edge: EdgeWay | None = None
    sign_in: EdgeSignIn | None = None

    @property
    def services_domain(self) -> str:
        """The services domain that was used."""
        return self.domains.services_domain

    @property
    def questions(self) -> int:
        """How many questions were asked."""
        return sum(1 for entry in self.entries if entry.kind == "asked")

    @property
    def decisions(self) -> int:
        """How many decisions were made."""
        return sum(1 for entry in self.entries if entry.kind == "decided")
