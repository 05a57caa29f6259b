"""What the person does with the contact list: add, change, remove, answer requests, block. The server keeps the result.

Nothing is changed here before the server says so: its pushes bring every change back, to all clients alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement

from ringback.client.contacts.people import People
from ringback.client.contacts.roster import ROSTER, read_roster
from ringback.client.messaging.errors import MessagingError
from ringback.client.messaging.port import Port
from ringback.client.messaging.stanzas import CLIENT, parse_jid
from ringback.rules.reasons import Reason

BLOCKING = "urn:xmpp:blocking"


class ContactList:
    """Orders to the server about contacts. All raise NotConnectedError, most RequestFailedError."""

    def __init__(self, port: Port, people: People) -> None:
        self._port = port
        self._people = people

    async def fetch(self, *, versions: bool) -> None:
        """Get the contact list; with ``versions`` only what changed since then (RFC 6121 section 2.6)."""
        query = Element(f"{{{ROSTER}}}query")
        if versions:
            query.set("ver", self._people.roster_version)
        result = (await self._port.request("get", query)).find(f"{{{ROSTER}}}query")
        if result is not None:  # an empty answer: what we have is what holds, changes come as pushes
            await self._people.roster_arrived(read_roster(result), result.get("ver", ""), whole=True)

    async def fetch_blocked(self) -> None:
        """Get the block list (XEP-0191)."""
        answer = await self._port.request("get", Element(f"{{{BLOCKING}}}blocklist"))
        rows = answer.iterfind(f"{{{BLOCKING}}}blocklist/{{{BLOCKING}}}item")
        self._people.blocked_arrived([row.get("jid", "") for row in rows], whole=True)

    async def pushed(self, element: Element) -> None:
        """Take a push of the server over."""
        query = element.find(f"{{{ROSTER}}}query")
        if query is not None:
            await self._people.roster_arrived(read_roster(query), query.get("ver", ""), whole=False)
        blocked = element.find(f"{{{BLOCKING}}}block")
        if blocked is not None:
            self._people.blocked_arrived([row.get("jid", "") for row in blocked])
        free = element.find(f"{{{BLOCKING}}}unblock")
        if free is not None:
            names = [row.get("jid", "") for row in free]
            self._people.blocked_arrived([], whole=not names, allowed=names)

    async def add(self, person: str, name: str, groups: Sequence[str]) -> None:
        """Put a person into the contact list and ask to see the presence."""
        jid = parse_jid(person)
        if jid is None or not jid.local:
            raise MessagingError(Reason.of("engine.address_wrong", address=person))
        bare = str(jid.bare)
        asks = self._people.person(bare).asks
        await self._set_item(bare, name or self._people.name(bare), groups)
        self._subscription(bare, "subscribe")
        if asks:
            self.answer(bare, allow=True)

    async def change(self, person: str, name: str | None, groups: Sequence[str] | None) -> None:
        """Another name or other groups for a contact; None leaves as it is."""
        item = self._people.item(person)
        if item is None:
            raise MessagingError(Reason.of("engine.no_contact", person=person))
        new_name = name if name is not None else item.name
        await self._set_item(person, new_name, groups if groups is not None else item.groups)

    async def remove(self, person: str) -> None:
        """Take a person out of the contact list; the server ends the subscriptions."""
        query = Element(f"{{{ROSTER}}}query")
        SubElement(query, f"{{{ROSTER}}}item", {"jid": person, "subscription": "remove"})
        await self._port.request("set", query)

    async def _set_item(self, person: str, name: str, groups: Sequence[str]) -> None:
        query = Element(f"{{{ROSTER}}}query")
        item = SubElement(query, f"{{{ROSTER}}}item", {"jid": person})
        if name:
            item.set("name", name)
        for group in dict.fromkeys(text.strip() for text in groups):
            if group:
                SubElement(item, f"{{{ROSTER}}}group").text = group
        await self._port.request("set", query)

    def answer(self, person: str, *, allow: bool) -> None:
        """Let a person see our presence, or not."""
        self._subscription(person, "subscribed" if allow else "unsubscribed")
        self._people.answered(person)

    def asked(self, person: str) -> None:
        """Somebody asks to see our presence: who is a contact of ours already is let in, as colleagues expect."""
        item = self._people.item(person)
        if item is not None and (item.subscription == "to" or item.pending):
            self.answer(person, allow=True)

    async def set_blocked(self, person: str, blocked: bool) -> None:
        """Block or unblock a person (XEP-0191)."""
        order = Element(f"{{{BLOCKING}}}{'block' if blocked else 'unblock'}")
        SubElement(order, f"{{{BLOCKING}}}item", {"jid": person})
        await self._port.request("set", order)
        self._people.blocked_arrived([person] if blocked else [], allowed=[] if blocked else [person])

    def _subscription(self, person: str, kind: str) -> None:
        self._port.send(Element(f"{{{CLIENT}}}presence", {"to": person, "type": kind}))
