"""What people see and change of themselves: who they are, how long messages may be, greetings."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from aiohttp import hdrs, web

from ringback.protocols.markup import Element
from ringback.protocols.vmrest import documents
from ringback.protocols.vmrest import greetings as shapes
from ringback.protocols.vmrest.documents import DocumentError, text, whole
from ringback.services.voicemail import answers, sounds
from ringback.services.voicemail.door import Owner
from ringback.services.voicemail.errors import BadSoundError, TooLongError
from ringback.services.voicemail.mailroom import Mailroom
from ringback.services.voicemail.settings import VoicemailSettings
from ringback.storage.voicemail.greetings import GreetingStore
from ringback.storage.voicemail.records import GREETING_KINDS, Entry, Greeting, GreetingKind
from ringback.storage.voicemail.store import VoicemailStore

_OTHER_NAMES: Final = {"offhours": "Closed", "off hours": "Closed"}
GREETING_SECONDS: Final = 90.0
"""The longest greeting."""
_OCTETS: Final = int(GREETING_SECONDS * 48_000 * 2) + 4096

Handler = Callable[[Owner, web.Request], Awaitable[web.StreamResponse]]


class Own:
    """The handlers below ``/vmrest/user``."""

    def __init__(self, settings: VoicemailSettings, store: VoicemailStore, mailroom: Mailroom) -> None:
        self._settings = settings
        self._store = store
        self._greetings = GreetingStore(store.engine)
        self._mailroom = mailroom

    def routes(
        self, own: Callable[[Handler], Callable[[web.Request], Awaitable[web.StreamResponse]]]
    ) -> Sequence[web.RouteDef]:
        """What to add to the router; ``own`` lets the owner in."""
        kind = f"{shapes.BASE}/{{kind}}"
        audio = f"{kind}/greetingstreamfiles/{{language:[0-9]+}}"
        return [
            web.get("/vmrest/user", own(self._user)),
            web.get("/vmrest/user/cos", own(self._class)),
            web.get(shapes.BASE, own(self._list)),
            web.get(kind, own(self._one)),
            web.put(kind, own(self._switch)),
            web.get(f"{kind}/greetingstreamfiles", own(self._recordings)),
            *(
                route
                for path in (audio, f"{audio}/audio")
                for route in (
                    web.get(path, own(self._audio)),
                    web.put(path, own(self._record)),
                    web.delete(path, own(self._forget)),
                )
            ),
        ]

    async def _user(self, owner: Owner, request: web.Request) -> web.Response:
        row = owner.mailbox
        language = shapes.language_number(row.locale)
        found = shapes.OwnUser(row.id, row.display_name, row.extension, row.smtp, language)
        return answers.document(request, found.element())

    async def _class(self, _owner: Owner, request: web.Request) -> web.Response:
        rows = (("MaxMsgLen", self._settings.longest_seconds), ("MaxGreetingLength", GREETING_SECONDS))
        return answers.document(request, Element("Cos", children=tuple(text(name, int(value)) for name, value in rows)))

    async def _list(self, owner: Owner, request: web.Request) -> web.Response:
        rows = [_shape(one) for one in (await self._greetings.all(owner.user)).values()]
        return answers.document(request, shapes.greetings(rows))

    async def _one(self, owner: Owner, request: web.Request) -> web.Response:
        return answers.document(request, _shape(await self._greeting(owner, request)).element())

    async def _greeting(self, owner: Owner, request: web.Request) -> Greeting:
        return (await self._greetings.all(owner.user))[_kind(request)]

    async def _switch(self, owner: Owner, request: web.Request) -> web.Response:
        kind = _kind(request)
        content_type = request.headers.get(hdrs.CONTENT_TYPE, documents.XML)
        change = shapes.GreetingChange.read_from(documents.parse(await request.read(), content_type, "Greeting"))
        if kind == "Standard" and change.enabled is False:
            raise DocumentError("The standard greeting is always on: turn another one on to be heard before it")
        await self._greetings.switch(owner.user, kind, enabled=change.enabled, until=change.until, spoken=change.plays)
        await self._note(owner, f"{kind} greeting switched")
        return answers.nothing()

    async def _recordings(self, owner: Owner, request: web.Request) -> web.Response:
        return answers.document(request, _shape(await self._greeting(owner, request)).recordings())

    async def _audio(self, owner: Owner, request: web.Request) -> web.Response:
        sound = await self._greetings.sound(owner.user, _kind(request))
        if sound is None:
            return answers.refusal(404, "RESOURCE_NOT_FOUND", "This greeting is not recorded")
        return answers.sound(sound)

    async def _record(self, owner: Owner, request: web.Request) -> web.Response:
        kind, language = _kind(request), whole(request.match_info["language"], 1, 65_535)
        if request.content_type.lower().startswith("audio/g729"):
            return answers.refusal(415, "UNSUPPORTED_MEDIA_TYPE", sounds.NO_G729)
        body = bytearray()
        async for chunk in request.content.iter_chunked(65_536):
            body += chunk
            if len(body) > _OCTETS:
                return answers.refusal(413, "MESSAGE_TOO_LONG", f"A greeting may last {GREETING_SECONDS:g} seconds")
        try:
            checked = await asyncio.to_thread(sounds.check, bytes(body), GREETING_SECONDS)
        except BadSoundError as error:
            return answers.refusal(415, "UNSUPPORTED_MEDIA_TYPE", f"The sound can't be taken: {error}")
        except TooLongError as error:
            return answers.refusal(413, "MESSAGE_TOO_LONG", str(error))
        await self._greetings.record(owner.user, kind, checked.wav, language=language)
        await self._note(owner, f"{kind} greeting recorded")
        return answers.nothing()

    async def _forget(self, owner: Owner, request: web.Request) -> web.Response:
        kind = _kind(request)
        await self._greetings.record(owner.user, kind, None)
        await self._note(owner, f"{kind} greeting deleted")
        return answers.nothing()

    async def _note(self, owner: Owner, what: str) -> None:
        await self._store.note(Entry(self._mailroom.now, owner.user, what, owner.user))


def _shape(one: Greeting) -> shapes.UserGreeting:
    language = (one.language or shapes.LANGUAGES["en"]) if one.recorded else 0
    return shapes.UserGreeting(one.kind, one.enabled, one.until, one.spoken, language)


def _kind(request: web.Request) -> GreetingKind:
    """Raises DocumentError."""
    word = request.match_info["kind"]
    name = _OTHER_NAMES.get(word.lower(), word)
    found = next((kind for kind in GREETING_KINDS if kind.lower() == name.lower()), None)
    if found is None:
        raise DocumentError(f"The greetings are {', '.join(GREETING_KINDS)}")
    return found
