"""Messages of ours as bytes, written from their rows without a table in between.

Nobody looks into most of what we send, so a table (``message.Request``) is only made where somebody does.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ringback.protocols.sip.names import SPELLINGS

BEFORE: Final[dict[str, str]] = {name: f"\r\n{name}: " for name in SPELLINGS.values() if name != "Content-Length"}
"""What stands before the value of each header that can be written so."""
_LENGTH: Final = "\r\nContent-Length: "
_NO_BODY: Final = "\r\nContent-Length: 0\r\n\r\n"


def written(parts: list[str], rows: Iterable[tuple[str, str]], body: bytes) -> bytes | None:
    """A message. ``parts`` begins with the start line; a text of ``BEFORE`` and a value may follow, in turns, and
    ``rows`` are the other headers. None where a name is not the usual spelling of a known header, or something has a
    line break in it: the table knows what to do then."""
    for name, value in rows:
        before = BEFORE.get(name)
        if before is None:
            return None
        parts.append(before)
        parts.append(value)
    values = "".join(parts[::2])
    if "\n" in values or "\r" in values:
        return None
    if body:
        parts.append(_LENGTH)
        parts.append(f"{len(body)}\r\n\r\n")
        return "".join(parts).encode("utf-8", "surrogateescape") + body
    parts.append(_NO_BODY)
    return "".join(parts).encode("utf-8", "surrogateescape")
