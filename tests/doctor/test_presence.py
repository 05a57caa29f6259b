"""What the doctor says of the presence service behind a service profile."""

from dataclasses import replace
from typing import Any

from ringback.client.discovery import Remembered
from ringback.deployment.authority import Authority
from ringback.planning.doctor import DoctorReport, DoctorSettings, run_doctor
from ringback.rules.addresses import HostPort, UserAddress
from ringback.rules.authenticator import Authenticator, ManualServers
from ringback.rules.catalogue import catalogue, render
from ringback.services.callmanager.service import CallManager
from ringback.services.callmanager.settings import ApplicationUser
from ringback.services.presence.service import PresenceService
from ringback.services.presence.settings import PresenceSettings
from tests.doctor.company import Company, port_of, srv, with_presence

ANITA = UserAddress.parse("anita@example.com")
_APPLICATION = ("presence", "Fog-Over-Bergen-9")


async def presence(company: Company, **changes: Any) -> PresenceService:
    """A presence service at imp1; nobody signs in, so its call manager is never asked."""
    names = ["imp1.example.com", "example.com"]
    settings = PresenceSettings(
        node="imp1.example.com",
        address="127.0.10.21",
        domain="example.com",
        conference_domain="conference.example.com",
        identity=company.authority.issue("imp1", names, ["127.0.10.21"]),
        database_url=f"sqlite+aiosqlite:///{company.folder / 'presence'}.db",
        call_managers=(("cm1.example.com", HostPort("127.0.10.11", 9)),),
        application_user=_APPLICATION[0],
        application_password=_APPLICATION[1],
        ca_file=company.authority.ca_file,
        xmpp_port=0,
        xmpps_port=0,
        login_port=0,
    )
    service = PresenceService(replace(settings, **changes))
    await service.start()
    company.stack.push_async_callback(service.stop)
    return service


def presence_port(service: PresenceService, name: str) -> int:
    return next(endpoint.port for endpoint in service.endpoints if endpoint.service == name)


async def call_manager(company: Company, login_port: int) -> CallManager:
    return await company.call_manager(
        service_profiles=with_presence("imp1.example.com", login_port),
        application_users=(ApplicationUser(*_APPLICATION),),
    )


async def examine(company: Company, service: CallManager, xmpp_port: int, password: str = "") -> DoctorReport:
    names = await company.names(srv(port_of(service, "uds")))
    settings = company.settings(service)
    settings = DoctorSettings(settings.discovery, settings.files_port, settings.files_tls_port, xmpp_port)
    report = await run_doctor(ANITA, names, settings=settings, password=password)
    for fault in report.faults:
        for sentence in (fault.what, fault.why, fault.do_first, fault.do_then):
            assert sentence.id in catalogue(), sentence
            assert "{" not in render(sentence), sentence
    return report


async def test_a_healthy_company_with_presence(company: Company) -> None:
    imp = await presence(company)
    cm = await call_manager(company, presence_port(imp, "login"))
    report = await examine(company, cm, presence_port(imp, "xmpp"), "Rain-Over-Bergen-7")
    assert report.healthy, report.faults
    assert report.decision.authenticator == "presence"
    assert report.mode is not None
    assert report.mode.mode == "full"
    (xmpp,) = [entry for entry in report.entries if entry.text.id == "trace.checked.xmpp"]
    assert xmpp.answer.startswith("TLSv1.3, certificate for example.com")


async def test_a_certificate_with_the_host_name_only_is_good_enough(company: Company) -> None:
    imp = await presence(company, identity=company.authority.issue("imp1-host", ["imp1.example.com"]))
    cm = await call_manager(company, presence_port(imp, "login"))
    report = await examine(company, cm, presence_port(imp, "xmpp"))
    assert report.healthy, report.faults


async def test_a_message_service_that_is_down(company: Company) -> None:
    imp = await presence(company)
    cm = await call_manager(company, presence_port(imp, "login"))
    report = await examine(company, cm, 9)
    (fault,) = report.faults
    assert fault.id == "service-unreachable"
    assert render(fault.what) == "The message service imp1.example.com:9 can't be used"
    assert fault.why.id == "fault.service-unreachable.why.refused"


async def test_something_else_on_the_message_port(company: Company) -> None:
    imp = await presence(company)
    cm = await call_manager(company, presence_port(imp, "login"))
    report = await examine(company, cm, presence_port(imp, "login"))
    assert [fault.id for fault in report.faults] == ["service-unreachable"]


async def test_a_sign_in_service_that_is_down(company: Company) -> None:
    imp = await presence(company)
    cm = await call_manager(company, 9)
    report = await examine(company, cm, presence_port(imp, "xmpp"))
    (fault,) = report.faults
    assert fault.what.id == "fault.service-unreachable.what.login"


async def test_a_presence_certificate_for_another_name(company: Company) -> None:
    other = company.authority.issue("imp1-other", ["imp1.old.example"], ["127.0.10.21"])
    imp = await presence(company, identity=other)
    cm = await call_manager(company, presence_port(imp, "login"))
    report = await examine(company, cm, presence_port(imp, "xmpp"))
    assert {fault.id for fault in report.faults} == {"certificate-name"}
    assert "imp1.old.example" in render(report.faults[0].what)


async def test_an_untrusted_presence_certificate(company: Company) -> None:
    stranger = Authority(company.folder / "stranger", organisation="Stranger")
    imp = await presence(company, identity=stranger.issue("imp1", ["imp1.example.com", "example.com"]))
    cm = await call_manager(company, presence_port(imp, "login"))
    report = await examine(company, cm, presence_port(imp, "xmpp"))
    assert [fault.id for fault in report.faults] == ["certificate-untrusted"]
    assert "Stranger private CA" in render(report.faults[0].why)


async def test_any_xmpp_server_by_hand_or_by_its_records(company: Company) -> None:
    imp = await presence(company)
    where = HostPort("imp1.example.com", presence_port(imp, "xmpp"))
    names = await company.names(srv(where.port, "imp1", name="_xmpp-client._tcp"))
    settings = company.settings()
    for server in (where, None):
        by_hand = Remembered(manual=ManualServers(Authenticator.XMPP, presence=server))
        report = await run_doctor(ANITA, names, settings=settings, remembered=by_hand)
        assert report.healthy, report.faults
        checked = [entry.server for entry in report.entries if entry.text.id == "trace.checked.xmpp"]
        assert checked == [str(where)]
    nowhere = HostPort("dead.example.com", 5222)
    by_hand = Remembered(manual=ManualServers(Authenticator.XMPP, presence=nowhere))
    report = await run_doctor(ANITA, names, settings=settings, remembered=by_hand)
    assert [fault.id for fault in report.faults] == ["service-unreachable"]
