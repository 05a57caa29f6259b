"""People who use a server with slixmpp, for tests: raw stanzas out, waits for what must come in."""

from __future__ import annotations

import asyncio
import itertools
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import slixmpp

_PATIENCE = 15.0
_ids = itertools.count(1)

NS = {
    "c": "jabber:client",
    "e": "urn:ietf:params:xml:ns:xmpp-stanzas",
    "u": "http://jabber.org/protocol/muc#user",
    "s": "urn:xmpp:sid:0",
    "d": "urn:xmpp:delay",
    "m": "urn:xmpp:mam:2",
    "f": "urn:xmpp:forward:0",
    "ev": "http://jabber.org/protocol/pubsub#event",
    "p": "http://jabber.org/protocol/pubsub",
}


class RefusedError(Exception):
    """A request got an error; ``condition`` is its defined condition, ``error`` the whole element."""

    def __init__(self, condition: str, error: ET.Element) -> None:
        super().__init__(condition)
        self.condition = condition
        self.error = error


class Person:
    """A signed-in client. Everything that comes in waits in ``inbox`` until a test takes it."""

    def __init__(self, client: slixmpp.ClientXMPP) -> None:
        self.client = client
        self.sent = 0
        self.inbox: list[ET.Element] = []
        self._arrived = asyncio.Event()
        client.add_filter("in", self._take)

    @property
    def jid(self) -> str:
        """The full JID."""
        return str(self.client.boundjid.full)

    def _take(self, stanza: Any) -> Any:
        if hasattr(stanza, "xml"):
            self.inbox.append(stanza.xml)
            self._arrived.set()
        return stanza

    def send(self, raw: str) -> None:
        """Send a stanza as it is."""
        self.sent += 1
        self.client.send_raw(raw)

    async def hear(self, wanted: Callable[[ET.Element], object], what: str = "stanza") -> ET.Element:
        """Wait for something that fits and take it out of the inbox."""
        async with asyncio.timeout(_PATIENCE):
            while True:
                for element in self.inbox:
                    if wanted(element):
                        self.inbox.remove(element)
                        return element
                self._arrived.clear()
                try:
                    await self._arrived.wait()
                except asyncio.CancelledError as cancelled:
                    had = "\n".join(ET.tostring(element).decode() for element in self.inbox)
                    raise asyncio.CancelledError(f"no {what} came to {self.jid}; there was:\n{had}") from cancelled

    async def ask(self, kind: str, payload: str, to: str = "") -> ET.Element:
        """Send a request and wait for its result. Raises RefusedError."""
        number = f"ask-{next(_ids)}"
        self.send(f"<iq type='{kind}' id='{number}'{f' to={to!r}' if to else ''}>{payload}</iq>")
        answer = await self.hear(lambda element: element.tag.endswith("}iq") and element.get("id") == number, number)
        if answer.get("type") == "error":
            error = answer.find("c:error", NS)
            assert error is not None
            raise RefusedError(next(child.tag for child in error).partition("}")[2], error)
        return answer

    async def settle(self) -> None:
        """Wait until the server has served everything sent so far, and its answers are here."""
        await self.ask("get", "<ping xmlns='urn:xmpp:ping'/>", str(self.client.boundjid.host))

    async def silent(self, unwanted: Callable[[ET.Element], object]) -> bool:
        """Whether nothing that fits came, up to now."""
        await self.settle()
        return not any(unwanted(element) for element in self.inbox)

    async def available(self, inside: str = "") -> None:
        """Send initial presence and wait for its reflection."""
        self.send(f"<presence>{inside}</presence>")
        await self.settle()

    async def acknowledged(self) -> None:
        """Wait until the server has acknowledged (XEP-0198) everything that was sent until now."""
        management = self.client.plugin["xep_0198"]
        sent = self.sent + management.seq
        async with asyncio.timeout(_PATIENCE):
            while management.last_ack < sent:
                self.client.send_raw("<r xmlns='urn:xmpp:sm:3'/>")
                await self.settle()

    async def sign_out(self) -> None:
        """End the session."""
        await self.client.disconnect()

    def vanish(self) -> None:
        """Lose the connection without a word."""
        self.client.abort()


async def sign_in(
    address: str,
    port: int,
    ca: Path,
    jid: str,
    password: str,
    *,
    plugins: tuple[str, ...] = (),
    interests: tuple[str, ...] = (),
) -> Person:
    """Sign in with SCRAM over STARTTLS; no presence yet. ``interests`` are nodes whose events are wanted."""
    client = slixmpp.ClientXMPP(jid, password)
    client.ssl_context = ssl.create_default_context(cafile=str(ca))
    client.enable_direct_tls = False
    for plugin in (*plugins, *(("xep_0030", "xep_0115", "xep_0163") if interests else ())):
        client.register_plugin(plugin)
    person = Person(client)
    done: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def finish(outcome: str) -> Callable[[object], None]:
        def settle(_event: object) -> None:
            if not done.done():
                done.set_result(outcome)

        return settle

    for event in ("session_start", "failed_all_auth", "connection_failed"):
        client.add_event_handler(event, finish(event))
    client.connect(address, port)
    async with asyncio.timeout(_PATIENCE):
        outcome = await done
    assert outcome == "session_start", outcome
    for node in interests:
        client.plugin["xep_0163"].add_interest(node)
    return person


def named(name: str, **attributes: str) -> Callable[[ET.Element], bool]:
    """Fits stanzas of a name whose attributes are these; ``sender`` stands for ``from``."""
    wanted = {("from" if key == "sender" else key): value for key, value in attributes.items()}
    return lambda element: (
        element.tag == f"{{jabber:client}}{name}"
        and all(element.get(key, "") == value for key, value in wanted.items())
    )


def with_body(text: str) -> Callable[[ET.Element], bool]:
    """Fits messages with this body."""
    return lambda element: element.findtext("c:body", namespaces=NS) == text
