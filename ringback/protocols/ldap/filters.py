"""Filters as trees (RFC 4511 section 4.5.1.7). Values are octets in them: nothing typed can become a filter."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from sansldap import (
    FilterAnd,
    FilterEquality,
    FilterNot,
    FilterOr,
    FilterPresent,
    FilterSubstrings,
    LDAPFilter,
)

from ringback.protocols.ldap.errors import LdapFormatError

_DEEPEST = 32  # parentheses within one another
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9-]*\Z")


def equals(attribute: str, value: str) -> LDAPFilter:
    """The attribute has this value, as the directory compares it."""
    return FilterEquality(attribute, _octets(value))


def present(attribute: str) -> LDAPFilter:
    """The attribute has any value."""
    return FilterPresent(attribute)


def starts(attribute: str, value: str) -> LDAPFilter:
    """The attribute begins with this; with nothing, it is there at all."""
    return FilterSubstrings(attribute, _octets(value), [], None) if value else FilterPresent(attribute)


def contains(attribute: str, value: str) -> LDAPFilter:
    """The attribute has this somewhere in it."""
    return FilterSubstrings(attribute, None, [_octets(value)], None) if value else FilterPresent(attribute)


def ends(attribute: str, value: str) -> LDAPFilter:
    """The attribute ends with this."""
    return FilterSubstrings(attribute, None, [], _octets(value)) if value else FilterPresent(attribute)


def spread(attribute: str, parts: Sequence[str]) -> LDAPFilter:
    """The attribute is these texts in order with anything between them; one text: exactly that one. Empty ones at the
    ends mean that anything may stand there."""
    if len(parts) == 1:
        return equals(attribute, parts[0])
    between = [_octets(part) for part in parts[1:-1] if part]
    first, last = _octets(parts[0]) or None, _octets(parts[-1]) or None
    if first is None and last is None and not between:
        return FilterPresent(attribute)
    return FilterSubstrings(attribute, first, between, last)


def all_of(*filters: LDAPFilter) -> LDAPFilter:
    """All hold. Raises ValueError without any."""
    return _joined(filters, FilterAnd)


def any_of(*filters: LDAPFilter) -> LDAPFilter:
    """One holds at least; the same one twice counts once. Raises ValueError without any."""
    return _joined(filters, FilterOr)


def none_of(wanted: LDAPFilter) -> LDAPFilter:
    """It does not hold."""
    return FilterNot(wanted)


def parse_filter(text: str, *, lenient: bool = False) -> LDAPFilter | None:
    """An administrator's filter (RFC 4515); None where it is empty. Raises LdapFormatError.

    ``lenient`` takes what older clients took: parentheses missing at the end are added (the documented default filter
    lacks one), and a single word is the name of an object class.
    """
    text = text.strip()
    if not text:
        return None
    if lenient and _WORD.match(text):
        return equals("objectClass", text)
    if _depth(text) > _DEEPEST:
        raise LdapFormatError("it is nested too deeply")
    try:
        return LDAPFilter.from_string(text + ")" * (_missing(text) if lenient else 0))
    except (ValueError, IndexError, RecursionError) as error:
        raise LdapFormatError(str(error).splitlines()[0] if str(error) else "it is no filter") from error


def _octets(value: str) -> bytes:
    return value.encode("utf-8", "replace")


def _joined(filters: Iterable[LDAPFilter], kind: type[FilterAnd] | type[FilterOr]) -> LDAPFilter:
    found: list[LDAPFilter] = []
    for one in filters:
        found.extend(each for each in (one.filters if isinstance(one, kind) else (one,)) if each not in found)
    if not found:
        raise ValueError("A filter of none is no filter")
    return found[0] if len(found) == 1 else kind(found)


def _depth(text: str) -> int:
    depth = deepest = 0
    for sign in text:
        depth += (sign == "(") - (sign == ")")
        deepest = max(deepest, depth)
    return deepest


def _missing(text: str) -> int:
    return max(0, text.count("(") - text.count(")"))
