"""Make sound shorter or longer without changing its pitch, by overlapping it with itself one or more periods away.

The idea of WSOLA (Verhelst and Roelands, 1993): search the shift at which a piece of sound is most like itself, then
fade from the one to the other. In voiced speech the best shift is a multiple of the pitch period, in noise any will do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ringback.media.codecs.base import Pcm

SHORTEST, LONGEST = 0.0025, 0.015  # seconds; the periods of voices from 400 down to 67 Hz
_FADE = 0.004
_TEMPLATE = 0.008
_COARSE = 8000  # Hz; the search runs at about this rate first


@dataclass(frozen=True, slots=True)
class Change:
    """Sound of a new length. ``samples``: how many were taken out or put in; ``likeness``: 1 is a perfect seam."""

    sound: Pcm
    samples: int
    likeness: float


def shorten(sound: Pcm, at: int, rate: int, most: int) -> Change | None:
    """Take a piece of at most ``most`` samples out behind ``at``; None where there is not enough sound."""
    fade = int(_FADE * rate)
    highest = min(most, sound.size - at - fade)
    lowest = int(SHORTEST * rate)
    if highest < lowest:
        return None
    found = _shift(sound, at, rate, lowest, highest)
    if found is None:
        return None
    shift, likeness = found
    seam = crossfade(sound[at : at + fade], sound[at + shift : at + shift + fade])
    return Change(np.concatenate([sound[:at], seam, sound[at + shift + fade :]]), shift, likeness)


def lengthen(sound: Pcm, at: int, rate: int, most: int) -> Change | None:
    """Put a piece of at most ``most`` samples in behind ``at``; None where there is not enough sound around it."""
    fade = int(_FADE * rate)
    highest = min(most, int(LONGEST * rate), at - fade)
    lowest = int(SHORTEST * rate)
    if highest < lowest or sound.size - at < fade:
        return None
    found = _shift(sound, at, rate, -highest, -lowest)
    if found is None:
        return None
    back, likeness = -found[0], found[1]
    seam = crossfade(sound[at : at + fade], sound[at - back : at - back + fade])
    return Change(np.concatenate([sound[:at], seam, sound[at - back + fade :]]), back, likeness)


def crossfade(out: Pcm, into: Pcm) -> Pcm:
    """From one sound into another of the same length."""
    ramp = np.linspace(0.0, 1.0, out.size + 2, dtype=np.float32)[1:-1]
    mixed = out.astype(np.float32) * (1.0 - ramp) + into.astype(np.float32) * ramp
    faded: Pcm = np.rint(mixed).astype(np.int16)
    return faded


def _shift(sound: Pcm, at: int, rate: int, lowest: int, highest: int) -> tuple[int, float] | None:
    """The shift between the two at which the sound around ``at`` is most like itself, and how much."""
    step = max(1, rate // _COARSE)
    before = min(at, at + lowest, int(_TEMPLATE * rate) // 2)
    after = min(sound.size - at - max(0, highest), int(_TEMPLATE * rate))
    if before < 0 or before + after < step * 8:
        return None
    sample = sound.astype(np.float32)
    template = sample[at - before : at + after]
    region = sample[at - before + lowest : at + after + highest]
    coarse, _ = _most_like(_thin(template, step), _thin(region, step))
    first = max(0, (coarse - 1) * step)
    near = region[first : first + template.size + 2 * step]
    fine, likeness = _most_like(template, near)
    return lowest + first + fine, likeness


def _thin(sound: NDArray[np.float32], step: int) -> NDArray[np.float32]:
    if step == 1:
        return sound
    usable = sound.size - sound.size % step
    thin: NDArray[np.float32] = sound[:usable].reshape(-1, step).mean(axis=1, dtype=np.float32)
    return thin


def _most_like(template: NDArray[np.float32], region: NDArray[np.float32]) -> tuple[int, float]:
    """Where in ``region`` the template is found best, and the normalised correlation there."""
    products = np.correlate(region, template, "valid")
    squares = np.concatenate([np.zeros(1), np.cumsum(region.astype(np.float64) ** 2)])
    energies = squares[template.size :] - squares[: squares.size - template.size]
    own = float(np.dot(template, template))
    likeness = products / np.sqrt(np.maximum(energies * own, 1.0))
    best = int(np.argmax(likeness))
    return best, float(likeness[best])
