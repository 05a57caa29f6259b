"""What a typed text would dial: pure, with the rules that were applied.

An address is dialled as it is. A number loses its separators, then the application dial rules of the company apply; an
emergency number is never changed, whatever the rules say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote

import phonenumbers
from phonenumbers import shortnumberinfo

from ringback.client.contacts.numbers import digits, shown_number
from ringback.rules.addresses import AddressError, parse_domain
from ringback.rules.dial_rules import DialRule, apply_rules
from ringback.rules.reasons import Reason

_LONGEST = 200


@dataclass(frozen=True, slots=True)
class DialEvidence:
    """What is known when something is to be dialled. ``region``: an ISO 3166 code, for emergency numbers."""

    text: str
    rules: Sequence[DialRule] = ()
    region: str = ""


@dataclass(frozen=True, slots=True)
class Dialled:
    """``dials`` goes to the call manager: digits, or an address; empty where the text can't be dialled."""

    dials: str
    shown: str = ""
    emergency: bool = False
    reasons: tuple[Reason, ...] = ()

    @property
    def is_address(self) -> bool:
        """Whether it is an address (``user@host``) and no number."""
        return "@" in self.dials


def plan_number(evidence: DialEvidence) -> Dialled:
    """Decide what a text dials."""
    text = evidence.text.strip()
    scheme, colon, rest = text.partition(":")
    if colon and scheme.lower() in ("sip", "sips", "tel", "callto", "ciscotel", "ciscoim"):
        text = unquote(rest.split(";")[0].split("?")[0]).removeprefix("//")
    if "@" in text:
        return _address(text)
    number = digits(text)
    if not number or len(number) > _LONGEST:
        return Dialled("", text, False, (Reason.of("calls.number.none", text=text[:_LONGEST]),))
    if is_emergency(number, evidence.region):
        return Dialled(number, number, True, (Reason.of("calls.number.emergency", number=number),))
    applied = apply_rules(number, evidence.rules)
    return Dialled(applied.number, shown_number(number), False, applied.reasons)


def is_emergency(number: str, region: str) -> bool:
    """Whether a number reaches an emergency service of the country, with or without a digit for an outside line."""
    if not region or not number.isdigit():
        return False
    candidates = [number, number[1:]] if number[0] in "09" and len(number) > 3 else [number]
    return any(shortnumberinfo.is_emergency_number(one, region) for one in candidates)


def region_of(numbers: Sequence[str]) -> str:
    """The country of the first international number among some, as an ISO 3166 code; empty where none is one."""
    for number in numbers:
        if number.startswith("+"):
            try:
                found = phonenumbers.region_code_for_number(phonenumbers.parse(number, None))
            except phonenumbers.NumberParseException:
                continue
            if found:
                return str(found)
    return ""


def _address(text: str) -> Dialled:
    user, _, host = text.rpartition("@")
    try:
        domain = parse_domain(host.partition(":")[0])
    except AddressError:
        domain = ""
    if not user or not domain or any(sign.isspace() for sign in user) or len(text) > _LONGEST:
        return Dialled("", text, False, (Reason.of("calls.number.none", text=text[:_LONGEST]),))
    return Dialled(f"{user}@{host}", text, False, (Reason.of("calls.number.address", address=text),))
