"""Music on hold: a quiet piece of our own, computed when it is first needed. Nobody else has rights in it.

Sixteen bars in C major at a slow walking pace: broken chords on soft plucked notes over a bass, a sparse tune above.
It repeats without a seam, because every note's end is laid over the beginning.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ringback.media.players.sound import Sound

_BEAT = 60 / 84  # seconds
_BARS = 16
_LEVEL = 0.22  # of full scale at the loudest: speech after it shall not startle
# Chord of each bar: bass note, then the notes of the pattern, as MIDI numbers.
_CHORDS = (
    (36, 55, 60, 64, 67), (33, 52, 57, 60, 64), (29, 53, 57, 60, 65), (31, 55, 59, 62, 67),
    (36, 55, 60, 64, 67), (40, 55, 59, 64, 67), (29, 53, 57, 60, 65), (31, 53, 59, 62, 65),
    (33, 52, 57, 60, 64), (40, 52, 55, 59, 64), (29, 53, 57, 60, 64), (36, 52, 55, 60, 64),
    (38, 53, 57, 62, 65), (31, 53, 59, 62, 67), (36, 55, 60, 64, 67), (31, 55, 59, 62, 65),
)  # fmt: skip
# Tune: (bar, beat, note, beats long).
_TUNE = (
    (0, 0, 76, 2), (0, 2, 79, 2), (1, 0, 76, 3), (2, 0, 77, 2), (2, 2, 76, 1), (2, 3, 74, 1), (3, 0, 74, 3),
    (4, 0, 72, 2), (4, 2, 76, 2), (5, 0, 79, 3), (6, 0, 81, 2), (6, 2, 79, 1), (6, 3, 77, 1), (7, 0, 74, 3),
    (8, 0, 76, 3), (9, 1, 79, 2), (10, 0, 77, 2), (10, 2, 76, 2), (11, 0, 72, 3),
    (12, 0, 74, 2), (12, 2, 77, 2), (13, 0, 79, 1), (13, 1, 77, 1), (13, 2, 74, 2), (14, 0, 72, 4), (15, 2, 74, 2),
)  # fmt: skip


@lru_cache(maxsize=4)
def music_on_hold(rate: int = 16000) -> Sound:
    """About 46 seconds that repeat. Takes some 100 ms when first asked for a rate: do that outside the loop."""
    length = int(_BARS * 4 * _BEAT * rate)
    mix = np.zeros(length)
    for bar, (bass, *notes) in enumerate(_CHORDS):
        _lay(mix, rate, bar * 4, _pluck(bass, 3.5, rate, fall=1.4) * 0.9)
        _lay(mix, rate, bar * 4 + 2, _pluck(bass + 12, 1.8, rate, fall=2.0) * 0.5)
        for step, index in enumerate((0, 1, 2, 3, 2, 1, 2, 1)):
            _lay(mix, rate, bar * 4 + step / 2, _pluck(notes[index], 1.6, rate, fall=3.0) * 0.45)
    for bar, beat, note, beats in _TUNE:
        _lay(mix, rate, bar * 4 + beat, _pluck(note, beats * _BEAT + 0.6, rate, fall=1.6) * 0.55)
    mix *= 32767 * _LEVEL / np.abs(mix).max()
    return Sound(rate, np.rint(mix).astype(np.int16), repeat=True)


def _pluck(note: int, seconds: float, rate: int, *, fall: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """A soft string: a few partials, the higher ones dying away sooner. ``fall`` in nepers a second."""
    time = np.arange(int(seconds * rate)) / rate
    pitch = 440.0 * 2 ** ((note - 69) / 12)
    wave = np.zeros(len(time))
    for partial, strength in ((1, 1.0), (2, 0.42), (3, 0.18), (4, 0.07)):
        if pitch * partial < rate * 0.45:
            wave += strength * np.sin(2 * np.pi * pitch * partial * time) * np.exp(-fall * partial**0.7 * time)
    wave *= np.minimum(time / 0.012, 1.0)
    wave *= np.minimum((time[-1] - time) / 0.08, 1.0)
    return wave


def _lay(
    mix: np.ndarray[tuple[int], np.dtype[np.float64]],
    rate: int,
    beat: float,
    wave: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> None:
    places = (int(beat * _BEAT * rate) + np.arange(len(wave))) % len(mix)
    np.add.at(mix, places, wave)
