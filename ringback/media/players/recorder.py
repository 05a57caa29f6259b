"""Records what a leg hears into a WAV file, at the pace it was spoken, lost packets concealed."""

from __future__ import annotations

import asyncio
import struct
from collections import deque
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ringback.media.codecs import Pcm
from ringback.media.codecs.g711 import encoding_table
from ringback.media.playout import PlayOut, PlayOutFormats, PlayOutSettings
from ringback.media.transport.host import MediaHost
from ringback.protocols.rtp.packet import RtpPacket

_AT_ONCE = 50  # frames written together: a second of sound
_BACKLOG = 10  # such groups that may wait for a slow disk; more is left out


class WavWriter:
    """A WAV file that grows; its header is right after each `write`, so that a crash costs the last second only."""

    def __init__(self, path: Path, rate: int, *, law: str | None = None) -> None:
        """``law`` "mu" or "A" writes G.711 instead of 16 bits linear. Raises OSError."""
        self._file: BinaryIO = path.open("wb")
        self._rate = rate
        self._law = law
        self._size = 0
        self._file.write(_head(rate, law, 0))

    def write(self, pcm: Pcm) -> None:
        """Add samples. Raises OSError."""
        octets = _octets(pcm, self._law)
        self._file.seek(0, 2)
        self._file.write(octets)
        self._size += len(octets)
        self._file.seek(0)
        self._file.write(_head(self._rate, self._law, self._size))
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def wav(pcm: Pcm, rate: int, *, law: str | None = None) -> bytes:
    """A whole WAV file; ``law`` as for `WavWriter`."""
    octets = _octets(pcm, law)
    return _head(rate, law, len(octets)) + octets


def wav_of_codes(codes: bytes, rate: int, law: str) -> bytes:
    """A whole WAV file of what is G.711 already."""
    return _head(rate, law, len(codes)) + codes


def _octets(pcm: Pcm, law: str | None) -> bytes:
    if law is None:
        return pcm.astype("<i2").tobytes()
    return encoding_table("mu" if law == "mu" else "A")[pcm.view(np.uint16)].tobytes()


def _head(rate: int, law: str | None, size: int) -> bytes:
    kind, width = {None: (1, 2), "A": (6, 1), "mu": (7, 1)}[law]
    form = struct.pack("<HHIIHH", kind, 1, rate, rate * width, width, width * 8)
    head = struct.pack("<4sI4s4sI", b"RIFF", 36 + size, b"WAVE", b"fmt ", len(form))
    return head + form + struct.pack("<4sI", b"data", size)


class Recorder:
    """Give every packet to `push`; the file is complete when `stop` returns. The disk is written by a thread."""

    def __init__(
        self,
        host: MediaHost,
        path: Path,
        formats: PlayOutFormats,
        *,
        rate: int = 16000,
        law: str | None = None,
    ) -> None:
        """Raises OSError where the file cannot be made."""
        self._host = host
        self._writer = WavWriter(path, rate, law=law)
        self._playout = PlayOut(formats, PlayOutSettings(rate=rate))
        self._frames: list[Pcm] = []
        self._waiting: deque[Pcm] = deque()
        self._due: float | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopped = False
        self.seconds = 0.0
        self.failure: OSError | None = None
        host.ticker.add(self._tick)

    def set_formats(self, formats: PlayOutFormats) -> None:
        """Payload types mean something else from now on: another side, or codecs agreed anew."""
        self._playout.set_formats(formats)

    def push(self, packet: RtpPacket, arrival: float) -> None:
        """A packet that the leg heard."""
        if self._due is None:
            self._due = arrival
        self._playout.push(packet, arrival)

    async def stop(self) -> None:
        """Write what is left and close. Raises OSError where the disk failed at any time. Again does nothing."""
        if self._stopped:
            return
        self._stopped = True
        self._host.ticker.remove(self._tick)
        self._flush()
        if self._task is not None:
            await self._task
        await asyncio.to_thread(self._writer.close)
        if self.failure is not None:
            raise self.failure

    def _tick(self, now: float) -> None:
        while self._due is not None and self._due <= now:
            self._frames.append(self._playout.pull(self._due))
            self._due += 0.02
            self.seconds += 0.02
        if len(self._frames) >= _AT_ONCE:
            self._flush()

    def _flush(self) -> None:
        if self._frames and len(self._waiting) < _BACKLOG:
            self._waiting.append(np.concatenate(self._frames))
        self._frames = []
        if self._waiting and (self._task is None or self._task.done()) and self.failure is None:
            self._task = asyncio.create_task(self._write(), name="recorder")

    async def _write(self) -> None:
        try:
            while self._waiting:
                await asyncio.to_thread(self._writer.write, self._waiting.popleft())
        except OSError as error:
            self.failure = error
            self._waiting.clear()
