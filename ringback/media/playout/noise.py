"""Comfort noise: what silence sounds like (RFC 3389)."""

from __future__ import annotations

import numpy as np

from ringback.media.codecs.base import Pcm

QUIETEST = 127  # -dBov
_SMOOTH = 8  # samples a value of the raw noise is spread over; hiss is unpleasant, a murmur is not


class ComfortNoise:
    """Noise of a level. ``level`` is in -dBov: 0 the loudest, 127 none (RFC 3389 section 3)."""

    __slots__ = ("_random", "level")

    def __init__(self, level: int = QUIETEST, seed: int = 1) -> None:
        self.level = level
        self._random = np.random.default_rng(seed)

    def hear(self, payload: bytes) -> None:
        """Take the level of a comfort noise payload; its spectrum, where there is one, is not followed."""
        if payload:
            self.level = payload[0] & 0x7F

    def sound(self, samples: int) -> Pcm:
        """The next ``samples``."""
        if self.level >= 90:
            return np.zeros(samples, np.int16)
        raw = self._random.standard_normal(samples + _SMOOTH - 1)
        smooth = np.convolve(raw, np.full(_SMOOTH, _SMOOTH**-0.5), "valid")
        return np.clip(smooth * 32768 * 10 ** (-self.level / 20), -32768, 32767).astype(np.int16)
