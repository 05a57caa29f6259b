"""The way into a session: discovery, the password's proof, configuration, the first connection.

Each stage is a coroutine that moves the ``Progress`` on and either goes through or raises ``SignInError``; the engine
runs it as one task that can be cancelled at any point.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

from yarl import URL

from ringback.client.configuration.fetch import ConfigurationFaultError, ConfigurationFetcher
from ringback.client.configuration.plan import XMPP_PORT, Plan
from ringback.client.discovery import Discovery, DiscoverySettings, Remembered, discover
from ringback.client.discovery.ledger import Ledger
from ringback.client.engine.by_hand import UDS_PORT, file_places, manual_servers, name_server
from ringback.client.engine.errors import SignInError
from ringback.client.engine.progress import Progress
from ringback.client.engine.settings import EngineSettings
from ringback.client.host.wire_sign_in import CertificateQuestion, ManualSettings
from ringback.client.identity.callmanager import CallManager, CallManagerError, WrongPasswordError
from ringback.client.names import ChosenNames
from ringback.net.names import order_srv
from ringback.protocols.uds.people import User
from ringback.rules import faults
from ringback.rules.addresses import HostPort, UserAddress
from ringback.rules.authenticator import Authenticator
from ringback.rules.faults import ServerFailure
from ringback.rules.reachability import CertificateFacts
from ringback.rules.reasons import Reason
from ringback.rules.trace import Entry, Fault, Kind, Outcome


@dataclass(frozen=True, slots=True)
class Proven:
    """A person whose password was accepted, or will be by the presence service; with the plan of the session."""

    plan: Plan
    user: User | None


class SignInFlow:
    """One attempt of one person."""

    def __init__(self, settings: EngineSettings, manual: ManualSettings, progress: Progress) -> None:
        """Raises EngineError where a setting by hand is no server."""
        self._settings = settings
        self._manual = manual
        self.servers = manual_servers(manual)
        self._progress = progress
        self.names = ChosenNames(name_server(settings, manual), manual.internet_protocol)

    async def find(self, address: UserAddress, remembered: Remembered) -> Discovery:
        """Find who checks the password. Raises SignInError with the fault."""
        progress = self._progress
        progress.step("services", "active", *self._asked_names(address))
        discovery = await discover(
            address,
            DiscoverySettings(
                nameserver=self.names.nameserver,
                cloud_url=self._settings.cloud_url,
                ca_file=self._settings.ca_file,
                internet_protocol=self._manual.internet_protocol,
            ),
            remembered,
            on_entry=self._heard,
        )
        progress.set(suggestion=discovery.suggestion)
        if discovery.fault is not None:
            if discovery.certificate is not None:
                progress.set(certificate=certificate_question(discovery.certificate, discovery.fault.what))
            raise SignInError(discovery.fault.what, discovery.fault)
        progress.step("services", "done", *(str(server) for server in discovery.servers[:2]))
        if discovery.home is not None:
            progress.step("home", "done", discovery.home.host)
        else:
            progress.step("home", "done", text=Reason.of("engine.step.home.none"))
        return discovery

    def _heard(self, index: int, entry: Entry) -> None:
        # Steps show names as they are asked; the home cluster's questions follow those about services.
        if entry.kind is Kind.ASKED and entry.took is None:
            name = (
                URL(entry.question.removeprefix("GET ")).host if "://" in entry.question else entry.question.split()[0]
            )
            if entry.text.id in ("trace.asked.home", "trace.asked.servers"):
                if self._progress.now.steps and self._state("services") == "active":
                    self._progress.step("services", "done")
                self._progress.step("home", "active", name or "")
            elif self._state("services") == "active":
                self._progress.step("services", "active", name or "")
        self._progress.wrote(index, entry)

    def _state(self, step: str) -> str:
        return next((row.state for row in self._progress.now.steps if row.id == step), "")

    def _asked_names(self, address: UserAddress) -> Sequence[str]:
        if self.servers is None:
            return ()
        return [str(server) for server in self.servers.servers] or [address.domain]

    def who_asks(self, discovery: Discovery) -> str:
        """The host that will check the password, for the sign-in card."""
        if discovery.home is not None:
            return discovery.home.host
        return discovery.servers[0].host if discovery.servers else discovery.address.domain

    async def prove(self, discovery: Discovery, password: str) -> Proven:
        """Prove the password where the call manager checks it, and fetch what the company set.

        Raises SignInError without a fault for a wrong password, with one for everything else.
        """
        progress = self._progress
        progress.set(phase="connecting", wrong_password=None)
        home = discovery.home
        if home is None:
            plan = await self._plan_without_call_manager(discovery)
            progress.step("identity", "active", *(server.host for server in plan.servers[:1]))
            return Proven(plan, None)
        bases = cluster_bases(home.base, home.servers)
        progress.step("identity", "active", home.host)
        async with AsyncExitStack() as stack:
            call_manager = await stack.enter_async_context(
                CallManager(self.names, self._settings.ca_file, bases, home.user, password)
            )
            user = await self._user(call_manager, discovery)
            progress.step("identity", "done", call_manager.server)
            progress.step("connecting", "active", call_manager.server)
            ledger = self._ledger()
            try:
                fetched = await ConfigurationFetcher(call_manager, ledger, file_places(self._manual)).fetch(
                    user, discovery.services_domain, bases, discovery.decision
                )
            except ConfigurationFaultError as error:
                raise SignInError(error.fault.what, error.fault) from error
        if fetched.decision.authenticator is Authenticator.MESSENGER:
            fault = faults.cloud_domain(discovery.services_domain)
            raise SignInError(fault.what, fault)
        plan = fetched.plan
        if discovery.decision.authenticator is Authenticator.PRESENCE:  # by hand: that server and no other
            plan = replace_presence(plan, discovery.servers)
        return Proven(plan, user)

    async def _user(self, call_manager: CallManager, discovery: Discovery) -> User:
        began = self._progress.seconds
        address, server = str(discovery.address), call_manager.server
        question = f"GET {discovery.home.user_uri if discovery.home else ''}"
        asked = Reason.of("engine.trace.password", server=server)
        try:
            user = await call_manager.user()
        except WrongPasswordError as error:
            self._note_proof(asked, question, server, "HTTP 401", began, Outcome.FAILED)
            raise SignInError(Reason.of("engine.password_wrong", address=address)) from error
        except CallManagerError as error:
            self._note_proof(asked, question, server, error.detail, began, Outcome.FAILED)
            where = HostPort(error.server.rpartition(":")[0] or error.server or server, UDS_PORT)
            fault = faults.home_unreachable(server, ServerFailure(where, status=error.status, detail=error.detail))
            raise SignInError(fault.what, fault) from error
        self._note_proof(asked, question, server, "HTTP 200", began, Outcome.OK)
        return user

    def _note_proof(
        self, text: Reason, question: str, server: str, answer: str, began: float, outcome: Outcome
    ) -> None:
        self._progress.note(
            Kind.ASKED, text, outcome=outcome, question=question, server=server, answer=answer,
            took=self._progress.seconds - began,
        )  # fmt: skip

    async def _plan_without_call_manager(self, discovery: Discovery) -> Plan:
        address = discovery.address
        domain = discovery.services_domain or address.domain
        if discovery.decision.authenticator is Authenticator.CALL_MANAGER:
            fault = faults.unknown_user(
                str(address), discovery.servers[0] if discovery.servers else HostPort(domain, 0)
            )
            raise SignInError(fault.what, fault)
        by_hand = self.servers is not None
        # An old presence record names the log-in service's port; XMPP is at its own.
        servers = [str(one if by_hand else HostPort(one.host, XMPP_PORT)) for one in discovery.servers]
        if not servers:
            servers = await self._xmpp_servers(address.domain)
        return Plan(user=address.user, domain=address.domain if by_hand else domain, presence=servers, mode="im-only")

    async def _xmpp_servers(self, domain: str) -> list[str]:
        """Any XMPP server publishes where it is (RFC 6120 section 3.2.1); else it is the domain itself."""
        question = f"_xmpp-client._tcp.{domain}"
        self._progress.step("services", "active", question)
        answer = await self.names.srv(question)
        servers = [str(row.server) for row in order_srv(answer.srv)]
        self._progress.note(
            Kind.ASKED, Reason.of("engine.trace.xmpp_srv", domain=domain),
            outcome=Outcome.OK if servers else Outcome.NONE, question=answer.question, server=answer.server,
            answer=", ".join(servers) or str(answer.outcome), took=answer.took,
        )  # fmt: skip
        self._progress.step("services", "done", *servers[:2])
        return servers or [str(HostPort(domain, XMPP_PORT))]

    def _ledger(self) -> Ledger:
        first, began = len(self._progress.entries), self._progress.seconds

        def heard(index: int, entry: Entry) -> None:
            self._progress.wrote(first + index, replace(entry, at=began + entry.at))

        return Ledger(heard)


def cluster_bases(base: str, servers: Sequence[str]) -> list[str]:
    """The user data service on every node of the home cluster, that of ``base`` first."""
    first = URL(base)
    rows = [base, *(str(first.with_host(name)) for name in servers if name)]
    return list(dict.fromkeys(rows))


def replace_presence(plan: Plan, servers: Sequence[HostPort]) -> Plan:
    """The plan with other presence servers."""
    from msgspec.structs import replace as with_fields  # noqa: PLC0415 (its name is taken here)

    return with_fields(plan, presence=[str(server) for server in servers]) if servers else plan


def certificate_question(facts: CertificateFacts, reason: Reason) -> CertificateQuestion:
    """What the page shows of a certificate that is not trusted. It can't be accepted: no policy allows that."""
    return CertificateQuestion(
        server=facts.server,
        expected=facts.expected,
        found=list(facts.names),
        issuer=facts.issuer,
        valid_from=facts.valid_from,
        valid_until=facts.valid_until,
        fingerprint=facts.fingerprint,
        reason=reason,
        may_accept=False,
    )


def presence_fault(domain: str, reason: Reason) -> Fault:
    """The presence service can't be used at the first sign-in: ``reason`` is the decisive evidence."""
    return Fault(
        "messages-unreachable",
        Reason.of("engine.fault.presence.what", domain=domain),
        reason,
        Reason.of("engine.fault.presence.do-first"),
        Reason.of("engine.fault.presence.do-then", domain=domain),
    )
