"""Guessing at the edge ends with the sixth wrong try, at the outer proxy."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.rules.edge_protection import Protection, ProtectionRules, household_of
from tests.edge.conftest import PASSWORDS, start_edge


@pytest.mark.asyncio
@pytest.mark.peer
async def test_whoever_guesses_is_kept_out_at_the_outer_proxy(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        edge = await start_edge(tmp_path, stack)
        url = edge.url("get_edge_config?service_name=_cisco-uds")
        for _ in range(6):
            status, _, _ = await edge.curl("--user", "anita:guess", url=url)
            assert status == 401
        status, _, _ = await edge.curl("--user", f"anita:{PASSWORDS['anita']}", url=url)
        assert status == 0
        assert edge.outer.refused == 1
        status, _, _ = await edge.curl("--user", f"bram:{PASSWORDS['bram']}", "--interface", "127.0.60.9", url=url)
        assert status == 200
        status, _, body = await edge.curl("--user", f"anita:{PASSWORDS['anita']}", "--interface", "127.0.60.9", url=url)
        assert (status, body) == (429, "Too many failed sign-ins: try again in 10 minutes.\n")


def test_six_in_a_minute_block_for_ten() -> None:
    protection = Protection()
    for second in range(5):
        assert protection.failed("203.0.113.5", "anita", float(second)) == ()
    blocks = protection.failed("203.0.113.5", "anita", 5.0)
    assert [(block.kind, block.who, block.until) for block in blocks] == [
        ("address", "203.0.113.5", 605.0), ("person", "anita", 605.0),
    ]  # fmt: skip
    assert protection.block_of("203.0.113.5", "", 604.9)
    assert protection.block_of("198.51.100.1", "anita", 604.9)
    assert not protection.block_of("203.0.113.5", "anita", 605.0)
    assert [block.who for block in protection.unblock("203.0.113.5")] == ["203.0.113.5"]
    assert not protection.block_of("203.0.113.5", "", 10.0)


def test_slow_failures_of_people_who_mistype_never_block() -> None:
    protection = Protection()
    assert not any(protection.failed("203.0.113.5", "anita", 13.0 * step) for step in range(100))


def test_neighbours_of_a_network_count_as_one() -> None:
    protection = Protection(ProtectionRules(failures=2))
    found = [protection.failed(f"2001:db8:1:2::{step:x}", "", float(step)) for step in range(3)]
    assert [block.who for block in found[2]] == ["2001:db8:1:2::/64"]
    assert household_of("::ffff:192.0.2.7") == "192.0.2.7"


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["192.0.2.1", "192.0.2.2", "2001:db8::1"]),
            st.sampled_from(["", "a", "b"]),
            st.floats(0, 100),
        )
    )
)
def test_a_block_needs_more_failures_than_the_rules_bear(tries: list[tuple[str, str, float]]) -> None:
    protection, now = Protection(ProtectionRules(failures=3, window=50, block=20)), 0.0
    seen: dict[str, int] = {}
    for address, person, pause in tries:
        now += pause
        for who in (household_of(address), person):
            seen[who] = seen.get(who, 0) + 1
        for block in protection.failed(address, person, now):
            assert seen[block.who] > 3
            assert block.until == now + 20
