"""The decisions of a client's identity: how to sign in, when to refresh, what an end and a change bring."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.client.identity.authorization import GrantRefusedError
from ringback.client.identity.credentials import end_of
from ringback.client.identity.keeper import Tokens
from ringback.rules.catalogue import arguments_of, catalogue
from ringback.rules.config_changes import SIGN_OUT_KEYS, Configured, Effect, judge_changes
from ringback.rules.discovery_schedule import Occasion, next_discovery
from ringback.rules.reasons import Reason
from ringback.rules.sign_in import Method, SignInEvidence, decide_sign_in
from ringback.rules.tokens import AfterEnd, End, EndEvidence, TokenTimes, Use, decide_end, plan_refresh, use_of

NOW = 1_800_000_000.0


def said(*reasons: Reason) -> None:
    """Every reason has its sentence, and the values that this wants."""
    for reason in reasons:
        assert arguments_of(catalogue()[reason.id]) <= set(reason.values), reason


@pytest.mark.parametrize(
    ("evidence", "method"),
    [
        (SignInEvidence(home=False), Method.PASSWORD),
        (SignInEvidence(home=True), Method.PASSWORD),
        (SignInEvidence(True, True, False, False), Method.PASSWORD),
        (SignInEvidence(True, True, False, True), Method.PASSWORD_FOR_TOKENS),
        (SignInEvidence(True, True, True, True), Method.BROWSER),
        (SignInEvidence(True, True, True, False), Method.NONE),
    ],
)
def test_how_to_sign_in(evidence: SignInEvidence, method: Method) -> None:
    decision = decide_sign_in(evidence)
    assert decision.method is method
    assert (method.asks == "browser") == (method is Method.BROWSER)
    said(*decision.reasons, Reason.of(f"sign_in.trace.decided.{method}"))


@given(st.floats(1, 90_000), st.floats(0, 1))
def test_a_token_is_refreshed_at_three_quarters_of_its_life(life: float, pick: float) -> None:
    times = TokenTimes(NOW, NOW + life, NOW + 10 * life + 100)
    plan = plan_refresh(times, pick)
    assert plan.at is not None
    assert 0.7499 * life <= plan.at - NOW <= 0.8001 * life
    assert use_of(times, plan.at) is Use.GOOD
    assert use_of(times, NOW + life) is Use.OVER
    assert use_of(times, NOW - 3600) is Use.CLOCK
    said(plan.reason)


def test_after_the_last_token_comes_no_other() -> None:
    plan = plan_refresh(TokenTimes(NOW, NOW + 3600, NOW + 3600), 0.5)
    assert plan.at is None
    said(plan.reason)


@pytest.mark.parametrize("single_sign_on", [False, True])
@pytest.mark.parametrize("tried", [False, True])
@pytest.mark.parametrize("logout", [False, True])
@pytest.mark.parametrize("end", list(End))
def test_what_an_end_brings(end: End, logout: bool, tried: bool, single_sign_on: bool) -> None:
    decision = decide_end(EndEvidence(end, single_sign_on, tried, logout))
    said(*decision.reasons)
    if end in (End.REVOKED, End.DEACTIVATED):
        assert decision.after is AfterEnd.OUT
    elif single_sign_on:
        assert decision.after is (AfterEnd.ASK if tried else AfterEnd.QUIETLY)
    else:
        assert decision.after is (AfterEnd.OUT if logout else AfterEnd.ASK)


@pytest.mark.parametrize(
    ("error", "ended", "left", "end"),
    [
        ("invalid_grant", "revoked", 1000.0, End.REVOKED),
        ("invalid_grant", "deactivated", 1000.0, End.DEACTIVATED),
        ("invalid_grant", "expired", 1000.0, End.EXPIRED),
        ("invalid_grant", "", 0.0, End.EXPIRED),  # a server that says nothing of it: by the client's own clock
        ("invalid_grant", "", 1000.0, End.REVOKED),
        ("invalid_grant", "something", 1000.0, End.REVOKED),
        ("invalid_client", "", 1000.0, End.REFUSED),
    ],
)
def test_why_a_server_renews_no_more(error: str, ended: str, left: float, end: End) -> None:
    tokens = Tokens(access="a", refresh="r", received=NOW - 100, expires=NOW + 100, end=NOW + left)
    assert end_of(GrantRefusedError("cm1", error, "", ended), tokens, NOW) is end


BEFORE = Configured({"Telephony_Enabled": "true", "Theme": "dark"}, "full-uc", "password")


@pytest.mark.parametrize(
    ("after", "effect", "names"),
    [
        (BEFORE, None, []),
        (Configured({"telephony_enabled": " true ", "Theme": "dark"}, "full-uc", "password"), None, []),
        (Configured({"Telephony_Enabled": "true"}, "full-uc", "password"), Effect.TOLD, ["Theme"]),
        (Configured({"theme": "x", "TELEPHONY_ENABLED": "false"}, "full-uc", "password"), Effect.SIGN_OUT,
         ["Telephony_Enabled", "theme"]),
        (Configured(BEFORE.settings, "full-uc", "browser"), Effect.SIGN_OUT, ["SignInMethod"]),
        (Configured(BEFORE.settings, "phone-only", "password"), Effect.RESET, ["ProductMode"]),
        (Configured({}, "phone-only", "browser"), Effect.RESET,
         ["ProductMode", "SignInMethod", "Telephony_Enabled", "Theme"]),
        (Configured(BEFORE.settings), Effect.RESET, ["ProductMode", "SignInMethod"]),
    ],
)  # fmt: skip
def test_what_a_change_asks_for(after: Configured, effect: Effect | None, names: list[str]) -> None:
    decision = judge_changes(BEFORE, after)
    assert decision.effect is effect
    assert [change.name for change in decision.changes] == names
    said(*decision.reasons)


def test_the_published_table_is_whole() -> None:
    """Planning guide, chapter 8: 27 keys (one row names two), all of which ask to sign out."""
    assert len(SIGN_OUT_KEYS) == 27
    for name, platforms in SIGN_OUT_KEYS.items():
        effect = judge_changes(Configured({name: "1"}), Configured({name: "2"})).effect
        assert effect is (Effect.TOLD if platforms == "mobile" else Effect.SIGN_OUT), name


@given(st.floats(0, 1))
def test_settings_are_fetched_again_one_to_five_minutes_after_a_fast_sign_in(pick: float) -> None:
    assert 60 <= next_discovery(Occasion.CACHED_START, pick).seconds <= 300
    assert 7 * 3600 <= next_discovery(Occasion.LOOKED_UP, pick).seconds <= 9 * 3600
    assert next_discovery(Occasion.LOOKED_UP, pick, 8.0).seconds == 8 * 3600
