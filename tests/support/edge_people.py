"""People outside who write to each other through the edge, come back when they are cut off, and forget nothing.

A lean client: what it sends is numbered, every acknowledgement (XEP-0198) is noted, a stream is resumed where the
server still knows it. What was not acknowledged when a stream was lost for good counts as unknown: it may have arrived
or not, but never twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import ssl
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from xml.parsers import expat

from bench.session import Account, Session, SignInError

_SM = "urn:xmpp:sm:3"
_ENABLED = re.compile(rb"<enabled[^>]*>")
_RESUMED = re.compile(rb"<resumed[^>]*>|<failed[^>]*(?:/>|>.*?</failed>)", re.DOTALL)
_PATIENCE = 30.0  # seconds for a whole sign-in
_PAUSES = (0.2, 0.5, 1.0, 2.0, 4.0)  # seconds before each next try, more or less


@dataclass(frozen=True, slots=True)
class Place:
    """The outer proxies, where XMPP and HTTPS are, and whom to trust. ``spread``: people who were cut off come back at
    some moment of so many seconds, as clients do, lest all come at once."""

    domain: str
    outers: tuple[str, ...]
    context: ssl.SSLContext
    xmpp: int = 5222
    https: int = 8443
    spread: float = 1.0


@dataclass
class Tally:
    """What happened to everybody."""

    resumed: int = 0
    anew: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    redelivered: int = 0
    """Messages that a server delivered again, as the same one (same id of the archive), since it could not know."""


class _Stream(Session):
    """A session that, once it is ``live``, reads stanzas."""

    def __init__(self, account: Account, took: Callable[[str, dict[str, str], dict[str, str]], None]) -> None:
        super().__init__(account)
        self._took = took
        self._parser: expat.XMLParserType | None = None
        self._depth = 0
        self._name, self._attributes, self._parts = "", {}, {}  # type: tuple[str, dict[str, str], dict[str, str]]
        self._inner = ""

    def live(self) -> None:
        """From here on, stanzas; what has come already is read first."""
        self._parser = parser = expat.ParserCreate()
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.Parse(b"<stream:stream>")
        rest, self._buffer = bytes(self._buffer), bytearray()
        if rest:
            parser.Parse(rest)

    def data_received(self, data: bytes) -> None:
        """Stanzas, or what the sign-in waits for."""
        if self._parser is None:
            super().data_received(data)
            return
        try:
            self._parser.Parse(data)
        except expat.ExpatError:
            if self.transport is not None:
                self.transport.abort()

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth == 2:
            self._name, self._attributes, self._parts = name, attributes, {}
        elif self._depth == 3:
            self._inner = name
            if name == "stanza-id":
                self._parts[name] = attributes.get("id", "")

    def _text(self, text: str) -> None:
        if self._depth == 3 and self._inner == "body":
            self._parts["body"] = self._parts.get("body", "") + text

    def _end(self, _name: str) -> None:
        self._depth -= 1
        if self._depth == 1:
            self._took(self._name, self._attributes, self._parts)


class EdgePerson:
    """Somebody outside. ``household`` is the address that the connections come from."""

    def __init__(self, account: Account, household: str, place: Place, tally: Tally) -> None:
        self.account = account
        self.user = account.user
        self.household = household
        self.place = place
        self.tally = tally
        self.acknowledged: list[str] = []
        self.unknown: list[str] = []
        self.received: Counter[str] = Counter()
        self.sent = 0
        self.there = asyncio.Event()
        self.cut = False
        """Whether a stream was lost, since somebody set this back."""
        self._seen: set[str] = set()
        self._stream: _Stream | None = None
        self._queue: deque[bytes] = deque()
        self._out = 0  # stanzas acknowledged in this stream
        self._in = 0
        self._resume = ""

    def write(self, to: str) -> None:
        """A message to somebody, if there is a stream."""
        if not self.there.is_set() or self._stream is None:
            return
        name = f"{self.user}-{self.sent}"
        self.sent += 1
        data = b"<message type='chat' to='%b@%b' id='%b'><body>%b</body></message>" % (
            to.encode(), self.place.domain.encode(), name.encode(), name.encode(),
        )  # fmt: skip
        self._queue.append(data)
        with contextlib.suppress(SignInError):
            self._stream.send(data + b"<r xmlns='%b'/>" % _SM.encode())

    @property
    def waiting(self) -> int:
        """Messages on their way."""
        return len(self._queue)

    async def live(self) -> None:
        """Sign in, again and again, until cancelled."""
        tried = 0
        edges = list(self.place.outers)
        random.shuffle(edges)
        try:
            while True:
                stream = _Stream(self.account, self._took)
                try:
                    async with asyncio.timeout(_PATIENCE):
                        await self._sign_in(stream, edges[tried % len(edges)])
                except (OSError, ssl.SSLError, SignInError, TimeoutError) as error:
                    self.tally.failures[_kind(error)] += 1
                    if stream.transport is not None:
                        stream.transport.abort()
                    await asyncio.sleep(_PAUSES[min(tried, len(_PAUSES) - 1)] * random.uniform(0.5, 1.5))
                    tried += 1
                    continue
                edges = edges[tried % len(edges) :] + edges[: tried % len(edges)]
                tried = 0
                await stream.closed
                self.there.clear()
                self.cut = True
                await asyncio.sleep(random.uniform(0.0, self.place.spread))
        finally:
            if self._stream is not None and self._stream.transport is not None:
                self._stream.transport.abort()

    async def _sign_in(self, stream: _Stream, edge: str) -> None:
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: stream, edge, self.place.xmpp, local_addr=(self.household, 0))
        await stream.secure(self.place.context, self.place.domain)
        await stream.open_stream()
        await stream.authenticate("SCRAM-SHA-256")
        await stream.open_stream()
        if not await self._resumed(stream):
            await self._begin(stream)
        self._stream = stream
        stream.live()
        self.there.set()

    async def _resumed(self, stream: _Stream) -> bool:
        if not self._resume:
            return False
        stream.send(f"<resume xmlns='{_SM}' h='{self._in}' previd='{self._resume}'/>".encode())
        answer = (await stream.until(_RESUMED)).rpartition(b"<resumed")[2].decode()
        h = re.search(r"\sh=['\"](\d+)['\"]", answer)
        if h is None or "<failed" in answer:
            return False
        self._took("a", {"h": h[1]}, {})
        if self._queue:
            stream.send(b"".join(self._queue) + b"<r xmlns='%b'/>" % _SM.encode())
        self.tally.resumed += 1
        return True

    async def _begin(self, stream: _Stream) -> None:
        self.unknown += [_id(data) for data in self._queue]
        self._queue.clear()
        self._resume = ""
        await stream.bind("outside")
        stream.send(f"<enable xmlns='{_SM}' resume='true'/>".encode())
        enabled = (await stream.until(_ENABLED)).decode()
        found = re.search(r"<enabled[^>]*\sid=['\"]([^'\"]+)['\"]", enabled)
        self._resume = found[1] if found else ""
        self._in = self._out = 0
        self._queue.append(b"<presence/>")
        stream.send(f"<presence/><r xmlns='{_SM}'/>".encode())
        self.tally.anew += 1

    def _took(self, name: str, attributes: dict[str, str], parts: dict[str, str]) -> None:
        if name == "a":
            h = int(attributes["h"])
            for _ in range((h - self._out) % 2**32):
                if self._queue:
                    done = self._queue.popleft()
                    if done.startswith(b"<message"):
                        self.acknowledged.append(_id(done))
            self._out = h
        elif name == "r" and self._stream is not None:
            with contextlib.suppress(SignInError):
                self._stream.send(f"<a xmlns='{_SM}' h='{self._in}'/>".encode())
        elif name in ("message", "iq", "presence"):
            self._in += 1
            if attributes.get("type") == "error":
                self.tally.failures[f"{name} came back"] += 1
            elif name == "message" and "body" in parts:
                self._heard(parts["body"], parts.get("stanza-id", ""))

    def _heard(self, body: str, kept_as: str) -> None:
        if kept_as and kept_as in self._seen:
            self.tally.redelivered += 1
            return
        self._seen.add(kept_as)
        self.received[body] += 1


def _id(data: bytes) -> str:
    return data.partition(b" id='")[2].partition(b"'")[0].decode()


def _kind(error: BaseException) -> str:
    text = str(error)
    for word in ("not-authorized", "temporary-auth-failure", "remote-connection-failed", "connection lost"):
        if word in text:
            return word
    return type(error).__name__
