"""Decoded sound on its way out, with a little of what was heard before, for stretching and concealment to look at."""

from __future__ import annotations

import numpy as np

from ringback.media.codecs.base import Pcm
from ringback.media.codecs.resample import Resampler
from ringback.media.playout.concealer import HISTORY


class SoundQueue:
    """Past and pending sound in one array at ``rate`` Hz."""

    __slots__ = ("_keep", "_read", "_sound", "rate")

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self._keep = int(HISTORY * rate)
        self._sound: Pcm = np.zeros(self._keep, np.int16)
        self._read = self._keep

    @property
    def pending(self) -> int:
        """Samples not yet given out."""
        return self._sound.size - self._read

    @property
    def sound(self) -> Pcm:
        """Past and pending sound; what follows an index here comes later."""
        return self._sound

    def append(self, pcm: Pcm) -> int:
        """Put sound behind the pending; the index at which it begins."""
        at = self._sound.size
        self._sound = np.concatenate((self._sound, pcm))
        return at

    def replace(self, sound: Pcm) -> None:
        """Other pending sound, the past being the same."""
        self._sound = sound

    def take(self, samples: int) -> Pcm:
        """The next ``samples``, which must be pending; they become the past."""
        out = self._sound[self._read : self._read + samples]
        self._read += samples
        spare = self._read - self._keep
        if spare > 0:
            self._sound = self._sound[spare:]
            self._read = self._keep
        return out

    def change_rate(self, rate: int) -> None:
        """Go on at another rate; what is pending is kept."""
        if rate == self.rate:
            return
        pending = self.pending * rate // self.rate
        turned = Resampler(self.rate, rate).process(self._sound)
        self.rate, self._keep = rate, int(HISTORY * rate)
        self._sound = np.concatenate([np.zeros(self._keep, np.int16), turned])
        self._read = self._sound.size - pending
        self.take(0)
