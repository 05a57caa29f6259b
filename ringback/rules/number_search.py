"""What a number that is looked for may be in the digits of a directory, whatever notation either side uses."""

from __future__ import annotations

import re
from dataclasses import dataclass

import phonenumbers

from ringback.rules.name_search import digits

_LONGEST = 40
_INNER = 5  # digits; shorter numbers are extensions and have no country
_BEGUN = 2  # digits behind a prefix that say something


@dataclass(frozen=True, slots=True)
class NumberSearch:
    """``starts``: a number is met that begins with one of these digits; ``ends``: one that ends with one of these."""

    starts: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()


def spellings(text: str, country: str = "", outside_prefix: str = "", digits_to_match: int = 4) -> NumberSearch:
    """What to compare. ``country`` (ISO 3166) reads national numbers, ``outside_prefix`` is what is dialled for an
    outside line. An end of fewer than ``digits_to_match`` digits is not compared.

    ``044 555 20 01``, ``0041445552001``, ``+41 (0)44 555 20 01`` and ``445552001`` all meet ``+41 44 555 20 01``, and
    it meets all of them: a number of the world is compared by the end that all its notations share.
    """
    kept = _without_trunk_zero(text)
    raw = digits(kept)[:_LONGEST]
    if not raw:
        return NumberSearch()
    starts, ends = [raw], [raw]
    for candidate in _candidates(kept, raw, outside_prefix):
        parsed = _parsed(candidate, country) if len(candidate) >= _INNER else None
        if parsed is None:
            starts += _begun(candidate, country)
            continue
        starts.append(f"{parsed.country_code}{phonenumbers.national_significant_number(parsed)}")
        ends.append(phonenumbers.national_significant_number(parsed))
    long_enough = (end for end in ends if len(end) >= digits_to_match)
    return NumberSearch(tuple(dict.fromkeys(starts)), tuple(dict.fromkeys(long_enough)))


def kept_digits(text: str, country: str = "") -> frozenset[str]:
    """A number of a person in the digits to keep for searches: as written, and in E.164 form where it is of the world
    or, with a ``country``, one written nationally."""
    raw = digits(_without_trunk_zero(text))
    if not raw:
        return frozenset()
    found = {raw}
    if len(raw) >= _INNER:
        parsed = _parsed(f"+{raw}" if text.lstrip().startswith("+") else raw, country)
        if parsed is not None:
            found.add(f"{parsed.country_code}{phonenumbers.national_significant_number(parsed)}")
    return frozenset(found)


def _begun(text: str, country: str) -> list[str]:
    """The beginning in E.164 form of a number whose beginning is dialled as in a country: ``41445`` of ``0445``,
    ``4144`` of ``004144``."""
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(country, None) if country else None
    if metadata is None or text.startswith("+"):
        return []
    abroad = re.match(metadata.international_prefix or "(?!)", text)
    if abroad is not None:
        return [text[abroad.end() :]] if len(text) - abroad.end() >= _BEGUN else []
    trunk = metadata.national_prefix or ""
    if trunk and text.startswith(trunk) and len(text) - len(trunk) >= _BEGUN:
        return [f"{metadata.country_code}{text[len(trunk) :]}"]
    return []


def _without_trunk_zero(text: str) -> str:
    """``+41 (0)44``: the 0 is only dialled inside the country."""
    return text.replace("(0)", "") if "+" in text else text


def _candidates(text: str, raw: str, outside_prefix: str) -> list[str]:
    found = [f"+{raw}" if text.lstrip().startswith("+") else raw]
    if outside_prefix and raw.startswith(outside_prefix) and not text.lstrip().startswith("+"):
        found.append(raw[len(outside_prefix) :])
    return found


def _parsed(text: str, country: str) -> phonenumbers.PhoneNumber | None:
    try:
        parsed = phonenumbers.parse(text, country or None)
    except phonenumbers.NumberParseException:
        return None
    return parsed if phonenumbers.is_valid_number(parsed) else None
