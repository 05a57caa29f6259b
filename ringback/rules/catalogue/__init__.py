"""The sentences of all reasons: one catalogue for page, doctor and scripts.

A language is a folder of JSON files, each a flat object from reason id to message. Messages hold arguments, ``plural``
and ``select`` (``icu``); a brace is never needed as such.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType

from ringback.rules.catalogue.icu import arguments, written
from ringback.rules.reasons import Reason


class CatalogueError(ValueError):
    """A language is not there, or its files are broken or contradict each other; the message says where."""


@lru_cache(maxsize=8)
def catalogue(language: str = "en") -> MappingProxyType[str, str]:
    """All messages of a language by id. Raises CatalogueError."""
    if not re.fullmatch(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*", language):
        raise CatalogueError(f"{language!r} is not a language")
    folder = files(__name__) / language
    if not folder.is_dir():
        raise CatalogueError(f"There is no catalogue in {language}")
    messages: dict[str, str] = {}
    for file in sorted(folder.iterdir(), key=lambda each: each.name):
        if not file.name.endswith(".json"):
            continue
        try:
            area = json.loads(file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise CatalogueError(f"{file.name}: {error}") from error
        for reason_id, message in area.items():
            if messages.setdefault(reason_id, message) != message:
                raise CatalogueError(f"{reason_id} stands twice, the second time in {file.name}")
    return MappingProxyType(messages)


def arguments_of(message: str) -> frozenset[str]:
    """The names that a message wants values for."""
    return frozenset(arguments(message))


def render(reason: Reason, language: str = "en") -> str:
    """The sentence of a reason; an id without a sentence is shown as it is, with its values, so nothing is lost."""
    message = catalogue(language).get(reason.id)
    if message is None:
        values = ", ".join(f"{name} {value}" for name, value in reason.values.items())
        return f"{reason.id} ({values})" if values else reason.id
    return written(message, reason.values)
