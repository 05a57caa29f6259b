"""What inner proxies of one edge tell each other about protection, by way of the outer ones.

No inner proxy can reach another through what the firewall allows, but each has links to all outer ones, which hand the
notes on. They are sealed with a key that inner proxies share: whoever took over an outer proxy can neither read them,
nor block or unblock anybody with them. A note that is older than a minute is not believed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ringback.rules.edge_protection import Block, LetIn

_NONCE: Final = 12
_OLDEST: Final = 60.0  # seconds
_SEALED_FOR: Final = b"ringback edge notes 1"
LONGEST: Final = 3000
"""Characters of a sealed note at most, so that it fits a line between the proxies."""


@dataclass(frozen=True, slots=True)
class Lifted:
    """An administrator lets an address or a person in again."""

    who: str


@dataclass(frozen=True, slots=True)
class Exempted:
    """A network is never blocked until a time (None: for good)."""

    network: str
    until: float | None


@dataclass(frozen=True, slots=True)
class Ended:
    """The network can be blocked again."""

    network: str


@dataclass(frozen=True, slots=True)
class Hello:
    """A proxy has just begun and wants to know what the others do."""


Note = Block | LetIn | Lifted | Exempted | Ended
"""What is told."""


class SharingError(ValueError):
    """A note that is not to be believed; the message says why."""


class _Sealed(msgspec.Struct, omit_defaults=True):
    at: float
    block: Block | None = None
    let_in: LetIn | None = None
    lifted: Lifted | None = None
    exempted: Exempted | None = None
    ended: Ended | None = None
    hello: bool = False


class Seal:
    """Writes and reads notes. ``secret``: what all inner proxies of the edge share; ``clock``: Unix seconds."""

    def __init__(self, secret: str, clock: Callable[[], float] = time.time) -> None:
        self._cipher = AESGCM(hashlib.sha256(_SEALED_FOR + secret.encode()).digest())
        self._clock = clock

    def write(self, note: Note | Hello) -> str:
        """A note for the others."""
        names = {Block: "block", LetIn: "let_in", Lifted: "lifted", Exempted: "exempted", Ended: "ended"}
        said = {"hello": True} if isinstance(note, Hello) else {names[type(note)]: note}
        nonce = secrets.token_bytes(_NONCE)
        text = msgspec.json.encode({"at": self._clock(), **said})
        return base64.b64encode(nonce + self._cipher.encrypt(nonce, text, _SEALED_FOR)).decode("ascii")

    def read(self, text: str) -> Note | Hello:
        """A note of another. Raises SharingError."""
        try:
            octets = base64.b64decode(text, validate=True)
            content = self._cipher.decrypt(octets[:_NONCE], octets[_NONCE:], _SEALED_FOR)
            found = msgspec.json.decode(content, type=_Sealed)
        except (binascii.Error, ValueError, InvalidTag) as error:
            raise SharingError(f"a note that no inner proxy of this edge wrote: {type(error).__name__}") from error
        if abs(self._clock() - found.at) > _OLDEST:
            raise SharingError("a note of another time: the clocks differ, or somebody sent it again")
        for note in (found.block, found.let_in, found.lifted, found.exempted, found.ended):
            if note is not None:
                return note
        if found.hello:
            return Hello()
        raise SharingError("a note that says nothing")  # of a later version
