"""Domains that were probably meant: close to one that is known here, or one slip of the fingers away."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

_CANDIDATES = 40  # how many names may be looked up for a suggestion


def closest_domain(typed: str, known: Iterable[str]) -> str:
    """The known domain that differs from the typed one by at most two slips; empty where there is none."""
    best = min(((_slips(typed, each), each) for each in set(known) if each != typed), default=(9, ""))
    return best[1] if best[0] <= min(2, len(typed) // 4) else ""


def near_domains(typed: str) -> tuple[str, ...]:
    """Names one slip away from the typed one: two letters exchanged, or one typed too much; likely ones first."""
    return tuple(dict.fromkeys(each for each in _near(typed) if each != typed and "." in each))[:_CANDIDATES]


def _near(typed: str) -> Iterator[str]:
    for i in range(len(typed) - 1):
        if "." not in typed[i : i + 2]:
            yield typed[:i] + typed[i + 1] + typed[i] + typed[i + 2 :]
    for i in range(1, len(typed)):
        if typed[i] == typed[i - 1] != ".":
            yield typed[:i] + typed[i + 1 :]
    labels = typed.rsplit(".", 1)
    if len(labels) == 2:
        yield from (f"{labels[0]}.{meant}" for meant in _ENDINGS.get(labels[1], ()))


_ENDINGS = {
    "con": ("com",),
    "co": ("com",),
    "cm": ("com",),
    "om": ("com",),
    "og": ("org",),
    "ne": ("net",),
    "d": ("de",),
}


def _slips(one: str, other: str) -> int:
    """How many letters must be exchanged, changed, added or dropped (optimal string alignment); 9 for far ones."""
    if abs(len(one) - len(other)) > 2:
        return 9
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        earlier, before, row = before, row, [i]
        for j, wanted in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != wanted))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == wanted:
                cost = min(cost, earlier[j - 2] + 1)
            row.append(cost)
    return row[-1]
