"""The other doors of the authorisation server: probe, token, revocation, keys, and what an administrator may do."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Literal
from urllib.parse import parse_qsl

import structlog
from aiohttp import hdrs, web

from ringback.protocols.oauth import probe
from ringback.protocols.oauth.clients import is_client_id
from ringback.protocols.oauth.grants import (
    ADMINISTRATOR_REVOKE_PATH,
    KEYS_PATH,
    REVOKE_PATH,
    TOKEN_PATH,
    CodeGrant,
    ErrorResponse,
    GrantError,
    RevokedResponse,
    parse_form,
    parse_token_request,
    single,
)
from ringback.rules.name_search import fold
from ringback.rules.throttle import Throttle
from ringback.services.callmanager import http
from ringback.services.callmanager.authorisation.key_ring import KeyRing
from ringback.services.callmanager.authorisation.tokens import Tokens
from ringback.services.callmanager.guard import Guard
from ringback.storage.callmanager.lock_outs import LockOuts
from ringback.storage.callmanager.records import PERSON
from ringback.storage.callmanager.sign_ins import SignInStore
from ringback.storage.callmanager.store import Store

KEYS_RIGHT = "token-keys"
PEOPLE_RIGHT = "people"
PEOPLE_PATH = "/ringback/people/{user}"
_FORM = "application/x-www-form-urlencoded"
_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache", "X-Content-Type-Options": "nosniff"}

_log = structlog.get_logger("ringback.callmanager.tokens")


class Probe:
    """``GET /ssosp/ws/public/singleSignOn``: how people sign in here."""

    def __init__(self, answer: probe.Probe) -> None:
        self._body = answer.build()

    def routes(self) -> list[web.RouteDef]:
        """What to add to the router."""
        return [web.get(probe.PATH, self._get)]

    async def _get(self, _request: web.Request) -> web.Response:
        return http.xml(self._body)


class TokenEndpoints:
    """Token and revocation for clients. Refusals are JSON (RFC 6749 section 5.2)."""

    def __init__(self, tokens: Tokens, clock: Callable[[], float] = time.monotonic) -> None:
        self._tokens = tokens
        self._clock = clock
        self._wrong = Throttle(burst=100, seconds=1.0)

    def routes(self) -> list[web.RouteDef]:
        """What to add to the router."""
        return [web.post(TOKEN_PATH, self._token), web.post(REVOKE_PATH, self._revoke)]

    async def _token(self, request: web.Request) -> web.Response:
        return await self._answered(request, self._give)

    async def _give(self, given: dict[str, str]) -> bytes:
        asked = parse_token_request(given)
        if isinstance(asked, CodeGrant):
            return (await self._tokens.redeem(asked)).build()
        return (await self._tokens.refresh(asked)).build()

    async def _revoke(self, request: web.Request) -> web.Response:
        return await self._answered(request, self._take)

    async def _take(self, given: dict[str, str]) -> bytes:
        for name in ("token", "client_id"):
            if name not in given:
                raise GrantError("invalid_request", f"The request is missing a required parameter: {name}")
        await self._tokens.sign_out(given["token"], given["client_id"])
        return b"{}"

    async def _answered(
        self, request: web.Request, answer: Callable[[dict[str, str]], Awaitable[bytes]]
    ) -> web.Response:
        address, now = request.remote or "", self._clock()
        if wait := self._wrong.wait(address, now):
            error = GrantError("temporarily_unavailable", f"Too many wrong requests: wait {wait} seconds")
            return _refusal(error, 429, {"Retry-After": str(wait)})
        try:
            body = await answer(await _form(request))
        except GrantError as error:
            self._wrong.count(address, now)
            return _refusal(error, 401 if error.code == "invalid_client" else 400)
        return web.Response(body=body, content_type="application/json", headers=_NO_STORE)


class Administration:
    """The key document for services, and revocation and deactivation for administrators: application users by Basic."""

    def __init__(
        self, guard: Guard, tokens: Tokens, ring: KeyRing, sign_ins: SignInStore, store: Store, locks: LockOuts
    ) -> None:
        self._guard = guard
        self._tokens = tokens
        self._ring = ring
        self._sign_ins = sign_ins
        self._store = store
        self._locks = locks

    def routes(self) -> list[web.RouteDef]:
        """What to add to the router. No HEAD on what changes something."""
        return [
            web.get(KEYS_PATH, self._keys, allow_head=False),
            web.get(ADMINISTRATOR_REVOKE_PATH, self._revoke, allow_head=False),
            web.get(PEOPLE_PATH, self._person),
            web.put(f"{PEOPLE_PATH}/active", self._set_active),
            web.delete(f"{PEOPLE_PATH}/lock-out", self._unlock),
        ]

    async def _keys(self, request: web.Request) -> web.Response:
        application = await self._guard.application(request, KEYS_RIGHT)
        if isinstance(application, web.Response):
            return application
        response = http.document(request, self._ring.document)
        response.headers[hdrs.CACHE_CONTROL] = "no-store"  # it holds a secret key: nothing on the way may keep it
        return response

    async def _revoke(self, request: web.Request) -> web.Response:
        application = await self._guard.application(request, PEOPLE_RIGHT)
        if isinstance(application, web.Response):
            return application
        try:
            given = single(parse_qsl(request.query_string, keep_blank_values=True, max_num_fields=8))
        except (GrantError, ValueError) as error:
            return _refusal(GrantError("invalid_request", str(error)), 400)
        user, client = given.get("user_id", ""), given.get("client_id", "")
        if not user or (client and not is_client_id(client)):
            return _refusal(GrantError("invalid_request", "Needed: user_id, and client_id as C and 64 digits"), 400)
        if await self._at_home(user) is None:
            return _refusal(GrantError("invalid_request", "There is no such person here"), 404)
        revoked = await self._tokens.revoke(fold(user), client)
        body = RevokedResponse.of(user, revoked).build()
        return web.Response(body=body, content_type="application/json", headers=_NO_STORE)

    async def _person(self, request: web.Request) -> web.Response:
        user = await self._administered(request)
        if isinstance(user, web.Response):
            return user
        now = time.time()
        lock = await self._locks.state(PERSON, user, now)
        rows = await self._sign_ins.sign_ins_of(user, now)
        answer = {
            "user": user,
            "active": self._ring.is_active(user),
            "locked_until": lock.until or None,
            "sign_ins": [
                {"client_id": row.client, "device": row.device, "since": row.since, "until": row.until} for row in rows
            ],
        }
        return web.json_response(answer, headers=_NO_STORE)

    async def _set_active(self, request: web.Request) -> web.Response:
        user = await self._administered(request)
        if isinstance(user, web.Response):
            return user
        wanted = _boolean(await request.read())
        if wanted is None:
            return _refusal(GrantError("invalid_request", "The body must be true or false"), 400)
        person = await self._store.person(user)
        if wanted and person is not None and not person.active:
            why = "The deployment file says that this person is not active; change it there"
            return _refusal(GrantError("access_denied", why), 409)
        await self._tokens.set_active(user, active=wanted)
        return web.json_response({"user": user, "active": self._ring.is_active(user)}, headers=_NO_STORE)

    async def _unlock(self, request: web.Request) -> web.Response:
        user = await self._administered(request)
        if isinstance(user, web.Response):
            return user
        if await self._locks.clear(PERSON, user):
            _log.warning("lock-out ended by an administrator", user=user)
        return web.Response(status=204, headers=_NO_STORE)

    async def _administered(self, request: web.Request) -> str | web.Response:
        """The folded user id of the person in the path, or the refusal to send."""
        application = await self._guard.application(request, PEOPLE_RIGHT)
        if isinstance(application, web.Response):
            return application
        user = await self._at_home(request.match_info["user"])
        return user or _refusal(GrantError("invalid_request", "There is no such person here"), 404)

    async def _at_home(self, user: str) -> str | None:
        row = await self._store.person(user) if user.isprintable() else None
        return row.user if row is not None and row.home else None


async def _form(request: web.Request) -> dict[str, str]:
    """The parameters of a request. Raises GrantError; those of a query are refused, since queries are logged."""
    if request.query_string or request.content_type != _FORM:
        raise GrantError("invalid_request", f"Parameters belong into a body of the type {_FORM}")
    return parse_form(await request.read())


def _boolean(body: bytes) -> Literal[True, False] | None:
    return {b"true": True, b"false": False}.get(body.strip())


def _refusal(error: GrantError, status: int, headers: dict[str, str] | None = None) -> web.Response:
    body = ErrorResponse(error=error.code, error_description=error.description, ended=error.ended).build()
    challenge = {hdrs.WWW_AUTHENTICATE: f'Basic realm="{http.REALM}"'} if status == 401 else {}
    kept = _NO_STORE | challenge | (headers or {})
    return web.Response(status=status, body=body, content_type="application/json", headers=kept)
