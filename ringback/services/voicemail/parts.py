"""The parts of a message that is sent: documents and a sound, none of them with a name, in the published order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from aiohttp import BodyPartReader, MultipartReader, hdrs, web
from aiohttp.http import HttpProcessingError

from ringback.protocols.markup import Element
from ringback.protocols.vmrest import documents
from ringback.protocols.vmrest.documents import DocumentError
from ringback.services.voicemail.errors import BadSoundError, TooLongError
from ringback.services.voicemail.sounds import NO_G729

DOCUMENTS: Final = (documents.JSON, documents.XML, "text/xml")
_SOUNDS: Final = ("audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave")
_DOCUMENT_LIMIT: Final = 64 * 1024
_OCTETS_PER_SECOND: Final = 48_000 * 2  # 16-bit linear at the highest rate that is taken
_MOST: Final = 3


@dataclass(frozen=True, slots=True)
class Part:
    """A part: its type without parameters, and what it holds."""

    kind: str
    body: bytes = field(repr=False)

    def document(self, name: str) -> Element:
        """Raises DocumentError."""
        return documents.parse(self.body, self.kind.replace("text/", "application/"), name)


async def read_parts(reader: MultipartReader, longest: float) -> list[Part]:
    """Two or three parts; ``longest``: seconds of sound. Raises DocumentError where they are others, more, too long or
    can't be read, BadSoundError for G.729, TooLongError."""
    try:
        return await _read_all(reader, longest)
    except DocumentError:
        raise
    except (ValueError, HttpProcessingError, web.HTTPException) as error:
        raise DocumentError(f"The multipart body can't be read: {str(error)[:200]}") from error


async def _read_all(reader: MultipartReader, longest: float) -> list[Part]:
    found: list[Part] = []
    while (part := await reader.next()) is not None:
        if len(found) == _MOST or not isinstance(part, BodyPartReader):
            raise DocumentError("A message has three parts: message, recipients, sound")
        kind = part.headers.get(hdrs.CONTENT_TYPE, "").partition(";")[0].strip().lower()
        if kind.startswith("audio/g729"):
            raise BadSoundError(NO_G729)
        if kind not in (DOCUMENTS if not found else (*DOCUMENTS, *_SOUNDS)):
            wanted = documents.JSON if not found else "audio/wav"
            raise DocumentError(f"Part {len(found) + 1} must be {wanted}, not {kind[:40] or 'nothing'}")
        found.append(Part(kind, await _read(part, longest, document=kind in DOCUMENTS)))
    if len(found) < 2:
        raise DocumentError("A message has three parts: message, recipients, sound")
    return found


async def _read(part: BodyPartReader, longest: float, *, document: bool) -> bytes:
    limit = _DOCUMENT_LIMIT if document else int(longest * _OCTETS_PER_SECOND) + 4096
    body = bytearray()
    while chunk := await part.read_chunk(65_536):
        body += chunk
        if len(body) > limit and document:
            raise DocumentError(f"A part is longer than {limit} octets")
        if len(body) > limit:
            raise TooLongError(f"A message may last {longest:g} seconds at most")
    return bytes(body)
