"""Ask the call managers who a person is: passwords are theirs, and are checked over the wire.

* PLAIN: ``GET /cucm-uds/user/ID`` with the person's own user name and password: 200 is good, 401 is not.
* The home cluster is found first with ``GET /cucm-uds/clusterUser?username=ID``, which needs no credentials and also
  tells whether an account exists.
* SCRAM: ``GET /ringback/credentials/ID`` with an application user's credentials gives the verifier as JSON; a foreign
  call manager without that page makes us offer PLAIN and the token only, and so does one whose people all have their
  passwords in a directory (409). Where only some have, SCRAM is refused to those, and clients go on with PLAIN.

Answers are kept for a short time, so that many clients that come back at once do not fall upon the call manager.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import hashlib
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

import aiohttp
import msgspec
import structlog
from lxml import etree

from ringback.net.node_resolver import NodeResolver
from ringback.net.tls import client_context
from ringback.protocols.xmpp.sasl import Verifier, fake_verifier
from ringback.rules.addresses import AddressError, Jid
from ringback.services.presence.errors import CredentialsUnavailableError, NoVerifierError
from ringback.services.presence.settings import PresenceSettings

_TIMEOUT: Final = aiohttp.ClientTimeout(total=5, connect=3)
_PROBE: Final = "/ringback/credentials/%20"
_LARGEST_ANSWER: Final = 65_536
_KEEP_VERIFIER: Final = 60.0  # seconds
_KEEP_HOME: Final = 300.0
_KEEP_UNKNOWN: Final = 30.0
_MOST_KEPT: Final = 100_000
_SPARE_SILENT: Final = 15.0
_DEFAULT_ITERATIONS: Final = 10_000

_log = structlog.get_logger("ringback.presence.credentials")


class _VerifierAnswer(msgspec.Struct):
    user: str
    salt: str
    iterations: int
    stored_key: str
    server_key: str


class _Kept:
    """A small dictionary whose entries grow old."""

    def __init__(self) -> None:
        self._entries: dict[str, tuple[float, Any]] = {}

    def get(self, key: str, now: float) -> Any:
        entry = self._entries.get(key)
        return entry[1] if entry is not None and entry[0] > now else None

    def put(self, key: str, value: object, until: float) -> None:
        if len(self._entries) >= _MOST_KEPT:
            self._entries.clear()
        self._entries[key] = (until, value)


class Credentials:
    """The questions of a presence node to its call managers. All methods raise CredentialsUnavailableError."""

    def __init__(self, settings: PresenceSettings) -> None:
        self._settings = settings
        self._nodes = dict(settings.call_managers)
        self._homes = _Kept()
        self._verifiers = _Kept()
        self._silent: dict[str, float] = {}  # nodes that did not answer, and until when others are asked first
        self._session: aiohttp.ClientSession | None = None
        self._fake_secret = hashlib.sha256(
            b"ringback fake salt " + settings.application_password.encode() + settings.domain.encode()
        ).digest()
        self._iterations = _DEFAULT_ITERATIONS
        self.scram_available = bool(settings.application_user)
        """Whether the call managers give verifiers: assumed until one says no."""
        self.scram_known = not settings.application_user
        """Whether a call manager has said so."""

    async def start(self) -> None:
        """Open the connection pool."""
        source = source_of(self._settings)
        connector = aiohttp.TCPConnector(
            ssl=client_context(self._settings.ca_file, mode=self._settings.identity.mode),
            limit=64,
            resolver=NodeResolver(self._nodes),
            local_addr=None if source is None else (source, 0),
        )
        self._session = aiohttp.ClientSession(
            connector=connector, timeout=_TIMEOUT, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
        )

    async def stop(self) -> None:
        """Mirror of ``start``."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def find_out(self) -> None:
        """Ask whether the call managers give verifiers: ours answer for a user that cannot exist with JSON."""
        settings = self._settings
        for name, address in settings.call_managers:
            auth = _basic(settings.application_user, settings.application_password)
            try:
                status, body = await self._get(f"{name}:{address.port}", _PROBE, auth)
            except CredentialsUnavailableError:
                continue
            self.scram_known = True
            self.scram_available = status == 404 and body.lstrip().startswith(b"{")
            if not self.scram_available:
                _log.warning("credentials.no_verifiers", node=name, status=status)
            return

    async def check_password(self, user: str, password: str) -> bool:
        """Whether this is the person's password."""
        known = await self._home(user)
        # Nobody's password is asked for as well, so that an unknown name takes as long as a wrong password.
        home = known or self._first_node()
        auth = _basic(user, password)
        status, body = await self._get_at_home(home, f"/cucm-uds/user/{quote(user, safe='')}", auth)
        if known is None:
            return False
        if status == 200:
            document = _parse(body)
            return self._same(user, document.findtext("userName") or document.findtext("id") or "")
        if status in {401, 403, 404}:
            return False
        raise CredentialsUnavailableError(f"The call manager answered {status}")

    async def verifier(self, user: str, *, refused: bool = False) -> Verifier:
        """The person's SCRAM verifier; for nobody, or somebody ``refused``, a made-up one, always the same. Raises also
        NoVerifierError."""
        now = asyncio.get_running_loop().time()
        kept: Verifier | None = self._verifiers.get(user, now)
        if kept is not None and not refused:
            return kept
        found = None if refused else await self._find_verifier(user)
        if found is None:
            return fake_verifier(user, self._fake_secret, self._iterations)
        self._iterations = found.iterations
        self._verifiers.put(user, found, now + _KEEP_VERIFIER)
        return found

    async def exists(self, user: str) -> bool:
        """Whether any call manager knows this user."""
        return await self._home(user) is not None

    def _first_node(self) -> str:
        return self._in_order()[0]

    def _same(self, user: str, answered: str) -> bool:
        """Whether the answer is about this user: a directory may take another spelling for the same person, and then
        one person would have two addresses."""
        try:
            return Jid.parse(f"{answered}@{self._settings.domain}") == Jid(user, self._settings.domain)
        except AddressError:
            return False

    async def _find_verifier(self, user: str) -> Verifier | None:
        home = await self._home(user)
        if home is None:
            return None
        settings = self._settings
        auth = _basic(settings.application_user, settings.application_password)
        status, body = await self._get_at_home(home, f"/ringback/credentials/{quote(user, safe='')}", auth)
        if status == 404:
            return None
        if status == 409:
            raise NoVerifierError
        if status != 200:
            raise CredentialsUnavailableError(f"The call manager answered {status}")
        try:
            answer = msgspec.json.decode(body, type=_VerifierAnswer)
            keys = [base64.b64decode(text, validate=True) for text in (answer.stored_key, answer.server_key)]
            salt = base64.b64decode(answer.salt, validate=True)
        except (msgspec.DecodeError, binascii.Error, ValueError) as error:
            raise CredentialsUnavailableError("The call manager's verifier cannot be read") from error
        if not salt or answer.iterations < 4096 or any(len(key) != 32 for key in keys):
            raise CredentialsUnavailableError("The call manager's verifier is too weak")
        return Verifier(salt, answer.iterations, keys[0], keys[1]) if self._same(user, answer.user) else None

    async def _home(self, user: str) -> str | None:
        """The call manager that has the user, ``name:port``; None where nobody knows the user."""
        now = asyncio.get_running_loop().time()
        kept: str | None = self._homes.get(user, now)
        if kept is not None:
            return kept or None
        failure: CredentialsUnavailableError | None = None
        for asked in self._in_order():
            try:
                status, body = await self._get(asked, f"/cucm-uds/clusterUser?username={quote(user, safe='')}", None)
            except CredentialsUnavailableError as error:
                failure = error
                continue
            if status != 200:
                failure = CredentialsUnavailableError(f"The call manager answered {status}")
                continue
            home = self._read_home(user, body, asked)
            self._homes.put(user, home or "", now + (_KEEP_HOME if home else _KEEP_UNKNOWN))
            return home
        raise failure or CredentialsUnavailableError("No call manager is configured")

    def _read_home(self, user: str, body: bytes, asked: str) -> str | None:
        root = _parse(body)
        result = root.find("result")
        if result is None or result.get("found") != "true":
            return None
        link = urlsplit(result.get("uri") or "")
        if link.path and not self._same(user, unquote(link.path.rpartition("/")[2])):
            return None
        name = (root.findtext("homeCluster") or "").strip()
        known = self._nodes.get(name)
        if known is not None:
            return f"{name}:{known.port}"
        if not name:
            return asked
        return f"{name}:{link.port or 8443}"

    async def _get_at_home(self, home: str, path: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
        """Ask the person's node; where it is down the others, of which only a yes counts: they may be of another
        cluster and not know the person."""
        failure: CredentialsUnavailableError | None = None
        if self._answers(home):
            try:
                return await self._get(home, path, headers)
            except CredentialsUnavailableError as error:
                failure = error
        for other in self._in_order():
            if other != home and self._answers(other):
                with contextlib.suppress(CredentialsUnavailableError):
                    status, body = await self._get(other, path, headers)
                    if status == 200:
                        return status, body
        if failure is not None:
            raise failure
        return await self._get(home, path, headers)

    def _answers(self, node: str) -> bool:
        return self._silent.get(node, 0.0) <= asyncio.get_running_loop().time()

    def _in_order(self) -> list[str]:
        """The nodes as configured, but those that were silent a moment ago last: nobody waits for them again."""
        nodes = [f"{name}:{address.port}" for name, address in self._settings.call_managers]
        return sorted(nodes, key=lambda node: not self._answers(node))

    async def _get(self, node: str, path: str, headers: Mapping[str, str] | None) -> tuple[int, bytes]:
        if self._session is None:
            raise CredentialsUnavailableError("The service is not running")
        try:
            async with self._session.get(f"https://{node}{path}", headers=headers, allow_redirects=False) as response:
                body = bytearray()
                async for chunk in response.content.iter_any():
                    body += chunk
                    if len(body) > _LARGEST_ANSWER:
                        raise CredentialsUnavailableError(f"{node} answers too much")
                self._silent.pop(node, None)
                return response.status, bytes(body)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self._silent[node] = asyncio.get_running_loop().time() + _SPARE_SILENT
            _log.warning("credentials.call_manager_unreachable", node=node, error=type(error).__name__)
            raise CredentialsUnavailableError(f"{node} does not answer") from error


def source_of(settings: PresenceSettings) -> str | None:
    """The node's own address, from which call managers know it (a machine may have several); None to let the system
    choose, where the call managers can't be reached from it."""
    try:
        own = ip_address(settings.address)
        others = [ip_address(address.host) for _, address in settings.call_managers]
    except ValueError:
        return None
    reachable = all(own.version == other.version and own.is_loopback == other.is_loopback for other in others)
    return settings.address if reachable and not own.is_unspecified else None


def _parse(body: bytes) -> etree._Element:
    try:
        return etree.fromstring(body, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))
    except etree.XMLSyntaxError as error:
        raise CredentialsUnavailableError("The call manager's answer cannot be read") from error


def _basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}
