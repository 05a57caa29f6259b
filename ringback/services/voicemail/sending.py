"""Messages that people send: a multipart body of three parts in the published order, none of them with a name."""

from __future__ import annotations

from typing import Final

from aiohttp import BodyPartReader, MultipartReader, hdrs, web

from ringback.protocols.vmrest import documents
from ringback.protocols.vmrest.documents import DocumentError
from ringback.protocols.vmrest.mailbox import NewMessage, recipients_of
from ringback.services.voicemail import answers
from ringback.services.voicemail.door import Owner
from ringback.services.voicemail.errors import BadSoundError, TooLongError, UnknownRecipientError
from ringback.services.voicemail.mailroom import Mailroom
from ringback.services.voicemail.settings import VoicemailSettings
from ringback.storage.voicemail.errors import MailboxFullError

_DOCUMENT_LIMIT: Final = 64 * 1024
_OCTETS_PER_SECOND: Final = 48_000 * 2  # 16-bit linear at the highest rate that is taken


class Sending:
    """The handler of ``POST /vmrest/messages``."""

    def __init__(self, mailroom: Mailroom, settings: VoicemailSettings) -> None:
        self._mailroom = mailroom
        self._sound_limit = int(settings.longest_seconds * _OCTETS_PER_SECOND) + 4096

    async def post(self, owner: Owner, request: web.Request) -> web.Response:
        """Read the three parts and deliver. The answer names the sent message. Raises DocumentError."""
        if not request.content_type.startswith("multipart/"):
            raise DocumentError("A message is sent as multipart/form-data: message, recipients, sound")
        try:
            parts = await self._parts(await request.multipart())
        except ValueError as error:
            raise DocumentError(f"The multipart body can't be read: {error}") from error
        message = NewMessage.read_from(documents.parse(parts[0], documents.JSON, "Message"))
        to = recipients_of(documents.parse(parts[1], documents.JSON, "Recipients"))
        try:
            done = await self._mailroom.send(owner.mailbox, message, to, parts[2])
        except BadSoundError as error:
            return answers.refusal(415, "UNSUPPORTED_MEDIA_TYPE", f"The sound can't be taken: {error}")
        except TooLongError as error:
            return answers.refusal(413, "MESSAGE_TOO_LONG", str(error))
        except UnknownRecipientError as error:
            return answers.refusal(400, "INVALID_PARAMETER", str(error))
        except MailboxFullError:
            return answers.refusal(507, "MAILBOX_FULL", "The mailbox of one of the recipients is full")
        sent = next((one for one in done.kept if one.folder == "sent"), None)
        place = f"/vmrest/messages/{sent.message.wire_id}" if sent is not None else ""
        return web.Response(status=201, text=place, headers={hdrs.LOCATION: place, "Cache-Control": "no-store"})

    async def _parts(self, reader: MultipartReader) -> list[bytes]:
        """The three bodies. Raises DocumentError where they are others, more, or too long."""
        limits = (_DOCUMENT_LIMIT, _DOCUMENT_LIMIT, self._sound_limit)
        kinds = (documents.JSON, documents.JSON, "audio/wav")
        found: list[bytes] = []
        while (part := await reader.next()) is not None:
            if len(found) == len(limits) or not isinstance(part, BodyPartReader):
                raise DocumentError("A message has three parts: message, recipients, sound")
            kind = part.headers.get(hdrs.CONTENT_TYPE, "").partition(";")[0].strip().lower()
            if kind not in (kinds[len(found)], "audio/x-wav" if len(found) == 2 else kinds[len(found)]):
                raise DocumentError(f"Part {len(found) + 1} must be {kinds[len(found)]}, not {kind[:40] or 'nothing'}")
            found.append(await _read(part, limits[len(found)]))
        if len(found) != len(limits):
            raise DocumentError("A message has three parts: message, recipients, sound")
        return found


async def _read(part: BodyPartReader, limit: int) -> bytes:
    body = bytearray()
    while chunk := await part.read_chunk(65_536):
        body += chunk
        if len(body) > limit:
            raise DocumentError(f"A part is longer than {limit} octets")
    return bytes(body)
