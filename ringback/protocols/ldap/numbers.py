"""How a directory may write a number that is looked for: directories compare texts, so each notation is asked for."""

from __future__ import annotations

import phonenumbers
from phonenumbers import AsYouTypeFormatter, PhoneNumberFormat

from ringback.rules.phone_masks import PhoneMask, masked

_FORMATS = (PhoneNumberFormat.E164, PhoneNumberFormat.INTERNATIONAL, PhoneNumberFormat.NATIONAL)
_LONGEST = 40
_INNER = 5  # digits; shorter numbers are those of a private branch exchange and have no country


def dialled(text: str) -> str:
    """The digits of a number with its leading ``+``, where it has one."""
    digits = "".join(sign for sign in text if sign.isascii() and sign.isdigit())[:_LONGEST]
    return f"+{digits}" if digits and text.lstrip().startswith("+") else digits


def notations(number: str, region: str, masks: tuple[PhoneMask, ...]) -> tuple[tuple[str, ...], ...]:
    """The ways in which a whole number may be written, each as the texts between wildcards (one: exactly that).

    The masks' come first, then the number as it came, its digits, and where it is a number of the world (``region`` as
    ISO 3166 code reads national ones) the ways of E.123.
    """
    bare = dialled(number)
    if not bare:
        return ()
    found: list[tuple[str, ...]] = [*masked(bare, masks), (number.strip(),), (bare,), (bare.lstrip("+"),)]
    parsed = _parsed(bare, region)
    if parsed is not None:
        world = phonenumbers.format_number(parsed, PhoneNumberFormat.E164)
        found += masked(world, masks)
        for one in _FORMATS:
            written = phonenumbers.format_number(parsed, one)
            found += [(written,), ("".join(sign for sign in written if sign.isdigit() or sign == "+"),)]
    return tuple(dict.fromkeys(found))


def beginnings(number: str, region: str) -> tuple[str, ...]:
    """The ways in which a number may begin of which the first digits were typed."""
    bare = dialled(number)
    if not bare:
        return ()
    found = [number.strip(), bare]
    world = bare if bare.startswith("+") else _abroad(bare, region)
    if world != bare:
        found.append(world)
    if not bare.startswith("+"):
        found.append(f"+{bare}")
    for start, where in ((bare, region), (world, "")):
        if where or start.startswith("+"):
            found.append(_as_typed(start, where))
    return tuple(dict.fromkeys(text for text in found if text))


def _abroad(bare: str, region: str) -> str:
    """The beginning of a national number as it is from abroad; as it is where it is none."""
    code = phonenumbers.country_code_for_region(region) if region else 0
    prefix = phonenumbers.ndd_prefix_for_region(region, True) if code else None
    if not code or not prefix or not bare.startswith(prefix) or len(bare) < _INNER:
        return bare
    return f"+{code}{bare.removeprefix(prefix)}"


def _as_typed(start: str, region: str) -> str:
    formatter = AsYouTypeFormatter(region or "ZZ")
    written = ""
    for sign in start:
        written = formatter.input_digit(sign)
    return written.strip()


def any_notation(number: str) -> tuple[str, ...]:
    """The number with anything between and around its digits, for ``spread`` (``UseWildcards``)."""
    return ("", *dialled(number).lstrip("+"), "")


def _parsed(bare: str, region: str) -> phonenumbers.PhoneNumber | None:
    if len(bare) < _INNER and not bare.startswith("+"):
        return None
    try:
        parsed = phonenumbers.parse(bare, region or None)
    except phonenumbers.NumberParseException:
        return None
    return parsed if phonenumbers.is_possible_number(parsed) else None
