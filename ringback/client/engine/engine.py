"""The engine of one person: the facade that page, terminal and scripts use alike.

Before the sign-in it holds progress and trace; from then on a ``Session``. What happens is told as the typed events of
the page's wire; what can be shown is in ``snapshot``. Methods raise EngineError (or MessagingError) with a reason.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from functools import partial
from types import TracebackType
from typing import Self

import structlog

import ringback
from ringback.client.calling.line import LineSettings
from ringback.client.configuration.plan import Plan
from ringback.client.contacts.directory import Directory, DirectoryError
from ringback.client.contacts.people import Facts
from ringback.client.contacts.search import find_people, find_rooms
from ringback.client.discovery import Discovery
from ringback.client.engine.by_hand import file_places, manual_servers, name_server, voice_domain
from ringback.client.engine.connector import Connector
from ringback.client.engine.directory_service import DirectoryService
from ringback.client.engine.errors import EngineError, SignInError
from ringback.client.engine.progress import Progress
from ringback.client.engine.renewal import keep_renewing
from ringback.client.engine.session import Session
from ringback.client.engine.settings import EngineSettings
from ringback.client.engine.signin import Proven, SignInFlow, presence_fault
from ringback.client.engine.sources import LINK_SCHEMES, Sources
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
from ringback.client.host.wire_sign_in import ManualSettings, SignInChanged
from ringback.client.identity.accounts import Accounts
from ringback.client.identity.callmanager import CallManager
from ringback.client.messaging.photos import Photo
from ringback.client.store.keys import MasterKey, load_master_key
from ringback.client.store.place import Claim, claim
from ringback.client.store.store import Store, delete_store
from ringback.net.names import NameClient
from ringback.protocols.uds.people import User
from ringback.rules.addresses import AddressError, Jid, UserAddress
from ringback.rules.discovery_schedule import Occasion
from ringback.rules.reasons import Reason
from ringback.rules.trace import Entry, Kind, Outcome

SEARCH_LIMIT = 100

log = structlog.get_logger(__name__)


class Engine:
    """One person's engine. ``start`` it, sign in, and ``close`` it once; or use it as an async context manager."""

    def __init__(self, settings: EngineSettings) -> None:
        self._settings = settings
        self.events = Events(self)
        self.progress = Progress(self._progress_changed, self._trace_grew)
        self.session: Session | None = None
        self._plan: Plan | None = None
        self._manual = ManualSettings()
        self._flow: SignInFlow | None = None
        self._discovery: Discovery | None = None
        self._known_password = ""
        self._remember = False
        self._task: asyncio.Task[None] | None = None
        self._connector: Connector | None = None
        self._background: set[asyncio.Task[None]] = set()
        self._directory: DirectoryService | None = None
        self._claim: Claim | None = None
        self._key: MasterKey | None = None
        self._machine: Store | None = None
        self._accounts: Accounts | None = None
        self._sources: Sources | None = None

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
        self._manual = await self._accounts.manual()
        self.progress.set(known=await self._accounts.known(), manual=self._manual)

    async def close(self) -> None:
        """End everything in order; what was acknowledged stays."""
        await self._end_attempt()
        await self._end_session()
        if self._machine is not None:
            await self._machine.close()
            self._machine = None

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
        """Go on with the password; returns when the work has begun."""
        if self._flow is None or self._discovery is None:
            raise EngineError(Reason.of("engine.address_first"))
        self._remember = remember
        await self._begin(self._prove(self._flow, self._discovery, password))

    async def use_known(self, address: str) -> None:
        """Sign in with the remembered password. What is kept is shown at once, before any server answered."""
        parsed = self._parse(address)
        account = await self.accounts.get(str(parsed))
        if account is None or not account.password:
            await self._begin(self._find(parsed))
            return
        self._manual = account.manual
        self._remember = True
        await self._begin(self._return(parsed, account.password))

    async def sign_in(self, address: str, password: str, *, remember: bool = False) -> None:
        """All of it, for scripts: returns when signed in. Raises SignInError, EngineError."""
        await self.find_services(address)
        await self._wait_attempt()
        if self._phase() != "credentials":
            raise self._sign_in_error()
        await self.sign_in_with(password, remember)
        await self._wait_attempt()
        if self._phase() != "ready":
            raise self._sign_in_error()

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
            self.session.try_now()
            self.session.calling.try_now()
            return
        if self._known_password:
            await self._begin(self._return(self._parse(self.progress.now.address), self._known_password))
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
            flow = SignInFlow(self._settings, settings, trial)
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
                self._known_password = ""
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

    async def _find(self, address: UserAddress) -> None:
        self._known_password = ""
        self._discovery = None
        self.progress.begin(str(address))
        flow = self._flow = SignInFlow(self._settings, self._manual, self.progress)
        self._discovery = await flow.find(address, await self.sources.remembered(address, self._manual))
        await self.sources.found(address, self._discovery)
        account = await self.accounts.get(str(address))
        name = account.name if account is not None else ""
        self.progress.set(phase="credentials", who_asks=flow.who_asks(self._discovery), name=name)

    async def _prove(self, flow: SignInFlow, discovery: Discovery, password: str) -> None:
        proven = await flow.prove(discovery, password)
        await self._open_session(discovery.address, proven.plan)
        await self._connect(flow.names, discovery.address, proven, password)

    async def _return(self, address: UserAddress, password: str) -> None:
        """A known account: its store first, then the servers of last time, then, where these fail, everything anew."""
        self.progress.begin(str(address))
        self._known_password = password
        flow = self._flow = SignInFlow(self._settings, self._manual, self.progress)
        plan = await self.sources.plan(address)
        if plan is None:
            known = await self.sources.remembered(address, self._manual)
            discovery = self._discovery = await flow.find(address, known)
            await self._prove(flow, discovery, password)
            return
        await self._open_session(address, plan)
        self._ready()
        self.progress.note(Kind.DECIDED, Reason.of("engine.trace.kept"), outcome=Outcome.OK)
        try:
            await self._connect(flow.names, address, Proven(plan, None), password, patient=True)
        except SignInError as error:
            if error.fault is None:
                await self.accounts.forget_password(str(address))
            raise

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

    async def _connect(
        self, names: NameClient, address: UserAddress, proven: Proven, password: str, *, patient: bool = False
    ) -> None:
        """Connect the services; returns when the first is up. ``patient``: what is kept is shown, so keep trying."""
        session, plan = self.session, proven.plan
        if session is None:
            return
        self.progress.step("connecting", "active", *(server.host for server in plan.servers[:2]))
        connector = self._connector = Connector(
            session, self.progress, names, self._settings.ca_file, lambda: self._plan or plan,
            lambda: self._spawn(self._password_changed(), "signed out"),
        )  # fmt: skip
        connector.start(password)
        if plan.call_managers:
            self._spawn(self._run_directory(session, plan, names, password, proven.user), "directory")
        else:
            session.calling.stay_off(plan)
        occasion = Occasion.CACHED_START if patient else Occasion.LOOKED_UP
        look = partial(self._look_again, session, address, password)
        self._spawn(keep_renewing(look, occasion, self._settings.addresses, self._settings.addresses_every), "plan")
        try:
            await connector.first()
        except SignInError as error:
            if not patient or error.fault is None or not connector.running:
                raise
            # what is kept is shown already, and the connection goes on trying
        self._known_password = password
        self.progress.step("identity", "done")
        self.progress.step("connecting", "done")
        await self.sources.keep_plan(address, plan)
        name = session.people.name(str(session.own))
        await self.accounts.signed_in(str(address), name, password if self._remember else None, self._manual)
        self._ready()

    async def _look_again(self, session: Session, address: UserAddress, password: str, why: Reason) -> None:
        """Look for servers and settings while signed in. It shows in the service's reasons; who is connected stays so.

        Where the servers are others now, the next connection goes there; a look that fails leaves what works.
        """
        session.try_now()  # where a new network is the occasion, a waiting time need not be waited for
        if why.id == f"schedule.{Occasion.NETWORK_CHANGED}":
            session.calling.network_changed()
        quiet = Progress(lambda: None, lambda _index, _entry: None)
        quiet.begin(str(address))
        try:
            flow = SignInFlow(self._settings, self._manual, quiet)
            discovery = await flow.find(address, await self.sources.remembered(address, self._manual, fresh=True))
            plan = (await flow.prove(discovery, password)).plan
        except EngineError as error:
            session.board.set("configuration", "waiting", text=error.reason, reasons=(error.reason, why))
            return
        session.board.set("configuration", "up", text=self._key.warning if self._key else None, reasons=(why,))
        await self.sources.found(address, discovery)
        if plan != self._plan and self.session is session:
            self._plan = plan
            await self.sources.keep_plan(address, plan)

    def _ready(self) -> None:
        if self.progress.now.phase == "ready":
            return
        self.progress.step("ready", "done")
        self.progress.set(phase="ready")
        self.events.tell(Welcome(snapshot=self.snapshot()))

    async def _password_changed(self) -> None:
        """The password is not right any more: ask for the new one, with the address still there."""
        address = self.progress.now.address
        await self._end_session()
        await self.accounts.forget_password(address)
        self._known_password = ""
        await self._end_attempt()
        self._task = asyncio.create_task(self._attempt(self._find(self._parse(address))), name="sign-in")

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
        connector, self._connector = self._connector, None
        if connector is not None:
            await connector.stop()
        others = [one for one in self._background if one is not asyncio.current_task()]
        for one in others:
            one.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        self._directory = None
        self._plan = None
        if session is not None:
            await session.store.close()
        if self._claim is not None:
            self._claim.release()
            self._claim = None

    # --- the directory

    async def _run_directory(
        self, session: Session, plan: Plan, names: NameClient, password: str, user: User | None
    ) -> None:
        """Keep a connection to the call manager for as long as the person is signed in."""
        async with CallManager(names, self._settings.ca_file, plan.call_managers, plan.user, password) as call_manager:
            directory = Directory(call_manager, plan.domain, plan.photo_template)
            service = self._directory = DirectoryService(session, directory)
            session.calling.use_directory(service)
            settings = LineSettings(names, self._settings.ca_file, plan.name or plan.user)
            async with asyncio.TaskGroup() as group:
                group.create_task(service.run(user), name="directory")
                group.create_task(session.calling.run(plan, settings, call_manager), name="phone")

    async def search(self, query: str, limit: int = 20) -> SearchResults:
        """People and rooms: own contacts first, then the directory."""
        session = self.signed_in()
        limit = max(1, min(limit, SEARCH_LIMIT))
        own = find_people(query, [session.people.person(name) for name in session.people.ids()], limit)
        rooms = find_rooms(query, session.conversations(), limit)
        if self._directory is None or not query.strip():
            return SearchResults(query=query, people=own, conversations=rooms, total=None)
        try:
            found = await self._directory.search(query, limit)
        except DirectoryError as error:
            return SearchResults(query=query, people=own, conversations=rooms, total=None, problem=error.reason)
        taken = {str(session.own), *(person.id for person in own)}
        others = [session.people.person(row.jid) for row in found.people if row.jid not in taken]
        return SearchResults(query=query, people=[*own, *others][:limit], conversations=rooms, total=found.total)

    async def person_card(self, person_id: str) -> PersonCard:
        """All that is known of a person, with where it comes from."""
        session = self.signed_in()
        if self._directory is not None and session.people.facts(person_id) is None:
            with contextlib.suppress(DirectoryError):  # its silence is shown as the state of the service
                await self._directory.learn([person_id])
        person = session.people.person(person_id)
        sources = []
        if person.in_list:
            sources.append(Reason.of("engine.source.roster"))
        if person.source:
            sources.append(Reason.of("engine.source.directory", server=person.source))
        shared = [talk.id for talk in session.conversations() if any(member.id == person_id for member in talk.members)]
        return PersonCard(person=person, sources=sources, shared_rooms=shared)

    async def photo(self, person_id: str) -> Photo | None:
        """The picture of a person; None where there is none."""
        session = self.signed_in()
        photo = await session.photos.get(person_id)
        if photo is None and self._directory is not None:
            await self._directory.learn_photo(person_id)
            photo = await session.photos.get(person_id)
        return photo

    # --- signing out

    async def sign_out(self, forget: bool = False) -> None:
        """End the session. A remembered password goes; with ``forget`` everything that was kept here goes."""
        address = self.progress.now.address
        await self._end_attempt()
        await self._end_session()
        self._known_password = ""
        self._discovery = None
        if address:
            await self.accounts.forget_password(address)
            if forget:
                await self.forget_known(address)
        self.progress.entries.clear()
        self.progress.set(phase="address", steps=[], fault=None, wrong_password=None, certificate=None, name="")
        self.progress.set(address="", known=await self.accounts.known(), manual=self._manual)
        self.events.tell(Welcome(snapshot=self.snapshot()))

    async def forget_known(self, address: str) -> None:
        """Delete all that is kept here of an account, but for stores that other sessions have open."""
        parsed = str(self._parse(address))
        await self.accounts.forget(parsed)
        await self.sources.forget(parsed)
        taken = await asyncio.to_thread(claim, self._settings.data, parsed)
        try:
            await asyncio.to_thread(delete_store, taken.path)
        finally:
            taken.release()
        self.progress.set(known=await self.accounts.known())
