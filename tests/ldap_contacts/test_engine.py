"""A whole enterprise whose configuration names a directory: its people are found and known, and its end is survived."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from ringback.client.contacts.sources.base import By, Wanted
from ringback.client.engine.engine import Engine
from ringback.client.host.commands import Tab, perform
from ringback.client.host.wire import Done
from ringback.client.host.wire_people import Directory, Findings, FindingsGrew, FindPeople, SetDirectoryLogin
from ringback.rules.addresses import HostPort
from tests.engine.conftest import Person, person_in
from tests.support.directory import PEOPLE, READER, READER_PASSWORD, running_directory
from tests.support.lab import built_in, running_lab

pytestmark = pytest.mark.peer
HERE = "127.66.0.1"  # no address that a lab moves to its own part of the loopback range


def directory_of(engine: Engine) -> Directory | None:
    """How LDAP is."""
    return next((one for one in engine.people().directories() if one.kind == "ldap"), None)


async def search(person: Person, number: int, query: str) -> Findings:
    """All that a search comes to."""
    name = f"s{number}"
    answer = await perform(
        person.engine, FindPeople(n=number, search=name, query=query, limit=20), Tab("http://127.0.0.1", "test")
    )
    assert isinstance(answer, Done)
    assert isinstance(answer.value, Findings)
    grown = await person.event(
        lambda event: isinstance(event, FindingsGrew) and event.findings.search == name and event.findings.complete
    )
    assert isinstance(grown, FindingsGrew)
    return grown.findings


async def test_people_of_the_directory(tmp_path: Path) -> None:
    with running_directory(tmp_path / "slapd", 100, address=HERE) as company:
        text = built_in().replace(
            'DirectoryServerType = "UDS"',
            f'DirectoryServerType = "BDI"\nBDIPrimaryServerName = "ldap.example.com"\nServerPort1 = "{company.clear}"\n'
            f'SearchBase1 = "{PEOPLE}"\nBDIUserAccountName = "uid"\nLdapSupportedMechanisms = "PLAIN"',
        )
        text = text.replace(
            'publish = ["addresses", "call-manager", "presence"]',
            'publish = ["addresses", "call-manager", "presence"]\nrecords = ["ldap A 127.66.0.1"]',
            1,
        )
        file = tmp_path / "lab.toml"
        file.write_text(text)
        with running_lab(tmp_path / "lab", str(file)) as lab:
            both = tmp_path / "both.pem"
            both.write_bytes(lab.ca_file.read_bytes() + company.ca.read_bytes())
            async with person_in("anita", tmp_path / "a", name_server=HostPort.parse(lab.inside), ca=both) as anita:
                await anita.until(lambda: (one := directory_of(anita.engine)) and one.login)
                done = await perform(
                    anita.engine,
                    SetDirectoryLogin(n=2, user=READER, password=READER_PASSWORD),
                    Tab("http://127.0.0.1", "test"),
                )
                assert isinstance(done, Done)
                await anita.until(lambda: "ldap" in anita.engine.people().finder.sources)
                await anita.until(lambda: (one := directory_of(anita.engine)) and one.state == "up" and not one.login)
                found = await search(anita, 3, "Björn")
                assert "p1@example.com" in [row.person.id for row in found.people]
                assert any(step.kind == "ldap" and step.state == "done" for step in found.sources)
                answers = await anita.engine.people().finder.resolve([Wanted(By.NUMBER, "+49 30 5 0000042")])
                assert [row.user for row in answers.values()] == ["p42"]
                os.kill(company.pid, signal.SIGKILL)
                found = await search(anita, 4, "Karin")
                assert any(step.kind == "ldap" and step.state == "failed" for step in found.sources)
