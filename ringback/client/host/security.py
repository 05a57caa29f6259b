"""Who may talk to the host: browsers that were opened with the token, from the host's own pages, and nobody else.

A page of the web can make a browser send requests to 127.0.0.1, and by DNS rebinding even under a name of its own. So
the Host header must be one of ours, WebSockets and commands must come from our own origin, and the session is a cookie
that other sites can't have sent (SameSite=Strict) and no script can read (HttpOnly).
"""

from __future__ import annotations

import hmac
import ipaddress
from urllib.parse import urlsplit

from aiohttp import web

COOKIE = "ringback_session"
RETURN_COOKIE = "ringback_return"
"""Comes along when another site leads back (SameSite=Lax); good for nothing but that, and only for minutes."""

HEADERS = {
    # Fluent writes its styles into style elements; scripts come from our own files only.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
        "font-src 'self'; connect-src 'self'; manifest-src 'self'; worker-src 'self'; media-src 'self' blob:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Calls: the own page only, and only after the browser asked the person.
    "Permissions-Policy": (
        "camera=(self), geolocation=(), microphone=(self), speaker-selection=(self), payment=(), usb=()"
    ),
}


def host_allowed(request: web.Request, address: str, port: int) -> bool:
    """Whether the Host header names this host: its own address or, on loopback, localhost."""
    host, given_port = _split(f"//{request.host}")
    if given_port != port:
        return False
    if host == address:
        return True
    own = ipaddress.ip_address(address)
    if own.is_loopback and host == "localhost":
        return True
    # Bound to every address: any literal one is ours, a name is not, since anybody can point a name here.
    return own.is_unspecified and _is_literal(host)


def origin_allowed(request: web.Request) -> bool:
    """Whether a request comes from a page of this host. Absent, as in a plain program, is fine: it has the cookie."""
    origin = request.headers.get("Origin")
    if origin is None:
        return request.headers.get("Sec-Fetch-Site", "same-origin") in ("same-origin", "none")
    try:
        return urlsplit(origin).scheme == "http" and _split(origin) == _split(f"//{request.host}")
    except ValueError:
        return False


def token_right(given: str, wanted: str) -> bool:
    """Whether the token of the address is ours, in a time that tells nothing."""
    return bool(wanted) and hmac.compare_digest(given.encode(), wanted.encode())


def _split(url: str) -> tuple[str, int]:
    try:
        parts = urlsplit(url)
        return (parts.hostname or "").lower(), parts.port or 80
    except ValueError:
        return "", 0


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
