"""What the doctor says of certificates beyond names and dates: order, revocation, an end that is near, clocks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from email.utils import format_datetime
from pathlib import Path

import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ed25519

from ringback.net.tls import Identity
from ringback.planning.doctor import DoctorReport, run_doctor
from ringback.planning.doctor_certificates import skew_of
from ringback.rules.addresses import HostPort, UserAddress
from ringback.rules.catalogue import render
from ringback.rules.certificate_checks import ChainEvidence, ChainLink, ChainReport, examine
from ringback.rules.certificates import PresentedNames, fips_mode
from ringback.rules.tls_modes import KeyFacts
from tests.certificates.authority import DAY, PEM, TestAuthority, Wanted, now, revocation_list
from tests.doctor.company import Company, port_of, srv

ANITA = UserAddress.parse("anita@example.com")
NODE = "cm1.example.com"
EC = KeyFacts("ec", curve="secp256r1", digest="sha256")


async def examined(company: Company, signer: TestAuthority, identity: Identity) -> DoctorReport:
    cm = await company.call_manager(identity=identity)
    names = await company.names(srv(port_of(cm, "uds")))
    settings = company.settings(cm, ca_file=signer.ca_file)
    report = await run_doctor(ANITA, names, settings=settings)
    for fault in report.faults:
        for sentence in (fault.what, fault.why, fault.do_first, fault.do_then):
            assert "{" not in render(sentence), sentence
    return report


@pytest.fixture
def signer(tmp_path: Path) -> TestAuthority:
    return TestAuthority(tmp_path)


async def test_a_certificate_in_order_is_told_with_its_end(
    company: Company, signer: TestAuthority, tmp_path: Path
) -> None:
    report = await examined(company, signer, signer.issue(wanted=_ends(80)).write(tmp_path))
    assert report.healthy, report.faults
    looked = [entry for entry in report.entries if entry.text.id == "trace.checked.certificate"]
    assert {str(entry.outcome) for entry in looked} == {"ok"}
    assert f"until {now() + 80 * DAY:%Y-%m-%d}, secp256r1, 2 sent, issued by CN=Test intermediate" in looked[0].answer
    assert [reason.id for reason in looked[0].reasons] == ["certificates.check.no_revocation"]


async def test_one_that_ends_in_days_is_a_fault_before_anybody_notices(
    company: Company, signer: TestAuthority, tmp_path: Path
) -> None:
    report = await examined(company, signer, signer.issue(wanted=_ends(4)).write(tmp_path))
    (fault,) = report.faults
    assert fault.id == "certificate-soon"
    assert fault.what.values["host"] == NODE
    assert report.discovery.fault is None, "one can still sign in"


async def test_a_chain_out_of_order_is_told_though_ours_connects(
    company: Company, signer: TestAuthority, tmp_path: Path
) -> None:
    issued = signer.issue(wanted=_ends(80))
    identity = issued.write(tmp_path)
    rows = (issued.certificate, signer.root.certificate, signer.middle.certificate)
    identity.certificate.write_bytes(b"".join(row.public_bytes(PEM) for row in rows))
    report = await examined(company, signer, identity)
    (fault,) = report.faults
    assert fault.id == "certificate-chain"
    assert fault.why.id.endswith(".order")


async def test_a_chain_without_the_one_between_is_told(company: Company, signer: TestAuthority, tmp_path: Path) -> None:
    report = await examined(company, signer, signer.issue(wanted=_ends(80)).write(tmp_path, chain=False))
    faults = {fault.id: fault for fault in report.faults}
    assert faults["certificate-chain"].why.id.endswith(".incomplete")
    assert "certificate-untrusted" in faults


@asynccontextmanager
async def registry(answer: bytes | None) -> AsyncIterator[str]:
    """A revocation server; its list is ``answer``, or it has none."""

    async def give(_request: web.Request) -> web.Response:
        if answer is None:
            raise web.HTTPNotFound
        return web.Response(body=answer)

    application = web.Application()
    application.router.add_get("/ca.crl", give)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/ca.crl"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("revoked", [True, False])
async def test_what_the_revocation_server_says_is_told(
    company: Company, signer: TestAuthority, tmp_path: Path, revoked: bool
) -> None:
    serial = 4711
    placeholder = signer.issue(wanted=replace(_ends(80), serial=serial))
    answer = revocation_list(signer.middle, [placeholder.certificate]) if revoked else None
    async with registry(answer) as url:
        issued = signer.issue(wanted=replace(_ends(80), serial=serial, crl=url))
        report = await examined(company, signer, issued.write(tmp_path))
    (fault,) = report.faults
    assert fault.id == ("certificate-revoked" if revoked else "certificate-revocation")


def _ends(days: int) -> Wanted:
    return Wanted(dns=[NODE], ends=days * DAY)


# --- the pure part


def _evidence(*links: ChainLink, **changes: object) -> ChainReport:
    names = PresentedNames(dns=(NODE,))
    evidence = ChainEvidence(f"{NODE}:8443", NODE, links, names, True, "2030-01-01", 0.0, "good")
    return examine(replace(evidence, **changes))  # type: ignore[arg-type]


GOOD = ChainLink("CN=cm1", "CN=middle", EC, 90 * 86400.0, signed_by_next=True)
MIDDLE = ChainLink("CN=middle", "CN=root", EC, 900 * 86400.0)


def test_the_earliest_end_of_the_chain_counts() -> None:
    assert not _evidence(GOOD, MIDDLE).faults
    report = _evidence(GOOD, replace(MIDDLE, ends=20 * 86400.0))
    assert [note.id for note in report.notes] == ["certificates.check.soon"]
    assert report.warns
    over = _evidence(replace(GOOD, ends=-5.0), MIDDLE)
    assert not over.faults, "that it is over is a fault of the connection"


def test_names_that_other_programs_miss_are_noted() -> None:
    common = _evidence(GOOD, MIDDLE, names=PresentedNames(common=(NODE,)))
    assert [note.id for note in common.notes] == ["certificates.check.common_name_only"]
    host = _evidence(GOOD, MIDDLE, domain="example.com")
    assert [note.id for note in host.notes] == ["certificates.check.host_only"]
    assert not _evidence(GOOD, MIDDLE, domain="example.com", names=PresentedNames(xmpp=("example.com",))).notes


def test_a_weak_key_anywhere_in_the_chain_is_a_fault() -> None:
    weak = replace(MIDDLE, key=KeyFacts("rsa", 1024, digest="sha256"))
    (fault,) = _evidence(GOOD, weak).faults
    assert fault.id == "certificate-weak"
    assert fault.why.id == "certificates.weak_key"


@pytest.mark.parametrize(("seconds", "expected"), [(0, ""), (290, ""), (-290, ""), (600, "ahead"), (-7200, "behind")])
def test_clocks_that_differ_are_told(seconds: int, expected: str) -> None:
    moment = now()
    date = format_datetime(moment + seconds * DAY / 86400, usegmt=True)
    fault = skew_of(date, 0.2, HostPort(NODE, 8443), moment.timestamp())
    assert (fault.why.id.rpartition(".")[2] if fault is not None else "") == expected
    assert skew_of("yesterday", 0.2, HostPort(NODE, 8443)) is None


async def test_a_server_that_the_mode_of_the_clients_excludes_is_told(
    company: Company, signer: TestAuthority, tmp_path: Path
) -> None:
    identity = signer.issue(wanted=replace(_ends(80), key=ed25519.Ed25519PrivateKey.generate())).write(tmp_path)
    cm = await company.call_manager(identity=identity)
    names = await company.names(srv(port_of(cm, "uds")))
    settings = company.settings(cm, ca_file=signer.ca_file)
    usual = await run_doctor(ANITA, names, settings=settings)
    assert usual.healthy, usual.faults
    strict = fips_mode(True, platform=False)
    report = await run_doctor(ANITA, names, settings=replace(settings, strictness=strict))
    assert {fault.id for fault in report.faults} & {"certificate-weak", "certificate-mode"}
    decided = [entry for entry in report.entries if entry.text.id == "trace.decided.security.fips"]
    assert [reason.id for reason in decided[0].reasons] == ["certificates.fips.on.bootstrap"]
    assert all("{" not in render(sentence) for fault in report.faults for sentence in (fault.what, fault.why))
