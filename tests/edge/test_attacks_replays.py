"""Replays: what was good once and is over lets nobody in again, on any way."""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import cast

import aiohttp
import pytest
import pytest_asyncio

from ringback.protocols.oauth.grants import TokenResponse
from tests.edge.conftest import DOMAIN, PASSWORDS
from tests.edge.siege import Siege, hang_up, segment
from tests.edge.test_attacks_xmpp import SASL, Stream
from tests.support.access_tokens import Authorisation
from tests.support.edge_company import APPLICATION, application_password
from tests.support.nodes import HERE
from tests.support.services import OwnServer
from tests.support.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="session")


class Outside(Authorisation):
    """Signs in from outside, through the edge; an administrator's words are said inside."""

    def __init__(self, siege: Siege, session: aiohttp.ClientSession) -> None:
        manager = siege.edge.call_manager
        super().__init__(cast(OwnServer, SimpleNamespace(address="127.0.0.1", call_manager_port=manager.port)), session)
        self._inside = self._base
        self._base = f"https://{siege.here}/{siege.target(manager.host, manager.port)}"

    async def set_active(self, user: str, *, active: bool) -> None:
        through, self._base = self._base, self._inside
        try:
            await super().set_active(user, active=active)
        finally:
            self._base = through


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def outside(whole_siege: Siege) -> AsyncIterator[Outside]:
    connector = aiohttp.TCPConnector(ssl=whole_siege.context(), resolver=whole_siege.resolver())
    async with aiohttp.ClientSession(connector=connector) as session:
        yield Outside(whole_siege, session)


async def _status(siege: Siege, *lines: str) -> tuple[int, bytes]:
    statuses, found = await siege.send(siege.head(f"/{siege.target()}/pages/x", *lines, signed=False))
    return statuses[0], found


async def _until_refused(siege: Siege, line: str) -> None:
    async def is_refused() -> bool:
        return (await _status(siege, line))[0] != 200

    await until(is_refused, pause=0.05)  # the call managers are asked every two seconds


def _bearer(tokens: TokenResponse) -> str:
    return f"Authorization: Bearer {tokens.access_token}"


async def test_nothing_of_a_sign_in_is_good_after_signing_out(siege: Siege, outside: Outside) -> None:
    tokens = await outside.sign_in("bram", PASSWORDS["bram"])
    status, found = await _status(siege, _bearer(tokens))
    assert status == 200
    match = re.search(rb"X-Auth=([\w-]{64});", found)
    assert match is not None
    await outside.sign_out(tokens)
    await _until_refused(siege, _bearer(tokens))
    before = siege.reached()
    status, _ = await _status(siege, _bearer(tokens))
    assert status == 401
    assert siege.reached() == before
    stream = await Stream.begin(siege)
    await stream.secure()
    word = base64.b64encode(f"n,a=bram@{DOMAIN},\x01auth=Bearer {tokens.access_token}\x01\x01".encode()).decode()
    stream.say(f"<auth xmlns='{SASL}' mechanism='OAUTHBEARER'>{word}</auth>")
    assert "<success" not in await stream.until("</failure>", "<challenge", "</stream:stream>")
    await hang_up(stream.writer)
    await siege.is_healthy()


async def test_a_refresh_token_is_good_for_signing_in_nowhere(siege: Siege, outside: Outside) -> None:
    tokens = await outside.sign_in("bram", PASSWORDS["bram"])
    status, _ = await _status(siege, f"Authorization: Bearer {tokens.refresh_token}")
    assert status == 401
    await outside.sign_out(tokens)
    await siege.is_healthy()


async def test_a_token_that_was_changed_is_none(siege: Siege, outside: Outside) -> None:
    tokens = await outside.sign_in("bram", PASSWORDS["bram"])
    head, payload, signature = tokens.access_token.split(".")
    none = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').decode().rstrip("=")
    secret = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').decode().rstrip("=")
    for changed in (
        f"{none}.{payload}.",
        f"{none}.{payload}.{signature}",
        f"{secret}.{payload}.{signature}",
        f"{head}.{payload}.{signature[:-4]}AAAA",
        f"{head}.{payload[:-4]}AAAA.{signature}",
        f"{head}.{payload}",
    ):
        before = siege.reached()
        status, _ = await _status(siege, f"Authorization: Bearer {changed}")
        assert status in {400, 401}, changed
        assert siege.reached() == before
    await outside.sign_out(tokens)
    await siege.is_healthy()


async def test_a_session_ends_with_its_person(siege: Siege, outside: Outside) -> None:
    cookie = f"Cookie: X-Auth={await siege.sign_in('bram')}"
    assert (await _status(siege, cookie))[0] == 200
    await outside.set_active("bram", active=False)
    try:
        await _until_refused(siege, cookie)
        before = siege.reached()
        assert (await _status(siege, cookie))[0] in {401, 403}
        assert siege.reached() == before
    finally:
        await outside.set_active("bram", active=True)
    await siege.is_healthy()


async def test_tokens_of_the_edge_s_own_account_are_not_to_be_had(siege: Siege) -> None:
    """The application user of the edge is nobody who signs in; inside, the same words are taken."""
    target, manager = segment(DOMAIN), siege.edge.call_manager
    word = base64.b64encode(f"{APPLICATION}:{application_password(DOMAIN)}".encode()).decode()
    async with aiohttp.ClientSession(headers={"Authorization": f"Basic {word}"}) as inside:
        place = f"https://{HERE}:{manager.port}/ringback/remote-access"
        async with inside.get(place, ssl=siege.context(), server_hostname=manager.host) as answer:
            assert answer.status == 200
    head = siege.head(f"/{target}/get_edge_config", f"Authorization: Basic {word}", signed=False)
    before = siege.reached()
    statuses, _ = await siege.send(head)
    assert statuses[0] in {401, 403, 429}
    assert siege.reached() == before
    await siege.is_healthy()
