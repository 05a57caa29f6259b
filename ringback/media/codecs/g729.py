"""G.729 Annex A (ITU-T G.729), by the system's libbcg729 where somebody installed it; nothing of it comes with
Ringback.

That library is under the GPL, version 3; FFmpeg only decodes. Packets hold frames of 10 ms in 10 octets each, the last
may be a description of silence in 2 octets (RFC 3551 section 4.5.6).
"""

from __future__ import annotations

import ctypes
import ctypes.util
import weakref
from dataclasses import dataclass
from functools import cache

import numpy as np

from ringback.media.codecs.base import (
    CodecError,
    CodecFacts,
    Decoder,
    Encoder,
    EncoderSettings,
    NoSuchCodecError,
    PacketTimed,
    PayloadError,
    Pcm,
    check_frame,
)

RATE = 8000
FRAME, OCTETS, SILENCE_OCTETS = 80, 10, 2  # samples and octets of a frame, octets of a description of silence
_MOST_FRAMES = 24


@cache
def load() -> ctypes.CDLL:
    """The library with its functions declared. Raises NoSuchCodecError where it is not installed."""
    try:
        library = ctypes.CDLL(ctypes.util.find_library("bcg729") or "libbcg729.so.0")
        pointer, octet = ctypes.c_void_p, ctypes.c_uint8
        for name, result, arguments in (
            ("initBcg729EncoderChannel", pointer, [octet]),
            ("closeBcg729EncoderChannel", None, [pointer]),
            ("bcg729Encoder", None, [pointer, pointer, pointer, ctypes.POINTER(octet)]),
            ("initBcg729DecoderChannel", pointer, []),
            ("closeBcg729DecoderChannel", None, [pointer]),
            ("bcg729Decoder", None, [pointer, ctypes.c_char_p, octet, octet, octet, octet, pointer]),
        ):
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError) as error:
        raise NoSuchCodecError(f"no codec G729: libbcg729 is not installed ({error})") from error
    return library


class G729Encoder(PacketTimed):
    """Ten octets for every 10 ms, without Annex B's silences."""

    __slots__ = ("__weakref__", "_length", "_lib", "_out", "_state")

    NAME, RATE = "G.729", RATE

    def __init__(self, settings: EncoderSettings) -> None:
        self._lib = load()
        self._state = ctypes.c_void_p(self._lib.initBcg729EncoderChannel(0))
        if self._state.value is None:
            raise CodecError("libbcg729 gave no encoder")
        weakref.finalize(self, self._lib.closeBcg729EncoderChannel, self._state)
        self._out = ctypes.create_string_buffer(OCTETS)
        self._length = ctypes.c_uint8()
        self.tune(settings)

    def encode(self, pcm: Pcm) -> bytes:
        """The payload. Raises CodecError."""
        check_frame(pcm, self._frame)
        samples = np.ascontiguousarray(pcm)
        payload = b""
        for at in range(0, self._frame, FRAME):
            place = samples.ctypes.data + at * samples.itemsize
            self._lib.bcg729Encoder(self._state, place, self._out, ctypes.byref(self._length))
            payload += self._out.raw[: self._length.value]
        return payload


class G729Decoder:
    """Eighty samples for every frame; any ten octets are sound."""

    __slots__ = ("__weakref__", "_lib", "_out", "_state")

    def __init__(self) -> None:
        self._lib = load()
        self._state = ctypes.c_void_p(self._lib.initBcg729DecoderChannel())
        if self._state.value is None:
            raise CodecError("libbcg729 gave no decoder")
        weakref.finalize(self, self._lib.closeBcg729DecoderChannel, self._state)
        self._out = np.zeros(FRAME, np.int16)

    @property
    def rate(self) -> int:
        """8,000."""
        return RATE

    def decode(self, payload: bytes) -> Pcm:
        """The sound. Raises PayloadError."""
        self.samples_in(payload)
        frames = [payload[at : at + OCTETS] for at in range(0, len(payload), OCTETS)]
        return np.concatenate([self._run(frame, silence=len(frame) == SILENCE_OCTETS) for frame in frames])

    def samples_in(self, payload: bytes) -> int:
        """Eighty for each frame. Raises PayloadError."""
        frames, rest = divmod(len(payload), OCTETS)
        if rest not in (0, SILENCE_OCTETS) or not 0 < frames + bool(rest) <= _MOST_FRAMES:
            raise PayloadError(f"{len(payload)} octets are not frames of G.729")
        return (frames + bool(rest)) * FRAME

    def conceal(self, samples: int) -> Pcm | None:
        """What the library guesses, frame by frame; it fades by itself."""
        frames = [self._run(b"", lost=True) for _ in range(-(-samples // FRAME))]
        return np.concatenate([np.zeros(0, np.int16), *frames])[:samples]

    def recover(self, following: bytes, samples: int) -> Pcm | None:
        """None: there is no copy."""
        return None

    def _run(self, frame: bytes, *, silence: bool = False, lost: bool = False) -> Pcm:
        data = self._out.ctypes.data
        self._lib.bcg729Decoder(self._state, frame or bytes(OCTETS), len(frame), int(lost), int(silence), 0, data)
        return self._out.copy()


@dataclass(frozen=True, slots=True)
class G729Codec(CodecFacts):
    """G.729; its makers raise NoSuchCodecError where the library is missing."""

    def encoder(self, settings: EncoderSettings | None = None) -> Encoder:
        """A new encoder. Raises CodecError, NoSuchCodecError."""
        return G729Encoder(settings or EncoderSettings())

    def decoder(self) -> Decoder:
        """A new decoder. Raises NoSuchCodecError."""
        return G729Decoder()


G729 = G729Codec("G729", RATE, RATE, payload_type=18, conceals=True)
"""G.729 Annex A, payload type 18; see ``available``."""


def available() -> bool:
    """Whether the system has the library."""
    try:
        load()
    except NoSuchCodecError:
        return False
    return True
