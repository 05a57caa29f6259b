"""Finding a person's home cluster: the call managers are asked in order until one answers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol
from urllib.parse import urlencode

from yarl import URL

from ringback.client.discovery.ledger import Ledger
from ringback.client.discovery.model import HomeCluster
from ringback.net.fetch import Fetched
from ringback.protocols.uds import ClusterUser, Servers, UdsError, home, path_of
from ringback.rules import faults
from ringback.rules.addresses import HostPort, UserAddress
from ringback.rules.faults import ServerFailure
from ringback.rules.reachability import CertificateFacts, Obstacle
from ringback.rules.reasons import Reason
from ringback.rules.trace import Fault, Outcome


@dataclass(frozen=True, slots=True)
class Candidate:
    """A call manager to ask; ``record`` is the SRV record that named it, as text, or empty."""

    server: HostPort
    record: str = ""


@dataclass(frozen=True, slots=True)
class HomeResult:
    """The home cluster, or the fault. ``unreachable``: no server could be asked, so cached records may be stale."""

    home: HomeCluster | None = None
    fault: Fault | None = None
    certificate: CertificateFacts | None = None
    unreachable: bool = False


class Asks(Protocol):
    """Asks servers for documents: ``net.fetch.Fetcher``, or through an edge."""

    async def get(self, url: str) -> Fetched:
        """GET a URL; never raises for what a server or network does."""

    async def is_open(self, host: str, port: int) -> bool:
        """Whether something accepts TCP connections there."""


class HomeFinder:
    """Looks a person up over the user data service."""

    def __init__(self, fetcher: Asks, ledger: Ledger, usual_port: int) -> None:
        """``usual_port`` is probed where the named one is closed, to tell a dead host from a wrong port; 0: never."""
        self._fetcher = fetcher
        self._ledger = ledger
        self._usual_port = usual_port

    async def find(self, address: UserAddress, domain: str, candidates: tuple[Candidate, ...]) -> HomeResult:
        """Ask the servers in order; the first answer that can be read decides."""
        failures: list[ServerFailure] = []
        for candidate in candidates:
            answer = await self._ask(candidate, address)
            if isinstance(answer, ServerFailure):
                failures.append(answer)
                continue
            if not answer.found:
                return HomeResult(fault=faults.unknown_user(str(address), candidate.server))
            return await self._confirm(answer, candidate, address.user)
        if not failures:
            return HomeResult(unreachable=True)
        # a server that lives and shows a wrong certificate says more than one that is dead
        told = next(
            (each for each in failures if each.obstacle is not None and each.obstacle.of_certificate), failures[0]
        )
        told = await self._diagnose(told)
        return HomeResult(
            fault=faults.server_unreachable(domain, told, len(failures) - 1),
            certificate=told.certificate,
            unreachable=all(each.obstacle is not None and not each.obstacle.of_certificate for each in failures),
        )

    async def _ask(self, candidate: Candidate, address: UserAddress) -> ClusterUser | ServerFailure:
        """By user name, which the address begins with; then by mail address, which need not agree with it."""
        answer: ClusterUser | ServerFailure = ClusterUser(False)
        for key, value in (("username", address.user), ("email", str(address))):
            url = f"{home(candidate.server.host, candidate.server.port)}/clusterUser?{urlencode({key: value})}"
            line = self._ledger.ask(
                Reason.of("trace.asked.home", user=value), f"GET {url}", server=str(candidate.server)
            )
            answer = _read_user(await self._fetcher.get(url), candidate)
            if isinstance(answer, ServerFailure):
                self._ledger.answer(line, Outcome.FAILED, literal_failure(answer))
                return answer
            self._ledger.answer(
                line, Outcome.OK if answer.found else Outcome.NONE, answer.home_cluster if answer.found else "not found"
            )
            if answer.found:
                return answer
        return answer

    async def _confirm(self, found: ClusterUser, candidate: Candidate, typed: str) -> HomeResult:
        """The home cluster itself must answer: it is asked for its servers."""
        cluster = _home_of(found, candidate, typed)
        if cluster is None:
            failure = ServerFailure(candidate.server, detail="The home cluster has no https address")
            return HomeResult(fault=faults.server_unreachable(found.home_cluster, failure))
        where = _host_port(cluster.base)
        line = self._ledger.ask(
            Reason.of("trace.asked.servers", home=cluster.host), f"GET {cluster.servers_uri}", server=str(where)
        )
        fetched = await self._fetcher.get(cluster.servers_uri)
        failure_or_names = _read_servers(fetched, where)
        if isinstance(failure_or_names, ServerFailure):
            self._ledger.answer(line, Outcome.FAILED, literal_failure(failure_or_names))
            return HomeResult(
                fault=faults.home_unreachable(cluster.host, failure_or_names), certificate=fetched.certificate
            )
        self._ledger.answer(line, Outcome.OK, ", ".join(failure_or_names))
        return HomeResult(replace(cluster, servers=failure_or_names))

    async def _diagnose(self, failure: ServerFailure) -> ServerFailure:
        closed = failure.obstacle in (Obstacle.REFUSED, Obstacle.TIMED_OUT, Obstacle.NOT_TLS, Obstacle.CLOSED)
        if not closed or self._usual_port in (0, failure.server.port):
            return failure
        host, port = failure.server.host, self._usual_port
        line = self._ledger.ask(Reason.of("trace.asked.usual-port", host=host, port=port), f"TCP {host}:{port}")
        is_open = await self._fetcher.is_open(host, port)
        self._ledger.answer(line, Outcome.OK if is_open else Outcome.FAILED, "open" if is_open else "closed")
        return replace(failure, usual_port=port) if is_open else failure


def literal_failure(failure: ServerFailure) -> str:
    """The literal answer of a server that was of no use, for the trace."""
    if failure.obstacle is not None:
        return f"{failure.obstacle} ({failure.detail})" if failure.detail else str(failure.obstacle)
    return f"HTTP {failure.status}" if failure.status not in (0, 200) else failure.detail


def failure_of(fetched: Fetched, server: HostPort, record: str = "") -> ServerFailure | None:
    """What went wrong with a request; None where the answer is 200."""
    if fetched.ok:
        return None
    return ServerFailure(server, fetched.obstacle, fetched.certificate, fetched.status, fetched.detail, record)


def _read_user(fetched: Fetched, candidate: Candidate) -> ClusterUser | ServerFailure:
    if (failure := failure_of(fetched, candidate.server, candidate.record)) is not None:
        return failure
    try:
        return ClusterUser.parse(fetched.body)
    except UdsError as error:
        return ServerFailure(candidate.server, detail=str(error), record=candidate.record)


def _read_servers(fetched: Fetched, where: HostPort) -> tuple[str, ...] | ServerFailure:
    if (failure := failure_of(fetched, where)) is not None:
        return failure
    try:
        return Servers.parse(fetched.body).servers
    except UdsError as error:
        return ServerFailure(where, detail=str(error))


def _home_of(found: ClusterUser, candidate: Candidate, typed: str) -> HomeCluster | None:
    """Where the person is at home. Passwords will go there, so nothing but https is taken."""
    try:
        servers = URL(found.servers_uri or f"{home(found.home_cluster, candidate.server.port)}/servers")
        person = URL(found.user_uri) if found.user_uri else None
    except ValueError:
        return None
    if servers.scheme != "https" or not servers.host or not servers.port:
        return None
    if person is not None and (person.scheme != "https" or not person.name):
        return None
    base = home(servers.host, servers.port)
    user = person.name if person is not None else typed
    uri = found.user_uri or f"{base}{path_of('user', user)}"
    return HomeCluster(user, found.home_cluster, base, uri, str(servers), (), candidate.server)


def _host_port(base: str) -> HostPort:
    url = URL(base)
    return HostPort(url.host or "", url.port or 443)
