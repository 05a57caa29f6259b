"""A page of another maker: aiortc as the browser that carries the sound of a call."""

from __future__ import annotations

import asyncio
import contextlib
import fractions
from collections.abc import AsyncIterator

import av
import numpy as np
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

from ringback.client import Me

RATE = 48_000
_FRAME = RATE // 50


class ToneTrack(MediaStreamTrack):
    """A microphone that hears an even tone."""

    kind = "audio"

    def __init__(self, frequency: float) -> None:
        super().__init__()
        self._frequency = frequency
        self._samples = 0
        self._began: float | None = None

    async def recv(self) -> av.AudioFrame:
        """The next 20 ms, in real time."""
        loop = asyncio.get_running_loop()
        self._began = self._began if self._began is not None else loop.time()
        await asyncio.sleep(max(self._began + self._samples / RATE - loop.time(), 0))
        times = (np.arange(_FRAME) + self._samples) / RATE
        pcm = (8000 * np.sin(2 * np.pi * self._frequency * times)).astype(np.int16)
        frame = av.AudioFrame(format="s16", layout="mono", samples=_FRAME)
        frame.planes[0].update(pcm.tobytes())
        frame.sample_rate, frame.pts, frame.time_base = RATE, self._samples, fractions.Fraction(1, RATE)
        self._samples += _FRAME
        return frame


class MovingTrack(MediaStreamTrack):
    """A camera that sees a grey that changes with every picture; 15 of them a second."""

    kind = "video"

    def __init__(self) -> None:
        super().__init__()
        self._count = 0
        self._began: float | None = None

    async def recv(self) -> av.VideoFrame:
        """The next picture, in real time."""
        loop = asyncio.get_running_loop()
        self._began = self._began if self._began is not None else loop.time()
        await asyncio.sleep(max(self._began + self._count / 15 - loop.time(), 0))
        frame = av.VideoFrame.from_ndarray(np.full((180, 320, 3), self._count % 200 + 20, np.uint8), format="rgb24")
        frame.pts, frame.time_base = self._count * 6000, fractions.Fraction(1, 90_000)
        self._count += 1
        return frame


class Page:
    """A page that is connected: what it heard and saw so far. ``seen``: the mean grey of each picture."""

    def __init__(self, peer: RTCPeerConnection) -> None:
        self.peer = peer
        self.heard: list[np.ndarray[tuple[int], np.dtype[np.int16]]] = []
        self.rate = RATE
        self.seen: list[float] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._arrived = asyncio.Condition()
        peer.on("track", self._listen)

    def _listen(self, track: MediaStreamTrack) -> None:
        work = self._collect(track) if track.kind == "audio" else self._watch(track)
        self._tasks.append(asyncio.create_task(work))

    async def _watch(self, track: MediaStreamTrack) -> None:
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                if isinstance(frame, av.VideoFrame):
                    self.seen.append(float(frame.to_ndarray(format="gray").mean()))
                    async with self._arrived:
                        self._arrived.notify_all()

    async def pictures(self, count: int, limit: float = 20.0) -> None:
        """See so many more."""
        wanted = len(self.seen) + count
        async with asyncio.timeout(limit), self._arrived:
            await self._arrived.wait_for(lambda: len(self.seen) >= wanted)

    async def _collect(self, track: MediaStreamTrack) -> None:
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                if not isinstance(frame, av.AudioFrame):
                    continue
                pcm = frame.to_ndarray().reshape(-1, len(frame.layout.channels))[:, 0]
                self.rate = frame.sample_rate
                self.heard.append(pcm.astype(np.int16))
                async with self._arrived:
                    self._arrived.notify_all()

    @property
    def seconds(self) -> float:
        """How much was heard."""
        return sum(map(len, self.heard)) / self.rate

    def last(self, seconds: float) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
        """The last seconds that were heard."""
        if not self.heard:
            return np.zeros(0, np.int16)
        return np.concatenate(self.heard)[-int(seconds * self.rate) :]

    async def more(self, seconds: float, limit: float = 15.0) -> None:
        """Hear so much more."""
        wanted = self.seconds + seconds
        async with asyncio.timeout(limit), self._arrived:
            await self._arrived.wait_for(lambda: self.seconds >= wanted)

    async def close(self) -> None:
        """Close the page."""
        await self.peer.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def page_at(me: Me, call: str, frequency: float, *, video: bool = False) -> AsyncIterator[Page]:
    """A page that carries the sound of a call, and pictures: it sends a tone, listens and watches."""
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    page = Page(peer)
    peer.addTrack(ToneTrack(frequency))
    if video:
        peer.addTrack(MovingTrack())
    try:
        await peer.setLocalDescription(await peer.createOffer())
        sdp, _ = await me.engine.signed_in().calling.desk.connect_media(call, peer.localDescription.sdp)
        await peer.setRemoteDescription(RTCSessionDescription(sdp, "answer"))
        yield page
    finally:
        await page.close()
