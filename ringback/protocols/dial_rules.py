"""The files ``AppDialRules.xml`` and ``DirLookupDialRules.xml``: dial rules that clients apply by themselves.

Names are case-sensitive and the first rule that fits counts. The shape of the first file is confirmed; that the second
has the same is inferred.
"""

from __future__ import annotations

from collections.abc import Iterable

from ringback.protocols import markup
from ringback.protocols.markup import Element
from ringback.rules.dial_rules import DialRule

APPLICATION_RULES = "AppDialRules.xml"
LOOK_UP_RULES = "DirLookupDialRules.xml"


class DialRulesError(ValueError):
    """The bytes are no file of dial rules; the message says why."""


def parse(data: bytes) -> tuple[DialRule, ...]:
    """The rules of a file, in their order. Raises DialRulesError."""
    try:
        root = markup.parse(data)
    except markup.MarkupError as error:
        raise DialRulesError(str(error)) from error
    if root.name != "DialRules":
        raise DialRulesError(f"The file starts with <{root.name}> where <DialRules> was expected")
    return tuple(_rule(element) for element in root.all("DialRule"))


def build(rules: Iterable[DialRule]) -> bytes:
    """A file of these rules."""
    return markup.build(
        Element(
            "DialRules",
            children=tuple(
                Element(
                    "DialRule",
                    {
                        "BeginsWith": rule.begins_with,
                        "NumDigits": str(rule.length),
                        "DigitsToRemove": str(rule.remove),
                        "PrefixWith": rule.prefix,
                    },
                )
                for rule in rules
            ),
        )
    )


def _rule(element: Element) -> DialRule:
    given = element.attributes
    return DialRule(
        begins_with=given.get("BeginsWith", ""),
        length=_count(given.get("NumDigits", "0")),
        remove=_count(given.get("DigitsToRemove", "0")),
        prefix=given.get("PrefixWith", ""),
    )


def _count(text: str) -> int:
    if not text.strip():
        return 0
    if text.isascii() and text.isdigit() and len(text) < 4:
        return int(text)
    raise DialRulesError(f"{text!r} is not a count of digits")
