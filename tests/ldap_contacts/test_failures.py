"""A directory that dies, hangs, talks nonsense, changes its certificate or never stops: told, survived, healed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from sansldap import (
    BindRequest,
    ExtendedRequest,
    LDAPServer,
    PartialAttribute,
    SearchRequest,
)

from ringback.client.contacts.sources.base import Query, SourceError
from ringback.client.contacts.sources.ldap import CertificateNeededError
from ringback.deployment.authority import Authority
from ringback.net.ldap.connection import LdapConnection, LdapServer
from ringback.net.ldap.directory import LdapDirectory, LdapDirectorySettings
from ringback.net.ldap.errors import LdapBusyError, LdapInsecureError, LdapUnavailableError
from ringback.net.names import NameClient
from ringback.net.tls import Identity, client_context, server_context
from ringback.protocols.ldap.filters import present
from ringback.protocols.ldap.search import LdapSearch
from ringback.rules.addresses import HostPort
from ringback.rules.directory_discovery import DirectoryServer
from ringback.rules.directory_settings import DirectorySettings
from ringback.services.names import NamesService, NamesSettings, Record, Zone
from tests.ldap_contacts.conftest import World, parameters
from tests.support.directory import HOST, running_directory
from tests.support.foreign import free_ports

pytestmark = pytest.mark.peer
SEARCH = LdapSearch("dc=x", present("uid"), ("uid",), 20, seconds=1)
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def two_ports() -> tuple[int, int]:
    """Ports for StartTLS and for TLS."""
    clear, secure = free_ports(2)
    return clear, secure


def halt(pid: int) -> None:
    """Stop a process of ours where it is."""
    os.kill(pid, signal.SIGSTOP)
    os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOWAIT)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@contextlib.asynccontextmanager
async def talking(authority: Authority, talk: Talk, *, secure: bool = True) -> AsyncIterator[int]:
    """A server that talks as the test wants; its port."""
    tasks: set[asyncio.Task[None]] = set()
    identity = authority.issue("bad", [HOST], ["127.0.0.1"])
    context = server_context(Identity(identity.certificate, identity.key)) if secure else None

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await talk(reader, writer)
        tasks.discard(task)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in [*tasks]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def answering(answer: Callable[[LDAPServer, SearchRequest, asyncio.StreamWriter], Awaitable[None]]) -> Talk:
    """A server that lets everybody in and answers searches (but that of its own entry) by a function."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        protocol = LDAPServer()
        while data := await reader.read(65536):
            for message in protocol.receive(data):
                if isinstance(message, BindRequest):
                    protocol.bind_response(message.message_id)
                elif isinstance(message, SearchRequest) and not message.base_object:
                    protocol.search_result_done(message.message_id)
                elif isinstance(message, SearchRequest):
                    await answer(protocol, message, writer)
                elif isinstance(message, ExtendedRequest):
                    protocol.extended_response(message.message_id)
            writer.write(protocol.data_to_send())
            await writer.drain()

    return talk


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Takes everything and says nothing."""
    while await reader.read(65536):
        pass


def directory_at(authority: Authority, *ports: int, secure: bool = True) -> LdapDirectory:
    """A directory at ports of this machine."""
    context = client_context(authority.ca_file)

    async def connect(server: LdapServer) -> LdapConnection:
        return await LdapConnection.open(LdapServer(HOST, server.port, server.secure, "127.0.0.1"), context, 1)

    servers = [DirectoryServer(HOST, port, secure, "named") for port in ports]
    return LdapDirectory(LdapDirectorySettings(servers, DirectorySettings(), connect))


async def test_it_dies_and_comes_back(world: World, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    first, second = two_ports(), two_ports()
    given = parameters(first[0], SecondaryServerName="ldap.example.com", ServerPort2=str(second[0]), SearchTimeout="1")
    with contextlib.ExitStack() as other:
        other.enter_context(running_directory(tmp_path / "two", 2, ports=second, authority=authority))
        with running_directory(tmp_path / "one", 3, ports=first, authority=authority) as directory:
            async with world.source(directory.ca, given) as source:
                assert len((await source.search(Query.of("example", 9))).records) == 0
                assert len((await source.search(Query.of("p2@ex", 9))).records) == 1
                halt(directory.pid)
                try:  # it hangs: the search waits its second and a half out and the next server has the answer
                    began = asyncio.get_running_loop().time()
                    assert [one.user for one in (await source.search(Query.of("p1@ex"))).records] == ["p1"]
                    assert asyncio.get_running_loop().time() - began < 15
                    assert (await source.search(Query.of("p2@ex"))).records == (), "the second one knows two only"
                finally:
                    os.kill(directory.pid, signal.SIGCONT)
                other.close()  # the second one dies: the first one answers again
                assert [one.user for one in (await source.search(Query.of("p2@ex"))).records] == ["p2"]
                os.kill(directory.pid, signal.SIGKILL)
                with pytest.raises(SourceError) as caught:
                    await source.search(Query.of("p1@ex"))
                assert caught.value.reason.id == "ldap.source.unreachable"
                assert caught.value.reason.values["server"] == HOST


async def test_it_moves(tmp_path: Path) -> None:
    """The records name another server after the first one is gone."""
    authority = Authority(tmp_path / "authority")
    first, second = two_ports(), two_ports()

    def zone(port: int) -> Zone:
        return Zone(
            "example.com", (Record("ldap", "A", ("127.0.0.1",)), Record("_ldap._tcp", "SRV", (f"0 1 {port} ldap",)))
        )

    names = NamesService(NamesSettings("ns1.example.com", "127.0.0.1", 0, (zone(first[0]),)))
    await names.start()
    place = names.endpoints[0]
    given = {name: value for name, value in parameters(1, SearchTimeout="1").items() if "Server" not in name}
    try:
        world = World(NameClient(HostPort(place.address, place.port)), tmp_path)
        with running_directory(tmp_path / "one", 1, ports=first, authority=authority) as directory:
            async with world.source(directory.ca, given | {"DirectoryServerType": "CDI"}) as source:
                assert (await source.search(Query.of("p1@ex"))).records == ()
                os.kill(directory.pid, signal.SIGKILL)
                await names.stop()
                names = NamesService(NamesSettings("ns1.example.com", place.address, place.port, (zone(second[0]),)))
                await names.start()
                with running_directory(tmp_path / "two", 2, ports=second, authority=authority):
                    with pytest.raises(SourceError):
                        await source.search(Query.of("p1@ex"))
                    assert [one.user for one in (await source.search(Query.of("p1@ex"))).records] == ["p1"]
    finally:
        await names.stop()


async def test_silence_costs_only_its_time(authority: Authority) -> None:
    async with talking(authority, silent) as port:
        directory = directory_at(authority, port)
        with pytest.raises(LdapUnavailableError, match="too long"):
            await directory.find(SEARCH)
        began = asyncio.get_running_loop().time()
        with pytest.raises(LdapUnavailableError):
            await directory.find(SEARCH)
        assert asyncio.get_running_loop().time() - began < 0.5, "who just failed is not waited for again"
        await directory.close()


async def test_closing_ends_who_waits(authority: Authority) -> None:
    """With a sentence, not with a cancellation that was none of theirs."""
    there = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there.set()
        await silent(reader, writer)

    async with talking(authority, talk) as port:
        directory = directory_at(authority, port)
        waiting = [asyncio.create_task(directory.find(SEARCH)) for _ in range(3)]
        await asyncio.wait_for(there.wait(), 10)
        waiting[0].cancel()
        await directory.close()
        results = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert [str(one) for one in results[1:]] == ["It is closed"] * 2


@pytest.mark.parametrize(
    "garbage",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x30\x84\xff\xff\xff\xff",
        b"\x30\x80\x00\x00",
        b"\x30\x05\x02\x01\x01\x64\x00",
        b"\x30\x0c\x02\x01\x63\x65\x07\x0a\x01\x00\x04\x00\x04\x00",
        b"\x30\x03\x02\x01\x01" * 3,
        bytes(range(256)),
        b"\x30\x82\x20\x00" + b"\x30\x80" * 4096,
    ],
)
async def test_garbage(authority: Authority, garbage: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        writer.write(garbage)
        await writer.drain()
        writer.close()

    async with talking(authority, talk) as port:
        directory = directory_at(authority, port)
        with pytest.raises(LdapUnavailableError):
            await directory.find(SEARCH)
        await directory.close()


async def test_it_never_stops(authority: Authority) -> None:
    """A hundred thousand results for a question about twenty: others have their turn, and twenty are taken."""
    given_up = asyncio.Event()
    sent = 0

    async def flood(protocol: LDAPServer, request: SearchRequest, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        value = [PartialAttribute("uid", [b"somebody"])]
        try:
            for sent in range(100_000):
                protocol.search_result_entry(request.message_id, f"uid=p{sent},dc=x", value)
                if sent % 100 == 0:
                    writer.write(protocol.data_to_send())
                    await writer.drain()
                    await asyncio.sleep(0)
        finally:
            given_up.set()

    async with talking(authority, answering(flood)) as port:
        directory = directory_at(authority, port)
        beats = 0

        async def beat() -> None:
            nonlocal beats
            while True:
                await asyncio.sleep(0)
                beats += 1

        pulse = asyncio.create_task(beat())
        found = (await directory.find(SEARCH)).found
        assert (len(found.entries), found.complete) == (20, False)
        assert beats > 5
        pulse.cancel()
        await directory.close()
        await asyncio.wait_for(given_up.wait(), 20)
    assert sent < 99_999, "it was told, and not read to the end"


async def test_pages_that_never_end(authority: Authority) -> None:
    from sansldap import PagedResultControl

    async def empty(protocol: LDAPServer, request: SearchRequest, writer: asyncio.StreamWriter) -> None:
        control = PagedResultControl(critical=False, size=0, cookie=b"more")
        protocol.search_result_done(request.message_id, controls=[control])

    async with talking(authority, answering(empty)) as port:
        directory = directory_at(authority, port)
        with pytest.raises(LdapUnavailableError, match="empty page"):
            async for _ in directory.pages(SEARCH):
                pass
        await directory.close()


async def test_more_questions_than_a_person_could_want(authority: Authority) -> None:
    async def late(protocol: LDAPServer, request: SearchRequest, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    async with talking(authority, answering(late)) as port:
        directory = directory_at(authority, port)
        tasks = [asyncio.create_task(directory.find(SEARCH)) for _ in range(80)]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        assert all(isinstance(task.exception(), LdapBusyError) for task in done)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await directory.close()


async def test_without_tls_nothing_is_said(authority: Authority) -> None:
    heard = bytearray()

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            heard.extend(data)
            # Extended response: protocolError (2)
            writer.write(b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x02\x04\x00\x04\x00")

    async with talking(authority, refuse, secure=False) as port:
        directory = directory_at(authority, port, secure=False)
        with pytest.raises(LdapInsecureError):
            await directory.find(SEARCH)
        await directory.close()
    assert b"1.3.6.1.4.1.1466.20037" in heard
    assert len(heard) < 60, "nothing but the wish for TLS"


async def test_another_certificate(world: World, tmp_path: Path) -> None:
    """The directory comes back with a certificate of nobody known: nothing is sent, the person is asked."""
    ports = two_ports()
    given = parameters(ports[0], SearchTimeout="1")
    ours = Authority(tmp_path / "authority")
    with running_directory(tmp_path / "one", 3, ports=ports, authority=ours):
        async with world.source(ours.ca_file, given) as source:
            assert (await source.search(Query.of("p2@ex"))).records
    with running_directory(tmp_path / "two", 3, ports=ports):
        with pytest.raises(CertificateNeededError) as caught:
            async with world.source(ours.ca_file, given):
                pass
        question = caught.value.stop.considered.question
        assert question is not None, "the certificate was looked at within LDAP"
        assert (question.server, HOST in question.found) == (f"{HOST}:{ports[0]}", True)


def test_certificates_are_bound_to_tickets(authority: Authority) -> None:
    from ringback.net.ldap.kerberos import binding_of

    identity = authority.issue("bound", [HOST], [])
    der = ssl.PEM_cert_to_DER_cert(
        identity.certificate.read_text().split("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n"
    )
    assert binding_of(der).startswith(b"tls-server-end-point:")
    assert len(binding_of(der)) == len(b"tls-server-end-point:") + 32
