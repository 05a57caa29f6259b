"""Revocation by list and by responder: ours to check, openssl's to answer."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from ringback.client.trust import CertificateStopError, Expected, Place, TrustJudge, TrustPolicy, TrustSettings
from ringback.net.certificates import read_certificate
from ringback.net.names import NameClient
from ringback.net.revocation import RevocationChecker
from ringback.net.revocation_answers import AnswerError, look_up, named, ocsp_request, read_list, read_ocsp
from ringback.rules.certificates import RevocationChecks, fips_mode
from tests.certificates.authority import DAY, DER, Issued, TestAuthority, Wanted, now, revocation_list, rsa_key
from tests.certificates.servers import HOST, listening, openssl

NAME = "cm1.example.com"
HOUR = datetime.timedelta(hours=1)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> TestAuthority:
    return TestAuthority(tmp_path_factory.mktemp("authority"))


@dataclass(slots=True)
class Registry:
    """A web server that gives whatever stands in ``answers`` by path; ``asked`` counts."""

    port: int = 0
    answers: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def url(self, path: str) -> str:
        return f"http://{HOST}:{self.port}/{path}"


@pytest.fixture
async def registry() -> AsyncIterator[Registry]:
    made = Registry()

    async def answer(request: web.Request) -> web.Response:
        path = request.path.lstrip("/")
        made.asked.append(path)
        if path not in made.answers:
            raise web.HTTPNotFound
        return web.Response(body=made.answers[path])

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, HOST, 0)
    await site.start()
    made.port = runner.addresses[0][1]
    yield made
    await runner.cleanup()


@asynccontextmanager
async def judging(authority: TestAuthority, policy: TrustPolicy | None = None) -> AsyncIterator[TrustJudge]:
    judge = TrustJudge(TrustSettings(ca_file=authority.ca_file, policy=policy or TrustPolicy()), NameClient())
    try:
        yield judge
    finally:
        await judge.close()


async def outcome(judge: TrustJudge, issued: Issued, folder: Path) -> str:
    """``pong``, or the first reason why not, with no octet sent."""
    async with listening(issued.write(folder)) as listener:
        return await _outcome(judge, listener.port)


async def _outcome(judge: TrustJudge, port: int) -> str:
    async def connect() -> str:
        reader, writer = await asyncio.open_connection(HOST, port, ssl=judge.context(), server_hostname=NAME)
        writer.write(b"ping")
        answer = await reader.read(10)
        writer.close()
        return answer.decode()

    try:
        async with asyncio.timeout(15):
            return await judge.reach(Place(NAME, port, Expected(), address=HOST), connect)
    except CertificateStopError as error:
        considered = error.considered
    assert considered.outcome == "refuse"
    return considered.reasons[0].id.removeprefix("certificates.")


def with_list(authority: TestAuthority, registry: Registry, path: str = "ca.crl") -> Issued:
    return authority.issue(wanted=Wanted(dns=[NAME], crl=registry.url(path)))


# --- lists


async def test_a_list_is_asked_once_and_counts_until_the_next(
    authority: TestAuthority, registry: Registry, tmp_path: Path
) -> None:
    good, bad = with_list(authority, registry), with_list(authority, registry)
    registry.answers["ca.crl"] = revocation_list(authority.middle, [bad.certificate])
    async with judging(authority) as judge:
        assert await outcome(judge, good, tmp_path) == "pong"
        assert await outcome(judge, good, tmp_path) == "pong"
        assert await outcome(judge, bad, tmp_path) == "revoked"
        assert registry.asked == ["ca.crl"]


def _lists(authority: TestAuthority) -> dict[str, bytes]:
    middle = authority.middle
    stranger = replace(authority.middle, key=authority.root.key)
    return {
        "out of date": revocation_list(middle, since=-5 * DAY, until=-DAY),
        "of the future": revocation_list(middle, since=DAY, until=2 * DAY),
        "of another authority": revocation_list(authority.root),
        "signed by a stranger": revocation_list(middle, signer=stranger),
        "no list": b"<html>Please log in to the hotel</html>",
        "cut": revocation_list(middle)[:-5],
        "too long": bytes(17 * 1024 * 1024),
    }


@pytest.mark.parametrize("kind", ["out of date", "of the future", "of another authority", "signed by a stranger",
                                  "no list", "cut", "too long", "not there"])  # fmt: skip
async def test_a_list_that_says_nothing_is_no_answer(
    authority: TestAuthority, registry: Registry, tmp_path: Path, kind: str
) -> None:
    if kind != "not there":
        registry.answers["ca.crl"] = _lists(authority)[kind]
    issued = with_list(authority, registry)
    async with judging(authority) as judge:
        assert await outcome(judge, issued, tmp_path) == "revocation_unreachable"
        judge.change_policy(TrustPolicy(checks="soft"))
        assert await outcome(judge, issued, tmp_path) == "pong"
        judge.change_policy(TrustPolicy(checks="off"))
        assert await outcome(judge, issued, tmp_path) == "pong"
        assert len(registry.asked) == 1, "that nobody answers is known for a while"


@pytest.mark.parametrize(
    ("checks", "expected"),
    [("off", "pong"), ("soft", "pong"), ("named", "pong"), ("required", "revocation_not_named")],
)
async def test_a_certificate_that_names_nobody_is_refused_where_an_answer_is_required(
    authority: TestAuthority, tmp_path: Path, checks: RevocationChecks, expected: str
) -> None:
    async with judging(authority, TrustPolicy(checks=checks)) as judge:
        assert await outcome(judge, authority.issue(NAME), tmp_path) == expected


async def test_the_switches_of_an_installation_make_the_policy() -> None:
    strict = TrustPolicy.of({"CC_MODE": "TRUE", "fips_mode": "false"}, platform_fips=True)
    assert (strict.strictness.fips, strict.strictness.common_criteria, strict.checks) == (False, True, "required")
    assert TrustPolicy.of({"RevocationChecks": "soft"}, platform_fips=False).checks == "soft"
    assert TrustPolicy.of({"RevocationChecks": "sometimes"}, platform_fips=False).checks == "required"
    assert TrustPolicy.of({"InvalidCertificateBehavior": "x"}, platform_fips=False).behaviour == "RejectAndNotify"
    assert TrustPolicy.of({}, platform_fips=False) == TrustPolicy(strictness=fips_mode(None, platform=False))


@given(
    st.dictionaries(st.sampled_from(["FIPS_MODE", "CC_MODE"]), st.sampled_from(["true", "false", ""])),
    st.sampled_from(["", "PromptPerSession", "RejectAndNotify", "never"]),
    st.sampled_from(["", "off", "soft", "named", "required", "?"]),
    st.sampled_from([{}, {"CC_MODE": "true"}, {"FIPS_MODE": "true"}, {"RevocationChecks": "required"},
                     {"RevocationChecks": "soft"}, {"InvalidCertificateBehavior": "RejectAndNotify"}]),
)  # fmt: skip
def test_settings_from_the_network_make_nothing_looser(
    modes: dict[str, str], behaviour: str, checks: str, installed: dict[str, str]
) -> None:
    company = modes | {"InvalidCertificateBehavior": behaviour} | ({"RevocationChecks": checks} if checks else {})
    before = TrustPolicy.of(installed, platform_fips=False)
    after = before.tightened(company)
    order = ("off", "soft", "named", "required")
    assert order.index(after.checks) >= order.index(before.checks)
    assert after.strictness.fips >= before.strictness.fips
    assert after.strictness.common_criteria >= before.strictness.common_criteria
    assert after.behaviour == "RejectAndNotify" or before.behaviour == "PromptPerSession"
    if modes.get("FIPS_MODE") == "true":
        assert after.strictness.fips
        assert not after.strictness.person_may_accept
    assert before.tightened({}) == before


async def test_only_http_is_asked(authority: TestAuthority) -> None:
    wanted = Wanted(dns=[NAME], crl="https://127.0.0.1/ca.crl", ocsp="ldap://127.0.0.1/ocsp")
    assert not named(authority.issue(wanted=wanted).certificate)


async def test_a_server_that_is_silent_costs_seconds_not_minutes(authority: TestAuthority) -> None:
    async def silent(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        writer.close()

    server = await asyncio.start_server(silent, HOST, 0)
    port = server.sockets[0].getsockname()[1]
    issued = authority.issue(wanted=Wanted(dns=[NAME], crl=f"http://{HOST}:{port}/ca.crl"))
    chain = (issued.der, authority.middle.der, authority.root.der)
    checker = RevocationChecker(NameClient(), seconds=0.2)
    began = time.monotonic()
    both = await asyncio.gather(checker.check(chain), checker.check(chain))
    assert set(both) == {"unreachable"}
    assert time.monotonic() - began < 3
    await checker.close()
    server.close()


# --- responders


@asynccontextmanager
async def openssl_responder(
    folder: Path, authority: TestAuthority, signer: Issued, issued: Issued, letter: str
) -> AsyncIterator[int]:
    """``openssl ocsp`` that knows one certificate: V is valid, R revoked, nothing: unknown."""
    authority.middle.write(folder, "middle")
    signer.write(folder, "signer", chain=False)
    until = f"{now() + 30 * DAY:%y%m%d%H%M%SZ}"
    since = f"{now() - DAY:%y%m%d%H%M%SZ}" if letter == "R" else ""
    row = f"{letter}\t{until}\t{since}\t{issued.certificate.serial_number:X}\tunknown\t/CN={NAME}\n" if letter else ""
    (folder / "index.txt").write_text(row)
    process = await asyncio.create_subprocess_exec(
        openssl(), "ocsp", "-index", "index.txt", "-port", "0", "-rsigner", "signer.pem", "-rkey", "signer.key",
        "-CA", "middle.pem", "-nmin", "60", cwd=folder, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        yield await _accepting(process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _accepting(process: asyncio.subprocess.Process) -> int:
    assert process.stdout is not None
    async with asyncio.timeout(10):
        while line := await process.stdout.readline():
            if b"ACCEPT" in line:
                return int(line.split()[1].rpartition(b":")[2])
    raise RuntimeError("openssl ocsp ended")


def _delegate(authority: TestAuthority, *uses: x509.ObjectIdentifier, by: Issued | None = None) -> Issued:
    return authority.issue(wanted=Wanted(common="Responder", uses=uses, key=rsa_key()), by=by)


@pytest.mark.peer
@pytest.mark.parametrize(("letter", "expected"), [("V", "pong"), ("R", "revoked"), ("", "revocation_unknown")])
async def test_openssl_answers(authority: TestAuthority, tmp_path: Path, letter: str, expected: str) -> None:
    signer = _delegate(authority, ExtendedKeyUsageOID.OCSP_SIGNING)
    port_first = Issued(signer.certificate, signer.key)
    placeholder = authority.issue(NAME)
    async with openssl_responder(tmp_path, authority, port_first, placeholder, letter) as port:
        serial = placeholder.certificate.serial_number
        issued = _same_serial(authority, serial, f"http://{HOST}:{port}")
        async with judging(authority) as judge:
            assert await outcome(judge, issued, tmp_path) == expected


@pytest.mark.peer
async def test_a_responder_that_the_authority_did_not_make_is_not_believed(
    authority: TestAuthority, tmp_path: Path
) -> None:
    """Good, says a responder: once without the right to say so, once of another authority."""
    stranger = TestAuthority(tmp_path, "Stranger")
    for index, signer in enumerate(
        (
            _delegate(authority, ExtendedKeyUsageOID.SERVER_AUTH),
            _delegate(authority, ExtendedKeyUsageOID.OCSP_SIGNING, by=stranger.middle),
            _delegate(authority, ExtendedKeyUsageOID.OCSP_SIGNING, by=authority.root),
        )
    ):
        folder = tmp_path / str(index)
        folder.mkdir()
        known = authority.issue(NAME)
        async with openssl_responder(folder, authority, signer, known, "V") as port:
            issued = _same_serial(authority, known.certificate.serial_number, f"http://{HOST}:{port}")
            async with judging(authority) as judge:
                assert await outcome(judge, issued, folder) == "revocation_unreachable"


def _same_serial(authority: TestAuthority, serial: int, responder: str) -> Issued:
    return authority.issue(wanted=Wanted(dns=[NAME], ocsp=responder, serial=serial))


async def test_a_list_answers_where_the_responder_does_not(
    authority: TestAuthority, registry: Registry, tmp_path: Path
) -> None:
    wanted = Wanted(dns=[NAME], crl=registry.url("ca.crl"), ocsp=registry.url("ocsp"))
    good, bad = authority.issue(wanted=wanted), authority.issue(wanted=wanted)
    registry.answers["ca.crl"] = revocation_list(authority.middle, [bad.certificate])
    async with judging(authority) as judge:
        assert await outcome(judge, good, tmp_path) == "pong"
        assert await outcome(judge, bad, tmp_path) == "revoked"
    assert registry.asked == ["ocsp", "ca.crl", "ocsp"]


def _response(
    issuer: Issued,
    certificate: x509.Certificate,
    nonce: bytes | None,
    *,
    since: datetime.timedelta = -HOUR,
    until: datetime.timedelta | None = HOUR,
    signer: Issued | None = None,
) -> bytes:
    signer = signer or issuer
    builder = ocsp.OCSPResponseBuilder().add_response(
        certificate, issuer.certificate, hashes.SHA256(), ocsp.OCSPCertStatus.GOOD, now() + since,
        now() + until if until is not None else None, None, None,
    )  # fmt: skip
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.NAME, signer.certificate)
    if nonce is not None:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    return builder.sign(signer.key, hashes.SHA256()).public_bytes(DER)


def test_responses_are_of_now_and_for_us(authority: TestAuthority) -> None:
    issued, other = authority.issue(NAME), authority.issue(NAME)
    issuer, nonce, moment = authority.middle.certificate, b"n" * 32, now().timestamp()

    def read(response: bytes) -> str:
        try:
            return read_ocsp(response, issued.certificate, issuer, nonce, moment).status
        except AnswerError as error:
            return str(error)

    good = _response(authority.middle, issued.certificate, nonce)
    assert read(good) == "good"
    assert read(_response(authority.middle, issued.certificate, None)) == "good"
    assert read(_response(authority.middle, issued.certificate, nonce, until=None)) == "good"
    assert read(_response(authority.middle, issued.certificate, b"m" * 32)) == "the response answers another question"
    assert read(_response(authority.middle, other.certificate, nonce)) == "the response is about another certificate"
    late = _response(authority.middle, issued.certificate, nonce, since=-3 * HOUR, until=-HOUR)
    assert read(late) == "the answer is out of date"
    old = _response(authority.middle, issued.certificate, nonce, since=-3 * HOUR, until=None)
    assert read(old) == "the answer is out of date"
    early = _response(authority.middle, issued.certificate, nonce, since=HOUR, until=2 * HOUR)
    assert read(early).startswith("the answer is of the future")
    twin = TestAuthority.authority("Test intermediate", authority.root)
    assert read(_response(authority.middle, issued.certificate, nonce, signer=twin)) == (
        "the response's signature is wrong"
    )
    stranger = TestAuthority.authority("Stranger", None)
    assert read(_response(authority.middle, issued.certificate, nonce, signer=stranger)) == (
        "the response is signed by a stranger"
    )
    refusal = ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER)
    assert read(refusal.public_bytes(DER)) == "the responder says try_later"
    changed = bytearray(good)
    changed[len(changed) // 2] ^= 1
    assert read(bytes(changed)) != "good"


_ISSUED: dict[str, tuple[x509.Certificate, x509.Certificate]] = {}


@given(st.binary(max_size=300), st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_no_octets_make_anything_but_the_documented_error(noise: bytes, at: int, change: int) -> None:
    if not _ISSUED:
        root = TestAuthority.authority("Property", None)
        leaf = TestAuthority.authority("Leaf", root)
        _ISSUED["pair"] = (leaf.certificate, root.certificate)
        _ISSUED["signed"] = (leaf.certificate, root.certificate)
        _DOCUMENTS.extend((_response(root, leaf.certificate, b"n" * 32), revocation_list(root)))
    leaf_certificate, issuer = _ISSUED["pair"]
    for document in (noise, *(_changed(each, at, change) for each in _DOCUMENTS)):
        with contextlib.suppress(AnswerError):
            read_ocsp(document, leaf_certificate, issuer, b"n" * 32, now().timestamp())
        with contextlib.suppress(AnswerError):
            look_up(read_list(document, issuer, now().timestamp()), leaf_certificate, now().timestamp())
    for certificate in (noise, _changed(leaf_certificate.public_bytes(DER), at, change)):
        with contextlib.suppress(ValueError):
            read_certificate(certificate)


_DOCUMENTS: list[bytes] = []


def _changed(document: bytes, at: int, change: int) -> bytes:
    at %= len(document)
    return document[:at] + bytes([document[at] ^ change]) + document[at + 1 :]


def test_a_request_names_the_certificate(authority: TestAuthority) -> None:
    issued = authority.issue(NAME)
    request = ocsp.load_der_ocsp_request(ocsp_request(issued.certificate, authority.middle.certificate, b"n" * 32))
    assert request.serial_number == issued.certificate.serial_number
    assert request.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce == b"n" * 32
