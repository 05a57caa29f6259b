"""Whose call it was before it came here, and why it did: Diversion (RFC 5806) or History-Info (RFC 7044)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from ringback.protocols.sip.errors import SipError
from ringback.protocols.sip.headers import NameAddr
from ringback.protocols.sip.lexical import split_commas
from ringback.protocols.sip.message import Request

_CAUSES: Final = {
    "486": "user-busy",
    "600": "user-busy",
    "408": "no-answer",
    "480": "unavailable",
    "404": "unavailable",
    "302": "unconditional",
    "487": "deflection",
    "603": "deflection",
}
_CAUSE: Final = re.compile(r"cause=(\d{3})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Diverted:
    """The number that was called first (empty: the voicemail itself was called), and the reason as Diversion names
    it."""

    number: str = ""
    reason: str = ""


def diverted(request: Request) -> Diverted:
    """Diversion counts before History-Info: its last line names who was called first. The reason is that of the same
    line: why the first one did not take the call."""
    rows = request.diversions
    if rows:
        return Diverted(rows[-1].uri.number, (rows[-1].params.get("reason") or "").strip('"').lower())
    entries = _history(request)
    if len(entries) < 2:
        return Diverted()
    first = entries[0]
    # A reason stands in the entry of who did not take it, as a header of its URI (RFC 7044 section 5); the cause
    # (RFC 4458) in the entry of where it went next.
    written = " ".join(value for name, value in first.uri.headers if name.lower() == "reason")
    found = _CAUSE.search(written)
    cause = found[1] if found is not None else entries[1].uri.params.get("cause") or ""
    return Diverted(first.uri.number, _CAUSES.get(cause, "unknown"))


def _history(request: Request) -> list[NameAddr]:
    """The entries that can be read, in the order of their indexes."""
    entries: list[tuple[tuple[int, ...], NameAddr]] = []
    for value in request.all("History-Info"):
        for part in split_commas(value):
            try:
                entry = NameAddr.parse(part)
                index = tuple(int(step) for step in (entry.params.get("index") or "").split("."))
            except (SipError, ValueError):
                continue
            entries.append((index, entry))
    return [entry for _, entry in sorted(entries, key=lambda one: one[0])]
