"""The authorization endpoint: who is the person, and where does the answer go.

An answer goes only to an address that is known for the client; until client and address are known to fit, nobody is
sent anywhere. Then, in this order: a password in ``Authorization: Basic`` (first-party clients without a browser), the
identity provider where the cluster has one, the session of a browser that signed in before, the log-in page.

The log-in page posts to the address it was asked for, so client, redirect and challenge are judged again by the same
code. It is bound to the browser by a cookie, whose keyed hash stands in the form; another page can make neither. Who
signs in gets a new session, never the one the browser came with.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit

from aiohttp import hdrs, web

from ringback.net.single_sign_on import NotSignedIn, SignedIn, SingleSignOn
from ringback.protocols.oauth.clients import Client
from ringback.protocols.oauth.grants import (
    AUTHORIZE_PATH,
    AuthorizeRequest,
    CodeAnswer,
    ErrorCode,
    GrantError,
    error_location,
    parse_form,
    single,
    token_location,
)
from ringback.rules.name_search import fold
from ringback.rules.reasons import Reason
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
from ringback.services.callmanager.authorisation import log_in_page
from ringback.services.callmanager.authorisation.key_ring import KeyRing
from ringback.services.callmanager.authorisation.settings import SignInSettings
from ringback.services.callmanager.authorisation.tokens import Tokens, hash_of
from ringback.storage.callmanager.sign_ins import SignInStore
from ringback.storage.callmanager.store import Store

COOKIE = "__Host-ringback-sign-in"
_LONGEST_QUERY = 4096
_SESSION_LETTERS = 43
_NO_STORE = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request that may be answered at its redirect address."""

    client: Client
    request: AuthorizeRequest


