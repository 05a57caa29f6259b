"""The words of the house, spoken: decoded at their first use and kept, the same for all calls."""

from __future__ import annotations

import json
import threading
from functools import cache
from pathlib import Path
from typing import Final

import av
import numpy as np

from ringback.media.codecs import Pcm
from ringback.media.players import Sound

_FOLDER: Final = Path(__file__).parent
_RATE: Final = 16_000
DEFAULT: Final = "en"
_decoding: Final = threading.Lock()


def languages() -> frozenset[str]:
    """Languages that are spoken, as ISO 639 codes."""
    return frozenset(file.stem for file in _FOLDER.glob("*.json"))


def language_of(locale: str) -> str:
    """The language spoken for a locale such as ``de_DE`` or ``de-AT``; the default where it is not spoken."""
    code = locale.replace("_", "-").partition("-")[0].lower()
    return code if code in languages() else DEFAULT


def words(language: str) -> dict[str, str]:
    """What is said, by name."""
    found: dict[str, str] = json.loads((_FOLDER / f"{language}.json").read_text(encoding="utf-8"))
    return found


def prompt(language: str, name: str) -> Sound:
    """A sound of the house; ``number-0`` to ``number-99`` are the numbers. Decodes for some milliseconds the first
    time: call it in a thread. Raises KeyError where there is none."""
    with _decoding:  # where many calls come at once after a start, one decodes for all
        return _prompt(language, name)


@cache
def _prompt(language: str, name: str) -> Sound:
    file = _FOLDER / language / f"{name}.ogg"
    if not file.is_file():
        raise KeyError(f"{language}/{name}")
    return Sound(_RATE, _decoded(file))


def _decoded(file: Path) -> Pcm:
    parts: list[Pcm] = []
    with av.open(str(file)) as source:
        resampler = av.AudioResampler("s16", "mono", _RATE)
        for frame in source.decode(audio=0):
            parts += [_samples(part) for part in resampler.resample(frame)]
        parts += [_samples(part) for part in resampler.resample(None)]
    return np.concatenate(parts)


def _samples(frame: av.AudioFrame) -> Pcm:
    return frame.to_ndarray().reshape(-1).astype(np.int16)
