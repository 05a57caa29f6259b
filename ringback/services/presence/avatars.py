"""vCards (XEP-0054) and avatars: PEP avatars (XEP-0084) and vCard photos (XEP-0153) kept alike (XEP-0398).

Publishing one form makes the other, so that clients of both kinds see the same picture. Presence of clients that say
nothing about a photo themselves gets the hash, which the service holds in memory.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable, Sequence

from lxml import etree

from ringback.protocols.xmpp.errors import StanzaError
from ringback.protocols.xmpp.stanza import Stanza, append_child, parse_element, quote
from ringback.services.presence.module import Hub, Iq, IqHandler, Module, Session, Target
from ringback.services.presence.pep import PepModule
from ringback.services.presence.pep_nodes import NewItem, may_read
from ringback.services.presence.rendering import serialise
from ringback.storage.presence import pep as pep_store
from ringback.storage.presence import private as store

CARD = "vcard-temp"
DATA = "urn:xmpp:avatar:data"
METADATA = "urn:xmpp:avatar:metadata"
UPDATE = b"vcard-temp:x:update"
_TYPES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "image/svg+xml"})
_PHOTO = f"{{{CARD}}}PHOTO"


class AvatarModule(Module):
    """Cards and pictures of accounts."""

    server_features: Sequence[str] = (CARD,)
    account_features: Sequence[str] = (CARD, "urn:xmpp:pep-vcard-conversion:0")

    def __init__(self, pep: PepModule) -> None:
        self._pep = pep
        self._hashes: dict[str, str] = {}

    async def start(self, hub: Hub) -> None:
        """Learn the present pictures."""
        self._hub = hub
        async with hub.storage.read() as connection:
            self._hashes = await pep_store.newest_names(connection, METADATA)
        self._pep.watchers.append(self._published)

    async def stop(self) -> None:
        """Watch no longer."""
        self._pep.watchers.remove(self._published)

    def handlers(self) -> Iterable[IqHandler]:
        """The card of oneself and of others."""
        name = f"{{{CARD}}}vCard"
        return (
            IqHandler(Target.OWN_ACCOUNT, "get", name, self._show),
            IqHandler(Target.OTHER_ACCOUNT, "get", name, self._show),
            IqHandler(Target.OWN_ACCOUNT, "set", name, self._set),
        )

    def presence_filter(self, session: Session, stanza: Stanza) -> Stanza:
        """Add the hash of the picture where the client says nothing about one (XEP-0398 section 3.3)."""
        known = self._hashes.get(session.bare)
        if not known or stanza.type or UPDATE in stanza.raw:
            return stanza
        child = b"<x xmlns='vcard-temp:x:update'><photo>%b</photo></x>" % quote(known)
        return Stanza("presence", stanza.attributes, append_child(stanza.raw, child))

    async def _show(self, iq: Iq) -> bytes:
        """A card; its picture only for those who may see the avatar."""
        owner, reader = str(iq.to.bare), iq.session.bare
        async with self._hub.storage.read() as connection:
            card = await store.read_card(connection, owner)
            node = await pep_store.load_node(connection, owner, METADATA)
        if card is None:
            if owner == reader:
                return b"<vCard xmlns='vcard-temp'/>"
            raise StanzaError("item-not-found", "This person has no card")
        subscribed = await self._hub.is_subscribed(owner, reader)
        visible = subscribed if node is None else may_read(node, reader, subscribed=subscribed)
        return card if visible or owner == reader else without_photo(card)

    async def _set(self, iq: Iq) -> bytes:
        owner = iq.session.bare
        photo = photo_of(iq.payload)
        await self._keep_card(owner, serialise(iq.payload))
        if photo is not None and photo[1] != self._hashes.get(owner):
            await self._publish_avatar(owner, iq.session.full, *photo)
        return b""

    async def _keep_card(self, owner: str, card: bytes) -> None:
        storage = self._hub.storage
        await storage.durable(storage.write(store.SET_CARD, {"owner": owner, "payload": card}))

    async def _publish_avatar(self, owner: str, publisher: str, kind: str, digest: str, picture: bytes) -> None:
        data = b"<data xmlns='%b'>%b</data>" % (DATA.encode(), base64.b64encode(picture))
        info = b"<metadata xmlns='%b'><info bytes='%d' id='%b' type='%b'/></metadata>" % (
            METADATA.encode(),
            len(picture),
            digest.encode(),
            kind.encode(),
        )
        self._hashes[owner] = digest
        await self._pep.publish(owner, publisher, DATA, [NewItem(digest, data)], watched=False)
        await self._pep.publish(owner, publisher, METADATA, [NewItem(digest, info)], watched=False)

    async def _published(self, owner: str, node: str, items: list[NewItem]) -> None:
        """A client published an avatar: its card follows."""
        if node != METADATA or not items:
            return
        info = parse_element(items[-1].payload).find(f"{{{METADATA}}}info")
        if info is None:  # XEP-0084 section 4.3: the avatar is taken away
            self._hashes.pop(owner, None)
            await self._change_photo(owner, b"")
            return
        digest, kind = info.get("id", ""), info.get("type", "image/png")
        async with self._hub.storage.read() as connection:
            found = await pep_store.load_items(connection, owner, DATA, names=(digest,))
        if not found:
            return  # the picture is somewhere else (section 4.2.2): cards cannot say so
        self._hashes[owner] = digest
        encoded = "".join((parse_element(found[0].payload).text or "").split())
        photo = b"<PHOTO xmlns='vcard-temp'><TYPE>%b</TYPE><BINVAL>%b</BINVAL></PHOTO>"
        await self._change_photo(owner, photo % (quote(kind), quote(encoded)))

    async def _change_photo(self, owner: str, photo: bytes) -> None:
        async with self._hub.storage.read() as connection:
            card = await store.read_card(connection, owner)
        bare = without_photo(card or b"<vCard xmlns='vcard-temp'/>")
        await self._keep_card(owner, append_child(bare, photo) if photo else bare)


def photo_of(card: etree._Element) -> tuple[str, str, bytes] | None:
    """Type, SHA-1 hash and octets of a card's picture, None where it has none. Raises StanzaError (bad-request)."""
    encoded = card.findtext(f"{_PHOTO}/{{{CARD}}}BINVAL")
    if not encoded:
        return None
    try:
        picture = base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise StanzaError("bad-request", "The picture is not base64") from error
    kind = card.findtext(f"{_PHOTO}/{{{CARD}}}TYPE") or "image/png"
    digest = hashlib.sha1(picture, usedforsecurity=False).hexdigest()  # XEP-0153 names pictures so
    return (kind if kind in _TYPES else "image/png"), digest, picture


def without_photo(card: bytes) -> bytes:
    """A card less its picture."""
    tree = parse_element(card)
    for photo in tree.findall(_PHOTO):
        tree.remove(photo)
    return serialise(tree)
