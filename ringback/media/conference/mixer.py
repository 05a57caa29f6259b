"""Who is heard, and what each party hears: the sum of the loudest less oneself. Pure: frames in, frames out.

Of those who make a sound, the loudest few are mixed: more voices at once nobody understands, and noise of everybody
else's rooms would add up. Who is among them stays for a moment, so that pauses between words don't cut anybody off;
who comes or goes is faded for one frame, so that nothing clicks. All who are not mixed hear the same, which can
therefore be encoded once for all of them.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Set
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from ringback.media.codecs import Pcm

Party = TypeVar("Party", bound=Hashable)

AUDIBLE = 32767**2 * 10 ** (-50 / 10)  # mean square of -50 dB below full scale: a quiet room is less
_HANG = 25  # frames that somebody stays chosen after the last sound
_FALL = 0.75  # of the level in a frame without sound: words count, not samples
_PAUSE = 15  # frames without a sound after which somebody else may lead the talk
_DROWNED = 25  # frames of being clearly less loud than another, after which that one leads
_FAVOUR = 2.0  # who is chosen already needs half the power: no flutter between two of equal loudness


@dataclass(frozen=True, slots=True)
class Mix(Generic[Party]):
    """What is heard in one frame: ``shared`` by all who are not mixed, ``own`` by each who is. ``talkers`` are those
    mixed, who leads the talk first."""

    shared: Pcm
    own: Mapping[Party, Pcm]
    talkers: tuple[Party, ...]


@dataclass(slots=True)
class _Voice:
    level: float = 0.0
    quiet: int = _HANG  # frames since it was audible
    chosen: bool = False


class Mixer(Generic[Party]):
    """Chooses up to ``loudest`` voices; frames have ``samples`` samples each."""

    def __init__(self, samples: int, loudest: int = 3) -> None:
        self._samples = samples
        self._loudest = loudest
        self._voices: dict[Party, _Voice] = {}
        self._leader: Party | None = None
        self._drowned = 0
        self._rise: NDArray[np.float32] = np.linspace(0, 1, samples, dtype=np.float32)
        self._silence = np.zeros(samples, np.int16)

    def keep(self, parties: Set[Party]) -> None:
        """Forget everybody else: they left."""
        self._voices = {party: voice for party, voice in self._voices.items() if party in parties}
        if self._leader not in parties:
            self._leader = None

    def mix(self, frames: Mapping[Party, Pcm]) -> Mix[Party]:
        """One frame: the sound of every party that may be heard (leave out who is muted)."""
        if not frames:
            return Mix(self._silence, {}, ())
        # All in one type and by few kinds of calls, since each that isn't in the processor's cache costs more than the
        # samples do. Sums of 16 bits are exact in its 24.
        samples = np.concatenate(tuple(frames.values())).astype(np.float32).reshape(-1, self._samples)
        chosen = self._choose(frames, np.add.reduce(samples * samples, 1).tolist())
        parts: list[Party] = []
        rows: list[int] = []
        for row, party in enumerate(frames):
            voice = self._voices[party]
            now = party in chosen
            if now or voice.chosen:
                parts.append(party)
                rows.append(row)
                if now is not voice.chosen:
                    samples[row] *= self._rise if now else self._rise[::-1]
                    voice.chosen = now
        if not parts:
            return Mix(self._silence, {}, ())
        mixed = np.zeros((len(rows) + 1, self._samples), np.float32)
        total = mixed[-1]
        for row in rows:
            np.add(total, samples[row], out=total)
        for place, row in enumerate(rows):
            np.subtract(total, samples[row], out=mixed[place])
        np.maximum(mixed, -32768, out=mixed)
        np.minimum(mixed, 32767, out=mixed)
        heard = mixed.astype(np.int16)
        return Mix(heard[-1], dict(zip(parts, heard, strict=False)), self._ranked(chosen))

    def _ranked(self, chosen: set[Party]) -> tuple[Party, ...]:
        """The leader first, the others as they sit. Who leads goes on until silent, or clearly drowned for a while."""
        if not chosen:
            self._leader = None
            return ()
        loudest = max(chosen, key=lambda one: self._voices[one].level)
        leader = self._leader
        if leader is None or leader not in chosen or self._voices[leader].quiet > _PAUSE:
            self._leader, self._drowned = loudest, 0
        elif self._voices[loudest].level > _FAVOUR * self._voices[leader].level:
            self._drowned += 1
            if self._drowned > _DROWNED:
                self._leader, self._drowned = loudest, 0
        else:
            self._drowned = 0
        if len(chosen) == 1:
            return tuple(chosen)
        places = {party: place for place, party in enumerate(self._voices)}
        return tuple(sorted(chosen, key=lambda one: (one != self._leader, places[one])))

    def _choose(self, frames: Mapping[Party, Pcm], energies: list[float]) -> set[Party]:
        candidates: list[tuple[float, Party]] = []
        voices = self._voices
        for party, energy in zip(frames, energies, strict=True):
            voice = voices.get(party)
            if voice is None:
                voice = voices[party] = _Voice()
            power = energy / self._samples
            fallen = voice.level * _FALL
            voice.level = power if power > fallen else fallen
            voice.quiet = 0 if power >= AUDIBLE else voice.quiet + 1
            if voice.quiet < _HANG:
                candidates.append((voice.level * (_FAVOUR if voice.chosen else 1.0), party))
        candidates.sort(key=lambda one: -one[0])
        return {party for _, party in candidates[: self._loudest]}


def clipped(total: NDArray[np.int32]) -> Pcm:
    """A sum as samples; what is too loud is cut."""
    return np.minimum(np.maximum(total, -32768), 32767).astype(np.int16)
