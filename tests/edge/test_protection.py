"""Guessing at the edge ends with the sixth wrong try, at the outer proxy; an office behind one address goes on working,
and a restart forgets nothing."""

from __future__ import annotations

import ipaddress
import stat
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.protocols.traversal.control import KeepOut
from ringback.rules.edge_protection import (
    Block,
    Exemption,
    Failure,
    Fault,
    LetIn,
    Protection,
    ProtectionRules,
    Remembered,
    household_of,
    weigh,
)
from ringback.services.edge.kept import Kept
from ringback.services.edge.service import InnerProxy
from ringback.services.edge.settings import InnerSettings
from ringback.services.edge.sharing import LONGEST, Hello, Note, Seal, SharingError
from ringback.services.edge.watch import Watch
from tests.edge.conftest import PASSWORDS, SECOND_INNER, Inward, start_edge
from tests.support.waiting import until

OFFICE, HOME, STRANGER = "203.0.113.5", "198.51.100.7", "192.0.2.66"


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
        status, head, body = await edge.curl(
            "--user", f"anita:{PASSWORDS['anita']}", "--interface", "127.0.60.9", url=url
        )
        assert (status, body) == (429, "Too many failed sign-ins: try again in 10 minutes.\n")
        assert "ringback-reason: edge.sign_in.blocked" in head.lower()


def test_six_in_a_minute_block_for_ten() -> None:
    protection = Protection()
    for second in range(5):
        assert protection.failed(OFFICE, "anita", float(second)) == ()
    blocks = protection.failed(OFFICE, "anita", 5.0)
    assert [(block.kind, block.who, block.until) for block in blocks] == [
        ("address", OFFICE, 605.0), ("person", "anita", 605.0),
    ]  # fmt: skip
    assert protection.block_of(OFFICE, "", 604.9)
    assert protection.block_of("198.51.100.1", "anita", 604.9)
    assert not protection.block_of(OFFICE, "anita", 605.0)
    assert [block.who for block in protection.unblock(OFFICE)] == [OFFICE]
    assert not protection.block_of(OFFICE, "", 10.0)


def test_slow_failures_of_people_who_mistype_never_block() -> None:
    protection = Protection()
    assert not any(protection.failed(OFFICE, "anita", 13.0 * step) for step in range(100))


def test_neighbours_of_a_network_count_as_one() -> None:
    protection = Protection(ProtectionRules(failures=2))
    found = [protection.failed(f"2001:db8:1:2::{step:x}", "", float(step)) for step in range(3)]
    assert [block.who for block in found[2]] == ["2001:db8:1:2::/64"]
    assert household_of("::ffff:192.0.2.7") == "192.0.2.7"


def test_an_office_of_expired_tokens_gets_back_in_and_spraying_from_there_does_not() -> None:
    protection, now = Protection(), 0.0
    people = [f"person{number}" for number in range(500)]
    for person in people:  # the morning after: every client shows the token of yesterday first
        now += 0.01
        assert protection.failed(OFFICE, "", now, Fault.STALE) == ()
        assert not protection.block_of(OFFICE, person, now)
        protection.succeeded(OFFICE, person, now)
    sprayed = [protection.failed(OFFICE, f"victim{number}", now + 0.01 * number) for number in range(600)]
    blocks = [block for found in sprayed for block in found]
    assert [(block.kind, block.who) for block in blocks] == [("address", OFFICE)]
    assert protection.block_of(OFFICE, "victim1", now)
    assert protection.block_of(OFFICE, "", now)
    assert not protection.block_of(OFFICE, "", now, later=True)
    assert not protection.block_of(OFFICE, "person7", now)  # who works there goes on
    assert not protection.block_of(OFFICE, "newcomer", now, token=True)


