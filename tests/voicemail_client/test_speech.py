"""Writing down what is said, with the real package and a small model of its kind whose weights are made here: it
understands nothing, but takes the whole way from a telephone's sound to words of its vocabulary."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ringback.client.voicemail import speech
from ringback.client.voicemail.sounds import for_sending
from tests.voicemail.conftest import recorded

_WIDTH = 16
_TOKENS = 51_864  # of English models, by which the package knows them
_SPECIAL = (
    "<|endoftext|>", "<|startoftranscript|>", "<|en|>", *(f"<|l{number}|>" for number in range(98)),
    "<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>",
    *(f"<|{number * 0.02:.2f}|>" for number in range(1501)),
)  # fmt: skip
_WORDS = [f"w{number}" for number in range(_TOKENS - len(_SPECIAL))]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model: one layer each, random weights."""
    folder = tmp_path_factory.mktemp("model")
    specs: Any = importlib.import_module("ctranslate2.specs")
    spec = specs.WhisperSpec(1, 2, 1, 2)
    _fill(spec.encoder, spec.decoder, np.random.default_rng(1))
    spec.register_vocabulary([*_WORDS, *_SPECIAL])
    spec.config.suppress_ids, spec.config.suppress_ids_begin = [], []
    spec.config.lang_ids, spec.config.alignment_heads = [len(_WORDS) + 2], [[0, 0]]
    spec.validate()
    spec.save(str(folder))
    tokenizers: Any = importlib.import_module("tokenizers")
    words = {word: number for number, word in enumerate([*_WORDS, *_SPECIAL])}
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="w0"))
    made.add_special_tokens([tokenizers.AddedToken(word, special=True) for word in _SPECIAL])
    made.save(str(folder / "tokenizer.json"))
    return folder


def _fill(encoder: Any, decoder: Any, random: np.random.Generator) -> None:
    def weights(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        return random.normal(0, 0.1, shape).astype(np.float32)

    def linear(spec: Any, given: int, made: int) -> None:
        spec.weight, spec.bias = weights(made, given), np.zeros(made, np.float32)

    def norm(spec: Any) -> None:
        spec.gamma, spec.beta = np.ones(_WIDTH, np.float32), np.zeros(_WIDTH, np.float32)

    def attention(spec: Any, *widths: int) -> None:
        norm(spec.layer_norm)
        for one, width in zip(spec.linear, widths, strict=True):
            linear(one, _WIDTH, width * _WIDTH)

    for convolution, channels in ((encoder.conv1, 80), (encoder.conv2, _WIDTH)):
        convolution.weight, convolution.bias = weights(_WIDTH, channels, 3), np.zeros(_WIDTH, np.float32)
    encoder.position_encodings.encodings = weights(1500, _WIDTH)
    decoder.position_encodings.encodings = weights(448, _WIDTH)
    decoder.embeddings.weight = decoder.projection.weight = weights(_TOKENS, _WIDTH)
    decoder.scale_embeddings = False
    norm(encoder.layer_norm)
    norm(decoder.layer_norm)
    for layer in (*encoder.layer, *decoder.layer):
        attention(layer.self_attention, 3, 1)
        norm(layer.ffn.layer_norm)
        linear(layer.ffn.linear_0, _WIDTH, 4 * _WIDTH)
        linear(layer.ffn.linear_1, 4 * _WIDTH, _WIDTH)
    for layer in decoder.layer:
        attention(layer.attention, 1, 2, 1)


def test_a_message_of_a_telephone_becomes_words_of_the_model(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(speech.VARIABLE, str(model))
    assert speech.model(Path("/nowhere")) == model
    assert speech.understood(for_sending(recorded(2.0)), model).startswith("w")


def test_a_model_without_its_words_is_not_used(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(speech.VARIABLE, str(tmp_path))
    (tmp_path / "model.bin").write_bytes((model / "model.bin").read_bytes())
    assert speech.model(tmp_path) is None
