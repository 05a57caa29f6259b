"""Each fault of a deployment, met on running services, is named with the remedy that would have helped."""

import asyncio
import datetime

import pytest

from ringback.deployment.authority import Authority
from ringback.planning.doctor import DoctorReport, DoctorSettings, run_doctor
from ringback.rules.addresses import HostPort, UserAddress
from ringback.rules.catalogue import catalogue, render
from ringback.services.callmanager.settings import ConfigurationFile, RemoteCluster, RemoteServer
from ringback.services.names import Record
from tests.doctor.company import DEAD, Company, port_of, srv

ANITA = UserAddress.parse("anita@example.com")


async def examine(
    names: HostPort, settings: DoctorSettings, address: UserAddress = ANITA, password: str = ""
) -> DoctorReport:
    report = await run_doctor(address, names, settings=settings, password=password)
    for fault in report.faults:
        for sentence in (fault.what, fault.why, fault.do_first, fault.do_then):
            assert sentence.id in catalogue(), sentence
            assert "{" not in render(sentence), sentence
    for entry in report.entries:
        for reason in (entry.text, *entry.reasons):
            assert reason.id in catalogue(), reason
            assert "{" not in render(reason), reason
    return report


def only_fault(report: DoctorReport) -> str:
    assert len(report.faults) == 1, [fault.id for fault in report.faults]
    assert report.exit_status == 1
    return report.faults[0].id


async def test_a_healthy_company(company: Company) -> None:
    service = await company.call_manager()
    names = await company.names(srv(port_of(service, "uds")))
    report = await examine(names, company.settings(service), password="Rain-Over-Bergen-7")
    assert report.healthy, report.faults
    assert report.exit_status == 0
    assert report.decision.authenticator == "callmanager"
    assert report.mode is not None
    assert report.mode.mode == "phone-only"
    assert report.discovery.home is not None
    assert report.discovery.home.user == "anita"
    texts = [entry.text.id for entry in report.entries]
    for expected in ("trace.asked.cisco-uds", "trace.asked.home", "trace.checked.file", "trace.checked.devices"):
        assert expected in texts
    assert "Rain-Over-Bergen-7" not in repr(report)


async def test_the_mail_address_finds_a_person_of_another_user_name(company: Company) -> None:
    service = await company.call_manager()
    names = await company.names(srv(port_of(service, "uds")))
    report = await examine(names, company.settings(service), UserAddress.parse("botan@example.com"))
    assert report.healthy
    assert report.discovery.home is not None
    assert report.discovery.home.user == "btanaka"


async def test_no_srv_record(company: Company) -> None:
    names = await company.names()
    report = await examine(names, company.settings())
    assert only_fault(report) == "no-records"
    assert report.faults[0].change.startswith("_cisco-uds._tcp.example.com. 300 IN SRV ")


async def test_a_record_that_says_no(company: Company) -> None:
    names = await company.names(Record("_cisco-uds._tcp", "SRV", ("0 0 0 .",)))
    report = await examine(names, company.settings())
    assert only_fault(report) == "no-records"
    assert report.faults[0].why.id == "fault.no-records.why.denied"


async def test_a_mistyped_domain(company: Company) -> None:
    service = await company.call_manager()
    names = await company.names(srv(port_of(service, "uds")))
    report = await examine(names, company.settings(service), UserAddress.parse("anita@exmaple.com"))
    assert only_fault(report) == "domain-typo"
    assert report.discovery.suggestion == "example.com"
    assert render(report.faults[0].what) == "No services were found for exmaple.com. Did you mean example.com?"


async def test_a_silent_name_server(company: Company) -> None:
    deaf, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0)
    )
    where = HostPort("127.0.0.1", deaf.get_extra_info("sockname")[1])
    report = await examine(where, company.settings(question_timeout=0.2))
    deaf.close()
    assert only_fault(report) == "names-silent"
    assert report.faults[0].why.id == "fault.names-silent.why.timed-out"
    assert str(where) in render(report.faults[0].why)


async def test_a_record_to_a_dead_host(company: Company) -> None:
    names = await company.names(srv(8443, "dead"))
    report = await examine(names, company.settings(uds_port=8443))
    assert only_fault(report) == "dead-host"
    assert report.faults[0].why.id == "fault.dead-host.why.refused"
    assert "dead.example.com:8443" in render(report.faults[0].why)


async def test_a_record_to_a_host_without_address(company: Company) -> None:
    names = await company.names(srv(8443, "nowhere"))
    report = await examine(names, company.settings())
    assert only_fault(report) == "dead-host"
    assert report.faults[0].why.id == "fault.dead-host.why.no-address"
    assert report.faults[0].change == "nowhere.example.com. 300 IN A <address of nowhere.example.com>"


async def test_a_dead_first_server_is_told_though_the_second_serves(company: Company) -> None:
    service = await company.call_manager()
    port = port_of(service, "uds")
    names = await company.names(srv(port, "dead", priority=1), srv(port, "cm1", priority=5))
    report = await examine(names, company.settings(service))
    assert report.discovery.fault is None
    assert report.discovery.home is not None
    assert [str(server) for server in report.discovery.servers] == [
        f"dead.example.com:{port}",
        f"cm1.example.com:{port}",
    ]
    assert only_fault(report) == "dead-host"


async def test_a_wrong_port_that_is_closed(company: Company) -> None:
    service = await company.call_manager()
    port = port_of(service, "uds")
    names = await company.names(srv(9, "cm1"))
    report = await examine(names, company.settings(service))
    assert only_fault(report) == "wrong-port"
    assert report.faults[0].change == f"_cisco-uds._tcp.example.com. 300 IN SRV 10 10 {port} cm1.example.com."


