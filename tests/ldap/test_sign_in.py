"""People with their passwords in the directory sign in at a call manager and a presence node, beside others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp
import pytest
import slixmpp
import sqlalchemy as sa

from ringback.deployment.authority import Authority
from ringback.net.ldap.connection import LdapServer
from ringback.net.ldap.passwords import PersonSearch
from ringback.net.tls import client_context
from ringback.protocols.oauth.grants import AUTHORIZE_PATH
from ringback.rules.addresses import HostPort
from ringback.services.callmanager.authorisation.settings import SignInSettings
from ringback.services.callmanager.directory_passwords import DirectorySettings
from ringback.services.callmanager.service import CallManager
from ringback.services.callmanager.settings import ApplicationUser, PersonRecord
from ringback.services.presence.service import PresenceService
from ringback.storage.callmanager.store import Store
from ringback.storage.callmanager.tables import credentials
from tests.ldap.conftest import PEOPLE
from tests.presence.talk import authenticate, open_stream
from tests.support.foreign import free_ports
from tests.support.nodes import call_manager_settings, port_of, presence_settings, started
from tests.support.services import OwnServer
from tests.support.slapd import ACCOUNT, ACCOUNT_PASSWORD, Directory
from tests.support.slapd import PEOPLE as PEOPLE_BASE

NODE = "cm1.example.com"
APPLICATION = ApplicationUser("presence", "application password", frozenset({"credentials", "token-keys"}))
SOME = (
    PersonRecord("anita", in_directory=True),
    PersonRecord("bernd", in_directory=True),
    PersonRecord("zoe", "zoe's password"),
)
ALL = SOME[:2]


@dataclass
class Stage:
    """A call manager and a presence node in this process."""

    node: CallManager
    presence: OwnServer
    session: aiohttp.ClientSession
    database: str

    async def get(self, path: str, user: str, password: str) -> int:
        port = next(row.port for row in self.node.endpoints if row.service == "uds")
        headers = {"Authorization": aiohttp.encode_basic_auth(user, password)}
        url = f"https://127.0.0.1:{port}{path}"
        async with self.session.get(url, headers=headers, allow_redirects=False) as response:
            return response.status

    async def uds(self, user: str, password: str) -> int:
        return await self.get(f"/cucm-uds/user/{user}", user, password)

    async def page(self, user: str) -> int:
        return await self.get(f"/ringback/credentials/{user}", APPLICATION.user, APPLICATION.password)


Launch = Callable[..., Awaitable[Stage]]


@pytest.fixture
async def launch(tmp_path: Path, directory: Directory) -> AsyncIterator[Launch]:
    authority = Authority(tmp_path / "authority")
    async with AsyncExitStack() as stack:

        async def start(people: tuple[PersonRecord, ...] = SOME, *servers: LdapServer, tries: int = 10) -> Stage:
            database = f"sqlite+aiosqlite:///{tmp_path / 'cluster.db'}"
            node = CallManager(
                replace(
                    call_manager_settings(NODE, tmp_path, authority, database="cluster.db"),
                    people=people,
                    application_users=(APPLICATION,),
                    sign_in=SignInSettings(b"k" * 32, lock_tries=tries, poll_seconds=0.1),
                    directory=DirectorySettings(
                        servers or (directory.clear,), PersonSearch(PEOPLE_BASE), ACCOUNT, ACCOUNT_PASSWORD,
                        directory.ca, 2.0,
                    ),
                )
            )  # fmt: skip
            port = port_of(await started(node, stack), "uds")
            service = PresenceService(
                replace(
                    presence_settings("im.example.com", "example.com", tmp_path, authority),
                    call_managers=((NODE, HostPort("127.0.0.1", port)),),
                    application_user=APPLICATION.user,
                    application_password=APPLICATION.password,
                )
            )
            await service.start()
            stack.push_async_callback(service.stop)
            ports = {row.service: row.port for row in service.endpoints}
            own = OwnServer(
                "example.com", "conference.example.com", "127.0.0.1", ports["xmpp"], ports["xmpp-tls"], ports["login"],
                authority.ca_file, 0, 0,
            )  # fmt: skip
            connector = aiohttp.TCPConnector(ssl=client_context(authority.ca_file))
            session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
            return Stage(node, own, session, database)

        yield start


@pytest.mark.peer
async def test_each_password_is_asked_for_where_it_is(launch: Launch) -> None:
    stage = await launch()
    assert await stage.uds("anita", PEOPLE["anita"]) == 200
    assert await stage.uds("ANITA", PEOPLE["anita"]) == 200
    assert await stage.uds("bernd", PEOPLE["bernd"]) == 200
    assert await stage.uds("zoe", "zoe's password") == 200
    for user, password in (("anita", PEOPLE["bernd"]), ("zoe", PEOPLE["anita"]), ("star", PEOPLE["star"]), ("a*", "x")):
        assert await stage.uds(user, password) == 401, user
    asked = "response_type=code&client_id=x"
    assert await stage.get(f"{AUTHORIZE_PATH}?{asked}", "anita", PEOPLE["anita"]) in {400, 401}


@pytest.mark.peer
async def test_who_is_in_the_directory_only_gets_in_nowhere(launch: Launch) -> None:
    """Where everybody's password is there, unknown names are asked for too, and still are nobody."""
    stage = await launch(ALL)
    assert await stage.uds("anita", PEOPLE["anita"]) == 200
    assert await stage.uds("star", PEOPLE["star"]) == 401


