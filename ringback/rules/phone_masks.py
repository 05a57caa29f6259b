"""Phone number masks: how the directory writes a number that arrives in plain digits (``PhoneNumberMasks``).

The text is a list of pairs separated by ``|``: the beginning of a number, and the mask for numbers that begin so. In a
mask ``#`` takes a digit of the number, a digit stands for itself and uses one up, ``*`` stands for anything, other
signs are written as they are. ``R`` in front: the digits are filled in from the right. A mask that does not take
exactly the digits of a number does not apply to it (from the right: the signs left of the last digit stay as written).
Source: deployment guide 10.6, "Phone Number Masks Parameter"; what happens to digits that don't fit is chosen.
"""

from __future__ import annotations

from dataclasses import dataclass

_WILD = "*"
_REVERSE = "R"


@dataclass(frozen=True, slots=True)
class PhoneMask:
    """One pair. ``beginning`` keeps a leading ``+``."""

    beginning: str
    mask: str

    def of(self, number: str) -> tuple[str, ...]:
        """How the directory writes a number (digits, ``+`` in front allowed): the texts between its wildcards, one
        where it has none. Empty where the mask does not apply."""
        if not number.startswith(self.beginning):
            return ()
        digits = [sign for sign in number if sign.isascii() and sign.isdigit()]
        reverse = self.mask.startswith(_REVERSE)
        signs = list(self.mask[1:] if reverse else self.mask)
        written = _filled(signs[::-1], digits[::-1], strict=False) if reverse else _filled(signs, digits, strict=True)
        if written is None:
            return ()
        parts = "".join(written[::-1] if reverse else written).split(_WILD)
        return tuple(parts) if any(parts) else ()


def _filled(signs: list[str], digits: list[str], *, strict: bool) -> list[str] | None:
    """The signs with digits in their places; None where they are too many or, where that matters, too few."""
    left = iter(digits)
    written: list[str] = []
    for sign in signs:
        takes = sign == "#" or (sign.isascii() and sign.isdigit())
        digit = next(left, None) if takes else None
        if takes and digit is None and (strict or sign == "#"):
            return None
        written.append(digit if sign == "#" and digit is not None else sign)
    return written if next(left, None) is None else None


def read_masks(text: str) -> tuple[tuple[PhoneMask, ...], str]:
    """The masks of a parameter, and what at its end is no pair (empty: all was read)."""
    parts = [part.strip() for part in text.split("|")] if text.strip() else []
    pairs = zip(parts[::2], parts[1::2], strict=False)
    masks = tuple(PhoneMask(beginning, mask) for beginning, mask in pairs if beginning and mask.strip("R"))
    broken = parts[-1] if len(parts) % 2 else ""
    return masks, broken


def masked(number: str, masks: tuple[PhoneMask, ...]) -> tuple[tuple[str, ...], ...]:
    """All ways in which masks write a number, the ones for longer beginnings first, each once."""
    longest = sorted(masks, key=lambda mask: -len(mask.beginning))
    return tuple(dict.fromkeys(parts for mask in longest if (parts := mask.of(number))))
