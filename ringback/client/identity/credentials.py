"""What a person proves themselves with at the services: tokens where the cluster gives them, else the password.

``Credentials`` belongs to one signed-in person. Its keeper decides about tokens (``keeper.py``); ``run`` drives it: it
waits for due times, carries refreshes out and tells what happened. Services ask for what they may send now, and tell
what was refused. A computer that slept is noticed by the wall clock, which is looked at once a minute and at each use.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import time
from collections.abc import Awaitable, Callable

import structlog

from ringback.client.identity.authorization import Authorization, GrantRefusedError, UnavailableError
from ringback.client.identity.keeper import KeeperEvent, Over, Refresh, Renewed, State, TokenKeeper, Tokens, Waiting
from ringback.protocols.oauth.grants import TokenResponse
from ringback.rules.reasons import Reason
from ringback.rules.tokens import End

LOOK_SECONDS = 60.0
WAIT_SECONDS = 15.0  # how long a request waits for the token that is being fetched

log = structlog.get_logger(__name__)


class NoTokenError(Exception):
    """There is no token to send now; ``reason`` says why, for showing. ``over``: none will come by itself."""

    def __init__(self, reason: Reason, *, over: bool) -> None:
        super().__init__(reason.id)
        self.reason = reason
        self.over = over


class Credentials:
    """One person's. ``password`` is empty where it was not typed, or is not needed any more."""

    def __init__(
        self,
        user: str,
        password: str = "",
        keeper: TokenKeeper | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """``keeper``: None where no tokens are used."""
        self.user = user
        self.password = password
        self._keeper = keeper
        self._clock = clock
        self._changed = asyncio.Event()
        self._woken = asyncio.Event()
        self._spoiled = ""

    def __repr__(self) -> str:
        return f"Credentials({self.user!r})"

    @property
    def by_token(self) -> bool:
        """Whether services get tokens."""
        return self._keeper is not None

    @property
    def tokens(self) -> Tokens | None:
        """The tokens of now."""
        return self._keeper.tokens if self._keeper is not None else None

    @property
    def over(self) -> bool:
        """Whether no token comes any more."""
        return self._keeper is not None and self._keeper.state in (State.OVER, State.NONE)

    # --- what services ask

    def token_now(self) -> str:
        """The access token that may be sent now; empty: none."""
        token = (self._keeper.access(self._clock()) or "") if self._keeper is not None else ""
        return token if token != self._spoiled else ""

    async def token(self, seconds: float = WAIT_SECONDS) -> str:
        """The access token to send, after the one that is being fetched has come. Raises NoTokenError."""
        keeper = self._need()
        keeper.want(self._clock())
        self._woken.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not self.over:
                    if token := self.token_now():
                        return token
                    if keeper.state is State.WAITING:
                        break
                    await self._next_change()
        raise NoTokenError(keeper.trouble, over=self.over)

    async def another(self, refused: str, seconds: float = WAIT_SECONDS) -> str:
        """A service refused a token. Gives the next one; raises NoTokenError where none comes now."""
        keeper = self._need()
        coming = keeper.refused(refused, self._clock())
        self._woken.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while coming and not self.over and keeper.state is not State.WAITING:
                    token = keeper.access(self._clock())
                    if token and token != refused:
                        return token
                    deadline = keeper.next_deadline()
                    if keeper.state is State.FRESH and (deadline is None or deadline - self._clock() > seconds):
                        break
                    await self._next_change()
        raise NoTokenError(keeper.trouble, over=self.over)

    def doubt(self) -> None:
        """A server ended the sign-in by itself, or lets us in no more: look at once whether it still stands."""
        if token := self.token_now():
            self._need().refused(token, self._clock())
            self._woken.set()

    def spoil(self, authorization: str) -> None:
        """The edge refused what stood in this header. It counts such tries and shuts out who makes them, so that token
        goes to nobody any more, and another one is fetched at once."""
        token = authorization.removeprefix("Bearer ")
        if self._keeper is not None and token and token == self._keeper.access(self._clock()):
            self._spoiled = token
            self._keeper.refused(token, self._clock())
            self._woken.set()

    async def proof(self) -> str:
        """The Authorization header to send now. Raises NoTokenError."""
        return f"Bearer {await self.token()}" if self.by_token else self.basic()

    def hurry(self) -> None:
        """The network changed, or somebody asks: waiting times need not be waited for."""
        if self._keeper is not None:
            self._keeper.hurry(self._clock())
            self._woken.set()

    def basic(self) -> str:
        """The Authorization header of a password."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()

    # --- what the engine does

    def take(self, tokens: Tokens) -> None:
        """The tokens of a new sign-in, or those that were kept."""
        self._need().replace(tokens, self._clock())
        self._tell()

    def received(self, answer: TokenResponse, issuer: str) -> Tokens:
        """An answer of the token endpoint as it is kept, counted from now."""
        now = self._clock()
        end = now + answer.refresh_token_expires_in if answer.refresh_token_expires_in > 0 else 0.0
        return Tokens(
            access=answer.access_token, refresh=answer.refresh_token, received=now, expires=now + answer.expires_in,
            end=end, issuer=issuer, user=answer.user_id or self.user,
        )  # fmt: skip

    def watch_end(self, watch: bool) -> None:
        """Whether the end of the refresh token is told before a server refuses it (``LegacyOAuthLogout``)."""
        if self._keeper is not None:
            self._keeper.watch_end = watch
            self._woken.set()

    def clear(self) -> None:
        """Forget everything that proves who the person is."""
        self.password = ""
        if self._keeper is not None:
            self._keeper.clear()
        self._tell()

    async def run(self, server: Authorization, told: Callable[[Renewed | Over], Awaitable[None]]) -> None:
        """Fetch tokens as they are due until cancelled. ``told`` hears of new tokens, and once of the end."""
        keeper = self._need()
        while True:
            self._woken.clear()
            refresh = keeper.handle_timer(self._clock())
            if refresh is not None:
                await self._carry_out(server, keeper, refresh)
            await self._report(keeper, told)
            deadline = keeper.next_deadline()
            wait = LOOK_SECONDS if deadline is None else min(LOOK_SECONDS, max(0.0, deadline - self._clock()))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._woken.wait()

    async def _carry_out(self, server: Authorization, keeper: TokenKeeper, refresh: Refresh) -> None:
        try:
            answer = await server.refresh(refresh.token)
        except asyncio.CancelledError:
            keeper.given_up(refresh.number, self._clock())
            raise
        except GrantRefusedError as error:
            log.info("identity.not_renewed", error=error.error)
            keeper.ended(refresh.number, end_of(error, keeper.tokens, self._clock()))
        except UnavailableError as error:
            kind = "answer" if error.status else "network"
            reason = error.reason or Reason.of(f"tokens.trouble.{kind}", server=error.server, why=error.detail)
            keeper.failed(refresh.number, reason, self._clock(), wait=error.wait)
        else:
            keeper.refreshed(
                refresh.number, answer.access_token, answer.expires_in, self._clock(),
                refresh=answer.refresh_token, end_in=answer.refresh_token_expires_in if answer.refresh_token else 0.0,
            )  # fmt: skip

    async def _report(self, keeper: TokenKeeper, told: Callable[[Renewed | Over], Awaitable[None]]) -> None:
        events: list[KeeperEvent] = []
        while (event := keeper.next_event()) is not None:
            events.append(event)
        if events:
            self._tell()
        for event in events:
            if isinstance(event, Waiting):
                log.info("identity.renewal_waits", seconds=round(event.seconds, 1), reason=event.reason.id)
            else:
                await told(event)

    def _need(self) -> TokenKeeper:
        if self._keeper is None:
            raise NoTokenError(Reason.of("tokens.none"), over=True)
        return self._keeper

    def _tell(self) -> None:
        self._woken.set()
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def _next_change(self) -> None:
        await self._changed.wait()


def end_of(error: GrantRefusedError, tokens: Tokens | None, now: float) -> End:
    """Why a server does not renew a sign-in, as far as client and server say. Pure."""
    if error.error != "invalid_grant":
        return End.REFUSED
    if not error.ended and tokens is not None and tokens.end and now >= tokens.end - tokens.times.margin:
        return End.EXPIRED
    return End(error.ended) if error.ended in tuple(End) else End.REVOKED
