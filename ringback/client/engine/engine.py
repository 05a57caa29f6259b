"""The engine of one person: the facade that page, terminal and scripts use alike.

Before the sign-in it holds progress and trace; from then on a ``Session`` and a ``Standing`` (how the person is signed
in). What happens is told as the typed events of the page's wire; what can be shown is in ``snapshot``. Methods raise
EngineError (or MessagingError) with a reason.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Self

import structlog

import ringback
from ringback.client.calling.line import LineSettings
from ringback.client.configuration.plan import Plan
from ringback.client.contacts.directory import Directory
from ringback.client.contacts.people import Facts
from ringback.client.discovery import Discovery
from ringback.client.engine import looking
from ringback.client.engine.by_hand import file_places, manual_servers, name_server, voice_domain
from ringback.client.engine.connector import Connector, Told
from ringback.client.engine.directory_service import DirectoryService
from ringback.client.engine.errors import EngineError, SignInError
from ringback.client.engine.progress import Progress
from ringback.client.engine.questions import QuestionBoard, certificate_question
from ringback.client.engine.refetch import Refetch
from ringback.client.engine.renewal import keep_renewing
from ringback.client.engine.session import Session
from ringback.client.engine.settings import EngineSettings
from ringback.client.engine.signin import Proven, SignInFlow, bases_of, presence_fault
from ringback.client.engine.sources import LINK_SCHEMES, Sources
from ringback.client.engine.standing import Signed, Standing, StandingHooks
from ringback.client.engine.ways import Way, Ways
from ringback.client.events import Events, Subscription
from ringback.client.host.wire import (
    Conversation,
    Features,
    Me,
    Person,
    PersonCard,
    SearchResults,
    Service,
    Snapshot,
    TraceGrew,
    Welcome,
)
from ringback.client.host.wire_sign_in import Account, AccountChanged, ManualSettings, QuestionsChanged, SignInChanged
from ringback.client.identity.accounts import Accounts, KeptAccount
from ringback.client.identity.authorization import Authorization, GrantRefusedError
from ringback.client.identity.callmanager import CallManager
from ringback.client.identity.credentials import Credentials
from ringback.client.identity.https import Https
from ringback.client.identity.keeper import TokenKeeper, Tokens
from ringback.client.messaging.photos import Photo
from ringback.client.names import ChosenNames
from ringback.client.store.keys import MasterKey, load_master_key
from ringback.client.store.place import Claim, claim
from ringback.client.store.store import Store, delete_store
from ringback.client.trust import CertificateStopError, Expected, Place, Purpose, TrustJudge, TrustPolicy, TrustSettings
from ringback.net.names import NameClient
from ringback.net.tls import platform_fips
from ringback.rules.addresses import AddressError, Jid, UserAddress
from ringback.rules.config_changes import Configured, Effect
from ringback.rules.discovery_schedule import Occasion
from ringback.rules.reasons import Reason
from ringback.rules.sign_in import Method, SignInDecision
from ringback.rules.trace import Entry, Kind, Outcome

GOODBYE_SECONDS = 3.0  # how long the end waits for the call manager to take a token back

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Found:
    """The servers of the address that was typed, and how the person signs in there."""

    flow: SignInFlow
    discovery: Discovery
    decision: SignInDecision


@dataclass(frozen=True, slots=True)
class Attempt:
    """All that a session begins with. ``patient``: what is kept is shown already, so keep trying."""

    address: UserAddress
    names: NameClient
    proven: Proven
    signed: Signed
    patient: bool = False


class Engine:
    """One person's engine. ``start`` it, sign in, and ``close`` it once; or use it as an async context manager."""

    def __init__(self, settings: EngineSettings) -> None:
        self._settings = settings
        self.events = Events(self)
        self.progress = Progress(self._progress_changed, self._trace_grew)
        self.session: Session | None = None
        self._plan: Plan | None = None
        self._manual = ManualSettings()
        self._found: Found | None = None
        self._last: Signed | None = None
        self._signed_out_here = False
        self.questions = QuestionBoard(self._questions_changed)
        self.standing: Standing | None = None
        self._refetch: Refetch | None = None
        self._task: asyncio.Task[None] | None = None
        self._connector: Connector | None = None
        self._background: set[asyncio.Task[None]] = set()
        self._goodbyes: set[asyncio.Task[None]] = set()
        self._directory: DirectoryService | None = None
        self._claim: Claim | None = None
        self._key: MasterKey | None = None
        self._machine: Store | None = None
        self._accounts: Accounts | None = None
        self._sources: Sources | None = None
        self._ways: Ways | None = None
        self._judge: TrustJudge | None = None
        self._declined: set[str] = set()
        self._switches: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # --- life

    async def start(self) -> None:
        """Open what is kept on this machine. Raises StoreError where the data folder can't be used."""
        folder = self._settings.data
        self._key = await asyncio.to_thread(load_master_key, folder, use_keyring=self._settings.use_keyring)
        self._machine = await Store.open(folder / "machine.db", self._key.key)
        self._accounts = Accounts(self._machine)
        self._sources = Sources(self._machine, self._accounts, self._settings.bootstrap)
        self._ways = Ways(self._machine)
        self._manual = await self._accounts.manual()
        self._switches = await self._read_switches()
        trust = TrustSettings(self._settings.ca_file, TrustPolicy.of(self._switches, platform_fips()))
        self._judge = TrustJudge(trust, NameClient(self._settings.name_server))
        await self._judge.attach(self._machine)
        self.progress.set(known=await self._accounts.known(), manual=self._manual)

    async def close(self) -> None:
        """End everything in order; what was acknowledged stays."""
        await self._end_attempt()
        last, self._last = self._last, None
        await self._end_session()
        if last is not None and not last.remember:
            self._revoke(last)  # nobody could use the tokens any more
        if self._goodbyes:
            await asyncio.wait(self._goodbyes, timeout=GOODBYE_SECONDS)
        for goodbye in self._goodbyes:
            goodbye.cancel()
        if self._judge is not None:
            self._judge.detach()
            await self._judge.close()
        if self._machine is not None:
            await self._machine.close()
            self._machine = None

    async def _read_switches(self) -> dict[str, str]:
        try:
            return await self.sources.switches()
        except EngineError as error:  # told at the first sign-in, which reads the same file
            log.warning("engine.switches_unreadable", reason=error.reason.id)
            return {}

    @property
    def accounts(self) -> Accounts:
        """The accounts known on this machine."""
        if self._accounts is None:
            raise EngineError(Reason.of("engine.not_started"))
        return self._accounts

    @property
    def sources(self) -> Sources:
        """What is kept for look-ups."""
        if self._sources is None:
            raise EngineError(Reason.of("engine.not_started"))
        return self._sources

    @property
    def ways(self) -> Ways:
        """Sign-ins that went to the browser."""
        if self._ways is None:
            raise EngineError(Reason.of("engine.not_started"))
        return self._ways

    @property
    def judge(self) -> TrustJudge:
        """Who says which servers may be trusted."""
        if self._judge is None:
            raise EngineError(Reason.of("engine.not_started"))
        return self._judge

    # --- what is shown

    def snapshot(self) -> Snapshot:
        """All that a page shows now."""
        session = self.session
        if session is None or self.progress.now.phase != "ready":
            return Snapshot(sign_in=self.progress.now, version=ringback.__version__)
        return Snapshot(
            sign_in=self.progress.now,
            me=session.me(),
            features=self.features(),
            people=[session.people.person(name) for name in session.people.ids()],
            groups=session.people.groups(),
            conversations=session.conversations(),
            services=session.board.all(),
            phone=session.calling.phone,
            calls=session.calling.calls(),
            recents=session.calling.recents(),
            questions=self.questions.now,
            account=self.account(),
            version=ringback.__version__,
        )

    def features(self) -> Features:
        """What the product mode gives this person."""
        plan = self._plan
        if plan is None:
            return Features()
        return Features(
            chats=plan.messages,
            contacts=True,
            group_chats=plan.messages,
            directory=bool(plan.call_managers),
            calls=plan.calls,
            video=plan.calls and plan.video,
            start_with_video=plan.calls and plan.video and plan.start_with_video,
            product_mode=plan.mode,
            reasons=plan.reasons,
        )

    def account(self) -> Account | None:
        """How the person is signed in."""
        return self.standing.signed.account if self.standing is not None else None

    def subscribe(self) -> Subscription:
        """A listener of everything that happens from now on."""
        return self.events.subscribe()

    def trace(self) -> list[Entry]:
        """The whole trace of the sign-in."""
        return list(self.progress.entries)

    def person(self, person_id: str) -> Person | None:
        """A person of the list."""
        return self.session.person(person_id) if self.session is not None else None

    def conversation(self, conversation_id: str) -> Conversation | None:
        """A conversation."""
        return self.session.conversation(conversation_id) if self.session is not None else None

    def groups(self) -> list[str]:
        """The contact groups."""
        return self.session.people.groups() if self.session is not None else []

    def me(self) -> Me | None:
        """The signed-in person."""
        return self.session.me() if self.session is not None else None

    def services(self) -> list[Service]:
        """The services' states."""
        return self.session.board.all() if self.session is not None else []

    def signed_in(self) -> Session:
        """The session. Raises EngineError where nobody is signed in."""
        if self.session is None or self.progress.now.phase != "ready":
            raise EngineError(Reason.of("engine.not_signed_in"))
        return self.session

    def _progress_changed(self) -> None:
        self.events.tell(SignInChanged(sign_in=self.progress.now))

    def _questions_changed(self) -> None:
        self.events.tell(QuestionsChanged(questions=self.questions.now))

    def _trace_grew(self, index: int, entry: Entry) -> None:
        self.events.tell(TraceGrew(first=index, entries=[entry]))

    # --- signing in

    async def find_services(self, address: str) -> None:
        """Begin with an address; returns when the work has begun. Raises EngineError for what is no address.

        A set-up link in its place (``ciscojabber://provision?...``) is kept, and the address is still wanted.
        """
        if address.strip().lower().startswith(LINK_SCHEMES):
            await self.sources.use_link(address.strip())
            return
        await self._begin(self._find(self._parse(address)))

    async def sign_in_with(self, password: str, remember: bool = False) -> None:
        """Go on with the password; returns when the work has begun. While signed in: the answer to the question to sign
        in again; returns when it was judged."""
        if self.session is not None and self.questions.now.again is not None:
            await self._again_with(password)
            return
        found = self._found
        if found is None:
            raise EngineError(Reason.of("engine.address_first"))
        if found.decision.method is Method.BROWSER:
            raise EngineError(Reason.of("sign_in.not_password"))
        await self._begin(self._prove(found, password, remember))

    async def use_known(self, address: str) -> None:
        """Sign in with what was remembered. What is kept is shown at once, before any server answered."""
        parsed = self._parse(address)
        account = await self.accounts.get(str(parsed))
        if account is None or not account.remembered:
            await self._begin(self._find(parsed))
            return
        self._manual = account.manual
        await self._begin(self._return(parsed, _signed_of(account)))

    async def sign_in(self, address: str, password: str, *, remember: bool = False) -> None:
        """All of it, for scripts: returns when signed in. Raises SignInError, EngineError."""
        await self.find(address)
        await self.sign_in_with(password, remember)
        await self.until_ready()

    async def find(self, address: str) -> SignInDecision:
        """Find the servers, for scripts: returns how the person signs in there. Raises SignInError, EngineError."""
        await self.find_services(address)
        await self._wait_attempt()
        if self._phase() != "credentials" or self._found is None:
            raise self._sign_in_error()
        return self._found.decision

    async def until_ready(self) -> None:
        """Wait for the running sign-in, for scripts. Raises SignInError."""
        await self._wait_attempt()
        if self._phase() != "ready":
            raise self._sign_in_error()

    # --- signing in in the browser

    async def begin_browser_sign_in(
        self, redirect: str, browser: str, *, remember: bool = False, quietly: bool = False
    ) -> Way:
        """A way through the browser that comes back to ``redirect``; ``browser`` is what it is known by here.

        Raises EngineError where nobody is to sign in, or by a password only.
        """
        standing, found = self.standing, self._found
        if self.session is not None and standing is not None and self.questions.now.again is not None:
            if not standing.signed.method.gives_tokens:
                raise EngineError(Reason.of("sign_in.not_browser"))
            question = await standing.browser_question(redirect, quietly=quietly)
            remember, address, again = standing.signed.remember, standing.signed.address, True
        elif found is not None and found.discovery.home is not None:
            if not found.decision.method.gives_tokens:
                raise EngineError(Reason.of("sign_in.not_browser"))
            async with Https(found.flow.names, self.judge) as https:
                question = Authorization(https, bases_of(found.discovery)).browser_question(
                    redirect,
                    hint=found.discovery.home.user,
                    prompt="none" if quietly else ("login" if self._signed_out_here else ""),
                )
            address, again = str(found.discovery.address), False
        else:
            raise EngineError(Reason.of("engine.address_first"))
        return await self.ways.begin(browser, address, question, remember=remember, quietly=quietly, again=again)

    async def came_back(self, pairs: Sequence[tuple[str, str]], secret: str, browser: str) -> None:
        """The browser is back with the answer in ``pairs`` (the query). Returns when the work has begun.

        Raises EngineError where the answer is to no question of this browser.
        """
        state = dict(pairs).get("state", "")
        way = await self.ways.back(state, secret, browser)
        if way is None:
            raise EngineError(Reason.of("sign_in.browser.no_question"))
        standing = self.standing
        if way.again and self.session is not None and standing is not None and standing.signed.address == way.address:
            await standing.with_answer(way, pairs)
            return
        await self._begin(self._finish(way, pairs))

    async def _finish(self, way: Way, pairs: Sequence[tuple[str, str]]) -> None:
        found = self._found
        if found is None or str(found.discovery.address) != way.address:  # the host was started anew meanwhile
            found = await self._look(self._parse(way.address))
        self.progress.set(phase="connecting", wrong_password=None, fault=None)
        self.progress.step("identity", "active")
        flow, discovery, home = found.flow, found.discovery, found.discovery.home
        if home is None:
            raise SignInError(Reason.of("sign_in.not_browser"))
        async with Https(flow.names, self.judge) as https:
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

    def _phase(self) -> str:
        return self.progress.now.phase

    async def _wait_attempt(self) -> None:
        if self._task is not None:
            await asyncio.wait([self._task])

    def _sign_in_error(self) -> SignInError:
        now = self.progress.now
        reason = now.wrong_password or (now.fault.what if now.fault else Reason.of("engine.cancelled"))
        return SignInError(reason, now.fault)

    async def cancel(self) -> None:
        """Give up the running sign-in."""
        await self._end_attempt()
        if self.progress.now.phase != "ready":
            await self._end_session()
            self.progress.set(phase="address", steps=[], fault=None, wrong_password=None, certificate=None, name="")

    async def try_again(self) -> None:
        """Run a failed sign-in again; once signed in: try to connect at once instead of waiting."""
        connector = self._connector
        if self.session is not None and connector is not None and connector.running and self._phase() == "ready":
            self._go_on()
            return
        if self._last is not None:
            await self._begin(self._return(self._parse(self.progress.now.address), self._last))
            return
        await self.find_services(self.progress.now.address)

    async def set_manual(self, settings: ManualSettings) -> None:
        """Keep connection settings. Raises EngineError naming the field that is no server."""
        manual_servers(settings)
        voice_domain(settings)
        file_places(settings)
        name_server(self._settings, settings)
        self._manual = settings
        await self.accounts.set_manual(settings)
        self.progress.set(manual=settings)

    async def test_servers(self, settings: ManualSettings) -> list[Entry]:
        """Try settings without signing in; the lines of the trace."""
        lines: list[Entry] = []

        def grew(index: int, entry: Entry) -> None:
            lines[index : index + 1] = [entry]
            self._trace_grew(index, entry)

        trial = Progress(lambda: None, grew)
        address = self.progress.now.address or f"test@{settings.voice_domain or 'localhost'}"
        trial.begin(address)
        with contextlib.suppress(SignInError):
            flow = SignInFlow(self._settings, settings, trial, self.judge)
            parsed = self._parse(address)
            await flow.find(parsed, await self.sources.remembered(parsed, settings, fresh=True))
        return trial.entries

    def _parse(self, address: str) -> UserAddress:
        try:
            return UserAddress.parse(address)
        except AddressError as error:
            raise EngineError(Reason.of("engine.address_wrong_typed", why=error)) from error

    async def _begin(self, work: Coroutine[object, object, None]) -> None:
        try:
            await self._end_attempt()
            await self._end_session()
        except BaseException:
            work.close()
            raise
        self._task = asyncio.create_task(self._attempt(work), name="sign-in")

    async def _end_attempt(self) -> None:
        task, self._task = self._task, None
        if task is not None and not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _attempt(self, work: Coroutine[object, object, None]) -> None:
        try:
            await work
        except SignInError as error:
            await self._end_session()
            if error.fault is not None:
                self.progress.failed(error.fault)
            else:
                self._last = None
                self.progress.step("identity", "failed")
                self.progress.set(phase="credentials", wrong_password=error.reason)
        except EngineError as error:
            await self._end_session()
            self.progress.failed(presence_fault(self.progress.now.address.rpartition("@")[2], error.reason))
        except Exception as error:  # told to the person with what is known, instead of an endless wait
            log.exception("engine.sign_in_failed")
            await self._end_session()
            reason = Reason.of("engine.internal", work="sign-in", kind=type(error).__name__)
            self.progress.failed(presence_fault(self.progress.now.address.rpartition("@")[2], reason))

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
        flow = SignInFlow(self._settings, self._manual, progress, self.judge)
        self.judge.change_names(flow.names)
        return flow

    async def _prove(self, found: Found, password: str, remember: bool) -> None:
        credentials = await found.flow.by_password(found.discovery, found.decision.method, password)
        await self._enter(found, credentials, remember)

    async def _enter(self, found: Found, credentials: Credentials, remember: bool) -> None:
        """Open the session of a person who proved who they are."""
        address, method = found.discovery.address, found.decision.method
        signed = Signed(str(address), credentials, method, bases_of(found.discovery), remember)
        self._last = signed  # a fault from here on needs no new proof
        proven = await found.flow.prove(found.discovery, credentials, method)
        await self._open_session(address, proven.plan)
        await self._connect(Attempt(address, found.flow.names, proven, signed))

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
        proven = Proven(plan, None, counts or Configured({}, plan.mode, ""))
        try:
            await self._connect(Attempt(address, flow.names, proven, signed, patient=True))
        except SignInError as error:
            if error.fault is None:
                await self.accounts.forget_secrets(str(address))
            raise

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
        if self._key.warning is not None:
            session.board.set("configuration", "up", text=self._key.warning)
        if plan.name:
            await session.learn([Facts(jid=str(own), name=plan.name)])

    async def _connect(self, attempt: Attempt) -> None:
        """Connect all services at once; returns when the first is up."""
        session, plan, signed = self.session, attempt.proven.plan, attempt.signed
        if session is None:
            return
        self.progress.step("connecting", "active", *(server.host for server in plan.servers[:2]))
        self.judge.change_policy(TrustPolicy.of(self._switches, platform_fips()).tightened(plan.trust))
        standing = self.standing = self._stand(attempt)
        if signed.credentials.by_token:
            signed.credentials.watch_end(plan.watch_end)
            self._spawn(standing.run(), "tokens")
        told = Told(
            lambda: self._spawn(self._password_changed(), "signed out"), standing.wants_password, self._ask_certificate
        )
        connector = self._connector = Connector(
            session, self.progress, attempt.names, self.judge, lambda: self._plan or plan, told
        )
        connector.start(signed.credentials)
        if plan.call_managers:
            self._spawn(self._run_directory(session, attempt), "directory")
        else:
            session.calling.stay_off(plan)
        self._refetch = Refetch(
            session.board, self.questions, partial(self._fetch_anew, attempt),
            partial(self._use_plan, session, attempt.address),
            attempt.proven.configured if attempt.proven.configured.settings else None,
        )  # fmt: skip
        occasion = Occasion.CACHED_START if attempt.patient else Occasion.LOOKED_UP
        look = partial(self._look_again, session)
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
        await self.sources.keep_plan(attempt.address, proven.plan)
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
            self.events.tell(AccountChanged(account=self.account()))

        def out(reasons: tuple[Reason, ...]) -> None:
            self._spawn(self._put_out(signed.address, reasons[0]), "signed out")

        def logout() -> bool:
            plan = self._plan
            return plan is not None and plan.logout

        hooks = StandingHooks(out, self._go_on, keep, logout)
        return Standing(signed, attempt.names, self.judge, self.questions, hooks)

    def _go_on(self) -> None:
        """Try at once what waits: something that stood in the way was settled, or the person asks for it."""
        session, standing = self.session, self.standing
        if session is None:
            return
        if standing is not None:
            standing.signed.credentials.hurry()
        if self._connector is not None:
            self._connector.restart()
        session.try_now()
        session.calling.try_now()

    async def _again_with(self, password: str) -> None:
        standing, question = self.standing, self.questions.now.again
        if standing is None or question is None:
            raise EngineError(Reason.of("sign_in.nothing_asked"))
        if question.asks != "password":
            raise EngineError(Reason.of("sign_in.not_password"))
        await standing.with_password(password)

    # --- certificates

    async def _look_at_phone_server(
        self, error: ssl.SSLCertVerificationError, host: str, address: str, port: int
    ) -> bool:
        """A certificate ended a connection for calls: whether to connect once more. What the person declined is not
        asked again in this session, though the phone goes on trying."""
        place = Place(host, port, Expected(Purpose.SIP), address)
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

    async def answer_certificate(self, fingerprint: str, accept: bool) -> None:
        """The person's word on a certificate. Raises EngineError where it is not theirs to say."""
        shown = self.questions.now.certificate or self.progress.now.certificate
        if not accept:
            self.judge.decline(fingerprint)
            self._declined.add(fingerprint)
            self.questions.ask_certificate(None)
            if self.session is None or self._phase() != "ready":
                await self.cancel()
            return
        if shown is None or shown.fingerprint != fingerprint or not shown.may_accept:
            raise EngineError(Reason.of("engine.certificate.policy"))
        try:
            await self.judge.accept(fingerprint)
        except KeyError as error:
            raise EngineError(Reason.of("engine.certificate.policy")) from error
        if self.session is not None and self._phase() == "ready":
            self.questions.ask_certificate(None)
            self._go_on()
        else:
            await self.try_again()

    # --- what changed meanwhile

    async def _look_again(self, session: Session, why: Reason) -> None:
        """Look for servers and settings while signed in. It shows in the service's reasons; who is connected stays so.

        Where the servers are others now, the next connection goes there; a look that fails leaves what works.
        """
        session.try_now()  # where a new network is the occasion, a waiting time need not be waited for
        if why.id == f"schedule.{Occasion.NETWORK_CHANGED}":
            session.calling.network_changed()
            if self.standing is not None:
                self.standing.signed.credentials.hurry()
        plan, refetch = self._plan, self._refetch
        if plan is not None and refetch is not None:
            await refetch.look(plan, why, self._key.warning if self._key else None)

    async def _fetch_anew(self, attempt: Attempt) -> Proven:
        quiet = Progress(lambda: None, lambda _index, _entry: None)
        quiet.begin(str(attempt.address))
        flow = SignInFlow(self._settings, self._manual, quiet, self.judge)
        known = await self.sources.remembered(attempt.address, self._manual, fresh=True)
        discovery = await flow.find(attempt.address, known)
        decision = await flow.ask_how(discovery)
        proven = await flow.prove(discovery, attempt.signed.credentials, decision.method)
        await self.sources.found(attempt.address, discovery)
        return proven

    async def _use_plan(self, session: Session, address: UserAddress, plan: Plan, counts: Configured) -> None:
        if self.session is not session:
            return
        if plan != self._plan:
            self._plan = plan
            self.judge.change_policy(TrustPolicy.of(self._switches, platform_fips()).tightened(plan.trust))
            await self.sources.keep_plan(address, plan)
        if counts.settings:
            await self.sources.keep_configured(address, counts)

    async def refresh_configuration(self) -> None:
        """Look now for servers and settings, as the person asks."""
        await self._look_again(self.signed_in(), Reason.of("schedule.asked"))

    async def apply_configuration(self) -> None:
        """Do what the company's changes ask for."""
        change = self.questions.now.configuration
        if change is None:
            raise EngineError(Reason.of("sign_in.nothing_asked"))
        if change.effect == Effect.TOLD.value:
            self.questions.tell_changes(None)
            return
        address = self.progress.now.address
        reset = change.effect == Effect.RESET.value
        await self.sign_out(forget=reset, by_person=False)
        if not reset:
            await self.sources.forget(str(self._parse(address)))
        why = Reason.of("changes.was_reset" if reset else "changes.signed_out")
        await self._begin(self._find(self._parse(address), why))

    async def postpone_configuration(self) -> None:
        """Go on as before."""
        if self._refetch is not None:
            self._refetch.postpone()

    def _ready(self) -> None:
        if self.progress.now.phase == "ready":
            return
        self.progress.step("ready", "done")
        self.progress.set(phase="ready")
        self.events.tell(Welcome(snapshot=self.snapshot()))

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

    def _spawn(self, work: Coroutine[object, object, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._background.add(task)
        task.add_done_callback(self._background_done)

    def _background_done(self, task: asyncio.Task[None]) -> None:
        self._background.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("engine.background_failed", work=task.get_name(), exc_info=error)

    async def _end_session(self) -> None:
        session, self.session = self.session, None
        self._declined.clear()
        connector, self._connector = self._connector, None
        if connector is not None:
            await connector.stop()
        others = [one for one in self._background if one is not asyncio.current_task()]
        for one in others:
            one.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        self._directory = None
        self._plan = None
        self._refetch = None
        standing, self.standing = self.standing, None
        if standing is not None:
            self.questions.clear()
        if session is not None:
            await session.store.close()
        if self._claim is not None:
            self._claim.release()
            self._claim = None

    # --- the directory

    async def _run_directory(self, session: Session, attempt: Attempt) -> None:
        """Keep a connection to the call manager for as long as the person is signed in."""
        plan, credentials = attempt.proven.plan, attempt.signed.credentials
        bases = plan.call_managers
        async with CallManager(attempt.names, self.judge, bases, credentials) as call_manager:
            directory = Directory(call_manager, plan.domain, plan.photo_template)
            service = self._directory = DirectoryService(session, directory)
            session.calling.use_directory(service)
            settings = LineSettings(
                attempt.names, lambda: self.judge.context(Expected(Purpose.SIP)), plan.name or plan.user,
                credentials.token_now, self._look_at_phone_server,
            )  # fmt: skip
            async with asyncio.TaskGroup() as group:
                group.create_task(service.run(attempt.proven.user), name="directory")
                group.create_task(session.calling.run(plan, settings, call_manager), name="phone")

    async def search(self, query: str, limit: int = 20) -> SearchResults:
        """People and rooms: own contacts first, then the directory."""
        return await looking.search(self.signed_in(), self._directory, query, limit)

    async def person_card(self, person_id: str) -> PersonCard:
        """All that is known of a person, with where it comes from."""
        return await looking.person_card(self.signed_in(), self._directory, person_id)

    async def photo(self, person_id: str) -> Photo | None:
        """The picture of a person; None where there is none."""
        return await looking.photo(self.signed_in(), self._directory, person_id)

    # --- signing out

    async def sign_out(self, forget: bool = False, *, by_person: bool = True) -> None:
        """End the session. What proves who the person is goes, here and at the call manager; with ``forget`` everything
        that was kept here goes."""
        address, last = self.progress.now.address, self._last
        await self._end_attempt()
        await self._end_session()
        if last is not None:
            self._revoke(last)
        self._last = self._found = None
        self._signed_out_here = by_person
        if address:
            await self.accounts.forget_secrets(address)
            await self.ways.forget(address)
            if forget:
                await self.forget_known(address)
        self.progress.entries.clear()
        self.progress.set(phase="address", steps=[], fault=None, wrong_password=None, certificate=None, name="")
        self.progress.set(
            address="", asks="password", why=[], signed_out=None, known=await self.accounts.known(), manual=self._manual
        )
        self.events.tell(Welcome(snapshot=self.snapshot()))

    def _revoke(self, signed: Signed) -> None:
        """Let the call manager know beside the loop: the person need not wait for it."""
        hooks = StandingHooks(lambda _: None, lambda: None, _keep_nothing, lambda: False)
        names = ChosenNames(name_server(self._settings, self._manual), self._manual.internet_protocol)
        standing = Standing(signed, names, self.judge, QuestionBoard(lambda: None), hooks)
        task = asyncio.create_task(standing.revoke(), name="goodbye")
        self._goodbyes.add(task)
        task.add_done_callback(self._goodbyes.discard)

    async def forget_known(self, address: str) -> None:
        """Delete all that is kept here of an account, but for stores that other sessions have open."""
        parsed = str(self._parse(address))
        account = await self.accounts.get(parsed)
        if account is not None and account.tokens is not None:
            self._revoke(_signed_of(account))
        await self.accounts.forget(parsed)
        await self.sources.forget(parsed)
        await self.judge.forget()
        taken = await asyncio.to_thread(claim, self._settings.data, parsed)
        try:
            await asyncio.to_thread(delete_store, taken.path)
        finally:
            taken.release()
        self.progress.set(known=await self.accounts.known())


def _signed_of(account: KeptAccount) -> Signed:
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
