"""One look-up from a typed address to the servers of the person: evidence, decision, home cluster, fault.

The order is that of the documents: domains, then the sources of the authenticator, then the home cluster. What was kept
from an earlier start saves the questions; where the servers kept can't be reached any more, everything is asked anew.
"""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import Callable
from dataclasses import dataclass, replace

from ringback.client.discovery.evidence import Gatherer
from ringback.client.discovery.home import Candidate, HomeFinder, HomeResult
from ringback.client.discovery.ledger import Ledger
from ringback.client.discovery.locating import locate
from ringback.client.discovery.model import CachedDiscovery, Discovery, DiscoverySettings, OnEntry, Remembered
from ringback.client.discovery.outside import Entrance, EntranceFinder
from ringback.client.names import ChosenNames
from ringback.client.trust import CertificateStopError, Place, TrustJudge
from ringback.net.fetch import Fetcher
from ringback.rules import faults
from ringback.rules.addresses import HostPort, UserAddress
from ringback.rules.authenticator import (
    Authenticator,
    AuthenticatorDecision,
    AuthenticatorEvidence,
    AuthenticatorSource,
    CachedRecords,
    CloudAnswer,
    decide_authenticator,
)
from ringback.rules.reasons import Reason
from ringback.rules.remote_access import Location, LocationDecision, ServiceRecords, decide_location, usable
from ringback.rules.services_domain import DomainDecision, DomainEvidence, DomainSource, Excluded, decide_domains
from ringback.rules.srv import order_srv
from ringback.rules.trace import Fault, Kind, Outcome
from ringback.rules.typos import closest_domain

_NO_LOCATION = LocationDecision(Location.UNKNOWN, ())


@dataclass(frozen=True, slots=True)
class _Choice:
    """The decision with the evidence behind it."""

    records: ServiceRecords
    cloud: CloudAnswer
    location: LocationDecision
    decision: AuthenticatorDecision
    candidates: tuple[Candidate, ...]

    @property
    def servers(self) -> tuple[HostPort, ...]:
        return tuple(candidate.server for candidate in self.candidates)


