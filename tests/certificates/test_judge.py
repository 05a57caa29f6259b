"""Connections judged: what is wrong with a certificate, what follows, and that nothing was sent before."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from ringback.client.store.store import Store
from ringback.client.trust import (
    CertificateStopError,
    Considered,
    Expected,
    Place,
    Purpose,
    TrustJudge,
    TrustPolicy,
    TrustSettings,
)
from ringback.net.certificates import SERVICE_NAME, XMPP_ADDRESS, other_name
from ringback.net.names import NameClient
from ringback.net.tls import client_context, server_context
from ringback.rules.certificates import fips_mode
from ringback.rules.reachability import Obstacle
from tests.certificates.authority import DAY, Issued, TestAuthority, Wanted, rsa_key, self_signed, weak_key
from tests.certificates.servers import HOST, Listener, listening, openssl_server, sha1_certificate

NAME = "cm1.example.com"
ASKS = TrustPolicy()
STRICT = TrustPolicy(strictness=fips_mode(True, platform=False))
REJECTS = TrustPolicy(behaviour="RejectAndNotify")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> TestAuthority:
    return TestAuthority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
async def judge(authority: TestAuthority) -> AsyncIterator[TrustJudge]:
    made = TrustJudge(TrustSettings(ca_file=authority.ca_file), NameClient())
    yield made
    await made.close()


async def reach(judge: TrustJudge, port: int, name: str = NAME, expected: Expected | None = None) -> bytes:
    """Say ping, return the answer. Raises CertificateStopError."""
    expected = expected or Expected()

    async def connect() -> bytes:
        sni = expected.domain or name
        context = judge.context(expected)
        reader, writer = await asyncio.open_connection(HOST, port, ssl=context, server_hostname=sni)
        writer.write(b"ping\n")
        answer = await reader.read(100)
        writer.close()
        return answer

    async with asyncio.timeout(10):
        return await judge.reach(Place(name, port, expected, address=HOST), connect)


async def stopped(judge: TrustJudge, port: int, name: str = NAME, expected: Expected | None = None) -> Considered:
    with pytest.raises(CertificateStopError) as caught:
        await reach(judge, port, name, expected)
    return caught.value.considered


def ids(considered: Considered) -> list[str]:
    return [reason.id.removeprefix("certificates.") for reason in considered.reasons]


def wanted(*dns: str, **more: object) -> Wanted:
    return replace(Wanted(dns=dns), **more)  # type: ignore[arg-type]


Make = Callable[[TestAuthority], Issued]
FAULTS: dict[str, tuple[Make, list[str], Obstacle]] = {
    "another name": (lambda ca: ca.issue("cm2.example.com"), ["other_name"], Obstacle.WRONG_NAME),
    "expired": (
        lambda ca: ca.issue(wanted=wanted(NAME, begins=-5 * DAY, ends=-DAY)),
        ["expired"],
        Obstacle.EXPIRED,
    ),
    "not yet": (
        lambda ca: ca.issue(wanted=wanted(NAME, begins=DAY, ends=5 * DAY)),
        ["not_yet"],
        Obstacle.NOT_YET_VALID,
    ),
    "a wildcard too deep": (lambda ca: ca.issue("*.com"), ["other_name"], Obstacle.WRONG_NAME),
    "a wildcard too high": (lambda ca: ca.issue("*.cm1.example.com"), ["other_name"], Obstacle.WRONG_NAME),
    "the common name beside others": (
        lambda ca: ca.issue(wanted=wanted("cm2.example.com", common=NAME)),
        ["other_name"],
        Obstacle.WRONG_NAME,
    ),
    "another address": (
        lambda ca: ca.issue(wanted=wanted(addresses=["127.0.0.9"], common=NAME)),
        ["other_name"],
        Obstacle.WRONG_NAME,
    ),
    "what only XMPP knows": (
        lambda ca: ca.issue(wanted=wanted(others=[other_name(XMPP_ADDRESS, NAME)], common=NAME)),
        ["other_name"],
        Obstacle.WRONG_NAME,
    ),
    "self-signed": (lambda ca: self_signed(wanted(NAME)), ["untrusted"], Obstacle.UNTRUSTED),
    "an unknown authority": (
        lambda ca: TestAuthority(ca.ca_file.parent, "Unknown").issue(NAME),
        ["untrusted"],
        Obstacle.UNTRUSTED,
    ),
    "self-signed, expired, for another": (
        lambda ca: self_signed(wanted("cm2.example.com", begins=-5 * DAY, ends=-DAY)),
        ["untrusted", "expired", "other_name"],
        Obstacle.UNTRUSTED,
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_what_is_wrong_is_asked_and_nothing_was_sent(
    authority: TestAuthority, judge: TrustJudge, tmp_path: Path, fault: str
) -> None:
    make, reasons, obstacle = FAULTS[fault]
    issued = make(authority)
    async with listening(issued.write(tmp_path)) as listener:
        asked = await stopped(judge, listener.port)
        assert asked.outcome == "ask"
        assert ids(asked) == reasons
        assert asked.obstacle is obstacle
        question = asked.question
        assert question is not None
        assert question.fingerprint == issued.fingerprint
        assert question.expected == NAME
        assert question.server == f"{NAME}:{listener.port}"
        assert question.before is None
        assert not listener.got

        for policy in (STRICT, REJECTS):
            judge.change_policy(policy)
            refused = await stopped(judge, listener.port)
            assert refused.outcome == "refuse"
            assert ids(refused)[: len(reasons)] == reasons
            assert len(refused.reasons) > len(reasons)  # and which mode or policy wants it so
        judge.change_policy(ASKS)
        assert not listener.got

        await judge.accept(question.fingerprint)
        assert await reach(judge, listener.port) == b"pong"
        again = await stopped(judge, listener.port, "cm9.example.com")
        assert again.outcome == "ask", "accepted for one server, shown by another"
        judge.change_policy(STRICT)
        assert (await stopped(judge, listener.port)).outcome == "refuse", "in FIPS mode nothing remembered counts"
        assert listener.got == [b"ping\n"]


GOOD: dict[str, Make] = {
    "its name": lambda ca: ca.issue(NAME),
    "one of its names": lambda ca: ca.issue("uds.example.com", "CM1.Example.Com"),
    "a wildcard": lambda ca: ca.issue("*.example.com"),
    "the common name alone": lambda ca: ca.issue(wanted=wanted(common=NAME)),
    "a wildcard as the common name": lambda ca: ca.issue(wanted=wanted(common="*.example.com")),
    "an RSA key": lambda ca: ca.issue(wanted=wanted(NAME, key=rsa_key())),
    "signed by the root": lambda ca: ca.issue(NAME, by=ca.root),
}


@pytest.mark.parametrize("case", GOOD)
async def test_good_certificates_pass_in_every_mode(
    authority: TestAuthority, judge: TrustJudge, tmp_path: Path, case: str
) -> None:
    async with listening(GOOD[case](authority).write(tmp_path)) as listener:
        for policy in (ASKS, REJECTS, STRICT):
            judge.change_policy(policy)
            assert await reach(judge, listener.port) == b"pong"


async def test_an_address_is_a_name_too(authority: TestAuthority, judge: TrustJudge, tmp_path: Path) -> None:
    identity = authority.issue(wanted=wanted(addresses=[HOST, "::1"])).write(tmp_path)
    async with listening(identity) as listener:
        assert await reach(judge, listener.port, HOST) == b"pong"


XMPP = Expected(Purpose.XMPP, "im1.example.com", "example.com", "xmpp-client")
SIP = Expected(Purpose.SIP, domain="example.com")


@pytest.mark.parametrize(
    ("names", "passes"),
    [
        (wanted("im1.example.com"), True),
        (wanted("example.com"), True),
        (wanted("*.example.com"), True),
        (wanted("other.example", others=[other_name(XMPP_ADDRESS, "example.com")]), True),
        (wanted("other.example", others=[other_name(SERVICE_NAME, "_xmpp-client.example.com")]), True),
        (wanted("other.example", others=[other_name(SERVICE_NAME, "_xmpp-server.example.com")]), False),
        (wanted("other.example", others=[other_name(XMPP_ADDRESS, "im1.example.com")]), False),
        (wanted("im2.example.com", common="im1.example.com"), False),
    ],
)
async def test_xmpp_has_fields_of_its_own(
    authority: TestAuthority, judge: TrustJudge, tmp_path: Path, names: Wanted, passes: bool
) -> None:
    async with listening(authority.issue(wanted=names).write(tmp_path)) as listener:
        if passes:
            assert await reach(judge, listener.port, "im1.example.com", XMPP) == b"pong"
            return
        asked = await stopped(judge, listener.port, "im1.example.com", XMPP)
        assert ids(asked) == ["other_name"]
        assert asked.question is not None
        assert asked.question.expected == "example.com / im1.example.com"
        await judge.accept(asked.question.fingerprint)
        assert await reach(judge, listener.port, "im1.example.com", XMPP) == b"pong"


async def test_a_host_with_an_umlaut_is_remembered_too(judge: TrustJudge, tmp_path: Path) -> None:
    async with listening(self_signed(wanted("xn--bcher-kva.example")).write(tmp_path)) as listener:
        asked = await stopped(judge, listener.port, "bücher.example")
        assert ids(asked) == ["untrusted"]
        await judge.accept(_fingerprint(asked))
        assert await reach(judge, listener.port, "Bücher.example") == b"pong"


async def test_sip_knows_no_wildcards(authority: TestAuthority, judge: TrustJudge, tmp_path: Path) -> None:
    async with listening(authority.issue("*.example.com").write(tmp_path)) as listener:
        assert ids(await stopped(judge, listener.port, NAME, SIP)) == ["other_name"]
        assert await reach(judge, listener.port) == b"pong"


WEAK: dict[str, tuple[Callable[[TestAuthority, Path], Issued], str]] = {
    "a short RSA key": (lambda ca, _: ca.issue(wanted=wanted(NAME, key=weak_key())), "weak_key"),
    "a short key of its own": (lambda _, __: self_signed(wanted(NAME, key=weak_key())), "weak_key"),
    "a SHA-1 signature": (lambda ca, folder: sha1_certificate(ca, NAME, folder), "weak_signature"),
}


@pytest.mark.peer
@pytest.mark.parametrize("case", WEAK)
async def test_what_can_be_forged_nobody_accepts(
    authority: TestAuthority, judge: TrustJudge, tmp_path: Path, case: str
) -> None:
    make, reason = WEAK[case]
    identity = make(authority, tmp_path).write(tmp_path)
    async with openssl_server(identity, "-cipher", "DEFAULT@SECLEVEL=0") as port:
        refused = await stopped(judge, port)
        assert refused.outcome == "refuse"
        assert reason in ids(refused)
        assert refused.question is None
        assert refused.facts is not None


@pytest.mark.peer
async def test_older_versions_of_tls_are_no_connection(
    authority: TestAuthority, judge: TrustJudge, tmp_path: Path
) -> None:
    identity = authority.issue(NAME).write(tmp_path)
    async with openssl_server(identity, "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0") as port:
        with pytest.raises(ssl.SSLError) as refused:
            await reach(judge, port)
        considered = await judge.consider(refused.value, Place(NAME, port, address=HOST))
        assert considered.outcome == "refuse"
        assert ids(considered) == ["unseen"]


@pytest.mark.peer
@pytest.mark.parametrize(
    ("options", "passes"),
    [
        (("-tls1_2",), True),
        (("-tls1_3",), True),
        (("-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"), False),
        (("-tls1_3", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"), False),
        (("-tls1_3", "-groups", "X25519"), False),
    ],
)
async def test_fips_mode_takes_only_what_its_table_has(
    authority: TestAuthority, judge: TrustJudge, tmp_path: Path, options: tuple[str, ...], passes: bool
) -> None:
    identity = authority.issue(NAME).write(tmp_path)
    async with openssl_server(identity, *options) as port:
        assert await reach(judge, port) == b"gnip\n"
        for policy in (STRICT, TrustPolicy(strictness=fips_mode(False, platform=False, common_criteria=True))):
            judge.change_policy(policy)
            if passes:
                assert await reach(judge, port) == b"gnip\n"
            else:
                with pytest.raises((ssl.SSLError, CertificateStopError)):
                    await reach(judge, port)


async def test_a_changed_certificate_is_asked_with_what_it_was_before(
    authority: TestAuthority, judge: TrustJudge, tmp_path: Path
) -> None:
    first, second = self_signed(wanted(NAME)), self_signed(wanted(NAME, ends=60 * DAY))
    async with listening(first.write(tmp_path, "first")) as listener:
        await judge.accept(_fingerprint(await stopped(judge, listener.port)))
        assert await reach(judge, listener.port) == b"pong"
    async with listening(second.write(tmp_path, "second")) as listener:
        asked = await stopped(judge, listener.port)
        assert asked.question is not None
        assert asked.question.before is not None
        assert asked.question.before.fingerprint == first.fingerprint
        assert asked.question.fingerprint == second.fingerprint
        judge.decline(second.fingerprint)
        with pytest.raises(KeyError):
            await judge.accept(second.fingerprint)
        assert not listener.got
    async with listening(authority.issue(NAME).write(tmp_path, "third")) as listener:
        assert await reach(judge, listener.port) == b"pong", "a good one needs no question"


async def test_one_certificate_of_two_servers_is_accepted_for_the_one_that_was_meant(
    judge: TrustJudge, tmp_path: Path
) -> None:
    async with listening(self_signed(wanted(NAME)).write(tmp_path)) as listener:
        first = (await stopped(judge, listener.port)).question
        second = (await stopped(judge, listener.port, "cm2.example.com")).question
        assert first is not None
        assert second is not None
        assert first.fingerprint == second.fingerprint
        with pytest.raises(KeyError):
            await judge.accept(first.fingerprint)
        await judge.accept(first.fingerprint, first.server)
        assert await reach(judge, listener.port) == b"pong"
        assert (await stopped(judge, listener.port, "cm2.example.com")).outcome == "ask"


async def test_an_accepted_certificate_makes_no_authority(
    authority: TestAuthority, judge: TrustJudge, tmp_path: Path
) -> None:
    """A self-signed certificate that may sign others is accepted for its server; what it signs is not."""
    stranger = TestAuthority(tmp_path, "Stranger")
    rogue = stranger.root
    child = stranger.issue(NAME, by=rogue)
    rogue_server = Issued(rogue.certificate, rogue.key)
    async with listening(rogue_server.write(tmp_path, "rogue")) as listener:
        await judge.accept(_fingerprint(await stopped(judge, listener.port)))
        assert await reach(judge, listener.port) == b"pong"
    async with listening(child.write(tmp_path, "child")) as listener:
        asked = await stopped(judge, listener.port)
        assert asked.outcome == "ask"
        assert "untrusted" in ids(asked)
        assert not listener.got


async def test_what_was_accepted_is_kept_until_the_reset(authority: TestAuthority, tmp_path: Path) -> None:
    key = bytes(32)
    issued = self_signed(wanted(NAME))
    async with listening(issued.write(tmp_path)) as listener:

        async def with_judge(work: Callable[[TrustJudge], object]) -> None:
            store = await Store.open(tmp_path / "store.db", key)
            judge = TrustJudge(TrustSettings(ca_file=authority.ca_file), NameClient())
            await judge.attach(store)
            await work(judge)  # type: ignore[misc]
            await judge.close()
            await store.close()

        async def accept(judge: TrustJudge) -> None:
            await judge.accept(_fingerprint(await stopped(judge, listener.port)))

        async def connect(judge: TrustJudge) -> None:
            assert await reach(judge, listener.port) == b"pong"

        async def forget(judge: TrustJudge) -> None:
            await judge.forget()
            await stopped(judge, listener.port)

        async def ask_again(judge: TrustJudge) -> None:
            assert (await stopped(judge, listener.port)).outcome == "ask"

        for work in (accept, connect, forget, ask_again):
            await with_judge(work)
    assert issued.certificate.subject.rfc4514_string().encode() not in (tmp_path / "store.db").read_bytes()


async def test_what_was_accepted_before_the_store_was_open_is_written_then(
    authority: TestAuthority, judge: TrustJudge, tmp_path: Path
) -> None:
    async with listening(self_signed(wanted(NAME)).write(tmp_path)) as listener:
        await judge.accept(_fingerprint(await stopped(judge, listener.port)))
        store = await Store.open(tmp_path / "store.db", bytes(32))
        await judge.attach(store)
        later = TrustJudge(TrustSettings(ca_file=authority.ca_file), NameClient())
        await later.attach(store)
        assert await reach(later, listener.port) == b"pong"
        await later.close()
        await store.close()


async def test_downloads_are_judged_too(authority: TestAuthority, judge: TrustJudge, tmp_path: Path) -> None:
    """aiohttp with the judge's context: one context for all servers, each judged by its own name."""
    good, bad = authority.issue("localhost"), self_signed(wanted("localhost"))
    async with listening(good.write(tmp_path, "good")) as fine, listening(bad.write(tmp_path, "bad")) as wrong:
        connector = aiohttp.TCPConnector(ssl=judge.context())
        async with aiohttp.ClientSession(connector=connector) as session:

            async def fetch(listener: Listener) -> int:
                async with session.get(f"https://localhost:{listener.port}/secret") as response:
                    return response.status

            with pytest.raises(aiohttp.ClientError) as no_http:
                await fetch(fine)
            assert not isinstance(no_http.value, aiohttp.ClientConnectorCertificateError)
            assert fine.got
            place = Place("localhost", wrong.port, address=HOST)
            with pytest.raises(CertificateStopError) as caught:
                await judge.reach(place, lambda: fetch(wrong))
            assert not wrong.got
            await judge.accept(_fingerprint(caught.value.considered))
            with pytest.raises(aiohttp.ClientError):
                await judge.reach(place, lambda: fetch(wrong))
            assert wrong.got


