"""What the doctor says to somebody outside, of a real edge."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest
import pytest_asyncio

from ringback.client.discovery import DiscoverySettings
from ringback.planning.doctor import DoctorReport, DoctorSettings, run_doctor
from ringback.rules.addresses import HostPort, UserAddress
from ringback.rules.catalogue import render
from ringback.services.names.service import NamesService
from ringback.services.names.settings import NamesSettings, Record, Zone
from tests.edge.conftest import DOMAIN, EDGE, PASSWORDS, WORLD, Edge, start_edge

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass
class Cafe:
    """The world with its name server."""

    edge: Edge
    stack: AsyncExitStack

    async def doctor(self, *edges: tuple[str, int], password: str = "") -> DoctorReport:
        """Ask where the name server shows these edges."""
        rows = tuple(f"{order} 1 {port} {host}." for order, (host, port) in enumerate(edges))
        records = (
            Record("edge", "A", (WORLD,)),
            Record("dead", "A", (WORLD,)),
            Record("_collab-edge._tls", "SRV", rows),
        )
        names = NamesService(NamesSettings("ns", "127.0.0.1", 0, (Zone(DOMAIN, records),)))
        await names.start()
        self.stack.push_async_callback(names.stop)
        server = HostPort("127.0.0.1", names.endpoints[0].port)
        settings = DoctorSettings(DiscoverySettings(cloud_url=""))
        address = UserAddress.parse(f"anita@{DOMAIN}")
        return await run_doctor(address, server, self.edge.authority.ca_file, settings=settings, password=password)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cafe(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cafe]:
    async with AsyncExitStack() as stack:
        edge = await start_edge(tmp_path_factory.mktemp("edge"), stack)
        yield Cafe(edge, stack)


async def test_a_dead_edge_beside_a_living_one_is_found(cafe: Cafe) -> None:
    report = await cafe.doctor((EDGE, cafe.edge.port), ("dead.example.com", 9))
    assert report.discovery.fault is None
    assert [fault.id for fault in report.faults] == ["edge-unreachable"]
    assert "dead.example.com" in render(report.faults[0].why)


async def test_with_a_password_the_doctor_looks_through_the_edge(cafe: Cafe) -> None:
    report = await cafe.doctor((EDGE, cafe.edge.port), password=PASSWORDS["anita"])
    # The edge of this test names port 5222 for messages, where nobody listens.
    assert [(fault.id, fault.why.values.get("server")) for fault in report.faults] == [
        ("service-unreachable", f"{EDGE}:5222")
    ]
    said = {entry.text.id: entry for entry in report.entries}
    assert said["trace.asked.home"].answer == "cm1.example.com"
    assert "outside.self_care" in [reason.id for reason in said["trace.decided.missing-outside"].reasons]
    assert all(render(entry.text) and all(map(render, entry.reasons)) for entry in report.entries)
    report = await cafe.doctor((EDGE, cafe.edge.port), password="not that")
    assert [fault.id for fault in report.faults] == ["wrong-password"]
