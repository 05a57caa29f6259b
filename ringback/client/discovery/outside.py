"""The way in from outside: which edge answers, how people sign in there, and where inside their home cluster is.

Before the sign-in an edge says no more than how people sign in, and the same of everybody; so the home cluster that
comes of it is a promise, which ``HomeFinder`` keeps through the edge once the person has proved who they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ringback.client.discovery.home import HomeResult
from ringback.client.discovery.ledger import Ledger
from ringback.client.discovery.model import HomeCluster
from ringback.client.edge import EdgeProblemError, EdgeWay
from ringback.client.edge.asking import EdgeStopError, ask_sign_in
from ringback.client.edge.telling import Telling
from ringback.client.identity.https import Https
from ringback.client.trust import CertificateStopError, TrustJudge, TrustSettings
from ringback.net.names import NameClient
from ringback.protocols.edge import EdgeSignIn
from ringback.protocols.uds import home, path_of
from ringback.rules import faults
from ringback.rules.addresses import HostPort, UserAddress
from ringback.rules.faults import ServerFailure
from ringback.rules.reachability import Obstacle
from ringback.rules.reasons import Reason
from ringback.rules.trace import Fault, Kind, Outcome


@dataclass(frozen=True, slots=True)
class Entrance:
    """What the edge said, or why it can't be used. ``stop``: its certificate stands in the way."""

    result: HomeResult
    way: EdgeWay | None = None
    sign_in: EdgeSignIn | None = None
    stop: CertificateStopError | None = None


class EntranceFinder:
    """Asks the edges of one attempt, and writes into its trace."""

    def __init__(self, names: NameClient, judge: TrustJudge | None, ca_file: Path | None, ledger: Ledger) -> None:
        """``judge`` None: servers are trusted that the system's authorities and those of ``ca_file`` stand behind."""
        self._names = names
        self._judge = judge or TrustJudge(TrustSettings(ca_file), names)
        self._own = judge is None
        self._ledger = ledger

    async def find(
        self,
        address: UserAddress,
        domain: str,
        edges: tuple[HostPort, ...],
        reasons: tuple[Reason, ...],
        *,
        by_hand: bool,
    ) -> Entrance:
        """Ask the edges in their order. ``domain`` is the one whose records named them."""
        way = EdgeWay(domain, edges, reasons, by_hand=by_hand)
        try:
            async with Https(self._names, self._judge) as https:
                sign_in = await ask_sign_in(way, https, address, Telling(self._ledger, "edge_sso"))
        except EdgeStopError as error:
            facts = error.stop.considered.facts
            fault = _certificate_fault(domain, way.edge, error)
            return Entrance(HomeResult(fault=fault, certificate=facts), stop=error.stop)
        except EdgeProblemError as error:
            fault = faults.edge_closed(domain, way.edge.host, error.reason)
            return Entrance(HomeResult(fault=fault, unreachable=not error.status))
        finally:
            if self._own:
                await self._judge.close()
        self._ledger.note(Kind.DECIDED, Reason.of("trace.decided.edge", edge=way.edge), outcome=Outcome.OK)
        if sign_in.home is None:
            reason = Reason.of("edge.problem.no_call_manager", edge=way.edge.host)
            return Entrance(HomeResult(fault=faults.edge_closed(domain, way.edge.host, reason)))
        return Entrance(HomeResult(_promised(sign_in.home, address)), way, sign_in)


def _promised(server: HostPort, address: UserAddress) -> HomeCluster:
    base = home(server.host, server.port)
    return HomeCluster(
        address.user, server.host, base, f"{base}{path_of('user', address.user)}", f"{base}/servers", (), server
    )


def _certificate_fault(domain: str, edge: HostPort, error: EdgeStopError) -> Fault:
    """A wrong name is told in the words of edges, which must name the domain; everything else as of any server."""
    considered = error.stop.considered
    if considered.obstacle is None or considered.facts is None or considered.obstacle is Obstacle.WRONG_NAME:
        return faults.edge_closed(domain, edge.host, error.reason)
    return faults.certificate_fault(ServerFailure(edge, considered.obstacle, considered.facts))
