"""The torture messages of RFC 4475 and RFC 5118, from text in the notation of RFC 4475 section 2."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_DATA = Path(__file__).parent / "data"
_HEAD = re.compile(r"^=== (\S+) (\S+) (\S+)\n", re.MULTILINE)
_ONE_LINE = re.compile(r"^<allOneLine>\n(.*?)\n</allOneLine>$", re.MULTILINE | re.DOTALL)
_REPEAT = re.compile(r"<repeat count=(\d+)>(.*?)</repeat>")


@dataclass(frozen=True)
class Tortured:
    """A message: its name and section in the document, and the status it earns (0: it is valid)."""

    name: str
    section: str
    status: int
    data: bytes


def load(document: str) -> dict[str, Tortured]:
    """The messages of ``rfc4475`` or ``rfc5118`` by name."""
    text = (_DATA / f"{document}.txt").read_text("utf-8")
    _, *parts = _HEAD.split(text)
    rows = zip(parts[::4], parts[1::4], parts[2::4], parts[3::4], strict=True)
    return {
        name: Tortured(name, section, 0 if verdict == "valid" else int(verdict), _wire(body))
        for name, section, verdict, body in rows
    }


def _wire(text: str) -> bytes:
    text = _ONE_LINE.sub(lambda found: found[1].replace("\n", ""), text)
    text = _REPEAT.sub(lambda found: found[2] * int(found[1]), text)
    data = text.replace("\n", "\r\n").encode("utf-8")
    return re.sub(
        rb"<hex>([0-9A-F\s]*)</hex>", lambda found: bytes.fromhex(re.sub(rb"\s", b"", found[1]).decode()), data
    )
