"""How a person stands while signed in: by which method, with which tokens, and what happens when those come to an end.

``Standing`` keeps the tokens fresh for as long as the session lives. When no token comes any more it decides by
``rules.tokens`` whether the browser is asked without a question, the person is asked once, or the session ends.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec
import structlog
from yarl import URL

from ringback.client.edge import EdgeRoute
from ringback.client.engine.errors import EngineError
from ringback.client.engine.questions import QuestionBoard
from ringback.client.engine.ways import Way
from ringback.client.host.wire_sign_in import Account, SignInAgain
from ringback.client.identity.authorization import (
    Authorization,
    AuthorizationError,
    BrowserQuestion,
    GrantRefusedError,
    PasswordRefusedError,
    UnavailableError,
)
from ringback.client.identity.credentials import Credentials
from ringback.client.identity.https import Https
from ringback.client.identity.keeper import Over, Renewed, Tokens
from ringback.client.trust import TrustJudge
from ringback.net.names import NameClient
from ringback.rules.reasons import Reason
from ringback.rules.sign_in import Method
from ringback.rules.tokens import AfterEnd, EndEvidence, decide_end

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Signed:
    """Who signed in and how. ``bases``: the nodes that give tokens."""

    address: str
    credentials: Credentials
    method: Method
    bases: Sequence[str]
    remember: bool = False
    since: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    @property
    def who_asks(self) -> str:
        """The host that knows the person."""
        return (URL(self.bases[0]).host or "") if self.bases else self.address.rpartition("@")[2]

    @property
    def account(self) -> Account:
        """As the page shows it."""
        tokens, by_token = self.credentials.tokens, self.credentials.by_token
        end = tokens.end if tokens is not None else 0.0
        kept = []
        if self.remember:
            kept.append(Reason.of("sign_in.kept.token" if by_token else "sign_in.kept.password"))
        kept += [Reason.of("sign_in.kept.history"), Reason.of("sign_in.kept.servers")]
        services = ["contacts", "directory", "configuration"]
        if by_token and not self.credentials.password:
            services.insert(0, "messages")
        return Account(
            method="browser" if self.method is Method.BROWSER else ("token" if by_token else "password"),
            who_asks=self.who_asks,
            since=self.since,
            until=datetime.fromtimestamp(end, UTC).isoformat(timespec="seconds") if end else None,
            remembered=self.remember,
            services=services if by_token else [],
            kept=kept,
        )


@dataclass(frozen=True, slots=True)
class StandingHooks:
    """What the engine does for a standing. ``out``: end the session for these reasons. ``renewed``: services may go on.
    ``keep``: there are other tokens to keep. ``logout``: the company's ``InvalidCredentialsLogout``."""

    out: Callable[[tuple[Reason, ...]], None]
    renewed: Callable[[], None]
    keep: Callable[[Tokens | None], Awaitable[None]]
    logout: Callable[[], bool]


