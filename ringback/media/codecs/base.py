"""What every sound codec offers, and the one form in which sound travels inside the house.

**PCM convention.** Sound is a one-dimensional C-contiguous numpy array of ``int16``: one channel, full scale 32767, at
the codec's ``rate`` in Hz. Its length is its duration; nobody passes a rate beside it, because whatever makes or
takes PCM says its own rate. Stereo exists only on the wire (Opus decoders fold it to one channel).

**Clocks.** ``rate`` counts PCM samples; ``clock`` counts RTP timestamps. They differ for G.722 (16,000 samples, 8,000
ticks: RFC 3551 section 4.5.2) and for Opus used below 48 kHz (RFC 7587 section 4.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Pcm: TypeAlias = NDArray[np.int16]
"""One channel of ``int16`` samples; see the head of this file."""


class CodecError(ValueError):
    """Root of this package's errors."""


class PayloadError(CodecError):
    """The other side sent octets that are not of this codec."""


class NoSuchCodecError(CodecError):
    """No such codec here; the text says which and why."""


@dataclass(frozen=True, slots=True)
class EncoderSettings:
    """How an encoder works; codecs without a choice (G.711, G.722) look at nothing but ``ptime``.

    ``ptime``: milliseconds of sound in a packet. ``bitrate``: bits a second without headers, None for the codec's own.
    ``fec``: put a coarse copy of each frame into the next (Opus), sized for ``expected_loss`` (0 to 1).
    ``dtx``: send nothing in silence. ``complexity``: 0 (cheap) to 10. ``max_rate``: the highest PCM rate in Hz that the
    other side plays (RFC 7587 ``maxplaybackrate``).
    """

    ptime: int = 20
    bitrate: int | None = None
    fec: bool = False
    expected_loss: float = 0.0
    dtx: bool = False
    complexity: int = 5
    max_rate: int = 48000


class Encoder(Protocol):
    """Sound to payloads; has state, so one for each stream."""

    @property
    def rate(self) -> int:
        """PCM samples a second."""

    @property
    def settings(self) -> EncoderSettings:
        """How it works now."""

    @property
    def frame(self) -> int:
        """PCM samples that one call of ``encode`` takes: ``ptime`` at ``rate``."""

    def tune(self, settings: EncoderSettings) -> None:
        """Work otherwise from the next frame on. Raises CodecError for what the codec is not able to do."""

    def encode(self, pcm: Pcm) -> bytes:
        """The payload of exactly ``frame`` samples; empty where nothing need be sent (silence with ``dtx``).

        Raises CodecError for another number of samples.
        """


class Decoder(Protocol):
    """Payloads to sound; has state, so one for each stream."""

    @property
    def rate(self) -> int:
        """PCM samples a second."""

    def decode(self, payload: bytes) -> Pcm:
        """The sound of a payload. Raises PayloadError."""

    def samples_in(self, payload: bytes) -> int:
        """How many PCM samples ``decode`` would give, without decoding. Raises PayloadError."""

    def conceal(self, samples: int) -> Pcm | None:
        """The codec's own guess at ``samples`` that never came; None where it has none (use ``playout.Concealer``)."""

    def recover(self, following: bytes, samples: int) -> Pcm | None:
        """The ``samples`` lost just before a payload, from the coarse copy that it holds; None where it holds none."""


class Codec(Protocol):
    """A codec with its parameters; immutable, so one serves all streams."""

    @property
    def name(self) -> str:
        """Its registered name, as in ``a=rtpmap``."""

    @property
    def rate(self) -> int:
        """PCM samples a second."""

    @property
    def clock(self) -> int:
        """RTP timestamp ticks a second."""

    @property
    def channels(self) -> int:
        """Channels as written in ``a=rtpmap``: 2 for Opus always, 1 for all others."""

    @property
    def payload_type(self) -> int | None:
        """The static payload type, or None where it is agreed on in each call."""

    @property
    def conceals(self) -> bool:
        """Whether its decoder guesses lost sound itself."""

    def encoder(self, settings: EncoderSettings | None = None) -> Encoder:
        """A new encoder. Raises CodecError for settings that it does not know."""

    def decoder(self) -> Decoder:
        """A new decoder."""


@dataclass(frozen=True, slots=True)
class CodecFacts:
    """What a codec is named and which clocks it counts; the part that all codecs share."""

    name: str
    rate: int
    clock: int
    channels: int = 1
    payload_type: int | None = None
    conceals: bool = False
    parameters: Mapping[str, str] = field(default_factory=dict)


class PacketTimed:
    """What encoders share whose only choice is the packet time."""

    __slots__ = ("_frame", "_settings")

    NAME: ClassVar[str]
    RATE: ClassVar[int]
    PACKET_TIMES: ClassVar[tuple[int, ...]] = (10, 20, 30, 40, 60, 80, 100, 120)
    """In ms; longer packets than any sender in use."""

    @property
    def rate(self) -> int:
        """PCM samples a second."""
        return self.RATE

    @property
    def settings(self) -> EncoderSettings:
        """How it works now."""
        return self._settings

    @property
    def frame(self) -> int:
        """Samples that ``encode`` takes."""
        return self._frame

    def tune(self, settings: EncoderSettings) -> None:
        """Take another packet time. Raises CodecError."""
        if settings.ptime not in self.PACKET_TIMES:
            raise CodecError(f"{self.NAME} packets hold 10 to 120 ms, not {settings.ptime}")
        self._settings: EncoderSettings = settings
        self._frame: int = self.RATE * settings.ptime // 1000


def check_frame(pcm: Pcm, frame: int) -> None:
    """Raise CodecError unless these are ``frame`` samples of the convention."""
    if pcm.dtype != np.int16 or pcm.shape != (frame,):
        raise CodecError(f"an encoder takes {frame} samples of int16, not {pcm.shape} of {pcm.dtype}")


def silence(samples: int) -> Pcm:
    """That many samples of nothing."""
    return np.zeros(samples, np.int16)
