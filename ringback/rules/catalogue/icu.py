"""The part of ICU messages that the catalogue uses: ``{name}``, ``plural`` with ``#``, ``select``, and ``''`` for an
apostrophe. The page has a whole implementation; this one is for the command line and the doctor.

Plural cases are ``=N``, ``one`` (exactly 1, as in English) and ``other``. What can't be read stands as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

_HEAD: Final = re.compile(r"\{([a-z_][a-z0-9_]*)\s*(?:\}|,\s*(plural|select)\s*,)")
_CASE: Final = re.compile(r"\s*(=?[\w-]+)\s*\{")


def arguments(message: str) -> Iterator[str]:
    """The names that a message wants values for, those of inner messages included."""
    return (found[1] for found in _HEAD.finditer(message))


def written(message: str, values: Mapping[str, str]) -> str:
    """The message with its values; a name without a value stays as it is."""
    parts, place = list[str](), 0
    while (found := _HEAD.search(message, place)) is not None:
        parts.append(_plain(message[place : found.start()]))
        name, kind = found[1], found[2]
        if kind is None:
            parts.append(values.get(name, found[0]))
            place = found.end()
            continue
        cases, place = _cases(message, found.end())
        chosen = _chosen(kind, cases, values.get(name, ""))
        if kind == "plural":
            chosen = chosen.replace("#", values.get(name, ""))
        parts.append(written(chosen, values))
    parts.append(_plain(message[place:]))
    return "".join(parts)


def _plain(text: str) -> str:
    return text.replace("''", "'")


def _cases(message: str, place: int) -> tuple[dict[str, str], int]:
    """The cases that begin at a place, and where the text goes on behind them."""
    cases: dict[str, str] = {}
    while (found := _CASE.match(message, place)) is not None:
        end = _closing(message, found.end())
        cases[found[1]] = message[found.end() : end]
        place = end + 1
    closing = message.find("}", place)
    return cases, len(message) if closing < 0 else closing + 1


def _closing(message: str, place: int) -> int:
    """Where the brace is closed that was opened before a place; the end where it never is."""
    depth = 1
    for at in range(place, len(message)):
        depth += (message[at] == "{") - (message[at] == "}")
        if not depth:
            return at
    return len(message)


def _chosen(kind: str, cases: Mapping[str, str], value: str) -> str:
    if kind == "select":
        return cases.get(value, cases.get("other", ""))
    usual = "one" if value == "1" else "other"
    return cases.get(f"={value}", cases.get(usual, cases.get("other", "")))