def test_a_forgotten_device_keeps_out_only_its_owner_and_only_there() -> None:
    protection = Protection()
    for person in ("anita", "bram"):
        protection.succeeded(OFFICE, person, 0.0)
    protection.succeeded(HOME, "anita", 0.0)
    blocks = [block for step in range(50) for block in protection.failed(OFFICE, "anita", 1.0 + step / 10)]
    assert [(block.kind, block.who, block.at) for block in blocks] == [("person", "anita", OFFICE)]
    assert protection.block_of(OFFICE, "anita", 10.0)
    assert not protection.block_of(OFFICE, "anita", 10.0, token=True)
    assert not protection.block_of(OFFICE, "bram", 10.0)
    assert not protection.block_of(HOME, "anita", 10.0)


def test_a_stranger_locks_nobody_out_where_they_work() -> None:
    protection = Protection()
    protection.succeeded(HOME, "anita", 0.0)
    for step in range(6):
        protection.failed(f"192.0.2.{step}", "anita", 1.0 + step)
    assert protection.block_of(STRANGER, "anita", 10.0)
    assert not protection.block_of(STRANGER, "anita", 10.0, token=True)
    assert not protection.block_of(HOME, "anita", 10.0)
    assert protection.block_of("198.51.100.99", "anita", 10.0)


def test_an_account_of_ones_own_does_not_buy_further_guesses() -> None:
    protection = Protection()
    blocks: list[Block] = []
    for step in range(20):
        blocks += protection.failed(STRANGER, "anita", float(step))
        protection.succeeded(STRANGER, "mallory", float(step))
    assert ("person", "anita") in [(block.kind, block.who) for block in blocks]


@given(st.sampled_from(Fault), st.sampled_from(["", "a"]), st.booleans(), st.integers(0, 5_000), st.booleans())
def test_every_weight_has_its_reason(fault: Fault, person: str, known: bool, others: int, exempt: bool) -> None:
    weight = weigh(Failure(fault, person, known and bool(person), others, exempt), ProtectionRules())
    assert weight.reason.id.startswith("edge.protection.")
    assert 5 <= weight.bears <= 1_000
    if fault is Fault.STALE:
        assert (weight.address, weight.person) == ("no", "no")
    if exempt:
        assert weight.address == "no"
    if not person:
        assert weight.person == "no"


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


def test_an_exempt_network_is_never_blocked_and_what_stood_there_ends() -> None:
    protection = Protection()
    for step in range(6):
        protection.failed(OFFICE, "", float(step))
    network = ipaddress.ip_network("203.0.113.0/24")
    assert [block.who for block in protection.exempt(Exemption(network, 100.0))] == [OFFICE]
    assert not any(protection.failed(OFFICE, "", 10.0 + step / 10) for step in range(50))
    assert protection.failed("203.0.114.1", "", 10.0) == ()
    assert protection.is_exempt(OFFICE, 99.0)
    assert not protection.is_exempt(OFFICE, 100.0)
    assert not protection.end_exemption(ipaddress.ip_network("198.51.100.0/24"))
    assert protection.end_exemption(network)
    assert any(protection.failed(OFFICE, "", 20.0 + step / 10) for step in range(50))


@pytest.mark.asyncio
async def test_a_restart_lets_nobody_slip_through(tmp_path: Path) -> None:
    told: list[KeepOut] = []
    watch = Watch(ProtectionRules(), told.append, lambda _: None, Kept(tmp_path), lambda: 1000.0)
    await watch.start()
    watch.let_in(HOME, "anita")
    for _ in range(6):
        watch.failed(STRANGER, "anita")
    watch.exempt(ipaddress.ip_network("203.0.113.0/24"), None)
    file = tmp_path / "protection.json"
    await until(file.exists)  # a thread writes it, at once, and not only at an orderly end
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    await watch.stop()
    again = Watch(ProtectionRules(), told.append, lambda _: None, Kept(tmp_path), lambda: 1010.0)
    await again.start()
    assert again.standing() == [KeepOut(STRANGER, 590.0)]
    assert again.kept_out("198.51.100.99", "anita")
    assert not again.kept_out(HOME, "anita")
    assert again.protection.is_exempt(OFFICE, 1010.0)
    await again.stop()
    file.write_text("{")
    assert Kept(tmp_path).read() == Remembered()
    assert (tmp_path / "protection.unreadable").exists()


