"""Runs a session's connection for the engine: it tells progress, trace and service state what the connection does.

The first outcome decides the sign-in; whatever comes later is the state of a service, and only a password that is not
right any more ends the session.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from ringback.client.configuration.plan import Plan
from ringback.client.edge import EdgeRoute
from ringback.client.engine.errors import SignInError
from ringback.client.engine.progress import Progress
from ringback.client.engine.session import Session
from ringback.client.engine.session_base import SessionSettings
from ringback.client.engine.signin import presence_fault
from ringback.client.identity.credentials import Credentials
from ringback.client.messaging.bearer import Bearer
from ringback.client.messaging.connection import Target
from ringback.client.messaging.errors import NotConnectedError
from ringback.client.messaging.happenings import Account
from ringback.client.messaging.stream import StreamEnd
from ringback.client.trust import CertificateStopError, TrustJudge
from ringback.net.names import NameClient
from ringback.rules.failover import Wait
from ringback.rules.reasons import Reason
from ringback.rules.trace import Kind, Outcome

TRACE_LIMIT = 500  # lines; a long outage must not fill memory
PASSWORD_REFUSED = "presence.password_refused"  # noqa: S105 (a reason's id)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Told:
    """Who is told of what only the engine can settle. ``password_refused`` is called at most once for a start.

    ``wants_password``: the server takes no token. ``certificate``: that of the server needs the person's word.
    ``unreachable``: no server answers.
    """

    password_refused: Callable[[], object]
    wants_password: Callable[[Reason], None]
    certificate: Callable[[CertificateStopError, Reason], None]
    unreachable: Callable[[], None] = lambda: None


class Connector:
    """One session's way to its servers. ``plan`` gives those of now."""

    def __init__(
        self,
        session: Session,
        progress: Progress,
        names: NameClient,
        judge: TrustJudge,
        plan: Callable[[], Plan],
        told: Told,
        route: EdgeRoute | None = None,
    ) -> None:
        """``route``: says whether servers are reached through an edge now; None: never."""
        self._route = route or EdgeRoute()
        self._session = session
        self._progress = progress
        self._names = names
        self._judge = judge
        self._plan = plan
        self._told = told
        self._credentials: Credentials | None = None
        self._first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        """Whether the connection is kept; False after a refusal."""
        return self._task is not None and not self._task.done()

    def start(self, credentials: Credentials) -> None:
        """Begin to connect; or, for a person without messages, note that there is nothing to connect."""
        plan, self._credentials = self._plan(), credentials
        if not plan.messages:
            if credentials.by_token:  # nothing else would need it
                credentials.password = ""
            self._session.board.set("messages", "off", reasons=tuple(plan.reasons))
            self._settle(None)
            return
        way = self._route.now
        servers = plan.servers if way is None else way.xmpp
        server = str(servers[0]) if servers else plan.domain
        self._session.board.set("messages", "connecting", server=server)
        self._task = asyncio.create_task(self._run(Account(self._session.own, credentials)), name="session")

    def restart(self) -> None:
        """Connect again after a refusal: something that stood in the way was settled."""
        if self._credentials is not None and not self.running:
            self.start(self._credentials)

    async def first(self) -> None:
        """Wait for the first outcome. Raises SignInError where it is none to go on with."""
        await asyncio.shield(self._first)

    async def stop(self, seconds: float = 3.0) -> None:
        """Leave in order, by force after a while."""
        await self._session.stop()
        if self._task is not None and self._task is not asyncio.current_task():
            await asyncio.wait([self._task], timeout=seconds)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if not self._first.done():
            self._first.cancel()

    async def _run(self, account: Account) -> None:
        settings = SessionSettings(account, self._targets, self._resolve, self._judge)
        try:
            await self._session.run(settings, self)
        except Exception as error:  # told to the person; the rest of the page goes on
            log.exception("engine.session_failed")
            reason = Reason.of("engine.internal", work="messages", kind=type(error).__name__)
            self._session.board.set("messages", "failed", text=reason, reasons=(reason,))
            self._settle(reason)

    async def _targets(self) -> list[Target]:
        way = self._route.now
        if way is None:
            return [Target(server) for server in self._plan().servers]
        if (shut := way.closed(time.time())) is not None:  # each further try would only be turned away
            raise NotConnectedError(shut[0])
        if not way.xmpp:
            raise NotConnectedError(Reason.of("edge.problem.not_open", edge=way.edge.host))
        return [Target(server, edge=True) for server in way.xmpp]

    async def _resolve(self, host: str) -> list[str]:
        answer = await self._names.addresses(host)
        if not answer.addresses:
            raise OSError(answer.detail or str(answer.outcome))
        return list(answer.addresses)

    def _settle(self, problem: Reason | None) -> None:
        if self._first.done():
            return
        if problem is None:
            self._first.set_result(None)
        elif problem.id == PASSWORD_REFUSED:
            reason = Reason.of("engine.password_wrong", address=self._progress.now.address)
            self._first.set_exception(SignInError(reason))
        else:
            self._first.set_exception(SignInError(problem, presence_fault(self._plan().domain, problem)))

    # --- what the connection tells (Watcher)

    def connecting(self, target: Target, address: str) -> None:
        """An attempt begins."""
        if self._progress.now.phase != "ready":
            self._progress.step("connecting", "active", target.server.host)
        self._session.board.set("messages", "connecting", server=str(target.server))

    def connected(self, target: Target, address: str, took: float, mechanism: str, tls: str) -> None:
        """A session stands."""
        if mechanism == Bearer.name and self._credentials is not None:
            self._credentials.password = ""  # every service takes tokens: no password is kept, not even in memory
        answer = ", ".join(part for part in (mechanism, tls) if part)
        self._note(target, address, took, Outcome.OK, answer)
        self._session.board.set("messages", "up", server=str(target.server))
        self._settle(None)

    def failed(self, target: Target, address: str, took: float, reason: Reason) -> None:
        """An attempt ended without a session."""
        self._note(target, address, took, Outcome.FAILED, "", (reason,))

    def waiting(self, wait: Wait, reason: Reason) -> None:
        """The next round begins after the wait."""
        self._told.unreachable()
        reasons = (reason, wait.reason)
        self._session.board.set("messages", "waiting", text=reason, retry_in=wait.seconds, reasons=reasons)
        self._settle(reason)

    def distrusted(self, stop: CertificateStopError, reason: Reason) -> None:
        """The server's certificate needs the person's word, and nothing ends before it is given."""
        self._told.certificate(stop, reason)

    def refused(self, end: StreamEnd) -> None:
        """The server does not want us, or is not the right one: nothing is tried by itself."""
        reason = end.reason
        self._session.board.set("messages", "failed", text=reason, reasons=(reason,))
        if end.wants_password:
            self._told.wants_password(reason)
            self._settle(None)
            return
        if end.stop is not None:
            self._told.certificate(end.stop, reason)
        if self._first.done() and reason.id == PASSWORD_REFUSED:
            self._told.password_refused()
        self._settle(reason)

    def _note(
        self, target: Target, address: str, took: float, outcome: Outcome, answer: str, reasons: tuple[Reason, ...] = ()
    ) -> None:
        if len(self._progress.entries) < TRACE_LIMIT:
            self._progress.note(
                Kind.ASKED, Reason.of("engine.trace.presence", server=target.server.host), outcome=outcome,
                question=f"XMPP {target.server}", server=address, answer=answer, took=took,
                reasons=(*target.reasons, *reasons),
            )  # fmt: skip
