"""From one PCM rate to another, by FFmpeg's resampler through PyAV, in exact lengths."""

from __future__ import annotations

import av
import numpy as np

from ringback.media.codecs.base import CodecError, Pcm, silence


class Resampler:
    """A stream from ``source`` Hz to ``target`` Hz. Has state (2 ms of sound), so one for each stream.

    Every call gives exactly ``len(pcm) * target / source`` samples (rounded so that nothing gets lost over time): the
    resampler's own delay is filled with silence at the start, so that a mixer never waits for a late sample.
    """

    __slots__ = ("_due", "_given", "_ready", "_resampler", "_source", "_target")

    _PRIMED = 0.004  # seconds; more than the delay of the filter at any of our rates

    def __init__(self, source: int, target: int) -> None:
        if not (4000 <= source <= 192000 and 4000 <= target <= 192000):
            raise CodecError(f"no resampling from {source} to {target} Hz")
        self._source, self._target = source, target
        self._due = self._given = 0
        self._ready = silence(round(target * self._PRIMED))
        self._resampler = av.AudioResampler("s16", "mono", target) if source != target else None

    def process(self, pcm: Pcm) -> Pcm:
        """The same sound at ``target`` Hz."""
        if self._resampler is None or not pcm.size:
            return pcm
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
