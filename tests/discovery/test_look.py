"""One look-up on running services: what is asked, in which order, what is kept, and what saves questions."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace

import msgspec
import pytest
from aiohttp import web

from ringback.client.discovery import CachedDiscovery, Discovery, Remembered, discover
from ringback.net.tls import server_context
from ringback.protocols.uds import ClusterUser
from ringback.rules.addresses import HostPort, UserAddress
from ringback.rules.authenticator import Authenticator, AuthenticatorSource, CachedRecords, CloudAnswer, ManualServers
from ringback.rules.catalogue import render
from ringback.rules.services_domain import Bootstrap, DomainSource, Excluded, Provision
from ringback.rules.srv import SrvRecord
from ringback.rules.trace import Entry, Kind
from tests.doctor.company import Company, port_of, srv

ANITA = UserAddress.parse("anita@example.com")


def questions(found: Discovery) -> list[str]:
    return [entry.question for entry in found.entries if entry.kind is Kind.ASKED]


async def test_questions_are_told_as_they_are_asked_and_all_together(company: Company) -> None:
    service = await company.call_manager()
    names = await company.names(srv(port_of(service, "uds")))
    cloud = await company.cloud()
    told: list[tuple[int, Entry]] = []
    settings = replace(company.settings(service, cloud_url=cloud).discovery, nameserver=names)
    found = await discover(ANITA, settings, on_entry=lambda index, entry: told.append((index, entry)))
    first = [(index, entry) for index, entry in told if entry.group == "services"]
    assert [entry.took for _, entry in first[:4]] == [None] * 4, "all four are asked before one is answered"
    assert all(entry.took is not None for _, entry in first[4:])
    assert dict(told) == dict(enumerate(found.entries)), "what was told is what is kept"
    assert found.fault is None
    assert found.questions == 6
    assert found.decisions == 3
    assert all(render(entry.text) != entry.text.id for entry in found.entries)


async def test_a_warm_start_asks_neither_the_name_server_nor_the_cloud(company: Company) -> None:
    service = await company.call_manager()
    names = await company.names(srv(port_of(service, "uds")))
    cloud = await company.cloud()
    settings = replace(company.settings(service, cloud_url=cloud).discovery, nameserver=names)
    cold = await discover(ANITA, settings)
    assert cold.remember == CachedDiscovery(
        "example.com",
        DomainSource.TYPED,
        "example.com",
        CloudAnswer.NOT_CLOUD,
        CachedRecords(uds=(SrvRecord(10, 10, port_of(service, "uds"), "cm1.example.com", 300),)),
    )
    kept = msgspec.json.decode(msgspec.json.encode(cold.remember), type=CachedDiscovery)
    assert kept == cold.remember
    warm = await discover(ANITA, settings, Remembered(cache=kept))
    assert warm.decision.source is AuthenticatorSource.CACHED_RECORDS
    assert all(question.startswith("GET https://cm1.example.com") for question in questions(warm))
    assert warm.home == cold.home
    assert warm.remember == cold.remember


async def test_servers_that_moved_since_last_time_are_found_anew(company: Company) -> None:
    service = await company.call_manager()
    names = await company.names(srv(port_of(service, "uds")))
    settings = replace(company.settings(service).discovery, nameserver=names)
    old = CachedRecords(uds=(SrvRecord(10, 10, 8443, "dead.example.com"),))
    kept = CachedDiscovery("example.com", DomainSource.TYPED, "example.com", CloudAnswer.NOT_CLOUD, old)
    found = await discover(ANITA, settings, Remembered(cache=kept))
    assert found.fault is None
    assert found.decision.source is AuthenticatorSource.RECORDS
    assert found.home is not None
    assert "trace.decided.cache-stale" in [entry.text.id for entry in found.entries]
    assert found.remember is not None
    assert found.remember.records.uds[0].target == "cm1.example.com"


async def test_what_was_kept_of_another_company_is_not_used(company: Company) -> None:
    service = await company.call_manager()
    names = await company.names(srv(port_of(service, "uds")))
    settings = replace(company.settings(service).discovery, nameserver=names)
    kept = CachedDiscovery("other.example", DomainSource.TYPED, "other.example", CloudAnswer.CLOUD)
    found = await discover(ANITA, settings, Remembered(cache=kept))
    assert found.decision.source is AuthenticatorSource.RECORDS


async def test_the_next_server_is_asked_when_the_first_is_dead(company: Company) -> None:
    service = await company.call_manager()
    port = port_of(service, "uds")
    names = await company.names(srv(port, "dead", priority=1), srv(port, priority=2))
    found = await discover(ANITA, replace(company.settings(service).discovery, nameserver=names))
    assert found.fault is None
    assert found.home is not None
    assert found.home.asked == HostPort("cm1.example.com", port)
    assert [entry.outcome for entry in found.entries if entry.text.id == "trace.asked.home"] == ["failed", "ok"]


async def test_servers_by_hand_come_before_everything(company: Company) -> None:
    service = await company.call_manager()
    port = port_of(service, "uds")
    names = await company.names(srv(9, "dead"))
    cloud = await company.cloud("example.com")
    settings = replace(company.settings(service, cloud_url=cloud).discovery, nameserver=names)
    phone = ManualServers(Authenticator.CALL_MANAGER, call_manager=HostPort("cm1.example.com", port))
    found = await discover(ANITA, settings, Remembered(manual=phone))
    assert found.decision.source is AuthenticatorSource.MANUAL
    assert found.home is not None
    assert not any("SRV" in question or "FederatedSSO" in question for question in questions(found))
    any_server = ManualServers(Authenticator.XMPP, presence=HostPort("xmpp.example.org", 5222))
    found = await discover(ANITA, settings, Remembered(manual=any_server))
    assert (found.fault, found.home, questions(found)) == (None, None, [])
    assert found.servers == (HostPort("xmpp.example.org", 5222),)
    both = ManualServers(Authenticator.PRESENCE, HostPort("imp1.example.com", 8443), HostPort("dead.example.com", 9))
    found = await discover(ANITA, settings, Remembered(manual=both))
    assert (found.fault, found.home) == (None, None), "a call manager that is down does not keep messages from anybody"
    assert found.servers == (HostPort("imp1.example.com", 8443),)


async def test_the_bootstrap_file_is_the_last_resort(company: Company) -> None:
    service = await company.call_manager()
    names = await company.names()
    settings = replace(company.settings(service).discovery, nameserver=names)
    bootstrap = Bootstrap("CUCM", ccmcip=f"cm1.example.com:{port_of(service, 'uds')}")
    found = await discover(ANITA, settings, Remembered(bootstrap=bootstrap))
    assert found.decision.source is AuthenticatorSource.BOOTSTRAP
    assert found.home is not None


async def test_nothing_is_asked_where_everything_is_excluded(company: Company) -> None:
    names = await company.names(srv(8443))
    settings = replace(company.settings().discovery, nameserver=names)
    found = await discover(ANITA, settings, Remembered(provision=Provision(excluded=frozenset(Excluded))))
    assert questions(found) == []
    assert found.fault is not None
    assert found.fault.id == "manual-wanted"


async def test_records_are_those_of_the_voice_services_domain(company: Company) -> None:
    service = await company.call_manager()
    names = await company.names(srv(port_of(service, "uds")))
    cloud = await company.cloud("cloud.example")
    settings = replace(company.settings(service, cloud_url=cloud).discovery, nameserver=names)
    provision = Provision("hybrid.example", "example.com")
    found = await discover(UserAddress.parse("anita@hybrid.example"), settings, Remembered(provision=provision))
    assert found.domains.voice_domain == "example.com"
    assert any("org=hybrid.example" in question for question in questions(found))
    assert "_cisco-uds._tcp.example.com SRV" in questions(found)
    assert found.home is not None


async def test_a_domain_known_here_is_suggested_without_asking(company: Company) -> None:
    names = await company.names(domain="halden.example")
    settings = replace(company.settings().discovery, nameserver=names)
    known = Remembered(known_domains=frozenset({"halden.example"}))
    found = await discover(UserAddress.parse("a@halden.exmaple"), settings, known)
    assert found.suggestion == "halden.example"
    assert len(questions(found)) == 3


@contextlib.asynccontextmanager
async def silent_server() -> AsyncIterator[int]:
    """Accepts connections and says nothing."""
    waiting: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _reader, writer: waiting.append(writer), "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    for writer in waiting:
        writer.close()
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize(("request_timeout", "cloud_grace"), [(0.3, 9.0), (9.0, 0.2)])
async def test_a_cloud_that_does_not_answer_keeps_nobody_waiting(
    company: Company, request_timeout: float, cloud_grace: float
) -> None:
    service = await company.call_manager()
    names = await company.names(srv(port_of(service, "uds")))
    async with silent_server() as port:
        settings = replace(
            company.settings(service, cloud_url=f"http://127.0.0.1:{port}/cas/FederatedSSO").discovery,
            nameserver=names,
            request_timeout=request_timeout,
            cloud_grace=cloud_grace,
        )
        found = await discover(ANITA, settings)
    assert found.fault is None
    (asked,) = [entry for entry in found.entries if entry.text.id == "trace.asked.cloud"]
    assert asked.outcome == "failed"
    assert "authenticator.cloud.no-answer" in [reason.id for reason in found.decision.reasons]
    assert found.seconds < 5


async def test_the_whole_look_up_ends_in_time(company: Company) -> None:
    deaf, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0)
    )
    where = HostPort("127.0.0.1", deaf.get_extra_info("sockname")[1])
    settings = replace(company.settings(question_timeout=30.0).discovery, nameserver=where, timeout=0.3)
    found = await discover(ANITA, settings)
    deaf.close()
    assert found.fault is not None
    assert found.fault.id == "too-slow"
    assert len(questions(found)) == 3


@pytest.mark.parametrize("where", ["servers", "user"])
async def test_a_home_cluster_without_encryption_is_refused(company: Company, where: str) -> None:
    """A call manager that sends people to plain HTTP would have their passwords in the clear."""
    identity = company.authority.issue("rogue", ["cm1.example.com"], ["127.0.10.11"])

    async def answer(request: web.Request) -> web.Response:
        base = f"https://cm1.example.com:{request.url.port}/cucm-uds"
        uris = {"servers": f"{base}/servers", "user": f"{base}/user/anita"}
        uris[where] = uris[where].replace("https", "http")
        document = ClusterUser(True, "cm1.example.com", uris["servers"], uris["user"])
        return web.Response(body=document.build(), content_type="application/xml")

    app = web.Application()
    app.router.add_get("/cucm-uds/clusterUser", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.10.11", 0, ssl_context=server_context(identity))
        await site.start()
        port = runner.addresses[0][1]
        names = await company.names(srv(port))
        settings = replace(company.settings().discovery, nameserver=names, uds_port=port)
        found = await discover(ANITA, settings)
    finally:
        await runner.cleanup()
    assert found.home is None
    assert found.fault is not None
    assert found.fault.id == "bad-answer"
