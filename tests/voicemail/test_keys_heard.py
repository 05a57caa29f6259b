"""Keys that come as sound only: made here as phones make them, heard once each, and never in speech or tones."""

from __future__ import annotations

import numpy as np
import pytest

from ringback.media.codecs import Pcm
from ringback.media.codecs.g711 import decoding_table, encoding_table
from ringback.services.voicemail.telephone import prompts
from ringback.services.voicemail.telephone.keys_heard import KeysHeard

_TONES = {
    key: (low, high)
    for low, row in zip((697, 770, 852, 941), ("123A", "456B", "789C", "*0#D"), strict=True)
    for high, key in zip((1209, 1336, 1477, 1633), row, strict=True)
}


def _pressed(keys: str, *, milliseconds: int = 100, off: float = 1.0, twist: float = 1.0, noise: float = 0.0) -> Pcm:
    """Keys with pauses of the same length, through mu-law; ``off``: how wrong the frequencies are."""
    count = 8 * milliseconds
    parts = []
    for key in keys:
        low, high = (frequency * off for frequency in _TONES[key])
        times = np.arange(count) / 8000
        wave = np.sin(2 * np.pi * low * times) + twist * np.sin(2 * np.pi * high * times)
        parts += [wave * 6000 / (1 + twist), np.zeros(count)]
    wave = np.concatenate(parts)
    wave += np.random.default_rng(1).normal(0, noise, len(wave))
    return decoding_table("mu")[encoding_table("mu")[wave.astype(np.int16).view(np.uint16)]]


def _heard(pcm: Pcm) -> str:
    ear = KeysHeard()
    return "".join(ear.feed(pcm[at : at + 160]) for at in range(0, len(pcm), 160))


@pytest.mark.parametrize(
    "how",
    [{}, {"milliseconds": 80}, {"off": 1.012}, {"off": 0.988}, {"twist": 1.8}, {"twist": 0.55}, {"noise": 300.0}],
)
def test_every_key_is_heard_once(how: dict[str, float]) -> None:
    keys = "8264#*0159ABCD3377"
    assert _heard(_pressed(keys, **how)) == keys  # type: ignore[arg-type]


def test_a_key_that_is_held_is_one() -> None:
    assert _heard(_pressed("5", milliseconds=1000)) == "5"


@pytest.mark.parametrize("frequency", [350, 440, 697, 1000, 1209, 1477])
def test_a_single_tone_is_no_key(frequency: int) -> None:
    wave = np.sin(2 * np.pi * frequency * np.arange(16_000) / 8000) * 8000
    assert _heard(wave.astype(np.int16)) == ""


def test_speech_is_no_key() -> None:
    for name in ("main-menu", "play-menu", "which-greeting", "switched-greeting-menu"):
        for language in ("en", "de"):
            assert _heard(prompts.prompt(language, name).pcm[::2].copy()) == ""
