"""Who may pass the edge: by the token of a call manager, by password, or by the session that one of them began; and of
these, whom the company lets work from outside at all.

Wrong tries are counted by address and by person (``rules.edge_protection``); the outer proxy is told whom to keep out.
"""

from __future__ import annotations

import base64
import binascii
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from ringback.net.home_passwords import HomePasswords, HomesUnavailableError
from ringback.net.token_keys import KeysUnavailableError, TokenKeys
from ringback.protocols.oauth.tokens import TokenError, TokenExpiredError, TokenRevokedError
from ringback.rules.catalogue import render
from ringback.rules.edge_protection import Block, Fault
from ringback.rules.name_search import fold
from ringback.rules.reasons import Reason
from ringback.services.edge.guests import Guests
from ringback.services.edge.trials import CrowdedError, Trials
from ringback.services.edge.watch import TenantWatch

COOKIE: Final = "X-Auth"
SESSION_SECONDS: Final = 8 * 3600
_MOST: Final = 100_000  # sessions; the oldest goes


@dataclass(frozen=True, slots=True)
class Guest:
    """Somebody who may pass. ``session``: the value of a new cookie, empty where an old one was shown."""

    user: str
    session: str = ""


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """Who may not: ``status`` of the answer, ``why`` for its body, ``seconds`` to wait where that helps; ``reason`` is
    the same in the words of the catalogue, for clients that show it."""

    status: int
    why: str
    seconds: int = 0
    reason: Reason = field(default=Reason("edge.sign_in.needed"))


