"""The client's side of authorisation at a running call manager: what each answer of it means to the client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ringback.client.identity.authorization import (
    Authorization,
    GrantRefusedError,
    PasswordRefusedError,
    UnavailableError,
)
from ringback.client.identity.callmanager import CallManager, TokenRefusedError
from ringback.client.identity.credentials import Credentials, NoTokenError
from ringback.client.identity.https import Https
from ringback.client.identity.keeper import Over, Renewed, TokenKeeper
from ringback.client.trust import TrustJudge, TrustSettings
from ringback.deployment.authority import Authority
from ringback.net.names import NameClient
from ringback.rules.tokens import End
from tests.callmanager.conftest import Launch, authority, launch
from tests.oauth.conftest import Server, server, template

__all__ = ["authority", "launch", "server", "template"]

NAMES = NameClient()
NOWHERE = "https://127.0.0.1:1"


@pytest.fixture
async def https(authority: Authority) -> AsyncIterator[Https]:
    """Questions by a client that trusts the nodes' authority."""
    async with Https(NAMES, judge_with(authority.ca_file)) as opened:
        yield opened


def judge_with(ca_file: Path | None) -> TrustJudge:
    """A judge."""
    return TrustJudge(TrustSettings(ca_file), NAMES)


async def test_from_the_password_to_the_end(server: Server, https: Https, authority: Authority) -> None:
    node = await server()
    base = f"https://127.0.0.1:{node.running.port('uds')}"
    desk = Authorization(https, [NOWHERE, f"{base}/cucm-uds", base])  # the first node is dead: the next one is asked
    probe = await desk.probe()
    assert (probe.single_sign_on, probe.code_grant) == (False, True)
    with pytest.raises(PasswordRefusedError) as wrong:
        await desk.by_password("anita", "not that")
    assert not wrong.value.locked
    answer = await desk.by_password("anita", "anita's password")
    assert answer.refresh_token
    assert "token" not in repr(answer).lower().replace("tokenresponse", "")

    credentials = Credentials(answer.user_id, "", TokenKeeper())
    credentials.take(credentials.received(answer, base))
    told: list[Renewed | Over] = []
    happened = asyncio.Event()

    async def hear(event: Renewed | Over) -> None:
        told.append(event)
        happened.set()

    async with asyncio.TaskGroup() as tasks:
        driver = tasks.create_task(credentials.run(desk, hear), name="tokens")
        async with CallManager(NAMES, judge_with(authority.ca_file), [f"{base}/cucm-uds"], credentials) as uds:
            assert (await uds.user()).person.user_name == "anita"
            first = credentials.token_now()
            # A refused token is asked about once, and the next one taken.
            assert await credentials.another(first) == credentials.token_now() != first
            await node.administer("GET", "/ssosp/token/revoke?user_id=anita")
            happened.clear()
            with pytest.raises(TokenRefusedError) as refused:
                await uds.user()
            assert refused.value.reason.id == "tokens.end.revoked"
            await asyncio.wait_for(happened.wait(), 5.0)
        driver.cancel()
    assert isinstance(told[0], Renewed)
    assert [event.end for event in told if isinstance(event, Over)] == [End.REVOKED]
    with pytest.raises(NoTokenError):
        await credentials.token()
    with pytest.raises(GrantRefusedError) as over:
        await desk.refresh(answer.refresh_token)
    assert (over.value.error, over.value.ended) == ("invalid_grant", "revoked")


async def test_signing_out_takes_the_token_back(server: Server, https: Https) -> None:
    node = await server()
    desk = Authorization(https, [f"https://127.0.0.1:{node.running.port('uds')}"])
    answer = await desk.by_password("anita", "anita's password")
    await desk.revoke(answer.refresh_token)
    with pytest.raises(GrantRefusedError):
        await desk.refresh(answer.refresh_token)
    await desk.revoke(answer.refresh_token)  # once more does no harm
    with pytest.raises(GrantRefusedError):
        await desk.redeem("no code", "v" * 43, "http://127.0.0.1:1/signed-in")


async def test_who_is_locked_out_is_told_for_how_long(server: Server, https: Https) -> None:
    node = await server(lock_tries=2)
    desk = Authorization(https, [f"https://127.0.0.1:{node.running.port('uds')}"])
    for _ in range(3):
        with pytest.raises(PasswordRefusedError) as refused:
            await desk.by_password("anita", "guess")
    assert refused.value.locked
    assert refused.value.wait > 0


async def test_a_call_manager_without_tokens(launch: Launch, https: Https, authority: Authority) -> None:
    node = await launch()
    base = f"https://127.0.0.1:{node.port('uds')}"
    with pytest.raises(UnavailableError) as silent:
        await Authorization(https, [base]).probe()
    assert silent.value.status == 404
    credentials = Credentials("anita", "anita's password")
    async with CallManager(NAMES, judge_with(authority.ca_file), [f"{base}/cucm-uds"], credentials) as uds:
        assert (await uds.user()).person.user_name == "anita"


async def test_nobody_and_somebody_else_are_told_apart(launch: Launch, https: Https) -> None:
    with pytest.raises(UnavailableError) as nobody:
        await Authorization(https, [NOWHERE]).by_password("anita", "x")
    assert (nobody.value.status, nobody.value.stop) == (0, None)
    node = await launch()
    async with Https(NAMES, judge_with(None)) as stranger:
        with pytest.raises(UnavailableError) as untrusted:
            await Authorization(stranger, [f"https://127.0.0.1:{node.port('uds')}"]).by_password("anita", "x")
    assert untrusted.value.stop is not None
    assert untrusted.value.stop.considered.outcome == "ask"
