"""Dial rules of clients: which fits, what it makes of a number, and the files that carry them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.protocols.dial_rules import DialRulesError, build, parse
from ringback.rules.dial_rules import DialRule, apply_rules, look_up_number

US = DialRule("+1", 12, 1, "9")
LOCAL = DialRule("555", 7, 0, "9")
ANY = DialRule("", 0, 0, "")


def test_the_first_rule_that_fits_counts() -> None:
    assert apply_rules("+12125550123", [US, LOCAL]).number == "912125550123"
    assert apply_rules("5550123", [US, LOCAL]).number == "95550123"
    assert apply_rules("5550123", [ANY, LOCAL]).rule is ANY


def test_start_and_length_must_both_fit() -> None:
    for number in ("+1212555012", "+121255501234", "12125550123", "+442125550123"):
        applied = apply_rules(number, [US])
        assert (applied.number, applied.rule) == (number, None)
        assert applied.reasons[0].id == "dialrule.none"


def test_look_up_rules_turn_callers_into_what_the_directory_has() -> None:
    assert look_up_number("2001", [DialRule("2", 4, 0, "+4144555")]).number == "+41445552001"


def test_the_documented_sample_is_read() -> None:
    sample = b"""<?xml version="1.0" encoding="UTF-8"?>
    <DialRules><DialRule BeginsWith="+1" NumDigits="12" DigitsToRemove="1" PrefixWith="9"/></DialRules>"""
    assert parse(sample) == (US,)


texts = st.text(alphabet="0123456789+*#", max_size=10)
counts = st.integers(0, 999)
rules = st.lists(st.builds(DialRule, begins_with=texts, length=counts, remove=counts, prefix=texts), max_size=4)


@given(rules)
def test_what_is_written_is_read_again(given_rules: list[DialRule]) -> None:
    assert parse(build(given_rules)) == tuple(given_rules)


@pytest.mark.parametrize(
    "data",
    [b"", b"<x/>", b"<DialRules><DialRule NumDigits='many'/></DialRules>", b"<DialRules><DialRule"],
)
def test_another_file_is_refused(data: bytes) -> None:
    with pytest.raises(DialRulesError):
        parse(data)
