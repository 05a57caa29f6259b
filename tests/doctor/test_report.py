"""The report as prose and as JSON."""

import io
import json

from rich.console import Console

from ringback.planning.doctor import run_doctor
from ringback.planning.doctor_report import print_report, report_json
from ringback.rules.addresses import UserAddress
from tests.doctor.company import Company, port_of, srv

ANITA = UserAddress.parse("anita@example.com")


async def test_prose_names_questions_answers_decisions_and_remedy(company: Company) -> None:
    names = await company.names(srv(8443, "dead"))
    report = await run_doctor(ANITA, names, settings=company.settings())
    text = io.StringIO()
    print_report(report, Console(file=text, width=200, color_system=None))
    shown = text.getvalue()
    assert f"_cisco-uds._tcp.example.com SRV  @ {names}" in shown
    assert "→ 10 10 8443 dead.example.com" in shown
    assert "Taken: there are records of _cisco-uds, so the service profile on the call manager decides" in shown
    assert "The phone system of example.com can't be reached from this network" in shown
    assert "The change: _cisco-uds._tcp.example.com. 300 IN SRV" in shown


async def test_prose_of_a_healthy_company(company: Company) -> None:
    service = await company.call_manager()
    names = await company.names(srv(port_of(service, "uds")))
    report = await run_doctor(ANITA, names, settings=company.settings(service))
    text = io.StringIO()
    print_report(report, Console(file=text, width=200, color_system=None))
    assert "anita@example.com can sign in" in text.getvalue()


async def test_json_has_the_documented_shape(company: Company) -> None:
    service = await company.call_manager()
    names = await company.names(srv(port_of(service, "uds")))
    report = await run_doctor(UserAddress.parse("nobody@example.com"), names, settings=company.settings(service))
    document = json.loads(report_json(report))
    assert set(document) == {
        "schema", "address", "healthy", "services_domain", "voice_services_domain", "location", "authenticator",
        "source", "product_mode", "servers", "home_cluster", "suggestion", "faults", "entries", "seconds",
    }  # fmt: skip
    assert document["schema"] == 1
    assert document["healthy"] is False
    assert document["location"] == "inside"
    assert document["servers"] == [{"host": "cm1.example.com", "port": port_of(service, "uds")}]
    (fault,) = document["faults"]
    assert set(fault) == {"id", "what", "why", "do_first", "do_then", "change"}
    assert fault["what"]["text"] == "The phone system does not know nobody@example.com"
    for entry in document["entries"]:
        assert set(entry) == {
            "at", "kind", "outcome", "text", "question", "server", "answer", "took", "reasons", "group",
        }  # fmt: skip
        assert entry["kind"] in ("typed", "asked", "decided", "checked")
    asked = [entry for entry in document["entries"] if entry["group"] == "services"]
    assert [entry["question"] for entry in asked] == [
        "_cisco-uds._tcp.example.com SRV",
        "_cuplogin._tcp.example.com SRV",
        "_collab-edge._tls.example.com SRV",
    ]
