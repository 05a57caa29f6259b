"""Private XML storage (XEP-0049), with the bookmarks in it (XEP-0048) kept as PEP bookmarks (XEP-0402).

The PEP node ``urn:xmpp:bookmarks:1`` is where bookmarks live. A client of the older kind reads and writes the same
ones: what it asks for is rendered from the node, and what it stores becomes items (XEP-0402 section 5, compatibility).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lxml import etree

from ringback.protocols.xmpp.errors import StanzaError
from ringback.protocols.xmpp.stanza import parse_element, quote
from ringback.rules.addresses import AddressError, Jid
from ringback.services.presence import pep_requests
from ringback.services.presence.module import Hub, Iq, IqHandler, Module, Target
from ringback.services.presence.pep import PepModule
from ringback.services.presence.pep_nodes import BOOKMARKS, MOST_ITEMS, OLD_BOOKMARKS, NewItem
from ringback.services.presence.rendering import serialise
from ringback.storage.presence import pep as pep_store
from ringback.storage.presence import private as store

PRIVATE = "jabber:iq:private"
MOST_ELEMENTS = 100  # of one account
_STORAGE = f"{{{OLD_BOOKMARKS}}}storage"
_OLD = f"{{{OLD_BOOKMARKS}}}"
_NEW = f"{{{BOOKMARKS}}}"


class PrivateModule(Module):
    """Keeps XML for the account that stored it."""

    server_features: Sequence[str] = (PRIVATE,)
    account_features: Sequence[str] = (f"{BOOKMARKS}#compat",)

    def __init__(self, pep: PepModule) -> None:
        self._pep = pep

    async def start(self, hub: Hub) -> None:
        """Remember the hub."""
        self._hub = hub

    def handlers(self) -> Iterable[IqHandler]:
        """Get and set, of one's own."""
        name = f"{{{PRIVATE}}}query"
        return (
            IqHandler(Target.OWN_ACCOUNT, "get", name, self._get),
            IqHandler(Target.OWN_ACCOUNT, "set", name, self._set),
        )

    async def _get(self, iq: Iq) -> bytes:
        elements = _elements(iq.payload)
        if len(elements) != 1:
            raise StanzaError("not-acceptable", "Ask for one element at a time", kind="modify")
        element = elements[0]
        owner, name = iq.session.bare, str(element.tag)
        async with self._hub.storage.read() as connection:
            kept = await store.read_private(connection, owner, name)
            marks = await pep_store.load_items(connection, owner, BOOKMARKS) if name == _STORAGE else []
        if name == _STORAGE:
            found = old_bookmarks([(mark.item, parse_element(mark.payload)) for mark in marks], kept)
        else:
            found = kept or serialise(element)
        return b"<query xmlns='jabber:iq:private'>%b</query>" % found

    async def _set(self, iq: Iq) -> bytes:
        elements = _elements(iq.payload)
        owner = iq.session.bare
        async with self._hub.storage.read() as connection:
            present = await store.private_names(connection, owner)
        if len(present | {str(element.tag) for element in elements}) > MOST_ELEMENTS:
            raise StanzaError("resource-constraint", f"At most {MOST_ELEMENTS} elements can be kept")
        bookmarks = [new_bookmarks(element) for element in elements if element.tag == _STORAGE]
        rows = [{"owner": owner, "element": str(element.tag), "payload": serialise(element)} for element in elements]
        storage = self._hub.storage
        await storage.durable(storage.write(store.SET_PRIVATE, *rows))
        for marks in bookmarks:
            await self._keep_bookmarks(owner, iq.session.full, marks)
        return b""

    async def _keep_bookmarks(self, owner: str, publisher: str, marks: list[NewItem]) -> None:
        async with self._hub.storage.read() as connection:
            present = {item.item: item.payload for item in await pep_store.load_items(connection, owner, BOOKMARKS)}
        changed = [mark for mark in marks if present.get(mark.item) != mark.payload]
        gone = sorted(present.keys() - {mark.item for mark in marks})
        if changed:
            await self._pep.publish(owner, publisher, BOOKMARKS, changed, watched=False)
        if gone:
            await pep_requests.retract(self._pep, owner, BOOKMARKS, gone, tell=True)


def _elements(query: etree._Element) -> list[etree._Element]:
    elements = list(query)
    if not elements:
        raise StanzaError("bad-request", "There is no element", kind="modify")
    for element in elements:
        namespace = etree.QName(element).namespace or ""
        # XEP-0049 section 4: namespaces of the protocol itself cannot be used.
        if namespace in ("", "vcard-temp") or namespace.startswith("jabber:client"):
            raise StanzaError("not-acceptable", "This namespace cannot be kept here", kind="modify")
    return elements


def new_bookmarks(element: etree._Element) -> list[NewItem]:
    """The bookmarks of ``storage:bookmarks`` as items of XEP-0402. Raises StanzaError."""
    found: dict[str, NewItem] = {}
    for mark in element.iterchildren(f"{_OLD}conference"):
        try:
            room = str(Jid.parse(mark.get("jid", "")).bare)
        except AddressError as error:
            raise StanzaError("not-acceptable", str(error)) from error
        parts = [b"<conference xmlns='urn:xmpp:bookmarks:1'"]
        if name := mark.get("name"):
            parts.append(b" name='%b'" % quote(name))
        if mark.get("autojoin") in ("1", "true"):
            parts.append(b" autojoin='true'")
        inside = b"".join(
            b"<%b>%b</%b>" % (tag, quote(text), tag)
            for tag in (b"nick", b"password")
            if (text := mark.findtext(f"{_OLD}{tag.decode()}"))
        )
        parts.append(b">%b</conference>" % inside if inside else b"/>")
        found[room] = NewItem(room, b"".join(parts))
    if len(found) > MOST_ITEMS:
        raise StanzaError("resource-constraint", f"At most {MOST_ITEMS} bookmarks can be kept")
    return list(found.values())


def old_bookmarks(marks: list[tuple[str, etree._Element]], kept: bytes | None) -> bytes:
    """Bookmarks of XEP-0402 as ``storage:bookmarks``, with the web addresses that an older client kept there."""
    parts = [b"<storage xmlns='storage:bookmarks'>"]
    for room, mark in marks:
        name = b" name='%b'" % quote(mark.get("name", "")) if mark.get("name") else b""
        joins = b"true" if mark.get("autojoin") in ("1", "true") else b"false"
        inside = b"".join(
            b"<%b>%b</%b>" % (tag, quote(text), tag)
            for tag in (b"nick", b"password")
            if (text := mark.findtext(f"{_NEW}{tag.decode()}"))
        )
        parts.append(b"<conference jid='%b'%b autojoin='%b'>%b</conference>" % (quote(room), name, joins, inside))
    if kept is not None:
        parts += [serialise(page) for page in parse_element(kept).iterchildren(f"{_OLD}url")]
    parts.append(b"</storage>")
    return b"".join(parts)
