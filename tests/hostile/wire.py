"""Raw streams for a client that does not keep to the rules."""

from __future__ import annotations

import base64
import contextlib
import os
import re
import secrets
import socket
import ssl
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Self

PATIENCE = float(os.environ.get("RINGBACK_HOSTILE_PATIENCE", "8"))  # seconds for an answer on a busy machine

HEADER = (
    "<?xml version='1.0'?><stream:stream to='{domain}' version='1.0' xmlns='jabber:client' "
    "xmlns:stream='http://etherx.jabber.org/streams'>"
)
FEATURES = r"</stream:features>|<stream:features\s*/>"
SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
STREAMS = "urn:ietf:params:xml:ns:xmpp-streams"
STANZAS = "urn:ietf:params:xml:ns:xmpp-stanzas"


@dataclass(frozen=True, slots=True)
class Server:
    """The server under attack: where it is, whom it knows, and what its group chats' domain is."""

    name: str
    domain: str
    rooms: str
    address: str
    port: int
    tls_port: int
    context: ssl.SSLContext
    passwords: dict[str, str] = field(repr=False)
    login_port: int = 0
    negotiation_time: float = 30.0

    def bare(self, user: str) -> str:
        """The bare JID of a person."""
        return f"{user}@{self.domain}"


class Wire:
    """A connection that sends what it is told, byte for byte, and remembers what came back."""

    def __init__(self, server: Server, *, tls: bool = True, source: str = "127.0.0.1", opened: bool = True) -> None:
        self.server = server
        self.received = ""
        self._raw = b""
        self._socket: socket.socket | ssl.SSLSocket = socket.create_connection(
            (server.address, server.tls_port if tls else server.port), PATIENCE, (source, 0)
        )
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.start_tls()
        if opened:
            self.open()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.abort()

    def start_tls(self) -> None:
        """TLS from here on."""
        self._socket = self.server.context.wrap_socket(self._socket, server_hostname=self.server.domain)

    def exporter(self) -> tuple[str, bytes]:
        """The channel binding that this side can compute: its type and data."""
        if not isinstance(self._socket, ssl.SSLSocket):
            raise TypeError("there is no TLS")
        data = self._socket.get_channel_binding("tls-unique") if self._socket.version() == "TLSv1.2" else None
        return "tls-unique", data or b""

    def send(self, text: str | bytes, seconds: float = PATIENCE) -> None:
        """Write; a connection that the server has ended already is no failure here."""
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            self._socket.settimeout(seconds)
            self._socket.sendall(text.encode() if isinstance(text, str) else text)

    def open(self) -> str:
        """A stream header; the features that came back."""
        self.send(HEADER.format(domain=self.server.domain))
        return self.expect(FEATURES)

    def expect(self, pattern: str, seconds: float = PATIENCE) -> str:
        """Everything up to and with the first match, which is then forgotten. Raises AssertionError."""
        deadline = time.monotonic() + seconds
        compiled = re.compile(pattern, re.DOTALL)
        while (match := compiled.search(self.received)) is None:
            if not self._more(deadline):
                raise AssertionError(f"{pattern!r} did not come; instead: {self.received[-2000:]!r}")
        taken = self.received[: match.end()]
        self.received = self.received[match.end() :]
        return taken

    def ended(self, seconds: float = PATIENCE) -> bool:
        """Whether the server ends the connection in this time."""
        deadline = time.monotonic() + seconds
        while self._more(deadline):
            pass
        return time.monotonic() < deadline

    def refused(self, *conditions: str, seconds: float = PATIENCE) -> str:
        """One of these stream errors, a closed stream and the end of the connection (RFC 6120 section 4.9.1.1)."""
        names = "|".join(map(re.escape, conditions))
        text = self.expect(r"<stream:error[^>]*>.*?</stream:error>.*?</stream:stream\s*>", seconds)
        assert re.search(rf"<({names})[\s/>]", text.partition("<stream:error")[2]), text[-600:]
        assert self.ended(seconds), "the connection stayed open"
        return text

    def _more(self, deadline: float) -> bool:
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        self._socket.settimeout(left)
        try:
            data = self._socket.recv(65536)
        except TimeoutError:
            return False
        except (ConnectionError, ssl.SSLError, OSError):
            return False
        self._raw += data
        try:
            self.received += self._raw.decode()
            self._raw = b""
        except UnicodeDecodeError:
            pass  # a character was cut; the rest comes with the next read
        return bool(data)

    def abort(self) -> None:
        """Away without a word."""
        self._socket.close()


