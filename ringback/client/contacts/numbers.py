"""Phone numbers: for reading grouped as their country does, for comparing in one form whatever the notation."""

from __future__ import annotations

import re
from functools import lru_cache

import phonenumbers

from ringback.rules import name_search

_INTERNATIONAL = re.compile(r"\s*\+[1-9][0-9 ./-]{5,18}\Z")  # nothing in it that needs a country's rules


@lru_cache(maxsize=4096)
def shown_number(value: str, region: str = "") -> str:
    """A number as people of its country write it; what is no number of the world stays as it is. ``region``: ISO 3166
    code in which national numbers are read."""
    if not value.startswith("+") and not region:
        return value
    try:
        number = phonenumbers.parse(value, region or None)
    except phonenumbers.NumberParseException:
        return value
    if not value.startswith("+"):
        valid = phonenumbers.is_valid_number(number)
        return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL) if valid else value
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)


def digits(text: str) -> str:
    """What of a text can be dialled; empty where it is no number."""
    kept = "".join(sign for sign in text if sign.isdigit() or sign in "+*#")
    others = sum(1 for sign in text if not (sign.isdigit() or sign in "+*#()-./ "))
    return kept if kept and not others else ""


@lru_cache(maxsize=256)
def typed_keys(typed: str, region: str = "") -> tuple[str, ...]:
    """In which forms a number that is being typed may be a part of a ``number_key``: the digits, the key, and for
    somebody who begins as one dials at home (``030 55``) the beginning with the country (``493055``)."""
    keys = [name_search.digits(typed), number_key(typed, region)]
    if region and typed.startswith("0"):
        try:
            number = phonenumbers.parse(typed, region)
        except phonenumbers.NumberParseException:
            number = None
        if number is not None:
            keys.append(f"{number.country_code}{number.national_number}")
    return tuple(dict.fromkeys(key for key in keys if key))


@lru_cache(maxsize=65536)
def number_key(value: str, region: str = "") -> str:
    """The form in which numbers are compared: digits, those of E.164 without ``+`` for a number of the world.

    ``region`` is the ISO 3166 code in which national notations (``030 5550 100``) are read; without one only numbers
    with ``+`` become international. A text without digits gives an empty key. Extensions (``;ext=12``) count.
    """
    bare = name_search.digits(value)
    if not bare:
        return ""
    if _INTERNATIONAL.match(value):
        return bare
    if len(bare) < 5 and not value.lstrip().startswith("+"):
        return bare  # an inner number: no country has such
    try:
        number = phonenumbers.parse(value, region or None)
    except phonenumbers.NumberParseException:
        return bare
    if not phonenumbers.is_possible_number(number):
        return bare
    key = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)[1:]
    return f"{key};{number.extension}" if number.extension else key
