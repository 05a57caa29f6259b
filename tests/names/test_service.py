"""The name server on real sockets, asked by our own client and by plain sockets."""

import asyncio
import random
import struct
from collections.abc import AsyncIterator

import dns.asyncquery
import dns.flags
import dns.message
import pytest
import pytest_asyncio

from ringback.net.names import NameClient, NameOutcome, NameResolver
from ringback.rules.addresses import HostPort
from ringback.services.names import NamesLimits, NamesService, NamesSettings, Record, Zone
from ringback.services.names.answers import Answerer

INSIDE = Zone(
    "example.com",
    (
        Record("_cisco-uds._tcp", "SRV", ("10 50 8443 cm1",)),
        Record("cm1", "A", ("127.0.10.11",)),
        Record("big", "SRV", tuple(f"{i} 0 8443 {'x' * 50}{i}" for i in range(60))),
    ),
)
OUTSIDE = Zone(
    "example.com",
    (Record("_collab-edge._tls", "SRV", ("10 50 8443 edge",)), Record("edge", "A", ("127.0.20.11",))),
)


async def serve(zone: Zone, limits: NamesLimits = NamesLimits()) -> tuple[NamesService, HostPort]:  # noqa: B008
    service = NamesService(NamesSettings("ns1.example.com", "127.0.0.1", 0, (zone,), limits))
    await service.start()
    endpoint = service.endpoints[0]
    assert (endpoint.service, endpoint.scheme, endpoint.node) == ("dns", "dns", "ns1.example.com")
    return service, HostPort(endpoint.address, endpoint.port)


@pytest_asyncio.fixture
async def inside() -> AsyncIterator[HostPort]:
    service, where = await serve(INSIDE)
    yield where
    await service.stop()


async def test_two_views_are_two_servers(inside: HostPort) -> None:
    service, outside = await serve(OUTSIDE)
    try:
        found = await NameClient(inside).srv("_cisco-uds._tcp.example.com")
        assert [str(record) for record in found.srv] == ["10 50 8443 cm1.example.com"]
        hidden = await NameClient(outside).srv("_cisco-uds._tcp.example.com")
        assert hidden.outcome is NameOutcome.NO_SUCH_NAME
        edge = await NameClient(outside).srv("_collab-edge._tls.example.com")
        assert edge.srv[0].server == HostPort("edge.example.com", 8443)
    finally:
        await service.stop()


async def test_a_cut_answer_is_asked_again_by_tcp(inside: HostPort) -> None:
    found = await NameClient(inside).srv("big.example.com")
    assert len(found.srv) == 60


async def test_addresses_and_the_resolver_of_connections(inside: HostPort) -> None:
    client = NameClient(inside)
    assert (await client.addresses("cm1.example.com")).addresses == ("127.0.10.11",)
    assert (await client.addresses("127.0.0.9")).addresses == ("127.0.0.9",)
    resolver = NameResolver(client)
    assert [row["host"] for row in await resolver.resolve("cm1.example.com", 8443)] == ["127.0.10.11"]
    assert [row["host"] for row in await resolver.resolve("localhost", 80)] == ["127.0.0.1"]
    with pytest.raises(OSError, match="no address"):
        await resolver.resolve("cm9.example.com", 8443)


async def test_refused_silent_and_dead_name_servers_are_told_apart(inside: HostPort) -> None:
    assert (await NameClient(inside).srv("_cisco-uds._tcp.example.org")).outcome is NameOutcome.REFUSED
    loop = asyncio.get_running_loop()
    deaf, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0))
    port = deaf.get_extra_info("sockname")[1]
    silent = await NameClient(HostPort("127.0.0.1", port), timeout=0.1, tries=2).srv("_cisco-uds._tcp.example.com")
    assert silent.outcome is NameOutcome.TIMED_OUT
    assert silent.server == f"127.0.0.1:{port}"
    deaf.close()
    bad_name = await NameClient(inside).srv("a" * 70 + ".example.com")
    assert bad_name.outcome is NameOutcome.NO_SUCH_NAME


async def test_a_server_that_lies_is_not_listened_to() -> None:
    class Liar(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.DatagramTransport)
            self.transport = transport

        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            self.transport.sendto(data[:2] + b"\x81\x80\x00\x01\x00\x09" + b"\xff" * 40, addr)

    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Liar, local_addr=("127.0.0.1", 0))
    where = HostPort("127.0.0.1", transport.get_extra_info("sockname")[1])
    answer = await NameClient(where, timeout=0.2, tries=1).srv("_cisco-uds._tcp.example.com")
    assert answer.outcome is NameOutcome.TIMED_OUT
    transport.close()


