"""Our own client's way through the edge: who is trusted, what is sent again and what never, and every refusal told."""

from __future__ import annotations

import asyncio
import base64
import socket
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio
from yarl import URL

from ringback.client.discovery import DiscoverySettings
from ringback.client.edge import EdgeProblemError, EdgeRoute, EdgeWay
from ringback.client.edge.asking import EdgePasswordError, EdgeStopError, ask_sign_in, open_way
from ringback.client.edge.keeping import EdgeKeeper
from ringback.client.identity.authorization import Authorization, PasswordRefusedError
from ringback.client.identity.callmanager import CallManager
from ringback.client.identity.credentials import Credentials
from ringback.client.identity.https import Answer, Https, HttpsError
from ringback.client.identity.keeper import Over, Renewed, TokenKeeper
from ringback.client.messaging.happenings import Account
from ringback.client.messaging.stream import Attempt, Stream
from ringback.client.trust import Expected, Purpose, TrustJudge, TrustSettings
from ringback.deployment.authority import Authority
from ringback.net.names import NameClient
from ringback.net.tls import server_context
from ringback.planning.doctor import DoctorReport, DoctorSettings, run_doctor
from ringback.rules import faults
from ringback.rules.addresses import HostPort, Jid, UserAddress
from ringback.rules.catalogue import render
from ringback.rules.edge_paths import Allowed
from ringback.rules.services_outside import OutsideEvidence, missing_outside
from ringback.services.names.service import NamesService
from ringback.services.names.settings import NamesSettings, Record, Zone
from tests.edge.conftest import CALL_MANAGER, DOMAIN, EDGE, PASSWORDS, WORLD, Edge, Inward, start_edge
from tests.support.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

ANITA = UserAddress.parse(f"anita@{DOMAIN}")
GONE, MAIL = HostPort("gone.example.com", 8443), "mail.example.com"


@dataclass
class World:
    """Somebody outside: an edge, and the name server that the world asks."""

    edge: Edge
    names: NameClient
    judge: TrustJudge
    route: EdgeRoute = field(default_factory=EdgeRoute)
    mail: HostPort = GONE

    def way(self, domain: str = DOMAIN, *edges: HostPort, by_hand: bool = False) -> EdgeWay:
        """A way through the edge, or through these in their order."""
        way = EdgeWay(domain, edges or (HostPort(EDGE, self.edge.port),), by_hand=by_hand)
        self.route.change(way)
        return way

    @asynccontextmanager
    async def https(self, clock: Callable[[], float] = time.time) -> AsyncIterator[Https]:
        """A client that goes the way that counts."""
        async with Https(self.names, self.judge, route=self.route, clock=clock) as https:
            yield https

    async def version(self, https: Https, headers: dict[str, str] | None = None) -> Answer:
        """Something inside that signed-in people may read."""
        return await https.request("GET", URL(f"https://{self.edge.call_manager}/cucm-uds/version"), headers)

    @property
    def seen(self) -> dict[str, int]:
        """Failed authorisations that the edge saw."""
        return self.edge.inner.watch.failures


@asynccontextmanager
async def a_world(folder: Path, inward: Inward) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        edge = await start_edge(folder, stack, inward)
        found = (f"0 1 {edge.port} {EDGE}.", "1 1 9 dead.example.com.")
        records = (
            *(Record(name, "A", (WORLD,)) for name in ("edge", "dead")),
            Record("_collab-edge._tls", "SRV", found),
        )
        server = NamesService(NamesSettings("ns", "127.0.0.1", 0, (Zone(DOMAIN, records),)))
        await server.start()
        stack.push_async_callback(server.stop)
        names = NameClient(HostPort("127.0.0.1", server.endpoints[0].port))
        judge = TrustJudge(TrustSettings(edge.authority.ca_file), names)
        stack.push_async_callback(judge.close)
        yield World(edge, names, judge)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    folder = tmp_path_factory.mktemp("way")
    identity = Authority(folder / "ca").issue(MAIL, [MAIL], [])
    own = await asyncio.start_server(_own_accounts, "127.0.0.1", 0, ssl=server_context(identity))
    place = HostPort(MAIL, own.sockets[0].getsockname()[1])
    rows = (
        Allowed("https", GONE, frozenset({"GET"})),
        Allowed("https", place, frozenset({"GET"}), ("/own",), accounts=True),
        Allowed("https", place, frozenset({"GET"}), ("/all",)),
    )
    records = tuple(Record(name, "A", ("127.0.0.1",)) for name in ("gone", "mail"))
    inward = Inward(
        rows, records, access_seconds=2, remote_access={"bram": "desktop=messaging phone=all", "mallory": "none"}
    )
    try:
        async with a_world(folder, inward) as found:
            found.mail = place
            yield found
    finally:
        own.close()


