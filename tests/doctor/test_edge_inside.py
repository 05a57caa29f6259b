"""The doctor at the inner side of the edge: what a half dead edge is told, in one sentence each with the remedy."""

from __future__ import annotations

from msgspec.structs import replace

from ringback.planning.edge_inside import Finding, judge, not_running
from ringback.protocols.edge.desk import Company, Figures, Outer, Shown, Source, State
from ringback.rules.catalogue import render
from ringback.rules.edge_protection import Block

NOW, DAY = 1_000_000_000.0, 86_400.0
WELL = Company(
    domain="example.com",
    names=["edge.example.com", "example.com"],
    keys=[Source("cm1", 1.0, ""), Source("cm2", 1.0, "")],
    policies=[Source("cm1", 1.0, ""), Source("cm2", 1.0, "")],
    restricted=0,
    signed_in=3,
    name_server="127.0.10.2:53",
    name_error="",
    certificate=Shown("edge-public.pem", ["edge.example.com", "example.com"], NOW + 300 * DAY),
    reached={"im1": "", "im2": ""},
)
STATE = State(
    node="edge-in",
    now=NOW,
    since=NOW - 60,
    link_certificate=Shown("edge-in.pem", ["edge-in"], NOW + 300 * DAY),
    outers=[Outer("edge1", "127.0.15.40:7001", True), Outer("edge2", "127.0.15.41:7001", True)],
    companies=[WELL],
    blocks=[],
    exempt=[],
    figures=Figures({}, {}, {}, 0, 0, 0, 0),
)


def told(findings: tuple[Finding, ...]) -> dict[str, str]:
    """Those that are not as they should be, each with its sentence; every sentence must be in the catalogue."""
    for one in findings:
        for reason in filter(None, (one.what, one.remedy)):
            assert not render(reason).startswith("edge."), reason
    return {one.what.id: render(one.what) for one in findings if one.remedy is not None}


def with_company(**changes: object) -> State:
    return replace(STATE, companies=[replace(WELL, **changes)])


def test_an_edge_that_is_well_has_no_fault() -> None:
    findings = judge(STATE)
    assert told(findings) == {}
    assert len(findings) == 10


def test_a_link_that_does_not_stand_is_told_with_what_the_firewall_must_pass() -> None:
    whys = {
        "[Errno 111] Connect call failed": "edge.doctor.no_link.refused",
        "no answer within 5 seconds": "edge.doctor.no_link.silent",
        "certificate verify failed: self-signed certificate": "edge.doctor.no_link.certificate",
    }
    for why, remedy in whys.items():
        outers = [STATE.outers[0], Outer("edge2", "127.0.15.41:7001", False, why)]
        fault = next(one for one in judge(replace(STATE, outers=outers)) if one.is_fault)
        assert fault.remedy is not None
        assert fault.remedy.id == remedy
        assert "edge2" in render(fault.what)


def test_one_silent_call_manager_is_a_warning_and_all_of_them_are_a_fault() -> None:
    half = [Source("cm1", 1.0, ""), Source("cm2", 90.0, "ClientConnectorError")]
    findings = [one for one in judge(with_company(keys=half)) if one.remedy]
    assert [(one.what.id, one.warning) for one in findings] == [("edge.doctor.no_keys", True)]
    assert "nobody can be revoked" in render(findings[0].what)
    dead = [Source("cm1", None, "the answer is 401"), Source("cm2", None, "ClientConnectorError")]
    findings = [one for one in judge(with_company(keys=dead, policies=dead)) if one.is_fault]
    assert [one.what.id for one in findings] == ["edge.doctor.no_keys"] * 2 + ["edge.doctor.no_policies"] * 2
    assert [one.remedy.id for one in findings if one.remedy][:2] == [
        "edge.doctor.source.refused", "edge.doctor.source.silent",
    ]  # fmt: skip
    assert "nobody of its cluster gets in" in render(findings[0].what)


def test_clocks_names_presence_and_certificates() -> None:
    keys = [Source("cm1", 1.0, "", 95.0), Source("cm2", 1.0, "", -12.0)]
    assert "cm1 is 95 seconds ahead" in told(judge(with_company(keys=keys)))["edge.doctor.clock"]
    assert (
        "does not answer"
        in told(judge(with_company(name_error="the name server does not answer")))["edge.doctor.no_names"]
    )
    one_dead = judge(with_company(reached={"im1": "Connection refused", "im2": ""}))
    assert [one.warning for one in one_dead if one.remedy] == [True]
    both_dead = judge(with_company(reached={"im1": "Connection refused", "im2": "Connection refused"}))
    assert [one.is_fault for one in both_dead if one.remedy] == [True, True]
    lacks = told(judge(with_company(certificate=Shown("f.pem", ["edge.example.com"], NOW + 300 * DAY))))
    assert "does not name example.com" in lacks["edge.doctor.certificate.lacks"]
    soon = judge(with_company(certificate=replace(WELL.certificate, until=NOW + 5 * DAY)))
    assert [one.what.id for one in soon if one.warning] == ["edge.doctor.certificate.soon"]
    over = told(judge(replace(STATE, link_certificate=Shown("l.pem", [], NOW - DAY))))
    assert "nobody gets in" in over["edge.doctor.certificate.over"]
    assert "edge.doctor.certificate.unreadable" in told(judge(replace(STATE, link_certificate=Shown("l.pem", [], 0.0))))


def test_who_is_kept_out_is_told_with_the_way_back() -> None:
    blocks = [Block("address", f"192.0.2.{step}", NOW + 60, 6) for step in range(7)]
    blocks.append(Block("person", "anita", NOW + 60, 6, "192.0.2.9"))
    found = told(judge(replace(STATE, blocks=blocks)))
    assert found["edge.doctor.addresses_out"].startswith("7 addresses are kept out")
    assert "anita" in found["edge.doctor.people_out"]


def test_a_proxy_that_does_not_run_is_told() -> None:
    assert told((not_running("edge-in", "it does not run on this machine"),))
