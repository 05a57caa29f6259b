"""The judge where it is used: SIP over TLS by our nodes, XMPP with STARTTLS by Prosody."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

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
from ringback.net.certificates import open_stream
from ringback.net.names import NameClient
from ringback.net.sip.node import Listen
from ringback.net.tls import server_context
from ringback.protocols.sip.events import RegistrationChanged
from ringback.protocols.sip.flows import Target
from tests.certificates.authority import Issued, TestAuthority, Wanted, revocation_list, self_signed
from tests.certificates.servers import HOST
from tests.sip.phones import Phone
from tests.sip.switchboard import Switchboard
from tests.support.prosody import running_prosody

NAME = "cm1.example.com"


@pytest.fixture
def authority(tmp_path: Path) -> TestAuthority:
    return TestAuthority(tmp_path)


@pytest.fixture
async def judge(authority: TestAuthority) -> AsyncIterator[TrustJudge]:
    made = TrustJudge(TrustSettings(ca_file=authority.ca_file), NameClient())
    yield made
    await made.close()


class Looker:
    """What the engine does with a certificate that ended a phone's connection, without a page."""

    def __init__(self, judge: TrustJudge) -> None:
        self.judge = judge
        self.considered: list[Considered] = []

    async def look(self, error: ssl.SSLCertVerificationError, host: str, address: str, port: int) -> bool:
        considered = await self.judge.consider(error, Place(host, port, Expected(Purpose.SIP), address))
        self.considered.append(considered)
        return considered.outcome == "again"


@asynccontextmanager
async def registrar(issued: Issued, folder: Path) -> AsyncIterator[int]:
    """Something to register with over TLS; its port."""
    board = Switchboard([Listen("tls", HOST, context=server_context(issued.write(folder)))])
    await board.node.start()
    try:
        yield board.port("tls")
    finally:
        await board.node.stop()


async def registered(judge: TrustJudge, looker: Looker, port: int) -> str:
    """Register once: how that ended."""
    phone = Phone("u1", context=judge.context(Expected(Purpose.SIP)), second_look=looker.look)
    await phone.node.start()
    try:
        phone.register(Target("tls", HOST, port, NAME))
        event = await phone.wait(RegistrationChanged, lambda event: event.state in ("waiting", "refused", "registered"))
        return event.state if event.state == "registered" else event.reasons[0].id
    finally:
        await phone.node.stop()


async def test_a_phone_asks_about_the_certificate_and_registers_when_it_is_accepted(
    judge: TrustJudge, tmp_path: Path
) -> None:
    async with registrar(self_signed(Wanted(dns=[NAME])), tmp_path) as port:
        looker = Looker(judge)
        assert await registered(judge, looker, port) == "registration.certificate-refused"
        (asked,) = looker.considered
        assert asked.question is not None
        assert [reason.id for reason in asked.reasons] == ["certificates.untrusted"]
        await judge.accept(asked.question.fingerprint)
        assert await registered(judge, looker, port) == "registered"
        assert len(looker.considered) == 1


async def test_a_phone_waits_for_the_word_of_the_revocation_server(
    authority: TestAuthority, judge: TrustJudge, tmp_path: Path
) -> None:
    lists = {"good": revocation_list(authority.middle)}

    async def give(request: web.Request) -> web.Response:
        return web.Response(body=lists[request.match_info["name"]])

    application = web.Application()
    application.router.add_get("/{name}", give)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, HOST, 0).start()
    url = f"http://{HOST}:{runner.addresses[0][1]}"
    good = authority.issue(wanted=Wanted(dns=[NAME], crl=f"{url}/good"))
    bad = authority.issue(wanted=Wanted(dns=[NAME], crl=f"{url}/bad"))
    lists["bad"] = revocation_list(authority.middle, [bad.certificate])
    looker = Looker(judge)
    try:
        async with registrar(good, tmp_path) as port:
            assert await registered(judge, looker, port) == "registered"
        async with registrar(bad, tmp_path) as port:
            assert await registered(judge, looker, port) == "registration.certificate-refused"
    finally:
        await runner.cleanup()
    assert [one.outcome for one in looker.considered] == ["again", "again", "refuse"]


@pytest.mark.peer
async def test_prosody_is_asked_about_once(authority: TestAuthority, judge: TrustJudge, tmp_path: Path) -> None:
    """Prosody with a certificate of an authority that we do not know: STARTTLS, the question, then a session."""
    with running_prosody(tmp_path / "prosody", {"anita": "secret"}) as prosody:
        expected = Expected(Purpose.XMPP, HOST, prosody.domain, "xmpp-client")
        place = Place(HOST, prosody.port, expected, starttls=True)

        async def connect() -> str:
            _, writer = await open_stream(HOST, prosody.port, prosody.domain)
            try:
                await writer.start_tls(judge.context(expected), server_hostname=prosody.domain)
                return str(writer.get_extra_info("ssl_object").version())
            finally:
                writer.close()

        async with asyncio.timeout(30):
            with pytest.raises(CertificateStopError) as stopped:
                await judge.reach(place, connect)
            question = stopped.value.considered.question
            assert question is not None
            assert question.expected == f"{prosody.domain} / {HOST}"
            assert prosody.domain in question.found
            judge.change_policy(TrustPolicy(behaviour="RejectAndNotify"))
            with pytest.raises(CertificateStopError) as refused:
                await judge.reach(place, connect)
            assert refused.value.considered.question is None
            judge.change_policy(TrustPolicy())
            await judge.accept(question.fingerprint)
            assert await judge.reach(place, connect) == "TLSv1.3"
