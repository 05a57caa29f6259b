"""Messages that people send, forward and reply with: a multipart body in the published order, no part with a name.

The parts are the message, the recipients (not where one replies) and the sound: a WAV file, or a document that names
what was recorded on a phone. Documents are JSON or XML.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from aiohttp import BodyPartReader, MultipartReader, hdrs, web

from ringback.protocols.markup import Element
from ringback.protocols.vmrest import documents
from ringback.protocols.vmrest.calls import CallControl
from ringback.protocols.vmrest.documents import DocumentError
from ringback.protocols.vmrest.mailbox import NewMessage, recipients_of
from ringback.protocols.vmrest.messages import message_id
from ringback.services.voicemail import answers, errors
from ringback.services.voicemail.door import Owner
from ringback.services.voicemail.mailroom import Delivered, Mailroom
from ringback.services.voicemail.settings import VoicemailSettings
from ringback.services.voicemail.sounds import NO_G729
from ringback.storage.voicemail.errors import MailboxFullError
from ringback.storage.voicemail.records import Kept
from ringback.storage.voicemail.store import VoicemailStore

_DOCUMENT_LIMIT: Final = 64 * 1024
_OCTETS_PER_SECOND: Final = 48_000 * 2  # 16-bit linear at the highest rate that is taken
_DOCUMENTS: Final = (documents.JSON, documents.XML, "text/xml")
_SOUNDS: Final = ("audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave")
_MOST_PARTS: Final = 3

Stream = Callable[[str, str], bytes | None]
"""What a person recorded on a phone, by user and id of the stream."""


@dataclass(frozen=True, slots=True)
class _Part:
    kind: str
    body: bytes

    def document(self, name: str) -> Element:
        """Raises DocumentError."""
        return documents.parse(self.body, self.kind.replace("text/", "application/"), name)


class Sending:
    """The handler of ``POST /vmrest/messages``."""

    def __init__(self, mailroom: Mailroom, store: VoicemailStore, settings: VoicemailSettings, stream: Stream) -> None:
        self._mailroom = mailroom
        self._store = store
        self._stream = stream
        self._longest = settings.longest_seconds
        self._sound_limit = int(settings.longest_seconds * _OCTETS_PER_SECOND) + 4096

    async def post(self, owner: Owner, request: web.Request) -> web.Response:
        """Read the parts and deliver. The answer names the sent message. Raises DocumentError."""
        if not request.content_type.startswith("multipart/"):
            raise DocumentError("A message is sent as multipart/form-data: message, recipients, sound")
        method = request.query.get("method", "").lower()
        if method not in ("", "reply", "replyall"):
            raise DocumentError("The method of a message that is sent is reply or replyall, or none")
        about = None
        if wanted := request.query.get("messageid", ""):
            about = await self._store.message(owner.user, message_id(wanted))
            if about is None:
                return answers.not_found()
        elif method:
            raise DocumentError("Say which message is replied to: messageid=")
        try:
            parts = await self._parts(await request.multipart())
        except errors.BadSoundError as error:
            return answers.refusal(415, "UNSUPPORTED_MEDIA_TYPE", str(error))
        except errors.TooLongError as error:
            return answers.refusal(413, "MESSAGE_TOO_LONG", str(error))
        except (ValueError, web.HTTPException) as error:
            raise DocumentError(f"The multipart body can't be read: {error}") from error
        return await self._answer(owner, about, method, parts)

    async def _answer(self, owner: Owner, about: Kept | None, method: str, parts: list[_Part]) -> web.Response:
        try:
            done = await self._deliver(owner, about, method, parts)
        except errors.BadSoundError as error:
            return answers.refusal(415, "UNSUPPORTED_MEDIA_TYPE", f"The sound can't be taken: {error}")
        except errors.TooLongError as error:
            return answers.refusal(413, "MESSAGE_TOO_LONG", str(error))
        except errors.UnknownRecipientError as error:
            return answers.refusal(400, "INVALID_PARAMETER", str(error))
        except errors.NoReplyError as error:
            return answers.refusal(400, "NO_MAILBOX", str(error))
        except errors.PrivateMessageError as error:
            return answers.refusal(403, "PRIVATE_MESSAGE", str(error))
        except errors.SendQuotaError as error:
            return answers.refusal(403, "SEND_QUOTA_EXCEEDED", str(error))
        except errors.NoSuchMessageError:
            return answers.not_found()
        except MailboxFullError:
            return answers.refusal(507, "MAILBOX_FULL", "The mailbox of one of the recipients is full")
        sent = next((one for one in done.kept if one.folder == "sent"), None)
        place = f"/vmrest/messages/{sent.message.wire_id}" if sent is not None else ""
        return web.Response(status=201, text=place, headers={hdrs.LOCATION: place, "Cache-Control": "no-store"})

    async def _deliver(self, owner: Owner, about: Kept | None, method: str, parts: list[_Part]) -> Delivered:
        """Raises DocumentError, and as the mailroom."""
        message = NewMessage.read_from(parts[0].document("Message"))
        rest = parts[1:]
        to = []
        if rest and rest[0].kind in _DOCUMENTS and not (method and _is_control(rest[0])):
            to = list(recipients_of(rest.pop(0).document("Recipients")))
        elif not method:
            raise DocumentError("The second part of a message names its recipients")
        if len(rest) > 1:
            raise DocumentError("A message has one sound")
        sound = self._sound(owner, rest[0]) if rest else None
        if about is not None and not method:
            return await self._mailroom.forward(owner.mailbox, about, message, to, sound)
        if sound is None:
            raise DocumentError("A message has three parts: message, recipients, sound")
        if about is not None:
            to = [*self._mailroom.whom_to_reply(owner.mailbox, about, everybody=method == "replyall"), *to]
        return await self._mailroom.send(owner.mailbox, message, to, sound, about=about)

    def _sound(self, owner: Owner, part: _Part) -> bytes:
        """The sound of a part: what it holds, or what it names. Raises DocumentError, BadSoundError."""
        if part.kind not in _DOCUMENTS:
            return part.body
        control = CallControl.read_from(part.document("CallControl"))
        found = self._stream(owner.user, control.resource) if control.kind == "STREAM" else None
        if found is None:
            raise DocumentError("There is no such recording: only what was just recorded on a phone can be sent")
        return found

    async def _parts(self, reader: MultipartReader) -> list[_Part]:
        """The bodies. Raises DocumentError where they are others, more, or too long, BadSoundError."""
        found: list[_Part] = []
        while (part := await reader.next()) is not None:
            if len(found) == _MOST_PARTS or not isinstance(part, BodyPartReader):
                raise DocumentError("A message has three parts: message, recipients, sound")
            kind = part.headers.get(hdrs.CONTENT_TYPE, "").partition(";")[0].strip().lower()
            if kind.startswith("audio/g729"):
                raise errors.BadSoundError(NO_G729)
            allowed = _DOCUMENTS if not found else (*_DOCUMENTS, *_SOUNDS)
            if kind not in allowed:
                wanted = documents.JSON if not found else "audio/wav"
                raise DocumentError(f"Part {len(found) + 1} must be {wanted}, not {kind[:40] or 'nothing'}")
            found.append(_Part(kind, await self._read(part, document=kind in _DOCUMENTS)))
        if len(found) < 2:
            raise DocumentError("A message has three parts: message, recipients, sound")
        return found

    async def _read(self, part: BodyPartReader, *, document: bool) -> bytes:
        limit = _DOCUMENT_LIMIT if document else self._sound_limit
        body = bytearray()
        while chunk := await part.read_chunk(65_536):
            body += chunk
            if len(body) > limit and document:
                raise DocumentError(f"A part is longer than {limit} octets")
            if len(body) > limit:
                raise errors.TooLongError(f"A message may last {self._longest:g} seconds at most")
        return bytes(body)


def _is_control(part: _Part) -> bool:
    """Whether a document names a recording rather than recipients."""
    return b"resourceType" in part.body
