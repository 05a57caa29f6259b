"""What every part of an engine stands on: its state, what is shown of it, and the one sign-in that may be under way."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass

import structlog

import ringback
from ringback.client.configuration.plan import Plan
from ringback.client.discovery import Discovery
from ringback.client.edge import EdgeRoute, EdgeWay
from ringback.client.edge.keeping import EdgeKeeper
from ringback.client.engine.connector import Connector
from ringback.client.engine.errors import EngineError, SignInError
from ringback.client.engine.list_service import ListService
from ringback.client.engine.moving import Mover
from ringback.client.engine.people_service import PeopleService
from ringback.client.engine.place import PlaceBoard
from ringback.client.engine.progress import Progress
from ringback.client.engine.questions import QuestionBoard
from ringback.client.engine.refetch import Refetch
from ringback.client.engine.session import Session
from ringback.client.engine.session_base import utc_now
from ringback.client.engine.settings import EngineSettings
from ringback.client.engine.signin import Proven, SignInFlow, presence_fault
from ringback.client.engine.sources import Sources
from ringback.client.engine.standing import Signed, Standing
from ringback.client.engine.ways import Ways
from ringback.client.events import Events, Subscription
from ringback.client.host.wire import Features, Me, Security, Service, Snapshot, TraceGrew, Welcome
from ringback.client.host.wire_chats import Conversation
from ringback.client.host.wire_people import Person
from ringback.client.host.wire_sign_in import Account, ManualSettings, QuestionsChanged, SignInChanged
from ringback.client.identity.accounts import Accounts
from ringback.client.store.keys import MasterKey
from ringback.client.store.place import Claim
from ringback.client.store.store import Store
from ringback.client.trust import TrustJudge, TrustPolicy
from ringback.net.names import NameClient
from ringback.net.tls import platform_fips
from ringback.rules.addresses import AddressError, UserAddress
from ringback.rules.directory_settings import uses_ldap
from ringback.rules.reasons import Reason
from ringback.rules.services_outside import OutsideEvidence, missing_outside
from ringback.rules.sign_in import SignInDecision
from ringback.rules.trace import Entry

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Found:
    """The servers of the address that was typed, and how the person signs in there. ``user``: the user name that the
    person gave, empty where the one that goes with the address counts."""

    flow: SignInFlow
    discovery: Discovery
    decision: SignInDecision
    user: str = ""

    @property
    def guessed(self) -> str:
        """The user name that counts, where it is only taken from the address or was typed: outside the company's
        network nobody can be asked for it before one has signed in. Empty inside."""
        return (self.user or self.discovery.address.user) if self.flow.route.now is not None else ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """All that a session begins with. ``patient``: what is kept is shown already, so keep trying. ``way``: the way to
    its servers, None where they are reached directly."""

    address: UserAddress
    names: NameClient
    proven: Proven
    signed: Signed
    patient: bool = False
    way: EdgeWay | None = None


class EngineBase:
    """The state of an engine. ``ringback.client.engine.engine.Engine`` is what others use."""

    def __init__(self, settings: EngineSettings) -> None:
        self._settings = settings
        self.events = Events(self)
        self.progress = Progress(self._progress_changed, self._trace_grew)
        self.place = PlaceBoard(self.events, utc_now)
        self.session: Session | None = None
        self.route = EdgeRoute()
        self._mover: Mover | None = None
        self._looking: asyncio.Task[None] | None = None
        self._edge_keeper: EdgeKeeper | None = None
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
        self._people: PeopleService | None = None
        self._claim: Claim | None = None
        self._key: MasterKey | None = None
        self._machine: Store | None = None
        self._accounts: Accounts | None = None
        self._sources: Sources | None = None
        self._ways: Ways | None = None
        self._judge: TrustJudge | None = None
        self._declined: set[str] = set()
        self._switches: dict[str, str] = {}
        self._link: dict[str, str] = {}

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

    def snapshot(self) -> Snapshot:
        """All that a page shows now."""
        session = self.session
        if session is None or self.progress.now.phase != "ready":
            return Snapshot(sign_in=self.progress.now, security=self._security(), version=ringback.__version__)
        return Snapshot(
            sign_in=self.progress.now,
            me=session.me(),
            features=self.features(),
            people=[session.people.person(name) for name in session.people.ids()],
            groups=session.people.groups(),
            orders=session.people.orders(),
            directories=self._people.directories() if self._people is not None else [],
            conversations=session.conversations(),
            services=session.board.all(),
            place=self.place.now,
            phone=session.calling.phone,
            calls=session.calling.calls(),
            recents=session.calling.recents(),
            mailbox=session.voicemail.mailbox,
            voice_messages=session.voicemail.newest(),
            questions=self.questions.now,
            account=self.account(),
            security=self._security(),
            version=ringback.__version__,
        )

    def _base_policy(self) -> TrustPolicy:
        """How strict installation and set-up link want the client to be with certificates."""
        return TrustPolicy.of(self._switches, platform_fips()).tightened(self._link)

    def _security(self) -> Security:
        if self._judge is None:
            return Security()
        strictness = self._judge.policy.strictness
        return Security(mode=strictness.tls.name, reasons=list(strictness.reasons))

    def features(self) -> Features:
        """What the product mode gives this person."""
        plan = self._plan
        if plan is None:
            return Features()
        return Features(
            chats=plan.messages,
            contacts=True,
            group_chats=plan.messages,
            directory=bool(plan.call_managers) or bool(self._settings.address_books),
            calls=plan.calls,
            video=plan.calls and plan.video,
            start_with_video=plan.calls and plan.video and plan.start_with_video,
            product_mode=plan.mode,
            reasons=plan.reasons,
        )

    def _tell_place(self) -> None:
        """Tell where the person is by the way that counts now, why, and what is missing there."""
        way, plan = self.route.now, self._plan
        if plan is None:
            return
        if way is None:
            if self._manual.mode == "manual":  # nobody looked where this is
                self.place.set("")
            else:
                self.place.set("inside", reasons=(Reason.of("location.now.inside"),))
            return
        evidence = OutsideEvidence(
            messages=plan.messages, calls=plan.calls, ldap=uses_ldap(plan.directory.values), access=way.access,
            sip=bool(way.sip) or not way.opened,
        )  # fmt: skip
        missing = [(row.id, row.reason) for row in missing_outside(evidence)]
        self.place.set("outside", edge=str(way.edge), reasons=way.reasons, missing=missing)

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

    def orders(self) -> dict[str, list[str]]:
        """People put in order by hand, by group."""
        return self.session.people.orders() if self.session is not None else {}

    def me(self) -> Me | None:
        """The signed-in person."""
        return self.session.me() if self.session is not None else None

    def services(self) -> list[Service]:
        """The services' states."""
        return self.session.board.all() if self.session is not None else []

    def people(self) -> PeopleService:
        """Searches, cards and directories. Raises EngineError where nobody is signed in."""
        if self.session is None or self._people is None:
            raise EngineError(Reason.of("engine.not_signed_in"))
        return self._people

    def contact_list(self) -> ListService:
        """Contacts, groups and files of them. Raises EngineError where nobody is signed in."""
        return self.signed_in().contact_list

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

    def _phase(self) -> str:
        return self.progress.now.phase

    async def _wait_attempt(self) -> None:
        if self._task is not None:
            await asyncio.wait([self._task])

    def _sign_in_error(self) -> SignInError:
        now = self.progress.now
        reason = now.wrong_password or (now.fault.what if now.fault else Reason.of("engine.cancelled"))
        return SignInError(reason, now.fault)

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
                user = self._found.guessed if self._found is not None else ""
                self.progress.set(phase="credentials", wrong_password=error.reason, user=user)
        except EngineError as error:
            await self._end_session()
            self.progress.failed(presence_fault(self.progress.now.address.rpartition("@")[2], error.reason))
        except Exception as error:  # told to the person with what is known, instead of an endless wait
            log.exception("engine.sign_in_failed")
            await self._end_session()
            reason = Reason.of("engine.internal", work="sign-in", kind=type(error).__name__)
            self.progress.failed(presence_fault(self.progress.now.address.rpartition("@")[2], reason))

    def _ready(self) -> None:
        if self.progress.now.phase == "ready":
            return
        self.progress.step("ready", "done")
        self.progress.set(phase="ready")
        self.events.tell(Welcome(snapshot=self.snapshot()))

    def _spawn(self, work: Coroutine[object, object, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        self._background.add(task)
        task.add_done_callback(self._background_done)
        return task

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
        self._people = None
        self._plan = None
        self._refetch = None
        standing, self.standing = self.standing, None
        self.place.reset()
        self._mover = None
        if standing is not None:
            self.questions.clear()
        if session is not None:
            await session.store.close()
        if self._claim is not None:
            self._claim.release()
            self._claim = None
