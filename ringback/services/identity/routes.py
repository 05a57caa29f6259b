"""The way of a sign-in at the identity provider, over HTTP.

A service's request comes with the browser, by redirect or by a form. It is judged first: what is not in order gets a
page and nothing is sent anywhere. Who has a session is vouched for at once, unless the service wants the proof anew.
Else what came along counts (a ticket, a certificate, Basic); else the person is asked, if asking is allowed. Whoever
has a second factor is asked for its code after any first proof.

Two cookies: one ties a sign-in to the browser that began it, so that nobody can be signed in as somebody else by a
form of a foreign page; the other is the session. Both are ``SameSite=Lax``: a request that arrives by a foreign form
is therefore redirected to a page of ours, where they come along.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qsl

import structlog
from aiohttp import hdrs, web

from ringback.protocols.saml.issue import FORM, SECOND_FACTOR
from ringback.protocols.saml.metadata import MEDIA_TYPE
from ringback.protocols.saml.request import Received, receive_post, receive_redirect
from ringback.protocols.saml.response import NO_PASSIVE
from ringback.protocols.saml.xml import SIZE_LIMIT, SamlError
from ringback.rules.catalogue import render
from ringback.rules.reasons import Reason
from ringback.services.identity import forms
from ringback.services.identity.asked import Answers, Services
from ringback.services.identity.errors import NotProvenError, RequestRefusedError, TooManyTriesError
from ringback.services.identity.evidence import Evidence
from ringback.services.identity.proofs import Person, Proofs
from ringback.services.identity.sessions import Asked, Session, Sessions, SignIn, SignIns
from ringback.services.identity.settings import Method

METADATA_PATH = "/saml/metadata"
SIGN_ON_PATH = "/saml/sso"
_BODY_LIMIT = 2 * SIZE_LIMIT
_SESSION, _BROWSER = "__Host-ringback-session", "__Host-ringback-sign-in"
_NO_STORE = {"Cache-Control": "no-store"}

_log = structlog.get_logger("ringback.identity")


@dataclass(frozen=True, slots=True)
class Parts:
    """What the routes stand on. ``clock`` gives Unix seconds, ``steady`` seconds that only go on."""

    metadata: bytes
    services: Services
    answers: Answers
    proofs: Proofs
    evidence: Evidence
    sessions: Sessions
    sign_ins: SignIns
    methods: tuple[Method, ...]
    clock: Callable[[], float]
    steady: Callable[[], float]


class Routes:
    """The routes of an identity provider."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def routes(self) -> list[web.RouteDef]:
        """Metadata, the sign-in, the account."""
        return [
            web.get(METADATA_PATH, self._metadata),
            web.get(SIGN_ON_PATH, self._redirected),
            web.post(SIGN_ON_PATH, self._posted),
            web.get(f"{forms.FORM_PATH}/{{id}}", self._went_on),
            web.post(f"{forms.FORM_PATH}/{{id}}", self._answered),
            web.get(forms.SIGN_OUT_PATH, self._account),
            web.post(forms.SIGN_OUT_PATH, self._sign_out),
            web.get("/", self._account),
        ]

    async def _metadata(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._parts.metadata, content_type=MEDIA_TYPE)

    async def _redirected(self, request: web.Request) -> web.StreamResponse:
        try:
            # As it came: a signature covers the very escapes.
            asked = self._judge(receive_redirect(request.raw_path.partition("?")[2]))
        except (SamlError, RequestRefusedError) as error:
            return _refused(request, error)
        sign_in, cookie = self._begin(request, asked)
        return _with_cookie(await self._proceed(request, sign_in), cookie)

    async def _posted(self, request: web.Request) -> web.StreamResponse:
        try:
            fields = await _fields(request)
            asked = self._judge(receive_post(fields.get("SAMLRequest", ""), fields.get("RelayState", "")))
        except (SamlError, RequestRefusedError) as error:
            return _refused(request, error)
        sign_in, cookie = self._begin(request, asked)
        location = f"{forms.FORM_PATH}/{sign_in.id}"
        return _with_cookie(web.Response(status=303, headers={hdrs.LOCATION: location, **_NO_STORE}), cookie)

    async def _went_on(self, request: web.Request) -> web.StreamResponse:
        sign_in = self._found(request)
        return _over() if sign_in is None else await self._proceed(request, sign_in)

    def _judge(self, received: Received) -> Asked:
        return self._parts.services.judge(received, self._parts.clock())

    def _begin(self, request: web.Request, asked: Asked) -> tuple[SignIn, str]:
        cookie = request.cookies.get(_BROWSER, "")
        if len(cookie) != 43:
            cookie = secrets.token_urlsafe(32)
        return self._parts.sign_ins.open(asked, cookie, request.remote or "", self._parts.clock()), cookie

    def _found(self, request: web.Request) -> SignIn | None:
        cookie = request.cookies.get(_BROWSER, "")
        return self._parts.sign_ins.find(request.match_info["id"], cookie, self._parts.clock())

    def _session(self, request: web.Request) -> Session | None:
        return self._parts.sessions.find(request.cookies.get(_SESSION, ""), self._parts.clock())

    async def _proceed(self, request: web.Request, sign_in: SignIn) -> web.StreamResponse:
        """What to do with a sign-in before anything was asked."""
        asked = sign_in.asked.request
        session = self._session(request)
        if session is not None and not asked.force:
            return self._vouch(sign_in, session, {})
        try:
            shown = await self._parts.evidence.find(request, anew=asked.force)
        except (NotProvenError, TooManyTriesError) as error:
            return self._not_proven(request, sign_in, error)
        if shown is not None:
            return self._first_proof(request, sign_in, shown.person, shown.how, shown.headers)
        if asked.passive:
            return self._decline(sign_in)
        return self._ask(sign_in)

    def _ask(self, sign_in: SignIn, *, fault: str = "", user: str = "", status: int = 0) -> web.Response:
        challenges = self._parts.evidence.challenges
        if "form" in self._parts.methods:
            # A browser without a ticket shows the page of the 401.
            response = forms.ask_password(
                sign_in, fault=fault, user=user, status=status or (401 if challenges else 200)
            )
        else:
            response = forms.refusal("identity.title", fault or render(Reason("identity.ways")), status=401)
        response.headers.extend([(hdrs.WWW_AUTHENTICATE, each) for each in challenges])
        return response

    async def _answered(self, request: web.Request) -> web.StreamResponse:
        """The form came back."""
        sign_in = self._found(request)
        if sign_in is None:
            return _over()
        try:
            fields = await _fields(request)
        except SamlError as error:
            return _refused(request, error)
        if sign_in.first is not None and "code" in fields:
            return await self._second_proof(request, sign_in, *sign_in.first, fields["code"])
        if "form" not in self._parts.methods:
            return self._ask(sign_in)
        user = fields.get("user", "")
        try:
            person = await self._parts.proofs.password(
                user, fields.get("password", ""), request.remote or "", self._parts.steady()
            )
        except (NotProvenError, TooManyTriesError) as error:
            return self._not_proven(request, sign_in, error, user)
        return self._first_proof(request, sign_in, person, FORM, {})

    def _first_proof(
        self, request: web.Request, sign_in: SignIn, person: Person, how: str, headers: dict[str, str]
    ) -> web.Response:
        if not person.second_factor:
            return self._signed_in(request, sign_in, person, how, headers)
        if sign_in.asked.request.passive:
            return self._decline(sign_in)
        sign_in.first = (person, how)
        return forms.ask_code(sign_in, headers=headers)

    async def _second_proof(
        self, request: web.Request, sign_in: SignIn, person: Person, how: str, code: str
    ) -> web.Response:
        parts = self._parts
        try:
            await parts.proofs.code(person, code, request.remote or "", parts.steady(), parts.clock())
        except (NotProvenError, TooManyTriesError) as error:
            _log.info("code refused", user=person.user, why=type(error).__name__, address=request.remote)
            return _answer_of(error, forms.ask_code(sign_in, fault=str(error), status=_status(error)))
        return self._signed_in(request, sign_in, person, SECOND_FACTOR if how == FORM else how, {})

    def _signed_in(
        self, request: web.Request, sign_in: SignIn, person: Person, how: str, headers: dict[str, str]
    ) -> web.Response:
        sessions = self._parts.sessions
        sessions.close(request.cookies.get(_SESSION, ""))
        cookie, session = sessions.open(person, how, self._parts.clock())
        _log.info("signed in", user=person.user, how=how.rpartition(":")[2], service=sign_in.asked.service.entity_id)
        response = self._vouch(sign_in, session, headers)
        response.set_cookie(_SESSION, cookie, path="/", secure=True, httponly=True, samesite="Lax")
        return response

    def _not_proven(
        self, request: web.Request, sign_in: SignIn, error: NotProvenError | TooManyTriesError, user: str = ""
    ) -> web.Response:
        # Only known names are logged: what is typed into the wrong field may be a password.
        known = self._parts.proofs.person(user)
        name = "" if known is None else known.user
        _log.info("sign-in refused", why=type(error).__name__, user=name, address=request.remote)
        if sign_in.asked.request.passive:
            return self._decline(sign_in)
        return _answer_of(error, self._ask(sign_in, fault=str(error), user=user, status=_status(error)))

    def _vouch(self, sign_in: SignIn, session: Session, headers: dict[str, str]) -> web.Response:
        self._parts.sign_ins.close(sign_in)
        asked = sign_in.asked
        answer = self._parts.answers.vouch(asked, session, self._parts.clock())
        return forms.hand_over(asked.consumer, answer, asked.relay_state, headers)

    def _decline(self, sign_in: SignIn) -> web.Response:
        self._parts.sign_ins.close(sign_in)
        asked = sign_in.asked
        answer = self._parts.answers.decline(asked, NO_PASSIVE, self._parts.clock())
        return forms.hand_over(asked.consumer, answer, asked.relay_state, {})

    async def _account(self, request: web.Request) -> web.Response:
        session = self._session(request)
        return forms.account(session, _sign_out_token(request))

    async def _sign_out(self, request: web.Request) -> web.StreamResponse:
        session = self._session(request)
        try:
            token = (await _fields(request)).get("token", "")
        except SamlError as error:
            return _refused(request, error)
        if session is not None:
            if not hmac.compare_digest(token.encode(), _sign_out_token(request).encode()):
                return _over()
            self._parts.sessions.close(request.cookies.get(_SESSION, ""))
            _log.info("signed out", user=session.person.user)
        response = forms.account(None, "")
        response.del_cookie(_SESSION, path="/", secure=True, httponly=True, samesite="Lax")
        return response


