"""Pictures of people: announced by XEP-0084 or XEP-0153, got when a page asks for one, kept in the store."""

from __future__ import annotations

import asyncio
import base64
import binascii
import time
from typing import Protocol
from xml.etree.ElementTree import Element, SubElement

import msgspec
import structlog

from ringback.client.contacts.photos import BYTES_MOST, Photo, PhotoError, make_photo
from ringback.client.messaging.errors import MessagingError
from ringback.client.messaging.port import Port
from ringback.client.messaging.room_requests import PUBSUB
from ringback.client.messaging.stanzas import PUBSUB_EVENT
from ringback.client.store.store import Store
from ringback.rules.addresses import Jid

_TEXT_LIMIT = BYTES_MOST * 3 // 2  # characters of base64
_KIND = "picture"
_METADATA = "urn:xmpp:avatar:metadata"
_DATA = "urn:xmpp:avatar:data"
_VCARD = "vcard-temp"
log = structlog.get_logger(__name__)


class Album(Protocol):
    """Where versions are noted, so that the page knows that there is a picture."""

    async def photo_arrived(self, person_id: str, version: str) -> None:
        """A picture of this version is there to be got."""


class Photos:
    """Gets and keeps pictures."""

    def __init__(self, own: Jid, port: Port, store: Store, album: Album) -> None:
        self._own = own
        self._port = port
        self._store = store
        self._album = album
        self._announced: dict[str, tuple[str, str]] = {}

    async def kept(self, person_id: str) -> Photo | None:
        """The picture that is kept here."""
        return await self._store.get(_KIND, person_id, Photo)

    async def get(self, person_id: str) -> Photo | None:
        """The picture of a person: kept, else got from where it was announced; None where there is none."""
        kept = await self.kept(person_id)
        announced = self._announced.get(person_id)
        if announced is None or (kept is not None and kept.version == announced[1]):
            return kept
        if not self._port.ready:
            return kept
        try:
            data = await self._fetch(person_id, *announced)
        except MessagingError as error:
            log.info("photos.not_got", reason=error.reason.id)
            return kept
        photo = await self._made(data, announced[0], announced[1]) if data is not None else None
        if photo is None:
            return kept
        await self._store.put(_KIND, person_id, photo)
        return photo

    async def keep(self, person_id: str, data: bytes, source: str) -> Photo | None:
        """Keep a picture that came another way (a directory); None where it is none. The person's own avatar, where one
        was announced, is shown instead."""
        photo = await self._made(data, source)
        if photo is None or person_id in self._announced:
            return photo
        await self._store.put(_KIND, person_id, photo)
        await self._album.photo_arrived(person_id, photo.version)
        return photo

    async def _made(self, data: bytes, source: str, version: str = "") -> Photo | None:
        try:
            photo = await asyncio.to_thread(make_photo, data, source, time.time())
        except PhotoError as error:
            log.info("photos.refused", source=source, reason=error.reason.id)
            return None
        return msgspec.structs.replace(photo, version=version) if version else photo

    async def announced(self, person_id: str, source: str, version: str) -> None:
        """A picture exists; empty version: the person has none."""
        if not version:
            self._announced.pop(person_id, None)
            return
        self._announced[person_id] = (source, version)
        await self._album.photo_arrived(person_id, version)

    async def event(self, sender: Jid, event: Element) -> None:
        """A personal event (XEP-0163) that may announce a picture."""
        for items in event.findall(f"{{{PUBSUB_EVENT}}}items"):
            if items.get("node") != _METADATA:
                continue
            info = items.find(f"{{{PUBSUB_EVENT}}}item/{{{_METADATA}}}metadata/{{{_METADATA}}}info")
            version = info.get("id", "") if info is not None else ""
            await self.announced(str(sender.bare), "pep", version)

    async def _fetch(self, person_id: str, source: str, version: str) -> bytes | None:
        to = Jid.parse(person_id)
        if source == "pep":
            query = Element(f"{{{PUBSUB}}}pubsub")
            items = SubElement(query, f"{{{PUBSUB}}}items", {"node": _DATA})
            SubElement(items, f"{{{PUBSUB}}}item", {"id": version})
            answer = await self._port.request("get", query, to)
            text = next((one.text for one in answer.iter(f"{{{_DATA}}}data")), None)
        else:
            answer = await self._port.request("get", Element(f"{{{_VCARD}}}vCard"), to)
            text = answer.findtext(f"{{{_VCARD}}}vCard/{{{_VCARD}}}PHOTO/{{{_VCARD}}}BINVAL")
        if not text or len(text) > _TEXT_LIMIT:
            return None
        try:
            return base64.b64decode("".join(text.split()), validate=True)
        except (binascii.Error, ValueError):
            return None
