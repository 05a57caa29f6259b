"""The REST interface: who asks is let in by the door, what is asked goes to the store or the mailroom."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import structlog
from aiohttp import hdrs, web
from sqlalchemy.exc import SQLAlchemyError

from ringback.media.players.sound import SoundFileError
from ringback.protocols.markup import Element
from ringback.protocols.vmrest import documents
from ringback.protocols.vmrest.documents import DocumentError, text
from ringback.protocols.vmrest.mailbox import Addressee, Folder, addressees, folders
from ringback.protocols.vmrest.messages import FOLDERS, FolderName, MessageChange, MessageList, Query, message_id
from ringback.rules.name_search import fold
from ringback.services.voicemail import answers, sounds
from ringback.services.voicemail.door import Door, Owner
from ringback.services.voicemail.errors import BadSoundError
from ringback.services.voicemail.mailroom import Mailroom
from ringback.services.voicemail.own import Own
from ringback.services.voicemail.phones import Phones
from ringback.services.voicemail.sending import Sending
from ringback.services.voicemail.settings import VoicemailSettings
from ringback.storage.voicemail.store import VoicemailStore

BASE: Final = "/vmrest"
_FOUND: Final = 25  # addressees of a look-up
_CODEC: Final = re.compile(r"audio/(?:wav|vnd\.wave)\s*;\s*codec=([0-9a-fA-F]{1,4})")

_log = structlog.get_logger("ringback.voicemail.rest")

_Handler = Callable[[Owner, web.Request], Awaitable[web.StreamResponse]]


class Rest:
    """The handlers below ``/vmrest``."""

    def __init__(
        self, settings: VoicemailSettings, store: VoicemailStore, mailroom: Mailroom, door: Door, phones: Phones
    ) -> None:
        self._settings = settings
        self._store = store
        self._mailroom = mailroom
        self._door = door
        self._sending = Sending(mailroom, store, settings, phones.recorded)
        self._user = Own(settings, store, mailroom)
        self._phones = phones

    def routes(self) -> Sequence[web.RouteDef]:
        """What to add to the router."""
        own = self._own
        return [
            web.get(f"{BASE}/version", self._version),
            web.get(f"{BASE}/mailbox", own(self._mailbox)),
            web.get(f"{BASE}/mailbox/folders", own(self._folders)),
            web.get(f"{BASE}/mailbox/folders/{{folder}}", own(self._folder)),
            web.get(f"{BASE}/mailbox/folders/{{folder}}/messages", own(self._messages)),
            web.post(f"{BASE}/mailbox/folders/{{folder}}/messages", own(self._empty)),
            web.get(f"{BASE}/mailbox/addresses", own(self._addresses)),
            web.get(f"{BASE}/messages", own(self._inbox)),
            web.post(f"{BASE}/messages", own(self._sending.post)),
            web.get(f"{BASE}/messages/{{message}}", own(self._message)),
            web.put(f"{BASE}/messages/{{message}}", own(self._change)),
            web.delete(f"{BASE}/messages/{{message}}", own(self._delete)),
            web.get(f"{BASE}/messages/{{message}}/attachments/{{part}}", own(self._sound)),
            *self._user.routes(own),
            *self._phones.routes(own),
        ]

    def _own(self, handler: _Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                owner = await self._door.owner(request)
                if isinstance(owner, web.StreamResponse):
                    return owner
                other = request.query.get("userobjectid", "")
                if other and fold(other) != owner.user:  # whoever it is: nobody learns who has a mailbox
                    return answers.refusal(403, "FORBIDDEN", "Only the mailbox of who asks can be used")
                return await handler(owner, request)
            except DocumentError as error:
                return answers.invalid(error)
            except (SQLAlchemyError, OSError) as error:
                _log.error("rest.database_refused", error=type(error).__name__)
                return answers.refusal(503, "SERVICE_UNAVAILABLE", "The messages can't be reached now: try again later")

        return handle

    async def _version(self, request: web.Request) -> web.Response:
        children = (text("name", "Ringback voicemail"), text("version", self._settings.version))
        return answers.document(request, Element("VersionInfo", children=children))

    async def _mailbox(self, owner: Owner, request: web.Request) -> web.Response:
        found = self._mailroom.quota(owner.mailbox, await self._store.used(owner.user))
        return answers.document(request, found.element())

    async def _folders(self, owner: Owner, request: web.Request) -> web.Response:
        rows = [await self._one_folder(owner, name) for name in FOLDERS]
        return answers.document(request, folders(rows))

    async def _folder(self, owner: Owner, request: web.Request) -> web.Response:
        return answers.document(request, (await self._one_folder(owner, _folder_of(request))).element())

    async def _one_folder(self, owner: Owner, name: FolderName) -> Folder:
        count, changes = await self._store.folder(owner.user, name)
        return Folder(name, count, changes)

    async def _messages(self, owner: Owner, request: web.Request) -> web.Response:
        return await self._page(owner, _folder_of(request), request)

    async def _inbox(self, owner: Owner, request: web.Request) -> web.Response:
        return await self._page(owner, "inbox", request)

    async def _page(self, owner: Owner, folder: FolderName, request: web.Request) -> web.Response:
        total, kept = await self._store.page(owner.user, folder, Query.parse(request.query))
        return answers.document(request, MessageList(total, [one.message for one in kept]).element())

    async def _empty(self, owner: Owner, request: web.Request) -> web.Response:
        if _folder_of(request) != "deleted" or request.query.get("method", "").lower() != "empty":
            raise DocumentError("Only the deleted messages can be emptied, with method=empty")
        await self._mailroom.empty_deleted(owner.user)
        return answers.nothing()

    async def _message(self, owner: Owner, request: web.Request) -> web.Response:
        found = await self._store.message(owner.user, _message_of(request))
        return answers.not_found() if found is None else answers.document(request, found.message.element())

    async def _change(self, owner: Owner, request: web.Request) -> web.Response:
        message = _message_of(request)
        if request.query.get("method", "").lower() == "undelete":
            done = await self._mailroom.take_back(owner.user, message)
            return answers.not_found() if done is None else answers.nothing()
        body = await request.read()
        document = documents.parse(body, request.headers.get(hdrs.CONTENT_TYPE, documents.XML), "Message")
        changed = await self._mailroom.change(owner.user, message, MessageChange.read_from(document))
        return answers.not_found() if changed is None else answers.nothing()

    async def _delete(self, owner: Owner, request: web.Request) -> web.Response:
        hard = documents.truth(request.query.get("harddelete", "false"))
        gone = await self._mailroom.delete(owner.user, _message_of(request), hard=hard)
        return answers.not_found() if gone is None else answers.nothing()

    async def _sound(self, owner: Owner, request: web.Request) -> web.StreamResponse:
        sound = None
        if request.match_info["part"] == "0":
            sound = await self._store.sound(owner.user, _message_of(request))
        if sound is None:
            return answers.not_found()
        tag = _notation(request.headers.get(hdrs.ACCEPT, ""))
        try:
            return answers.sound(sound if tag is None else await asyncio.to_thread(sounds.as_kept, sound, tag))
        except (SoundFileError, BadSoundError) as error:
            return answers.refusal(
                422, "DAMAGED", f"The sound is kept, but can't be written in another notation: {error}"
            )

    async def _addresses(self, _owner: Owner, request: web.Request) -> web.Response:
        words = request.query.get("name", "").strip()
        if not words:
            raise DocumentError("Say whom you look for: name=")
        rows = await self._store.find(words[:100], _FOUND)
        found = [Addressee(row.id, row.display_name, row.smtp, row.extension) for row in rows]
        return answers.document(request, addressees(found))


def _folder_of(request: web.Request) -> FolderName:
    name = request.match_info["folder"].lower()
    if name not in FOLDERS:
        raise DocumentError(f"There is no folder {name[:40]!r}")
    return name


def _notation(accept: str) -> int | None:
    """The format that is asked for: ``audio/wav;codec=7`` (RFC 2361: 1 linear, 6 A-law, 7 mu-law), else None. Raises
    DocumentError."""
    found = _CODEC.search(accept)
    if found is None:
        return None
    tag = int(found[1], 16)
    if tag not in (sounds.LINEAR, sounds.A_LAW, sounds.MU_LAW):
        raise DocumentError("Sounds are given as linear PCM (1), A-law (6) or mu-law (7)")
    return tag


def _message_of(request: web.Request) -> str:
    return message_id(request.match_info["message"])
