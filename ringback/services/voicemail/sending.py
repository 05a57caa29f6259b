"""Messages that people send, forward and reply with: a multipart body in the published order, no part with a name.

The parts are the message, the recipients (not where one replies) and the sound: a WAV file, or a document that names
what was recorded on a phone. Documents are JSON or XML.
"""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import MultipartReader, hdrs, web

from ringback.protocols.vmrest.calls import CallControl
from ringback.protocols.vmrest.documents import DocumentError
from ringback.protocols.vmrest.mailbox import NewMessage, recipients_of
from ringback.protocols.vmrest.messages import message_id
from ringback.services.voicemail import answers, errors
from ringback.services.voicemail.door import Owner
from ringback.services.voicemail.mailroom import Delivered, Mailroom
from ringback.services.voicemail.parts import DOCUMENTS, Part, read_parts
from ringback.services.voicemail.settings import VoicemailSettings
from ringback.storage.voicemail.errors import MailboxFullError
from ringback.storage.voicemail.records import Kept
from ringback.storage.voicemail.store import VoicemailStore

Stream = Callable[[str, str], bytes | None]
"""What a person recorded on a phone, by user and id of the stream."""


class Sending:
    """The handler of ``POST /vmrest/messages``."""

    def __init__(self, mailroom: Mailroom, store: VoicemailStore, settings: VoicemailSettings, stream: Stream) -> None:
        self._mailroom = mailroom
        self._store = store
        self._stream = stream
        self._longest = settings.longest_seconds

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
            parts = await read_parts(await _multipart(request), self._longest)
        except errors.BadSoundError as error:
            return answers.refusal(415, "UNSUPPORTED_MEDIA_TYPE", str(error))
        except errors.TooLongError as error:
            return answers.refusal(413, "MESSAGE_TOO_LONG", str(error))
        return await self._answer(owner, about, method, parts)

    async def _answer(self, owner: Owner, about: Kept | None, method: str, parts: list[Part]) -> web.Response:
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

    async def _deliver(self, owner: Owner, about: Kept | None, method: str, parts: list[Part]) -> Delivered:
        """Raises DocumentError, and as the mailroom."""
        message = NewMessage.read_from(parts[0].document("Message"))
        rest = parts[1:]
        to = []
        if rest and rest[0].kind in DOCUMENTS and not (method and _is_control(rest[0])):
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

    def _sound(self, owner: Owner, part: Part) -> bytes:
        """The sound of a part: what it holds, or what it names. Raises DocumentError, BadSoundError."""
        if part.kind not in DOCUMENTS:
            return part.body
        control = CallControl.read_from(part.document("CallControl"))
        found = self._stream(owner.user, control.resource) if control.kind == "STREAM" else None
        if found is None:
            raise DocumentError("There is no such recording: only what was just recorded on a phone can be sent")
        return found


async def _multipart(request: web.Request) -> MultipartReader:
    """Raises DocumentError where the type names no boundary."""
    try:
        return await request.multipart()
    except (ValueError, AssertionError) as error:
        raise DocumentError(f"The multipart body can't be read: {error}") from error


def _is_control(part: Part) -> bool:
    """Whether a document names a recording rather than recipients."""
    return b"resourceType" in part.body
