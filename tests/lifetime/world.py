"""A world with a clock of its own: a client's keeper, the call manager's authorisation, services, a network that fails.

Nothing waits: the clock jumps from one thing that happens to the next. What a service is sent is checked there with the
cluster's keys, at the world's time.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from ringback.client.identity.authorization import GrantRefusedError
from ringback.client.identity.credentials import end_of
from ringback.client.identity.keeper import Over, Renewed, State, TokenKeeper, Tokens, Waiting
from ringback.protocols.oauth.clients import RINGBACK_CLIENT
from ringback.protocols.oauth.grants import (
    AuthorizeRequest,
    CodeGrant,
    GrantError,
    RefreshGrant,
    TokenResponse,
    challenge_of,
    new_verifier,
)
from ringback.protocols.oauth.tokens import TokenExpiredError, TokenRevokedError, check_access
from ringback.rules.reasons import Reason
from ringback.rules.tokens import End, decide_end
from ringback.rules.tokens import EndEvidence as Evidence
from ringback.services.callmanager.authorisation.key_ring import KeyRing
from ringback.services.callmanager.authorisation.settings import SignInSettings
from ringback.services.callmanager.authorisation.tokens import Tokens as Server
from ringback.storage.callmanager.sign_ins import SignInStore
from ringback.storage.callmanager.store import Store

BACK = "http://127.0.0.1:8080/signed-in"
DAY, HOUR, MINUTE = 86_400.0, 3600.0, 60.0
BEGAN = 1_800_000_000.0
DOWN = Reason.of("tokens.trouble.network", server="cm1", why="no network")


@dataclass
class Clock:
    """The world's time in Unix seconds."""

    now: float = BEGAN

    def __call__(self) -> float:
        return self.now


@dataclass
class Company:
    """The call manager of the world."""

    clock: Clock
    server: Server
    ring: KeyRing
    store: SignInStore

    async def sign_in(self, user: str) -> TokenResponse:
        """Tokens for somebody who proved who they are."""
        verifier = new_verifier()
        asked = AuthorizeRequest("code", RINGBACK_CLIENT, BACK, "state", challenge_of(verifier))
        code = await self.server.code_for(user, asked)
        return await self.server.redeem(CodeGrant(RINGBACK_CLIENT, code, BACK, verifier))


@contextlib.asynccontextmanager
async def company(folder: Path, settings: SignInSettings) -> AsyncIterator[Company]:
    """A call manager's authorisation with an SQLite store."""
    clock = Clock()
    store = await Store.open(f"sqlite+aiosqlite:///{folder / 'callmanager.db'}")
    try:
        kept = SignInStore(store.engine)
        ring = await KeyRing.open(kept, settings, clock)
        try:
            yield Company(clock, Server(kept, ring, settings, clock), ring, kept)
        finally:
            await ring.close()
    finally:
        await store.close()


@dataclass
class Diary:
    """What happened to the client. ``refreshes``: when, and at which share of the token's life."""

    refreshes: list[tuple[float, float]] = field(default_factory=list)
    failures: list[float] = field(default_factory=list)
    ends: list[tuple[float, End]] = field(default_factory=list)
    questions: int = 0
    sent: int = 0
    without: int = 0
    refused: int = 0


class Client:
    """The keeper with its services, as the engine drives it."""

    def __init__(self, company: Company, user: str, pick: float = 0.5) -> None:
        self.company = company
        self.user = user
        self.keeper = TokenKeeper(lambda: pick)
        self.diary = Diary()
        self.network = True
        self._open_question = False

    @property
    def clock(self) -> Clock:
        """The time."""
        return self.company.clock

    async def sign_in(self) -> None:
        """The person signs in, or answers the question to."""
        answer = await self.company.sign_in(self.user)
        now = self.clock()
        self.keeper.replace(
            Tokens(
                access=answer.access_token, refresh=answer.refresh_token, received=now,
                expires=now + answer.expires_in, end=now + answer.refresh_token_expires_in, user=self.user,
            ),
            now,
        )  # fmt: skip
        self._open_question = False

    async def tick(self) -> None:
        """What the driver does when a deadline is due, or it is woken."""
        refresh = self.keeper.handle_timer(self.clock())
        if refresh is not None:
            assert self.keeper.handle_timer(self.clock()) is None, "one refresh at a time"
            await self._refresh(refresh.number, refresh.token)
        while (event := self.keeper.next_event()) is not None:
            self._heard(event)

    async def _refresh(self, number: int, token: str) -> None:
        now, tokens = self.clock(), self.keeper.tokens
        assert tokens is not None
        if not self.network:
            self.diary.failures.append(now)
            self.keeper.failed(number, DOWN, now)
            return
        try:
            answer = await self.company.server.refresh(RefreshGrant(RINGBACK_CLIENT, token))
        except GrantError as error:
            refused = GrantRefusedError("cm1", error.code, error.description, error.ended)
            self.keeper.ended(number, end_of(refused, tokens, now))
            return
        self.diary.refreshes.append((now, (now - tokens.received) / tokens.times.life))
        self.keeper.refreshed(number, answer.access_token, answer.expires_in, now)

    def _heard(self, event: Renewed | Waiting | Over) -> None:
        if isinstance(event, Over):
            self.diary.ends.append((self.clock(), event.end))
            assert decide_end(Evidence(event.end)).reasons
            assert not self._open_question, "never more than one question"
            self._open_question = True
            self.diary.questions += 1

    async def use(self) -> None:
        """A service is asked for something, with the token that may be sent now."""
        now = self.clock()
        self.keeper.want(now)
        if self.keeper.access(now) is None:
            await self.tick()
        token = self.keeper.access(now)
        if token is None or not self.network:
            self.diary.without += 1
            return
        self.diary.sent += 1
        try:
            check_access(self.company.ring.checking, token, now)
        except TokenExpiredError as error:
            raise AssertionError("an expired token was sent") from error
        except TokenRevokedError:
            self.diary.refused += 1
            self.keeper.refused(token, now)
            await self.tick()

    async def until(self, moment: float, every: float) -> None:
        """Live on until a moment; a service is used every so many seconds."""
        use = self.clock() + every
        while self.clock() < moment:
            deadline = self.keeper.next_deadline()
            at = min(moment, use, deadline if deadline is not None else moment)
            assert at >= self.clock() or self.keeper.state is not State.REFRESHING
            self.clock.now = max(at, self.clock.now)
            if at == use:
                use += every
                await self.use()
            else:
                await self.tick()

    def sleep(self, seconds: float) -> None:
        """The computer sleeps: time goes on, nothing is done."""
        self.clock.now += seconds