@pytest.mark.parametrize("kind", ["the same kind of key", "another kind of key"])
async def test_a_renewed_certificate_is_shown_without_a_restart(
    authority: TestAuthority, judge: TrustJudge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr("ringback.net.tls._LOOK_EVERY", 0.0)
    identity = authority.issue("cm2.example.com").write(tmp_path)
    context = server_context(identity, alpn=("http/1.1",))
    async with listening(identity, context) as listener:
        assert ids(await stopped(judge, listener.port)) == ["other_name"]
        right = authority.issue(wanted=wanted(NAME, key=rsa_key() if kind == "another kind of key" else None))
        key = identity.key.read_bytes()
        right.write(tmp_path)
        new_key = identity.key.read_bytes()
        identity.key.write_bytes(key)  # the certificate is there, its key not yet
        assert ids(await stopped(judge, listener.port)) == ["other_name"], "the old pair stays in use"
        identity.key.write_bytes(new_key)
        assert await reach(judge, listener.port) == b"pong"
        authority.issue(wanted=wanted("cm3.example.com", key=right.key)).write(tmp_path)
        assert ids(await stopped(judge, listener.port)) == ["other_name"], "and once more"
        looking = client_context(authority.ca_file)
        looking.set_alpn_protocols(["h2", "http/1.1"])
        _, writer = await asyncio.open_connection(HOST, listener.port, ssl=looking, server_hostname="cm3.example.com")
        assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "http/1.1"
        writer.close()


async def test_servers_go_on_asking_for_client_certificates_after_a_renewal(
    authority: TestAuthority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a context was set to stays, whatever kind of key comes: nodes know each other by their certificates."""
    monkeypatch.setattr("ringback.net.tls._LOOK_EVERY", 0.0)
    identity = authority.issue(NAME).write(tmp_path)
    server = server_context(identity, client_authorities=authority.ca_file)
    uses = (ExtendedKeyUsageOID.CLIENT_AUTH,)
    client = authority.issue(wanted=wanted("cm2.example.com", uses=uses)).write(tmp_path, "client")
    context = client_context(authority.ca_file, identity=client)
    shown: list[str] = []

    def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        certificate = writer.get_extra_info("ssl_object").getpeercert(True)
        shown.append(type(x509.load_der_x509_certificate(certificate).public_key()).__name__)
        writer.close()

    async with await asyncio.start_server(answer, HOST, 0, ssl=server) as listener:
        port = listener.sockets[0].getsockname()[1]
        for _ in range(2):
            reader, writer = await asyncio.open_connection(HOST, port, ssl=context, server_hostname=NAME)
            await reader.read()
            writer.close()
            authority.issue(wanted=wanted(NAME, key=rsa_key())).write(tmp_path)
            authority.issue(wanted=wanted("cm2.example.com", uses=uses, key=rsa_key())).write(tmp_path, "client")
    assert shown == ["ECPublicKey", "RSAPublicKey"]


async def test_an_authority_that_is_installed_later_counts_without_a_restart(
    authority: TestAuthority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ringback.net.tls._LOOK_EVERY", 0.0)
    ca_file = tmp_path / "ca.pem"
    other = TestAuthority(tmp_path, "Other")
    ca_file.write_bytes(other.ca_file.read_bytes())
    judge = TrustJudge(TrustSettings(ca_file=ca_file), NameClient())
    context = client_context(ca_file)
    async with listening(authority.issue(NAME).write(tmp_path)) as listener:

        async def service() -> None:
            _, writer = await asyncio.open_connection(HOST, listener.port, ssl=context, server_hostname=NAME)
            writer.close()

        assert ids(await stopped(judge, listener.port)) == ["untrusted"]
        with pytest.raises(ssl.SSLCertVerificationError):
            await service()
        ca_file.write_bytes(other.ca_file.read_bytes() + authority.ca_file.read_bytes())
        assert await reach(judge, listener.port) == b"pong"
        await service()
    await judge.close()


def _fingerprint(considered: Considered) -> str:
    assert considered.question is not None
    return considered.question.fingerprint
