"""What is heard: the strongest tone and others, how loud they are, and where it is silent."""

from __future__ import annotations

import struct
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float64]
_FULL = 32768.0
_HEADER = 44


@dataclass(frozen=True, slots=True)
class Heard:
    """The strongest frequency in Hz, its share of the whole energy (1 for a clean tone), and the level in dB of full
    scale."""

    frequency: float
    share: float
    level: float


def read_wave(path: Path) -> tuple[Samples, int]:
    """The first channel between -1 and 1, and its rate; 16 bit linear. A file that is still being written, whose header
    does not yet tell its size, counts as far as it goes. Raises EOFError where there is no sound in it yet."""
    data = path.read_bytes()
    if len(data) <= _HEADER or not data.startswith(b"RIFF"):
        raise EOFError(f"{path} holds no sound yet")
    channels, rate = struct.unpack_from("<HI", data, 22)
    samples = np.frombuffer(data[_HEADER : len(data) - (len(data) - _HEADER) % (2 * channels)], dtype="<i2")
    return samples[::channels].astype(np.float64) / _FULL, rate


def write_tone(path: Path, frequency: float, *, seconds: float = 10.0, rate: int = 48000, level: float = 0.3) -> Path:
    """A WAV file of a tone, 16 bit mono."""
    times = np.arange(int(seconds * rate)) / rate
    samples = (np.sin(2 * np.pi * frequency * times) * level * (_FULL - 1)).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    return path


def heard(samples: Samples, rate: int) -> Heard:
    """What a stretch of sound holds; silence has frequency 0."""
    if not len(samples) or not np.any(samples):
        return Heard(0.0, 0.0, -120.0)
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    spectrum[: max(int(20 * len(samples) / rate), 1)] = 0
    top = int(np.argmax(spectrum))
    width = max(int(15 * len(samples) / rate), 3)
    share = float(spectrum[max(top - width, 0) : top + width + 1].sum() / max(spectrum.sum(), 1e-30))
    level = 20 * np.log10(max(float(np.sqrt(np.mean(samples**2))), 1e-6))
    return Heard(top * rate / len(samples), share, float(level))


def peaks(samples: Samples, rate: int) -> set[int]:
    """Frequencies that are clearly there, to 5 Hz: no more than 12 dB below the strongest, nor within 12 Hz of it."""
    size = 1 << 17
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), size))
    reach = round(12 * size / rate)
    found = set()
    for place in np.flatnonzero(spectrum > spectrum.max() / 4).tolist():
        if spectrum[place] == spectrum[max(place - reach, 0) : place + reach].max():
            found.add(round(place * rate / size / 5) * 5)
    return found


def level_of(samples: Samples, rate: int, frequency: float) -> float:
    """How loud one tone is, in dB of a tone of full scale."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) * 4 / len(samples)
    place = round(frequency * len(samples) / rate)
    return float(20 * np.log10(max(spectrum[place - 2 : place + 3].max(), 1e-6)))


def gaps(samples: Samples, rate: int, *, below: float = 0.01, window: float = 0.01) -> list[tuple[float, float]]:
    """Stretches quieter than ``below`` (root mean square in windows of ``window`` s): begin and length in seconds."""
    size = max(int(rate * window), 1)
    frames = samples[: len(samples) // size * size].reshape(-1, size)
    quiet = np.sqrt(np.mean(frames**2, axis=1)) < below
    found: list[tuple[float, float]] = []
    begin: int | None = None
    for index, one in enumerate([*quiet.tolist(), False]):
        if one and begin is None:
            begin = index
        elif not one and begin is not None:
            found.append((begin * window, (index - begin) * window))
            begin = None
    return found
