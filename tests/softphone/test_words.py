"""Every reason that the softphone gives has its sentence, and every sentence is used."""

from __future__ import annotations

import json
import re
from pathlib import Path

import ringback

ROOT = Path(ringback.__file__).parent
_USED = re.compile(r'"(calls\.[a-z_]+\.[a-z_]+)"')
_MADE = re.compile(r'f"(calls\.[a-z_]+\.)\{')


def test_reasons_and_sentences_match() -> None:
    """Ids in the code of the client against the catalogue."""
    sentences = json.loads((ROOT / "rules" / "catalogue" / "en" / "calls.json").read_text())
    code = "".join(file.read_text() for file in sorted((ROOT / "client").rglob("*.py")))
    used, made = set(_USED.findall(code)), tuple(_MADE.findall(code))
    assert used <= set(sentences), used - set(sentences)
    assert {name for name in sentences if not name.startswith(made)} <= used
    assert all("error" not in text and "!" not in text for text in sentences.values())
