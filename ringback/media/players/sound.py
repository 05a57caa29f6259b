"""A piece of sound in memory, and how it is read from a WAV file (linear of 8 to 32 bits, G.711 of both laws)."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ringback.media.codecs import Codec, EncoderSettings, Pcm, Resampler
from ringback.media.codecs.g711 import decoding_table

_LINEAR, _FLOAT, _A_LAW, _MU_LAW, _EXTENSIBLE = 1, 3, 6, 7, 0xFFFE
_LONGEST = 3600  # seconds; a longer file is a mistake, and would fill the memory
_HIGHEST_RATE = 192_000


class SoundFileError(ValueError):
    """A file is not a WAV file that can be played; the text says why."""


@dataclass(frozen=True, eq=False, slots=True)
class Sound:
    """One channel of ``pcm`` at ``rate`` Hz; with ``repeat`` it goes on from its start for ever.

    Encoded frames are kept, so that a thousand listeners to the music cost one encoder.
    """

    rate: int
    pcm: Pcm
    repeat: bool = False
    _encoded: dict[tuple[str, int, int], list[bytes]] = field(default_factory=dict, repr=False)

    @property
    def seconds(self) -> float:
        """How long it lasts once."""
        return len(self.pcm) / self.rate

    def frames(self, codec: Codec, ptime: int = 20) -> list[bytes]:
        """Its payloads for a codec, ``ptime`` ms each; the last one is filled up with silence.

        Made at the first call (a few ms for each second of sound), kept afterwards.
        """
        key = (codec.name, codec.rate, ptime)
        if key not in self._encoded:
            encoder = codec.encoder(EncoderSettings(ptime=ptime))
            pcm = Resampler(self.rate, encoder.rate).process(self.pcm)
            missing = -len(pcm) % encoder.frame
            pcm = np.concatenate([pcm, np.zeros(missing, np.int16)])
            self._encoded[key] = [
                encoder.encode(np.ascontiguousarray(pcm[at : at + encoder.frame]))
                for at in range(0, len(pcm), encoder.frame)
            ]
        return self._encoded[key]


def beep(rate: int = 16000, *, frequency: float = 1000.0, seconds: float = 0.3, level: float = -12.0) -> Sound:
    """One even tone, as before a message is recorded. ``level`` in dB below full scale."""
    count = int(rate * seconds)
    wave = np.sin(2 * np.pi * frequency * np.arange(count) / rate) * 32767 * 10 ** (level / 20)
    return Sound(rate, softened(wave, rate))


def softened(wave: np.ndarray[tuple[int], np.dtype[np.float64]], rate: int) -> Pcm:
    """Samples with 5 ms of fade at both ends, so that nothing clicks."""
    fade = min(int(rate * 0.005), len(wave) // 2)
    if fade:
        ramp = np.linspace(0, 1, fade)
        wave[:fade] *= ramp
        wave[-fade:] *= ramp[::-1]
    return np.clip(np.rint(wave), -32768, 32767).astype(np.int16)


def read_sound(path: Path, *, repeat: bool = False) -> Sound:
    """The first channels of a WAV file, folded to one. Raises SoundFileError, OSError. Blocks: not for the loop."""
    return parse_sound(path.read_bytes(), repeat=repeat)


def parse_sound(data: bytes, *, repeat: bool = False) -> Sound:
    """A WAV file's octets. Raises SoundFileError."""
    chunks = _chunks(data)
    form = chunks.get(b"fmt ")
    content = chunks.get(b"data")
    if form is None or content is None or len(form) < 16:
        raise SoundFileError("the file has no format or no sound in it")
    kind, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", form)
    if kind == _EXTENSIBLE and len(form) >= 26:
        (kind,) = struct.unpack_from("<H", form, 24)
    if not 1 <= channels <= 8 or not 4000 <= rate <= _HIGHEST_RATE:
        raise SoundFileError(f"{channels} channels at {rate} Hz cannot be played")
    samples = _samples(content, kind, bits)
    samples = samples[: len(samples) - len(samples) % channels].reshape(-1, channels)
    if len(samples) > _LONGEST * rate:
        raise SoundFileError(f"longer than {_LONGEST // 60} minutes")
    return Sound(rate, samples.mean(axis=1).astype(np.int16) if channels > 1 else samples[:, 0].copy(), repeat)


def _chunks(data: bytes) -> Mapping[bytes, bytes]:
    if len(data) < 12 or data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise SoundFileError("not a WAV file")
    found: dict[bytes, bytes] = {}
    at = 12
    while at + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        # A recording that was cut off announces more than it holds, or nothing: what is there is played.
        found.setdefault(name, data[at + 8 : at + 8 + size])
        at += 8 + size + size % 2
    return found


def _samples(content: bytes, kind: int, bits: int) -> Pcm:
    if kind in {_A_LAW, _MU_LAW} and bits == 8:
        return decoding_table("A" if kind == _A_LAW else "mu")[np.frombuffer(content, np.uint8)]
    whole = content[: len(content) - len(content) % max(bits // 8, 1)]
    if kind == _LINEAR and bits == 8:
        return ((np.frombuffer(whole, np.uint8).astype(np.int16) - 128) << 8).astype(np.int16)
    if kind == _LINEAR and bits == 16:
        return np.frombuffer(whole, "<i2").astype(np.int16)
    if kind == _LINEAR and bits == 24:
        octets = np.frombuffer(whole, np.uint8).reshape(-1, 3)
        return np.ascontiguousarray(octets[:, 1:]).view("<i2")[:, 0].astype(np.int16)
    if kind == _LINEAR and bits == 32:
        return (np.frombuffer(whole, "<i4") >> 16).astype(np.int16)
    if kind == _FLOAT and bits == 32:
        floats = np.nan_to_num(np.frombuffer(whole, "<f4").astype(np.float64))
        return np.clip(np.rint(floats * 32767), -32768, 32767).astype(np.int16)
    raise SoundFileError(f"samples of kind {kind} with {bits} bits cannot be played")
