"""What the doctor says of calls: nodes that are silent or show a wrong certificate, and devices that are not let in."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from ringback.net.names import NameClient
from ringback.net.sip_probe import probe_options
from ringback.net.tls import client_context
from ringback.planning.doctor import DoctorReport, run_doctor
from ringback.planning.doctor_report import report_json
from ringback.rules.addresses import HostPort, UserAddress
from ringback.rules.catalogue import catalogue, render
from ringback.rules.dial_plan import DialPlan
from ringback.rules.reachability import Obstacle
from ringback.services.callmanager.device_credentials import derive_secret
from ringback.services.callmanager.service import CallManager
from ringback.services.callmanager.settings import CallSettings, Sibling
from tests.doctor.company import Company, port_of, srv

ANITA = UserAddress.parse("anita@example.com")
PASSWORD = "Rain-Over-Bergen-7"
KEY = b"the key of the cluster"
CALLS = CallSettings(
    sip_port=0, sip_tls_port=0, domain="example.com", domains=frozenset({"example.com"}), credential_key=KEY,
    plan=DialPlan(lines=frozenset({"2001"})),
)  # fmt: skip


async def second_node(company: Company, **changes: Any) -> tuple[CallManager, Sibling]:
    """A second node, and how the first one knows it."""
    node = await company.call_manager("cm2.example.com", address="127.0.10.12", calls=replace(CALLS, **changes))
    return node, Sibling("cm2.example.com", "127.0.10.12", port_of(node, "sip-tls"), sip_port=port_of(node, "sip"))


async def examine(company: Company, service: CallManager, password: str = PASSWORD) -> DoctorReport:
    names = await company.names(srv(port_of(service, "uds")))
    report = await run_doctor(ANITA, names, settings=company.settings(service), password=password)
    for fault in report.faults:
        for sentence in (fault.what, fault.why, fault.do_first, fault.do_then):
            assert sentence.id in catalogue(), sentence
            assert "{" not in render(sentence), sentence
    assert derive_secret(KEY, "CSFANITA") not in report_json(report)
    return report


def checked(report: DoctorReport, what: str) -> list[tuple[str, str]]:
    """Outcome and answer of all checks of a kind."""
    return [(entry.outcome, entry.answer) for entry in report.entries if entry.text.id == f"trace.checked.{what}"]


async def test_a_healthy_company_is_reached_by_every_way(company: Company) -> None:
    cm = await company.call_manager(calls=CALLS)
    report = await examine(company, cm)
    assert report.healthy, report.faults
    ways = checked(report, "calls")
    assert [outcome for outcome, _ in ways] == ["ok"] * 3
    assert all(answer.startswith("200") for _, answer in ways)
    assert sum("TLSv1.3" in answer for _, answer in ways) == 1
    assert checked(report, "phone-file") == [("ok", "2001")]
    ((outcome, answer),) = checked(report, "phone")
    assert outcome == "ok"
    assert answer.startswith("200")


async def test_without_a_password_only_the_nodes_are_asked(company: Company) -> None:
    cm = await company.call_manager(calls=CALLS)
    report = await examine(company, cm, "")
    assert report.healthy
    assert len(checked(report, "calls")) == 3
    assert not checked(report, "phone")


async def test_a_company_without_calls_has_no_fault(company: Company) -> None:
    report = await examine(company, await company.call_manager())
    assert report.healthy
    assert not checked(report, "calls")


async def test_a_dead_second_node_is_found_before_it_is_needed(company: Company) -> None:
    dead = Sibling("dead.example.com", "127.0.99.1", 5061, sip_port=5060)
    cm = await company.call_manager(
        calls=replace(CALLS, siblings=(dead,)), servers=("cm1.example.com", "dead.example.com")
    )
    report = await examine(company, cm)
    told = {(fault.id, fault.what.id, fault.what.values["server"]) for fault in report.faults}
    for port in (5060, 5061):
        assert ("service-unreachable", "fault.service-unreachable.what.calls", f"dead.example.com:{port}") in told
    assert checked(report, "phone")[0][0] == "ok"


async def test_a_node_with_a_certificate_of_another_name_is_found(company: Company) -> None:
    wrong = company.authority.issue("wrong", ["elsewhere.example.com"], ["127.0.10.12"])
    node = await company.call_manager("cm2.example.com", address="127.0.10.12", calls=CALLS, identity=wrong)
    sibling = Sibling("cm2.example.com", "127.0.10.12", port_of(node, "sip-tls"), sip_port=port_of(node, "sip"))
    cm = await company.call_manager(
        calls=replace(CALLS, siblings=(sibling,)), servers=("cm1.example.com", "cm2.example.com")
    )
    report = await examine(company, cm)
    named = [fault for fault in report.faults if fault.id == "certificate-name"]
    assert [fault.why.values["host"] for fault in named] == ["cm2.example.com"]
    assert "elsewhere.example.com" in named[0].why.values["names"]


async def test_a_node_with_another_key_refuses_the_device(company: Company) -> None:
    _, sibling = await second_node(company, credential_key=b"another key")
    cm = await company.call_manager(
        calls=replace(CALLS, siblings=(sibling,)), servers=("cm1.example.com", "cm2.example.com")
    )
    report = await examine(company, cm)
    assert [outcome for outcome, _ in checked(report, "phone")] == ["ok", "failed"]
    (refused,) = [fault for fault in report.faults if fault.id == "phone-refused"]
    assert refused.what.values["device"] == "CSFANITA"
    assert refused.why.values["server"] == str(HostPort("cm2.example.com", sibling.sip_port))


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x00\x01\x02\r\n\r\n"])
async def test_what_is_no_sip_is_no_answer(answer: bytes) -> None:
    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(served, "127.0.0.1", 0) as server:
        where = HostPort("127.0.0.1", server.sockets[0].getsockname()[1])
        probe = await probe_options(where, "tcp", NameClient(), client_context(), 3.0)
        assert probe.status == 0
        tls = await probe_options(where, "tls", NameClient(), client_context(), 3.0)
        assert tls.obstacle in (Obstacle.NOT_TLS, Obstacle.CLOSED)


async def test_a_silent_udp_port_is_noticed_in_time() -> None:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0))
    try:
        where = HostPort("127.0.0.1", transport.get_extra_info("sockname")[1])
        probe = await probe_options(where, "udp", NameClient(), client_context(), 0.7)
        assert probe.obstacle is Obstacle.TIMED_OUT
    finally:
        transport.close()
    closed = await probe_options(where, "udp", NameClient(), client_context(), 3.0)
    assert closed.obstacle is Obstacle.REFUSED
