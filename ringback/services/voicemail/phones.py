"""Messages on a phone: the service calls it, plays what is asked for, and records what is to be sent."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from aiohttp import hdrs, web

from ringback.media.players.sound import SoundFileError, parse_sound
from ringback.protocols.markup import Element
from ringback.protocols.vmrest import calls as shapes
from ringback.protocols.vmrest import documents
from ringback.protocols.vmrest.documents import DocumentError
from ringback.protocols.vmrest.messages import message_id
from ringback.services.voicemail import answers, sounds
from ringback.services.voicemail.door import Owner
from ringback.services.voicemail.errors import CallError
from ringback.services.voicemail.settings import VoicemailSettings
from ringback.services.voicemail.telephone.outgoing import PhoneCall
from ringback.storage.voicemail.greetings import GreetingStore
from ringback.storage.voicemail.records import GREETING_KINDS
from ringback.storage.voicemail.store import VoicemailStore

BASE: Final = "/vmrest/calls"
_MOST_OF_ONE: Final = 2  # calls of one person at a time
_MOST_STREAMS: Final = 4  # recordings of one person that wait to be sent
_STREAM_SECONDS: Final = 900.0

Handler = Callable[[Owner, web.Request], Awaitable[web.StreamResponse]]
Caller = Callable[[str, str, int], PhoneCall]
"""Lets a phone ring: for whom, the number, how often. Raises CallError."""


@dataclass(slots=True)
class _Running:
    user: str
    number: str
    rings: int
    call: PhoneCall
    stream: str = ""


@dataclass(frozen=True, slots=True)
class _Stream:
    user: str
    wav: bytes
    until: float


class Phones:
    """The handlers below ``/vmrest/calls``. A person's calls and recordings are that person's only."""

    def __init__(self, settings: VoicemailSettings, store: VoicemailStore, caller: Caller) -> None:
        self._settings = settings
        self._store = store
        self._greetings = GreetingStore(store.engine)
        self._caller = caller
        self._calls: dict[str, _Running] = {}
        self._streams: dict[str, _Stream] = {}
        self._last = 0

    def routes(
        self, own: Callable[[Handler], Callable[[web.Request], Awaitable[web.StreamResponse]]]
    ) -> Sequence[web.RouteDef]:
        """What to add to the router; ``own`` lets the owner in."""
        one = f"{BASE}/{{call}}"
        return [
            web.post(BASE, own(self._begin)),
            web.get(one, own(self._show)),
            web.post(one, own(self._control)),
            web.delete(one, own(self._end)),
        ]

    def recorded(self, user: str, stream: str) -> bytes | None:
        """What a person recorded on a phone a short while ago."""
        self._tidy()
        found = self._streams.get(stream)
        return found.wav if found is not None and found.user == user else None

    async def _begin(self, owner: Owner, request: web.Request) -> web.Response:
        wanted = shapes.PhoneCall.read_from(await _document(request, "Call"))
        self._tidy()
        if sum(one.user == owner.user for one in self._calls.values()) >= _MOST_OF_ONE:
            return answers.refusal(409, "TOO_MANY_CALLS", "End the other calls first")
        if not await self._may_call(wanted.number):
            return answers.refusal(403, "RESTRICTED", "Messages are played on extensions of the house only")
        try:
            call = self._caller(owner.user, wanted.number, wanted.rings)
        except CallError as error:
            return answers.refusal(error.status, error.code, str(error))
        self._last += 1
        name = str(self._last)
        self._calls[name] = _Running(owner.user, wanted.number, wanted.rings, call)
        place = f"{BASE}/{name}"
        return web.Response(status=201, text=place, headers={hdrs.LOCATION: place, "Cache-Control": "no-store"})

    async def _may_call(self, number: str) -> bool:
        digits = number.removeprefix("+")
        if not (digits.isascii() and digits.isdigit()):
            return False
        if any(number.startswith(begin) for begin in self._settings.call_out if begin):
            return True
        return await self._store.mailbox_of_number(number) is not None

    async def _show(self, owner: Owner, request: web.Request) -> web.Response:
        name, found = self._own(owner, request)
        if found is None:
            return _gone()
        shown = shapes.PhoneCall(found.number, found.rings, name, found.call.connected)
        return answers.document(request, shown.element())

    async def _end(self, owner: Owner, request: web.Request) -> web.Response:
        name, found = self._own(owner, request)
        if found is None:
            return _gone()
        await self._keep(found)
        del self._calls[name]
        found.call.hang_up()
        return answers.nothing()

    async def _control(self, owner: Owner, request: web.Request) -> web.Response:
        _, found = self._own(owner, request)
        if found is None:
            return _gone()
        wanted = shapes.CallControl.read_from(await _document(request, "CallControl"))
        if not found.call.connected:
            return answers.refusal(409, "NOT_CONNECTED", "Nobody has answered the phone yet")
        done = wanted
        match wanted.operation:
            case "PLAY":
                await self._keep(found)
                if not await self._play(owner, found.call, wanted):
                    return answers.not_found()
            case "RECORD":
                await self._keep(found)
                found.stream = f"{uuid.uuid4()}.wav"
                found.call.record()
                done = shapes.CallControl("RECORD", "STREAM", found.stream)
            case "PAUSE":
                found.call.pause()
            case "RESUME":
                found.call.resume()
            case "STOP":
                await self._keep(found)
        return answers.document(request, done.element())

    async def _play(self, owner: Owner, call: PhoneCall, wanted: shapes.CallControl) -> bool:
        """False where there is no such sound of this person."""
        if wanted.kind == "MESSAGE":
            wav = await self._store.sound(owner.user, message_id(wanted.resource))
        elif wanted.kind == "STREAM":
            wav = self.recorded(owner.user, wanted.resource)
        else:
            kind = next((one for one in GREETING_KINDS if one.lower() == wanted.resource.lower()), None)
            wav = None if kind is None else await self._greetings.sound(owner.user, kind)
        if wav is None:
            return False
        try:
            sound = await asyncio.to_thread(parse_sound, wav)
        except SoundFileError as error:
            raise DocumentError(f"The sound can't be played: {error}") from error
        made = await asyncio.to_thread(
            sounds.changed, sound, speed=wanted.speed, volume=wanted.volume, start=wanted.start
        )
        call.play(made)
        return True

    async def _keep(self, running: _Running) -> None:
        """Keep what was recorded so far as a stream that can be played and sent."""
        stream, running.stream = running.stream, ""
        taken = await running.call.stop()
        if not stream or taken is None:
            return
        own = [name for name, one in self._streams.items() if one.user == running.user]
        for name in own[: max(0, len(own) - _MOST_STREAMS + 1)]:
            del self._streams[name]
        self._streams[stream] = _Stream(running.user, taken.wav, time.monotonic() + _STREAM_SECONDS)

    def _own(self, owner: Owner, request: web.Request) -> tuple[str, _Running | None]:
        self._tidy()
        name = request.match_info["call"]
        found = self._calls.get(name)
        return name, found if found is not None and found.user == owner.user else None

    def _tidy(self) -> None:
        """Forget calls that are over, and recordings that nobody sent."""
        for name in [name for name, one in self._calls.items() if one.call.over]:
            del self._calls[name]
        now = time.monotonic()
        for name in [name for name, one in self._streams.items() if one.until < now]:
            del self._streams[name]


def _gone() -> web.Response:
    return answers.refusal(404, "RESOURCE_NOT_FOUND", "There is no such call, or it is over")


async def _document(request: web.Request, name: str) -> Element:
    return documents.parse(await request.read(), request.headers.get(hdrs.CONTENT_TYPE, documents.XML), name)
