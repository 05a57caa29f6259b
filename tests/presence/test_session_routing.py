"""The rule for several clients of one person, and its reasons."""

from __future__ import annotations

import asyncio
import json
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.rules.session_routing import SILENCE, DeliveryRule, Evidence, Resource, route_to_sessions
from tests.presence.conftest import PEOPLE
from tests.presence.talk import sign_in
from tests.support.services import running_presence

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


@pytest.mark.parametrize("carbons", [True, False])
@pytest.mark.parametrize("rule", list(DeliveryRule))
async def test_three_clients_of_one_person(tmp_path: Path, rule: DeliveryRule, carbons: bool) -> None:
    """Who gets a message itself and who a copy, before and after one of the three has answered."""
    with running_presence(tmp_path, PEOPLE, delivery=rule) as server:
        anita = await sign_in(server, "anita", PEOPLE["anita"], "desk")
        clients = [await sign_in(server, "bernd", PEOPLE["bernd"], name) for name in ("desk", "phone", "tablet")]
        for client in clients if carbons else []:
            await client.ask("<enable xmlns='urn:xmpp:carbons:2'/>", kind="set")

        async def arrived(text: str) -> list[str]:
            """At each client: ``itself``, ``copy``, or nothing; never both."""
            anita.message(clients[0].bare, text)
            await anita.settle()
            seen = await asyncio.gather(*(client.settle() for client in clients))
            assert all(part.count(f"<body>{text}</body>") <= 1 for part in seen)
            kinds = []
            for part in seen:
                before = part.partition(f"<body>{text}</body>")[0]
                got = before != part
                kinds.append("copy" if "<received xmlns='urn:xmpp:carbons:2'" in before else "itself" if got else "")
            return kinds

        assert await arrived("first") == ["itself"] * 3
        clients[1].message(anita.bare, "from the phone")
        await anita.until("from the phone")
        await asyncio.gather(*(client.settle() for client in clients))
        other = "itself" if rule is DeliveryRule.ALL else "copy" if carbons else ""
        assert await arrived("second") == [other, "itself", other]
        clients[2].message(anita.bare, "from the tablet")
        await anita.until("from the tablet")
        await asyncio.gather(*(client.settle() for client in clients))
        assert await arrived("third") == [other, other, "itself"]
        for talk in (anita, *clients):
            await talk.leave()
