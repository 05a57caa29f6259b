"""The doctor where one is outside: every edge of the records, its certificate, how people sign in; with a password also
the way through it to the home cluster, where it takes messages and calls, and what there is not from there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

from ringback.client.discovery import Discovery, HomeCluster
from ringback.client.discovery.ledger import Ledger
from ringback.client.edge import EdgeProblemError, EdgeRoute, EdgeWay
from ringback.client.edge.asking import EdgePasswordError, EdgeStopError, ask_sign_in
from ringback.client.edge.entering import Entering, HomeFaultError
from ringback.client.edge.provider import check_provider
from ringback.client.identity.authorization import Authorization
from ringback.client.identity.callmanager import CallManager, CallManagerError
from ringback.client.identity.credentials import Credentials
from ringback.client.identity.https import Https
from ringback.client.trust import TrustJudge, TrustSettings
from ringback.net.fetch import Fetcher
from ringback.net.xmpp_probe import probe_xmpp
from ringback.rules import faults
from ringback.rules.addresses import HostPort
from ringback.rules.faults import ServerFailure
from ringback.rules.reachability import Obstacle
from ringback.rules.reasons import Reason
from ringback.rules.services_outside import OutsideEvidence, missing_outside
from ringback.rules.trace import Fault, Kind, Outcome

_MESSAGES: Final = "messages"


class OutsideChecks:
    """One person's, from outside. ``fault`` is told of what is wrong."""

    def __init__(
        self,
        found: Discovery,
        ledger: Ledger,
        fetcher: Fetcher,
        ca_file: Path | None,
        seconds: float,
        fault: Callable[[Fault], None],
    ) -> None:
        self._found = found
        self._domain = found.domains.voice_domain
        self._ledger = ledger
        self._fetcher = fetcher
        self._seconds = seconds
        self._fault = fault
        self._judge = TrustJudge(TrustSettings(ca_file), fetcher.names)

    async def run(self, password: str) -> None:
        """Look at every edge, then through the first that works."""
        try:
            await asyncio.gather(*(self._edge(edge) for edge in self._found.servers))
            way, home, how = self._found.edge, self._found.home, self._found.sign_in
            if way is None or home is None or how is None:
                return
            if how.single_sign_on:
                await self._provider(way, home)
            elif password:
                await self._inside(way, Credentials(home.user, password))
        finally:
            await self._judge.close()

    async def _edge(self, edge: HostPort) -> None:
        by_hand = self._found.edge is not None and self._found.edge.by_hand
        way = EdgeWay(self._domain, (edge,), by_hand=by_hand)
        line = self._ask("edge", f"GET {way.own('get_edge_sso')}", edge)
        try:
            async with Https(self._fetcher.names, self._judge) as https:
                how = await ask_sign_in(way, https, self._found.address)
        except EdgeProblemError as error:
            self._ledger.answer(line, Outcome.FAILED, str(error), reasons=(error.reason,))
            self._fault(self._closed(way, error))
            return
        words = f"single sign-on {_on(how.single_sign_on)}, tokens {_on(how.tokens)}"
        self._ledger.answer(line, Outcome.OK, words)

    async def _provider(self, way: EdgeWay, home: HomeCluster) -> None:
        async with Https(self._fetcher.names, self._judge, route=EdgeRoute(way)) as https:
            try:
                await check_provider(way, Authorization(https, [home.base]), self._fetcher.names, self._ledger)
            except EdgeProblemError as error:
                self._fault(self._closed(way, error))

    async def _inside(self, way: EdgeWay, credentials: Credentials) -> None:
        """Sign in and look up the home cluster, then see what is there of it."""
        route = EdgeRoute(way)
        entering = Entering(self._fetcher.names, self._judge, route, self._ledger)
        try:
            home = await entering.enter(way, self._found.address, credentials)
        except EdgePasswordError:
            self._fault(faults.wrong_password(str(self._found.address), way.edge.host))
            return
        except EdgeProblemError as error:
            self._fault(self._closed(way, error))
            return
        except HomeFaultError as error:
            self._fault(error.fault)
            return
        async with CallManager(self._fetcher.names, self._judge, [home.base], credentials, route) as call_manager:
            line = self._ask("person", f"GET {home.user_uri}", way.edge, subject=home.user)
            try:
                person = await call_manager.user()
            except CallManagerError as error:
                self._ledger.answer(line, Outcome.FAILED, error.detail)
                failure = ServerFailure(home.asked, status=error.status, detail=error.detail)
                self._fault(
                    faults.edge_closed(self._domain, way.edge.host, error.reason)
                    if error.reason is not None
                    else faults.home_unreachable(home.host, failure)
                )
            else:
                self._ledger.answer(line, Outcome.OK, person.service_profile_uri or "no service profile")
        await asyncio.gather(*(self._messages(server) for server in way.xmpp), *(self._calls(one) for one in way.sip))
        evidence = OutsideEvidence(calls=True, access=way.access, sip=bool(way.sip))
        missing = tuple(row.reason for row in missing_outside(evidence))
        self._ledger.note(Kind.DECIDED, Reason.of("trace.decided.missing-outside", count=len(missing)), reasons=missing)

    async def _messages(self, server: HostPort) -> None:
        line = self._ask("xmpp", f"XMPP {server} STARTTLS to {self._found.address.domain}", server)
        domain = self._found.address.domain
        probe = await probe_xmpp(server, domain, self._fetcher.names, self._fetcher.tls, self._seconds)
        if probe.obstacle is None:
            self._ledger.answer(line, Outcome.OK, f"{probe.detail}, certificate for {probe.named}")
            return
        self._failed(line, ServerFailure(server, probe.obstacle, probe.certificate, detail=probe.detail))

    async def _calls(self, server: HostPort) -> None:
        line = self._ask("edge-calls", f"TCP {server}", server)
        if await self._fetcher.is_open(server.host, server.port):
            self._ledger.answer(line, Outcome.OK, "open")
        else:
            self._ledger.answer(line, Outcome.FAILED, "closed")
            reason = Reason.of("edge.problem.unreachable", edge=server, why="closed")
            self._fault(faults.edge_closed(self._domain, server.host, reason))

    def _failed(self, line: int, failure: ServerFailure) -> None:
        self._ledger.answer(line, Outcome.FAILED, failure.detail or str(failure.obstacle))
        self._fault(faults.service_unreachable(_MESSAGES, failure))

    def _closed(self, way: EdgeWay, error: EdgeProblemError) -> Fault:
        considered = error.stop.considered if isinstance(error, EdgeStopError) else None
        if considered is not None and considered.facts is not None and considered.obstacle is not Obstacle.WRONG_NAME:
            return faults.certificate_fault(ServerFailure(way.edge, considered.obstacle, considered.facts))
        return faults.edge_closed(self._domain, way.edge.host, error.reason)

    def _ask(self, what: str, question: str, server: HostPort, *, subject: str = "") -> int:
        text = Reason.of(f"trace.checked.{what}", subject=subject or server)
        return self._ledger.ask(text, question, server=str(server), kind=Kind.CHECKED)


def _on(value: bool) -> str:
    return "on" if value else "off"
