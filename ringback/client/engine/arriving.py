"""The way from an address to a session, and what keeps a session going: tokens, connection, directory, new looks.

The steps of a sign-in are coroutines that run as the engine's one attempt; everything that lives as long as the session
is spawned by ``_connect`` and ended with it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import structlog

from ringback.client.configuration.plan import Plan
from ringback.client.contacts.sources.base import Record
from ringback.client.contacts.sources.context import Login, SourceContext
from ringback.client.contacts.sources.uds import UdsSource
from ringback.client.contacts.system_books import own_address_books
from ringback.client.discovery import locate
from ringback.client.edge import EdgeRoute, EdgeWay
from ringback.client.engine.base import Attempt, Found
from ringback.client.engine.by_hand import name_server, voice_domain, voicemail_servers
from ringback.client.engine.connector import Connector, Told
from ringback.client.engine.errors import EngineError, SignInError
from ringback.client.engine.moves import Moves
from ringback.client.engine.people_service import ACCOUNT, PeopleService
from ringback.client.engine.progress import Progress
from ringback.client.engine.questions import QuestionBoard
from ringback.client.engine.refetch import Refetch
from ringback.client.engine.renewal import keep_renewing
from ringback.client.engine.session import Session
from ringback.client.engine.signin import Proven, SignInFlow, bases_of
from ringback.client.engine.standing import Signed, Standing, StandingHooks
from ringback.client.engine.ways import Way
from ringback.client.host.wire_sign_in import AccountChanged
from ringback.client.identity.accounts import KeptAccount
from ringback.client.identity.authorization import Authorization, GrantRefusedError
from ringback.client.identity.callmanager import CallManager
from ringback.client.identity.credentials import Credentials
from ringback.client.identity.https import Https
from ringback.client.identity.keeper import TokenKeeper, Tokens
from ringback.client.names import ChosenNames
from ringback.client.store.place import claim
from ringback.client.store.store import Store
from ringback.client.voicemail.errors import UnreachableError
from ringback.client.voicemail.service import VoicemailMeans
from ringback.rules.address_scheme import OwnEvidence, decide_scheme
from ringback.rules.addresses import Jid, UserAddress
from ringback.rules.config_changes import Configured
from ringback.rules.discovery_schedule import Occasion
from ringback.rules.reasons import Reason
from ringback.rules.remote_access import Location
from ringback.rules.sign_in import Method
from ringback.rules.trace import Kind, Outcome

LOCATE_SECONDS = 1.5  # for the question where one is, while what is kept is shown already

log = structlog.get_logger(__name__)


class Arriving(Moves):
    """Signing in, and staying so."""

    async def _find(self, address: UserAddress, signed_out: Reason | None = None) -> None:
        found = await self._look(address, signed_out)
        account = await self.accounts.get(str(address))
        self.progress.set(
            phase="credentials",
            asks=found.decision.method.asks,
            who_asks=found.flow.who_asks(found.discovery),
            why=list(found.decision.reasons),
            name=account.name if account is not None else "",
        )

    async def _look(self, address: UserAddress, signed_out: Reason | None = None) -> Found:
        """Find the servers and how the person signs in there."""
        self._last = self._found = None
        self.progress.begin(str(address))
        if signed_out is not None:
            self.progress.set(signed_out=signed_out)
        flow = self._flow_of(self.progress)
        discovery = await flow.find(address, await self.sources.remembered(address, self._manual))
        await self.sources.found(address, discovery)
        found = self._found = Found(flow, discovery, await flow.ask_how(discovery))
        return found

    def _flow_of(self, progress: Progress) -> SignInFlow:
        flow = SignInFlow(self._settings, self._manual, progress, self.judge, self._link)
        self.judge.change_names(flow.names)
        return flow

    async def _prove(self, found: Found, password: str, remember: bool) -> None:
        credentials = await found.flow.by_password(found.discovery, found.decision.method, password, found.user)
        await self._enter(found, credentials, remember)

    async def _enter(self, found: Found, credentials: Credentials, remember: bool) -> None:
        """Open the session of a person who proved who they are."""
        address, method = found.discovery.address, found.decision.method
        signed = Signed(str(address), credentials, method, bases_of(found.discovery), remember)
        self._last = signed  # a fault from here on needs no new proof
        proven = await found.flow.prove(found.discovery, credentials, method)
        signed.bases = list(dict.fromkeys([*proven.plan.call_managers, *signed.bases]))
        await self._open_session(address, proven.plan)
        await self._connect(Attempt(address, found.flow.names, proven, signed, way=found.flow.route.now))

    async def _return(self, address: UserAddress, signed: Signed) -> None:
        """A known account: its store first, then the servers of last time, then, where these fail, everything anew."""
        self.progress.begin(str(address))
        flow = self._flow_of(self.progress)
        self._last = signed
        plan = await self.sources.plan(address)
        if plan is None:
            await self._return_anew(address, signed)
            return
        await self._open_session(address, plan)
        self._ready()
        self.progress.note(Kind.DECIDED, Reason.of("engine.trace.kept"), outcome=Outcome.OK)
        counts = await self.sources.configured(address)
        signed.bases = [*signed.bases, *plan.call_managers]
        if not signed.credentials.by_token:
            signed.credentials.user = plan.user
        # How the person is signed in counts, not how people signed in when somebody looked last.
        counted = Configured({}, plan.mode, "") if counts is None else replace(counts, method=signed.method.value)
        proven = Proven(plan, None, counted)
        try:
            way = await self._way_back(flow, address, plan)
            await self._connect(Attempt(address, flow.names, proven, signed, patient=True, way=way))
        except SignInError as error:
            if error.fault is None:
                await self.accounts.forget_secrets(str(address))
            raise

    async def _way_back(self, flow: SignInFlow, address: UserAddress, plan: Plan) -> EdgeWay | None:
        """The way to the servers of last time: asked of the name server each time, since one may be elsewhere by now;
        where it says nothing, the way of last time."""
        kept = EdgeWay.of(plan.edge) if plan.edge is not None else None
        if self._manual.mode == "manual":
            return kept
        domain = voice_domain(self._manual) or plan.voice_domain or address.domain
        try:
            async with asyncio.timeout(LOCATE_SECONDS):
                found = await locate(flow.names, domain)
        except TimeoutError:
            return kept
        where = found.location.location
        if where is Location.UNKNOWN:
            return kept
        self.progress.note(
            Kind.DECIDED, Reason.of(f"trace.decided.location.{where}"), outcome=Outcome.OK,
            reasons=found.location.reasons,
        )  # fmt: skip
        if where is Location.INSIDE:
            return None
        if kept is not None and set(found.edges) <= set(kept.edges):
            kept.reasons = found.location.reasons
            return kept
        return EdgeWay(domain, found.edges, found.location.reasons)

    async def _return_anew(self, address: UserAddress, signed: Signed) -> None:
        """Who the person is, is known, but nothing of the servers."""
        found = await self._look(address)
        if found.decision.method.gives_tokens and not signed.credentials.by_token:
            await self._prove(found, signed.credentials.password, signed.remember)
            return
        if signed.credentials.by_token and not found.decision.method.gives_tokens:
            await self._find(address)
            return
        await self._enter(found, signed.credentials, signed.remember)

    async def _open_session(self, address: UserAddress, plan: Plan) -> None:
        if self._key is None:
            raise EngineError(Reason.of("engine.not_started"))
        own = Jid(plan.user, plan.domain)
        self._claim = await asyncio.to_thread(claim, self._settings.data, str(address))
        store = await Store.open(self._claim.path, self._key.key)
        self._plan = plan
        session = self.session = Session(own, store, self.events)
        await session.load()
        people = self._people = PeopleService(session, self._ask_certificate)
        own_books = await asyncio.to_thread(own_address_books, self._settings.data)
        people.sources.use_books((*self._settings.address_books, *own_books))
        session.calling.use_directory(people)
        if self._key.warning is not None:
            session.board.set("configuration", "up", text=self._key.warning)
        if plan.name:
            row = Record(source=ACCOUNT, key=plan.user, at=time.time(), jid=str(own), user=plan.user, name=plan.name)
            await session.learn([row])

    async def _connect(self, attempt: Attempt) -> None:
        """Connect all services at once; returns when the first is up."""
        session, plan, signed, people = self.session, attempt.proven.plan, attempt.signed, self._people
        if session is None or people is None:
            return
        self.progress.step("connecting", "active", *(server.host for server in plan.servers[:2]))
        self.judge.change_policy(self._base_policy().tightened(plan.trust))
        self.route.change(attempt.way)
        standing = self.standing = self._stand(attempt)
        if signed.credentials.by_token:
            signed.credentials.watch_end(plan.watch_end)
            self._spawn(standing.run(), "tokens")
        self._spawn(self._mover_of(session, attempt).run(), "moving")
        told = Told(
            lambda: self._spawn(self._password_changed(), "signed out"), standing.wants_password,
            self._ask_certificate, self._doubt_place,
        )  # fmt: skip
        connector = self._connector = Connector(
            session, self.progress, attempt.names, self.judge, lambda: self._plan or plan, told, self.route
        )
        connector.start(signed.credentials)
        if plan.call_managers:
            self._spawn(self._run_directory(session, people, attempt), "directory")
        else:
            session.calling.stay_off(plan)
            context = self._source_context(session, attempt, None)
            self._spawn(people.run(context), "people")
        self._spawn(self._run_voicemail(session, attempt), "voicemail")
        self._spawn(self._keep_edge(session, attempt), "edge")
        self._tell_place()
        self._refetch = Refetch(
            session.board, self.questions, partial(self._fetch_anew, attempt),
            partial(self._use_plan, session, attempt.address),
            attempt.proven.configured if attempt.proven.configured.settings else None,
        )  # fmt: skip
        occasion = Occasion.CACHED_START if attempt.patient else Occasion.LOOKED_UP
        look = partial(self._look_beside, session)
        self._spawn(
            keep_renewing(
                look, occasion, self._settings.addresses, self._settings.addresses_every, hours=plan.refetch_hours
            ),
            "plan",
        )
        try:
            await connector.first()
        except SignInError as error:
            if not attempt.patient or error.fault is None or not connector.running:
                raise
            # what is kept is shown already, and the connection goes on trying
        await self._arrived(session, attempt)

    async def _arrived(self, session: Session, attempt: Attempt) -> None:
        """Keep what the next start needs, and show the session."""
        signed, proven = attempt.signed, attempt.proven
        self._last = signed
        self._signed_out_here = False
        self.progress.step("identity", "done")
        self.progress.step("connecting", "done")
        await self.sources.keep_plan(attempt.address, self._plan or proven.plan)
        if proven.configured.settings and not attempt.patient:
            await self.sources.keep_configured(attempt.address, proven.configured)
        await self._keep_account(session.people.name(str(session.own)), signed)
        self._ready()

    async def _keep_account(self, name: str, signed: Signed) -> None:
        credentials = signed.credentials
        await self.accounts.signed_in(
            KeptAccount(
                address=signed.address, name=name, manual=self._manual, method=signed.method.value,
                password=credentials.password if signed.remember else "",
                tokens=credentials.tokens if signed.remember else None,
            )
        )  # fmt: skip

    def _stand(self, attempt: Attempt) -> Standing:
        signed = attempt.signed

        async def keep(tokens: Tokens | None) -> None:
            if tokens is None:
                await self.accounts.forget_secrets(signed.address)
            elif signed.remember:
                await self.accounts.keep_tokens(signed.address, tokens)
            if tokens is not None and self.session is not None:
                self.session.calling.token_changed()
            self.events.tell(AccountChanged(account=self.account()))

        def out(reasons: tuple[Reason, ...]) -> None:
            self._spawn(self._put_out(signed.address, reasons[0]), "signed out")

        def logout() -> bool:
            plan = self._plan
            return plan is not None and plan.logout

        hooks = StandingHooks(out, self._go_on, keep, logout)
        return Standing(signed, attempt.names, self.judge, self.questions, hooks, self.route)

    def _go_on(self) -> None:
        """Try at once what waits: something that stood in the way was settled, or the person asks for it."""
        session, standing = self.session, self.standing
        if session is None:
            return
        if standing is not None:
            standing.signed.credentials.hurry()
        if self._connector is not None:
            self._connector.restart()
        if self._edge_keeper is not None:
            self._edge_keeper.hurry()
        session.try_now()
        session.calling.try_now()
        session.voicemail.try_now()
        if self._people is not None:
            self._people.try_now()

    async def _look_beside(self, session: Session, why: Reason) -> None:
        """Look beside whoever watches the network, which may change again meanwhile: then only the last look counts."""
        if self._looking is not None:
            self._looking.cancel()
        self._looking = self._spawn(self._look_again(session, why), "look")

    async def _look_again(self, session: Session, why: Reason) -> None:
        """Look for servers and settings while signed in. It shows in the service's reasons; who is connected stays so.

        Where the servers are others now, the next connection goes there; a look that fails leaves what works.
        """
        changed = why.id == f"schedule.{Occasion.NETWORK_CHANGED}"
        if changed and self._manual.mode == "manual":
            self._go_anew(session)  # wherever this is, the servers are those that the person named
        elif changed and self._mover is not None:
            self._mover.changed(why)
            await self._mover.settled()
        else:
            session.try_now()  # where somebody asks, a waiting time need not be waited for
        plan, refetch = self._plan, self._refetch
        if plan is not None and refetch is not None:
            await refetch.look(plan, why, self._key.warning if self._key else None)

    async def _fetch_anew(self, attempt: Attempt) -> Proven:
        quiet = Progress(lambda: None, lambda _index, _entry: None)
        quiet.begin(str(attempt.address))
        flow = SignInFlow(self._settings, self._manual, quiet, self.judge, self._link)
        known = await self.sources.remembered(attempt.address, self._manual, fresh=True)
        discovery = await flow.find(attempt.address, known)
        decision = await flow.ask_how(discovery)
        # A probe without an answer says nothing about a change.
        method = decision.method if decision.answered else attempt.signed.method
        proven = await flow.prove(discovery, attempt.signed.credentials, method)
        await self.sources.found(attempt.address, discovery)
        return proven

    async def _use_plan(self, session: Session, address: UserAddress, plan: Plan, counts: Configured) -> None:
        if self.session is not session:
            return
        if (plan.edge is None) != (self.route.now is None):
            self._doubt_place()  # the look found its servers another way than this session's
        if plan != self._plan:
            self._plan = plan
            self.judge.change_policy(self._base_policy().tightened(plan.trust))
            await self.sources.keep_plan(address, plan)
        if counts.settings:
            await self.sources.keep_configured(address, counts)

    async def _password_changed(self) -> None:
        """The password is not right any more: ask for the new one, with the address still there."""
        await self._put_out(self.progress.now.address, None)

    async def _put_out(self, address: str, why: Reason | None) -> None:
        """The session is over without the person's doing; caches stay."""
        await self._end_session()
        await self.accounts.forget_secrets(address)
        self._last = None
        await self._end_attempt()
        self._task = asyncio.create_task(self._attempt(self._find(self._parse(address), why)), name="sign-in")

    def _source_context(self, session: Session, attempt: Attempt, call_manager: CallManager | None) -> SourceContext:
        """What directories are opened with."""
        plan, user, credentials = attempt.proven.plan, attempt.proven.user, attempt.signed.credentials
        person = user.person if user is not None else None
        uris = (person.directory_uri, person.ms_uri, person.email) if person is not None else ()
        people = self._people

        def password() -> Login | None:
            return Login(credentials.user, credentials.password) if credentials.password else None

        return SourceContext(
            names=attempt.names, judge=self.judge, own=session.own, user=plan.user, domain=plan.domain,
            services_domain=attempt.address.domain, call_manager=call_manager,
            parameters={**plan.directory.values, "UdsPhotoUriWithToken": plan.photo_template},
            typed=people.typed_login if people is not None else lambda: None, call_manager_login=password,
            scheme=decide_scheme(OwnEvidence(session.own, plan.user, uris)), route=self.route,
        )  # fmt: skip

    async def _run_directory(self, session: Session, people: PeopleService, attempt: Attempt) -> None:
        """Keep a connection to the call manager for as long as the person is signed in."""
        plan, credentials = attempt.proven.plan, attempt.signed.credentials
        bases = plan.call_managers
        async with CallManager(attempt.names, self.judge, bases, credentials, self.route) as call_manager:
            context, user = self._source_context(session, attempt, call_manager), attempt.proven.user
            own = UdsSource(context, call_manager).record(user.person) if user is not None else None
            if own is not None:
                own = replace(own, jid=str(session.own))
            settings = self._line_settings(attempt.names, plan, credentials)
            async with asyncio.TaskGroup() as group:
                group.create_task(people.run(context, own), name="people")
                group.create_task(session.calling.run(plan, settings, call_manager), name="phone")

    async def _run_voicemail(self, session: Session, attempt: Attempt) -> None:
        """Keep the voicemail in step for as long as the person is signed in."""
        plan = attempt.proven.plan

        def certificate(error: UnreachableError) -> None:
            facts = error.stop.considered.facts if error.stop is not None else None
            if error.stop is not None and facts is not None and facts.fingerprint not in self._declined:
                self._ask_certificate(error.stop, error.reason, "voicemail")

        means = VoicemailMeans(
            voicemail_servers(self._manual, plan.voicemail), attempt.names, self.judge,
            attempt.signed.credentials, plan.voicemail_credentials, certificate,
            data=self._settings.data, route=self.route,
        )  # fmt: skip
        await session.voicemail.run(means)

    async def _finish(self, way: Way, pairs: Sequence[tuple[str, str]]) -> None:
        found = self._found
        if found is None or str(found.discovery.address) != way.address:  # the host was started anew meanwhile
            found = await self._look(self._parse(way.address))
        self.progress.set(phase="connecting", wrong_password=None, fault=None)
        self.progress.step("identity", "active")
        flow, discovery, home = found.flow, found.discovery, found.discovery.home
        if home is None:
            raise SignInError(Reason.of("sign_in.not_browser"))
        async with Https(flow.names, self.judge, route=flow.route) as https:
            server = Authorization(https, [way.issuer, *bases_of(discovery)])
            try:
                code = server.code_of(pairs, way.state)
            except GrantRefusedError as error:
                words = "sign_in.browser.quietly_not" if way.quietly else "sign_in.browser.refused"
                raise SignInError(Reason.of(words, server=error.server, why=error.detail)) from error
            tokens = await flow.by_code(home.user, server, code, way.verifier, way.redirect)
        credentials = Credentials(home.user, "", TokenKeeper())
        credentials.take(tokens)
        await self._enter(found, credentials, way.remember)

    def _revoke(self, signed: Signed) -> None:
        """Let the call manager know beside the loop: the person need not wait for it."""
        hooks = StandingHooks(lambda _: None, lambda: None, _keep_nothing, lambda: False)
        names = ChosenNames(name_server(self._settings, self._manual), self._manual.internet_protocol)
        route = EdgeRoute(self.route.now)
        standing = Standing(signed, names, self.judge, QuestionBoard(lambda: None), hooks, route)
        task = asyncio.create_task(standing.revoke(), name="goodbye")
        self._goodbyes.add(task)
        task.add_done_callback(self._goodbyes.discard)


def signed_of(account: KeptAccount) -> Signed:
    """How a remembered person is signed in. Tokens know who gave them; else the plan names the servers."""
    tokens = account.tokens
    known = account.method in tuple(Method)
    if tokens is None:
        method = Method(account.method) if known else Method.PASSWORD
        user = account.address.rpartition("@")[0]
        return Signed(account.address, Credentials(user, account.password), method, [], remember=True)
    credentials = Credentials(tokens.user, account.password, TokenKeeper())
    credentials.take(tokens)
    method = Method(account.method) if known else Method.PASSWORD_FOR_TOKENS
    return Signed(account.address, credentials, method, [tokens.issuer], remember=True)


async def _keep_nothing(_: Tokens | None) -> None:
    """Where nothing is kept any more."""
