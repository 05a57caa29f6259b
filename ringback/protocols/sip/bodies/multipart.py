"""Bodies of several parts (RFC 2046 section 5.1, RFC 5621): ``multipart/mixed`` and its like."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from ringback.protocols.sip.bodies.markup import BodyError
from ringback.protocols.sip.errors import MalformedMessage
from ringback.protocols.sip.headers import MediaType

CONTENT_TYPE: Final = "multipart/mixed"
BOUNDARY: Final = "uniqueBoundary"

_PART_LIMIT = 64
_BOUNDARY = re.compile(r"[A-Za-z0-9'()+_,./:=? -]{0,69}[A-Za-z0-9'()+_,./:=?-]\Z", re.ASCII)
_HEADER = re.compile(r"[A-Za-z0-9-]+\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Part:
    """One part. ``content_id`` is without angle brackets, ``disposition`` as it stands; ``headers`` are the others."""

    content_type: str
    body: bytes
    content_id: str = ""
    disposition: str = ""
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def kind(self) -> str:
        """The media type in lower case without parameters; text/plain where it cannot be read (RFC 2045 5.2)."""
        try:
            return MediaType.parse(self.content_type).kind
        except MalformedMessage:
            return "text/plain"


def content_type(boundary: str = BOUNDARY) -> str:
    """The Content-Type of a body with this boundary."""
    return f"{CONTENT_TYPE};boundary={boundary}"


def parse(data: bytes, media_type: MediaType) -> tuple[Part, ...]:
    """The parts of a body. Raises BodyError where the boundary is missing, the body is not closed or has no part.

    Line breaks may be bare: phones in use write the inside so.
    """
    boundary = media_type.params.get("boundary") or ""
    if not media_type.kind.startswith("multipart/") or not _BOUNDARY.match(boundary):
        raise BodyError("The body has no boundary between its parts")
    pieces = re.split(rb"(?:\A|\r?\n)--" + re.escape(boundary.encode()) + rb"(--)?[ \t]*(?=\r?\n|\Z)", data)
    # before the first boundary stands a preamble; after each, whether it was the last one, and what follows it
    parts: list[Part] = []
    closed = False
    for closing, piece in zip(pieces[1::2], pieces[2::2], strict=True):
        if closing:
            closed = True
            break
        if len(parts) >= _PART_LIMIT:
            raise BodyError(f"The body has more than {_PART_LIMIT} parts")
        parts.append(_read_part(piece))
    if not closed or not parts:
        raise BodyError("The body has no parts, or does not end in its boundary")
    return tuple(parts)


def encode(parts: tuple[Part, ...] | list[Part], boundary: str = BOUNDARY) -> bytes:
    """The parts as one body. Raises BodyError where the boundary is no boundary or stands in a part."""
    if not _BOUNDARY.match(boundary):
        raise BodyError(f"{boundary!r} cannot part anything")
    mark = f"--{boundary}".encode()
    lines: list[bytes] = []
    for part in parts:
        if mark in part.body:
            raise BodyError("The boundary stands in a part")
        rows = [("Content-Type", part.content_type)]
        rows += [("Content-ID", f"<{part.content_id}>")] if part.content_id else []
        rows += [("Content-Disposition", part.disposition)] if part.disposition else []
        lines += [mark, *(_header(name, value) for name, value in (*rows, *part.headers)), b"", part.body]
    return b"\r\n".join((*lines, mark + b"--", b""))


def _header(name: str, value: str) -> bytes:
    if not _HEADER.match(name) or "\r" in value or "\n" in value:
        raise BodyError(f"The header {name[:40]} of a part cannot be written")
    return f"{name}: {value}".encode("utf-8", "surrogateescape")


def _read_part(piece: bytes) -> Part:
    piece = piece.removeprefix(b"\r").removeprefix(b"\n")
    found = re.match(rb"((?:[^\r\n]+\r?\n)*)\r?\n", piece)
    if found is None:
        raise BodyError("The headers of a part do not end")
    known = {"content-type": "text/plain", "content-id": "", "content-disposition": ""}
    others: list[tuple[str, str]] = []
    text = re.sub(r"\r?\n[ \t]+", " ", found[1].decode("utf-8", "surrogateescape"))
    for line in text.replace("\r\n", "\n").split("\n"):
        name, colon, value = line.partition(":")
        if not line:
            continue
        if not colon or not _HEADER.match(name.rstrip(" \t")):
            raise BodyError("A part has a header line without name")
        name, value = name.rstrip(" \t"), value.strip(" \t")
        if name.lower() in known:
            known[name.lower()] = value
        else:
            others.append((name, value))
    identity = known["content-id"].removeprefix("<").removesuffix(">")
    body = piece[found.end() :]
    return Part(known["content-type"], body, identity, known["content-disposition"], tuple(others))
