"""A client that says exactly what a test wants, over a real TLS connection, and waits for what it names."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import re
import ssl
from pathlib import Path

from lxml import etree

from tests.support.services import OwnServer

PATIENCE = 8.0
_SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
_OUTCOME = r"<(success)[^>]*></success>|<failure[^>]*><([\w-]+)/>.*?</failure>"
_HEADER = (
    "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' "
    "to='{domain}' version='1.0'>"
)


class Talk:
    """One signed-in client. ``seen`` is everything that arrived and was not waited for yet."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, user: str, domain: str) -> None:
        self._reader = reader
        self._writer = writer
        self.bare = f"{user}@{domain}"
        self.jid = ""
        self.seen = ""
        self.offer = ""
        """The features of the stream at its beginning."""
        self._count = 0

    def send(self, text: str) -> None:
        """Write."""
        self._writer.write(text.encode())

    async def until(self, pattern: str) -> re.Match[str]:
        """Wait for the pattern; what comes up to its end is taken out of ``seen``."""
        compiled = re.compile(pattern, re.DOTALL)
        async with asyncio.timeout(PATIENCE):
            while (match := compiled.search(self.seen)) is None:
                data = await self._reader.read(65536)
                if not data:
                    raise ConnectionError(f"closed; waited for {pattern!r}; seen {self.seen!r}")
                self.seen += data.decode()
        self.seen = self.seen[match.end() :]
        return match

    async def ask(self, payload: str, *, kind: str = "get", to: str = "") -> etree._Element:
        """Send a request; its whole answer."""
        self._count += 1
        name = f"q{self._count}"
        address = f" to='{to}'" if to else ""
        self.send(f"<iq type='{kind}' id='{name}'{address}>{payload}</iq>")
        match = await self.until(rf"<iq (?=[^>]*id='{name}')[^>]*?(?:/>|(?<!/)>(?:(?!<iq ).)*?</iq>)")
        return etree.fromstring(match[0])

    async def settle(self) -> str:
        """Everything that arrived before the answer to a ping that is sent now, taken out of ``seen``."""
        self._count += 1
        name = f"p{self._count}"
        self.send(f"<iq type='get' id='{name}'><ping xmlns='urn:xmpp:ping'/></iq>")
        match = await self.until(rf"^(.*?)<iq [^>]*id='{name}'[^>]*>")
        return match[1]

    def message(self, to: str, text: str, kind: str = "chat", extra: str = "") -> None:
        """Send a message with a body."""
        self.send(f"<message to='{to}' type='{kind}'><body>{text}</body>{extra}</message>")

    async def closed(self) -> str:
        """Wait for the end of the connection; everything that came before it."""
        async with asyncio.timeout(PATIENCE):
            while data := await self._reader.read(65536):
                self.seen += data.decode()
        return self.seen

    def cut(self) -> None:
        """Break the connection without a word."""
        self._writer.transport.abort()

    async def leave(self) -> None:
        """Close the stream properly; wait for the server's side of it."""
        if self._writer.is_closing():
            return
        self.send("</stream:stream>")
        with contextlib.suppress(ConnectionError, TimeoutError, ssl.SSLError):
            await self.closed()
        self._writer.close()


async def open_stream(server: OwnServer, user: str, source: str = "127.0.0.1") -> Talk:
    """Up to the offer of mechanisms; ``source`` is the address of the client."""
    context = ssl.create_default_context(cafile=str(Path(server.ca)))
    reader, writer = await asyncio.open_connection(
        server.address, server.tls_port, ssl=context, server_hostname=server.domain, local_addr=(source, 0)
    )
    talk = Talk(reader, writer, user, server.domain)
    talk.send(_HEADER.format(domain=server.domain))
    talk.offer = (await talk.until("<stream:features>(.*)</stream:features>"))[1]
    return talk


async def authenticate(talk: Talk, mechanism: str, response: str) -> str:
    """One attempt with one message: ``success`` or the condition of the failure."""
    talk.send(f"<auth xmlns='{_SASL}' mechanism='{mechanism}'>{_encoded(response)}</auth>")
    match = await talk.until(_OUTCOME)
    return match[1] or match[2]


async def guess_by_scram(talk: Talk, user: str) -> str:
    """One attempt by SCRAM with a proof that is none: the condition of the failure."""
    first = _encoded(f"n,,n={user},r=nonce")
    talk.send(f"<auth xmlns='{_SASL}' mechanism='SCRAM-SHA-256'>{first}</auth>")
    match = await talk.until(rf"<challenge[^>]*>(?P<data>[^<]*)</challenge>|{_OUTCOME}")
    if match["data"] is None:
        return match[3]
    nonce = base64.b64decode(match["data"]).decode().partition(",")[0]
    final = _encoded(f"c=biws,{nonce},p={_encoded('x' * 32)}")
    talk.send(f"<response xmlns='{_SASL}'>{final}</response>")
    return (await talk.until(_OUTCOME))[2]


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


async def connect(server: OwnServer, user: str, password: str) -> Talk:
    """Up to an authenticated stream without a resource."""
    talk = await open_stream(server, user)
    if await authenticate(talk, "PLAIN", f"\0{user}\0{password}") != "success":
        raise ConnectionRefusedError(f"{user} cannot sign in")
    talk.send(_HEADER.format(domain=server.domain))
    await talk.until("</stream:features>")
    return talk


async def sign_in(server: OwnServer, user: str, password: str, resource: str, *, available: bool = True) -> Talk:
    """Signed in with a resource, with the roster fetched and presence sent."""
    talk = await connect(server, user, password)
    await talk.ask(f"<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>{resource}</resource></bind>", kind="set")
    talk.jid = f"{talk.bare}/{resource}"
    await talk.ask("<query xmlns='jabber:iq:roster'/>")
    if available:
        talk.send("<presence/>")
        await talk.until(rf"<presence from='{re.escape(talk.jid)}' to='[^']*'/>")
    return talk