class _Attempt:
    """One look-up; ``run`` is called once."""

    def __init__(
        self, address: UserAddress, settings: DiscoverySettings, remembered: Remembered, ledger: Ledger,
        fetcher: Fetcher, pick: Callable[[], float],
    ) -> None:  # fmt: skip
        self._names = fetcher.names
        self._entrance: Entrance | None = None
        self._address = address
        self._settings = settings
        self._remembered = remembered
        self._ledger = ledger
        self._pick = pick
        self._gatherer = Gatherer(fetcher, settings, ledger)
        self._finder = HomeFinder(fetcher, ledger, settings.uds_port)

    async def run(self) -> Discovery:
        self._ledger.note(Kind.TYPED, Reason.of("trace.typed", address=self._address), answer=str(self._address))
        domains = self._decide_domains()
        choice = await self._choose(domains, self._remembered.cache)
        cached = choice.decision.source is AuthenticatorSource.CACHED_RECORDS
        result = await (self._find_home_here if cached else self._find_home)(domains, choice)
        if cached and (result is None or result.unreachable):
            text = Reason.of("trace.decided.moved" if result is None else "trace.decided.cache-stale")
            self._ledger.note(Kind.DECIDED, text)
            choice, self._entrance = await self._choose(domains, None), None
            result = await self._find_home(domains, choice)
        result = result or HomeResult()
        fault, suggestion = result.fault, ""
        if fault is None:
            fault, suggestion = await self._other_fault(domains, choice)
        return Discovery(
            address=self._address,
            domains=domains,
            location=choice.location,
            decision=choice.decision,
            records=choice.records,
            servers=choice.servers,
            home=result.home,
            fault=fault,
            certificate=result.certificate,
            suggestion=suggestion,
            entries=self._ledger.entries,
            seconds=self._ledger.seconds,
            remember=self._to_remember(domains, choice) if fault is None else None,
            stop=self._entrance.stop if self._entrance is not None else None,
            edge=self._entrance.way if self._entrance is not None and fault is None else None,
            sign_in=self._entrance.sign_in if self._entrance is not None else None,
        )

    def _decide_domains(self) -> DomainDecision:
        kept, cache = self._remembered, self._remembered.cache
        domains = decide_domains(
            DomainEvidence(
                typed=self._address,
                provision=kept.provision,
                bootstrap=kept.bootstrap,
                cached_domain=cache.services_domain if cache is not None else "",
                cached_source=cache.services_source if cache is not None else DomainSource.NONE,
                cached_voice_domain=cache.voice_domain if cache is not None else "",
                configuration_voice_domain=kept.configuration_voice_domain,
                manual_voice_domain=kept.manual_voice_domain,
            )
        )
        both = domains.voice_domain != domains.services_domain
        text = Reason.of(
            "trace.decided.domains" if both else "trace.decided.domain",
            domain=domains.services_domain,
            voice=domains.voice_domain,
        )
        self._ledger.note(Kind.DECIDED, text, reasons=domains.reasons)
        return domains

    async def _choose(self, domains: DomainDecision, cache: CachedDiscovery | None) -> _Choice:
        kept = self._remembered
        if cache is not None and (cache.services_domain, cache.voice_domain or domains.voice_domain) != (
            domains.services_domain,
            domains.voice_domain,
        ):
            cache = None  # what was kept belongs to another company, or to the records of another domain
        evidence = AuthenticatorEvidence(
            manual=kept.manual,
            cached_cloud=cache.cloud if cache is not None else CloudAnswer.NOT_ASKED,
            cached_records=cache.records if cache is not None else CachedRecords(),
            bootstrap=kept.bootstrap,
            excluded=domains.excluded,
        )
        records: ServiceRecords | None = None
        cloud = evidence.cached_cloud
        if not _decided_already(evidence) and len(domains.excluded) < len(Excluded):
            records, cloud = await self._gatherer.gather(domains)
        found = records or ServiceRecords()
        location = decide_location(found) if records is not None else _kept_location(evidence)
        if records is not None:
            self._ledger.note(
                Kind.DECIDED, Reason.of(f"trace.decided.location.{location.location}"), reasons=location.reasons
            )
        decision = decide_authenticator(replace(evidence, cloud=cloud, records=records))
        self._ledger.note(
            Kind.DECIDED,
            Reason.of(f"trace.decided.authenticator.{decision.authenticator}", domain=domains.services_domain),
            outcome=Outcome.FAILED if decision.authenticator is Authenticator.ASK else Outcome.OK,
            reasons=decision.reasons,
        )
        return _Choice(found, cloud, location, decision, self._candidates(decision))

    def _candidates(self, decision: AuthenticatorDecision) -> tuple[Candidate, ...]:
        """The servers in the order to try, which is written down where there was a choice."""
        if not decision.records:
            return tuple(Candidate(server) for server in decision.servers)
        ordered = order_srv(decision.records, self._pick)
        if len(ordered) > 1:
            self._ledger.note(
                Kind.DECIDED,
                Reason.of("trace.decided.order", first=ordered[0].server),
                answer=", ".join(str(record.server) for record in ordered),
                reasons=(Reason.of("order.srv"),),
            )
        return tuple(Candidate(record.server, str(record)) for record in ordered)

    async def _find_home(self, domains: DomainDecision, choice: _Choice) -> HomeResult:
        decision, manual = choice.decision, self._remembered.manual
        if decision.through_edge:
            way = EntranceFinder(self._names, self._settings.judge, self._settings.ca_file, self._ledger)
            self._entrance = await way.find(
                self._address, domains.voice_domain, choice.servers, choice.location.reasons, by_hand=manual is not None
            )
            return self._entrance.result
        if decision.authenticator is Authenticator.PROFILE:
            return await self._finder.find(self._address, domains.voice_domain, choice.candidates)
        if decision.authenticator is Authenticator.CALL_MANAGER:
            return await self._finder.find(self._address, domains.voice_domain, choice.candidates)
        if manual is not None and manual.call_manager is not None and decision.authenticator is Authenticator.PRESENCE:
            # the presence service checks the password; the call manager only adds what it knows of the person
            found = await self._finder.find(self._address, domains.voice_domain, (Candidate(manual.call_manager),))
            return HomeResult(home=found.home)
        return HomeResult()

    async def _find_home_here(self, domains: DomainDecision, choice: _Choice) -> HomeResult | None:
        """By what was kept, while the name server is asked whether it can still be right: None where this computer is
        elsewhere by now, which tells sooner than servers that don't answer."""
        finding = asyncio.create_task(self._find_home(domains, choice), name="home cluster")
        locating = asyncio.create_task(locate(self._names, domains.voice_domain), name="location")
        try:
            await asyncio.wait({finding, locating}, return_when=asyncio.FIRST_COMPLETED)
            if not finding.done():
                found = locating.result().location.location
                if found is not Location.UNKNOWN and found is not choice.location.location:
                    return None
            return await finding
        finally:
            for task in (finding, locating):
                task.cancel()
            await asyncio.gather(finding, locating, return_exceptions=True)

    async def _other_fault(self, domains: DomainDecision, choice: _Choice) -> tuple[Fault | None, str]:
        decision = choice.decision
        if decision.authenticator is Authenticator.MESSENGER:
            return faults.cloud_domain(domains.services_domain), ""
        if decision.authenticator is not Authenticator.ASK:
            return None, ""
        if len(domains.excluded) == len(Excluded):
            return faults.manual_entry_wanted(domains.services_domain), ""
        suggestion = await self._suggest(domains, choice.records)
        return faults.no_servers_found(domains.voice_domain, choice.records, suggestion), suggestion

    async def _suggest(self, domains: DomainDecision, records: ServiceRecords) -> str:
        if records.silent or domains.source is not DomainSource.TYPED:
            return ""
        known = closest_domain(domains.services_domain, self._remembered.known_domains)
        return known or await self._gatherer.suggest(domains.services_domain)

    def _to_remember(self, domains: DomainDecision, choice: _Choice) -> CachedDiscovery:
        cache = self._remembered.cache
        records = CachedRecords(
            usable(choice.records.uds), usable(choice.records.cuplogin), usable(choice.records.edge)
        )
        if choice.decision.source is AuthenticatorSource.CACHED_RECORDS and cache is not None:
            records = cache.records
        source = domains.source
        if source is DomainSource.CACHE and cache is not None:
            source = cache.services_source
        return CachedDiscovery(domains.services_domain, source, domains.voice_domain, choice.cloud, records)