class Person(Wire):
    """A signed-in client; everything it says may still be hostile."""

    def __init__(
        self, server: Server, user: str, *, resource: str = "", available: bool = True, source: str = "127.0.0.1"
    ) -> None:
        super().__init__(server, source=source)
        self.user = user
        self.bare = server.bare(user)
        self.send(plain(user, server.passwords[user]))
        self.expect(r"<success[^>]*/>|</success>")
        self.open()
        self.jid = self.bind(resource or f"r{secrets.token_hex(3)}")
        if available:
            self.send("<presence/>")
            self.drain()

    def bind(self, resource: str) -> str:
        """Bind; the full JID."""
        answer = self.ask(
            f"<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>{resource}</resource></bind>", kind="set"
        )
        match = re.search(r"<jid>([^<]+)</jid>", answer)
        assert match, answer
        return match[1]

    def ask(self, payload: str, *, kind: str = "get", to: str | None = None, seconds: float = PATIENCE) -> str:
        """A request; its whole answer, result or error, without what came before it."""
        name = f"q{secrets.token_hex(4)}"
        address = "" if to is None else f" to='{to}'"
        self.send(f"<iq type='{kind}' id='{name}'{address}>{payload}</iq>")
        return self.answer(name, seconds)

    def answer(self, name: str, seconds: float = PATIENCE) -> str:
        """The answer to the request of this id; what came before stays in ``received``."""
        head = rf"<iq(?=[^>]*\sid=['\"]{name}['\"])(?=[^>]*\stype=['\"](?:result|error)['\"])[^>]*?"
        pattern = re.compile(rf"{head}/>|{head}(?<!/)>(?:(?!<iq[\s>]).)*?</iq>", re.DOTALL)
        deadline = time.monotonic() + seconds
        while (match := pattern.search(self.received)) is None:
            if not self._more(deadline):
                raise AssertionError(f"no answer to {name}; instead: {self.received[-2000:]!r}")
        self.received = self.received[: match.start()] + self.received[match.end() :]
        return match[0]

    def drain(self, seconds: float = PATIENCE) -> str:
        """Everything that was on its way to this client: what came before the answer to a ping."""
        name = f"d{secrets.token_hex(4)}"
        self.send(f"<iq type='get' id='{name}' to='{self.server.domain}'><ping xmlns='urn:xmpp:ping'/></iq>")
        self.answer(name, seconds)
        text, self.received = self.received, ""
        return text

    def archive(self) -> Counter[str]:
        """How often each text stands in the person's own archive (XEP-0313)."""
        found: Counter[str] = Counter()
        after = ""
        while True:
            answer = self.ask(
                "<query xmlns='urn:xmpp:mam:2'><set xmlns='http://jabber.org/protocol/rsm'>"
                f"<max>200</max>{after}</set></query>",
                kind="set",
            )
            found.update(re.findall(r"<body>([^<]*)</body>", self.drain()))
            last = re.search(r"<last>([^<]*)</last>", answer)
            if last is None or "complete='true'" in answer.replace('"', "'"):
                return found
            after = f"<after>{last[1]}</after>"

    def close(self) -> None:
        """A proper end of the stream; harmless where it ended before."""
        if self._socket.fileno() < 0:
            return
        self.send("</stream:stream>")
        with contextlib.suppress(AssertionError):
            self.expect(r"</stream:stream\s*>")
        self.abort()


def plain(user: str, password: str, authzid: str = "") -> str:
    """A PLAIN sign-in (RFC 4616)."""
    return auth("PLAIN", f"{authzid}\0{user}\0{password}")


def auth(mechanism: str, initial: str | bytes | None) -> str:
    """The start of a sign-in; without ``initial`` there is no initial response."""
    data = initial.encode() if isinstance(initial, str) else initial
    text = "" if data is None else base64.b64encode(data).decode() or "="
    return f"<auth xmlns='{SASL}' mechanism='{mechanism}'>{text}</auth>"


def response(data: str | bytes) -> str:
    """A step of a sign-in."""
    raw = data.encode() if isinstance(data, str) else data
    return f"<response xmlns='{SASL}'>{base64.b64encode(raw).decode()}</response>"


def challenge_of(text: str) -> str:
    """The content of the challenge at the end of a text."""
    return base64.b64decode(text.rpartition("</challenge>")[0].rpartition(">")[2]).decode()


def condition(answer: str) -> str:
    """The defined condition of a stanza error; empty where it is none."""
    if not re.match(r"<\w+(?=[^>]*\stype=['\"]error['\"])", answer):
        return ""
    match = re.search(rf"<([a-z-]+)\s[^>]*xmlns=['\"]{STANZAS}['\"]", answer)
    return match[1] if match else "?"


def befriend(one: Person, other: Person) -> None:
    """Both see each other's presence from now on."""
    for person in (one, other):
        person.ask("<query xmlns='jabber:iq:roster'/>")
    for asking, asked in ((one, other), (other, one)):
        asking.send(f"<presence type='subscribe' to='{asked.bare}'/>")
        asking.drain()
        asked.send(f"<presence type='subscribed' to='{asking.bare}'/>")
        asked.drain()
    for person in (one, other):
        person.drain()
