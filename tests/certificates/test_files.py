"""Requests, answers and what expires when: with openssl as the outside authority."""

from __future__ import annotations

import json
import stat
import subprocess
from functools import partial
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from typer.testing import CliRunner

from ringback.cli.main import make_app
from ringback.deployment.authority import Authority
from ringback.deployment.certificate_files import CertificateFileError, CertificateFiles, order_chain
from ringback.deployment.certificate_plan import needs
from ringback.deployment.load import read
from ringback.net.certificates import presented_names, read_certificate
from ringback.net.tls import server_context
from tests.certificates.authority import DAY, PEM, TestAuthority, Wanted, certify, ec_key, now
from tests.certificates.servers import HOST, listening, openssl

DEPLOYMENT = b"""
domain = "example.com"
organisation = "Example & Sons, Ltd."
[[cluster]]
name = "head-office"
[[node]]
name = "cm1.example.com"
aliases = ["uds.example.com"]
address = "127.0.0.1"
roles = ["call-manager"]
cluster = "head-office"
[[node]]
name = "cm2.example.com"
address = "127.0.0.2"
roles = ["call-manager"]
cluster = "head-office"
[[node]]
name = "im1.example.com"
address = "127.0.0.3"
roles = ["presence"]
[[node]]
name = "ns.example.com"
address = "127.0.0.4"
roles = ["names"]
"""
PLAN = read(DEPLOYMENT)
MULTI = needs(PLAN, multi_server=True)
ALL = (*MULTI, *needs(PLAN))


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> TestAuthority:
    return TestAuthority(tmp_path_factory.mktemp("authority"), "Company")


@pytest.fixture
def files(tmp_path: Path) -> CertificateFiles:
    folder = tmp_path / "certificates"
    Authority(folder)
    return CertificateFiles(folder)


def test_every_name_that_clients_look_for_is_requested() -> None:
    single = {need.stem: need for need in needs(PLAN)}
    assert single["cm1.example.com"].dns == ("cm1.example.com", "uds.example.com")
    assert single["im1.example.com"].dns == ("im1.example.com", "example.com", "conference.example.com")
    assert single["im1.example.com"].xmpp == ("example.com", "conference.example.com")
    assert "_xmpp-client.example.com" in single["im1.example.com"].services
    assert "ns.example.com" not in single
    assert [(need.stem, need.nodes) for need in MULTI] == [
        ("head-office-ms", ("cm1.example.com", "cm2.example.com")),
        ("im1.example.com", ("im1.example.com",)),
    ]
    assert MULTI[0].dns == ("cm1.example.com", "uds.example.com", "cm2.example.com")


def test_a_request_holds_what_is_needed_and_keeps_its_key(files: CertificateFiles) -> None:
    need = needs(PLAN)[2]
    made = x509.load_pem_x509_csr(files.request(need, organisation=PLAN.organisation).read_bytes())
    assert made.is_signature_valid
    assert made.subject.rfc4514_string() == "O=Example  Sons Ltd.,CN=im1.example.com"
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert tuple(names.get_values_for_type(x509.DNSName)) == need.dns
    assert len(names.get_values_for_type(x509.OtherName)) == len(need.xmpp) + len(need.services)
    assert not names.get_values_for_type(x509.IPAddress)
    key = files.requests / "im1.example.com.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    again = x509.load_pem_x509_csr(files.request(need, addresses=True).read_bytes())
    assert again.public_key() == made.public_key()
    assert again.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(
        x509.IPAddress
    )
    anew = x509.load_pem_x509_csr(files.request(need, key="rsa3072", anew=True).read_bytes())
    assert getattr(anew.public_key(), "key_size", 0) == 3072


def signed(authority: TestAuthority, files: CertificateFiles, stem: str, **changes: object) -> x509.Certificate:
    """What the authority makes of a request."""
    request = x509.load_pem_x509_csr((files.requests / f"{stem}.csr").read_bytes())
    names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    wanted = Wanted(dns=names.get_values_for_type(x509.DNSName))
    for field, value in changes.items():
        setattr(wanted, field, value)
    return certify(wanted, request.public_key(), authority.middle)  # type: ignore[arg-type]


def pem(*rows: x509.Certificate) -> bytes:
    return b"".join(row.public_bytes(PEM) for row in rows)


