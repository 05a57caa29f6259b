"""Where dialled texts go, by the plan of an office with a branch and a gateway."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.rules.catalogue import arguments_of, catalogue
from ringback.rules.dial_patterns import PatternError, compile_pattern, masked
from ringback.rules.dial_plan import (
    Caller,
    DialPlan,
    Origin,
    Route,
    RouteKind,
    RoutePattern,
    Translation,
    clean,
    e164,
    route,
)

PLAN = DialPlan(
    lines=frozenset({"2000", "2001", "2002", "2010"}),
    aliases={"+41445552001": "2001", "+41445552002": "2002"},
    addresses={"anita@example.com": "2001"},
    external={"2001": "+41445552001"},
    remote={"3001": "branch", "+49305553001": "branch", "leila@example.com": "branch"},
    domains=frozenset({"example.com", "cm1.example.com", "127.0.10.10"}),
    country="CH",
    outside_prefix="0",
    translations=(Translation("55.XXXX"), Translation("8[1-3]XX", prefix="+414455520", mask="XX")),
    routes=(
        RoutePattern("6XXX", cluster="branch"),
        RoutePattern("69XX", block=True),
        RoutePattern("9.!", trunk="legacy", prefix="00"),
    ),
    trunks=frozenset({"city", "legacy"}),
    default_trunk="city",
    emergency=frozenset({"999"}),
    emergency_to="2010",
    voicemail_pilot="2999",
    voicemail_trunk="unity",
    park_slots=("7101", "7102"),
)
INSIDE = Caller("2001")
OUTSIDE = Caller("+41791234567", Origin.OUTSIDE)
ELSEWHERE = Caller("3001", Origin.CLUSTER)


def where(found: Route) -> tuple[str, str, str]:
    """The parts of a route that say where."""
    return found.kind.value, found.number or found.uri, found.target


@pytest.mark.parametrize(
    ("dialled", "expected"),
    [
        ("2001", ("line", "2001", "")),
        (" 2001 ", ("line", "2001", "")),
        ("sip:2001@cm1.example.com;user=phone", ("line", "2001", "")),
        ("sip:2001@127.0.10.10:5060", ("line", "2001", "")),
        ("sip:2001;phone-context=x@example.com", ("line", "2001", "")),
        ("+41 44 555 20 02", ("line", "2002", "")),
        ("+41 (0)44 555-20-02", ("line", "2002", "")),
        ("tel:+41-44-555-2002;ext=1", ("line", "2002", "")),
        ("044 555 20 02", ("line", "2002", "")),
        ("0 044 555 20 02", ("line", "2002", "")),
        ("0041445552002", ("line", "2002", "")),
        ("0 0041 44 555 20 02", ("line", "2002", "")),
        ("Anita@Example.com", ("line", "2001", "")),
        ("sips:anita@example.com", ("line", "2001", "")),
        ("sip:%61nita@example.com", ("line", "2001", "")),
        ("55 2001", ("line", "2001", "")),
        ("8102", ("line", "2002", "")),
        ("3001", ("cluster", "3001", "branch")),
        ("+49 30 555 30 01", ("cluster", "+49305553001", "branch")),
        ("leila@example.com", ("cluster", "leila@example.com", "branch")),
        ("6123", ("cluster", "6123", "branch")),
        ("6912", ("refused", "", "")),
        ("912345", ("trunk", "0012345", "legacy")),
        ("0 079 123 45 67", ("trunk", "+41791234567", "city")),
        ("079 123 45 67", ("trunk", "+41791234567", "city")),
        ("+1 212 555 0123", ("trunk", "+12125550123", "city")),
        ("2999", ("voicemail", "2999", "unity")),
        ("7101", ("park", "7101", "")),
        ("*68", ("park", "", "")),
        ("*8", ("pickup-group", "", "")),
        ("*82002", ("pickup", "2002", "")),
        ("*91", ("pickup-group", "1", "")),
        ("*21*2002", ("forward-all", "2002", "")),
        ("#21#", ("forward-all", "", "")),
        ("x-cisco-serviceuri-pickup", ("pickup-group", "", "")),
        ("sip:x-cisco-serviceuri-pickup@cm1.example.com", ("pickup-group", "", "")),
        ("sip:x-cisco-serviceuri-blfpickup-2002@example.com", ("pickup", "2002", "")),
        ("sip:x-cisco-serviceuri-cfwdall-2002@example.com", ("forward-all", "2002", "")),
        ("somebody@other.example", ("uri", "somebody@other.example", "")),
        ("sip:2001@other.example", ("uri", "2001@other.example", "")),
        ("nobody@example.com", ("unknown", "", "")),
        ("4711", ("unknown", "", "")),
        ("hello", ("unknown", "", "")),
        ("", ("unknown", "", "")),
        ("+", ("unknown", "", "")),
    ],
)
def test_people_reach_what_they_dial(dialled: str, expected: tuple[str, str, str]) -> None:
    found = route(dialled, INSIDE, PLAN)
    assert where(found) == expected, found.reasons
    assert found.reasons
    assert found.dialled == dialled


@pytest.mark.parametrize("dialled", ["112", "117", "999", "0112", "0 112", "sip:112@example.com", "tel:112"])
@pytest.mark.parametrize("caller", [INSIDE, ELSEWHERE])
def test_emergency_numbers_are_never_blocked(dialled: str, caller: Caller) -> None:
    strict = replace(PLAN, routes=(RoutePattern("!", block=True),), translations=(Translation("112", prefix="9"),))
    found = route(dialled, caller, strict)
    assert where(found) == ("line", "2010", "")
    assert found.emergency


def test_emergency_calls_leave_by_the_gateway_that_the_plan_names() -> None:
    assert where(route("112", INSIDE, replace(PLAN, emergency_to="city"))) == ("trunk", "112", "city")
    assert where(route("112", INSIDE, replace(PLAN, emergency_to=""))) == ("trunk", "112", "city")
    assert where(route("112", INSIDE, replace(PLAN, emergency_to="3001"))) == ("cluster", "3001", "branch")
    nowhere = route("112", INSIDE, replace(PLAN, emergency_to="", default_trunk=""))
    assert nowhere.kind is RouteKind.UNKNOWN
    assert nowhere.emergency
    assert nowhere.reasons[-1].id == "dial.emergency.nowhere"


@pytest.mark.parametrize(
    ("dialled", "kind"),
    [
        ("2001", "line"), ("+41445552001", "line"), ("anita@example.com", "line"), ("3001", "cluster"),
        ("2999", "voicemail"), ("+12125550123", "refused"), ("0 079 123 45 67", "refused"), ("912345", "refused"),
        ("6123", "refused"), ("*8", "refused"), ("7101", "refused"), ("*21*2002", "refused"),
        ("x@other.example", "refused"), ("112", "unknown"),
    ],
)  # fmt: skip
def test_callers_from_outside_reach_people_and_get_no_line_out(dialled: str, kind: str) -> None:
    assert route(dialled, OUTSIDE, PLAN).kind.value == kind


def test_calls_from_another_cluster_are_not_sent_on_to_a_cluster() -> None:
    assert route("2001", ELSEWHERE, PLAN).kind is RouteKind.LINE
    assert route("3001", ELSEWHERE, PLAN).kind is RouteKind.REFUSED
    assert route("6123", ELSEWHERE, PLAN).kind is RouteKind.REFUSED
    assert route("+12125550123", ELSEWHERE, PLAN).kind is RouteKind.TRUNK
    assert route("7101", ELSEWHERE, PLAN).kind is RouteKind.REFUSED


def test_the_closest_pattern_counts_whatever_its_place() -> None:
    for routes in (PLAN.routes, tuple(reversed(PLAN.routes))):
        plan = replace(PLAN, routes=routes)
        assert route("6912", INSIDE, plan).reasons[-1].id == "dial.blocked"
        assert route("6812", INSIDE, plan).target == "branch"


def test_translations_in_circles_end() -> None:
    plan = replace(PLAN, translations=(Translation("5XXX", prefix="5", mask="XXX"),))
    found = route("5123", INSIDE, plan)
    assert found.kind is RouteKind.UNKNOWN
    assert found.reasons[-1].id == "dial.translation.loop"


def test_without_a_country_or_trunk_numbers_of_the_world_are_unknown() -> None:
    assert route("044 555 20 02", INSIDE, replace(PLAN, country="")).kind is RouteKind.UNKNOWN
    nowhere = route("+12125550123", INSIDE, replace(PLAN, default_trunk=""))
    assert (nowhere.kind, nowhere.reasons[-1].id) == (RouteKind.UNKNOWN, "dial.no-trunk")


def test_every_reason_has_its_sentence() -> None:
    texts = catalogue("en")
    for caller in (INSIDE, OUTSIDE, ELSEWHERE):
        for dialled in ("2001", "+41445552001", "8102", "912345", "6123", "6912", "112", "*8", "7101", "x@y.example"):
            for reason in route(dialled, caller, PLAN).reasons:
                assert arguments_of(texts[reason.id]) <= reason.values.keys(), reason


@given(st.text(max_size=300), st.sampled_from([INSIDE, OUTSIDE, ELSEWHERE]))
def test_any_text_is_answered(dialled: str, caller: Caller) -> None:
    found = route(dialled, caller, PLAN)
    assert found.reasons
    if caller is not INSIDE:
        assert found.kind not in (RouteKind.FORWARD_ALL, RouteKind.PARK, RouteKind.PICKUP, RouteKind.URI)
    if caller is OUTSIDE:
        assert found.kind is not RouteKind.TRUNK


@pytest.mark.parametrize(
    ("text", "fits", "not_fits"),
    [
        ("2XXX", ["2000", "2999"], ["200", "20000", "3000", "2A00"]),
        ("[2-5]XXX", ["2000", "5999"], ["6000"]),
        ("[^2-5]X", ["12", "90"], ["20"]),
        ("9.!", ["91", "9123"], ["9", "812"]),
        ("\\+41!", ["+411", "+41445552001"], ["41445552001", "+41"]),
        ("+41XX", ["+4112"], ["4112"]),
        ("*8X", ["*81"], ["*8", "881"]),
        ("[13]00", ["100", "300"], ["200"]),
    ],
)
def test_patterns_fit_what_they_say(text: str, fits: list[str], not_fits: list[str]) -> None:
    pattern = compile_pattern(text)
    assert all(pattern.matches(number) for number in fits)
    assert not any(pattern.matches(number) for number in not_fits)


@pytest.mark.parametrize("text", ["", ".", "2 000", "[2-", "[a]", "9..1", "[5-2]", "2\\", "x", "1" * 51])
def test_a_text_that_is_no_pattern_is_refused(text: str) -> None:
    with pytest.raises(PatternError):
        compile_pattern(text)


@given(st.text(alphabet="0123456789X!.[]^-+*#\\ ", max_size=60))
def test_any_text_is_a_pattern_or_refused(text: str) -> None:
    try:
        pattern = compile_pattern(text)
    except PatternError:
        return
    assert not pattern.matches("")
    assert pattern.breadth >= 1


def test_masks_take_digits_from_the_right() -> None:
    assert masked("2001", "+414455520XX") == "+41445552001"
    assert masked("5552001", "XXXX") == "2001"
    assert masked("12", "9XXX") == "912"


def test_numbers_are_cleaned_of_marks_only() -> None:
    assert clean("+41 (0)44 555\u00a020-01") == "+41445552001"
    assert clean("(044) 555 20 01") == "0445552001"
    assert clean("anita berg") == "anita berg"
    assert e164("+41445552001", "") == "+41445552001"
    assert e164("12", "CH") == ""