@pytest.mark.peer
async def test_wrong_passwords_lock_out_here(launch: Launch) -> None:
    stage = await launch(tries=3)
    for number in range(3):
        assert await stage.uds("anita", f"wrong {number}") == 401
    assert await stage.uds("anita", PEOPLE["anita"]) == 429, "nor is the directory asked any more"
    assert await stage.uds("bernd", PEOPLE["bernd"]) == 200


@pytest.mark.peer
async def test_a_directory_that_is_down_locks_nobody_out(launch: Launch, directory: Directory) -> None:
    stage = await launch(SOME, replace(directory.secure, port=free_ports(1)[0]), tries=2)
    for _ in range(4):
        assert await stage.uds("anita", PEOPLE["anita"]) == 503
    assert await stage.uds("zoe", "zoe's password") == 200
    talk = await open_stream(stage.presence, "anita")
    assert await authenticate(talk, "PLAIN", f"\0anita\0{PEOPLE['anita']}") == "temporary-auth-failure"
    await talk.leave()


@pytest.mark.peer
async def test_no_password_of_theirs_is_kept(launch: Launch) -> None:
    """Neither a new one, nor one of the time before the directory."""
    before = await launch((PersonRecord("anita", "an old password"), SOME[2]))
    await before.node.stop()
    stage = await launch()
    assert await stage.uds("anita", PEOPLE["anita"]) == 200
    assert await stage.uds("anita", "an old password") == 401
    store = await Store.open(stage.database)
    async with store.engine.connect() as connection:
        kept = set(await connection.scalars(sa.select(credentials.c.user)))
    await store.close()
    assert kept == {"zoe", APPLICATION.user}
    assert [await stage.page(user) for user in ("anita", "zoe", "nobody")] == [409, 200, 404]


@pytest.mark.peer
async def test_presence_offers_what_there_is(launch: Launch) -> None:
    """SCRAM for those who have a verifier; the others are told to use another mechanism, which clients do."""
    stage = await launch()
    talk = await open_stream(stage.presence, "anita")
    for mechanism in ("SCRAM-SHA-256", "OAUTHBEARER", "PLAIN"):
        assert f"<mechanism>{mechanism}</mechanism>" in talk.offer
    assert await authenticate(talk, "SCRAM-SHA-256", "n,,n=anita,r=nonce") == "invalid-mechanism"
    assert await authenticate(talk, "PLAIN", f"\0anita\0{PEOPLE['anita']}") == "success"
    await talk.leave()
    assert await slixmpp_signs_in(stage.presence, "anita", PEOPLE["anita"])
    assert await slixmpp_signs_in(stage.presence, "zoe", "zoe's password")
    assert not await slixmpp_signs_in(stage.presence, "anita", "wrong")


@pytest.mark.peer
async def test_presence_offers_no_scram_where_nobody_has_a_verifier(launch: Launch) -> None:
    stage = await launch(ALL)
    talk = await open_stream(stage.presence, "anita")
    assert "SCRAM" not in talk.offer
    assert await authenticate(talk, "PLAIN", f"\0anita\0{PEOPLE['anita']}") == "success"
    await talk.leave()


async def slixmpp_signs_in(server: OwnServer, user: str, password: str) -> bool:
    """Whether a foreign client gets in that chooses by itself."""
    client = slixmpp.ClientXMPP(f"{user}@{server.domain}", password)
    client.ca_certs = server.ca
    over: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def tell(result: bool) -> None:
        if not over.done():
            over.set_result(result)

    client.add_event_handler("session_start", lambda _: tell(True))
    client.add_event_handler("failed_all_auth", lambda _: tell(False))
    client.connect(server.address, server.port)
    try:
        async with asyncio.timeout(10):
            return await over
    finally:
        await client.disconnect()
