"""Which directory number a new person gets."""

from __future__ import annotations

from ringback.rules.dial_plan import clean
from ringback.rules.reasons import Reason
from ringback.services.callmanager.synchronisation.agreement import FeatureGroup


def masked(phone: str, mask: str) -> str:
    """A telephone number through a mask: from the right each ``X`` takes a digit, other signs stand as they are. Empty
    where there are fewer digits than the mask takes. ``+41 44 555 20 01`` through ``8XXX`` is ``8001``."""
    digits = [sign for sign in phone if sign.isdigit()]
    made = []
    for sign in reversed(mask):
        if sign in "Xx":
            if not digits:
                return ""
            made.append(digits.pop())
        else:
            made.append(sign)
    return "".join(reversed(made))


def number_of(phone: str, group: FeatureGroup) -> str:
    """The directory number that a telephone number becomes; empty where it becomes none."""
    if group.mask:
        return masked(phone, group.mask)
    number = clean(phone)
    if not group.digits:
        return number if number.lstrip("+").isdigit() else ""
    digits = "".join(sign for sign in number if sign.isdigit())
    return digits[-group.digits :] if len(digits) >= group.digits else ""


class Numbers:
    """Gives each number once in a run. ``taken`` are those in use."""

    def __init__(self, group: FeatureGroup, taken: frozenset[str]) -> None:
        self._group = group
        self._taken = set(taken)
        self._free = iter(group.pool)

    def elsewhere(self, phone: str) -> str:
        """The number that a person of another cluster has there; one out of its pool is not known here."""
        return number_of(phone, self._group)

    def take(self, phone: str) -> tuple[str, Reason]:
        """A number for a person with this telephone number, and where it is from; empty: there is none."""
        made = number_of(phone, self._group)
        if made and made not in self._taken:
            self._taken.add(made)
            return made, Reason.of("sync.number.made", number=made, phone=phone)
        for number in self._free:
            if number not in self._taken:
                self._taken.add(number)
                return number, Reason.of("sync.number.pool", number=number)
        if made:
            return "", Reason.of("sync.number.taken", number=made)
        return "", Reason.of("sync.number.none")
