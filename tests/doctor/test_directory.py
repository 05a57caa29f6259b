"""The doctor looks at a directory of people: a real OpenLDAP, healthy and with faults, found by records and by name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ringback.planning.doctor import DoctorReport, DoctorSettings
from ringback.rules.catalogue import render
from ringback.services.callmanager.settings import ConfigurationFile, SearchPolicy
from tests.directory_sync.company import ANITA as ANITA_BERG
from tests.directory_sync.company import CROWD, content, crowd
from tests.doctor.company import Company, port_of, srv
from tests.doctor.test_faults import examine, only_fault
from tests.support.slapd import ACCOUNT, ACCOUNT_PASSWORD, BASE, HOST, PEOPLE, Directory, running_slapd

pytestmark = pytest.mark.peer
_GOOD = (
    "index uid,sn,givenName,mail,cn,displayName,telephoneNumber,mobile,homePhone eq,sub\nindex objectClass eq\n"
    f'database config\naccess to * by dn.exact="{ACCOUNT}" read by * none\n'
)
_USUAL = {
    "UserAccountName": "uid",
    "BaseFilter": "(objectClass=inetOrgPerson)",
    "SearchBase1": PEOPLE,
    "ConnectionUsername": ACCOUNT,
    "ConnectionPassword": ACCOUNT_PASSWORD,
    "DirectoryServerType": "CDI",
    "OtherPhone": "homePhone",
    "SipUri": "mail",
}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Directory]:
    """Every attribute has its index, and the account may read so."""
    with running_slapd(tmp_path_factory.mktemp("slapd"), {}, ldif=content(), indexes=_GOOD) as made:
        yield made


async def report_of(
    company: Company, directory: Directory, *records: str, trusts: bool = True, named: bool = True, **parameters: str
) -> DoctorReport:
    """The report for a company with this directory; ``named``: the configuration has its name, else records have it."""
    given = {**_USUAL, **parameters}
    if named:
        given = {"PrimaryServerName": HOST, "ServerPort1": str(directory.clear.port), **given}
    file = ConfigurationFile(
        "jabber-config.xml", {"Directory": {name: value for name, value in given.items() if value}}
    )
    service = await company.call_manager(configuration=file)
    hosts = (f"ldap A {directory.clear.address}", f"other A {directory.clear.address}")
    names = await company.names(srv(port_of(service, "uds")), *hosts, *records)
    settings = company.settings(service, ca_file=_trust(company, directory) if trusts else company.authority.ca_file)
    return await examine(
        names, DoctorSettings(settings.discovery, settings.files_port, settings.files_tls_port, environment={})
    )


def _trust(company: Company, directory: Directory) -> Path:
    both = company.folder / "both.pem"
    both.write_bytes(company.authority.ca_file.read_bytes() + directory.ca.read_bytes())
    return both


def answers(report: DoctorReport) -> dict[str, str]:
    """What was answered to each check of the directory."""
    return {
        entry.text.id.removeprefix("trace.checked.directory-"): entry.answer
        for entry in report.entries
        if entry.text.id.startswith("trace.checked.directory-")
    }


async def test_a_healthy_directory_is_found_by_its_record(company: Company, directory: Directory) -> None:
    record = f"_ldap._tcp SRV 0 0 {directory.clear.port} ldap"
    report = await report_of(company, directory, record, named=False)
    assert report.healthy, [render(fault.why) for fault in report.faults]
    told = answers(report)
    assert told["sign-in"] == "simple"
    assert told["person"] == ANITA_BERG.name
    assert told["indexes"].count(" index (configuration") == len(told["indexes"].split("), ")), told["indexes"]
    assert "people in" in told["search"]
    questions = [entry.question for entry in report.entries if entry.text.id == "trace.checked.directory-records"]
    assert questions == ["_ldap._tcp.example.com SRV"], "no forest is named, so there is no global catalogue to ask for"
    assert any(entry.text.id == "trace.checked.certificate" and "ldap." in entry.server for entry in report.entries)
    assert ACCOUNT_PASSWORD not in repr(report)


async def test_the_records_of_forest_and_site_are_asked_in_order(company: Company, directory: Directory) -> None:
    report = await report_of(
        company, directory, named=False, LdapDNSForestDomain="forest.example.com", LdapSiteName="zurich"
    )
    assert only_fault(report) == "directory-not-found"
    questions = [entry.question for entry in report.entries if entry.text.id == "trace.checked.directory-records"]
    assert questions == [
        "_gc._tcp.zurich._sites.forest.example.com SRV",
        "_gc._tcp.forest.example.com SRV",
        "_ldap._tcp.zurich._sites.example.com SRV",
        "_ldap._tcp.example.com SRV",
    ]
    assert "_gc._tcp.forest.example.com" in render(report.faults[0].why)


@pytest.mark.parametrize(
    ("parameters", "fault", "words"),
    [
        ({"PrimaryServerName": "dead.example.com"}, "directory-unreachable", "Connect call failed"),
        ({"SecondaryServerName": "dead.example.com"}, "directory-unreachable", "Other servers of the directory answer"),
        ({"PrimaryServerName": "nowhere.example.com"}, "directory-unreachable", "There is no address"),
        ({"PrimaryServerName": "other.example.com"}, "certificate-name", "ldap.example.com"),
        ({"ConnectionPassword": "wrong"}, "directory-sign-in", "refused"),
        ({"SearchBase1": f"ou=elsewhere,{BASE}"}, "directory-base", "result 32"),
        ({"BaseFilter": "(objectClass=device)"}, "directory-person", "whose uid is anita"),
        ({"UserAccountName": "employeeNumber"}, "directory-person", "whose employeeNumber is anita"),
        (
            {"PhotoUriSubstitutionEnabled": "true", "PhotoUriSubstitutionToken": "uid",
             "PhotoUriWithToken": "http://dead.example.com/uid.jpg"},
            "directory-photo", "http://dead.example.com/anita.jpg",
        ),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_named(
    company: Company, directory: Directory, parameters: dict[str, Any], fault: str, words: str
) -> None:
    report = await report_of(company, directory, **parameters)
    found = {one.id: one for one in report.faults if one.id != "directory-slow"}
    assert set(found) == {fault}, {one.id: render(one.why) for one in report.faults}
    assert words in f"{render(found[fault].what)} {render(found[fault].why)}"


async def test_an_authority_that_nobody_knows(company: Company, directory: Directory) -> None:
    report = await report_of(company, directory, trusts=False)
    assert only_fault(report) == "certificate-untrusted"


async def test_tls_from_the_first_octet(company: Company, directory: Directory) -> None:
    report = await report_of(company, directory, UseSSL="true", ServerPort1=str(directory.secure.port))
    assert report.healthy, [render(fault.why) for fault in report.faults]


async def test_attributes_without_an_index_are_named(company: Company, tmp_path: Path) -> None:
    """As the configuration says; and where that can't be read, by the time that a search takes among many."""
    some = (
        "index uid,sn,givenName,cn,displayName,telephoneNumber,homePhone eq,sub\nindex mail eq\nindex objectClass eq\n"
    )
    told = f'{some}database config\naccess to * by dn.exact="{ACCOUNT}" read by * none\n'
    with running_slapd(tmp_path / "told", {}, ldif=content(), indexes=told) as readable:
        report = await report_of(company, readable)
    assert only_fault(report) == "directory-slow"
    assert report.faults[0].why.values["attributes"] == "mail, mobile", (
        "an index for whole values is none for beginnings"
    )
    assert "olcDbIndex: mobile eq,sub" in report.faults[0].change
    more = "".join(one.ldif for one in crowd(12000)[CROWD:])
    indexes = "index objectClass eq\nindex uid,sn,givenName,cn,displayName,telephoneNumber,homePhone,mail eq,sub\n"
    with running_slapd(tmp_path / "measured", {}, ldif=content(more), indexes=indexes, size=2**28) as silent:
        report = await report_of(company, silent)
    assert only_fault(report) == "directory-slow"
    assert report.faults[0].why.id == "fault.directory-slow.why.measured"
    assert "mobile" in report.faults[0].why.values["attributes"]
    assert "telephoneNumber" not in report.faults[0].why.values["attributes"]


