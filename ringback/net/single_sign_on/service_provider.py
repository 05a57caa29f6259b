"""The routes and rules of a service provider.

The way of a sign-in: ``begin`` remembers an open request, bound to the browser by a cookie, and sends the browser to
the identity provider. The provider lets the browser post its answer to the assertion consumer. There the answer is
believed only if this browser has such a request open, the relay state is ours, and ``protocols.saml.response`` finds
signature, audience, addresses and times in order; then the request is closed and the assertion remembered until it is
over, so that it counts once.

The cookie must come along when another site posts a form, hence ``SameSite=None``. It says nothing about who somebody
is; it only ties an answer to the browser that asked.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qsl

import structlog
from aiohttp import hdrs, web

from ringback.net.single_sign_on.keys import SigningKey
from ringback.net.single_sign_on.open_requests import OpenRequests
from ringback.net.single_sign_on.provider_source import ProviderSource
from ringback.net.single_sign_on.settings import NotSignedIn, SignedIn, SingleSignOnSettings
from ringback.protocols.saml.metadata import MEDIA_TYPE, ServiceProvider, write_service
from ringback.protocols.saml.request import AuthnRequest
from ringback.protocols.saml.response import NO_PASSIVE, Assertion, Expected, RefusedError, ReplayGuard, check
from ringback.protocols.saml.xml import SIZE_LIMIT, SamlError

METADATA_PATH = "/ssosp/ws/config/metadata/sp"
CONSUMER_PATH = "/ssosp/saml/SSO/alias/"
EDGE_HEADER = "Ringback-Edge"
"""Where the edge leads to this service. No client can write it: an edge passes none that it does not know."""
_BODY_LIMIT = 2 * SIZE_LIMIT
_RELAY_LIMIT = 4096  # characters
_FIELD_LIMIT = 16
_COOKIE_VALUE = re.compile(r"^[A-Za-z0-9_-]{43}$")
_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache", "Referrer-Policy": "no-referrer"}
_STRANGE = "This sign-in did not begin in this browser, or too long ago. Begin again."

_log = structlog.get_logger("ringback.single_sign_on")

OnSignedIn = Callable[[web.Request, SignedIn], Awaitable[web.StreamResponse]]
OnNotSignedIn = Callable[[web.Request, NotSignedIn], Awaitable[web.StreamResponse]]


class SingleSignOn:
    """A service that lets an identity provider say who somebody is."""

    def __init__(
        self,
        settings: SingleSignOnSettings,
        signed_in: OnSignedIn,
        not_signed_in: OnNotSignedIn,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """``clock`` gives Unix seconds. Raises ValueError for a metadata URL that is not https."""
        self._settings = settings
        self._signed_in = signed_in
        self._not_signed_in = not_signed_in
        self._clock = clock
        self._source = ProviderSource(settings, clock)
        self._open = OpenRequests(settings.open_limit, settings.request_seconds)
        self._guard = ReplayGuard()
        self._signing: SigningKey | None = None
        self._here = _Entry(consumer_of(settings.base, settings.entity_id), "__Host")
        # At an edge, cookies of a service belong to the service's own paths, which the other prefix forbids.
        self._edges = {edge: _Entry(consumer_of(edge, settings.entity_id), "__Secure") for edge in settings.edges}

    async def start(self) -> None:
        """Read the provider's metadata and keep it up to date. Raises OSError or SamlError for a metadata file that
        does not serve; a URL that does not answer is tried again and again."""
        if self._settings.keys is not None:
            self._signing = await asyncio.to_thread(SigningKey.open, self._settings.keys, self._settings.entity_id)
        await self._source.start()

    async def stop(self) -> None:
        """End what ``start`` began."""
        await self._source.stop()

    def routes(self) -> list[web.RouteDef]:
        """The assertion consumer and our metadata."""
        return [
            web.post(f"{CONSUMER_PATH}{self._settings.entity_id}", self._consume),
            web.get(METADATA_PATH, self._metadata),
        ]

    async def begin(
        self, request: web.Request, relay: str, *, passive: bool = False, force: bool = False
    ) -> web.StreamResponse:
        """Send the browser to the identity provider. ``relay`` (at most 4096 characters) stays here and is given back
        to the callback. ``passive``: the provider must ask nothing; ``force``: the person must prove it anew. Where
        that can't be done, what ``not_signed_in`` answers."""
        if len(relay) > _RELAY_LIMIT:
            return await self._not_signed_in(request, NotSignedIn("The request is too long"))
        now = self._clock()
        try:
            destination = self._source.current.redirect
        except SamlError as error:
            return await self._not_signed_in(request, NotSignedIn(str(error), relay))
        entry = self._entry(request)
        cookie = request.cookies.get(entry.cookie, "")
        if not self._open.knows(cookie, now):  # else a planted cookie could tie this sign-in to somebody else's browser
            cookie = secrets.token_urlsafe(32)
        opened = self._open.open(cookie, request.remote or "", relay, now)
        asked = AuthnRequest(
            opened.id, self._settings.entity_id, entry.consumer, destination, now, force=force, passive=passive
        )
        url = asked.redirect(opened.state, self._signing.key if self._signing else None)
        response = web.Response(status=302, headers=_NO_STORE | {hdrs.LOCATION: url})
        response.set_cookie(
            entry.cookie,
            cookie,
            path="/",
            secure=True,
            httponly=True,
            samesite="None",
            max_age=int(self._settings.request_seconds),
        )
        return response

    @property
    def _consumers(self) -> tuple[str, ...]:
        return tuple(entry.consumer for entry in (self._here, *self._edges.values()))

    @property
    def sign_out(self) -> str:
        """Where the person signs out at the identity provider; empty where none is known."""
        return self._settings.sign_out

    async def _consume(self, request: web.Request) -> web.StreamResponse:
        now = self._clock()
        entry = self._entry(request)
        cookie = request.cookies.get(entry.cookie, "")
        mine = self._open.of(cookie, now) if _COOKIE_VALUE.match(cookie) else frozenset()
        # Nothing is parsed for a stranger: reading and verifying cost more than they could ever give.
        if not mine:
            return await self._refused(request, NotSignedIn(_STRANGE))
        try:
            posted, state = await _form(request)
            assertion = await asyncio.to_thread(check, posted, self._expected(entry, mine), now)
        except RefusedError as refused:
            opened = self._open.take(refused.answers, cookie, state, now)
            relay = None if opened is None else opened.relay
            passive = relay is not None and refused.code == NO_PASSIVE
            return await self._refused(request, NotSignedIn(str(refused), relay, passive))
        except SamlError as error:
            return await self._refused(request, NotSignedIn(str(error)))
        opened = self._open.take(assertion.answers, cookie, state, now)
        if opened is None:
            return await self._refused(request, NotSignedIn(_STRANGE))
        try:
            self._guard.first(assertion, now)
            user = self._user(assertion)
        except SamlError as error:
            return await self._refused(request, NotSignedIn(str(error), opened.relay))
        _log.info("signed in by the identity provider", user=user, service=self._settings.entity_id)
        return await self._signed_in(request, SignedIn(user, opened.relay, assertion))

    async def _refused(self, request: web.Request, refused: NotSignedIn) -> web.StreamResponse:
        _log.info("not signed in by the identity provider", why=refused.why, address=request.remote)
        return await self._not_signed_in(request, refused)

    def _entry(self, request: web.Request) -> _Entry:
        """How this browser comes to us: directly, or by an edge."""
        return self._edges.get(request.headers.get(EDGE_HEADER, ""), self._here)

    def _expected(self, entry: _Entry, answerable: frozenset[str]) -> Expected:
        provider = self._source.current
        return Expected(self._settings.entity_id, entry.consumer, provider.entity_id, provider.certificates, answerable)

    def _user(self, assertion: Assertion) -> str:
        """Raises SamlError where the answer does not name one user."""
        wanted = self._settings.user_attribute
        found = assertion.attributes.get(wanted, ()) if wanted else (assertion.subject,)
        if len(found) != 1 or not found[0]:
            where = f"the attribute {wanted!r}" if wanted else "the NameID"
            raise SamlError(f"The identity provider did not say who signed in: {where} must hold one user id")
        return found[0]

    async def _metadata(self, _request: web.Request) -> web.Response:
        certificates = (self._signing.certificate,) if self._signing else ()
        service = ServiceProvider(self._settings.entity_id, self._consumers, certificates, bool(certificates))
        return web.Response(body=write_service(service), content_type=MEDIA_TYPE)