async def _own_accounts(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A server inside with accounts that only it knows."""
    with suppress(OSError, asyncio.IncompleteReadError):
        head = await reader.readuntil(b"\r\n\r\n")
        word = b"200 OK" if base64.b64encode(b"box:own word") in head else b"401 Unauthorized"
        writer.write(b"HTTP/1.1 %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % word)
        await writer.drain()
    writer.close()


def a_closed_port() -> int:
    """A port of the world where nobody listens."""
    with socket.socket() as probe:
        probe.bind((WORLD, 0))
        return int(probe.getsockname()[1])


async def signed_in(world: World, https: Https, clock: Callable[[], float] = time.time) -> Credentials:
    """Anita, by tokens that she got through the edge."""
    credentials = Credentials("anita", "", TokenKeeper(), clock)
    server = Authorization(https, [f"https://{world.edge.call_manager}"])
    answer = await server.by_password("anita", PASSWORDS["anita"])
    credentials.take(credentials.received(answer, server.issuer))
    return credentials


# --- who is trusted


async def test_a_certificate_has_to_name_the_domain(world: World) -> None:
    async with world.https() as https:
        assert (await ask_sign_in(world.way(), https, ANITA)).tokens
        # A forged record may lead anywhere; a good certificate of that host proves nothing of the domain.
        with pytest.raises(EdgeStopError) as stop:
            await ask_sign_in(world.way("example.org"), https, ANITA)
        assert stop.value.stop.considered.facts is not None
        # Whoever enters the edge by hand knows whom they mean; that it serves another domain is said by itself.
        with pytest.raises(EdgeProblemError) as other:
            await ask_sign_in(world.way("example.org", by_hand=True), https, ANITA)
        assert other.value.reason.id == "edge.problem.domain"


# --- several edges


async def test_a_dead_edge_costs_nothing_but_its_place(world: World) -> None:
    dead, living = HostPort("dead.example.com", a_closed_port()), HostPort(EDGE, world.edge.port)
    way = world.way(DOMAIN, dead, living)
    async with world.https() as https:
        credentials = Credentials("anita", PASSWORDS["anita"])
        await open_way(way, https, credentials)
        assert way.edge == living
        assert (await world.version(https)).status == 200
        way = world.way(DOMAIN, dead)
        with pytest.raises(EdgeProblemError) as problem:
            await open_way(way, https, credentials)
        assert problem.value.reason.id == "edge.problem.unreachable"
        assert str(dead) in render(problem.value.reason)


async def test_what_may_have_been_heard_is_not_said_twice(world: World) -> None:
    """An edge that dies after the request: reading may be tried at the next one, changing may not."""
    heard: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            heard.append((await reader.readuntil(b"\r\n")).split(b" ")[0])
        writer.close()

    identity = world.edge.authority.issue("dead.example.com", ["dead.example.com", DOMAIN], [])
    server = await asyncio.start_server(answer, WORLD, 0, ssl=server_context(identity))
    try:
        mute = HostPort("dead.example.com", server.sockets[0].getsockname()[1])
        living = HostPort(EDGE, world.edge.port)
        async with world.https() as https:
            url = URL(f"https://{world.edge.call_manager}/ssosp/ws/public/singleSignOn")
            world.way(DOMAIN, mute, living)
            assert (await https.request("GET", url)).status == 200
            world.way(DOMAIN, mute, living)
            with pytest.raises(HttpsError):
                await https.request("POST", url, body=b"x")
        assert heard.count(b"POST") == 1
        assert heard[0] == b"GET"
    finally:
        server.close()
        await server.wait_closed()


# --- sessions


async def test_a_session_that_the_edge_forgot_is_renewed_once_for_all(world: World) -> None:
    way = world.way()
    async with world.https() as https:
        await open_way(way, https, Credentials("anita", PASSWORDS["anita"]))
        assert len(way.session) == 64
        assert [server.host for server in way.configuration.users] == [CALL_MANAGER]
        way.session = "x" * 64
        answers = await asyncio.gather(*(world.version(https) for _ in range(8)))
        assert {answer.status for answer in answers} == {200}
        assert way.session != "x" * 64


async def test_who_has_no_tokens_goes_with_the_password_and_the_cookies_of_both(world: World) -> None:
    """The call manager binds its session to a cookie, the edge its own: neither takes the other's place."""
    way = world.way()
    person = Credentials("anita", PASSWORDS["anita"])
    bases = [f"https://{world.edge.call_manager}/cucm-uds"]
    async with world.https() as https:
        await open_way(way, https, person)
    async with CallManager(world.names, world.judge, bases, person, world.route) as call_manager:
        for _ in range(2):
            assert (await call_manager.user()).person.user_name == "anita"
        answer = await call_manager.get(f"{bases[0]}/version")  # without the password: the session says who it is
        assert answer.status == 200


async def test_a_session_is_renewed_before_it_ends(world: World) -> None:
    now, opened = [time.time()], asyncio.Event()
    way = world.way()
    async with world.https(lambda: now[0]) as https:
        keeper = EdgeKeeper(
            world.route, https, Credentials("anita", PASSWORDS["anita"]),
            lambda _: opened.set(), lambda _, __: None, clock=lambda: now[0],
        )  # fmt: skip
        async with renewed(keeper.run()):
            await asyncio.wait_for(opened.wait(), 10)
            first = way.session
            now[0] += 7 * 3600.0
            opened.clear()
            keeper.hurry()
            await asyncio.wait_for(opened.wait(), 10)
        assert len({first, way.session, ""}) == 3


async def test_an_account_that_only_a_server_inside_knows_passes_with_the_session(world: World) -> None:
    way = world.way()
    before = dict(world.seen)
    async with world.https() as https:
        await open_way(way, https, Credentials("anita", PASSWORDS["anita"]))

        async def ask(path: str, word: str) -> Answer:
            proof = base64.b64encode(f"box:{word}".encode()).decode()
            return await https.request("GET", URL(f"https://{world.mail}{path}"), {"Authorization": f"Basic {proof}"})

        assert ((await ask("/own", "own word")).status, world.seen) == (200, before)
        wrong = await ask("/own", "guess")
        assert (wrong.status, wrong.of_edge) == (401, False)
        assert sum(world.seen.values()) == sum(before.values()) + 1
        refused = await ask("/all", "own word")  # elsewhere a password is that of the call manager
        assert (refused.status, refused.of_edge) == (401, True)


# --- refusals


async def test_every_refusal_is_one_clear_sentence(world: World) -> None:
    way = world.way()
    async with world.https() as https:
        await open_way(way, https, Credentials("anita", PASSWORDS["anita"]))
        with pytest.raises(HttpsError) as problem:
            await https.request("GET", URL(f"https://{world.edge.call_manager}/ringback/people/anita"))
        assert problem.value.reason is not None
        assert render(problem.value.reason) == (
            f"The edge {EDGE} does not lead to {CALL_MANAGER}: it is not on its list."
        )
        with pytest.raises(HttpsError) as problem:
            await https.request("GET", URL(f"https://{GONE}/"))
        assert problem.value.reason is not None
        assert render(problem.value.reason) == f"The edge {EDGE} can't reach {GONE.host} inside."


async def test_a_policy_is_told_in_the_words_of_the_company(world: World) -> None:
    async with world.https() as https:
        way = world.way()

        async def is_known() -> bool:
            await open_way(way, https, Credentials("bram", PASSWORDS["bram"]))
            return way.access == "messaging"

        await until(is_known)
        assert (way.sip, way.sip_route) == ((), "")  # on a telephone bram may call; this is none
        evidence = OutsideEvidence(calls=True, access=way.access, sip=bool(way.sip))
        assert [row.reason.id for row in missing_outside(evidence) if row.id == "calls"] == ["edge.access.messaging"]
        with pytest.raises(EdgeProblemError) as problem:
            await open_way(world.way(), https, Credentials("mallory", PASSWORDS["mallory"]))
        assert problem.value.reason.id == "edge.access.none"
        assert faults.edge_closed(DOMAIN, EDGE, problem.value.reason).id == "edge-policy"
    account = Account(Jid("mallory", DOMAIN), Credentials("mallory", PASSWORDS["mallory"]))
    stream = Stream(account, lambda _: None)
    expected = Expected(Purpose.XMPP, EDGE, DOMAIN, "xmpp-client")
    tls = world.judge.context(expected)
    attempt = Attempt(WORLD, world.edge.port_of("xmpp"), DOMAIN, tls, False, "", PASSWORDS["mallory"])
    end = await stream.open(attempt, 10.0) or await stream.ended(10.0)
    await stream.close()
    assert end is not None
    assert (end.reason.id, end.final) == ("edge.access.none", False)


async def test_what_the_edge_refused_is_not_shown_again(world: World) -> None:
    way = world.way()
    before = sum(world.seen.values())
    async with world.https() as https:
        for _ in range(20):
            with pytest.raises(EdgePasswordError):
                await open_way(way, https, Credentials("bram", "guess"))
        for _ in range(20):
            assert (await world.version(https, {"Authorization": "Bearer forged"})).status == 401
        assert sum(world.seen.values()) - before == 2
        await open_way(way, https, Credentials("anita", PASSWORDS["anita"]))
        assert (await world.version(https)).status == 200


async def test_a_wrong_password_counts_once_however_one_signs_in(world: World) -> None:
    world.way()
    before = sum(world.seen.values())
    async with world.https() as https:
        server = Authorization(https, [f"https://{world.edge.call_manager}"])
        with pytest.raises(PasswordRefusedError):
            await server.by_password("mallory", "guess")
    assert sum(world.seen.values()) == before + 1


async def test_a_block_is_told_with_its_minutes_and_waited_for(tmp_path: Path) -> None:
    async with a_world(tmp_path, Inward()) as world, world.https() as https:
        way = world.way()
        for number in range(6):
            with pytest.raises(EdgePasswordError):
                await open_way(way, https, Credentials("bram", f"guess {number}"))
        with pytest.raises(EdgeProblemError) as problem:
            await open_way(way, https, Credentials("bram", "guess again"))
        assert render(problem.value.reason).startswith(f"The edge {EDGE} keeps this network out for 10 minutes")
        seen = sum(world.seen.values())
        with pytest.raises(EdgeProblemError) as again:
            await open_way(way, https, Credentials("anita", PASSWORDS["anita"]))
        assert again.value.reason == problem.value.reason
        assert sum(world.seen.values()) == seen


# --- the doctor


async def test_the_doctor_looks_at_every_edge_and_through_the_living_one(world: World) -> None:
    settings = DoctorSettings(DiscoverySettings(cloud_url=""))

    async def examine(password: str) -> DoctorReport:
        ca_file = world.edge.authority.ca_file
        return await run_doctor(ANITA, world.names.nameserver, ca_file, settings=settings, password=password)

    report = await examine(PASSWORDS["anita"])
    assert report.discovery.fault is None
    # A record names an edge that is dead, and this edge names a port for messages at which nobody listens.
    assert sorted(fault.id for fault in report.faults) == ["edge-unreachable", "service-unreachable"]
    assert "dead.example.com" in render(report.faults[0].why)
    said = {entry.text.id: entry for entry in report.entries}
    assert said["trace.asked.home"].answer == CALL_MANAGER
    assert "outside.self_care" in [reason.id for reason in said["trace.decided.missing-outside"].reasons]
    assert all(render(entry.text) and all(map(render, entry.reasons)) for entry in report.entries)
    assert "wrong-password" in [fault.id for fault in (await examine("not that")).faults]


# --- tokens


async def test_no_token_that_is_over_reaches_the_edge(world: World) -> None:
    """Tokens live two seconds; requests come all the time, over renewals, and after a sleep in which none came: with a
    clock that is right, one ahead and one behind."""
    world.way()
    before = dict(world.seen)
    old = await asyncio.gather(*(_a_restless_life(world, skew) for skew in (0.0, 7200.0, -7200.0)))
    assert world.seen == before
    async with world.https() as https:  # which counts: the edge would have seen it

        async def is_over() -> bool:
            return (await world.version(https, {"Authorization": f"Bearer {old[0]}"})).status != 200

        await until(is_over, pause=0.05)
    assert sum(world.seen.values()) == sum(before.values()) + 1


async def _a_restless_life(world: World, skew: float) -> str:
    """Requests all the time by this clock; gives the first token, which is over now."""

    def clock() -> float:
        return time.time() + skew

    async def told(_: Renewed | Over) -> None:
        """What is kept is nothing to this test."""

    async with world.https(clock) as https:
        credentials = await signed_in(world, https, clock)
        server = Authorization(https, [f"https://{world.edge.call_manager}"])
        first = credentials.token_now()
        async with renewed(credentials.run(server, told)):
            while credentials.token_now() in (first, ""):
                assert (await world.version(https, {"Authorization": await credentials.proof()})).status == 200
        # The computer sleeps: nobody renews, the token ends meanwhile, and the first thing after that is a request.
        await until(lambda: not credentials.token_now())
        async with renewed(credentials.run(server, told)):
            assert (await world.version(https, {"Authorization": await credentials.proof()})).status == 200
    return first


@asynccontextmanager
async def renewed(work: Coroutine[object, object, None]) -> AsyncIterator[None]:
    """Tokens are renewed meanwhile."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
