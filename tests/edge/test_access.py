"""What people may use from outside: said in the store, asked over the wire, felt by sessions that run."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from ringback.deployment import DeploymentError, load
from ringback.deployment.authority import Authority
from ringback.deployment.remote_access import access_of, policies
from ringback.net.followed import FollowedSettings
from ringback.net.node_resolver import NodeResolver
from ringback.net.remote_access import AccessBook
from ringback.net.tls import client_context, server_context
from ringback.protocols.edge import EdgeConfiguration
from ringback.protocols.edge.access import AccessDocument, AccessDocumentError, Restricted
from ringback.rules.addresses import HostPort
from ringback.rules.edge_access import AccessError, AccessPolicy, ClientKind, RemoteAccess, kind_of_device, refusal
from ringback.rules.edge_paths import Allowed
from ringback.services.edge.settings import InnerSettings
from ringback.services.names.settings import Record
from ringback.storage.callmanager.remote_access import RemoteAccessStore
from ringback.storage.callmanager.sign_ins import SignInStore
from ringback.storage.callmanager.store import Store
from tests.edge.conftest import EDGE, PASSWORDS, WORLD, Edge, Inward, start_edge
from tests.edge.test_xmpp import Client
from tests.support.key_desk import PASSWORD, USER, key_desks
from tests.support.lab import built_in
from tests.support.waiting import until

ANITA, BRAM = (f"{user}:{PASSWORDS[user]}" for user in ("anita", "bram"))
CONFIGURATION = "get_edge_config?service_name=_cisco-uds"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def edge(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Edge, Path]]:
    folder = tmp_path_factory.mktemp("edge")

    def further(settings: InnerSettings) -> InnerSettings:
        places = {**settings.own.places, "sip": (HostPort(EDGE, 5061),)}
        return replace(settings, poll=0.1, own=replace(settings.own, places=places, route="<sip:edge;lr>"))

    async with AsyncExitStack() as stack:
        rows = (Allowed("https", await start_news(folder, stack), frozenset({"GET"}), ("/",), sockets=True),)
        records = (Record("news", "A", ("127.0.0.1",)),)
        yield await start_edge(folder, stack, Inward(rows=rows, records=records, further=further)), folder


async def start_news(folder: Path, stack: AsyncExitStack) -> HostPort:
    """A server inside whose WebSocket says nothing until somebody ends it."""

    async def news(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.receive()
        return socket

    app = web.Application()
    app.router.add_get("/news", news)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    name = "news.example.com"
    identity = Authority(folder / "ca").issue(name, [name], [])
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=server_context(identity)).start()
    return HostPort(name, runner.addresses[0][1])


@asynccontextmanager
async def news_of(world: Edge, authorization: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """The WebSocket of that server, through the edge."""
    resolver = NodeResolver({EDGE: HostPort(WORLD, world.port)})
    connector = aiohttp.TCPConnector(ssl=client_context(world.authority.ca_file), resolver=resolver)
    server = next(row.server for row in world.inner.tenants[0].settings.https.allowed if row.sockets)
    headers = {"Authorization": f"Basic {base64.b64encode(authorization.encode()).decode()}"}
    async with (
        aiohttp.ClientSession(connector=connector, headers=headers) as session,
        session.ws_connect(world.url("/news", server)) as socket,
    ):
        yield socket


@asynccontextmanager
async def store_of(folder: Path) -> AsyncIterator[Store]:
    """The store of the call manager that runs, as a command of its administrator opens it."""
    store = await Store.open(f"sqlite+aiosqlite:///{folder}/callmanager.db")
    try:
        yield store
    finally:
        await store.close()


def settle(future: asyncio.Future[str], result: str) -> None:
    if not future.done():
        future.set_result(result)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.peer
async def test_a_change_is_felt_within_seconds_by_sessions_that_run(edge: tuple[Edge, Path]) -> None:
    world, folder = edge
    url = world.url(CONFIGURATION)
    status, head, body = await world.curl("--user", ANITA, url=url)
    assert (status, "ringback-remote-access: all" in head.lower()) == (200, True)
    assert EdgeConfiguration.parse(body.encode()).sip == (HostPort(EDGE, 5061),)
    client = Client(world, "anita", PASSWORDS["anita"])
    failed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    client.add_event_handler("stream_error", lambda error: settle(failed, error["text"]))
    client.go()
    await asyncio.wait_for(client.session, 10)
    async with store_of(folder) as store, news_of(world, ANITA) as news:
        table = RemoteAccessStore(store.engine)

        async def configuration_says(wanted: str) -> bool:
            _, head, _ = await world.curl("--user", ANITA, url=url)
            return wanted in head.lower()

        await table.set("anita", "messaging")
        await until(lambda: configuration_says("ringback-remote-access: messaging"))
        _, _, body = await world.curl("--user", ANITA, url=url)
        found = EdgeConfiguration.parse(body.encode())
        assert (found.sip, found.route, bool(found.xmpp)) == ((), "", True)
        assert not failed.done()

        await table.set("anita", "none")
        assert "does not allow work from outside" in await asyncio.wait_for(failed, 10)
        said = await news.receive(10)
        assert (said.type, said.data, said.extra) == (aiohttp.WSMsgType.CLOSE, 1008, "edge.access.none")
        await until(lambda: configuration_says("ringback-reason: edge.access.none"))
        status, _, body = await world.curl("--user", ANITA, url=url)
        assert (status, body[:34]) == (403, "Your company does not allow work f")
        status, _, _ = await world.curl("--user", ANITA, url=world.url("/cucm-uds/user/anita", world.call_manager))
        assert status == 403
        again = Client(world, "anita", PASSWORDS["anita"])
        refused: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        again.add_event_handler("stream_error", lambda error: settle(refused, error["text"]))
        again.go()
        assert "does not allow work from outside" in await asyncio.wait_for(refused, 10)
        assert not again.session.done()
        await again.disconnect()
        assert (await world.curl("--user", BRAM, url=url))[0] == 200

        await table.set("anita", None)
        await until(lambda: configuration_says("ringback-remote-access: all"))
    await client.disconnect()


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.peer
async def test_revocation_ends_what_stands_at_the_edge(edge: tuple[Edge, Path]) -> None:
    world, folder = edge
    client = Client(world, "bram", PASSWORDS["bram"])
    gone: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    client.add_event_handler("disconnected", lambda _: settle(gone, ""))
    client.go()
    await asyncio.wait_for(client.session, 10)
    _, head, _ = await world.curl("--user", BRAM, url=world.url(CONFIGURATION))
    cookie = next(line for line in head.splitlines() if line.lower().startswith("set-cookie: x-auth="))
    session = cookie.partition(": ")[2].partition(";")[0]
    assert (await world.curl("--cookie", session, url=world.url(CONFIGURATION)))[0] == 200
    ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    guests = world.inner.tenants[0].guests
    guests.enter("sip", "bram", lambda reason: ended.set_result(reason.id))
    hung_up: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    guests.enter("sip", "", lambda reason: hung_up.set_result(reason.id), "CSFBRAM")  # all that a telephone says
    async with store_of(folder) as store:
        await SignInStore(store.engine).set_active("bram", False, 0.0)
    await asyncio.wait_for(gone, 10)
    assert await asyncio.wait_for(ended, 10) == "edge.access.deactivated"
    assert await asyncio.wait_for(hung_up, 10) == "edge.access.deactivated"
    assert (await world.curl("--cookie", session, url=world.url(CONFIGURATION)))[0] == 401
    refusing = guests.refuses("sip", "bram")
    assert refusing is not None
    assert refusing.id == "edge.access.deactivated"
    client.abort()


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.peer
async def test_nobody_outside_reads_the_policies(edge: tuple[Edge, Path]) -> None:
    world, _ = edge
    status, _, _ = await world.curl("--user", ANITA, url=world.url("/ringback/remote-access", world.call_manager))
    assert status == 403


@pytest.mark.asyncio
async def test_a_call_manager_without_policies_restricts_nobody_and_a_silent_one_is_waited_for(tmp_path: Path) -> None:
    async with key_desks(tmp_path, "cm1.example.com") as (desk,):  # it serves keys only, as others' call managers might
        context = client_context(tmp_path / "authority" / "ca.pem")
        book = AccessBook(FollowedSettings([desk.node], USER, PASSWORD, context, poll=0.02))
        assert not book.ready
        await book.start()
        try:
            assert (book.ready, book.restricted, str(book.of("anita"))) == (True, 0, "")
            assert [told.why for told in book.told()] == [""]
        finally:
            await book.stop()
        await desk.stop()
        silent = AccessBook(FollowedSettings([desk.node], USER, PASSWORD, context, poll=0.02))
        await silent.start()
        await silent.stop()
        assert not silent.ready
        assert silent.told()[0].why


def test_kinds_of_clients() -> None:
    policy = AccessPolicy.parse("desktop=messaging phone=none tablet=all")
    assert [policy.on(kind) for kind in (*ClientKind, None)] == ["messaging", "none", "all", "all"]
    found = [refusal(policy, "sip", device) for device in ("CSFANITA", "TCTANITA", "BOTANITA", "TABANITA", "")]
    assert [reason.id if reason else "" for reason in found] == [
        "edge.access.messaging_on", "edge.access.none_on", "edge.access.none_on", "", "",
    ]  # fmt: skip
    assert kind_of_device("SEP001122334455") is None
    with pytest.raises(AccessError, match="fridge"):
        AccessPolicy.parse("fridge=all")
    with pytest.raises(AccessError, match="maybe"):
        AccessPolicy.parse("maybe")


@given(st.builds(AccessPolicy, *[st.sampled_from(RemoteAccess)] * 3), st.lists(st.text(max_size=8), max_size=3))
def test_policies_and_documents_survive_the_wire(policy: AccessPolicy, devices: list[str]) -> None:
    assert AccessPolicy.parse(str(policy)) == policy
    document = AccessDocument("c1", {"anita": Restricted(policy, tuple(sorted(devices)))})
    assert AccessDocument.parse(document.build()) == document


@given(st.binary(max_size=60))
def test_any_octets_are_a_document_or_an_error(body: bytes) -> None:
    with contextlib.suppress(AccessDocumentError):
        assert AccessDocument.parse(body).build()


def test_the_deployment_file_says_it_by_profile_and_person(tmp_path: Path) -> None:
    file = tmp_path / "example.toml"
    profile = (
        '\n[[user-profile]]\nname = "field"\nremote-access = "messaging"\n'
        '[user-profile.remote-access-on]\nphone = "all"\n'
    )
    person = '\n[[person]]\nuser = "{}"\nfirst = "A"\nlast = "B"\ncluster = "head-office"\n{}\n'
    people = person.format("one", 'user-profile = "field"') + person.format("two", 'remote-access = "none"')
    people += person.format("three", 'user-profile = "field"\nremote-access = "all"') + person.format("four", "")
    file.write_text(built_in() + profile + people)
    deployment = load(file)
    said = {row.user: access_of(row) for row in deployment.person}
    assert [said[user] for user in ("one", "two", "three", "four")] == ["@field", "none", "all", ""]
    assert str(policies(deployment)["field"]) == "desktop=messaging phone=all tablet=messaging"
    file.write_text(built_in() + person.format("one", 'user-profile = "nobody"'))
    with pytest.raises(DeploymentError, match="no user profile 'nobody'"):
        load(file)
