"""sipp at our call manager: it registers, calls, holds, gives up, breaks rules, also over a line with losses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.signalling.generator import Door, LoadError, Phone, answering, call, register, run
from tests.support.telephony import Telephony, phones, running_telephony

pytestmark = [pytest.mark.peer, pytest.mark.timeout(180)]
SCENARIOS = Path(__file__).parent / "sipp"


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Telephony]:
    with running_telephony(tmp_path / "office", phones(20)) as running:
        yield running


@pytest.fixture
def people(office: Telephony) -> list[Phone]:
    return [Phone(phone.number, phone.user, phone.password) for phone in office.phones]


@pytest.fixture
def door(office: Telephony) -> Door:
    return Door(office.address, office.port)


def _pairs(people: list[Phone], count: int) -> list[tuple[Phone, Phone]]:
    return [(people[index % 10], people[10 + index % 10]) for index in range(count)]


async def test_phones_register_and_call(door: Door, people: list[Phone], tmp_path: Path) -> None:
    async with answering(door.address, tmp_path) as port:
        await register(door, people, tmp_path, contact=port, rate=50)
        await call(door, _pairs(people, 100), tmp_path, rate=50)


async def test_every_call_comes_about_although_one_message_in_ten_is_lost(
    door: Door, people: list[Phone], tmp_path: Path
) -> None:
    async with answering(door.address, tmp_path) as port:  # sipp's answering side never repeats what it lost
        await register(door, people, tmp_path, contact=port, rate=50)
        await call(door, _pairs(people, 10), tmp_path, rate=10, lost=10)


@pytest.mark.parametrize(
    ("caller", "called"),
    [("hold.xml", "answer_hold.xml"), ("cancel.xml", "ring.xml"), ("refused.xml", "busy.xml")],
)
async def test_both_sides_come_to_the_end_of_their_scenario(
    door: Door, people: list[Phone], tmp_path: Path, caller: str, called: str
) -> None:
    pairs = _pairs(people, 10)
    async with answering(door.address, tmp_path, SCENARIOS / called, count=len(pairs)) as port:
        await register(door, people, tmp_path, contact=port, rate=50)
        await run(door, SCENARIOS / caller, pairs, tmp_path, rate=10)


@pytest.mark.parametrize("scenario", ["unknown.xml", "malformed.xml"])
async def test_what_can_not_be_is_refused_at_once(
    door: Door, people: list[Phone], tmp_path: Path, scenario: str
) -> None:
    nobody = Phone("2999", "nobody", "x")
    await run(door, SCENARIOS / scenario, [(one, nobody) for one in people[:5]], tmp_path, rate=5)


async def test_a_wrong_password_calls_nobody(door: Door, people: list[Phone], tmp_path: Path) -> None:
    wrong = Phone(people[0].number, people[0].user, "wrong")
    with pytest.raises(LoadError, match="403"):
        await register(door, [wrong], tmp_path, contact=9, rate=1)
