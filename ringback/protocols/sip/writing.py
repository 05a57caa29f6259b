"""Messages of ours as bytes, written from their rows without a table in between.

Nobody looks into most of what we send, so a table (``message.Request``) is only made where somebody does.
"""

from __future__ import annotations

from collections.abc import Sequence

from ringback.protocols.sip.names import SPELLINGS

_WRITABLE = frozenset(SPELLINGS.values()) - {"Content-Length"}


def written(lines: list[str], rows: Sequence[tuple[str, str]], body: bytes) -> bytes | None:
    """Start line and further lines, rows and body as a message. None where a name is not the usual spelling of a known
    header, or something has a line break in it: the table knows what to do then."""
    if not _WRITABLE.issuperset(dict(rows)):
        return None
    lines += [f"{name}: {value}" for name, value in rows]
    lines.append(f"Content-Length: {len(body)}\r\n\r\n")
    text = "\r\n".join(lines)
    breaks = len(lines) + 1  # one look at the whole finds a line break inside of any value
    if text.count("\n") != breaks or text.count("\r") != breaks:
        return None
    return text.encode("utf-8", "surrogateescape") + body
