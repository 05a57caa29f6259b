"""The smaller decisions: product mode, precedence, fail-over, waiting, schedule, order of servers, catalogue."""

import json
import re
from collections import Counter
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ringback
from ringback.rules.authenticator import ProductType
from ringback.rules.catalogue import CatalogueError, arguments_of, catalogue, render
from ringback.rules.discovery_schedule import Occasion, next_discovery
from ringback.rules.failover import Backoff, FailoverEvidence, FailoverStep, next_step, next_wait
from ringback.rules.precedence import ValueSource, decide_setting, merge_settings
from ringback.rules.product_mode import ModeEvidence, ProductMode, decide_mode
from ringback.rules.reasons import Reason
from ringback.rules.srv import SrvRecord, order_srv

ON_PREMISES, NOT_SET = ProductType.ON_PREMISES, ProductType.NOT_SET


@pytest.mark.parametrize(
    ("evidence", "mode", "gets"),
    [
        (ModeEvidence(ON_PREMISES, True, 1), ProductMode.FULL, (True, True, True)),
        (ModeEvidence(ON_PREMISES, None, 2), ProductMode.FULL, (True, True, True)),
        (ModeEvidence(ON_PREMISES, True, 0), ProductMode.IM_ONLY, (True, True, False)),
        (ModeEvidence(ON_PREMISES, True, 1, telephony_enabled=False), ProductMode.IM_ONLY, (True, True, False)),
        (ModeEvidence(NOT_SET, None, 1), ProductMode.PHONE_ONLY, (False, False, True)),
        (ModeEvidence(NOT_SET, None, 1, bootstrap_mode="phone_mode"), ProductMode.PHONE_ONLY, (False, False, True)),
        (ModeEvidence(ON_PREMISES, False, 1), ProductMode.PHONE_ONLY, (False, False, True)),
        (ModeEvidence(ON_PREMISES, True, 1, im_enabled=False), ProductMode.PHONE_WITH_CONTACTS, (False, True, True)),
        (ModeEvidence(ProductType.CLOUD, None, 1), ProductMode.FULL, (True, True, True)),
        (ModeEvidence(NOT_SET, None, 0, team_messaging=True), ProductMode.TEAM_MESSAGING, (True, True, False)),
        (ModeEvidence(NOT_SET, None, 1, team_messaging=True), ProductMode.TEAM_MESSAGING, (True, True, True)),
    ],
)
def test_the_product_modes(evidence: ModeEvidence, mode: ProductMode, gets: tuple[bool, bool, bool]) -> None:
    decision = decide_mode(evidence)
    assert decision.mode is mode
    assert (decision.messages, decision.presence, decision.calls) == gets


# The table of the planning guide, chapter 5, "Configuration Priorities", row by row; then groups over global files.
@pytest.mark.parametrize(
    ("profile", "group", "global_file", "value", "source"),
    [
        ("p", None, "f", "p", ValueSource.PROFILE),
        ("p", None, "", "p", ValueSource.PROFILE),
        ("", None, "f", "f", ValueSource.FILE),
        ("", None, "", "", ValueSource.DEFAULT),
        (None, None, "f", "f", ValueSource.FILE),
        ("  ", "g", "f", "g", ValueSource.GROUP_FILE),
        ("p", "g", "f", "p", ValueSource.PROFILE),
        (None, " ", "f", "f", ValueSource.FILE),
        (None, None, None, "", ValueSource.DEFAULT),
    ],
)
def test_precedence(
    profile: str | None, group: str | None, global_file: str | None, value: str, source: ValueSource
) -> None:
    setting = decide_setting("CtiServer1", profile, group, global_file)
    assert (setting.value, setting.source) == (value, source)
    assert "CtiServer1" in render(setting.reason)


def test_merging_goes_parameter_by_parameter() -> None:
    merged = merge_settings({"A": "p", "B": ""}, {"B": "g", "C": "g"}, {"A": "f", "B": "f", "D": "f"})
    assert {name: setting.value for name, setting in merged.items()} == {"A": "p", "B": "g", "C": "g", "D": "f"}


def test_the_documented_sequence_of_a_fail_over() -> None:
    steps, failed = [], None
    for _ in range(6):
        failed = next_step(FailoverEvidence(failed, has_secondary=True)).step
        steps.append(failed)
    assert steps == [*FailoverStep, FailoverStep.PERSON]


@pytest.mark.parametrize(
    ("evidence", "step"),
    [
        (FailoverEvidence(None, has_secondary=False), FailoverStep.SESSION_PRIMARY),
        (FailoverEvidence(FailoverStep.SESSION_PRIMARY, has_secondary=False), FailoverStep.PRIMARY),
        (FailoverEvidence(FailoverStep.PRIMARY, has_secondary=False), FailoverStep.PERSON),
        (FailoverEvidence(None, has_secondary=True, has_session=False), FailoverStep.PRIMARY),
        (FailoverEvidence(FailoverStep.PERSON, has_secondary=True), FailoverStep.PERSON),
    ],
)
def test_steps_that_are_pointless_are_left_out(evidence: FailoverEvidence, step: FailoverStep) -> None:
    decision = next_step(evidence)
    assert decision.step is step
    assert decision.reasons[0].id in catalogue()