@pytest.mark.parametrize(
    ("template", "fault"),
    [("", ""), ("http://dead.example.com/%%uid%%", "directory-photo")],
)
async def test_the_user_data_service_is_searched_where_there_is_no_ldap(
    company: Company, template: str, fault: str
) -> None:
    """A picture that nobody has is no fault; a server of pictures that does not answer is one."""
    directory = {"Directory": {"UdsPhotoUriWithToken": template}} if template else {}
    file = ConfigurationFile("jabber-config.xml", directory)
    service = await company.call_manager(configuration=file)
    names = await company.names(srv(port_of(service, "uds")))
    report = await examine(names, company.settings(service))
    assert [one.id for one in report.faults] == ([fault] if fault else [])
    told = answers(report)
    assert told["search"].startswith("1 people in ")
    assert "photo" in told


async def test_a_search_that_needs_a_sign_in_is_made_as_the_person(company: Company) -> None:
    service = await company.call_manager(search=SearchPolicy(needs_sign_in=True))
    names = await company.names(srv(port_of(service, "uds")))
    report = await examine(names, company.settings(service))
    assert "--password" in answers(report)["search"]
    report = await examine(names, company.settings(service), password="Rain-Over-Bergen-7")
    assert answers(report)["search"].startswith("1 people in ")