class Door:
    """Lets people in: those of one tenant."""

    def __init__(
        self,
        keys: TokenKeys,
        passwords: HomePasswords,
        watch: TenantWatch,
        guests: Guests,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._keys = keys
        self._passwords = passwords
        self._trials = Trials(passwords, watch.knows)
        self._watch = watch
        self._guests = guests
        self._clock = clock
        self._sessions: OrderedDict[str, tuple[str, float, float]] = OrderedDict()  # user, began, until
        self._checking: set[tuple[str, str]] = set()
        keys.listen(self._look_again)

    async def admit(self, authorization: str, cookie: str, address: str) -> Guest | TurnedAway:
        """Who asks, by the header ``Authorization`` and the cookie."""
        found = await self._known(authorization, cookie, address)
        if isinstance(found, TurnedAway):
            return found
        reason = self._guests.refuses("https", found.user)
        return found if reason is None else _not_served(reason)

    async def _known(self, authorization: str, cookie: str, address: str) -> Guest | TurnedAway:
        now = self._clock()
        scheme, _, given = authorization.partition(" ")
        if scheme.lower() == "bearer":
            return self._by_token(given.strip(), cookie, address, now)
        if scheme.lower() == "basic":
            return await self._by_password(given, cookie, address, now)
        user = self._of_session(cookie, now)
        if user:
            block = self._watch.kept_out(address, user, token=True)  # a session can't be guessed either
            return Guest(user) if block is None else _kept_out(block, now)
        return TurnedAway(401, "The edge lets signed-in people pass only")

    def _by_token(self, token: str, cookie: str, address: str, now: float) -> Guest | TurnedAway:
        if block := self._watch.kept_out(address, later=True):
            return _kept_out(block, now)
        try:
            claims = self._keys.check(token)
        except KeysUnavailableError:
            return TurnedAway(503, "The keys of the call managers are not known yet", 5)
        except TokenError as error:
            is_stale = isinstance(error, (TokenExpiredError, TokenRevokedError))
            self._watch.failed(address, fault=Fault.STALE if is_stale else Fault.TOKEN)
            return TurnedAway(401, f"This token is not good: {error}")
        user = fold(claims.user)
        return self._guest(user, cookie, address, now)

    async def _by_password(self, given: str, cookie: str, address: str, now: float) -> Guest | TurnedAway:
        credentials = _basic(given)
        if credentials is None:
            return TurnedAway(400, "The credentials can't be read")
        user, password = fold(credentials[0]), credentials[1]
        if block := self._watch.kept_out(address, user):
            return _kept_out(block, now)
        trial = (address, user)
        if trial in self._checking:  # one try at a time, else many at once are counted too late
            return TurnedAway(429, "One sign-in at a time", 1)
        self._checking.add(trial)
        try:
            right = await self._trials.check(address, credentials[0], password, user)
        except CrowdedError as error:
            return TurnedAway(429, "Many wrong passwords come just now: try again in a moment", error.seconds)
        except HomesUnavailableError as error:
            return TurnedAway(503, str(error), 5)
        finally:
            self._checking.discard(trial)
        if not right:
            self._watch.failed(address, user)
            return TurnedAway(401, "This user id and password do not belong together")
        return self._guest(user, cookie, address, now)

    def stay(self, user: str, end: Callable[[Reason], None]) -> Callable[[], None]:
        """A connection of HTTPS that lasts is this person's (empty: nobody's): see ``Guests.enter``."""
        return self._guests.enter("https", user, end) if user else lambda: None

    def user_of(self, token: str) -> str:
        """Whose a token is that a service inside has believed already: the folded user id, empty where it is not known
        here."""
        try:
            return fold(self._keys.check(token).user)
        except TokenError:
            return ""

    def kept_out(self, address: str) -> TurnedAway | None:
        """Whether nobody is served at an address, also on paths that are open to everybody."""
        block = self._watch.kept_out(address)
        return None if block is None else _kept_out(block, self._clock())

    def failed_stream(self, address: str, user: str, token: str) -> None:
        """A presence service let somebody in neither as a user nor with a token, of which one was claimed."""
        if not token:
            self._watch.failed(address, fold(user))
            return
        try:
            self._keys.check(token)
        except (TokenExpiredError, TokenRevokedError):
            self._watch.failed(address, fault=Fault.STALE)
        except KeysUnavailableError:
            return
        except TokenError:
            self._watch.failed(address, fault=Fault.TOKEN)

    def failed_inside(self, address: str, user: str = "") -> None:
        """A server inside did not let somebody in, on a path that is open to everybody, or with an account of its own;
        ``user`` is who asked, where that is known."""
        self._watch.failed(address, user)

    def _guest(self, user: str, cookie: str, address: str, now: float) -> Guest:
        self._watch.let_in(address, user)
        if self._of_session(cookie, now) == user:
            return Guest(user)
        session = secrets.token_urlsafe(48)  # 64 characters
        self._sessions[session] = (user, now, now + SESSION_SECONDS)
        if len(self._sessions) > _MOST:
            self._sessions.popitem(last=False)
        return Guest(user, session)

    def _of_session(self, cookie: str, now: float) -> str:
        user, _, until = self._sessions.get(cookie, ("", 0.0, 0.0))
        return user if until > now else ""

    def _look_again(self) -> None:
        """Keys or revocations changed: sessions of people who have to sign in again end."""
        self._passwords.forget_all()
        for session, (user, began, _) in list(self._sessions.items()):
            if self._keys.refuses_person(user, began) is not None:
                del self._sessions[session]


def _kept_out(block: Block, now: float) -> TurnedAway:
    seconds = max(1, round(block.until - now))
    minutes = -(-seconds // 60)
    reason = Reason.of("edge.sign_in.blocked", minutes=minutes)
    return TurnedAway(429, f"Too many failed sign-ins: try again in {minutes} minutes", seconds, reason)


def _not_served(reason: Reason) -> TurnedAway:
    if reason.id == "edge.access.unknown":
        return TurnedAway(503, "The call managers have not told yet what people may use from outside", 5, reason)
    return TurnedAway(403, render(reason).removesuffix("."), 0, reason)


def _basic(encoded: str) -> tuple[str, str] | None:
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    user, colon, password = text.partition(":")
    return (user, password) if colon and user and password else None
