"""Where a request goes (RFC 3263): as a pure function, and with a name server that answers."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter

import pytest

from ringback.net.names import NameClient
from ringback.net.sip.locate import Locator
from ringback.protocols.sip.flows import Target
from ringback.protocols.sip.location import Location, Question, Wanted, after_failures, locate
from ringback.protocols.sip.uri import Uri
from ringback.rules.addresses import HostPort
from ringback.rules.catalogue import catalogue, render
from ringback.rules.srv import NameAnswer, NameOutcome, NaptrRecord, SrvRecord
from ringback.services.names import NamesService, NamesSettings, Record, Zone

Told = dict[tuple[str, str], NameAnswer]


def answer(
    *, srv: tuple[SrvRecord, ...] = (), addresses: tuple[str, ...] = (), naptr: tuple[NaptrRecord, ...] = ()
) -> NameAnswer:
    return NameAnswer("q", "s", NameOutcome.FOUND, srv, addresses, naptr=naptr)


NOTHING = NameAnswer("q", "s", NameOutcome.NO_DATA)


def run(wanted: Wanted, told: Told, picks: list[float] | None = None) -> Location:
    """Ask until nothing is missing; what is not told is not there."""
    chances = iter(picks) if picks is not None else itertools.repeat(0.5)
    answers: dict[Question, NameAnswer] = {}
    for _ in range(5):
        found = locate(wanted, answers, lambda: next(chances))
        if not found.questions:
            for reason in found.reasons:
                assert reason.id in catalogue()
                assert "{" not in render(reason)
            return found
        for question in found.questions:
            assert question not in answers
            answers[question] = told.get((question.kind, question.name), NOTHING)
    raise AssertionError("the questions never end")


def places(location: Location) -> list[str]:
    return [f"{each.transport} {each.host} {each.port}" for each in location.targets]


def ids(location: Location) -> list[str]:
    return [reason.id.removeprefix("sip.location.") for reason in location.reasons]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Wanted("192.0.2.1"), "udp 192.0.2.1 5060"),
        (Wanted("192.0.2.1", 5070), "udp 192.0.2.1 5070"),
        (Wanted("192.0.2.1", transport="tcp"), "tcp 192.0.2.1 5060"),
        (Wanted("192.0.2.1", transport="tls"), "tls 192.0.2.1 5061"),
        (Wanted("192.0.2.1", secure=True), "tls 192.0.2.1 5061"),
        (Wanted("192.0.2.1", transport="tcp", secure=True), "tls 192.0.2.1 5061"),
        (Wanted("2001:db8::1"), "udp 2001:db8::1 5060"),
        (Wanted("192.0.2.1", transports=("tcp", "tls")), "tcp 192.0.2.1 5060"),
    ],
)
def test_an_address_is_its_own_answer(wanted: Wanted, expected: str) -> None:
    found = locate(wanted, {})
    assert places(found) == [expected]
    assert not found.questions


def test_a_port_forbids_records() -> None:
    found = run(Wanted("a.example", 5070), {("A", "a.example"): answer(addresses=("192.0.2.1", "2001:db8::1"))})
    assert places(found) == ["udp 192.0.2.1 5070", "udp 2001:db8::1 5070"]


def test_a_transport_asks_for_its_own_records() -> None:
    told = {
        ("SRV", "_sip._tcp.example.com"): answer(srv=(SrvRecord(0, 1, 5062, "a.example.com"),)),
        ("A", "a.example.com"): answer(addresses=("192.0.2.1",)),
    }
    found = run(Wanted("example.com", transport="tcp"), told)
    assert found.targets == (Target("tcp", "192.0.2.1", 5062, "example.com"),)
    assert ids(found) == ["transport", "srv"]


def test_naptr_rules_over_our_own_preference() -> None:
    told = {
        ("NAPTR", "example.com"): answer(
            naptr=(
                NaptrRecord(90, 50, "s", "SIP+D2T", "_sip._tcp.example.com"),
                NaptrRecord(50, 50, "S", "sips+d2t", "_sips._tcp.example.com"),
                NaptrRecord(100, 50, "s", "SIP+D2U", "_sip._udp.example.com"),
                NaptrRecord(10, 50, "s", "SIP+D2S", "_sip._sctp.example.com"),
                NaptrRecord(10, 50, "u", "E2U+sip", ""),
            )
        ),
        ("SRV", "_sips._tcp.example.com"): answer(srv=(SrvRecord(0, 1, 5061, "t.example.com"),)),
        ("SRV", "_sip._tcp.example.com"): answer(srv=(SrvRecord(0, 1, 5060, "t.example.com"),)),
        ("A", "t.example.com"): answer(addresses=("192.0.2.9",)),
    }
    found = run(Wanted("Example.COM"), told)
    assert places(found) == ["tls 192.0.2.9 5061", "tcp 192.0.2.9 5060"]
    assert ids(found)[0] == "naptr"
    assert "TLS, TCP, UDP" in render(found.reasons[0])


def test_sips_takes_only_tls() -> None:
    told = {
        ("SRV", "_sips._tcp.example.com"): answer(srv=(SrvRecord(0, 1, 5061, "t.example.com"),)),
        ("SRV", "_sip._udp.example.com"): answer(srv=(SrvRecord(0, 1, 5060, "u.example.com"),)),
        ("A", "t.example.com"): answer(addresses=("192.0.2.9",)),
        ("A", "u.example.com"): answer(addresses=("192.0.2.8",)),
    }
    assert places(run(Wanted("example.com", secure=True), told)) == ["tls 192.0.2.9 5061"]


def test_without_naptr_every_transport_is_asked_in_our_order() -> None:
    told = {
        ("SRV", "_sips._tcp.example.com"): answer(srv=(SrvRecord(0, 1, 5061, "t.example.com"),)),
        ("SRV", "_sip._udp.example.com"): answer(srv=(SrvRecord(0, 1, 5060, "t.example.com"),)),
        ("A", "t.example.com"): answer(addresses=("192.0.2.9",)),
    }
    found = run(Wanted("example.com", transports=("tls", "tcp", "udp")), told)
    assert places(found) == ["tls 192.0.2.9 5061", "udp 192.0.2.9 5060"]


def test_without_records_the_host_itself_is_used() -> None:
    found = run(Wanted("example.com"), {("A", "example.com"): answer(addresses=("192.0.2.1",))})
    assert places(found) == ["udp 192.0.2.1 5060"]
    assert ids(found) == ["no-records"]
    secure = run(Wanted("example.com", transport="tls"), {("A", "example.com"): answer(addresses=("192.0.2.1",))})
    assert places(secure) == ["tls 192.0.2.1 5061"]


def test_a_service_that_is_not_offered_is_not_guessed() -> None:
    told = {
        ("SRV", "_sip._udp.example.com"): answer(srv=(SrvRecord(0, 0, 0, ""),)),
        ("A", "example.com"): answer(addresses=("192.0.2.1",)),
    }
    found = run(Wanted("example.com", transport="udp"), told)
    assert found.targets == ()
    assert ids(found) == ["transport", "not-offered", "nowhere"]


def test_silence_is_told_from_absence() -> None:
    silent = NameAnswer("example.com A", "", NameOutcome.TIMED_OUT)
    found = run(Wanted("example.com", 5060), {("A", "example.com"): silent})
    assert ids(found) == ["unanswered", "no-address", "nowhere"]


def test_priorities_then_weights() -> None:
    rows = (SrvRecord(20, 0, 1, "c.example"), SrvRecord(10, 60, 1, "a.example"), SrvRecord(10, 20, 1, "b.example"))
    told = {("SRV", "_sip._tcp.x.example"): answer(srv=rows)}
    for host, address in (("a.example", "192.0.2.1"), ("b.example", "192.0.2.2"), ("c.example", "192.0.2.3")):
        told["A", host] = answer(addresses=(address,))
    firsts: Counter[str] = Counter()
    for step in range(80):
        found = run(Wanted("x.example", transport="tcp"), told, [(step + 0.5) / 80, 0.5, 0.5])
        assert places(found)[-1] == "tcp 192.0.2.3 1"
        firsts[found.targets[0].host] += 1
    assert firsts == {"192.0.2.1": 60, "192.0.2.2": 20}


def test_families_that_cannot_be_reached_are_left_out() -> None:
    told = {("A", "a.example"): answer(addresses=("192.0.2.1", "2001:db8::1"))}
    assert places(run(Wanted("a.example", 5060, ipv6=False), told)) == ["udp 192.0.2.1 5060"]
    assert places(run(Wanted("a.example", 5060, ipv4=False), told)) == ["udp 2001:db8::1 5060"]


def test_a_hostile_zone_cannot_ask_for_much() -> None:
    rows = tuple(SrvRecord(1, 1, 5060, f"h{number}.example") for number in range(500))
    answers = {Question("SRV", "_sip._tcp.x.example"): answer(srv=rows)}
    assert len(locate(Wanted("x.example", transport="tcp"), answers).questions) == 16


def test_what_a_uri_wants() -> None:
    assert Wanted.of(Uri.parse("sip:a@h.example")) == Wanted("h.example")
    assert Wanted.of(Uri.parse("sips:a@h.example:5090")) == Wanted("h.example", 5090, secure=True)
    assert Wanted.of(Uri.parse("sip:a@h.example;transport=TCP;maddr=192.0.2.7")) == Wanted("192.0.2.7", 0, "tcp")


def test_failures_go_behind_and_come_back() -> None:
    a, b, c = (Target("tcp", host, 5060) for host in "abc")
    assert after_failures((a, b, c), {}, 100.0) == (a, b, c)
    assert after_failures((a, b, c), {a: 90.0, b: 80.0}, 100.0) == (c, b, a)
    assert after_failures((a, b, c), {a: 69.0}, 100.0) == (a, b, c)
    assert after_failures((a,), {a: 99.0}, 100.0) == (a,)


async def test_with_a_name_server() -> None:
    zone = Zone(
        "example.com",
        (
            Record("@", "NAPTR", ('10 10 "s" "SIP+D2T" "" _sip._tcp.example.com.',)),
            Record("_sip._tcp", "SRV", ("0 1 5070 a.example.com.", "5 1 5071 b.example.com.")),
            Record("a", "A", ("127.0.0.7",)),
            Record("b", "A", ("127.0.0.8",)),
        ),
    )
    service = NamesService(NamesSettings("names.example.com", "127.0.0.1", 0, (zone,)))
    await service.start()
    (endpoint,) = service.endpoints
    try:
        now = [1000.0]
        locator = Locator(NameClient(HostPort(endpoint.address, endpoint.port)), clock=lambda: now[0])
        found = await locator.locate(Wanted("example.com"))
        assert places(found) == ["tcp 127.0.0.7 5070", "tcp 127.0.0.8 5071"]
        assert ids(found) == ["naptr", "srv", "srv"]
        locator.failed(found.targets[0])
        assert places(await locator.locate(Wanted("example.com")))[0] == "tcp 127.0.0.8 5071"
        now[0] += 31
        assert places(await locator.locate(Wanted("example.com")))[0] == "tcp 127.0.0.7 5070"
        assert ids(await locator.locate(Wanted("missing.example.com")))[-1] == "nowhere"
    finally:
        await service.stop()


async def test_a_silent_name_server_costs_a_bounded_time() -> None:
    locator = Locator(NameClient(HostPort("127.0.0.1", 9)), wait=0.2)
    async with asyncio.timeout(5):
        found = await locator.locate(Wanted("example.com"))
    assert found.targets == ()