def test_an_answer_is_installed_with_its_chain_in_order(authority: TestAuthority, files: CertificateFiles) -> None:
    for need in MULTI:
        files.request(need)
    answer = signed(authority, files, "head-office-ms")
    # as mail programs like it: upside down, the root included, one twice
    document = pem(authority.root.certificate, authority.middle.certificate, answer, authority.root.certificate)
    need, _ = files.install(document, ALL, now().timestamp())
    assert need.nodes == ("cm1.example.com", "cm2.example.com")
    for node in need.nodes:
        identity = files.identity(node)
        assert identity is not None
        assert identity.certificate.read_bytes() == pem(answer, authority.middle.certificate)
        assert stat.S_IMODE(identity.key.stat().st_mode) == 0o600
        assert Authority(files.folder).issue(node, [node, "new.example.com"]) == identity
        server_context(identity)
        running = files.folder / f"{node}.pem"
        assert running.read_bytes() == identity.certificate.read_bytes(), "what a running service watches"
    assert not (files.requests / "head-office-ms.key").exists()
    trusted = x509.load_pem_x509_certificates((files.folder / "ca.pem").read_bytes())
    assert len(trusted) == 2
    assert trusted[1] == authority.root.certificate

    renewed = certify(Wanted(dns=need.dns, ends=90 * DAY), answer.public_key(), authority.middle)  # type: ignore[arg-type]
    again, read = files.install(pem(renewed, authority.middle.certificate), ALL, now().timestamp())
    assert again == need, "the same key, made anew, for all of the cluster"
    assert read.certificate == renewed
    assert len(x509.load_pem_x509_certificates((files.folder / "ca.pem").read_bytes())) == 2


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"dns": ["cm1.example.com", "cm2.example.com"]}, "lacks the names uds.example.com"),
        ({"begins": -9 * DAY, "ends": -DAY}, "It ended on"),
        ({"begins": DAY}, "It is not valid before"),
        ({"uses": (ExtendedKeyUsageOID.CLIENT_AUTH,)}, "not made for servers"),
    ],
)
def test_an_answer_that_clients_would_refuse_is_not_installed(
    authority: TestAuthority, files: CertificateFiles, changes: dict[str, object], words: str
) -> None:
    files.request(MULTI[0])
    answer = signed(authority, files, "head-office-ms", **changes)
    with pytest.raises(CertificateFileError, match=words):
        files.install(pem(answer, authority.middle.certificate), ALL, now().timestamp())
    assert files.identity("cm1.example.com") is None


def test_a_wildcard_covers_names_of_its_level(authority: TestAuthority, files: CertificateFiles) -> None:
    files.request(MULTI[0])
    answer = signed(authority, files, "head-office-ms", dns=["*.example.com"])
    files.install(pem(answer, authority.middle.certificate), ALL, now().timestamp())
    assert MULTI[0].missing(presented_names(answer)) == ()


def test_what_does_not_belong_is_refused(authority: TestAuthority, files: CertificateFiles, tmp_path: Path) -> None:
    files.request(MULTI[0])
    answer = signed(authority, files, "head-office-ms")
    stranger = TestAuthority(tmp_path, "Stranger")
    with pytest.raises(CertificateFileError, match="its key is another one"):
        files.install(pem(authority.issue("cm1.example.com").certificate), ALL, now().timestamp())
    with pytest.raises(CertificateFileError, match="Stranger"):
        files.install(pem(answer, stranger.middle.certificate), ALL, now().timestamp())
    with pytest.raises(CertificateFileError, match="one between is missing"):
        files.install(pem(answer, authority.root.certificate), ALL, now().timestamp())
    with pytest.raises(CertificateFileError, match="no certificate in PEM"):
        files.install(b"-----BEGIN NOTHING-----", ALL, now().timestamp())
    leaf = authority.issue("x.example.com")
    child = certify(Wanted(dns=["y.example.com"]), ec_key().public_key(), leaf)
    with pytest.raises(CertificateFileError):
        order_chain(child, [leaf.certificate])


