"""Tones of the telephone network by country (ITU-T E.180 supplement 2)."""

from __future__ import annotations

from enum import Enum
from functools import lru_cache

import numpy as np

from ringback.media.players.sound import Sound, softened

_LEVEL = -16.0  # dB below full scale for each frequency
_STEADY = 1.0  # seconds of a tone without pauses; all its frequencies are whole numbers, so that it repeats evenly


class Tone(Enum):
    """What the network says without words."""

    DIAL = "dial"
    RINGBACK = "ringback"
    BUSY = "busy"
    REORDER = "reorder"
    CALL_WAITING = "call-waiting"


_Cadence = tuple[tuple[tuple[int, ...], int], ...]
"""Frequencies in Hz (none: a pause), and milliseconds (0: without end)."""


def _parse(text: str) -> _Cadence:
    """``400+450/400 0/200``: frequencies/milliseconds, and so on."""
    parts = []
    for part in text.split():
        pitch, _, length = part.partition("/")
        parts.append((tuple(int(one) for one in pitch.split("+") if one != "0"), int(length or 0)))
    return tuple(parts)


# dial|ringback|busy|reorder (congestion)|call waiting. Modulated tones are written as their two sidebands.
_TABLE = {
    "ITU": "425|425/1000 0/4000|425/500 0/500|425/250 0/250|425/200 0/200 425/200 0/4400",
    "AT": "420|420/1000 0/5000|420/400 0/400|420/200 0/200|420/40 0/1960",
    "AU": "413+438|413+438/400 0/200 413+438/400 0/2000|425/375 0/375|425/375 0/375|425/200 0/200 425/200 0/4400",
    "BE": "425|425/1000 0/3000|425/500 0/500|425/167 0/167|1400/175 0/175 1400/175 0/3500",
    "BR": "425|425/1000 0/4000|425/250 0/250|425/250 0/250 425/750 0/250|425/50 0/1000",
    "CA": "350+440|440+480/2000 0/4000|480+620/500 0/500|480+620/250 0/250|440/300 0/9700",
    "CH": "425|425/1000 0/4000|425/500 0/500|425/200 0/200|425/200 0/200 425/200 0/4000",
    "CN": "450|450/1000 0/4000|450/350 0/350|450/700 0/700|450/400 0/4000",
    "DE": "425|425/1000 0/4000|425/480 0/480|425/240 0/240|425/200 0/200 425/200 0/5000",
    "DK": "425|425/1000 0/4000|425/500 0/500|425/200 0/200|425/200 0/600 425/200 0/3000",
    "ES": "425|425/1500 0/3000|425/200 0/200|425/200 0/200 425/200 0/200 425/200 0/600|425/175 0/175 425/175 0/3500",
    "FI": "425|425/1000 0/4000|425/300 0/300|425/200 0/200|425/150 0/150 425/150 0/8000",
    "FR": "440|440/1500 0/3500|440/500 0/500|440/250 0/250|440/300 0/10000",
    "GB": "350+440|400+450/400 0/200 400+450/400 0/2000|400/375 0/375|400/400 0/350 400/225 0/525|400/100 0/4000",
    "IN": "375+425|375+425/400 0/200 375+425/400 0/2000|400/750 0/750|400/250 0/250|400/200 0/100 400/200 0/7500",
    "IT": "425/200 0/200 425/600 0/1000|425/1000 0/4000|425/500 0/500|425/200 0/200|425/400 0/100 425/250 0/9250",
    "JP": "400|384+416/1000 0/2000|400/500 0/500|400/500 0/500|384+416/500 0/8000",
    "MX": "425|425/1000 0/4000|425/250 0/250|425/250 0/250|425/200 0/600 425/200 0/10000",
    "NL": "425|425/1000 0/4000|425/500 0/500|425/250 0/250|425/500 0/9500",
    "NO": "425|425/1000 0/4000|425/500 0/500|425/200 0/200|425/200 0/600 425/200 0/10000",
    "NZ": "400|400+450/400 0/200 400+450/400 0/2000|400/500 0/500|400/250 0/250|400/250 0/250 400/250 0/3250",
    "PL": "425|425/1000 0/4000|425/500 0/500|425/500 0/500|425/150 0/150 425/150 0/4000",
    "SE": "425|425/1000 0/5000|425/250 0/250|425/250 0/750|425/200 0/500 425/200 0/9100",
    "US": "350+440|440+480/2000 0/4000|480+620/500 0/500|480+620/250 0/250|440/300 0/9700",
}
COUNTRIES = tuple(sorted(set(_TABLE) - {"ITU"}))
"""ISO 3166 codes with tones of their own; others hear those that the ITU recommends."""


@lru_cache(maxsize=64)
def tone(kind: Tone, country: str = "US", rate: int = 16000) -> Sound:
    """A tone as a sound that repeats. ``country`` is an ISO 3166 code of two letters."""
    row = _TABLE.get(country.upper(), _TABLE["ITU"]).split("|")
    cadence = _parse(row[list(Tone).index(kind)])
    parts = [_part(pitches, length, rate, steady=len(cadence) == 1) for pitches, length in cadence]
    return Sound(rate, np.concatenate(parts), repeat=True)


def _part(
    pitches: tuple[int, ...], length: int, rate: int, *, steady: bool
) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    count = int(rate * (length / 1000 if length else _STEADY))
    time = np.arange(count) / rate
    wave = np.zeros(count)
    for pitch in pitches:
        wave += np.sin(2 * np.pi * pitch * time) * 32767 * 10 ** (_LEVEL / 20)
    return np.rint(wave).astype(np.int16) if steady else softened(wave, rate)
