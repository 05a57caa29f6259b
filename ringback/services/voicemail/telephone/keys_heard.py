"""Keys of phones that send them as sound only (ITU-T Q.23, Q.24): two tones at once, heard in what the caller says.

Listened for only where a call agreed on no telephone events. A key counts when two blocks in a row (51 ms) hold the
same pair, each tone strong, together nearly all that is heard; and again only after a block without it.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ringback.media.codecs import Pcm

_RATE: Final = 8000
_BLOCK: Final = 205  # samples: the bins of 39 Hz fit the eight tones
_LOW: Final = (697, 770, 852, 941)
_HIGH: Final = (1209, 1336, 1477, 1633)
_KEYS: Final = ("123A", "456B", "789C", "*0#D")
_SHARE: Final = 0.8  # of the energy that both tones have together
_TWIST: Final = 8.0  # how much stronger, in power, one of the two may be (Q.24 allows up to 9 dB)
_QUIET: Final = 200.0**2  # mean square below which nothing is heard

_OFF: Final = (0.988, 1.0, 1.012)  # phones' tones may be wrong by 1.5 %
_TONES: Final = np.array([tone * off for off in _OFF for tone in _LOW + _HIGH])
_ANGLES: Final = 2 * np.pi * np.outer(_TONES, np.arange(_BLOCK)) / _RATE
_WAVES: Final[NDArray[np.float32]] = np.concatenate([np.cos(_ANGLES), np.sin(_ANGLES)]).astype(np.float32)


class KeysHeard:
    """Feed it what comes, in order; it gives the keys that were pressed."""

    def __init__(self) -> None:
        self._left = np.zeros(0, np.int16)
        self._last = ""
        self._told = False

    def feed(self, pcm: Pcm) -> str:
        """The keys that became certain with these samples."""
        self._left = np.concatenate([self._left, pcm])
        pressed = ""
        while len(self._left) >= _BLOCK:
            block, self._left = self._left[:_BLOCK], self._left[_BLOCK:]
            key = _key(block)
            if key != self._last:
                self._last, self._told = key, False
            elif key and not self._told:
                self._told = True
                pressed += key
        return pressed


def _key(block: Pcm) -> str:
    """The key whose two tones a block holds; empty: none."""
    samples = block.astype(np.float32)
    # einsum rather than a matrix product, which would wake threads for every block of every call.
    energy = float(np.einsum("i,i->", samples, samples)) / _BLOCK
    if energy < _QUIET:
        return ""
    parts = np.einsum("ij,j->i", _WAVES, samples) ** 2
    each = (parts[: len(_TONES)] + parts[len(_TONES) :]) * 2 / _BLOCK**2  # mean square of each tone
    powers = each.reshape(len(_OFF), -1).max(axis=0)
    low, high = powers[:4], powers[4:]
    row, column = int(low.argmax()), int(high.argmax())
    weaker, stronger = sorted((float(low[row]), float(high[column])))
    if weaker + stronger < _SHARE * energy or stronger > _TWIST * max(weaker, 1.0):
        return ""
    return _KEYS[row][column]
