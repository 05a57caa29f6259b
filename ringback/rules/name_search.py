"""How a directory is searched by name: which texts count as the same, and what a typed name means.

The rules for blanks are those of the user data service's ``users?name=``: starts-with on first name, last name and
mail for one word; the two orders of first and last name for two and three words; further words are not looked at.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from enum import StrEnum

_NOT_DECOMPOSED = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ħ": "h", "ŧ": "t", "’": "'"}
)


class NameField(StrEnum):
    """What can be compared with the start of a typed word."""

    FIRST = "first"
    LAST = "last"
    EMAIL = "email"


@dataclass(frozen=True, slots=True)
class Alternative:
    """One way to match: every field starts with its folded text."""

    starts: tuple[tuple[NameField, str], ...]


def fold(text: str) -> str:
    """The form in which texts are compared: no case, no accents, single spaces. ``Zoë Ångström`` → ``zoe angstrom``."""
    if text.isascii():
        return " ".join(text.lower().split())
    # Decomposed before and after: letters of mathematics have no case of their own, and case folding composes some.
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    bare = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return " ".join(bare.translate(_NOT_DECOMPOSED).split())


def digits(text: str) -> str:
    """The ASCII digits of a number as written; ``+1 (408) 555-0100`` → ``14085550100``."""
    return "".join(letter for letter in unicodedata.normalize("NFKC", text) if letter.isascii() and letter.isdigit())


def alternatives(name: str) -> tuple[Alternative, ...]:
    """What a typed name means; a person matches who meets one of them. Empty for an empty name, which matches all."""
    words = fold(name).split()[:3]
    if not words:
        return ()
    first, last = NameField.FIRST, NameField.LAST
    if len(words) == 1:
        return tuple(Alternative(((field, words[0]),)) for field in NameField)
    pairs = [(" ".join(words[:cut]), " ".join(words[cut:])) for cut in range(1, len(words))]
    found = [Alternative(((first, one), (last, two))) for one, two in pairs]
    found += [Alternative(((last, one), (first, two))) for one, two in pairs]
    if len(words) == 2:
        whole = " ".join(words)
        found += [Alternative(((last, whole),)), Alternative(((first, whole),))]
    return tuple(found)
