"""G.722 at 64 kbit/s (ITU-T G.722 mode 1), by FFmpeg through PyAV.

RTP counts it at 8,000 ticks a second although it is sampled at 16,000 (RFC 3551 section 4.5.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext

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

RATE = 16000
CLOCK = 8000
SAMPLES_PER_OCTET = 2


def _context(mode: Literal["r", "w"], frame: int = 0) -> AudioCodecContext:
    context = av.CodecContext.create("g722", mode)
    context.sample_rate = RATE
    context.format = "s16"
    context.layout = "mono"
    if frame:
        context.time_base = Fraction(1, RATE)
        context.options = {"frame_size": str(frame)}  # one packet out for each frame in, whatever the packet time
    return context


class G722Encoder(PacketTimed):
    """Half an octet for each sample."""

    __slots__ = ("_context",)

    NAME, RATE = "G.722", RATE

    def __init__(self, settings: EncoderSettings) -> None:
        self._frame = 0
        self.tune(settings)

    def tune(self, settings: EncoderSettings) -> None:
        """Take another packet time; the predictors start anew then, which one listens to as a faint click.

        Raises CodecError.
        """
        before = self._frame
        super().tune(settings)
        if self._frame != before:
            self._context = _context("w", self._frame)

    def encode(self, pcm: Pcm) -> bytes:
        """The payload. Raises CodecError."""
        check_frame(pcm, self._frame)
        frame = av.AudioFrame(format="s16", layout="mono", samples=self._frame)
        frame.sample_rate = RATE
        frame.planes[0].update(pcm.tobytes())
        return b"".join(map(bytes, self._context.encode(frame)))


class G722Decoder:
    """Two samples for each octet; any octets are sound."""

    __slots__ = ("_context",)

    def __init__(self) -> None:
        self._context = _context("r")

    @property
    def rate(self) -> int:
        """16,000."""
        return RATE

    def decode(self, payload: bytes) -> Pcm:
        """The sound. Raises PayloadError."""
        if not payload:
            raise PayloadError("an empty G.722 payload")
        try:
            frames = self._context.decode(av.Packet(payload))
        except av.FFmpegError as error:
            raise PayloadError(f"not G.722: {error}") from error
        if not frames:
            raise PayloadError("FFmpeg gave no sound for a G.722 payload")
        return np.ascontiguousarray(frames[0].to_ndarray().reshape(-1), np.int16)

    def samples_in(self, payload: bytes) -> int:
        """Two for each octet. Raises PayloadError."""
        if not payload:
            raise PayloadError("an empty G.722 payload")
        return len(payload) * SAMPLES_PER_OCTET

    def conceal(self, samples: int) -> Pcm | None:
        """None: the play-out conceals."""
        return None

    def recover(self, following: bytes, samples: int) -> Pcm | None:
        """None: there is no copy."""
        return None


@dataclass(frozen=True, slots=True)
class G722Codec(CodecFacts):
    """G.722; a class, so that it makes encoders and decoders."""

    def encoder(self, settings: EncoderSettings | None = None) -> Encoder:
        """A new encoder. Raises CodecError."""
        return G722Encoder(settings or EncoderSettings())

    def decoder(self) -> Decoder:
        """A new decoder."""
        return G722Decoder()


G722 = G722Codec("G722", RATE, CLOCK, payload_type=9)
"""G.722, payload type 9."""
