"""The log-in service over HTTPS: user name and password for a session key, the key for one-time tokens.

A token works once, for one person, for a short time. Keys and tokens live in memory only: after a restart clients log
in again.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections import OrderedDict
from typing import Final

import structlog
from aiohttp import web

from ringback.net.tls import server_context
from ringback.protocols import soap_login as soap
from ringback.rules.addresses import AddressError, Jid
from ringback.services.presence.credentials import Credentials
from ringback.services.presence.errors import CredentialsUnavailableError
from ringback.services.presence.settings import PresenceSettings
from ringback.services.presence.throttle import Throttle

_KEY_LIFE: Final = 12 * 3600.0  # seconds
_MOST_KEPT: Final = 200_000

_log = structlog.get_logger("ringback.presence.login")


class _Tickets:
    """Secrets that name a user for a while; the oldest fall out first."""

    def __init__(self, life: float) -> None:
        self._life = life
        self._entries: OrderedDict[str, tuple[str, float]] = OrderedDict()

    def give(self, user: str, secret: str, now: float) -> str:
        while self._entries and (len(self._entries) >= _MOST_KEPT or next(iter(self._entries.values()))[1] <= now):
            self._entries.popitem(last=False)
        self._entries[secret] = (user, now + self._life)
        return secret

    def user(self, secret: str, now: float) -> str | None:
        user, until = self._entries.get(secret, ("", 0.0))
        return user if until > now else None

    def take(self, secret: str, now: float) -> str | None:
        user, until = self._entries.pop(secret, ("", 0.0))
        return user if until > now else None


class Login:
    """The service: ``start`` binds, ``stop`` ends it."""

    def __init__(self, settings: PresenceSettings, credentials: Credentials, throttle: Throttle) -> None:
        self._settings = settings
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

    def take_token(self, user: str, token: str) -> bool:
        """Whether this one-time token was given to this user; it is spent by the question."""
        owner = self._tokens.take(token, asyncio.get_running_loop().time())
        return owner is not None and hmac.compare_digest(owner.encode(), user.encode())

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
                return _answer(await self._login(asked, request.remote or ""))
        except CredentialsUnavailableError:
            return web.Response(status=503, headers={"Retry-After": "5"})
        now = asyncio.get_running_loop().time()
        user = self._keys.user(asked.session_key, now)
        if user is None:
            return _answer(soap.render_refusal(soap.request_name(asked)))
        if isinstance(asked, soap.TokenRequest):
            return _answer(soap.render_token(self._tokens.give(user, secrets.token_urlsafe(24), now)))
        return _answer(soap.render_config(self._properties()))

    async def _login(self, asked: soap.LoginRequest, address: str) -> bytes:
        now = asyncio.get_running_loop().time()
        try:
            user = Jid.parse(f"{asked.user.partition('@')[0]}@{self._settings.domain}").local
        except AddressError:
            return soap.render_refusal("login")
        if not self._throttle.begins(user, address, now):
            return soap.render_refusal("login")
        try:
            good = await self._credentials.check_password(user, asked.password)
        except CredentialsUnavailableError:
            self._throttle.undecided(user, address)
            raise
        if not good:
            return soap.render_refusal("login")
        self._throttle.succeeded(user, address)
        return soap.render_session_key(self._keys.give(user, _uuid(), now))

    def _properties(self) -> dict[str, str]:
        settings = self._settings
        return {
            "Presence.Domain": settings.domain,
            "Presence.Node": settings.node,
            "Presence.XmppPort": str(settings.xmpp_port),
            "Presence.ConferenceDomain": settings.conference_domain,
        }


def _uuid() -> str:
    text = secrets.token_hex(16)
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _answer(body: bytes) -> web.Response:
    return web.Response(body=body, content_type=soap.CONTENT_TYPE, charset="utf-8")