@pytest.mark.peer
def test_openssl_signs_what_we_request(authority: TestAuthority, files: CertificateFiles, tmp_path: Path) -> None:
    """All names of the request, those of XMPP too, come back in the certificate."""
    need = needs(PLAN)[2]
    request = files.request(need, key="rsa3072")
    authority.middle.write(tmp_path, "middle")
    run = partial(subprocess.run, check=True, cwd=tmp_path, capture_output=True, timeout=20)
    run(
        [openssl(), "x509", "-req", "-in", str(request), "-copy_extensions", "copyall", "-CA", "middle.pem", "-CAkey",
         "middle.key", "-CAcreateserial", "-days", "60", "-out", "answer.pem"]
    )  # fmt: skip
    run([openssl(), "verify", "-CAfile", str(authority.ca_file), "-untrusted", "middle.pem", "answer.pem"])
    document = (tmp_path / "answer.pem").read_bytes() + pem(authority.middle.certificate)
    _, read_back = files.install(document, ALL, now().timestamp())
    assert read_back.names.xmpp == need.xmpp
    assert read_back.names.services == need.services
    assert read_back.names.dns == need.dns


def test_the_private_authority_names_xmpp_domains_too(files: CertificateFiles) -> None:
    need = needs(PLAN)[2]
    own = Authority(files.folder)
    identity = own.issue(need.stem, need.dns, need.addresses, xmpp=need.xmpp, services=need.services)
    first = identity.certificate.read_bytes()
    names = presented_names(x509.load_pem_x509_certificate(first))
    assert (names.dns, names.addresses, names.xmpp, names.services) == (
        need.dns, need.addresses, need.xmpp, need.services,
    )  # fmt: skip
    again = own.issue(need.stem, need.dns, need.addresses, xmpp=need.xmpp, services=need.services)
    assert again.certificate.read_bytes() == first


# --- the command


@pytest.fixture
def deployment(tmp_path: Path) -> Path:
    file = tmp_path / "example.toml"
    file.write_bytes(DEPLOYMENT)
    return file


def command(*words: str) -> tuple[int, str]:
    ended = CliRunner().invoke(make_app("certificates"), ["certificates", *words])
    return ended.exit_code, ended.output


def test_the_way_from_request_to_installed(
    authority: TestAuthority, files: CertificateFiles, deployment: Path, tmp_path: Path
) -> None:
    data = str(tmp_path)
    status, said = command("requests", str(deployment), "--data", data, "--multi-server")
    assert status == 0
    assert "head-office-ms.csr" in said
    status, said = command("show", str(deployment), "--data", data, "--json")
    assert status == 0
    assert {row["name"]: row["what"] for row in json.loads(said)} == {
        "head-office-ms": "waits for its answer",
        "im1.example.com": "waits for its answer",
        "ca": "private authority",
    }
    answer = tmp_path / "answer.pem"
    answer.write_bytes(pem(signed(authority, files, "head-office-ms"), authority.middle.certificate))
    status, said = command("install", str(deployment), str(answer), "--data", data)
    assert status == 0, said
    assert said.startswith("Installed for cm1.example.com, cm2.example.com: valid until")
    status, said = command("install", str(deployment), str(deployment), "--data", data)
    assert status == 1
    assert "Nothing was installed" in said

    status, said = command("show", str(deployment), "--data", data, "--days", "40", "--json")
    assert status == 1, "it ends in 30 days"
    rows = [row for row in json.loads(said) if row["what"] == "installed"]
    assert [row["days"] for row in rows] == [29, 29]
    assert command("show", str(deployment), "--data", data, "--days", "10")[0] == 0
    status, said = command("authority", "--data", data)
    assert said.count("BEGIN CERTIFICATE") == 1
    assert command("show", str(deployment))[0] == 2
    assert command("requests", str(deployment), "--data", str(tmp_path / "none"))[0] == 2


async def test_what_running_services_show(authority: TestAuthority, deployment: Path, tmp_path: Path) -> None:
    """One node shows a certificate without a name that clients look for; another shows nothing."""
    from ringback.planning.certificates import served

    issued = authority.issue("cm1.example.com")
    async with listening(issued.write(tmp_path)) as listener:
        closed = 1  # nobody listens there
        found = await served(PLAN, lambda address, port: listener.port if (address, port) == (HOST, 8443) else closed)
    by_place = {(one.node, one.service): one for one in found}
    assert len(by_place) == 2 * 3 + 2
    good = by_place["cm1.example.com", "https"]
    assert good.read is not None
    assert good.read.fingerprint == issued.fingerprint
    assert by_place["cm2.example.com", "https"].problems == ("shows no certificate",)


def test_certificates_are_read_or_refused() -> None:
    with pytest.raises(ValueError, match="can't be read"):
        read_certificate(b"nothing")
