"""The rule for several clients of one person, and its reasons."""

from __future__ import annotations

import json
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.rules.session_routing import SILENCE, DeliveryRule, Evidence, Resource, route_to_sessions

DESK, PHONE, TABLET = Resource("desk", 0, 1), Resource("phone", 5, 2), Resource("tablet", 5, 3)
AWAY = Resource("away", -1, 9)


@pytest.mark.parametrize(
    ("resources", "answered", "silent", "chosen", "reasons"),
    [
        ((), None, 0, (), ["nobody"]),
        ((AWAY,), None, 0, (), ["nobody"]),
        ((DESK, AWAY), None, 0, ("desk",), ["only"]),
        ((DESK, PHONE), None, 0, ("desk", "phone"), ["first"]),
        ((DESK, PHONE), "desk", 10, ("desk",), ["answered"]),
        ((DESK, PHONE), "phone", 10, ("phone",), ["answered"]),
        ((DESK, PHONE), "desk", SILENCE, ("desk", "phone"), ["silence"]),
        ((DESK, PHONE), "tablet", 10, ("phone",), ["left", "priority"]),
        ((DESK, PHONE, TABLET), "gone", 10, ("tablet",), ["left", "latest"]),
        ((DESK, PHONE, AWAY), "away", 10, ("phone",), ["left", "priority"]),
    ],
)
def test_the_documented_rule(
    resources: tuple[Resource, ...], answered: str | None, silent: float, chosen: tuple[str, ...], reasons: list[str]
) -> None:
    decision = route_to_sessions(Evidence(DeliveryRule.DOCUMENTED, resources, answered, silent))
    assert decision.resources == chosen
    assert [reason.id for reason in decision.reasons] == [f"presence.route.{reason}" for reason in reasons]


def test_a_deployment_may_choose_all() -> None:
    decision = route_to_sessions(Evidence(DeliveryRule.ALL, (DESK, PHONE, AWAY), "desk", 1))
    assert decision.resources == ("desk", "phone")


@given(
    st.sampled_from(list(DeliveryRule)),
    st.lists(
        st.builds(Resource, st.sampled_from("abcdef"), st.integers(-128, 127), st.integers(0, 99)),
        unique_by=lambda resource: resource.name,
    ),
    st.none() | st.sampled_from("abcdefg"),
    st.floats(0, 1e6),
)
def test_somebody_able_always_gets_it_and_every_reason_has_its_sentence(
    rule: DeliveryRule, some: list[Resource], answered: str | None, silent: float
) -> None:
    decision = route_to_sessions(Evidence(rule, tuple(some), answered, silent))
    able = {resource.name for resource in some if resource.priority >= 0}
    assert set(decision.resources) <= able
    assert bool(decision.resources) == bool(able)
    catalogue = resources.files("ringback.rules").joinpath("catalogue/en/presence_routing.json").read_text("utf-8")
    sentences = json.loads(catalogue)
    for reason in decision.reasons:
        names = {part.partition("}")[0] for part in sentences[reason.id].split("{")[1:]}
        assert names <= set(reason.values)
