"""What a server inside is told of a request: headers of this list, and nothing else that a client wrote.

Servers inside believe some headers, since only a proxy of their own could have written them (whose request it is, from
where, for which path or method). Which ones differs from server to server, so those that are known to be a client's
own business are named, instead of those that are known to be dangerous.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

_CLIENTS: Final = frozenset(
    {
        "accept",
        "accept-charset",
        "accept-encoding",
        "accept-language",
        "authorization",
        "cache-control",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-type",
        "cookie",
        "date",
        "dnt",
        "from",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "if-range",
        "if-unmodified-since",
        "origin",
        "pragma",
        "priority",
        "range",
        "referer",
        "sec-fetch-dest",
        "sec-fetch-mode",
        "sec-fetch-site",
        "sec-fetch-user",
        "slug",
        "soapaction",
        "trackingid",
        "upgrade-insecure-requests",
        "user-agent",
        "x-csrf-token",
        "x-requested-with",
    }
)
ONCE: Final = ("Authorization", "Expect", "Origin", "Range", "Sec-WebSocket-Key", "Sec-WebSocket-Version", "Upgrade")
"""Headers of which a request has one at most: with two of them, two servers may each believe another one."""
_MOST_RANGES: Final = 8  # a file sent in a thousand overlapping parts is a thousand files


def inward(found: Iterable[tuple[str, str]], session: str) -> list[tuple[str, str]]:
    """The headers that a server inside gets: those of the list, but for those that the client declared to be between
    neighbours (RFC 9110 section 7.6.1); ``session`` is the cookie of the edge, which is not its business."""
    rows = list(found)
    named = {one.strip().lower() for name, value in rows if name.lower() == "connection" for one in value.split(",")}
    kept = []
    for name, value in rows:
        lower = name.lower()
        if lower not in _CLIENTS or lower in named:
            continue
        if lower == "range" and value.count(",") >= _MOST_RANGES:
            continue  # RFC 9110 section 14.2: it may be ignored
        if lower == "cookie":
            value = "; ".join(part for part in _parts(value) if _name(part) != session.lower())  # noqa: PLW2901
            if not value:
                continue
        kept.append((name, value))
    return kept


def session_of(found: Iterable[tuple[str, str]], session: str) -> str:
    """The value of the edge's cookie; empty where there is none, or more than one: then somebody put one beside the
    person's own (a neighbouring host may), and nobody can tell which is which."""
    values = {
        part.partition("=")[2].strip().strip('"')
        for name, value in found
        if name.lower() == "cookie"
        for part in _parts(value)
        if part.partition("=")[0].strip() == session
    }
    return values.pop() if len(values) == 1 else ""


def _parts(value: str) -> list[str]:
    return [part.strip() for part in value.split(";") if part.strip()]


def _name(part: str) -> str:
    return part.partition("=")[0].strip().lower()
