"""Application dial rules and directory look-up rules: what a client makes of a number before it dials or looks it up.

Both are tables that clients load as files (``protocols.dial_rules``): the first rule whose start and length fit takes
digits away and puts others in front. Application rules turn what a person typed into what the call manager wants;
directory look-up rules turn the number of a caller into the number that the directory has.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ringback.rules.reasons import Reason


@dataclass(frozen=True, slots=True)
class DialRule:
    """A rule. ``length`` 0 fits any length; ``remove`` digits go from the start, then ``prefix`` comes in front."""

    begins_with: str = ""
    length: int = 0
    remove: int = 0
    prefix: str = ""
    name: str = ""

    def fits(self, number: str) -> bool:
        """Whether this rule is for this number. A ``+`` counts as one of its digits."""
        return number.startswith(self.begins_with) and self.length in (0, len(number))

    def apply(self, number: str) -> str:
        """The number after the rule."""
        return self.prefix + number[self.remove :]


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a number, and by which rule (None: none fits, the number stays)."""

    number: str
    rule: DialRule | None
    reasons: tuple[Reason, ...]


def apply_rules(number: str, rules: Iterable[DialRule]) -> Applied:
    """Application dial rules on a number to dial, in digits with an optional ``+`` in front."""
    return _apply(number, rules, "dialrule.applied", "dialrule.none")


def look_up_number(number: str, rules: Iterable[DialRule]) -> Applied:
    """Directory look-up rules on the number of a caller: the number to look for in the directory."""
    return _apply(number, rules, "dialrule.looked-up", "dialrule.look-up.none")


def _apply(number: str, rules: Iterable[DialRule], applied: str, unchanged: str) -> Applied:
    for rule in rules:
        if rule.fits(number):
            result = rule.apply(number)
            reason = Reason.of(applied, number=number, result=result, begins=rule.begins_with or "*")
            return Applied(result, rule, (reason,))
    return Applied(number, None, (Reason.of(unchanged, number=number),))
