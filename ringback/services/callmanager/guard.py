"""Lets requests pass that prove who asks: by Basic credentials or by the cookies of a session."""

from __future__ import annotations

import time
from collections.abc import Callable

from aiohttp import web

from ringback.rules.name_search import fold
from ringback.services.callmanager import http
from ringback.services.callmanager.authentication import Authenticator, Proven, TooManyTriesError, WrongPasswordError
from ringback.services.callmanager.sessions import COOKIE, COOKIE_SINGLE, Sessions

COOKIE_PATH = "/cucm-uds"


class Guard:
    """The doors: for people, who get a session, and for applications, who do not."""

    def __init__(
        self,
        people: Authenticator,
        applications: Authenticator,
        sessions: Sessions,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._people = people
        self._applications = applications
        self._sessions = sessions
        self._clock = clock

    async def person(self, request: web.Request) -> str | web.Response:
        """The folded user name of the person who asks, or the refusal to send. Credentials count before cookies."""
        given = http.basic_credentials(request)
        if given is None:
            return self._by_cookie(request) or http.unauthorized()
        proven = await self._check(self._people, *given, request)
        return proven.user if isinstance(proven, Proven) else proven

    async def person_as(self, request: web.Request, decode: Callable[[str], str]) -> str | web.Response:
        """As ``person``, with a password that is encoded in a way of its own, and without cookies."""
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
        """Give a session to a person who came with a password and has none."""
        if http.basic_credentials(request) is None or self._by_cookie(request) == user:
            return
        identifier, single = self._sessions.open(user, self._clock())
        for name, value, path in ((COOKIE, identifier, COOKIE_PATH), (COOKIE_SINGLE, single, "/")):
            response.set_cookie(name, value, path=path, secure=True, httponly=True, samesite="Strict")

    def _by_cookie(self, request: web.Request) -> str | None:
        identifier, single = request.cookies.get(COOKIE), request.cookies.get(COOKIE_SINGLE)
        if not identifier or not single:
            return None
        return self._sessions.user(identifier, single, self._clock())

    @staticmethod
    async def _check(
        authenticator: Authenticator, user: str, password: str, request: web.Request
    ) -> Proven | web.Response:
        try:
            return await authenticator.check(user, password, request.remote or "")
        except WrongPasswordError:
            return http.unauthorized()
        except TooManyTriesError as error:
            return http.refusal(429, f"Too many tries: wait {error.wait} seconds", {"Retry-After": str(error.wait)})
