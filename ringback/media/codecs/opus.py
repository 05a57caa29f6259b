"""Opus for speech (RFC 6716, RFC 7587), by libopus: one channel, concealment, in-band FEC, silence suppression."""

from __future__ import annotations

import ctypes
import weakref
from dataclasses import dataclass

import numpy as np

from ringback.media.codecs import libopus
from ringback.media.codecs.base import (
    CodecError,
    CodecFacts,
    Decoder,
    Encoder,
    EncoderSettings,
    PayloadError,
    Pcm,
    check_frame,
)

CLOCK = 48000
RATES = (8000, 12000, 16000, 24000, 48000)
PACKET_TIMES = (10, 20, 40, 60, 80, 100, 120)  # ms; those of RFC 7587 section 6.1 that hold whole milliseconds
DEFAULT_BITRATE = 32000
LONGEST = 120  # ms of sound in one packet at most (RFC 6716 section 3.2)

_MAX_PAYLOAD = 1500
_EMPTY = 2  # octets; a packet of at most so many need not be sent (opus.h, opus_encode)
_FEC = 1


class OpusEncoder:
    """An encoder of one stream."""

    __slots__ = ("__weakref__", "_frame", "_lib", "_out", "_rate", "_settings", "_state")

    def __init__(self, rate: int, settings: EncoderSettings) -> None:
        self._lib = libopus.load()
        error = ctypes.c_int()
        state = self._lib.opus_encoder_create(rate, 1, libopus.APPLICATION_VOIP, ctypes.byref(error))
        if error.value != libopus.OK or not state:
            raise CodecError(f"no Opus encoder at {rate} Hz: {libopus.reason(error.value)}")
        self._state = ctypes.c_void_p(state)
        weakref.finalize(self, self._lib.opus_encoder_destroy, self._state)
        self._rate = rate
        self._out = ctypes.create_string_buffer(_MAX_PAYLOAD)
        self._control(libopus.SET_SIGNAL, libopus.SIGNAL_VOICE)
        self.tune(settings)

    @property
    def rate(self) -> int:
        """PCM samples a second."""
        return self._rate

    @property
    def settings(self) -> EncoderSettings:
        """How it works now."""
        return self._settings

    @property
    def frame(self) -> int:
        """Samples that ``encode`` takes."""
        return self._frame

    def tune(self, settings: EncoderSettings) -> None:
        """Work otherwise from the next frame on, without a break in the sound. Raises CodecError."""
        if settings.ptime not in PACKET_TIMES:
            raise CodecError(f"Opus packets hold one of {PACKET_TIMES} ms, not {settings.ptime}")
        bandwidth = next((code for rate, code in libopus.BANDWIDTHS if settings.max_rate <= rate), 1105)
        for request, value in (
            (libopus.SET_BITRATE, settings.bitrate or DEFAULT_BITRATE),
            (libopus.SET_COMPLEXITY, settings.complexity),
            (libopus.SET_INBAND_FEC, int(settings.fec)),
            (libopus.SET_PACKET_LOSS_PERC, min(100, max(0, round(settings.expected_loss * 100)))),
            (libopus.SET_DTX, int(settings.dtx)),
            (libopus.SET_MAX_BANDWIDTH, bandwidth),
        ):
            self._control(request, value)
        self._settings = settings
        self._frame = self._rate * settings.ptime // 1000

    def encode(self, pcm: Pcm) -> bytes:
        """The payload; empty in silence with ``dtx``. Raises CodecError."""
        check_frame(pcm, self._frame)
        samples = np.ascontiguousarray(pcm)
        size = self._lib.opus_encode(self._state, samples.ctypes.data, self._frame, self._out, _MAX_PAYLOAD)
        if size < 0:
            raise CodecError(f"Opus did not encode: {libopus.reason(size)}")
        return b"" if size <= _EMPTY and self._settings.dtx else ctypes.string_at(self._out, size)

    def _control(self, request: int, value: int) -> None:
        code = self._lib.opus_encoder_ctl(self._state, ctypes.c_int(request), ctypes.c_int(value))
        if code != libopus.OK:
            raise CodecError(f"Opus refused {value} for setting {request}: {libopus.reason(code)}")


