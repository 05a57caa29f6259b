"""Answers and refusals over HTTP that all interfaces of a call manager share."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import ETag, hdrs, web
from aiohttp.typedefs import Middleware

from ringback.protocols import markup
from ringback.protocols.markup import Element

REALM = "Cisco Web Services Realm"
_XML = "application/xml"
_COMMON = {
    "Cache-Control": "private",
    "Expires": "Thu, 01 Jan 1970 00:00:00 GMT",
    "X-Frame-Options": "SAMEORIGIN",
    "X-Content-Type-Options": "nosniff",
}
# A troubleshooting tool in use tells this page from others by the comment in it.
_REFUSED_PAGE = """<!DOCTYPE html>
<html><head><title>401 Unauthorized</title></head>
<!-- custom Cisco error page -->
<body><h1>HTTP Status 401 - Unauthorized</h1>
<p>This page needs the user name and password of the person it belongs to.</p></body></html>
"""


@dataclass(frozen=True, slots=True)
class Document:
    """Bytes to hand out, with their type and a tag that changes with them."""

    body: bytes
    content_type: str
    tag: str

    @classmethod
    def of(cls, body: bytes, content_type: str) -> Document:
        """A document with the tag of its content."""
        return cls(body, content_type, hashlib.sha256(body).hexdigest()[:32])


def xml(body: bytes) -> web.Response:
    """An answer of UDS."""
    return web.Response(body=body, content_type=_XML, charset="utf-8", headers=_COMMON)


def refusal(status: int, message: str, headers: dict[str, str] | None = None) -> web.Response:
    """A refusal with a sentence in XML (its shape is Ringback's choice; the vendor's is not public)."""
    children = (Element("code", text=str(status)), Element("message", text=message))
    body = markup.build(Element("errors", children=(Element("error", children=children),)))
    return web.Response(status=status, body=body, content_type=_XML, charset="utf-8", headers=_COMMON | (headers or {}))


def unauthorized() -> web.Response:
    """The page that asks for credentials."""
    headers = _COMMON | {hdrs.WWW_AUTHENTICATE: f'Basic realm="{REALM}"'}
    return web.Response(status=401, text=_REFUSED_PAGE, content_type="text/html", headers=headers)


def bearer_token(request: web.Request) -> str | None:
    """The token of ``Authorization: Bearer`` (RFC 6750 section 2.1); None where the header has another scheme. Tokens
    in queries and forms are not looked for: they end up in logs and histories."""
    scheme, _, token = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def bad_token(why: str) -> web.Response:
    """The refusal of a token (RFC 6750 section 3.1); ``why`` is a sentence without anything of the token in it."""
    challenge = f'Bearer realm="{REALM}", error="invalid_token", error_description="{why}"'
    return refusal(401, why, {hdrs.WWW_AUTHENTICATE: challenge})


def document(request: web.Request, found: Document) -> web.Response:
    """A file, or 304 where the asker has it already (RFC 9110 section 13.1.2)."""
    headers = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
    wanted = request.if_none_match
    if wanted is not None and any(tag.value in (found.tag, "*") for tag in wanted):
        response = web.Response(status=304, headers=headers)
    else:
        response = web.Response(body=found.body, content_type=found.content_type, headers=headers)
    response.etag = ETag(found.tag)
    return response


def basic_credentials(request: web.Request) -> tuple[str, str] | None:
    """User name and password of ``Authorization: Basic`` (RFC 7617); None where there are none to read.

    They are UTF-8; what is not is taken as Latin-1, which older clients still send.
    """
    scheme, _, encoded = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        octets = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    try:
        text = octets.decode()
    except UnicodeDecodeError:
        text = octets.decode("latin-1")
    user, colon, password = text.partition(":")
    return (user, password) if colon and user and password else None


_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def time_limit(seconds: float) -> Middleware:
    """A middleware that answers 408 where a request, its body included, takes longer."""

    @web.middleware
    async def limited(request: web.Request, handler: _Handler) -> web.StreamResponse:
        try:
            async with asyncio.timeout(seconds):
                return await handler(request)
        except TimeoutError:
            response = refusal(408, "The request took too long")
            response.force_close()
            return response

    return limited


@web.middleware
async def plain_refusals(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """Give the refusals that aiohttp raises (no such path, method, too large) the shape of ours."""
    try:
        return await handler(request)
    except web.HTTPException as refused:
        allow = {"Allow": refused.headers[hdrs.ALLOW]} if hdrs.ALLOW in refused.headers else None
        return refusal(refused.status, refused.reason, allow)
