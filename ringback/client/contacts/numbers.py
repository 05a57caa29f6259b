"""Phone numbers for reading: international ones grouped as their country does, inner ones left as they are."""

from __future__ import annotations

from functools import lru_cache

import phonenumbers


@lru_cache(maxsize=4096)
def shown_number(value: str) -> str:
    """A number as people of its country write it; what is no number of the world stays as it is."""
    if not value.startswith("+"):
        return value
    try:
        number = phonenumbers.parse(value, None)
    except phonenumbers.NumberParseException:
        return value
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)


def digits(text: str) -> str:
    """What of a text can be dialled; empty where it is no number."""
    kept = "".join(sign for sign in text if sign.isdigit() or sign in "+*#")
    others = sum(1 for sign in text if not (sign.isdigit() or sign in "+*#()-./ "))
    return kept if kept and not others else ""
