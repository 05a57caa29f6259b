"""The log-in service over HTTPS: user name and password for a session key, the key for one-time tokens.

In place of the password a client may bring an access token of the call manager, as ``Authorization: Bearer`` of the
log-in request; the password element is empty then (chosen here). A key is worth as much as what it was given for: when
that is taken back, it gives no more tokens.

A one-time token works once, for one person, for a short time. Keys and tokens live in memory only: after a restart
clients log in again.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections import OrderedDict
from typing import Final

import structlog
from aiohttp import hdrs, web

from ringback.net.tls import server_context
from ringback.protocols import soap_login as soap
from ringback.rules.addresses import AddressError, Jid
from ringback.services.presence.credentials import Credentials
from ringback.services.presence.errors import CredentialsUnavailableError
from ringback.services.presence.settings import PresenceSettings
from ringback.services.presence.throttle import Throttle
from ringback.services.presence.tokens import AccessTokens, Owner

_KEY_LIFE: Final = 12 * 3600.0  # seconds
_MOST_KEPT: Final = 200_000

_log = structlog.get_logger("ringback.presence.login")


class _Tickets:
    """Secrets that name somebody for a while; the oldest fall out first."""

    def __init__(self, life: float) -> None:
        self._life = life
        self._entries: OrderedDict[str, tuple[Owner, float]] = OrderedDict()

    def give(self, owner: Owner, secret: str, now: float) -> str:
        while self._entries and (len(self._entries) >= _MOST_KEPT or next(iter(self._entries.values()))[1] <= now):
            self._entries.popitem(last=False)
        self._entries[secret] = (owner, now + self._life)
        return secret

    def owner(self, secret: str, now: float) -> Owner | None:
        entry = self._entries.get(secret)
        return entry[0] if entry is not None and entry[1] > now else None

    def take(self, secret: str, now: float) -> Owner | None:
        entry = self._entries.pop(secret, None)
        return entry[0] if entry is not None and entry[1] > now else None


class Login:
    """The service: ``start`` binds, ``stop`` ends it."""

    def __init__(
        self, settings: PresenceSettings, credentials: Credentials, access: AccessTokens, throttle: Throttle
    ) -> None:
        self._settings = settings
        self._access = access
        self._credentials = credentials
        self._keys = _Tickets(_KEY_LIFE)
        self._tokens = _Tickets(settings.limits.token_life)
        self._throttle = throttle
        self._runner: web.AppRunner | None = None
        self.address = ("", 0)

    async def start(self) -> None:
        """Bind. Raises OSError."""
        app = web.Application(client_max_size=soap.LARGEST)
        for path in soap.PATHS:
            app.router.add_post(path, self._serve)
        self._runner = web.AppRunner(app, access_log=None, keepalive_timeout=15.0, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(
            self._runner,
            self._settings.address,
            self._settings.login_port,
            ssl_context=server_context(self._settings.identity),
        )
        await site.start()
        self.address = self._runner.addresses[0][:2]

    async def stop(self) -> None:
        """Mirror of ``start``."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def take_token(self, user: str, token: str) -> Owner | None:
        """Who this one-time token was given to, if it was to this user; it is spent by the question."""
        owner = self._tokens.take(token, asyncio.get_running_loop().time())
        if owner is None or not hmac.compare_digest(owner.user.encode(), user.encode()):
            return None
        return None if self._access.refuses(owner.user, owner.proof) else owner

    async def _serve(self, request: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(10):
                body = await request.read()
        except TimeoutError:
            return web.Response(status=408)
        try:
            asked = soap.parse_request(body)
        except soap.MalformedSoapError:
            return _answer(soap.render_refusal("login"))
        try:
            if isinstance(asked, soap.LoginRequest):
                return _answer(await self._login(asked, _bearer(request), request.remote or ""))
        except CredentialsUnavailableError:
            return web.Response(status=503, headers={"Retry-After": "5"})
        now = asyncio.get_running_loop().time()
        owner = self._keys.owner(asked.session_key, now)
        if owner is None or self._access.refuses(owner.user, owner.proof):
            return _answer(soap.render_refusal(soap.request_name(asked)))
        if isinstance(asked, soap.TokenRequest):
            return _answer(soap.render_token(self._tokens.give(owner, secrets.token_urlsafe(24), now)))
        return _answer(soap.render_config(self._properties()))

    async def _login(self, asked: soap.LoginRequest, token: str, address: str) -> bytes:
        now = asyncio.get_running_loop().time()
        try:
            user = Jid.parse(f"{asked.user.partition('@')[0]}@{self._settings.domain}").local
        except AddressError:
            return soap.render_refusal("login")
        owner = (
            await self._by_password(user, asked.password, address, now)
            if asked.password
            else self._by_token(user, token, address, now)
        )
        if owner is None or self._access.refuses(user, owner.proof):
            return soap.render_refusal("login")
        return soap.render_session_key(self._keys.give(owner, _uuid(), now))

    async def _by_password(self, user: str, password: str, address: str, now: float) -> Owner | None:
        if not self._throttle.begins(user, address, now):
            return None
        try:
            good = await self._credentials.check_password(user, password)
        except CredentialsUnavailableError:
            self._throttle.undecided(user, address)
            raise
        if not good:
            return None
        self._throttle.succeeded(user, address)
        return Owner(user, self._access.now())

    def _by_token(self, user: str, token: str, address: str, now: float) -> Owner | None:
        if not token:
            return None
        answer, owner = self._access.answer(user, token, address, now)
        if answer is None:
            raise CredentialsUnavailableError("Access tokens can't be checked now")
        return owner if owner is not None and owner.user == user else None

    def _properties(self) -> dict[str, str]:
        settings = self._settings
        return {
            "Presence.Domain": settings.domain,
            "Presence.Node": settings.node,
            "Presence.XmppPort": str(settings.xmpp_port),
            "Presence.ConferenceDomain": settings.conference_domain,
        }


def _bearer(request: web.Request) -> str:
    """The access token of a request; empty where there is none."""
    scheme, _, token = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _uuid() -> str:
    text = secrets.token_hex(16)
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _answer(body: bytes) -> web.Response:
    return web.Response(body=body, content_type=soap.CONTENT_TYPE, charset="utf-8")