async def test_a_wrong_port_where_something_else_listens(company: Company) -> None:
    service = await company.call_manager()
    names = await company.names(srv(port_of(service, "files"), "cm1"))
    report = await examine(names, company.settings(service))
    assert only_fault(report) == "wrong-port"
    assert report.faults[0].why.id.startswith("fault.wrong-port.why.")


async def test_another_https_service_is_no_call_manager(company: Company) -> None:
    service = await company.call_manager()
    names = await company.names(srv(port_of(service, "files-tls"), "cm1"))
    report = await examine(names, company.settings(service))
    assert only_fault(report) == "bad-answer"
    assert "404" in render(report.faults[0].why)


async def test_an_untrusted_certificate(company: Company) -> None:
    stranger = Authority(company.folder / "stranger", organisation="Stranger")
    service = await company.call_manager(identity=stranger.issue("cm1", ["cm1.example.com"]))
    names = await company.names(srv(port_of(service, "uds")))
    report = await examine(names, company.settings(service))
    assert only_fault(report) == "certificate-untrusted"
    assert "Stranger private CA" in render(report.faults[0].why)
    certificate = report.discovery.certificate
    assert certificate is not None
    assert certificate.names == ("cm1.example.com",)
    assert len(certificate.fingerprint) == 64


async def test_an_expired_certificate(company: Company) -> None:
    start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    old = company.authority.issue("old", ["cm1.example.com"], not_before=start, days=30)
    service = await company.call_manager(identity=old)
    names = await company.names(srv(port_of(service, "uds")))
    report = await examine(names, company.settings(service))
    assert only_fault(report) == "certificate-expired"
    assert render(report.faults[0].what) == "The certificate of cm1.example.com ended on 2020-01-31"


async def test_a_certificate_of_the_future(company: Company) -> None:
    start = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=10)
    early = company.authority.issue("early", ["cm1.example.com"], not_before=start, days=30)
    service = await company.call_manager(identity=early)
    names = await company.names(srv(port_of(service, "uds")))
    report = await examine(names, company.settings(service))
    assert only_fault(report) == "certificate-not-yet-valid"


async def test_a_certificate_for_another_name(company: Company) -> None:
    other = company.authority.issue("other", ["cm1.old.example", "cm9.old.example"])
    service = await company.call_manager(identity=other)
    names = await company.names(srv(port_of(service, "uds")))
    report = await examine(names, company.settings(service))
    assert only_fault(report) == "certificate-name"
    assert render(report.faults[0].what) == (
        "cm1.example.com showed a certificate for another name: cm1.old.example, cm9.old.example"
    )


async def test_an_unknown_user(company: Company) -> None:
    service = await company.call_manager()
    names = await company.names(srv(port_of(service, "uds")))
    report = await examine(names, company.settings(service), UserAddress.parse("nobody@example.com"))
    assert only_fault(report) == "unknown-user"


async def test_a_wrong_password(company: Company) -> None:
    service = await company.call_manager()
    names = await company.names(srv(port_of(service, "uds")))
    report = await examine(names, company.settings(service), password="Sun-Over-Bergen-7")
    assert only_fault(report) == "wrong-password"
    assert "Sun-Over-Bergen-7" not in repr(report)


async def test_a_home_cluster_that_cannot_be_reached(company: Company) -> None:
    away = await company.call_manager("cm2.example.com", address="127.0.10.12")
    port = port_of(away, "uds")
    here = await company.call_manager(
        people=(), devices=(), remote_clusters=(RemoteCluster("cluster2", (RemoteServer("127.0.10.12", port),)),)
    )
    names = await company.names(srv(port_of(here, "uds")), Record("cm2", "A", (DEAD,)))
    report = await examine(names, company.settings(here))
    assert only_fault(report) == "home-unreachable"
    assert f"cm2.example.com:{port}" in render(report.faults[0].why)
    reached = await company.names(srv(port_of(here, "uds")))
    settings = company.settings(away)
    assert (await examine(reached, settings)).discovery.home is not None


@pytest.mark.parametrize("octets", [b"<config><Policies><A>1</A></config>", b"<other/>", b"\x00\xff"])
async def test_a_malformed_configuration_file(company: Company, octets: bytes) -> None:
    service = await company.call_manager(
        configuration=ConfigurationFile("unused.xml"), files={"jabber-config.xml": octets}
    )
    names = await company.names(srv(port_of(service, "uds")))
    report = await examine(names, company.settings(service))
    assert only_fault(report) == "malformed-configuration"
    assert "jabber-config.xml" in render(report.faults[0].what)


async def test_a_missing_service_profile(company: Company) -> None:
    service = await company.call_manager(service_profiles=())
    names = await company.names(srv(port_of(service, "uds")))
    report = await examine(names, company.settings(service))
    assert only_fault(report) == "missing-configuration"


async def test_a_file_service_that_is_down(company: Company) -> None:
    service = await company.call_manager()
    names = await company.names(srv(port_of(service, "uds")))
    settings = company.settings(service)
    report = await examine(names, DoctorSettings(settings.discovery, settings.files_port, 9))
    assert only_fault(report) == "service-unreachable"
    assert report.faults[0].what.id == "fault.service-unreachable.what.files"


async def test_a_cloud_domain_and_one_outside(company: Company) -> None:
    service = await company.call_manager()
    names = await company.names(srv(port_of(service, "uds")))
    cloud = await company.cloud("example.com")
    report = await examine(names, company.settings(service, cloud_url=cloud))
    assert report.faults[0].id == "cloud-domain"
    edge = await company.names(srv(8443, "edge", name="_collab-edge._tls"))
    report = await examine(edge, company.settings())
    assert only_fault(report) == "edge-unreachable"
    assert report.discovery.location.location == "outside"
