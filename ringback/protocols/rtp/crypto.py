"""SDES keys: the ``a=crypto`` attribute of SDP (RFC 4568; suites of RFC 6188 and 7714)."""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from ringback.protocols.rtp.errors import CryptoFormatError


class Suite(Enum):
    """A crypto suite and the octets of its master key and master salt together."""

    AEAD_AES_256_GCM = ("AEAD_AES_256_GCM", 44)
    AEAD_AES_128_GCM = ("AEAD_AES_128_GCM", 28)
    AES_CM_128_HMAC_SHA1_80 = ("AES_CM_128_HMAC_SHA1_80", 30)
    AES_CM_128_HMAC_SHA1_32 = ("AES_CM_128_HMAC_SHA1_32", 30)

    def __init__(self, label: str, key_size: int) -> None:
        self.label = label
        self.key_size = key_size


PREFERENCE = (
    Suite.AEAD_AES_256_GCM,
    Suite.AEAD_AES_128_GCM,
    Suite.AES_CM_128_HMAC_SHA1_80,
    Suite.AES_CM_128_HMAC_SHA1_32,
)
_BY_LABEL = {suite.label: suite for suite in Suite}
_LINE = re.compile(r"(\d{1,9}) +([A-Za-z0-9_]+) +(\S+)(?: +(.*))?")
_LIFETIME = re.compile(r"2\^\d{1,2}|\d{1,16}")
_MKI = re.compile(r"(\d{1,38}):(\d{1,3})")
_REFUSED = ("UNENCRYPTED_SRTP", "UNENCRYPTED_SRTCP", "UNAUTHENTICATED_SRTP")


@dataclass(frozen=True, slots=True)
class CryptoLine:
    """One key offered or chosen: ``key`` is the master key followed by the master salt, never shown by repr.

    ``suite`` is None where the suite is unknown here: such a line is passed over, not an error.
    """

    tag: int
    suite: Suite | None
    key: bytes = field(repr=False)
    parameters: tuple[str, ...] = ()

    @classmethod
    def generate(cls, tag: int, suite: Suite) -> CryptoLine:
        """A line with a fresh random key."""
        return cls(tag, suite, secrets.token_bytes(suite.key_size))

    @classmethod
    def parse(cls, value: str) -> CryptoLine:
        """Read the attribute's value, without ``crypto:``. Raises CryptoFormatError.

        A lifetime is read over, since no call lasts 2^31 packets; a master key identifier and several keys are refused.
        """
        match = _LINE.fullmatch(value.strip())
        if match is None:
            raise CryptoFormatError("a crypto attribute is a tag, a suite and key parameters")
        tag, label, keys, rest = match.groups()
        suite = _BY_LABEL.get(label.upper())
        parameters = tuple((rest or "").split())
        if suite is None:
            return cls(int(tag), None, b"", parameters)
        return cls(int(tag), suite, _key(keys, suite), parameters)

    def __str__(self) -> str:
        """The attribute's value. It holds the key: for the wire only, never for a log."""
        label = self.suite.label if self.suite else "UNKNOWN"
        return " ".join((str(self.tag), label, f"inline:{base64.b64encode(self.key).decode()}", *self.parameters))

    @property
    def usable(self) -> bool:
        """Whether the suite is known and nothing switches protection off or changes its derivation."""
        return self.suite is not None and not any(
            one in _REFUSED or one.startswith(("KDR=", "FEC_")) for one in self.parameters
        )


def offer_lines(suites: Sequence[Suite] = PREFERENCE) -> tuple[CryptoLine, ...]:
    """Lines for an offer, tags from 1, each with its own key."""
    return tuple(CryptoLine.generate(tag, suite) for tag, suite in enumerate(suites, 1))


def answer_line(
    offered: Sequence[CryptoLine], suites: Sequence[Suite] = PREFERENCE
) -> tuple[CryptoLine, CryptoLine] | None:
    """(ours, theirs) for an answer: the first offered line, in the offerer's order, that is usable and allowed here.

    None where no line is: then the medium is refused, never sent in clear (RFC 4568 section 5.1.2).
    """
    for line in offered:
        if line.usable and line.suite is not None and line.suite in suites:
            return CryptoLine.generate(line.tag, line.suite), line
    return None


def answered_line(offered: Sequence[CryptoLine], answer: Sequence[CryptoLine]) -> tuple[CryptoLine, CryptoLine] | None:
    """(ours, theirs) after an answer: our offered line with the tag and suite of the answer's only line, else None."""
    if len(answer) != 1 or not answer[0].usable:
        return None
    for line in offered:
        if line.tag == answer[0].tag and line.suite is answer[0].suite:
            return line, answer[0]
    return None


def _key(parameters: str, suite: Suite) -> bytes:
    if ";" in parameters:
        raise CryptoFormatError("several master keys need identifiers, which are not used here")
    method, _, info = parameters.partition(":")
    if method.lower() != "inline":
        raise CryptoFormatError("the key method is not inline")
    text, *more = info.split("|")
    if len(more) > 2 or not all(_LIFETIME.fullmatch(one) or _MKI.fullmatch(one) for one in more):
        raise CryptoFormatError("what follows the key is neither a lifetime nor a master key identifier")
    if any(_MKI.fullmatch(one) for one in more):
        raise CryptoFormatError("a master key identifier is not used here")
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise CryptoFormatError("the key is not base64") from error
    if len(key) != suite.key_size:
        raise CryptoFormatError(f"a key of {len(key)} octets where {suite.label} takes {suite.key_size}")
    return key
