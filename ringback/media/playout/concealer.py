"""Sound in the place of sound that never came, for codecs that have no guess of their own (G.711, G.722).

After the ideas of ITU-T G.711 Appendix I: repeat the last pitch period, then the last two and three, fade after 10 ms
and be silent after 60 ms, and fade into what comes next. Otherwise than there, nothing is delayed: the seam at the
start is smoothed by a correction that dies away instead of by holding back 3.75 ms of sound.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ringback.media.codecs.base import Pcm
from ringback.media.playout.stretch import crossfade

HISTORY = 0.06  # seconds of past sound that the search looks at: three of the longest periods and a seam

_SHORTEST, _LONGEST = 0.005, 0.015  # seconds; periods sought
_TEMPLATE = 0.02
_NOISY = 0.35  # below this likeness the sound has no period, and a short one would buzz
_STEP = 0.01  # seconds until more periods are used and the level sinks
_FADE_A_STEP = 0.2
_CORRECTION = 0.001  # seconds in which the step at the first seam dies away


class Concealer:
    """The guesses of one stream at ``rate`` Hz: ``conceal`` as often as needed, then ``merge`` with real sound."""

    __slots__ = ("_cycles", "_period", "_phase", "_rate", "made")

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._cycles: tuple[NDArray[np.float32], ...] = ()
        self.made = 0
        """Samples guessed since the last real sound."""
        self._phase = 0
        self._period = 1

    def conceal(self, history: Pcm, samples: int) -> Pcm:
        """The next ``samples`` after ``history``, which is looked at by the first guess after real sound only."""
        first = self.made == 0
        if first:
            self._analyse(history)
        if not self._cycles:
            self.made += samples
            return np.zeros(samples, np.int16)
        sound = self._repeat(samples)
        if first:
            self._smooth(sound, history)
        return np.rint(np.clip(sound, -32768, 32767)).astype(np.int16)

    def merge(self, pcm: Pcm) -> Pcm:
        """Real sound, faded into from the guess; the longer the gap was, the longer the fade (Appendix I.2.7)."""
        if not self.made:
            return pcm
        length = min(pcm.size, int(self._rate * min(0.01, 0.004 * self.made / (self._rate * _STEP))))
        length = max(length, min(pcm.size, self._period // 4))
        guess = self.conceal(pcm[:0], length)
        self.reset()
        return np.concatenate([crossfade(guess, pcm[:length]), pcm[length:]])

    def reset(self) -> None:
        """Real sound follows, without a fade."""
        self.made = 0
        self._cycles = ()

    def _analyse(self, history: Pcm) -> None:
        past = history[-int(HISTORY * self._rate) :].astype(np.float32)
        if past.size < int((_LONGEST + _TEMPLATE) * self._rate):
            self._cycles = ()
            return
        self._period = _period(past, self._rate)
        cycles = []
        for count in (1, 2, 3):
            if past.size >= (count + 1) * self._period:
                cycles.append(_cycle(past, count * self._period, self._period // 4))
        self._cycles = tuple(cycles)
        self._phase = 0

    def _repeat(self, samples: int) -> NDArray[np.float32]:
        out = np.empty(samples, np.float32)
        step = int(self._rate * _STEP)
        at = 0
        while at < samples:
            stage = self.made // step
            size = min(samples - at, step - self.made % step)
            if stage >= 6:
                out[at:] = 0.0
                self.made += samples - at
                break
            piece = self._piece(min(stage, len(self._cycles) - 1), size)
            if 0 < stage < len(self._cycles) and self.made % step == 0:
                piece = self._change_cycle(stage, size, piece)
            self._phase += size
            out[at : at + size] = piece * self._level(size)
            self.made += size
            at += size
        return out

    def _piece(self, stage: int, size: int) -> NDArray[np.float32]:
        cycle = self._cycles[stage]
        return cycle[(np.arange(self._phase, self._phase + size)) % cycle.size]

    def _change_cycle(self, stage: int, size: int, piece: NDArray[np.float32]) -> NDArray[np.float32]:
        """One more period in the cycle from here on: fade from the old cycle into the new."""
        old = self._piece(stage - 1, size)
        length = min(size, max(1, self._period // 4))
        ramp = np.linspace(0.0, 1.0, length, dtype=np.float32)
        piece = piece.copy()
        piece[:length] = old[:length] * (1.0 - ramp) + piece[:length] * ramp
        return piece

    def _level(self, size: int) -> NDArray[np.float32]:
        """Full for a step, then a fifth less in each."""
        steps = np.arange(self.made, self.made + size, dtype=np.float32) / (self._rate * _STEP)
        level: NDArray[np.float32] = np.clip(1.0 - _FADE_A_STEP * np.maximum(steps - 1.0, 0.0), 0.0, 1.0)
        return level

    def _smooth(self, sound: NDArray[np.float32], history: Pcm) -> None:
        last, before = float(history[-1]), float(history[-2])
        step = last + (last - before) / 2 - float(sound[0])
        length = min(sound.size, int(5 * _CORRECTION * self._rate))
        sound[:length] += step * np.exp(-np.arange(length, dtype=np.float32) / (_CORRECTION * self._rate))


def _cycle(past: NDArray[np.float32], length: int, seam: int) -> NDArray[np.float32]:
    """The last ``length`` samples made to repeat without a click: their end fades into what was before their start."""
    cycle = past[-length:].copy()
    seam = min(seam, past.size - length)
    if seam > 0:
        ramp = np.linspace(0.0, 1.0, seam, dtype=np.float32)
        cycle[-seam:] = cycle[-seam:] * (1.0 - ramp) + past[-length - seam : -length] * ramp
    return cycle


def _period(past: NDArray[np.float32], rate: int) -> int:
    """The pitch period in samples; the longest where the sound has none."""
    step = max(1, rate // 4000)
    coarse = past[past.size % step :].reshape(-1, step).mean(axis=1, dtype=np.float32)
    lowest, highest = int(_SHORTEST * rate / step), int(_LONGEST * rate / step)
    window = int(_TEMPLATE * rate / step)
    lag, likeness = _best_lag(coarse, lowest, min(highest, coarse.size - window), window)
    if likeness < _NOISY:
        return int(_LONGEST * rate)
    if step == 1:
        return lag
    window = int(_TEMPLATE * rate)
    nearest = max(int(_SHORTEST * rate), (lag - 1) * step)
    return _best_lag(past, nearest, min((lag + 1) * step, past.size - window), window)[0]


def _best_lag(past: NDArray[np.float32], lowest: int, highest: int, window: int) -> tuple[int, float]:
    template = past[-window:]
    region = past[past.size - window - highest : past.size - lowest]
    products = np.correlate(region, template, "valid")
    squares = np.concatenate([np.zeros(1), np.cumsum(region.astype(np.float64) ** 2)])
    energies = squares[window:] - squares[: squares.size - window]
    likeness = products / np.sqrt(np.maximum(energies * float(np.dot(template, template)), 1.0))
    best = int(np.argmax(likeness))
    return highest - best, float(likeness[best])
