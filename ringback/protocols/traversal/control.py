"""What the two proxies say to each other in the channel ``control``: lines of JSON.

The inner one knows who failed to sign in, since only it can read; the outer one can keep them out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from ringback.protocols.traversal.media_words import MediaLine, MediaWord, MediaWordError, media_line, media_word

_LONGEST: Final = 4096  # octets of a line


class ControlError(ValueError):
    """A line is not one of ours; the message says why."""


@dataclass(frozen=True, slots=True)
class KeepOut:
    """From inside: no connection of this household (an address, or a /64) for so many ``seconds`` from now; 0 lets it
    in again. Seconds and no date, since the two clocks may differ."""

    who: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Figures:
    """From outside, every few seconds while they change: ``connections`` open now, ``refused`` since the start,
    ``kept_out`` households now, and how many connections ``arrived`` since the start, by service."""

    connections: int
    refused: int
    kept_out: int = 0
    arrived: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Relay:
    """From inside: text for all other inner proxies, which the outer one hands on unread."""

    text: str


@dataclass(frozen=True, slots=True)
class Drain:
    """From inside: no new connection over this link, whose inner end is about to stop."""


Word = KeepOut | Figures | Drain | Relay | MediaWord


class _Line(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=False):
    keep_out: tuple[str, float] | None = None
    figures: Figures | None = None
    relay: str = ""
    drain: bool = False
    media: MediaLine | None = None


class Lines:
    """Reads words from the bytes of a channel."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Word]:
        """The words that are complete. Raises ControlError."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _LONGEST:
            raise ControlError("a line that does not end")
        return [word for line in lines if (word := _read(line)) is not None]


def line(word: Word) -> bytes:
    """A word to send."""
    if isinstance(word, KeepOut):
        return msgspec.json.encode(_Line(keep_out=(word.who, word.seconds))) + b"\n"
    if isinstance(word, Drain):
        return msgspec.json.encode(_Line(drain=True)) + b"\n"
    if isinstance(word, Relay):
        return msgspec.json.encode(_Line(relay=word.text)) + b"\n"
    if not isinstance(word, Figures):
        return msgspec.json.encode(_Line(media=media_line(word))) + b"\n"
    return msgspec.json.encode(_Line(figures=word)) + b"\n"


def _read(text: bytes) -> Word | None:
    try:
        found = msgspec.json.decode(text, type=_Line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ControlError(f"a line that can't be read: {error}") from error
    if found.media is not None:
        try:
            return media_word(found.media)
        except MediaWordError as error:
            raise ControlError(str(error)) from error
    if found.keep_out is not None:
        return KeepOut(*found.keep_out)
    if found.drain:
        return Drain()
    if found.relay:
        return Relay(found.relay)
    return found.figures  # None: later versions may say more
