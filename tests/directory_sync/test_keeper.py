"""When agreements are run, and what people of directories change in a dial plan. Pure."""

from __future__ import annotations

from dataclasses import replace

from ringback.rules.dial_plan import Caller, DialPlan, Origin, RouteKind, route
from ringback.services.callmanager.synchronisation.keeper import at_home, due, plan_with
from ringback.storage.callmanager.synced import RunRow, SyncedPlace
from tests.directory_sync.test_decide import AGREEMENT

HOUR = 3600.0
DONE = RunRow("Office", 1000.0, 1010.0, 1000.0, "done")
HERE = SyncedPlace("anita", True, True, "head", "2001", "044 555 20 01", "a.berg@example.com", "anita@example.com")
THERE = SyncedPlace(
    "leila", False, True, "branch", "3001", "+49 30 555 30 01", "leila@example.com", "leila@example.com"
)
PLAN = DialPlan(lines=frozenset({"2000"}), domains=frozenset({"example.com"}), country="CH")


def test_an_agreement_is_run_at_once_and_then_by_its_interval() -> None:
    hourly = replace(AGREEMENT, every=HOUR)
    assert due(hourly, None) == 0.0
    assert due(hourly, DONE) == 1000.0 + HOUR
    assert due(replace(hourly, every=0.0), DONE) == float("inf"), "once"


def test_a_failed_run_is_tried_again_sooner_and_then_more_rarely() -> None:
    failed = replace(DONE, outcome="failed")
    waits = [due(replace(AGREEMENT, every=24 * HOUR), failed, failures) - failed.ended for failures in range(1, 9)]
    assert waits == [60.0, 120.0, 240.0, 480.0, 960.0, 1920.0, 3600.0, 3600.0]
    assert due(replace(AGREEMENT, every=0.0), failed, 1) == failed.ended + 60.0, "also one that runs once"
    assert due(replace(AGREEMENT, every=90.0), failed, 5) == failed.ended + 90.0


def test_who_is_gone_has_the_agreement_run_once_more_for_the_removal() -> None:
    gone = replace(DONE, counts={"gone": 2})
    assert due(replace(AGREEMENT, every=0.0), gone) == 1000.0 + AGREEMENT.keep_seconds + 1.0
    assert due(replace(AGREEMENT, every=HOUR), gone) == 1000.0 + HOUR


def dial(plan: DialPlan, text: str) -> tuple[RouteKind, str, str]:
    found = route(text, Caller("2000", Origin.DEVICE), plan)
    return found.kind, found.number, found.target


def test_people_of_directories_are_dialled_in_every_way() -> None:
    plan = plan_with(PLAN, [HERE, THERE], "head")
    for text in ("2001", "044 555 20 01", "+41 44 555 20 01", "anita@example.com", "a.berg@example.com"):
        assert dial(plan, text)[:2] == (RouteKind.LINE, "2001"), text
    for text in ("3001", "+49 30 555 30 01", "leila@example.com"):
        kind, _, target = dial(plan, text)
        assert (kind, target) == (RouteKind.CLUSTER, "branch"), text
    assert plan.external_number("2001") == "+41445552001"


def test_what_the_file_says_comes_first_and_who_is_inactive_is_nobody() -> None:
    told = replace(PLAN, addresses={"anita@example.com": "2000"})
    assert plan_with(told, [HERE], "head").addresses["anita@example.com"] == "2000"
    gone = replace(HERE, active=False)
    assert plan_with(PLAN, [gone], "head") == PLAN
    assert at_home([HERE, THERE, gone]) == {"anita": False}