class OpusDecoder:
    """A decoder of one stream."""

    __slots__ = ("__weakref__", "_lib", "_out", "_pointer", "_rate", "_state")

    def __init__(self, rate: int) -> None:
        self._lib = libopus.load()
        error = ctypes.c_int()
        state = self._lib.opus_decoder_create(rate, 1, ctypes.byref(error))
        if error.value != libopus.OK or not state:
            raise CodecError(f"no Opus decoder at {rate} Hz: {libopus.reason(error.value)}")
        self._state = ctypes.c_void_p(state)
        weakref.finalize(self, self._lib.opus_decoder_destroy, self._state)
        self._rate = rate
        self._out = np.zeros(rate * LONGEST // 1000, np.int16)
        self._pointer = self._out.ctypes.data

    @property
    def rate(self) -> int:
        """PCM samples a second."""
        return self._rate

    def decode(self, payload: bytes) -> Pcm:
        """The sound. Raises PayloadError."""
        if not payload:
            raise PayloadError("an empty Opus payload")
        return self._run(payload, self._out.size, 0)

    def samples_in(self, payload: bytes) -> int:
        """PCM samples of a payload. Raises PayloadError."""
        count = int(self._lib.opus_packet_get_nb_samples(payload, len(payload), self._rate)) if payload else 0
        if count <= 0 or count > self._out.size:
            raise PayloadError("not an Opus payload")
        return count

    def conceal(self, samples: int) -> Pcm | None:
        """What libopus guesses, in steps of 2.5 ms; it fades by itself."""
        step = self._rate // 400
        wanted = min(-(-samples // step) * step, self._out.size)
        return self._run(None, wanted, 0)[:samples]

    def recover(self, following: bytes, samples: int) -> Pcm | None:
        """The sound lost before ``following`` from its coarse copy; None where it is of a kind without one.

        libopus conceals by itself where the encoder left the copy out.
        """
        if not following or samples > self._out.size or samples % (self._rate // 400) or not has_copy(following):
            return None
        try:
            return self._run(following, samples, _FEC)
        except PayloadError:
            return None

    def _run(self, payload: bytes | None, samples: int, fec: int) -> Pcm:
        size = len(payload) if payload else 0
        count = self._lib.opus_decode(self._state, payload, size, self._pointer, samples, fec)
        if count < 0:
            raise PayloadError(f"not Opus: {libopus.reason(count)}")
        return self._out[:count].copy()


def has_copy(payload: bytes) -> bool:
    """Whether a payload holds a coarse copy of the frame before it (RFC 6716 sections 3.1, 4.2.3 and 4.2.4).

    Only the speech layer has one: configurations 0 to 15. Its flag follows the voice activity flags of its frames.
    """
    if len(payload) < 2:
        return False
    table = payload[0]
    configuration, code = table >> 3, table & 0x03
    if configuration >= 16:
        return False
    first = {0: 1, 1: 1}.get(code)
    if first is None:
        # Several frames of different size, or a count: the first frame starts behind its length.
        return _later_copy(payload, code)
    return bool(_flags(payload[first], configuration))


def _flags(octet: int, configuration: int) -> int:
    # SILK frames in an Opus frame: 1 up to 20 ms, 2 in 40 ms, 3 in 60 ms; that many voice bits precede the copy's bit.
    frames = (1, 1, 2, 3)[configuration & 0x03] if configuration < 12 else 1
    return octet & (0x80 >> frames)


def _later_copy(payload: bytes, code: int) -> bool:
    at = 1
    if code == 3:
        counts = payload[1]
        at, frames, padded, variable = 2, counts & 0x3F, counts & 0x40, counts & 0x80
        while padded and at < len(payload) and payload[at] == 255:
            at += 1
        at += 1 if padded else 0
        lengths = frames - 1 if variable else 0
    else:
        lengths = 1
    for _ in range(lengths):
        if at >= len(payload):
            return False
        at += 2 if payload[at] >= 252 else 1
    return at < len(payload) and bool(_flags(payload[at], payload[0] >> 3))


@dataclass(frozen=True, slots=True)
class OpusCodec(CodecFacts):
    """Opus at a PCM rate of one's choice; the stream on the wire is the same whatever the rate."""

    def encoder(self, settings: EncoderSettings | None = None) -> Encoder:
        """A new encoder. Raises CodecError, NoSuchCodecError."""
        return OpusEncoder(self.rate, settings or EncoderSettings())

    def decoder(self) -> Decoder:
        """A new decoder. Raises CodecError, NoSuchCodecError."""
        return OpusDecoder(self.rate)


def opus(rate: int = 48000) -> OpusCodec:
    """Opus with PCM at one of ``RATES``. Raises CodecError for another rate."""
    if rate not in RATES:
        raise CodecError(f"Opus works at one of {RATES} Hz, not {rate}")
    return OpusCodec("opus", rate, CLOCK, channels=2, conceals=True)


OPUS = opus()
"""Opus with PCM at 48 kHz."""
