"""Speech to measure with: made by espeak-ng, and how a listener would judge what came of it."""

from __future__ import annotations

import subprocess
import wave
from functools import cache
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from pesq import pesq
from pystoi import stoi

from ringback.media.codecs import Pcm

WIDE = 16000
_TEXTS = (
    (
        "The boy was there when the sun rose. A rod is used to catch pink salmon. "
        "The source of the huge river is the clear spring."
    ),
    (
        "Kick the ball straight and follow through. Help the woman get back to her feet. "
        "A pot of tea helps to pass the evening."
    ),
)


@cache
def speech(rate: int, voice: str = "en-us", text: int = 0) -> Pcm:
    """About ten seconds of speech at ``rate`` Hz, silence of half a second around it."""
    made = subprocess.run(
        ["espeak-ng", "-v", voice, "-s", "150", "--stdout", _TEXTS[text]], check=True, capture_output=True, timeout=30
    ).stdout
    pcm = np.frombuffer(made[44:], np.int16)
    source = int.from_bytes(made[24:28], "little")
    pad = np.zeros(source // 2, np.int16)
    return converted(np.concatenate([pad, pcm, pad]), source, rate)


def spoken_by_a_person(path: Path, rate: int) -> Pcm:
    """The sound of a WAV file at ``rate`` Hz."""
    with wave.open(str(path)) as file:
        pcm = np.frombuffer(file.readframes(file.getnframes()), np.int16)
        return converted(pcm, file.getframerate(), rate)


def converted(pcm: Pcm, source: int, target: int) -> Pcm:
    """All of a sound at another rate."""
    if source == target:
        return pcm
    resampler = av.AudioResampler("s16", "mono", target)
    frame = av.AudioFrame.from_ndarray(pcm.reshape(1, -1), format="s16", layout="mono")
    frame.sample_rate = source
    parts = [part.to_ndarray().reshape(-1) for part in (*resampler.resample(frame), *resampler.resample(None))]
    return np.concatenate(parts).astype(np.int16)


def judged(spoken: Pcm, spoken_rate: int, heard: Pcm, heard_rate: int) -> tuple[float, float]:
    """PESQ-WB (ITU-T P.862.2, 1 to 4.6) and STOI (0 to 1) of what was heard, its delay being found first."""
    clean = converted(spoken, spoken_rate, WIDE)
    got = converted(heard, heard_rate, WIDE)
    got = np.roll(got, -delay_between(clean, got))[: clean.size]
    got = np.concatenate([got, np.zeros(clean.size - got.size, np.int16)])
    return float(pesq(WIDE, clean, got, "wb")), float(stoi(clean, aligned(clean, got), WIDE))


def aligned(clean: Pcm, got: Pcm) -> Pcm:
    """``got`` with each piece of 0.4 s moved to where it fits best within 0.1 s, as PESQ does and STOI does not.

    Pieces overlap by half and are faded into each other.
    """
    size, reach = int(0.4 * WIDE), int(0.1 * WIDE)
    window = np.hanning(size)
    out, weight = np.zeros(clean.size), np.full(clean.size, 1e-9)
    padded = np.concatenate([np.zeros(reach), got.astype(float), np.zeros(reach)])
    for at in range(0, clean.size - size, size // 2):
        piece = clean[at : at + size].astype(float)
        around = padded[at : at + size + 2 * reach]
        place = int(np.argmax(np.correlate(around, piece, "valid"))) if np.abs(piece).max() > 200 else reach
        out[at : at + size] += around[place : place + size] * window
        weight[at : at + size] += window
    moved: Pcm = (out / weight).astype(np.int16)
    return moved


def delay_between(clean: Pcm, got: Pcm) -> int:
    """By how many samples ``got`` is later."""
    size = 1 << (clean.size + got.size - 1).bit_length()
    theirs = np.fft.rfft(got.astype(float), size)
    ours = np.conj(np.fft.rfft(clean.astype(float), size))
    correlation: NDArray[np.float64] = np.fft.irfft(theirs * ours, size)
    best = int(np.argmax(correlation))
    return best if best < size // 2 else best - size


def longest_silence(pcm: Pcm, rate: int, level: int = 60) -> float:
    """Seconds of the longest stretch in which no sample passes ``level``."""
    loud = np.flatnonzero(np.abs(pcm.astype(np.int32)) > level)
    if not loud.size:
        return pcm.size / rate
    edges = np.concatenate([[-1], loud, [pcm.size]])
    return float(np.max(np.diff(edges)) - 1) / rate
