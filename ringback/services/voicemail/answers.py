"""Answers of the voicemail interface in the notation that the client asked for, and refusals with their sentence."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import hdrs, web

from ringback.protocols.markup import Element
from ringback.protocols.vmrest import documents
from ringback.protocols.vmrest.documents import DocumentError, text

_COMMON = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def document(request: web.Request, root: Element, status: int = 200) -> web.Response:
    """A document, XML unless the client prefers JSON."""
    json = documents.wants_json(request.headers.get(hdrs.ACCEPT, ""))
    return web.Response(
        status=status,
        body=documents.render(root, json=json),
        content_type=documents.JSON if json else documents.XML,
        charset="utf-8",
        headers=_COMMON,
    )


def sound(file: bytes) -> web.Response:
    """A WAV file, for its owner's ears only."""
    headers = {"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff"}
    return web.Response(body=file, content_type="audio/wav", headers=headers)


def nothing() -> web.Response:
    """Done, and there is nothing to say."""
    return web.Response(status=204, headers=_COMMON)


def refusal(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """A refusal in JSON (``errors``: code and message), whatever notation was asked for."""
    root = Element("root", children=(Element("errors", children=(text("code", code), text("message", message))),))
    return web.Response(
        status=status,
        body=documents.render(root, json=True),
        content_type=documents.JSON,
        charset="utf-8",
        headers={**_COMMON, **(headers or {})},
    )


def not_found() -> web.Response:
    """There is no such message (or it is somebody else's, which is not told)."""
    return refusal(404, "RESOURCE_NOT_FOUND", "There is no such message in this mailbox")


def invalid(error: DocumentError) -> web.Response:
    """A request that can't be read."""
    return refusal(400, "INVALID_PARAMETER", str(error))