def consumer_of(base: str, entity_id: str) -> str:
    """The address of a service's assertion consumer; ``base``: where the service, or an edge before it, is reached."""
    return f"{base}{CONSUMER_PATH}{entity_id}"


class _Entry:
    """A way by which browsers come: the consumer there, and the cookie that ties an answer to the browser."""

    def __init__(self, consumer: str, prefix: str) -> None:
        self.consumer = consumer
        # Cookies do not know ports: two services of one host must not overwrite each other's.
        self.cookie = f"{prefix}-sso-{hashlib.sha256(consumer.encode()).hexdigest()[:8]}"


async def _form(request: web.Request) -> tuple[str, str]:
    """The answer and the relay state of a posted form. Raises SamlError."""
    if request.content_type != "application/x-www-form-urlencoded":
        raise SamlError("The answer is not a form")
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > _BODY_LIMIT:
            raise SamlError("The message is too large")
    try:
        fields = parse_qsl(body.decode("ascii"), strict_parsing=True, max_num_fields=_FIELD_LIMIT)
    except ValueError as error:
        raise SamlError("The answer is not a form") from error
    found = dict(fields)
    if len(found) != len(fields):
        raise SamlError("A field stands twice in this form")
    return found.get("SAMLResponse", ""), found.get("RelayState", "")
