"""Every sentence about the directory can be told."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from ringback.rules import catalogue
from ringback.rules.catalogue import render
from ringback.rules.reasons import Reason

SENTENCES: dict[str, str] = json.loads((Path(catalogue.__file__).parent / "en" / "ldap.json").read_text())


@pytest.mark.parametrize("name", SENTENCES)
def test_a_sentence(name: str) -> None:
    values = dict.fromkeys(re.findall(r"\{(\w+)", SENTENCES[name]), "7")
    told = render(Reason(name, values))
    assert told.endswith((".", ")."))
    assert "{" not in told
