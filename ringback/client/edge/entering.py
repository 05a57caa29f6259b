"""Going in: the edge's configuration is read as the person, and behind it the home cluster is looked up."""

from __future__ import annotations

from dataclasses import replace

from yarl import URL

from ringback.client.discovery.home import Candidate, HomeFinder
from ringback.client.discovery.ledger import Ledger
from ringback.client.discovery.model import HomeCluster
from ringback.client.edge.asking import SERVICES, open_way
from ringback.client.edge.problems import EdgeProblemError
from ringback.client.edge.telling import Telling
from ringback.client.edge.way import EdgeRoute, EdgeWay
from ringback.client.identity.credentials import Credentials
from ringback.client.identity.https import Https, HttpsError
from ringback.client.trust import TrustJudge
from ringback.net.fetch import Fetched
from ringback.net.names import NameClient
from ringback.protocols.edge import EdgeConfiguration, ServiceRecord
from ringback.rules.addresses import HostPort, UserAddress
from ringback.rules.reachability import Obstacle
from ringback.rules.reasons import Reason
from ringback.rules.srv import SrvRecord, order_srv
from ringback.rules.trace import Fault, Kind, Outcome


class HomeFaultError(Exception):
    """The person's home cluster was not found behind the edge; ``fault`` says why."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.id)
        self.fault = fault


class Entering:
    """One person's entrance; every step becomes a line of the trace."""

    def __init__(self, names: NameClient, judge: TrustJudge, route: EdgeRoute, ledger: Ledger) -> None:
        self._names = names
        self._judge = judge
        self._route = route
        self._ledger = ledger

    async def enter(self, way: EdgeWay, address: UserAddress, credentials: Credentials) -> HomeCluster:
        """Open the way and find the home cluster of whom the edge let in. Raises EdgeProblemError
        (EdgePasswordError, EdgeStopError), HomeFaultError."""
        async with Https(self._names, self._judge, route=self._route) as https:
            await open_way(way, https, credentials, Telling(self._ledger, "edge_config"))
            for record in way.configuration.services:
                self._tell_record(record)
            candidates = _candidates(way.configuration)
            if not candidates:
                raise EdgeProblemError(Reason.of("edge.problem.no_call_manager", edge=way.edge.host))
            asking = _ThroughEdge(https, way)
            person = replace(address, user=credentials.user)
            found = await HomeFinder(asking, self._ledger, 0).find(person, way.domain, candidates)
        if found.home is not None:
            return found.home
        if asking.problem is not None:
            raise EdgeProblemError(asking.problem)
        if found.fault is None:
            raise EdgeProblemError(Reason.of("edge.problem.no_call_manager", edge=way.edge.host))
        raise HomeFaultError(found.fault)

    def _tell_record(self, record: ServiceRecord) -> None:
        servers = ", ".join(str(one.server) for one in record.servers)
        word = "records" if servers else "no_record"
        text = Reason.of(f"trace.decided.edge.{word}", service=record.name, servers=servers)
        answer = servers or record.error
        self._ledger.note(Kind.CHECKED, text, outcome=Outcome.OK if servers else Outcome.NONE, answer=answer)


class _ThroughEdge:
    """Asks servers inside as ``net.fetch.Fetcher`` asks others, as the person who goes through the edge."""

    def __init__(self, https: Https, way: EdgeWay) -> None:
        self._https = https
        self._way = way
        self.problem: Reason | None = None
        """What the edge said last that stood in the way."""

    async def get(self, url: str) -> Fetched:
        """GET a URL of a server inside."""
        proof = self._way.proof
        try:
            headers = {"Authorization": await proof()} if proof is not None else {}
            answer = await self._https.request("GET", URL(url), headers)
        except EdgeProblemError as error:
            self.problem = error.reason
            return Fetched(url, detail=error.reason.id)
        except HttpsError as error:
            self.problem = error.reason or Reason.of(
                "edge.problem.unreachable", edge=self._way.edge.host, why=error.detail
            )
            obstacle = None if error.status else Obstacle.CLOSED
            return Fetched(url, error.status, detail=error.detail, obstacle=obstacle)
        self.problem = None
        return Fetched(url, answer.status, answer.body, answer.kind)

    async def is_open(self, host: str, port: int) -> bool:
        """Nobody outside can see that."""
        return False


def _candidates(found: EdgeConfiguration) -> tuple[Candidate, ...]:
    """The call managers to ask for the person's home: the one that the edge names, then those of the records inside."""
    rows = next((one.servers for one in found.services if one.name == SERVICES[0]), ())
    records = order_srv([SrvRecord(row.priority, row.weight, row.server.port, row.server.host) for row in rows])
    servers: list[HostPort] = [*found.users, *(record.server for record in records)]
    return tuple(Candidate(server) for server in dict.fromkeys(servers))
