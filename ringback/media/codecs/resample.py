"""From one PCM rate to another, in exact lengths.

Between the rates of our codecs (8, 16, 24, 48 kHz: whole factors) by a polyphase filter of our own: in a server with
many streams, where nothing stays in the processor's cache, it costs half of what FFmpeg's resampler does through PyAV,
and it lets nothing of 3.6 kHz appear again above 4 kHz. All other rates (those of files) go through FFmpeg.
"""

from __future__ import annotations

from functools import cache
from typing import Protocol

import av
import numpy as np
from numpy.typing import NDArray

from ringback.media.codecs.base import CodecError, Pcm, silence

_LARGEST = 6  # factor, from 8 to 48 kHz
_TAPS = 48  # of each phase: 3 ms of delay at 8 kHz
_EDGE = 0.95  # of half the lower rate: where the filter has fallen by half
_KAISER = 7.0


@cache
def _phases(factor: int) -> NDArray[np.float32]:
    """A low pass in ``factor`` phases of _TAPS each, as numpy's correlate wants them, with gain one in each."""
    size = _TAPS * factor
    place = np.arange(size) - (size - 1) / 2
    response = np.sinc(place / factor * _EDGE) * np.kaiser(size, _KAISER)
    response *= factor / response.sum()
    return np.ascontiguousarray(response.reshape(_TAPS, factor).T[:, ::-1], np.float32)


class _Stream(Protocol):
    def process(self, pcm: Pcm) -> Pcm:
        """The same sound at the other rate."""


class _Up:
    """A whole number of times faster."""

    __slots__ = ("_factor", "_past", "_phases")

    def __init__(self, factor: int) -> None:
        self._factor = factor
        self._phases = _phases(factor)
        self._past = silence(_TAPS - 1)

    def process(self, pcm: Pcm) -> Pcm:
        sound = np.concatenate([self._past, pcm])
        self._past = sound[1 - _TAPS :]
        wide = sound.astype(np.float32)
        out = np.empty((pcm.size, self._factor), np.float32)
        for number, phase in enumerate(self._phases):
            out[:, number] = np.correlate(wide, phase, "valid")
        return _whole(out).ravel()


class _Down:
    """A whole number of times slower; input that fills no whole output sample waits."""

    __slots__ = ("_factor", "_past", "_phases", "_size")

    def __init__(self, factor: int) -> None:
        self._factor = factor
        self._phases = _phases(factor) / factor
        self._size = _TAPS * factor
        self._past = silence(self._size - factor)

    def process(self, pcm: Pcm) -> Pcm:
        sound = np.concatenate([self._past, pcm])
        count = (sound.size - self._size) // self._factor + 1
        if count <= 0:
            self._past = sound
            return sound[:0]
        self._past = sound[count * self._factor :]
        wide = sound.astype(np.float32)
        out = np.zeros(count, np.float32)
        for number, phase in enumerate(self._phases):
            # The filter is symmetric, so its phases fit the samples in either order.
            out += np.correlate(wide[self._factor - 1 - number :: self._factor], phase, "valid")[:count]
        return _whole(out)


def _whole(out: NDArray[np.float32]) -> Pcm:
    np.rint(out, out=out)
    np.clip(out, -32768, 32767, out=out)
    return out.astype(np.int16)


class _Any:
    """By FFmpeg. Its own delay is filled with silence at the start."""

    __slots__ = ("_due", "_given", "_ready", "_resampler", "_source", "_target")

    _PRIMED = 0.004  # seconds; more than the delay of the filter at any rate

    def __init__(self, source: int, target: int) -> None:
        self._source, self._target = source, target
        self._due = self._given = 0
        self._ready = silence(round(target * self._PRIMED))
        self._resampler = av.AudioResampler("s16", "mono", target)

    def process(self, pcm: Pcm) -> Pcm:
        frame = av.AudioFrame(format="s16", layout="mono", samples=pcm.size)
        frame.sample_rate = self._source
        frame.planes[0].update(pcm.tobytes())
        parts = [part.to_ndarray().reshape(-1).astype(np.int16, copy=False) for part in self._resampler.resample(frame)]
        self._due += pcm.size
        wanted = self._due * self._target // self._source - self._given
        ready = np.concatenate([self._ready, *parts])
        out, self._ready = ready[:wanted], ready[wanted:]
        self._given += out.size
        return out


def _stream(source: int, target: int) -> _Stream | None:
    if source == target:
        return None
    if target % source == 0 and target // source <= _LARGEST:
        return _Up(target // source)
    if source % target == 0 and source // target <= _LARGEST:
        return _Down(source // target)
    return _Any(source, target)


class Resampler:
    """A stream from ``source`` Hz to ``target`` Hz. Has state (at most 4 ms of sound), so one for each stream.

    Every call gives ``len(pcm) * target / source`` samples, rounded so that nothing gets lost over time: a mixer never
    waits for a late sample. Equal rates pass through. Raises CodecError for rates beyond 4 to 192 kHz.
    """

    __slots__ = ("_stream",)

    def __init__(self, source: int, target: int) -> None:
        if not (4000 <= source <= 192000 and 4000 <= target <= 192000):
            raise CodecError(f"no resampling from {source} to {target} Hz")
        self._stream = _stream(source, target)

    def process(self, pcm: Pcm) -> Pcm:
        """The same sound at ``target`` Hz."""
        return pcm if self._stream is None or not pcm.size else self._stream.process(pcm)
