"""Lets requests pass that prove who asks: by an access token, by Basic credentials or by the cookies of a session."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from aiohttp import web

from ringback.protocols.oauth.tokens import Claims, Refusal, TokenError
from ringback.rules.name_search import fold
from ringback.services.callmanager import http
from ringback.services.callmanager.authentication import (
    Authenticator,
    CheckUnavailableError,
    DeactivatedError,
    LockedOutError,
    Proven,
    TooManyTriesError,
    WrongPasswordError,
)
from ringback.services.callmanager.sessions import COOKIE, COOKIE_SINGLE, Sessions

COOKIE_PATH = "/cucm-uds"


class TokenChecker(Protocol):
    """Knows which access tokens can be believed, and what was taken back."""

    def check(self, token: str) -> Claims:
        """What a token says. Raises the TokenError tree."""

    def refuses_person(self, user: str, since: float) -> Refusal | None:
        """Why somebody (folded user id) who proved at ``since`` (Unix seconds) who they are is out again."""


class Guard:
    """The doors: for people, who get a session, and for applications, who do not. Without ``tokens`` none are taken."""

    def __init__(
        self,
        people: Authenticator,
        applications: Authenticator,
        sessions: Sessions,
        clock: Callable[[], float] = time.monotonic,
        tokens: TokenChecker | None = None,
    ) -> None:
        self._people = people
        self._applications = applications
        self._sessions = sessions
        self._clock = clock
        self._tokens = tokens

    async def person(self, request: web.Request) -> str | web.Response:
        """The folded user name of the person who asks, or the refusal to send. Credentials count before cookies."""
        if (token := http.bearer_token(request)) is not None:
            return self._by_token(token)
        given = http.basic_credentials(request)
        if given is None:
            return self._by_cookie(request) or http.unauthorized()
        proven = await self._check(self._people, *given, request)
        return proven.user if isinstance(proven, Proven) else proven

    async def person_as(self, request: web.Request, decode: Callable[[str], str]) -> str | web.Response:
        """As ``person``, with a password that is encoded in a way of its own, and without cookies."""
        if (token := http.bearer_token(request)) is not None:
            return self._by_token(token)
        given = http.basic_credentials(request)
        if given is None:
            return http.unauthorized()
        proven = await self._check(self._people, given[0], decode(given[1]), request)
        return proven.user if isinstance(proven, Proven) else proven

    async def owner(self, request: web.Request) -> str | web.Response:
        """As ``person``, and the person must be the one whose resource this is (``{user}`` of the path)."""
        user = await self.person(request)
        if isinstance(user, str) and user != fold(request.match_info["user"]):
            return http.refusal(403, "A user can read and change only what is theirs")
        return user

    async def application(self, request: web.Request, right: str) -> Proven | web.Response:
        """The application that asks, which must have this right, or the refusal to send."""
        given = http.basic_credentials(request)
        if given is None:
            return http.unauthorized()
        proven = await self._check(self._applications, *given, request)
        if isinstance(proven, Proven) and right not in proven.rights:
            return http.refusal(403, "This application may not ask for that")
        return proven

    def remember(self, request: web.Request, response: web.Response, user: str) -> None:
        """Give a session to a person who came with a password and has none. A token opens none."""
        if http.basic_credentials(request) is None or self._by_cookie(request) == user:
            return
        identifier, single = self._sessions.open(user, self._clock())
        for name, value, path in ((COOKIE, identifier, COOKIE_PATH), (COOKIE_SINGLE, single, "/")):
            response.set_cookie(name, value, path=path, secure=True, httponly=True, samesite="Strict")

    def _by_token(self, token: str) -> str | web.Response:
        if self._tokens is None:
            return http.unauthorized()
        try:
            return self._tokens.check(token).user
        except TokenError as error:
            return http.bad_token(str(error))

    def _by_cookie(self, request: web.Request) -> str | None:
        identifier, single = request.cookies.get(COOKIE), request.cookies.get(COOKIE_SINGLE)
        if not identifier or not single:
            return None
        found = self._sessions.session(identifier, single, self._clock())
        if found is None:
            return None
        if self._tokens is not None and self._tokens.refuses_person(found.user, found.began):
            self._sessions.end(found.user)
            return None
        return found.user

    @staticmethod
    async def _check(
        authenticator: Authenticator, user: str, password: str, request: web.Request
    ) -> Proven | web.Response:
        try:
            return await authenticator.check(user, password, request.remote or "")
        except WrongPasswordError:
            return http.unauthorized()
        except DeactivatedError:
            return http.refusal(403, "This person is deactivated")
        except LockedOutError as error:
            after = {"Retry-After": str(error.wait)}
            return http.refusal(429, f"Locked after too many wrong passwords: wait {error.wait} seconds", after)
        except TooManyTriesError as error:
            return http.refusal(429, f"Too many tries: wait {error.wait} seconds", {"Retry-After": str(error.wait)})
        except CheckUnavailableError:
            return http.refusal(503, "The directory that knows this password does not answer", {"Retry-After": "5"})