async def test_answers_broken_in_any_place_give_a_result() -> None:
    """A name server that answers the right question with broken octets behind it."""
    chance = random.Random(2782)
    answerer = Answerer((INSIDE,))

    class Breaker(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.DatagramTransport)
            self.transport = transport

        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            answer = bytearray(answerer.answer(data, udp=True) or b"")
            for _ in range(chance.randrange(1, 4)):
                answer[chance.randrange(3, len(answer))] = chance.randrange(256)
            self.transport.sendto(bytes(answer[: chance.randrange(12, len(answer) + 1)]), addr)

    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Breaker, local_addr=("127.0.0.1", 0))
    client = NameClient(HostPort("127.0.0.1", transport.get_extra_info("sockname")[1]), timeout=0.1, tries=1)
    for _ in range(10):
        answers = await asyncio.gather(*(client.srv("_cisco-uds._tcp.example.com") for _ in range(30)))
        assert all(isinstance(answer.outcome, NameOutcome) for answer in answers)
    transport.close()


async def test_international_names_are_asked_as_such() -> None:
    zone = Zone(
        "bücher.example", (Record("_cisco-uds._tcp", "SRV", ("1 1 8443 cm1",)), Record("cm1", "A", ("127.0.0.9",)))
    )
    service, where = await serve(zone)
    try:
        client = NameClient(where)
        (record,) = (await client.srv("_cisco-uds._tcp.bücher.example")).srv
        assert record.target == "cm1.xn--bcher-kva.example"
        assert (await client.addresses(record.target)).addresses == ("127.0.0.9",)
        assert (await client.addresses("cm1.bücher.example")).addresses == ("127.0.0.9",)
    finally:
        await service.stop()


async def test_many_questions_on_one_connection(inside: HostPort) -> None:
    reader, writer = await asyncio.open_connection(inside.host, inside.port)
    query = dns.message.make_query("cm1.example.com", "A").to_wire()
    writer.write((struct.pack("!H", len(query)) + query) * 3)
    async with asyncio.timeout(5):
        for _ in range(3):
            (length,) = struct.unpack("!H", await reader.readexactly(2))
            assert dns.message.from_wire(await reader.readexactly(length)).answer
    writer.close()


async def test_idle_and_superfluous_connections_are_closed() -> None:
    service, where = await serve(INSIDE, NamesLimits(tcp_idle=0.1, tcp_connections_per_address=1))
    try:
        first, first_writer = await asyncio.open_connection(where.host, where.port)
        second, second_writer = await asyncio.open_connection(where.host, where.port)
        async with asyncio.timeout(5):
            assert await second.read() == b""
            assert await first.read() == b""
        first_writer.close()
        second_writer.close()
    finally:
        await service.stop()


async def test_who_asks_too_often_is_sent_to_tcp() -> None:
    service, where = await serve(INSIDE, NamesLimits(udp_queries_per_second=1))
    try:
        query = dns.message.make_query("cm1.example.com", "A")
        answers = [
            await dns.asyncquery.udp(query, where.host, timeout=5, port=where.port, raise_on_truncation=False)
            for _ in range(4)
        ]
        cut = [answer for answer in answers if answer.flags & dns.flags.TC]
        assert cut
        assert not cut[0].answer
        by_tcp = await dns.asyncquery.tcp(query, where.host, timeout=5, port=where.port)
        assert by_tcp.answer
    finally:
        await service.stop()


async def test_a_taken_port_is_named(inside: HostPort) -> None:
    other = NamesService(NamesSettings("ns2.example.com", inside.host, inside.port, (INSIDE,)))
    with pytest.raises(OSError, match=str(inside.port)):
        await other.start()


async def test_it_stops_with_connections_open_and_starts_again(inside: HostPort) -> None:
    service, where = await serve(INSIDE)
    reader, writer = await asyncio.open_connection(where.host, where.port)
    await service.stop()
    async with asyncio.timeout(5):
        assert await reader.read() == b""
    writer.close()
    await service.start()
    (again,) = service.endpoints
    assert (await NameClient(HostPort(again.address, again.port)).addresses("cm1.example.com")).addresses
    await service.stop()
