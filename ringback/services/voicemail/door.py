"""Who asks: by token, by password (the mailbox's own, or the call manager's), or by the session of a browser.

A mailbox that has a password of its own is opened by that one only. Wrong tries are counted by mailbox and address, and
by address, before anything is computed; nobody learns whether it was the name or the password.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from dataclasses import dataclass
from typing import Final

import argon2
import structlog
from aiohttp import hdrs, web

from ringback.net.home_passwords import HomePasswords, HomesUnavailableError
from ringback.net.token_keys import KeysUnavailableError, TokenKeys
from ringback.protocols.oauth.tokens import TokenError
from ringback.rules.name_search import fold
from ringback.rules.throttle import Throttle
from ringback.services.voicemail import answers
from ringback.services.voicemail.browser import BrowserSignIn
from ringback.storage.voicemail.records import MailboxRow
from ringback.storage.voicemail.store import VoicemailStore

REALM: Final = "Cisco Unity Connection"
_HASHER: Final = argon2.PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)

_log = structlog.get_logger("ringback.voicemail.door")


@dataclass(frozen=True, slots=True)
class Owner:
    """Who asks, with the mailbox that is theirs."""

    user: str
    mailbox: MailboxRow


def hash_secret(secret: str) -> str:
    """What is kept of a PIN or password. Computes for milliseconds: call it in a thread."""
    return _HASHER.hash(secret)


def is_secret(secret: str, kept: str) -> bool:
    """Whether it is the one that was hashed. Computes for milliseconds: call it in a thread."""
    try:
        return _HASHER.verify(kept, secret)
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False


class Door:
    """Lets the owners of mailboxes in."""

    def __init__(
        self, store: VoicemailStore, accounts: HomePasswords, keys: TokenKeys, browser: BrowserSignIn | None = None
    ) -> None:
        """``browser``: None where people don't sign in at an identity provider."""
        self._store = store
        self._accounts = accounts
        self._keys = keys
        self._browser = browser
        self._by_user = Throttle(burst=8, seconds=10.0)
        self._by_address = Throttle(burst=100, seconds=1.0)

    async def owner(self, request: web.Request) -> Owner | web.StreamResponse:
        """Whose mailbox this is about, or what to send instead."""
        scheme, _, given = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        if scheme.lower() == "bearer":
            return await self._by_token(given.strip())
        credentials = _basic(given) if scheme.lower() == "basic" else None
        if credentials is None:
            return await self._by_session(request)
        return await self._by_password(*credentials, request.remote or "")

    async def _by_session(self, request: web.Request) -> Owner | web.StreamResponse:
        if self._browser is None:
            return unauthorized()
        if (user := self._browser.user(request)) is not None:
            return await self._mailbox(user)
        return await self._browser.begin(request) if self._browser.asks_for_page(request) else unauthorized()

    async def _by_token(self, token: str) -> Owner | web.Response:
        try:
            claims = self._keys.check(token)
        except KeysUnavailableError:
            return answers.refusal(503, "SERVICE_UNAVAILABLE", "The keys of the call managers are not known yet")
        except TokenError as error:
            _log.info("door.token_refused", why=str(error))
            return unauthorized(f'Bearer realm="{REALM}", error="invalid_token", error_description="{error}"')
        return await self._mailbox(fold(claims.user))

    async def _by_password(self, user: str, password: str, address: str) -> Owner | web.Response:
        key, now = (fold(user), address), asyncio.get_running_loop().time()
        if wait := max(self._by_user.wait(key, now), self._by_address.wait(address, now)):
            headers = {"Retry-After": str(wait)}
            return answers.refusal(429, "TOO_MANY_REQUESTS", f"Too many tries: wait {wait} seconds", headers)
        self._by_user.count(key, now)
        self._by_address.count(address, now)
        try:
            right = await self._is_right(user, password)
        except HomesUnavailableError as error:
            self._by_user.give_back(key)
            self._by_address.give_back(address)
            return answers.refusal(503, "SERVICE_UNAVAILABLE", str(error))
        if not right:
            return unauthorized()
        self._by_user.clear(key)
        self._by_address.give_back(address)
        return await self._mailbox(fold(user))

    async def _is_right(self, user: str, password: str) -> bool:
        mailbox = await self._store.mailbox(user)
        if mailbox is not None and mailbox.password:
            return await asyncio.to_thread(is_secret, password, mailbox.password)
        return await self._accounts.check(user, password)

    async def _mailbox(self, user: str) -> Owner | web.Response:
        mailbox = await self._store.mailbox(user)
        if mailbox is None:
            return answers.refusal(404, "RESOURCE_NOT_FOUND", "This person has no mailbox here")
        return Owner(user, mailbox)


def unauthorized(bearer: str = "") -> web.Response:
    """The answer that asks for credentials."""
    refused = answers.refusal(401, "UNAUTHORIZED", "The mailbox opens for its owner only")
    refused.headers.add(hdrs.WWW_AUTHENTICATE, bearer or f'Bearer realm="{REALM}"')
    refused.headers.add(hdrs.WWW_AUTHENTICATE, f'Basic realm="{REALM}", charset="UTF-8"')
    return refused


def _basic(encoded: str) -> tuple[str, str] | None:
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    user, colon, password = text.partition(":")
    return (user, password) if colon and user and password else None