@given(attempt=st.integers(-5, 10_000), pick=st.floats(0, 1))
def test_waits_grow_and_stay_below_the_longest(attempt: int, pick: float) -> None:
    wait = next_wait(attempt, pick).seconds
    assert 0.25 <= wait <= 60
    assert next_wait(attempt + 1, pick).seconds >= wait


def test_waits_are_exponential_with_jitter_and_obey_the_relogin_limits() -> None:
    assert [next_wait(n, 1.0).seconds for n in range(1, 5)] == [0.5, 1.0, 2.0, 4.0]
    assert [next_wait(n, 0.0).seconds for n in range(1, 5)] == [0.25, 0.5, 1.0, 2.0]
    plan = Backoff(lower=120, upper=537)
    assert next_wait(1, 0.0, plan).seconds == 120
    assert next_wait(1, 1.0, plan).seconds == 537
    assert next_wait(2, 1.0, plan).seconds == 1.0


@given(pick=st.floats(0, 1))
def test_when_discovery_runs(pick: float) -> None:
    assert next_discovery(Occasion.COLD_START, pick).seconds == 0
    assert next_discovery(Occasion.NETWORK_CHANGED, pick).seconds == 0
    assert 0 <= next_discovery(Occasion.CACHED_START, pick).seconds <= 300
    assert 7 * 3600 <= next_discovery(Occasion.LOOKED_UP, pick).seconds <= 9 * 3600
    for occasion in Occasion:
        reason = next_discovery(occasion, pick).reason
        assert arguments_of(catalogue()[reason.id]) <= set(reason.values)


def test_servers_are_ordered_by_priority_and_weight() -> None:
    # the example of the documents: cucm1 has priority 1, cucm2 2, cucm3 6
    documented = [SrvRecord(6, 30, 8443, "c3"), SrvRecord(2, 20, 8443, "c2"), SrvRecord(1, 5, 8443, "c1")]
    assert [record.target for record in order_srv(documented, lambda: 0.5)] == ["c1", "c2", "c3"]
    heavy, light = SrvRecord(1, 90, 1, "heavy"), SrvRecord(1, 10, 1, "light")
    picks = iter(i / 2000 for i in range(2000))
    firsts = Counter(order_srv([light, heavy], lambda: next(picks))[0].target for _ in range(1000))
    assert 850 < firsts["heavy"] < 950
    weightless = [SrvRecord(1, 0, 1, "a"), SrvRecord(1, 0, 1, "b"), SrvRecord(0, 0, 1, "")]
    assert {record.target for record in order_srv(weightless, lambda: 0.99)} == {"a", "b"}


@given(
    records=st.lists(
        st.builds(SrvRecord, st.integers(0, 3), st.integers(0, 65535), st.just(1), st.sampled_from("abc"))
    ),
    pick=st.floats(0, 1, exclude_max=True),
)
def test_every_server_is_tried_once_in_order_of_priority(records: list[SrvRecord], pick: float) -> None:
    ordered = order_srv(records, lambda: pick)
    assert Counter(ordered) == Counter(records)
    assert [record.priority for record in ordered] == sorted(record.priority for record in records)


def test_sentences_hold_plain_arguments_only() -> None:
    for area in ("discovery", "decisions", "faults"):
        text = files("ringback.rules.catalogue").joinpath("en", f"{area}.json").read_text(encoding="utf-8")
        pairs = json.loads(text, object_pairs_hook=list)
        assert max(Counter(key for key, _ in pairs).values()) == 1
        for reason_id, message in pairs:
            assert re.sub(r"\{[a-z_]+\}", "", message).count("{") == 0, reason_id
            assert message == message.strip()


def test_every_reason_of_the_source_has_its_sentence() -> None:
    root = Path(ringback.__file__).parent
    sources = [*(root / "client" / "discovery").glob("*.py"), root / "planning" / "doctor.py"]
    sources += [root / "rules" / f"{name}.py" for name in ("authenticator", "services_domain", "remote_access",
                "product_mode", "precedence", "failover", "discovery_schedule")]  # fmt: skip
    for source in sources:
        for reason_id in re.findall(r'Reason\.of\(\s*"([^"{]+)"', source.read_text(encoding="utf-8")):
            assert reason_id in catalogue(), f"{reason_id} in {source.name}"


def test_an_unknown_reason_is_shown_with_its_values() -> None:
    assert render(Reason.of("no.such.reason", who="anita")) == "no.such.reason (who anita)"
    with pytest.raises(CatalogueError):
        catalogue("xx")
    with pytest.raises(CatalogueError):
        catalogue("../en")
