"""What the two proxies say about media in the channel ``control``: which ports of the world are whose (*chosen*).

All of it is about a pair of proxies, over whichever of its links it is said; the numbers are the inner proxy's.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

import msgspec

from ringback.protocols.traversal.frames import TAG

MediaKind = Literal["audio", "video"]

_KINDS: Final = frozenset(get_args(MediaKind))
_HIGHEST: Final = 65535
_NUMBERS: Final = 2**32


class MediaWordError(ValueError):
    """A word about media can't be read; the message says why."""


@dataclass(frozen=True, slots=True)
class MediaPlace:
    """From outside: frames are taken at this UDP port of the address that the link leads to."""

    port: int


@dataclass(frozen=True, slots=True)
class MediaFlow:
    """From inside: frames with this tag are ours; whatever was allocated before is free."""

    tag: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class OpenMedia:
    """From inside: open a pair of ports (RTP, RTCP) for a stream of this kind, under this number."""

    number: int
    kind: MediaKind


@dataclass(frozen=True, slots=True)
class CloseMedia:
    """From inside: the pair is needed no more."""

    number: int


@dataclass(frozen=True, slots=True)
class MediaOpened:
    """From outside: clients reach the pair at this address, RTP at ``port``, RTCP at the next one."""

    number: int
    address: str
    port: int


@dataclass(frozen=True, slots=True)
class MediaRefused:
    """From outside: there is no pair; ``why`` is for the log."""

    number: int
    why: str


MediaWord = MediaPlace | MediaFlow | OpenMedia | CloseMedia | MediaOpened | MediaRefused


class MediaLine(msgspec.Struct, omit_defaults=True):
    """A word about media as it stands in a line of ``control``."""

    what: Literal["place", "flow", "open", "close", "opened", "refused"]
    number: int = 0
    text: str = ""
    port: int = 0


def media_line(word: MediaWord) -> MediaLine:
    """A word to send."""
    match word:
        case MediaPlace(port):
            return MediaLine("place", port=port)
        case MediaFlow(tag):
            return MediaLine("flow", text=tag.hex())
        case OpenMedia(number, kind):
            return MediaLine("open", number, kind)
        case CloseMedia(number):
            return MediaLine("close", number)
        case MediaOpened(number, address, port):
            return MediaLine("opened", number, address, port)
        case MediaRefused(number, why):
            return MediaLine("refused", number, why[:200])


def media_word(line: MediaLine) -> MediaWord:
    """A word that came. Raises MediaWordError."""
    if not 0 <= line.number < _NUMBERS or not 0 <= line.port <= _HIGHEST:
        raise MediaWordError("a number or port that can't be")
    try:
        match line.what:
            case "place":
                return MediaPlace(line.port)
            case "flow":
                tag = bytes.fromhex(line.text)
                if len(tag) != TAG:
                    raise MediaWordError("a tag of another length")
                return MediaFlow(tag)
            case "open":
                return OpenMedia(line.number, _kind(line.text))
            case "close":
                return CloseMedia(line.number)
            case "opened":
                return MediaOpened(line.number, str(ipaddress.ip_address(line.text)), line.port)
            case "refused":
                return MediaRefused(line.number, line.text)
    except ValueError as error:
        raise MediaWordError(str(error)) from error


def _kind(text: str) -> MediaKind:
    if text not in _KINDS:
        raise MediaWordError(f"media of kind {text[:20]!r}")
    return "video" if text == "video" else "audio"