class Standing:
    """One session's. ``run`` it for as long as the session lives, where the person signed in by tokens."""

    def __init__(
        self,
        signed: Signed,
        names: NameClient,
        judge: TrustJudge,
        questions: QuestionBoard,
        hooks: StandingHooks,
        route: EdgeRoute | None = None,
    ) -> None:
        """``route``: as of ``Https``."""
        self._route = route or EdgeRoute()
        self.signed = signed
        self._names = names
        self._judge = judge
        self._questions = questions
        self._hooks = hooks
        self._tried_quietly = False

    def _server(self, https: Https) -> Authorization:
        return Authorization(https, self.signed.bases)

    def _https(self) -> Https:
        return Https(self._names, self._judge, route=self._route)

    async def run(self) -> None:
        """Keep the tokens fresh until cancelled."""
        async with self._https() as https:
            await self.signed.credentials.run(self._server(https), self._told)

    async def _told(self, event: Renewed | Over) -> None:
        if isinstance(event, Renewed):
            await self._hooks.keep(event.tokens)
            return
        await self._hooks.keep(None)
        decision = decide_end(
            EndEvidence(
                event.end,
                single_sign_on=self.signed.method is Method.BROWSER,
                tried_quietly=self._tried_quietly,
                logout=self._hooks.logout(),
            )
        )
        log.info("engine.sign_in_over", end=event.end, after=decision.after)
        if decision.after is AfterEnd.OUT:
            self._hooks.out(decision.reasons)
            return
        self._questions.ask_again(
            SignInAgain(
                asks="browser" if self.signed.method is Method.BROWSER else "password",
                who_asks=self.signed.who_asks,
                reason=decision.reasons[0],
                services=self.signed.account.services,
                quietly=decision.after is AfterEnd.QUIETLY,
            )
        )

    def wants_password(self, reason: Reason) -> None:
        """A service takes no token, and the password is not there any more: ask for it once."""
        self._questions.ask_again(
            SignInAgain(asks="password", who_asks=self.signed.who_asks, reason=reason, services=["messages"])
        )

    # --- the answers

    async def with_password(self, password: str) -> None:
        """The person typed the password again. What is wrong with it is shown in the question."""
        credentials = self.signed.credentials
        if not credentials.by_token:
            raise EngineError(Reason.of("sign_in.nothing_asked"))
        if self.signed.method is Method.BROWSER:  # it is for a service that takes no token; the call manager wants none
            credentials.password = password
            self._questions.ask_again(None)
            self._hooks.renewed()
            return
        try:
            async with self._https() as https:
                server = self._server(https)
                answer = await server.by_password(credentials.user, password)
        except PasswordRefusedError as error:
            locked = Reason.of("sign_in.locked", seconds=round(error.wait))
            wrong = Reason.of("engine.password_wrong", address=self.signed.address)
            self._wrong(locked if error.locked else wrong)
        except AuthorizationError as error:
            self._wrong(_words(error))
        else:
            credentials.password = password  # until the first service says that a token does
            await self._renewed(credentials.received(answer, server.issuer))

    async def browser_question(self, redirect: str, *, quietly: bool) -> BrowserQuestion:
        """A question for the browser. ``quietly`` is for one try."""
        self._tried_quietly = self._tried_quietly or quietly
        async with self._https() as https:
            return self._server(https).browser_question(
                redirect, hint=self.signed.credentials.user, prompt="none" if quietly else ""
            )

    async def with_answer(self, way: Way, pairs: Sequence[tuple[str, str]]) -> None:
        """The browser is back. What is wrong is shown in the question."""
        credentials = self.signed.credentials
        try:
            async with self._https() as https:
                server = self._server(https)
                code = server.code_of(pairs, way.state, self.signed.who_asks)
                answer = await server.redeem(code, way.verifier, way.redirect)
        except GrantRefusedError as error:
            if way.quietly:
                self._wrong(None)
            else:
                self._wrong(Reason.of("sign_in.browser.refused", server=error.server, why=error.detail))
        except AuthorizationError as error:
            self._wrong(_words(error))
        else:
            if answer.user_id and answer.user_id.casefold() != credentials.user.casefold():
                who = {"server": self.signed.who_asks, "found": answer.user_id, "wanted": credentials.user}
                self._wrong(Reason.of("sign_in.browser.other_person", **who))
                return
            await self._renewed(credentials.received(answer, server.issuer))

    async def revoke(self) -> None:
        """Take the refresh token back at the call manager, and forget it."""
        tokens = self.signed.credentials.tokens
        self.signed.credentials.clear()
        if tokens is None:
            return
        try:
            async with self._https() as https:
                await self._server(https).revoke(tokens.refresh)
        except AuthorizationError as error:  # it is forgotten here, and over by itself in time
            log.info("engine.not_revoked", server=error.server, why=error.detail)

    async def _renewed(self, tokens: Tokens) -> None:
        self._tried_quietly = False
        self.signed.credentials.take(tokens)
        self._questions.ask_again(None)
        await self._hooks.keep(tokens)
        self._hooks.renewed()

    def _wrong(self, reason: Reason | None) -> None:
        question = self._questions.now.again
        if question is not None:
            self._questions.ask_again(msgspec.structs.replace(question, quietly=False, wrong_password=reason))


def _words(error: AuthorizationError) -> Reason:
    reason = error.reason if isinstance(error, UnavailableError) else None
    return reason or Reason.of("sign_in.browser.refused", server=error.server, why=error.detail)
