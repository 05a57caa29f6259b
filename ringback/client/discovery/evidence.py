"""Gathering evidence: the SRV questions, sent together, and the cloud query beside them."""

from __future__ import annotations

import asyncio
from urllib.parse import urlencode

from ringback.client.discovery.ledger import Ledger
from ringback.client.discovery.model import DiscoverySettings
from ringback.net.fetch import Fetcher
from ringback.net.names import NameClient
from ringback.protocols.cas import CasAnswer, CasError
from ringback.rules.authenticator import CUPLOGIN, EDGE, UDS, CloudAnswer
from ringback.rules.reasons import Reason
from ringback.rules.remote_access import ServiceRecords
from ringback.rules.services_domain import DomainDecision, Excluded
from ringback.rules.srv import NameAnswer, NameOutcome
from ringback.rules.trace import Outcome
from ringback.rules.typos import near_domains

_PROTOCOL = {UDS: "_tcp", CUPLOGIN: "_tcp", EDGE: "_tls"}
_SUGGESTION_TIME = 2.0  # seconds that a suggestion is worth
_GROUP = "services"


def srv_name(service: str, domain: str) -> str:
    """The name asked for a service, e.g. ``_cisco-uds._tcp.example.com``."""
    return f"{service}.{_PROTOCOL[service]}.{domain}"


class Gatherer:
    """Asks the name server and the cloud for one attempt, and writes both into the ledger."""

    def __init__(self, fetcher: Fetcher, settings: DiscoverySettings, ledger: Ledger) -> None:
        """Asks with the fetcher's name client."""
        self._names = fetcher.names
        self._fetcher = fetcher
        self._cloud_url = settings.cloud_url
        self._cloud_grace = settings.cloud_grace
        self._ledger = ledger

    async def gather(self, domains: DomainDecision) -> tuple[ServiceRecords, CloudAnswer]:
        """Ask both at once."""
        async with asyncio.TaskGroup() as tasks:
            ask_cloud = bool(self._cloud_url) and Excluded.CLOUD not in domains.excluded
            cloud = tasks.create_task(self._cloud(domains.services_domain), name="cloud look-up") if ask_cloud else None
            records = await self._records(domains)
            if cloud is None:
                return records, CloudAnswer.NOT_ASKED
            found = any(answer.outcome is NameOutcome.FOUND for answer in records.all)
            await asyncio.wait({cloud}, timeout=self._cloud_grace if found else None)
            if cloud.done():
                return records, cloud.result()
            cloud.cancel()
            return records, CloudAnswer.NO_ANSWER

    async def _records(self, domains: DomainDecision) -> ServiceRecords:
        wanted = [
            service
            for service, excluded in ((UDS, Excluded.UDS), (CUPLOGIN, Excluded.CUPLOGIN), (EDGE, None))
            if excluded not in domains.excluded
        ]
        answers = await asyncio.gather(*(self._srv(service, domains.voice_domain) for service in wanted))
        found = dict(zip(wanted, answers, strict=True))
        return ServiceRecords(found.get(UDS), found.get(CUPLOGIN), found.get(EDGE))

    async def _srv(self, service: str, domain: str) -> NameAnswer:
        name = srv_name(service, domain)
        server = self._names.nameserver
        line = self._ledger.ask(
            Reason.of(f"trace.asked.{service.removeprefix('_')}", domain=domain),
            f"{name} SRV",
            server=str(server) if server is not None else "",
            group=_GROUP,
        )
        answer = await self._names.srv(name)
        self._ledger.answer(line, outcome_of(answer), text_of(answer), server=answer.server)
        return answer

    async def _cloud(self, domain: str) -> CloudAnswer:
        url = f"{self._cloud_url}?{urlencode({'org': domain})}"
        line = self._ledger.ask(Reason.of("trace.asked.cloud", domain=domain), f"GET {url}", group=_GROUP)
        try:
            fetched = await self._fetcher.get(url, through_proxy=True)
        except asyncio.CancelledError:
            self._ledger.answer(line, Outcome.FAILED, "timed-out")
            raise
        if not fetched.ok:
            literal = str(fetched.obstacle) if fetched.obstacle is not None else f"HTTP {fetched.status}"
            self._ledger.answer(line, Outcome.FAILED, literal)
            return CloudAnswer.NO_ANSWER
        try:
            answer = CasAnswer.parse(fetched.body)
        except CasError as error:
            self._ledger.answer(line, Outcome.FAILED, str(error))
            return CloudAnswer.NO_ANSWER
        literal = f"errorcode {answer.code}: {answer.reason}" if answer.reason else f"errorcode {answer.code}"
        self._ledger.answer(line, Outcome.OK if answer.in_cloud else Outcome.NONE, literal)
        if not answer.in_cloud:
            return CloudAnswer.NOT_CLOUD
        return CloudAnswer.CLOUD_WITH_SSO if answer.single_sign_on else CloudAnswer.CLOUD

    async def suggest(self, domain: str) -> str:
        """A domain one slip away that has the records; empty where there is none. Asked only after a failure."""
        line = self._ledger.ask(Reason.of("trace.asked.suggestion", domain=domain), f"{UDS}._tcp.* SRV")
        names = NameClient(self._names.nameserver, timeout=_SUGGESTION_TIME, tries=1)
        near = near_domains(domain)
        answers = await asyncio.gather(*(names.srv(srv_name(UDS, each)) for each in near))
        found = [each for each, answer in zip(near, answers, strict=True) if answer.outcome is NameOutcome.FOUND]
        self._ledger.answer(line, Outcome.OK if found else Outcome.NONE, found[0] if found else "")
        return found[0] if found else ""


def outcome_of(answer: NameAnswer) -> Outcome:
    """The answer to a name question as an outcome of the trace."""
    if answer.outcome is NameOutcome.FOUND:
        return Outcome.OK
    return Outcome.NONE if answer.answered else Outcome.FAILED


def text_of(answer: NameAnswer) -> str:
    """The literal answer: its records, or why there is none."""
    if answer.outcome is NameOutcome.FOUND:
        return "; ".join(str(record) for record in answer.srv) or ", ".join(answer.addresses)
    return f"{answer.outcome} ({answer.detail})" if answer.detail else str(answer.outcome)
