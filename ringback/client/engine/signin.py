"""The way into a session: discovery, how the person signs in, the proof, configuration, the first connection.

Each stage is a coroutine that moves the ``Progress`` on and either goes through or raises ``SignInError``; the engine
runs it as one task that can be cancelled at any point.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from functools import partial

from msgspec.structs import replace as with_fields
from yarl import URL

from ringback.client.configuration.fetch import ConfigurationFaultError, ConfigurationFetcher
from ringback.client.configuration.plan import XMPP_PORT, Plan
from ringback.client.discovery import Discovery, DiscoverySettings, HomeCluster, Remembered, discover
from ringback.client.discovery.ledger import Ledger
from ringback.client.edge import EdgeProblemError, EdgeRoute, EdgeWay
from ringback.client.edge.asking import EdgePasswordError, EdgeStopError
from ringback.client.edge.entering import Entering, HomeFaultError
from ringback.client.edge.provider import check_provider
from ringback.client.engine.by_hand import UDS_PORT, file_places, manual_servers, name_server
from ringback.client.engine.errors import SignInError
from ringback.client.engine.progress import Progress
from ringback.client.engine.provisioned import filled_in, with_protocol
from ringback.client.engine.questions import certificate_question
from ringback.client.engine.settings import EngineSettings
from ringback.client.host.wire_sign_in import ManualSettings
from ringback.client.identity.authorization import (
    Authorization,
    AuthorizationError,
    GrantRefusedError,
    PasswordRefusedError,
    UnavailableError,
)
from ringback.client.identity.callmanager import (
    CallManager,
    CallManagerError,
    TokenRefusedError,
    WrongPasswordError,
)
from ringback.client.identity.credentials import Credentials
from ringback.client.identity.https import Https
from ringback.client.identity.keeper import TokenKeeper, Tokens
from ringback.client.names import ChosenNames
from ringback.client.trust import TrustJudge
from ringback.net.names import order_srv
from ringback.protocols.oauth.grants import AUTHORIZE_PATH, TOKEN_PATH
from ringback.protocols.oauth.probe import PATH as PROBE_PATH
from ringback.protocols.uds.people import User
from ringback.rules import faults
from ringback.rules.addresses import HostPort, UserAddress
from ringback.rules.authenticator import Authenticator
from ringback.rules.config_changes import Configured
from ringback.rules.faults import ServerFailure
from ringback.rules.reasons import Reason
from ringback.rules.sign_in import Method, SignInDecision, SignInEvidence, decide_sign_in
from ringback.rules.trace import Entry, Fault, Kind, Outcome


@dataclass(frozen=True, slots=True)
class Proven:
    """A person whose token or password was accepted, or will be by the presence service; with the session's plan.

    ``configured``: what counts of the company's settings, by name.
    """

    plan: Plan
    user: User | None
    configured: Configured = field(default_factory=lambda: Configured({}))


class SignInFlow:
    """One attempt of one person."""

    def __init__(
        self,
        settings: EngineSettings,
        manual: ManualSettings,
        progress: Progress,
        judge: TrustJudge,
        link: Mapping[str, str] | None = None,
    ) -> None:
        """``link``: what a set-up link says beyond where to look. Raises EngineError where a setting by hand is no
        server."""
        self.link = dict(link or {})
        manual = with_protocol(manual, self.link)
        self._judge = judge
        self._settings = settings
        self._manual = manual
        self.servers = manual_servers(manual)
        self._progress = progress
        self.names = ChosenNames(name_server(settings, manual), manual.internet_protocol)
        self.route = EdgeRoute()

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
                judge=self._judge,
                internet_protocol=self._manual.internet_protocol,
            ),
            remembered,
            on_entry=self._heard,
        )
        progress.set(suggestion=discovery.suggestion)
        if discovery.fault is not None:
            if discovery.stop is not None:
                progress.set(certificate=certificate_question(discovery.stop, discovery.fault.what))
            raise SignInError(discovery.fault.what, discovery.fault)
        self.route.change(discovery.edge)
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

    # --- how the person signs in

    async def ask_how(self, discovery: Discovery) -> SignInDecision:
        """How the person signs in there, noted in the trace. Raises SignInError where this client can't."""
        evidence = SignInEvidence(home=discovery.home is not None)
        if discovery.sign_in is not None:
            evidence = SignInEvidence(True, True, discovery.sign_in.single_sign_on, discovery.sign_in.tokens)
        elif discovery.home is not None:
            async with Https(self.names, self._judge, route=self.route) as https:
                evidence = await self._probe(Authorization(https, bases_of(discovery)))
        decision = decide_sign_in(evidence)
        self._progress.note(
            Kind.DECIDED, Reason.of(f"sign_in.trace.decided.{decision.method}"), outcome=Outcome.OK,
            reasons=decision.reasons,
        )  # fmt: skip
        if decision.method is Method.BROWSER and (way := self.route.now) is not None:
            await self._check_provider(way, discovery)
        if decision.method is Method.NONE:
            fault = faults.no_code_grant(self.who_asks(discovery))
            raise SignInError(fault.what, fault)
        return decision

    async def _check_provider(self, way: EdgeWay, discovery: Discovery) -> None:
        async with Https(self.names, self._judge, route=self.route) as https:
            try:
                await check_provider(way, Authorization(https, bases_of(discovery)), self.names, self._ledger())
            except EdgeProblemError as error:
                raise closed(way.domain, way.edge.host, error.reason) from error

    async def _probe(self, server: Authorization) -> SignInEvidence:
        began, asked = self._progress.seconds, Reason.of("sign_in.trace.probe")
        question, host = f"GET {server.issuer}{PROBE_PATH}", URL(server.issuer).host or ""
        try:
            probe = await server.probe()
        except UnavailableError as error:
            self._note_proof(asked, question, host, error.detail, began, Outcome.NONE)
            return SignInEvidence(home=True)
        answer = f"single sign-on {_on(probe.single_sign_on)}, code grant {_on(probe.code_grant)}"
        self._note_proof(asked, question, host, answer, began, Outcome.OK)
        return SignInEvidence(True, True, probe.single_sign_on, probe.code_grant)

    async def by_password(self, discovery: Discovery, method: Method, password: str, user: str = "") -> Credentials:
        """What the person proves themselves with from now on; ``user``: the name that they gave for that. Raises
        SignInError, without a fault for a wrong password."""
        self._progress.set(phase="connecting", wrong_password=None)
        home = discovery.home
        user = user or (home.user if home is not None else discovery.address.user)
        if home is None or not method.gives_tokens:
            return Credentials(user, password)
        self._progress.step("identity", "active", home.host)
        credentials = Credentials(user, password, TokenKeeper())
        async with Https(self.names, self._judge, route=self.route) as https:
            server = Authorization(https, bases_of(discovery))
            credentials.take(await self._password_to_tokens(server, credentials, str(discovery.address)))
        return credentials

    async def _password_to_tokens(self, server: Authorization, credentials: Credentials, address: str) -> Tokens:
        began, asked = self._progress.seconds, Reason.of("sign_in.trace.code")
        question, host = f"GET {server.issuer}{AUTHORIZE_PATH}", URL(server.issuer).host or ""
        try:
            answer = await server.by_password(credentials.user, credentials.password)
        except PasswordRefusedError as error:
            self._note_proof(asked, question, error.server, error.detail, began, Outcome.FAILED)
            wrong = Reason.of("engine.password_wrong", address=address)
            locked = Reason.of("sign_in.locked", seconds=round(error.wait))
            raise SignInError(locked if error.locked else wrong) from error
        except GrantRefusedError as error:
            self._note_proof(asked, question, error.server, error.detail, began, Outcome.FAILED)
            raise SignInError(Reason.of("sign_in.browser.refused", server=error.server, why=error.detail)) from error
        except UnavailableError as error:
            self._note_proof(asked, question, host, error.detail, began, Outcome.FAILED)
            raise self._unreachable(error.server or host, error) from error
        self._note_proof(asked, question, host, "a code, then tokens", began, Outcome.OK)
        return credentials.received(answer, server.issuer)

    async def by_code(
        self, discovery_user: str, server: Authorization, code: str, verifier: str, redirect: str
    ) -> Tokens:
        """The tokens of a code that the browser brought. Raises SignInError."""
        began, asked = self._progress.seconds, Reason.of("sign_in.trace.browser")
        question, host = f"POST {server.issuer}{TOKEN_PATH}", URL(server.issuer).host or ""
        try:
            answer = await server.redeem(code, verifier, redirect)
        except GrantRefusedError as error:
            self._note_proof(asked, question, error.server, error.detail, began, Outcome.FAILED)
            raise SignInError(Reason.of("sign_in.browser.refused", server=error.server, why=error.detail)) from error
        except UnavailableError as error:
            self._note_proof(asked, question, host, error.detail, began, Outcome.FAILED)
            raise self._unreachable(error.server or host, error) from error
        self._note_proof(asked, question, host, answer.user_id, began, Outcome.OK)
        if answer.user_id and answer.user_id.casefold() != discovery_user.casefold():
            with contextlib.suppress(AuthorizationError):  # nobody uses it: it ends by itself, too
                await server.revoke(answer.refresh_token)
            raise SignInError(
                Reason.of("sign_in.browser.other_person", server=host, found=answer.user_id, wanted=discovery_user)
            )
        return Credentials(discovery_user).received(answer, server.issuer)

    async def prove(self, discovery: Discovery, credentials: Credentials, method: Method) -> Proven:
        """Ask for the person's own document, which proves who they are, and fetch what the company set.

        Raises SignInError without a fault for a wrong password, with one for everything else.
        """
        progress = self._progress
        progress.set(phase="connecting", wrong_password=None)
        home = discovery.home
        if home is None:
            plan = await self._plan_without_call_manager(discovery)
            progress.step("identity", "active", *(server.host for server in plan.servers[:1]))
            return Proven(plan, None)
        progress.step("identity", "active", home.host)
        if self.route.now is not None:
            home = await self._go_through(self.route.now, discovery, credentials)
            discovery = replace(discovery, home=home)
        bases = cluster_bases(home.base, home.servers)
        async with AsyncExitStack() as stack:
            call_manager = await stack.enter_async_context(
                CallManager(self.names, self._judge, bases, credentials, self.route)
            )
            user = await self._user(call_manager, discovery)
            progress.step("identity", "done", call_manager.server)
            progress.step("connecting", "active", call_manager.server)
            ledger = self._ledger()
            try:
                fill_in = partial(filled_in, link=self.link)
                fetched = await ConfigurationFetcher(call_manager, ledger, file_places(self._manual), fill_in).fetch(
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
        if self.route.now is not None:
            plan = with_fields(plan, edge=self.route.now.kept())
        settings = {name: setting.value for name, setting in fetched.settings.items()}
        return Proven(plan, user, Configured(settings, plan.mode, method.value))

    async def _go_through(self, way: EdgeWay, discovery: Discovery, credentials: Credentials) -> HomeCluster:
        """Open the way through the edge and find the person's home cluster behind it. Raises SignInError."""
        entering = Entering(self.names, self._judge, self.route, self._ledger())
        try:
            return await entering.enter(way, discovery.address, credentials)
        except EdgePasswordError as error:
            wrong = Reason.of("engine.password_wrong", address=discovery.address)
            raise SignInError(error.reason if credentials.by_token else wrong) from error
        except EdgeStopError as error:
            fault = faults.edge_closed(way.domain, way.edge.host, error.reason)
            self._progress.set(certificate=certificate_question(error.stop, fault.what))
            raise SignInError(fault.what, fault) from error
        except EdgeProblemError as error:
            raise closed(way.domain, way.edge.host, error.reason) from error
        except HomeFaultError as error:
            raise SignInError(error.fault.what, error.fault) from error

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
        except TokenRefusedError as error:
            self._note_proof(asked, question, server, error.detail, began, Outcome.FAILED)
            raise SignInError(error.reason) from error
        except CallManagerError as error:
            self._note_proof(asked, question, server, error.detail, began, Outcome.FAILED)
            raise self._unreachable(error.server or server, error) from error
        self._note_proof(asked, question, server, "HTTP 200", began, Outcome.OK)
        return user

    def _unreachable(self, server: str, error: UnavailableError | CallManagerError) -> SignInError:
        """The fault of a call manager that was of no use; a certificate in the way becomes a question."""
        stop, way = error.stop, self.route.now
        if error.reason is not None and way is not None:
            return closed(way.domain, way.edge.host, error.reason)
        where = HostPort(server.rpartition(":")[0] or server, UDS_PORT)
        considered = stop.considered if stop is not None else None
        failure = ServerFailure(
            where,
            considered.obstacle if considered is not None else None,
            considered.facts if considered is not None else None,
            status=error.status,
            detail=error.detail,
        )
        fault = faults.home_unreachable(where.host, failure)
        if stop is not None:
            self._progress.set(certificate=certificate_question(stop, fault.what))
        return SignInError(fault.what, fault)

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


def closed(domain: str, edge: str, reason: Reason) -> SignInError:
    """The edge lets nobody through, for ``reason``."""
    fault = faults.edge_closed(domain, edge, reason)
    return SignInError(fault.what, fault)


def replace_presence(plan: Plan, servers: Sequence[HostPort]) -> Plan:
    """The plan with other presence servers."""
    return with_fields(plan, presence=[str(server) for server in servers]) if servers else plan


def bases_of(discovery: Discovery) -> list[str]:
    """The user data service on every node of the person's home cluster; empty where there is none."""
    home = discovery.home
    return cluster_bases(home.base, home.servers) if home is not None else []


def _on(value: bool) -> str:
    return "on" if value else "off"


def presence_fault(domain: str, reason: Reason) -> Fault:
    """The presence service can't be used at the first sign-in: ``reason`` is the decisive evidence."""
    return Fault(
        "messages-unreachable",
        Reason.of("engine.fault.presence.what", domain=domain),
        reason,
        Reason.of("engine.fault.presence.do-first"),
        Reason.of("engine.fault.presence.do-then", domain=domain),
    )
