"""What an engine does about where the person is: it keeps the way through the edge open, and moves with the network."""

from __future__ import annotations

import ssl
from functools import partial

import msgspec

from ringback.client.calling.line import LineSettings
from ringback.client.configuration.plan import Plan
from ringback.client.discovery import Located, locate
from ringback.client.edge import EdgeWay
from ringback.client.edge.keeping import EdgeKeeper
from ringback.client.engine.base import Attempt, EngineBase
from ringback.client.engine.by_hand import voice_domain
from ringback.client.engine.moving import Means, Mover
from ringback.client.engine.questions import certificate_question
from ringback.client.engine.session import Session
from ringback.client.identity.credentials import Credentials
from ringback.client.identity.https import Https
from ringback.client.trust import CertificateStopError, Expected, Place, Purpose
from ringback.net.names import NameClient
from ringback.rules.addresses import HostPort
from ringback.rules.reasons import Reason


class Moves(EngineBase):
    """Inside, outside, and between."""

    def _mover_of(self, session: Session, attempt: Attempt) -> Mover:
        """Who looks where this session is, and brings it there."""
        means = Means(
            partial(locate, attempt.names, self._domain_of(attempt)),
            partial(self._way_through, attempt),
            partial(self._go_anew, session),
            partial(self._messages_are_back, session),
            self._tell_place,
            self._settings.addresses,
        )
        self._mover = Mover(self.route, self.place, means)
        return self._mover

    def _domain_of(self, attempt: Attempt) -> str:
        """The domain whose records say where this computer is."""
        plan = attempt.proven.plan
        return voice_domain(self._manual) or plan.voice_domain or attempt.address.domain

    def _way_through(self, attempt: Attempt, located: Located) -> EdgeWay:
        return EdgeWay(self._domain_of(attempt), located.edges, located.location.reasons)

    async def _messages_are_back(self, session: Session) -> None:
        if self._connector is not None and self._connector.running:
            await session.up.wait()

    def _go_anew(self, session: Session) -> None:
        """Let every service connect by the way of now, whatever it waits for."""
        if self.standing is not None:
            self.standing.signed.credentials.hurry()
        if self._connector is not None:
            self._connector.restart()
        session.move()
        session.calling.network_changed()
        session.voicemail.try_now()
        if self._people is not None:
            self._people.try_now()

    def _doubt_place(self) -> None:
        """No server for messages answers: perhaps this computer is elsewhere by now."""
        if self._mover is not None and self._manual.mode != "manual":
            self._mover.doubt()

    async def _keep_edge(self, session: Session, attempt: Attempt) -> None:
        """Keep the way through the edge open, whichever counts; where none does, wait for one."""

        def opened(way: EdgeWay) -> None:
            if self._mover is not None and self._mover.opened(way):
                session.try_now()
                self._tell_place()
            remember()

        def failed(way: EdgeWay, reason: Reason) -> None:
            if self._mover is not None:
                self._mover.failed(way, reason)

        def remember() -> None:
            """Let the next start know by which way the servers were reached last."""
            way, plan = self.route.now, self._plan
            if plan is None or (way is not None and not way.opened):
                return
            kept = way.kept() if way is not None else None
            if plan.edge != kept:
                self._plan = plan = msgspec.structs.replace(plan, edge=kept)
                self._spawn(self.sources.keep_plan(attempt.address, plan), "plan of the edge")

        credentials, end = attempt.signed.credentials, self.route.listen(remember)
        try:
            remember()
            async with Https(attempt.names, self.judge, route=self.route) as https:
                keeper = self._edge_keeper = EdgeKeeper(self.route, https, credentials, opened, failed)
                await keeper.run()
        finally:
            end()

    def _line_settings(self, names: NameClient, plan: Plan, credentials: Credentials) -> LineSettings:
        """What the phone registers with, inside and outside."""
        return LineSettings(
            names, lambda: self.judge.context(Expected(Purpose.SIP)), plan.name or plan.user,
            credentials.token_now, self._look_at_phone_server, credentials.doubt, self.route,
            lambda way: self.judge.context(way.expected(way.edge)), self._why_no_calls,
            self._calls_again,
        )  # fmt: skip

    def _calls_again(self) -> None:
        """The edge gives this person calls, whatever it said before."""
        way = self.route.now
        if way is not None and way.access == "messaging":
            way.access = "all"
            self._tell_place()

    def _why_no_calls(self, said: str) -> Reason | None:
        """Why the edge gives this person no calls, where it said so: in its configuration, or just now by SIP."""
        way = self.route.now
        if said.startswith("edge.access.messaging") and way is not None and way.access != "messaging":
            way.access = "messaging"  # the policy changed since the configuration was read
            self._tell_place()
        if way is not None and way.access == "messaging":
            return Reason.of("edge.access.messaging")
        return next((row.reason for row in self.place.now.missing if row.id == "calls"), None)

    async def _look_at_phone_server(
        self, error: ssl.SSLCertVerificationError, host: str, address: str, port: int
    ) -> bool:
        """A certificate ended a connection for calls: whether to connect once more. What the person declined is not
        asked again in this session, though the phone goes on trying."""
        way = self.route.now
        expected = Expected(Purpose.SIP) if way is None else way.expected(HostPort(host, port))
        place = Place(host, port, expected, address)
        considered = await self.judge.consider(error, place)
        if considered.outcome == "again":
            return True
        if considered.facts is not None and considered.facts.fingerprint not in self._declined:
            self._ask_certificate(CertificateStopError(place, considered), considered.reasons[0], "calls")
        return False

    def _ask_certificate(self, stop: CertificateStopError, reason: Reason, service: str = "messages") -> None:
        """A server that a session needs shows a certificate that needs the person's word."""
        question = certificate_question(stop, reason, service)
        if question is not None and self.session is not None and self._phase() == "ready":
            self.questions.ask_certificate(question)
        elif question is not None:
            self.progress.set(certificate=question)
