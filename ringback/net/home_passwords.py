"""People's passwords, checked by asking the call managers as the person: they are kept nowhere here.

A right answer is remembered for a minute under a keyed hash, so that a client that asks every few seconds does not make
the call manager compute; the key lives and dies with the process.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import secrets
import ssl
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

import aiohttp
import structlog

from ringback.net.node_resolver import NodeResolver, local_address
from ringback.protocols.markup import MarkupError, parse
from ringback.rules.addresses import HostPort
from ringback.rules.name_search import fold

_TIMEOUT: Final = aiohttp.ClientTimeout(total=5, connect=3)
_LARGEST: Final = 65_536
_REMEMBERED_SECONDS: Final = 60.0
_MOST_REMEMBERED: Final = 20_000

_log = structlog.get_logger("ringback.home_passwords")


class HomesUnavailableError(Exception):
    """No call manager answers, so nobody can say whether a password is right."""


class HomePasswords:
    """Asks the call managers who a person is. ``nodes``: their names, with the addresses to reach them at; certificates
    are checked for the name with ``tls``."""

    def __init__(self, nodes: Sequence[tuple[str, HostPort]], tls: ssl.SSLContext, source: str | None = None) -> None:
        """``source``: the address to ask from (None: the system's choice)."""
        self._source = source
        self._nodes = tuple(nodes)
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None
        self._secret = secrets.token_bytes(32)
        self._remembered: OrderedDict[tuple[str, bytes], float] = OrderedDict()

    async def start(self) -> None:
        """Open the connection pool."""
        connector = aiohttp.TCPConnector(
            ssl=self._tls,
            resolver=NodeResolver(dict(self._nodes)),
            limit=16,
            local_addr=local_address(self._source),
        )
        self._session = aiohttp.ClientSession(
            connector=connector, timeout=_TIMEOUT, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
        )

    async def stop(self) -> None:
        """Mirror of ``start``."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def remembers(self, user: str, password: str) -> bool:
        """Whether this was the person's password a moment ago."""
        return self._remembered.get(self._key(user, password), 0.0) > asyncio.get_running_loop().time()

    async def check(self, user: str, password: str) -> bool:
        """Whether this is the person's password at one of the call managers. Raises HomesUnavailableError."""
        if self.remembers(user, password):
            return True
        key, now = self._key(user, password), asyncio.get_running_loop().time()
        if not await self._ask(user, password):
            return False
        self._remembered[key] = now + _REMEMBERED_SECONDS
        self._remembered.move_to_end(key)
        if len(self._remembered) > _MOST_REMEMBERED:
            self._remembered.popitem(last=False)
        return True

    def _key(self, user: str, password: str) -> tuple[str, bytes]:
        return fold(user), hmac.digest(self._secret, password.encode(), "sha256")

    def forget_all(self) -> None:
        """Forget what was remembered: somebody may not sign in any more."""
        self._remembered.clear()

    async def _ask(self, user: str, password: str) -> bool:
        """The first call manager that knows the person decides; one that refuses may be of another cluster."""
        credentials = base64.b64encode(f"{user}:{password}".encode()).decode()
        answered = False
        for name, address in self._nodes:
            url = f"https://{name}:{address.port}/cucm-uds/user/{quote(user, safe='')}"
            found = await self._get(url, credentials)
            if found is None:
                continue
            answered = True
            status, body = found
            if status == 200:
                return _is_about(user, body)
        if not answered:
            raise HomesUnavailableError("No call manager answers, so the password can't be checked now")
        return False

    async def _get(self, url: str, credentials: str) -> tuple[int, bytes] | None:
        if self._session is None:
            raise HomesUnavailableError("The service is not running")
        try:
            headers = {"Authorization": f"Basic {credentials}"}
            async with self._session.get(url, headers=headers, allow_redirects=False) as response:
                body = await response.content.read(_LARGEST)
                return None if response.status >= 500 else (response.status, body)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            _log.warning("a call manager is silent", error=type(error).__name__)
            return None


def _is_about(user: str, body: bytes) -> bool:
    """A directory may take another spelling for the same person: the document must be about who was named."""
    try:
        document = parse(body)
    except MarkupError:
        return False
    return fold(document.text_of("userName") or document.text_of("id")) == fold(user)