class Authorize:
    """The handlers of ``/ssosp/oauth/authorize``; ``base`` is ``https://host:port`` of the node."""

    def __init__(
        self,
        settings: SignInSettings,
        base: str,
        people: Authenticator,
        tokens: Tokens,
        ring: KeyRing,
        sign_ins: SignInStore,
        store: Store,
        clock: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._base = base
        self._people = people
        self._tokens = tokens
        self._ring = ring
        self._sign_ins = sign_ins
        self._store = store
        self._clock = clock
        self._form_key = hmac.digest(settings.key, b"ringback log-in form", "sha256")
        self.single_sign_on: SingleSignOn | None = None

    def routes(self) -> list[web.RouteDef]:
        """What to add to the router. No HEAD: it would use up what a GET gives."""
        return [web.get(AUTHORIZE_PATH, self._get, allow_head=False), web.post(AUTHORIZE_PATH, self._post)]

    # what identity providers say

    async def signed_in(self, request: web.Request, person: SignedIn) -> web.StreamResponse:
        """The provider vouches for somebody: go on with what was asked. See ``net.single_sign_on``."""
        asked = self._judge(request, parse_qsl(person.relay, keep_blank_values=True))
        if isinstance(asked, web.Response):
            return asked
        user = fold(person.user)
        row = await self._store.person(user)
        if row is None or not row.home:
            return self._refuse_person(asked, Reason.of("log-in.stranger", user=person.user[:64]))
        if not self._ring.is_active(user):
            return self._refuse_person(asked, Reason("log-in.deactivated"))
        return await self._answer(asked, user, "")

    async def not_signed_in(self, request: web.Request, refusal: NotSignedIn) -> web.StreamResponse:
        """The provider does not vouch for anybody. See ``net.single_sign_on``."""
        if refusal.relay is None:
            return log_in_page.refused(request, "access_denied", refusal.why)
        asked = self._judge(request, parse_qsl(refusal.relay, keep_blank_values=True))
        if isinstance(asked, web.Response):
            return asked
        code: ErrorCode = "login_required" if refusal.passive else "access_denied"
        return self._error(asked, GrantError(code, refusal.why))

    # the endpoint

    async def _get(self, request: web.Request) -> web.StreamResponse:
        asked = self._judge(request, list(request.query.items()))
        if isinstance(asked, web.Response):
            return asked
        wanted = asked.request
        if hdrs.AUTHORIZATION in request.headers:
            return await self._by_password(request, asked)
        if self.single_sign_on is not None:
            passive, force = wanted.prompt == "none", wanted.prompt == "login"
            return await self.single_sign_on.begin(
                request, urlencode(wanted.parameters()), passive=passive, force=force
            )
        session = _session_of(request)
        if wanted.prompt != "login" and session:
            user = await self._sign_ins.session_user(hash_of(session), self._clock())
            if user is not None and self._ring.is_active(user):
                return await self._answer(asked, user, session)
        if wanted.prompt == "none":
            return self._error(asked, GrantError("login_required", "Somebody has to sign in at the log-in page"))
        return self._form(request, asked, user=wanted.hint)

    async def _post(self, request: web.Request) -> web.StreamResponse:
        asked = self._judge(request, list(request.query.items()))
        if isinstance(asked, web.Response):
            return asked
        if self.single_sign_on is not None:
            return log_in_page.refused(request, "invalid_request", "People of this cluster sign in elsewhere")
        if request.content_type != "application/x-www-form-urlencoded":
            return log_in_page.refused(request, "invalid_request", "The form has another type")
        try:
            given = parse_form(await request.read())
        except GrantError as error:
            return log_in_page.refused(request, error.code, error.description)
        user, password = given.get("user", ""), given.get("password", "")
        if not self._is_our_form(request, given.get("csrf", "")):
            return self._form(request, asked, user, Reason("log-in.form-too-old"), status=403)
        if not user or not password:
            return self._form(request, asked, user, Reason("log-in.needed"), status=400)
        proven = await self._proven(request, user, password)
        if isinstance(proven, Proven):
            return await self._begin_session(request, asked, proven.user)
        fault, status, headers = proven
        return self._form(request, asked, user, fault, status=status, headers=headers)

    async def _by_password(self, request: web.Request, asked: _Asked) -> web.Response:
        """A code at once for a first-party client that has no browser and knows the password."""
        given = http.basic_credentials(request)
        if given is None or not asked.client.first_party or self.single_sign_on is not None:
            why = "A password by Basic authentication is not taken here; open this address in a browser"
            return log_in_page.refused_json("access_denied", why, 401 if given is None else 403)
        proven = await self._proven(request, *given)
        if isinstance(proven, Proven):
            return await self._answer(asked, proven.user, "")
        fault, status, headers = proven
        if status == 403 and fault.id == "log-in.wrong":
            status, headers = 401, {hdrs.WWW_AUTHENTICATE: f'Basic realm="{http.REALM}", charset="UTF-8"'}
        return log_in_page.refused_json("access_denied", log_in_page.words(fault), status, headers)

    async def _proven(
        self, request: web.Request, user: str, password: str
    ) -> Proven | tuple[Reason, int, dict[str, str]]:
        """The person, or what to say, with the status and further headers."""
        try:
            return await self._people.check(user, password, request.remote or "")
        except WrongPasswordError:
            return Reason("log-in.wrong"), 403, {}
        except DeactivatedError:
            return Reason("log-in.deactivated"), 403, {}
        except LockedOutError as error:
            minutes = max(1, round(error.wait / 60))
            return Reason.of("log-in.locked", minutes=minutes), 429, {"Retry-After": str(error.wait)}
        except TooManyTriesError as error:
            return Reason.of("log-in.wait", seconds=error.wait), 429, {"Retry-After": str(error.wait)}
        except CheckUnavailableError:
            return Reason("log-in.unavailable"), 503, {}

    def _judge(self, request: web.Request, pairs: list[tuple[str, str]]) -> _Asked | web.Response:
        """The request, where its answer may go where it wants; else the page or redirect that refuses it."""
        try:
            given = _read(pairs)
        except GrantError as error:
            return log_in_page.refused(request, error.code, error.description)
        client = self._tokens.clients.get(given.get("client_id", ""))
        if client is None:
            return log_in_page.refused(request, "invalid_client", Reason("log-in.unknown-client"))
        redirect, state = given.get("redirect_uri", ""), given.get("state", "")
        if not client.may_return_to(redirect):
            return log_in_page.refused(request, "invalid_request", Reason("log-in.unknown-redirect"))
        is_token = given.get("response_type") == "token"
        try:
            wanted = self._allowed(AuthorizeRequest.parse(given), client)
        except GrantError as error:
            return _see(error_location(redirect, error, _safe(state), self._base, fragment=is_token))
        return _Asked(client, wanted)

    def _allowed(self, wanted: AuthorizeRequest, client: Client) -> AuthorizeRequest:
        """The request, where the client may use its grant. Raises GrantError."""
        if wanted.response_type == "token" and not (self._settings.implicit and client.implicit):
            raise GrantError("unauthorized_client", "The implicit grant is not allowed; ask for a code")
        return wanted

    async def _begin_session(self, request: web.Request, asked: _Asked, user: str) -> web.Response:
        """A new session for this browser, and the answer. What the browser came with is forgotten."""
        before = _session_of(request)
        if before:
            await self._sign_ins.close_session(hash_of(before))
        session = secrets.token_urlsafe(32)
        now = self._clock()
        await self._sign_ins.open_session(hash_of(session), user, now, now + self._settings.session_seconds)
        response = await self._answer(asked, user, session)
        _set_cookie(response, session)
        return response

    async def _answer(self, asked: _Asked, user: str, session: str) -> web.Response:
        wanted = asked.request
        if wanted.response_type == "token":
            token, seconds = await self._tokens.implicit_for(user, wanted, session)
            return _see(token_location(wanted.redirect_uri, token, seconds, wanted.state))
        code = await self._tokens.code_for(user, wanted, session)
        return _see(CodeAnswer(code, wanted.state, self._base).location(wanted.redirect_uri))

    def _error(self, asked: _Asked, error: GrantError) -> web.Response:
        wanted = asked.request
        fragment = wanted.response_type == "token"
        return _see(error_location(wanted.redirect_uri, error, wanted.state, self._base, fragment=fragment))

    def _refuse_person(self, asked: _Asked, why: Reason) -> web.Response:
        return self._error(asked, GrantError("access_denied", log_in_page.words(why)))

    def _form(
        self,
        request: web.Request,
        asked: _Asked,
        user: str = "",
        fault: Reason | None = None,
        *,
        status: int = 200,
        headers: dict[str, str] | None = None,
    ) -> web.Response:
        cookie = _session_of(request) or secrets.token_urlsafe(32)
        parts = urlsplit(asked.request.redirect_uri)
        form = log_in_page.Form(
            action=f"{AUTHORIZE_PATH}?{urlencode(asked.request.parameters())}",
            csrf=self._csrf(cookie),
            client=asked.client.name,
            node=urlsplit(self._base).hostname or "",
            user=user,
            returns_to=f"{parts.scheme}://{parts.netloc}" if parts.netloc else f"{parts.scheme}:",
        )
        response = log_in_page.form(form, fault, status, headers)
        _set_cookie(response, cookie)
        return response

    def _csrf(self, cookie: str) -> str:
        return hmac.new(self._form_key, cookie.encode(), "sha256").hexdigest()

    def _is_our_form(self, request: web.Request, csrf: str) -> bool:
        """Whether the form was made here for this browser (and was not sent by another site, where browsers tell)."""
        if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
            return False
        cookie = _session_of(request)
        return bool(cookie) and hmac.compare_digest(self._csrf(cookie).encode(), csrf.encode())


def _read(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """The parameters of a query. Raises GrantError."""
    if sum(len(name) + len(value) for name, value in pairs) > _LONGEST_QUERY:
        raise GrantError("invalid_request", "The request is too long")
    return single(pairs)


def _session_of(request: web.Request) -> str:
    """The cookie's value where it can be one of ours; empty otherwise."""
    value = request.cookies.get(COOKIE, "")
    fits = len(value) == _SESSION_LETTERS and value.isascii() and value.replace("-", "").replace("_", "").isalnum()
    return value if fits else ""


def _set_cookie(response: web.Response, value: str) -> None:
    """A cookie of this host alone (its name's prefix makes browsers insist), not for scripts. Lax: it has to come along
    when a client sends the browser here, and must not when another page posts."""
    response.set_cookie(COOKIE, value, path="/", secure=True, httponly=True, samesite="Lax")


def _see(location: str) -> web.Response:
    """On to the client. 303: a form that was posted here is not posted there."""
    return web.Response(status=303, headers={**_NO_STORE, hdrs.LOCATION: location})


def _safe(state: str) -> str:
    return state if len(state) <= 512 and state.isascii() and state.isprintable() else ""
