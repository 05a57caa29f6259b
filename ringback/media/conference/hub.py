"""All conferences of a node: a beat of 20 ms for their sound.

While that takes next to no time it is done on the loop, since handing it to a thread and back costs more. Once it
takes longer, one thread does it, so that the loop never waits for codecs.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from ringback.media.conference.conference import Beat, Conference
from ringback.media.transport.host import MediaHost

_ON_LOOP = 0.0015  # CPU seconds of work at a beat that the loop bears
_MEMORY = 8  # beats that the cost is averaged over


@dataclass(frozen=True, slots=True)
class _Computed:
    beats: list[tuple[Conference, tuple[Beat, ...]]]
    seconds: float


class MixingHub:
    """To be made, used and closed on the loop. ``late`` counts beats at which the last one was not finished yet."""

    def __init__(self, host: MediaHost) -> None:
        self.late = 0
        self.failure: BaseException | None = None
        self._host = host
        self._loop = asyncio.get_running_loop()
        self._conferences: tuple[Conference, ...] = ()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="mixing")
        self._busy = False
        self._cost = 0.0
        self._closed = False

    def open(self, *, loudest: int = 3) -> Conference:
        """A new conference without anybody in it."""
        conference = Conference(loudest)
        if not self._conferences:
            self._host.ticker.add(self._tick)
        self._conferences = (*self._conferences, conference)
        return conference

    def end(self, conference: Conference) -> None:
        """End a conference; its legs stay open. Ending again does nothing."""
        self._conferences = tuple(one for one in self._conferences if one is not conference)
        for seat in conference.seats:
            conference.leave(seat)
        if not self._conferences:
            self._host.ticker.remove(self._tick)

    def close(self) -> None:
        """End all and let the thread go. Closing again does nothing."""
        self._closed = True
        for conference in self._conferences:
            self.end(conference)
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _tick(self, now: float) -> None:
        if self._busy:
            self.late += 1
            return
        if self._cost < _ON_LOOP:
            self._take(_compute(self._conferences, now))
            return
        self._busy = True
        self._thread.submit(_compute, self._conferences, now).add_done_callback(self._computed)

    def _computed(self, future: Future[_Computed]) -> None:
        if not self._closed:
            self._loop.call_soon_threadsafe(self._deliver, future)

    def _deliver(self, future: Future[_Computed]) -> None:
        self._busy = False
        if future.cancelled():
            return
        self.failure = future.exception()
        if self.failure is not None:
            raise self.failure  # to the loop's handler, which logs it; the next beat goes on
        self._take(future.result())

    def _take(self, computed: _Computed) -> None:
        self._cost += (computed.seconds - self._cost) / _MEMORY
        for conference, beats in computed.beats:
            for beat in beats:
                conference.deliver(beat)


def _compute(conferences: tuple[Conference, ...], now: float) -> _Computed:
    began = time.thread_time()
    beats = [(conference, conference.compute(now)) for conference in conferences if conference.seats]
    return _Computed(beats, time.thread_time() - began)