def _kept_location(evidence: AuthenticatorEvidence) -> LocationDecision:
    """Where nobody was asked: what the person entered, or where this computer was last time."""
    manual, kept = evidence.manual, evidence.cached_records
    if manual is not None:
        if manual.edge is None:
            return _NO_LOCATION
        return LocationDecision(Location.OUTSIDE, (Reason.of("location.manual.edge", server=manual.edge),))
    if kept.uds or kept.cuplogin:
        return LocationDecision(Location.INSIDE, (Reason.of("location.kept.inside"),))
    return LocationDecision(Location.OUTSIDE, (Reason.of("location.kept.outside"),)) if kept.edge else _NO_LOCATION


def _decided_already(evidence: AuthenticatorEvidence) -> bool:
    """Whether the cache or the person's own settings leave nothing to ask.

    With records kept from an earlier start neither the name server nor the cloud is asked first: the schedule of
    ``rules.discovery_schedule`` asks both soon after (planning guide, "Fast Sign-In").
    """
    if evidence.manual is not None or evidence.cached_records:
        return True
    cached = evidence.cached_cloud in (CloudAnswer.CLOUD, CloudAnswer.CLOUD_WITH_SSO)
    return cached and Excluded.CLOUD not in evidence.excluded


class _Trust:
    """The judge as the fetcher asks it; keeps what it said last of a certificate that did not pass."""

    def __init__(self, judge: TrustJudge) -> None:
        self._judge = judge
        self.stop: CertificateStopError | None = None

    @property
    def context(self) -> ssl.SSLContext:
        return self._judge.context()

    async def again(self, error: BaseException, host: str, port: int) -> bool:
        place = Place(host, port)
        considered = await self._judge.consider(error, place)
        if considered.outcome != "again":
            self.stop = CertificateStopError(place, considered)
        return considered.outcome == "again"


async def discover(
    address: UserAddress,
    settings: DiscoverySettings | None = None,
    remembered: Remembered | None = None,
    *,
    on_entry: OnEntry | None = None,
    pick: Callable[[], float] = random.random,
) -> Discovery:
    """Find the servers of a person. What is wrong comes back as ``Discovery.fault``, not as an exception.

    ``on_entry`` is told of every line of the trace as it is written; ``pick`` gives numbers from 0 up to 1 for the
    weighted choice among servers. Raises OSError or ssl.SSLError only where ``settings.ca_file`` can't be read.
    """
    settings = settings or DiscoverySettings()
    ledger = Ledger(on_entry)
    names = ChosenNames(settings.nameserver, settings.internet_protocol, timeout=settings.question_timeout)
    trust = _Trust(settings.judge) if settings.judge is not None else None
    async with Fetcher(names, ca_file=settings.ca_file, timeout=settings.request_timeout, trust=trust) as fetcher:
        attempt = _Attempt(address, settings, remembered or Remembered(), ledger, fetcher, pick)
        try:
            async with asyncio.timeout(settings.timeout):
                found = await attempt.run()
                if trust is None or found.certificate is None or found.stop is not None:
                    return found
                return replace(found, stop=trust.stop)
        except TimeoutError:
            return _out_of_time(address, ledger, settings.timeout)


def _out_of_time(address: UserAddress, ledger: Ledger, seconds: float) -> Discovery:
    domains = decide_domains(DomainEvidence(typed=address))
    return Discovery(
        address=address,
        domains=domains,
        location=_NO_LOCATION,
        decision=decide_authenticator(AuthenticatorEvidence()),
        records=ServiceRecords(),
        servers=(),
        home=None,
        fault=faults.took_too_long(address.domain, seconds),
        certificate=None,
        suggestion="",
        entries=ledger.entries,
        seconds=ledger.seconds,
        remember=None,
    )
