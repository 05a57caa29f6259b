"""Runs a session's connection for the engine: it tells progress, trace and service state what the connection does.

The first outcome decides the sign-in; whatever comes later is the state of a service, and only a password that is not
right any more ends the session.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path

import structlog

from ringback.client.configuration.plan import Plan
from ringback.client.engine.errors import SignInError
from ringback.client.engine.progress import Progress
from ringback.client.engine.session import Session, SessionSettings
from ringback.client.engine.signin import presence_fault
from ringback.client.messaging.connection import Target
from ringback.client.messaging.happenings import Account
from ringback.net.names import NameClient
from ringback.net.tls import client_context
from ringback.rules.failover import Wait
from ringback.rules.reasons import Reason
from ringback.rules.trace import Kind, Outcome

TRACE_LIMIT = 500  # lines; a long outage must not fill memory
PASSWORD_REFUSED = "presence.password_refused"  # noqa: S105 (a reason's id)

log = structlog.get_logger(__name__)


class Connector:
    """One session's way to its servers. ``plan`` gives those of now, ``password_refused`` is called at most once."""

    def __init__(
        self,
        session: Session,
        progress: Progress,
        names: NameClient,
        ca_file: Path | None,
        plan: Callable[[], Plan],
        password_refused: Callable[[], None],
    ) -> None:
        self._session = session
        self._progress = progress
        self._names = names
        self._ca_file = ca_file
        self._plan = plan
        self._password_refused = password_refused
        self._first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        """Whether the connection is kept; False after a refusal."""
        return self._task is not None and not self._task.done()

    def start(self, password: str) -> None:
        """Begin to connect; or, for a person without messages, note that there is nothing to connect."""
        plan = self._plan()
        if not plan.messages:
            self._session.board.set("messages", "off", reasons=tuple(plan.reasons))
            self._first.set_result(None)
            return
        server = str(plan.servers[0]) if plan.servers else plan.domain
        self._session.board.set("messages", "connecting", server=server)
        self._task = asyncio.create_task(self._run(Account(self._session.own, password)), name="session")

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
        settings = SessionSettings(account, self._targets, self._resolve, lambda: client_context(self._ca_file))
        try:
            await self._session.run(settings, self)
        except Exception as error:  # told to the person; the rest of the page goes on
            log.exception("engine.session_failed")
            reason = Reason.of("engine.internal", work="messages", kind=type(error).__name__)
            self._session.board.set("messages", "failed", text=reason, reasons=(reason,))
            self._settle(reason)

    async def _targets(self) -> list[Target]:
        return [Target(server) for server in self._plan().servers]

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
        answer = ", ".join(part for part in (mechanism, tls) if part)
        self._note(target, address, took, Outcome.OK, answer)
        self._session.board.set("messages", "up", server=str(target.server))
        self._settle(None)

    def failed(self, target: Target, address: str, took: float, reason: Reason) -> None:
        """An attempt ended without a session."""
        self._note(target, address, took, Outcome.FAILED, "", (reason,))

    def waiting(self, wait: Wait, reason: Reason) -> None:
        """The next round begins after the wait."""
        reasons = (reason, wait.reason)
        self._session.board.set("messages", "waiting", text=reason, retry_in=wait.seconds, reasons=reasons)
        self._settle(reason)

    def refused(self, reason: Reason, certificate: ssl.SSLCertVerificationError | None) -> None:
        """The server does not want us: nothing is tried by itself."""
        self._session.board.set("messages", "failed", text=reason, reasons=(reason,))
        if self._first.done() and reason.id == PASSWORD_REFUSED:
            self._password_refused()
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
