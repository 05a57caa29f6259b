"""Sounds that are taken and given: what a file is, how long it lasts, other notations, one after another.

Taken are 16-bit linear PCM, mu-law and A-law in WAV files. G.729 is not (the published table of codecs: voice messages
in G.729 are for calls to the voicemail only, never for the visual voicemail). Everything here computes for
milliseconds: call it in a thread.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from ringback.media.codecs import Resampler
from ringback.media.players.recorder import wav
from ringback.media.players.sound import Sound, SoundFileError, parse_sound
from ringback.services.voicemail.errors import BadSoundError, TooLongError

Law = Literal["mu", "A"] | None
LINEAR, A_LAW, MU_LAW = 1, 6, 7
"""Format tags of WAV files (RFC 2361)."""
_EXTENSIBLE: Final = 0xFFFE
_G729: Final = frozenset({0x0083, 0x0133, 0x0134})
_TAKEN: Final = {(LINEAR, 16), (A_LAW, 8), (MU_LAW, 8)}
NO_G729: Final = (
    "Visual voicemail does not support G.729. Send mu-law, A-law or 16-bit linear PCM; "
    "with G.729, call the voicemail instead"
)
_RATE: Final = 8000
_PAUSE: Final = 0.4  # seconds between two sounds in one message


@dataclass(frozen=True, slots=True)
class Checked:
    """A sound that can be kept: the file, and its length in milliseconds."""

    wav: bytes
    duration: int


def check(file: bytes, longest: float) -> Checked:
    """What was sent, if it is taken. ``longest`` in seconds. Raises BadSoundError, TooLongError."""
    kind, bits, octets_per_second, size = _form(file)
    if kind in _G729:
        raise BadSoundError(NO_G729)
    if (kind, bits) not in _TAKEN:
        raise BadSoundError("The sound must be a WAV file with mu-law, A-law or 16-bit linear PCM")
    if octets_per_second and size > longest * octets_per_second:
        raise TooLongError(f"A message may last {longest:g} seconds at most")
    try:
        sound = parse_sound(file)
    except SoundFileError as error:
        raise BadSoundError(f"The sound can't be read: {error}") from error
    if not len(sound.pcm):
        raise BadSoundError("The sound is empty")
    if sound.seconds > longest:
        raise TooLongError(f"A message may last {longest:g} seconds at most")
    return Checked(file, round(sound.seconds * 1000))


def as_kept(file: bytes, tag: int) -> bytes:
    """A kept sound in another notation, by its format tag; at its own rate for linear PCM, at 8 kHz for G.711."""
    if _form(file)[0] == tag:
        return file
    sound = parse_sound(file)
    if tag == LINEAR:
        return wav(sound.pcm, sound.rate)
    return wav(_at_8k(sound), _RATE, law="A" if tag == A_LAW else "mu")


def joined(first: bytes, second: bytes, law: Law) -> Checked:
    """Two sounds one after the other, as one at 8 kHz. Raises SoundFileError."""
    parts = [_at_8k(parse_sound(first)), np.zeros(int(_PAUSE * _RATE), np.int16), _at_8k(parse_sound(second))]
    pcm = np.concatenate(parts)
    return Checked(wav(pcm, _RATE, law=law), round(len(pcm) * 1000 / _RATE))


def spoken(sounds: list[Sound], law: Law) -> Checked:
    """Sounds of the house as a message."""
    pcm = np.concatenate([_at_8k(sound) for sound in sounds])
    return Checked(wav(pcm, _RATE, law=law), round(len(pcm) * 1000 / _RATE))


def changed(sound: Sound, *, speed: int, volume: int, start: int) -> Sound:
    """The sound from a moment (milliseconds) on, quicker or slower, louder or softer (percent); the pitch goes with the
    speed."""
    pcm = sound.pcm[min(len(sound.pcm), start * sound.rate // 1000) :]
    if volume != 100:
        pcm = np.clip(pcm.astype(np.int32) * volume // 100, -32768, 32767).astype(np.int16)
    if speed != 100:
        places = np.arange(0, len(pcm), speed / 100)
        pcm = np.interp(places, np.arange(len(pcm)), pcm).astype(np.int16) if len(pcm) else pcm
    return Sound(sound.rate, pcm)


def _at_8k(sound: Sound) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    return sound.pcm if sound.rate == _RATE else Resampler(sound.rate, _RATE).process(sound.pcm)


def _form(file: bytes) -> tuple[int, int, int, int]:
    """Format tag, bits, octets a second, and octets of sound. Raises BadSoundError."""
    at, form, size = 12, b"", 0
    if file[:4] != b"RIFF" or file[8:12] != b"WAVE":
        raise BadSoundError("The sound is no WAV file")
    while at + 8 <= len(file):
        name, length = struct.unpack_from("<4sI", file, at)
        if name == b"fmt " and not form:
            form = file[at + 8 : at + 8 + length]
        elif name == b"data":
            size = min(length, len(file) - at - 8)
            break
        at += 8 + length + length % 2
    if len(form) < 16:
        raise BadSoundError("The sound is no WAV file")
    kind, _, _, octets, _, bits = struct.unpack_from("<HHIIHH", form)
    if kind == _EXTENSIBLE and len(form) >= 26:
        (kind,) = struct.unpack_from("<H", form, 24)
    return kind, bits, octets, size