def _sign_out_token(request: web.Request) -> str:
    """What only a page of ours can know in this browser: made of the session's cookie, which no script can read."""
    return hashlib.sha256(b"sign out " + request.cookies.get(_SESSION, "").encode()).hexdigest()


def _with_cookie(response: web.StreamResponse, value: str) -> web.StreamResponse:
    response.set_cookie(_BROWSER, value, path="/", secure=True, httponly=True, samesite="Lax")
    return response


def _refused(request: web.Request, error: Exception) -> web.Response:
    _log.info("request refused", why=str(error), address=request.remote)
    return forms.refusal("identity.refused-title", str(error), status=400)


def _over() -> web.Response:
    return forms.refusal("identity.over-title", render(Reason("identity.over")), status=403)


def _status(error: NotProvenError | TooManyTriesError) -> int:
    return 429 if isinstance(error, TooManyTriesError) else 401


def _answer_of(error: NotProvenError | TooManyTriesError, response: web.Response) -> web.Response:
    if isinstance(error, TooManyTriesError):
        response.headers[hdrs.RETRY_AFTER] = str(error.wait)
    return response


async def _fields(request: web.Request) -> dict[str, str]:
    """The fields of a posted form. Raises SamlError where it is none, too large, or a field stands twice."""
    if request.content_type != "application/x-www-form-urlencoded":
        raise SamlError("This is not a form")
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > _BODY_LIMIT:
            raise SamlError("The message is too large")
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=16)
    except ValueError as error:
        raise SamlError("This is not a form") from error
    found = dict(pairs)
    if len(found) != len(pairs):
        raise SamlError("A field stands twice in this form")
    return found
