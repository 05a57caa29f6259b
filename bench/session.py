"""A client connection that costs its process next to nothing.

Signing in is a conversation that waits for marks in the bytes; after that, what arrives is only counted: by byte
search, without a parser. What is sent is made before the clock starts.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import re
import secrets
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, cast

SECONDS = 60.0  # patience for one answer

Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "CISCO-VTG-TOKEN", "OAUTHBEARER"]

_FEATURES = re.compile(rb"</stream:features>|<stream:features/>")
_OUTCOME = re.compile(rb"<success[^>]*/>|</success>|</failure>|</challenge>")
_PROCEED = re.compile(rb"<proceed[^>]*>")
_BOUND = re.compile(rb"<jid>([^<]+)</jid>")
_ERROR = re.compile(rb"type=['\"]error['\"]|<stream:error")


class SignInError(Exception):
    """The server did not do what the benchmark needs; the text holds its words."""


@dataclass(frozen=True, slots=True)
class Account:
    """Who signs in, and the salted passwords that a client keeps between sign-ins (RFC 5802 section 3)."""

    user: str
    domain: str
    password: str
    salted: dict[tuple[bytes, int], bytes] = field(default_factory=dict, repr=False)

    @property
    def bare(self) -> str:
        """The bare JID."""
        return f"{self.user}@{self.domain}"


@dataclass(frozen=True, slots=True)
class Door:
    """Where and how to connect: with a context, TLS from the first byte, or after ``starttls``. ``source``: the address
    to come from."""

    address: str
    port: int
    domain: str
    context: ssl.SSLContext | None = None
    starttls: bool = False
    source: str = ""


class Session(asyncio.Protocol):
    """One connection; ``counted`` grows with each ``mark`` that arrives, and ``on_count`` is told how many came."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.jid = ""
        self.counted = 0
        self.errors = 0
        self.on_count: Callable[[int], None] | None = None
        self.transport: asyncio.Transport | None = None
        self.closed = asyncio.get_running_loop().create_future()
        self._mark = b""
        self._tail = b""
        self._buffer = bytearray()
        self._wanted: tuple[re.Pattern[bytes], asyncio.Future[re.Match[bytes]]] | None = None

    # the transport's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport; uvloop's are no subclass of asyncio's."""
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Count, or look for what is waited for."""
        if self._mark:
            block = self._tail + data
            found = block.count(self._mark)
            self._tail = block[1 - len(self._mark) :]
            if _ERROR.search(data):
                self.errors += 1
            if found:
                self.counted += found
                if self.on_count is not None:
                    self.on_count(found)
            return
        self._buffer += data
        if self._wanted is not None:
            pattern, waiter = self._wanted
            if (match := pattern.search(self._buffer)) and not waiter.done():
                waiter.set_result(match)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wake whoever waits."""
        if not self.closed.done():
            self.closed.set_result(None)
        if self._wanted is not None and not self._wanted[1].done():
            self._wanted[1].set_exception(SignInError(f"connection lost: {bytes(self._buffer)[-300:]!r} {exc}"))

    # the driver's side

    def send(self, data: bytes) -> None:
        """Write; raises SignInError where the connection is gone."""
        if self.transport is None or self.transport.is_closing():
            raise SignInError(f"{self.account.bare} is not connected")
        self.transport.write(data)

    async def until(self, pattern: re.Pattern[bytes]) -> bytes:
        """Everything up to and with the pattern's match. Raises SignInError or TimeoutError."""
        match = pattern.search(self._buffer)
        if match is None:
            if self.closed.done():
                raise SignInError(f"connection lost: {bytes(self._buffer)[-300:]!r}")
            waiter: asyncio.Future[re.Match[bytes]] = asyncio.get_running_loop().create_future()
            self._wanted = (pattern, waiter)
            try:
                async with asyncio.timeout(SECONDS):
                    match = await waiter
            except TimeoutError:
                got = bytes(self._buffer)[-600:]
                raise SignInError(f"{self.account.bare} waited for {pattern.pattern!r}, got {got!r}") from None
            finally:
                self._wanted = None
        end = match.end()
        taken = bytes(self._buffer[:end])
        del self._buffer[:end]
        return taken

    def count(self, mark: bytes, on_count: Callable[[int], None] | None = None) -> None:
        """From now on only count this mark; what came before is forgotten."""
        self._mark, self._tail, self.counted, self.errors = mark, b"", 0, 0
        self._buffer.clear()
        self.on_count = on_count

    def listen(self) -> None:
        """From now on keep what arrives, for ``until``."""
        self._mark = b""
        self._buffer.clear()

    async def ask(self, payload: bytes, *, kind: bytes = b"get", to: str = "") -> bytes:
        """Send a request and return everything up to the end of its answer. Raises SignInError on an error answer."""
        name = secrets.token_hex(4).encode()
        address = b" to='%b'" % to.encode() if to else b""
        self.send(b"<iq type='%b' id='%b'%b>%b</iq>" % (kind, name, address, payload))
        answer = await self.until(
            re.compile(rb"<iq(?=[^>]*\sid=['\"]%b['\"])[^>]*(?:/>|>(?:(?!<iq).)*?</iq>)" % name, re.DOTALL)
        )
        head = answer[answer.rindex(b"<iq") :]
        if _ERROR.search(head.partition(b">")[0]):
            raise SignInError(f"{self.account.bare}: {head[:400]!r}")
        return answer

    async def secure(self, context: ssl.SSLContext, domain: str) -> None:
        """STARTTLS (RFC 6120 section 5). Raises SignInError, OSError, ssl.SSLError."""
        await self.open_stream()
        self.send(b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
        await self.until(_PROCEED)
        if self.transport is None:
            raise SignInError("the connection is gone")
        transport = await asyncio.get_running_loop().start_tls(self.transport, self, context, server_hostname=domain)
        self.transport = cast(asyncio.Transport, transport)

    async def open_stream(self) -> bytes:
        """A stream header and its features."""
        self.send(
            b"<?xml version='1.0'?><stream:stream to='%b' version='1.0' xmlns='jabber:client' "
            b"xmlns:stream='http://etherx.jabber.org/streams'>" % self.account.domain.encode()
        )
        return await self.until(_FEATURES)

    async def authenticate(self, mechanism: Mechanism, token: str = "") -> None:
        """SASL. Raises SignInError."""
        account = self.account
        if mechanism == "PLAIN":
            initial = f"\0{account.user}\0{account.password}".encode()
        elif mechanism == "CISCO-VTG-TOKEN":
            initial = f"userid={account.bare}\0token={token}".encode()
        elif mechanism == "OAUTHBEARER":
            initial = f"n,a={account.bare},\x01auth=Bearer {token}\x01\x01".encode()
        else:
            return await self._scram()
        await self._finish(self._auth(mechanism, initial))
        return None

    def _auth(self, mechanism: str, initial: bytes) -> bytes:
        return b"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='%b'>%b</auth>" % (
            mechanism.encode(),
            base64.b64encode(initial),
        )

    async def _finish(self, data: bytes) -> bytes:
        self.send(data)
        outcome = await self.until(_OUTCOME)
        if b"<success" not in outcome:
            raise SignInError(f"{self.account.bare}: {outcome[-400:]!r}")
        return outcome

    async def _scram(self) -> None:
        nonce = secrets.token_urlsafe(18)
        first = f"n={self.account.user},r={nonce}".encode()
        self.send(self._auth("SCRAM-SHA-256", b"n,," + first))
        challenge = await self.until(_OUTCOME)
        if b"<challenge" not in challenge:
            raise SignInError(f"{self.account.bare}: {challenge[-400:]!r}")
        server_first = base64.b64decode(challenge.rpartition(b"</challenge>")[0].rpartition(b">")[2])
        fields = dict(part.split(b"=", 1) for part in server_first.split(b","))
        key = (fields[b"s"], int(fields[b"i"]))
        salted = self.account.salted.get(key)
        if salted is None:
            salted = hashlib.pbkdf2_hmac("sha256", self.account.password.encode(), base64.b64decode(key[0]), key[1])
            self.account.salted[key] = salted
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        final = b"c=biws,r=" + fields[b"r"]
        signed = first + b"," + server_first + b"," + final
        signature = hmac.digest(hashlib.sha256(client_key).digest(), signed, "sha256")
        proof = bytes(left ^ right for left, right in zip(client_key, signature, strict=True))
        response = base64.b64encode(final + b",p=" + base64.b64encode(proof))
        outcome = await self._finish(b"<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>%b</response>" % response)
        verifier = base64.b64decode(outcome.rpartition(b"</success>")[0].rpartition(b">")[2])
        server_key = hmac.digest(salted, b"Server Key", "sha256")
        if verifier != b"v=" + base64.b64encode(hmac.digest(server_key, signed, "sha256")):
            raise SignInError("the server does not know the password")

    async def bind(self, resource: str) -> None:
        """Bind a resource; sets ``jid``."""
        answer = await self.ask(
            b"<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>%b</resource></bind>" % resource.encode(),
            kind=b"set",
        )
        match = _BOUND.search(answer)
        if match is None:
            raise SignInError(f"no resource: {answer!r}")
        self.jid = match[1].decode()

    async def close(self) -> None:
        """End the stream and wait for the end of the connection."""
        if self.transport is not None and not self.closed.done():
            if not self.transport.is_closing():
                self.transport.write(b"</stream:stream>")
            try:
                async with asyncio.timeout(5):
                    await asyncio.shield(self.closed)
            except TimeoutError:
                self.transport.abort()


async def connect(door: Door, account: Account) -> Session:
    """A connection without a stream."""
    loop = asyncio.get_running_loop()
    at_once = None if door.starttls else door.context
    async with asyncio.timeout(SECONDS):
        _, session = await loop.create_connection(
            lambda: Session(account),
            door.address,
            door.port,
            ssl=at_once,
            server_hostname=door.domain if at_once else None,
            local_addr=(door.source, 0) if door.source else None,
        )
        if door.starttls and door.context is not None:
            await session.secure(door.context, door.domain)
    return session


async def sign_in(
    door: Door, account: Account, *, mechanism: Mechanism = "PLAIN", resource: str = "bench", token: str = ""
) -> Session:
    """A signed-in session with a resource, not yet available. Raises SignInError, OSError, TimeoutError."""
    session = await connect(door, account)
    try:
        await session.open_stream()
        await session.authenticate(mechanism, token)
        await session.open_stream()
        await session.bind(resource)
    except BaseException:
        if session.transport is not None:
            session.transport.abort()
        raise
    return session
