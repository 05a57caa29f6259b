"""Message waiting (RFC 3842): ``application/simple-message-summary``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from ringback.protocols.sip.bodies.markup import BodyError

CONTENT_TYPE: Final = "application/simple-message-summary"
EVENT: Final = "message-summary"

_COUNT = re.compile(
    r"[ \t]*(\d{1,9})[ \t]*/[ \t]*(\d{1,9})[ \t]*(?:\([ \t]*(\d{1,9})[ \t]*/[ \t]*(\d{1,9})[ \t]*\))?\Z"
)
_CLASSES = {
    name.lower(): name
    for name in ("Voice-Message", "Fax-Message", "Pager-Message", "Multimedia-Message", "Text-Message", "None")
}


@dataclass(frozen=True, slots=True)
class Count:
    """Messages of one class: new and old ones, and how many of them are urgent."""

    new: int = 0
    old: int = 0
    urgent_new: int = 0
    urgent_old: int = 0

    def __str__(self) -> str:
        return f"{self.new}/{self.old} ({self.urgent_new}/{self.urgent_old})"


@dataclass(frozen=True, slots=True)
class MessageSummary:
    """Whether messages wait; the account as a URI, empty where not told; counts by class such as ``Voice-Message``."""

    waiting: bool
    account: str = ""
    counts: Mapping[str, Count] = field(default_factory=dict)

    @classmethod
    def voice(cls, new: int, old: int, account: str = "") -> MessageSummary:
        """The summary of a voice mailbox."""
        return cls(new > 0, account, {"Voice-Message": Count(new, old)})

    @property
    def voice_messages(self) -> Count:
        """The voice messages; none where not told."""
        return self.counts.get("Voice-Message", Count())

    @classmethod
    def parse(cls, data: bytes) -> MessageSummary:
        """Read a summary; lines of a message's own headers, which may follow, are left out. Raises BodyError."""
        waiting: bool | None = None
        account = ""
        counts: dict[str, Count] = {}
        for line in data[:65_536].decode("utf-8", "replace").replace("\r\n", "\n").split("\n"):
            name, colon, value = line.partition(":")
            key, value = name.strip(" \t").lower(), value.strip(" \t")
            if not line.strip(" \t") and waiting is not None:
                break
            if key == "messages-waiting" and colon:
                waiting = _yes(value)
            elif key == "message-account":
                account = value
            elif key in _CLASSES and (found := _COUNT.match(value)):
                counts[_CLASSES[key]] = Count(*(int(digits or 0) for digits in found.groups()))
        if waiting is None:
            raise BodyError("The summary does not say whether messages wait")
        return cls(waiting, account, counts)

    def encode(self) -> bytes:
        """The summary as lines."""
        lines = [f"Messages-Waiting: {'yes' if self.waiting else 'no'}"]
        if self.account:
            lines.append(f"Message-Account: {_line(self.account)}")
        lines += [f"{_line(name)}: {count}" for name, count in self.counts.items()]
        return "".join(f"{line}\r\n" for line in lines).encode()


def _yes(value: str) -> bool:
    if value.lower() not in ("yes", "no"):
        raise BodyError("Messages-Waiting is neither yes nor no")
    return value.lower() == "yes"


def _line(text: str) -> str:
    return text.replace("\r", " ").replace("\n", " ")
