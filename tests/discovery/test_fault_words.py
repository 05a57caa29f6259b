"""Every fault that evidence can give is said in whole sentences, and names the change that would have helped."""

from itertools import product

import pytest

from ringback.client.edge.problems import reason_of
from ringback.rules import faults
from ringback.rules.addresses import HostPort
from ringback.rules.catalogue import arguments_of, catalogue, render
from ringback.rules.faults import ServerFailure
from ringback.rules.reachability import CertificateFacts, Obstacle
from ringback.rules.reasons import Reason
from ringback.rules.remote_access import ServiceRecords
from ringback.rules.srv import NameAnswer, NameOutcome, SrvRecord
from ringback.rules.trace import Fault

SERVER = HostPort("cm1.example.com", 8444)
FACTS = CertificateFacts(
    "cm1.example.com:8444",
    "cm1.example.com",
    ("cm1.old.example",),
    "CN=cm1.old.example",
    "CN=Some CA",
    "2020-01-01T00:00:00+00:00",
    "2021-01-01T00:00:00+00:00",
    "ab" * 32,
)
OBSTACLES = [None, *Obstacle]
EDGE = HostPort("edge.example.com", 8443)
EDGE_REASONS = [
    Reason.of("edge.access.none"),
    Reason.of("edge.problem.certificate", edge=EDGE.host),
    Reason.of("edge.problem.document", edge=EDGE.host, why="no XML"),
    Reason.of("edge.problem.no_call_manager", edge=EDGE.host),
    Reason.of("edge.problem.unreachable", edge=EDGE, why="refused"),
    *(
        reason
        for status in (401, 403, 404, 418, 429, 502, 503)
        for server in ("", "cm1.example.com")
        if (reason := reason_of(status, EDGE, domain="example.com", server=server, wait=90.0))
    ),
]


def said(fault: Fault) -> str:
    """All sentences of a fault; fails where one is missing or a value is."""
    sentences = []
    for reason in (fault.what, fault.why, fault.do_first, fault.do_then):
        assert reason.id in catalogue()
        assert arguments_of(catalogue()[reason.id]) <= set(reason.values), reason.id
        sentences.append(render(reason))
    return " ".join(sentences)


@pytest.mark.parametrize(
    ("obstacle", "usual_port", "facts", "record"),
    list(product(OBSTACLES, [0, 8443], [None, FACTS], ["", "10 10 8444 cm1.example.com"])),
)
def test_every_failure_of_a_server(
    obstacle: Obstacle | None, usual_port: int, facts: CertificateFacts | None, record: str
) -> None:
    failure = ServerFailure(SERVER, obstacle, facts, 500 if obstacle is None else 0, "detail", record, usual_port)
    assert "cm1.example.com" in said(faults.server_unreachable("example.com", failure))
    assert "cm1.example.com" in said(faults.home_unreachable("cm1.example.com", failure))
    for service in ("files", "messages", "login"):
        assert "cm1.example.com" in said(faults.service_unreachable(service, failure))


@pytest.mark.parametrize(
    ("first", "others", "suggestion"), list(product(NameOutcome, NameOutcome, ["", "example.org"]))
)
def test_every_way_of_finding_nothing(first: NameOutcome, others: NameOutcome, suggestion: str) -> None:
    none = (SrvRecord(0, 0, 0, ""),)
    asked = [
        NameAnswer("q SRV", "127.0.0.1:53", each, none if each == "found" else ()) for each in (first, others, others)
    ]
    fault = faults.no_servers_found("example.com", ServiceRecords(*asked), suggestion)
    assert "example.com" in said(fault)
    silent = {first, others} <= {NameOutcome.TIMED_OUT, NameOutcome.NO_ANSWER}
    assert (fault.id == "names-silent") == silent
    assert bool(fault.change) == (fault.id == "no-records")


def test_the_other_faults() -> None:
    for fault in (
        faults.no_servers_found("example.com", ServiceRecords()),
        faults.manual_entry_wanted("example.com"),
        faults.cloud_domain("example.com"),
        *(faults.edge_closed("example.com", "edge.example.com", reason) for reason in EDGE_REASONS),
        faults.unknown_user("anita@example.com", SERVER),
        faults.malformed_configuration("jabber-config.xml", "cm1.example.com", "line 3"),
        faults.missing_configuration("SPDefault.cnf.xml", "cm1.example.com", "HTTP 404"),
        faults.wrong_password("anita@example.com", "cm1.example.com"),
        faults.took_too_long("example.com", 20.0),
        faults.no_code_grant("cm1.example.com"),
    ):
        assert said(fault)


def test_the_changes_are_literal_records() -> None:
    record = "10 10 8444 cm1.example.com"
    wrong_port = ServerFailure(SERVER, Obstacle.REFUSED, record=record, usual_port=8443)
    assert faults.server_unreachable("example.com", wrong_port).change == (
        "_cisco-uds._tcp.example.com. 300 IN SRV 10 10 8443 cm1.example.com."
    )
    no_address = ServerFailure(SERVER, Obstacle.NO_ADDRESS, record=record)
    assert faults.server_unreachable("example.com", no_address).change == (
        "cm1.example.com. 300 IN A <address of cm1.example.com>"
    )
    wrong_name = ServerFailure(SERVER, Obstacle.WRONG_NAME, FACTS, record=record)
    assert faults.server_unreachable("example.com", wrong_name).change == (
        "A certificate whose subject alternative names hold DNS:cm1.example.com"
    )
