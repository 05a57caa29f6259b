"""What a caller says, kept as it comes.

A recording is not heard while it is made, so nothing has to be played out in time: each packet of G.711 is laid where
its timestamp says, unread, and the codes are looked at twice a second only, for silence. Other codecs come as decoded
frames of 20 ms.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from ringback.media.codecs import Pcm
from ringback.media.codecs.g711 import decoding_table, encoding_table
from ringback.media.players.recorder import wav, wav_of_codes
from ringback.protocols.rtp.packet import RtpPacket

RATE: Final = 8000
"""Of what is recorded, Hz: messages are kept as G.711."""
G711: Final[dict[str, Literal["mu", "A"]]] = {"pcmu": "mu", "pcma": "A"}
_SILENCE: Final = {"mu": 0xFF, "A": 0xD5}
_QUIET: Final = 150.0  # root mean square of 16-bit samples below which nobody speaks: about -47 dBFS
_CONCEALED: Final = 3 * 160  # samples of a gap that are filled with what came before it
_JUMP: Final = 60 * RATE  # a timestamp further away than this begins anew: another source
_TRAIL: Final = 1.0  # seconds of silence at the end from which on they are left out

Law = Literal["mu", "A"]


@dataclass(frozen=True, slots=True)
class Taken:
    """What was recorded: a WAV file, and its length in seconds."""

    wav: bytes
    seconds: float


class Tape:
    """One recording. ``longest``: seconds that it holds."""

    def __init__(self, longest: float) -> None:
        self._codes = bytearray()
        self._law: Law = "mu"
        self._most = int(longest * RATE)
        self._first: int | None = None  # timestamp of the first octet
        self._source = 0
        self._end = 0  # octets that hold sound
        self._looked = 0  # octets looked at for silence
        self._quiet = 0  # silent ones at the end of these
        self._arrived = 0.0

    def push(self, packet: RtpPacket, law: Law, now: float) -> None:
        """A packet of G.711."""
        payload = packet.payload
        if law != self._law:
            self._turn(law)
        self._arrived = now
        if self._first is None or packet.ssrc != self._source:
            self._source = packet.ssrc
            self._first = packet.timestamp - self._end
        at = (packet.timestamp - self._first) & 0xFFFFFFFF
        if at == self._end:
            if at < self._most:
                self._codes += payload
                self._end = len(self._codes)
            return
        self._lay(at, payload)

    def add(self, pcm: Pcm, now: float) -> None:
        """A decoded frame at 8 kHz, the next one."""
        self._arrived = now
        if self._end < self._most:
            self._codes += encoding_table(self._law)[pcm.view(np.uint16)].tobytes()
            self._end = len(self._codes)

    def look(self, now: float) -> float:
        """For how many seconds nobody has spoken, at the end of what is kept; to be asked twice a second or so."""
        if self._end > self._looked:
            fresh = np.frombuffer(self._codes, np.uint8, self._end - self._looked, self._looked)
            frames = _power(self._law)[fresh[: len(fresh) - len(fresh) % 160 or len(fresh)]]
            loud = np.flatnonzero(frames.reshape(-1, min(160, len(frames))).mean(axis=1) > _QUIET**2)
            taken = len(frames)
            step = min(160, taken)
            self._quiet = taken - (int(loud[-1]) + 1) * step if len(loud) else self._quiet + taken
            self._looked += taken
        return self._quiet / RATE + (max(0.0, now - self._arrived - 0.1) if self._arrived else 0.0)

    def wait_from(self, now: float) -> None:
        """Count silence from this moment on where nothing comes at all."""
        self._arrived = now

    @property
    def full(self) -> bool:
        """Whether the longest time is over."""
        return self._end >= self._most

    @property
    def length(self) -> float:
        """Seconds kept, with all silence."""
        return min(self._end, self._most) / RATE

    @property
    def seconds(self) -> float:
        """Seconds kept, without long silence at the end."""
        quiet = self._quiet / RATE
        return max(0.0, self.length - (quiet if quiet > _TRAIL else 0.0))

    def pcm(self) -> Pcm:
        """As samples."""
        if not self._end:
            return np.zeros(0, np.int16)
        codes = np.frombuffer(self._codes, np.uint8, min(self._end, self._most))
        return decoding_table(self._law)[codes[: round(self.seconds * RATE)]]

    def taken(self, law: Law | None) -> Taken:
        """As a file, in this law or as linear PCM. Computes for some milliseconds where it was spoken in another."""
        count = round(self.seconds * RATE)
        if law == self._law:
            return Taken(wav_of_codes(bytes(self._codes[:count]), RATE, law), count / RATE)
        return Taken(wav(self.pcm(), RATE, law=law), count / RATE)

    def _lay(self, at: int, payload: bytes) -> None:
        """A packet that is not the next: late, after lost ones or a pause, or of a clock that was set anew."""
        if at > self._end + _JUMP:
            if at > 0xFFFFFFFF - _JUMP:
                return  # from before the beginning
            self._first = (self._first or 0) + at - self._end
            at = self._end
        if at >= self._most:
            self._end = self._most
            self._codes += bytes([_SILENCE[self._law]]) * (self._most - len(self._codes))
            return
        gap = at - self._end
        if gap > 0:
            before = bytes(self._codes[-len(payload) :]) if 0 < gap <= _CONCEALED and self._end else b""
            fill = (before * (gap // len(before) + 1))[:gap] if before else bytes([_SILENCE[self._law]]) * gap
            self._codes += fill
        self._codes[at : at + len(payload)] = payload
        self._end = len(self._codes)

    def _turn(self, law: Law) -> None:
        """The caller speaks the other law from now on."""
        codes = np.frombuffer(self._codes, np.uint8)
        self._codes = bytearray(encoding_table(law)[decoding_table(self._law)[codes].view(np.uint16)].tobytes())
        self._law = law


@cache
def _power(law: Law) -> NDArray[np.float32]:
    """The square of each code's sample."""
    return decoding_table(law).astype(np.float32) ** 2
