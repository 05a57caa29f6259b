"""G.711, both laws (ITU-T G.711), by tables: 256 values to decode, one for every 16-bit sample to encode."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ringback.media.codecs.base import (
    CodecFacts,
    Decoder,
    Encoder,
    EncoderSettings,
    PacketTimed,
    PayloadError,
    Pcm,
    check_frame,
)

RATE = 8000

Law = Literal["mu", "A"]


def _decode_mu() -> NDArray[np.int16]:
    code = ~np.arange(256, dtype=np.uint8) & 0xFF
    exponent = (code >> 4) & 0x07
    magnitude = (((code & 0x0F).astype(np.int32) << 3) + 0x84 << exponent) - 0x84
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


def _decode_a() -> NDArray[np.int16]:
    code = np.arange(256, dtype=np.uint8) ^ 0x55
    exponent = ((code >> 4) & 0x07).astype(np.int32)
    mantissa = (code & 0x0F).astype(np.int32) << 4
    magnitude = np.where(exponent == 0, mantissa + 8, (mantissa + 0x108) << np.maximum(exponent - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


def _nearest(levels: NDArray[np.int16]) -> NDArray[np.uint8]:
    """The code of the nearest level for every sample, indexed by the sample's 16 bits read as unsigned."""
    order = np.argsort(levels, kind="stable")
    edges = levels[order].astype(np.int32)
    samples = np.arange(-32768, 32768, dtype=np.int32)
    place = np.searchsorted((edges[:-1] + edges[1:]) / 2, samples, side="left")
    codes = order[place].astype(np.uint8)
    return np.concatenate([codes[32768:], codes[:32768]])


@cache
def decoding_table(law: Law) -> NDArray[np.int16]:
    """The sample of each of the 256 codes."""
    return _decode_mu() if law == "mu" else _decode_a()


@cache
def encoding_table(law: Law) -> NDArray[np.uint8]:
    """The code of each sample, by its 16 bits as an unsigned number."""
    return _nearest(decoding_table(law))


class G711Encoder(PacketTimed):
    """An octet for each sample."""

    __slots__ = ("_table",)

    NAME, RATE = "G.711", RATE

    def __init__(self, law: Law, settings: EncoderSettings) -> None:
        self._table = encoding_table(law)
        self.tune(settings)

    def encode(self, pcm: Pcm) -> bytes:
        """One octet a sample. Raises CodecError."""
        check_frame(pcm, self._frame)
        return self._table.take(pcm.view(np.uint16)).tobytes()


class G711Decoder:
    """A sample for each octet; any octets are sound."""

    __slots__ = ("_table",)

    def __init__(self, law: Law) -> None:
        self._table = decoding_table(law)

    @property
    def rate(self) -> int:
        """8,000."""
        return RATE

    def decode(self, payload: bytes) -> Pcm:
        """The sound. Raises PayloadError where there is none."""
        if not payload:
            raise PayloadError("an empty G.711 payload")
        return self._table.take(np.frombuffer(payload, np.uint8))

    def samples_in(self, payload: bytes) -> int:
        """One for each octet. Raises PayloadError."""
        if not payload:
            raise PayloadError("an empty G.711 payload")
        return len(payload)

    def conceal(self, samples: int) -> Pcm | None:
        """None: the play-out conceals."""
        return None

    def recover(self, following: bytes, samples: int) -> Pcm | None:
        """None: there is no copy."""
        return None


@dataclass(frozen=True, slots=True)
class G711(CodecFacts):
    """PCMU or PCMA."""

    law: Law = "mu"

    def encoder(self, settings: EncoderSettings | None = None) -> Encoder:
        """A new encoder. Raises CodecError."""
        return G711Encoder(self.law, settings or EncoderSettings())

    def decoder(self) -> Decoder:
        """A new decoder."""
        return G711Decoder(self.law)


PCMU = G711("PCMU", RATE, RATE, payload_type=0, law="mu")
"""G.711 mu-law, payload type 0."""

PCMA = G711("PCMA", RATE, RATE, payload_type=8, law="A")
"""G.711 A-law, payload type 8."""
