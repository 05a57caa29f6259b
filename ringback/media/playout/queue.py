"""Decoded sound on its way out, with a little of what was heard before, for stretching and concealment to look at."""

from __future__ import annotations

import numpy as np

from ringback.media.codecs.base import Pcm
from ringback.media.codecs.resample import Resampler
from ringback.media.playout.concealer import HISTORY

_ROOM = 0.16  # seconds of sound that are appended until the past is copied to a new array


class SoundQueue:
    """Past and pending sound in one array at ``rate`` Hz. What was given out once is never written over."""

    __slots__ = ("_end", "_keep", "_read", "_store", "pending", "rate")

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self.pending = 0
        """Samples not yet given out."""
        self._keep = int(HISTORY * rate)
        self._store: Pcm = np.zeros(self._keep + int(_ROOM * rate), np.int16)
        self._read = self._end = self._keep

    @property
    def sound(self) -> Pcm:
        """Past and pending sound; what follows an index here comes later."""
        return self._store[: self._end]

    def append(self, pcm: Pcm) -> int:
        """Put sound behind the pending; the index at which it begins."""
        size = len(pcm)
        if self._end + size > len(self._store):
            self._move(size)
        at = self._end
        self._end = end = at + size
        self._store[at:end] = pcm
        self.pending += size
        return at

    def replace(self, sound: Pcm) -> None:
        """Other pending sound, the past being the same."""
        self._store = sound
        self._end = sound.size
        self.pending = self._end - self._read

    def take(self, samples: int) -> Pcm:
        """The next ``samples``, which must be pending; they become the past."""
        read = self._read
        self._read = after = read + samples
        self.pending -= samples
        return self._store[read:after]

    def change_rate(self, rate: int) -> None:
        """Go on at another rate; what is pending is kept."""
        if rate == self.rate:
            return
        self.pending = self.pending * rate // self.rate
        turned = Resampler(self.rate, rate).process(self.sound)
        self.rate, self._keep = rate, int(HISTORY * rate)
        self._store = np.concatenate([np.zeros(self._keep, np.int16), turned])
        self._end = self._store.size
        self._read = self._end - self.pending

    def _move(self, size: int) -> None:
        """To a new array with room for ``size`` samples and more, without the older past."""
        kept = self._store[max(0, self._read - self._keep) : self._end]
        store = np.empty(kept.size + size + int(_ROOM * self.rate), np.int16)
        store[: kept.size] = kept
        self._store, self._end = store, kept.size
        self._read = self._end - self.pending
