"""The doctor looks at the voicemail, too."""

from __future__ import annotations

import asyncio
import socket

import pytest

from ringback.planning.doctor import DoctorReport, DoctorSettings, run_doctor
from ringback.protocols.service_profile import ServiceAddress, ServiceProfile, ServiceServers
from ringback.rules.addresses import HostPort, UserAddress
from ringback.rules.catalogue import render
from ringback.services.callmanager.settings import NamedServiceProfile
from tests.doctor.company import PEOPLE, Company, port_of, srv
from tests.support.lab import RunningLab


async def examined(lab: RunningLab, user: str, password: str) -> DoctorReport:
    async with asyncio.timeout(30):
        return await run_doctor(
            UserAddress.parse(f"{user}@example.com"), HostPort.parse(lab.inside), lab.ca_file, password=password
        )


def answers(report: DoctorReport) -> dict[str, str]:
    """What was answered to each check of the voicemail."""
    found = [entry for entry in report.entries if entry.text.id.startswith("trace.checked.voicemail")]
    return {entry.text.id.removeprefix("trace.checked."): entry.answer for entry in found}


@pytest.mark.asyncio
async def test_service_notices_and_mailbox_are_looked_at(shared_lab: RunningLab) -> None:
    passwords = {row["user"]: row["password"] for row in shared_lab.info["people"]}
    report = await examined(shared_lab, "bruno", passwords["bruno"])
    told = answers(report)
    assert told.keys() == {"voicemail", "voicemail-notices", "voicemail-mailbox"}
    assert told["voicemail-mailbox"].endswith("octets")
    assert report.healthy

    nobody = await examined(shared_lab, "dolores", passwords["dolores"])
    [fault] = nobody.faults
    assert fault.id == "no-mailbox"
    assert "does not take the account of the sign-in" in render(fault.why)


@pytest.mark.asyncio
async def test_a_dead_voicemail_is_told(company: Company) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.10.11", 0))  # and listens not
        dead = ServiceAddress("cm1.example.com", taken.getsockname()[1], "HTTPS")
        profile = NamedServiceProfile("SPDefault", ServiceProfile(voicemail=ServiceServers(dead)))
        manager = await company.call_manager(service_profiles=(profile,))
        names = await company.names(srv(port_of(manager, "uds")))
        settings: DoctorSettings = company.settings(manager)
        anita = PEOPLE[0]
        report = await run_doctor(
            UserAddress.parse("anita@example.com"), names, company.authority.ca_file,
            settings=settings, password=anita.password,
        )  # fmt: skip
    [fault] = report.faults
    assert render(fault.what) == f"Voice messages can't be had from {dead.address}:{dead.port}"
    assert render(fault.why) == f"Nothing listens at {dead.address}:{dead.port}."