def test_inner_proxies_tell_each_other_and_believe_nobody_else() -> None:
    notes: list[str] = []
    told: list[KeepOut] = []
    now = [1000.0]
    seal = Seal("shared", lambda: now[0])

    def share(note: Note | Hello) -> None:
        notes.append(seal.write(note))

    first = Watch(ProtectionRules(), lambda _: None, share, clock=lambda: now[0])
    second = Watch(ProtectionRules(), told.append, lambda _: None, clock=lambda: now[0])
    first.let_in(HOME, "anita")
    for _ in range(6):
        first.failed(STRANGER, "anita")
    first.exempt(ipaddress.ip_network("2001:db8::/32"), 2000.0)

    def deliver() -> None:
        while notes:
            assert len(notes[0]) <= LONGEST
            note = seal.read(notes.pop(0))
            assert not isinstance(note, Hello)
            second.heard(note)

    deliver()
    assert told == [KeepOut(STRANGER, 600.0)]
    assert second.kept_out("198.51.100.99", "anita")
    assert not second.kept_out(HOME, "anita")
    assert second.protection.is_exempt("2001:db8::1", 1000.0)
    first.unblock(STRANGER)
    sealed = notes[0]
    deliver()
    assert told[-1] == KeepOut(STRANGER, 0.0)
    third = Watch(ProtectionRules(), told.append, lambda _: None, clock=lambda: now[0])
    for note in second.notes():  # what one that has just begun is told
        third.heard(note)
    assert third.kept_out("198.51.100.99", "anita")
    with pytest.raises(SharingError):
        Seal("another", lambda: now[0]).read(sealed)
    with pytest.raises(SharingError):
        seal.read("A" + sealed[1:])
    now[0] += 61.0
    with pytest.raises(SharingError, match="another time"):
        seal.read(sealed)
    assert isinstance(seal.read(seal.write(Hello())), Hello)
    assert seal.read(seal.write(Block("person", "bram", 5.0, 6, HOME))) == Block("person", "bram", 5.0, 6, HOME)
    assert seal.read(seal.write(LetIn(HOME, "bram", 5.0))) == LetIn(HOME, "bram", 5.0)


@pytest.mark.asyncio
@pytest.mark.peer
async def test_a_second_inner_proxy_learns_who_is_kept_out_and_may_let_them_in(tmp_path: Path) -> None:
    told: list[InnerSettings] = []

    def further(settings: InnerSettings) -> InnerSettings:
        told.append(replace(settings, shared_secret="of all inner proxies"))
        return told[0]

    async with AsyncExitStack() as stack:
        edge = await start_edge(tmp_path, stack, Inward(further=further))
        url, address = edge.url("get_edge_config"), "127.0.60.5"
        for _ in range(6):
            assert (await edge.curl("--user", "anita:guess", "--interface", address, url=url))[0] == 401
        identity = edge.authority.issue(SECOND_INNER, [SECOND_INNER], [])
        second = InnerProxy(replace(told[0], node=SECOND_INNER, identity=identity))
        await second.start()
        stack.push_async_callback(second.stop)

        def both_say(count: int) -> bool:
            return all(len(one.protection.blocks(time.time())) == count for one in (edge.inner, second))

        await until(lambda: both_say(2))
        second.watch.unblock(address)
        second.watch.unblock("anita")
        await until(lambda: both_say(0))
        right = f"anita:{PASSWORDS['anita']}"
        assert (await edge.curl("--user", right, "--interface", address, url=url))[0] == 200


def test_an_outer_proxy_is_told_only_where_nobody_works() -> None:
    told: list[KeepOut] = []
    watch = Watch(ProtectionRules(), told.append, lambda _: None, clock=lambda: 1000.0)
    watch.let_in(OFFICE, "anita")
    for address in (OFFICE, STRANGER):
        for number in range(10):
            watch.failed(address, f"victim{number}")
    assert {block.who for block in watch.protection.blocks(1000.0)} == {OFFICE, STRANGER}
    assert [word.who for word in told] == [STRANGER]
    assert [word.who for word in watch.standing()] == [STRANGER]
    assert watch.kept_out(OFFICE, "victim1")
    assert not watch.kept_out(OFFICE, "anita")
