"""When services are looked for again: the schedule with time as an argument, and a change of network in a lab."""

from __future__ import annotations

import asyncio
import ipaddress
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from ringback.client.engine.engine import Engine
from ringback.client.engine.renewal import RenewalSchedule, own_addresses
from ringback.client.engine.settings import EngineSettings
from ringback.rules.addresses import HostPort
from ringback.rules.discovery_schedule import Occasion
from ringback.rules.reasons import Reason
from tests.engine.conftest import SECONDS, Person
from tests.support.lab import RunningLab

OFFICE, HOME, NOWHERE = frozenset({"10.1.2.3"}), frozenset({"192.168.1.7", "2001:db8::7"}), frozenset[str]()
HOUR = 3600.0


def due(schedule: RenewalSchedule, addresses: frozenset[str], now: float) -> str:
    """The id of the reason why a look is due, or empty."""
    reason = schedule.due(addresses, now)
    return reason.id if reason is not None else ""


@given(st.floats(0, 1), st.floats(0, 1e6))
def test_soon_after_a_kept_start_then_every_few_hours(pick: float, began: float) -> None:
    schedule = RenewalSchedule(Occasion.CACHED_START, OFFICE, began, lambda: pick)
    first = schedule.next_deadline
    assert began <= first <= began + 300
    assert due(schedule, OFFICE, first - 0.1) == ""
    assert due(schedule, OFFICE, first) == "schedule.cached"
    for _ in range(3):
        assert 7 * HOUR - 1 <= schedule.next_deadline - first <= 9 * HOUR + 1
        assert due(schedule, OFFICE, schedule.next_deadline - 1) == ""
        first = schedule.next_deadline
        assert due(schedule, OFFICE, first) == "schedule.running"


def test_a_new_network_is_looked_at_at_once_and_once() -> None:
    schedule = RenewalSchedule(Occasion.LOOKED_UP, OFFICE, 0.0, lambda: 0.5)
    assert due(schedule, OFFICE, 10) == ""
    assert due(schedule, NOWHERE, 20) == ""
    assert due(schedule, OFFICE, 30) == "", "the same network came back"
    assert due(schedule, NOWHERE, 40) == ""
    assert due(schedule, HOME, 50) == "schedule.network"
    assert due(schedule, HOME, 60) == ""
    assert schedule.next_deadline == 50 + 8 * HOUR
    assert due(schedule, OFFICE, 70) == "schedule.network"


def test_own_addresses_are_addresses() -> None:
    assert all(ipaddress.ip_address(text) for text in own_addresses())


async def test_another_network_makes_the_engine_look_again(lab: RunningLab, tmp_path: Path) -> None:
    looked_at = asyncio.Event()
    where = OFFICE

    def addresses() -> frozenset[str]:
        looked_at.set()
        return where

    settings = EngineSettings(
        data=tmp_path, name_server=HostPort.parse(lab.inside), ca_file=lab.ca_file, cloud_url="", use_keyring=False,
        addresses=addresses, addresses_every=0.02,
    )  # fmt: skip
    async with Engine(settings) as engine:
        await engine.sign_in("anita@example.com", "ringback")
        anita = Person(engine)

        def reasons() -> list[Reason]:
            return [reason for row in engine.services() if row.id == "configuration" for reason in row.reasons]

        async with asyncio.timeout(SECONDS):
            await looked_at.wait()
        assert reasons() == []
        where = HOME
        await anita.until(lambda: [reason.id for reason in reasons()] == ["schedule.network"])
        assert engine.snapshot().sign_in.phase == "ready"
