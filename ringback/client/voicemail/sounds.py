"""Sounds on this machine: what was heard already, what was recorded and waits to be sent, and the shape of a sound."""

from __future__ import annotations

import hashlib
import secrets
import struct
import time
from collections.abc import Callable
from typing import Final

import msgspec
import numpy as np

from ringback.client.store.store import Store
from ringback.client.voicemail.errors import VoicemailError
from ringback.media.codecs import Resampler
from ringback.media.players.recorder import wav
from ringback.media.players.sound import SoundFileError, parse_sound
from ringback.rules.reasons import Reason

STEPS: Final = 80  # bars of a waveform, at most
KEPT_OCTETS: Final = 64 * 1024 * 1024
KEPT_SOUNDS: Final = 200
RECORDING_LIMIT: Final = 32 * 1024 * 1024  # octets
_RECORDINGS: Final = 4
_RECORDING_SECONDS: Final = 3600.0
_TELEPHONE: Final = 8000  # Hz
_KIND, _INDEX = "voice-sound", "voice-sounds"
_FORMATS: Final = {1: "linear PCM", 6: "G.711 A-law", 7: "G.711 mu-law", 49: "GSM 06.10", 131: "G.729", 85: "MP3"}


class _Place(msgspec.Struct, frozen=True):
    """A kept sound: its length in octets, and when it was used last (seconds since 1970)."""

    size: int
    used: float


def format_of(data: bytes) -> str:
    """The name of the format of a WAV file, as far as it can be told."""
    at = data.find(b"fmt ", 0, 4096)
    if data[:4] != b"RIFF" or at < 0 or len(data) < at + 24:
        return "no WAV file"
    kind, _, rate = struct.unpack_from("<HHI", data, at + 8)
    return f"{_FORMATS.get(kind, f'number {kind}')}, {rate} Hz"


def shape_of(data: bytes, steps: int = STEPS) -> tuple[list[int], float]:
    """The loudness of a WAV file in equal steps, 0 to 100 of its loudest, and its length in seconds. Blocks.

    Raises VoicemailError for a format that can't be played, with its name.
    """
    try:
        sound = parse_sound(data)
    except SoundFileError as error:
        raise VoicemailError(Reason.of("voicemail.format", format=format_of(data), why=error)) from error
    pcm = np.abs(sound.pcm.astype(np.float32))
    if not len(pcm):
        return [], 0.0
    edges = np.linspace(0, len(pcm), min(steps, len(pcm)) + 1).astype(int)[:-1]
    peaks = np.maximum.reduceat(pcm, edges)
    loudest = max(float(peaks.max()), 1.0)
    return [round(float(one) * 100 / loudest) for one in peaks], sound.seconds


def playable(data: bytes) -> bytes:
    """The same sound as every browser plays it: 16-bit linear. Blocks. Raises VoicemailError."""
    if data[:4] == b"RIFF" and (at := data.find(b"fmt ", 0, 4096)) > 0 and data[at + 8 : at + 10] == b"\x01\x00":
        return data
    try:
        sound = parse_sound(data)
    except SoundFileError as error:
        raise VoicemailError(Reason.of("voicemail.format", format=format_of(data), why=error)) from error
    return wav(sound.pcm, sound.rate)


def for_sending(data: bytes) -> bytes:
    """A recording as it is sent: G.711 mu-law at 8 kHz, which every voicemail takes (the default, F3). Blocks.

    Raises VoicemailError for what is no sound.
    """
    try:
        sound = parse_sound(data)
    except SoundFileError as error:
        raise VoicemailError(Reason.of("voicemail.format", format=format_of(data), why=error)) from error
    return wav(Resampler(sound.rate, _TELEPHONE).process(sound.pcm), _TELEPHONE, law="mu")


class SoundShelf:
    """Sounds of messages in the person's encrypted store; those not heard for longest go first."""

    def __init__(self, store: Store, wall: Callable[[], float] = time.time) -> None:
        self._store = store
        self._wall = wall
        self._places: dict[str, _Place] = {}

    async def load(self) -> None:
        """Read what is there."""
        self._places = await self._store.get(_INDEX, "all", dict[str, _Place]) or {}

    def has(self, message: str) -> bool:
        """Whether a sound is kept."""
        return message in self._places

    async def get(self, message: str) -> bytes | None:
        """A kept sound."""
        if message not in self._places:
            return None
        found = await self._store.get(_KIND, message, bytes)
        if found is not None:
            self._places[message] = _Place(len(found), self._wall())
        return found

    async def put(self, message: str, sound: bytes) -> list[str]:
        """Keep one; the ids of those that had to go."""
        if len(sound) > KEPT_OCTETS // 4:
            return []
        self._places[message] = _Place(len(sound), self._wall())
        gone: list[str] = []
        oldest = sorted(self._places, key=lambda name: self._places[name].used)
        total = sum(place.size for place in self._places.values())
        for name in oldest:
            if total <= KEPT_OCTETS and len(self._places) <= KEPT_SOUNDS:
                break
            total -= self._places.pop(name).size
            gone.append(name)
        await self._store.put(_KIND, message, sound)
        await self._drop(gone)
        return gone

    async def forget(self, messages: list[str]) -> None:
        """Messages are gone, so their sounds go."""
        known = [one for one in messages if self._places.pop(one, None) is not None]
        if known:
            await self._drop(known)

    async def _drop(self, names: list[str]) -> None:
        await self._store.remove(_KIND, names)
        await self._store.put(_INDEX, "all", self._places)


class Recordings:
    """What was recorded in the page and waits to be sent; in memory only, and not for long."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: dict[str, tuple[float, bytes]] = {}

    def put(self, data: bytes) -> str:
        """Keep one; its id. Raises VoicemailError for what is no sound."""
        sound = for_sending(data)
        now = self._clock()
        self._kept = {name: one for name, one in self._kept.items() if one[0] + _RECORDING_SECONDS > now}
        while len(self._kept) >= _RECORDINGS:
            self._kept.pop(next(iter(self._kept)))
        name = hashlib.sha256(secrets.token_bytes(16)).hexdigest()[:24]
        self._kept[name] = (now, sound)
        return name

    def get(self, name: str) -> bytes:
        """A recording. Raises VoicemailError."""
        found = self._kept.get(name)
        if found is None:
            raise VoicemailError(Reason.of("voicemail.no_recording"))
        return found[1]

    def drop(self, name: str) -> None:
        """It was sent, or is not wanted."""
        self._kept.pop(name, None)
