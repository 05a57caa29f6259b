"""Who may pass the edge: by the token of a call manager, by password, or by the session that one of them began.

Wrong tries are counted by address and by person (``rules.edge_protection``); the outer proxy is told whom to keep out.
"""

from __future__ import annotations

import base64
import binascii
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from ringback.net.home_passwords import HomePasswords, HomesUnavailableError
from ringback.net.token_keys import KeysUnavailableError, TokenKeys
from ringback.protocols.oauth.tokens import TokenError
from ringback.rules.edge_protection import Block, Protection
from ringback.rules.name_search import fold

COOKIE: Final = "X-Auth"
SESSION_SECONDS: Final = 8 * 3600
_MOST: Final = 100_000  # sessions; the oldest goes

_log = structlog.get_logger("ringback.edge.door")


@dataclass(frozen=True, slots=True)
class Guest:
    """Somebody who may pass. ``session``: the value of a new cookie, empty where an old one was shown."""

    user: str
    session: str = ""


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """Who may not: ``status`` of the answer, ``why`` for its body, ``seconds`` to wait where that helps."""

    status: int
    why: str
    seconds: int = 0


class Door:
    """Lets people in. ``blocked`` is called with each block that begins."""

    def __init__(
        self,
        keys: TokenKeys,
        passwords: HomePasswords,
        protection: Protection,
        blocked: Callable[[Block], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._keys = keys
        self._passwords = passwords
        self._protection = protection
        self._blocked = blocked
        self._clock = clock
        self._sessions: OrderedDict[str, tuple[str, float, float]] = OrderedDict()  # user, began, until
        self._checking: set[tuple[str, str]] = set()
        keys.listen(self._look_again)

    async def admit(self, authorization: str, cookie: str, address: str) -> Guest | TurnedAway:
        """Who asks, by the header ``Authorization`` and the cookie."""
        now = self._clock()
        scheme, _, given = authorization.partition(" ")
        if scheme.lower() == "bearer":
            return self._by_token(given.strip(), cookie, address, now)
        if scheme.lower() == "basic":
            return await self._by_password(given, cookie, address, now)
        user = self._of_session(cookie, now)
        if user and not (block := self._protection.block_of(address, user, now)):
            return Guest(user)
        if user and block:
            return _kept_out(block, now)
        return TurnedAway(401, "The edge lets signed-in people pass only")

    def _by_token(self, token: str, cookie: str, address: str, now: float) -> Guest | TurnedAway:
        if block := self._protection.block_of(address, "", now):
            return _kept_out(block, now)
        try:
            claims = self._keys.check(token)
        except KeysUnavailableError:
            return TurnedAway(503, "The keys of the call managers are not known yet", 5)
        except TokenError as error:
            self._failed(address, "", now)
            return TurnedAway(401, f"This token is not good: {error}")
        user = fold(claims.user)
        if block := self._protection.block_of(address, user, now):
            return _kept_out(block, now)
        return self._guest(user, cookie, address, now)

    async def _by_password(self, given: str, cookie: str, address: str, now: float) -> Guest | TurnedAway:
        credentials = _basic(given)
        if credentials is None:
            return TurnedAway(400, "The credentials can't be read")
        user, password = fold(credentials[0]), credentials[1]
        if block := self._protection.block_of(address, user, now):
            return _kept_out(block, now)
        trial = (address, user)
        if trial in self._checking:  # one try at a time, else many at once are counted too late
            return TurnedAway(429, "One sign-in at a time", 1)
        self._checking.add(trial)
        try:
            right = await self._passwords.check(credentials[0], password)
        except HomesUnavailableError as error:
            return TurnedAway(503, str(error), 5)
        finally:
            self._checking.discard(trial)
        if not right:
            self._failed(address, user, now)
            return TurnedAway(401, "This user id and password do not belong together")
        return self._guest(user, cookie, address, now)

    def _guest(self, user: str, cookie: str, address: str, now: float) -> Guest:
        self._protection.succeeded(address, user)
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

    def _failed(self, address: str, user: str, now: float) -> None:
        for block in self._protection.failed(address, user, now):
            _log.warning("edge.blocked", who=block.who, kind=block.kind, failures=block.failures)
            self._blocked(block)

    def _look_again(self) -> None:
        """Keys or revocations changed: sessions of people who have to sign in again end."""
        self._passwords.forget_all()
        for session, (user, began, _) in list(self._sessions.items()):
            if self._keys.refuses_person(user, began) is not None:
                del self._sessions[session]


def _kept_out(block: Block, now: float) -> TurnedAway:
    seconds = max(1, round(block.until - now))
    return TurnedAway(429, f"Too many failed sign-ins: try again in {-(-seconds // 60)} minutes", seconds)


def _basic(encoded: str) -> tuple[str, str] | None:
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    user, colon, password = text.partition(":")
    return (user, password) if colon and user and password else None
