"""Number patterns, in the notation that administrators of call managers know.

``X`` stands for a digit, ``[2-5]`` and ``[^2-5]`` for one of some or of all others, ``!`` for one or more digits, ``+``
(or ``\\+``) for itself; digits, ``*``, ``#`` and the letters A to D for themselves. ``.`` matches nothing: what stands
before it can be taken away. Of several patterns that match, the one that fits the fewest numbers counts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

_LITERALS = frozenset("0123456789*#ABCD+")
_SET = re.compile(r"\[(\^?)([0-9*#+-]+)\]")
_MANY = 10**9  # how many numbers ``!`` fits: more than any written-out pattern


class PatternError(ValueError):
    """The text is no number pattern; the message says where it stops being one."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern, compiled. ``breadth`` is how many numbers of one length it fits: the smaller, the closer."""

    text: str
    breadth: int
    _whole: re.Pattern[str]

    def matches(self, number: str) -> bool:
        """Whether the whole number fits."""
        return self._whole.fullmatch(number) is not None

    def before_dot(self, number: str) -> str:
        """The part of a number that fits what stands before the dot; empty without a dot or where it does not fit."""
        found = self._whole.fullmatch(number)
        return found["predot"] if found and "predot" in found.groupdict() else ""


@lru_cache(maxsize=4096)
def compile_pattern(text: str) -> Pattern:
    """Read a pattern. Raises PatternError."""
    if not text.strip(".") or len(text) > 50:
        raise PatternError("A number pattern has 1 to 50 characters")
    if text.count(".") > 1:
        raise PatternError(f"{text!r} has more than one dot")
    parts: list[str] = []
    breadth = 1
    position = 0
    while position < len(text):
        step, part, fits = _next_part(text, position)
        position += step
        breadth *= fits
        parts.append(part)
    expression = "".join(parts)
    if "" in parts:  # the dot
        cut = parts.index("")
        expression = f"(?P<predot>{''.join(parts[:cut])}){''.join(parts[cut:])}"
    return Pattern(text, breadth, re.compile(expression))


def _next_part(text: str, position: int) -> tuple[int, str, int]:
    """How many characters the next part takes, its expression, and how many signs fit it."""
    sign = text[position]
    if sign == "\\" and text[position + 1 : position + 2] == "+":
        return 2, re.escape("+"), 1
    if sign == "[":
        found = _SET.match(text, position)
        if found is None:
            raise PatternError(f"{text!r}: the set from character {position + 1} on is not closed or has other signs")
        letters = _letters(found[2], text)
        fits = sum((letter in letters) != bool(found[1]) for letter in "0123456789")
        return len(found[0]), f"[{found[1]}{re.escape(''.join(sorted(letters)))}]", max(fits, 1)
    if sign == "X":
        return 1, "[0-9]", 10
    if sign == "!":
        return 1, "[0-9]+", _MANY
    if sign == ".":
        return 1, "", 1
    if sign in _LITERALS:
        return 1, re.escape(sign), 1
    raise PatternError(f"{text!r}: {sign!r} may not stand in a number pattern")


def _letters(body: str, text: str) -> set[str]:
    letters: set[str] = set()
    position = 0
    while position < len(body):
        first = body[position]
        if body[position + 1 : position + 2] == "-" and position + 2 < len(body):
            last = body[position + 2]
            if not (first.isdigit() and last.isdigit() and first <= last):
                raise PatternError(f"{text!r}: {first}-{last} is not a range of digits")
            letters.update(str(digit) for digit in range(int(first), int(last) + 1))
            position += 3
        else:
            letters.add(first)
            position += 1
    return letters


def masked(number: str, mask: str) -> str:
    """A number through a transformation mask: ``X`` takes the digit from the right, other signs stand for themselves.

    ``masked("2001", "+414455520XX")`` is ``+41445552001``: only the last two digits are asked for.
    """
    kept = list(number)
    out = [kept.pop() if sign == "X" and kept else sign for sign in reversed(mask) if sign != "X" or kept]
    return "".join(reversed(out))
