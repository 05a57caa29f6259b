"""Two companies behind one address, each with its own certificates and servers; and the desk of the administrator."""

from __future__ import annotations

import asyncio
import datetime
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import pytest_asyncio

from ringback.deployment.authority import Authority
from ringback.net.edge_desk import DeskError, order, state
from ringback.planning.edge_inside import judge
from ringback.protocols.edge import EdgeConfiguration, Target
from ringback.protocols.edge.desk import SOCKET, Exemption, Who
from ringback.rules.addresses import HostPort
from ringback.services.edge.settings import InnerSettings, OuterPeer
from tests.edge import second_company as globex
from tests.edge.conftest import DOMAIN, EDGE, PASSWORDS, WORLD, Edge, Inward, start_edge
from tests.edge.second_company import Company, start_company

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.peer]


@dataclass(frozen=True)
class Shared:
    """The edge of the first company, with the second behind it."""

    edge: Edge
    other: Company
    folder: Path

    async def curl(self, host: str, path: str, *words: str, domain: str = "", server: HostPort | None = None) -> str:
        """Ask as a client that trusts both authorities: status, then the body."""
        target = Target(domain or globex.DOMAIN, None if server is None else "https", server)
        url = f"https://{host}:{self.edge.port}/{target.segment()}/{path}"
        process = await asyncio.create_subprocess_exec(
            "curl", "--silent", "--max-time", "10", "--cacert", str(self.folder / "both.pem"),
            "--resolve", f"{host}:{self.edge.port}:{WORLD}", "--write-out", "\n%{http_code}", *words, url,
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, _ = await asyncio.wait_for(process.communicate(), 15)
        body, _, status = out.decode().rpartition("\n")
        return f"{status} {body}".strip()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shared]:
    folder = tmp_path_factory.mktemp(
        "a-folder-with-a-long-name-such-as-data-folders-of-administrators-have-in-the-field"
    )
    async with AsyncExitStack() as stack:
        other = await start_company(tmp_path_factory.mktemp("globex"), stack)

        def further(settings: InnerSettings) -> InnerSettings:
            dead = OuterPeer("dead.example.com", HostPort("127.0.60.3", 1))
            return replace(
                settings, outers=(*settings.outers, dead), tenants=(other.settings,), folder=folder, poll=0.2
            )

        edge = await start_edge(folder, stack, Inward(further=further))
        both = edge.authority.ca_file.read_text() + other.authority.ca_file.read_text()
        (folder / "both.pem").write_text(both)
        yield Shared(edge, other, folder)


async def test_each_company_has_its_certificate_and_its_people(shared: Shared) -> None:
    theirs = await shared.curl(globex.EDGE, "get_edge_config?service_name=_cisco-uds", "-u", f"anita:{globex.PASSWORD}")
    assert theirs[:3] == "200"
    found = EdgeConfiguration.parse(theirs[4:].encode())
    assert [row.server for row in found.services[0].servers] == [shared.other.call_manager]
    assert found.https == (HostPort(globex.EDGE, 8443),)
    ours = await shared.curl(EDGE, "get_edge_config", "-u", f"anita:{PASSWORDS['anita']}", domain=DOMAIN)
    assert ours[:3] == "200"
    for word in (PASSWORDS["anita"], "guess"):  # the password of the other company's person of the same name
        assert (await shared.curl(globex.EDGE, "get_edge_config", "-u", f"anita:{word}"))[:3] == "401"
    first, second = shared.edge.authority, shared.other.authority
    assert await names_shown(shared.edge, globex.EDGE, second) == {globex.EDGE, globex.DOMAIN}
    assert await names_shown(shared.edge, EDGE, first) == {EDGE, DOMAIN}
    for host, other in ((globex.EDGE, first), (EDGE, second)):  # whoever trusts one company does not trust the other
        with pytest.raises(ssl.SSLCertVerificationError):
            await names_shown(shared.edge, host, other)


async def test_no_company_reaches_the_other(shared: Shared) -> None:
    ours, theirs = shared.edge.call_manager, shared.other.call_manager
    mine = ("-u", f"anita:{PASSWORDS['anita']}")
    assert (await shared.curl(EDGE, "cucm-uds/version", *mine, domain=DOMAIN, server=theirs))[:3] == "403"
    assert (await shared.curl(EDGE, "cucm-uds/version", *mine, domain=globex.DOMAIN, server=theirs))[:3] == "404"
    assert (await shared.curl(EDGE, "get_edge_config", *mine, domain=globex.DOMAIN))[:3] == "404"
    other = ("-u", f"anita:{globex.PASSWORD}")
    assert (await shared.curl(globex.EDGE, "cucm-uds/version", *other, server=ours))[:3] == "403"
    assert (await shared.curl(globex.EDGE, "cucm-uds/version", *other, server=theirs))[:3] == "200"
    # the name in TLS decides, whatever the header says
    host = ("-H", f"Host: {EDGE}")
    assert (await shared.curl(globex.EDGE, "get_edge_config", *mine, *host, domain=DOMAIN))[:3] == "404"
    with pytest.raises(ssl.SSLError, match="TLSV1_UNRECOGNIZED_NAME"):
        await names_shown(shared.edge, "edge.initech.example", shared.edge.authority)


async def test_a_stream_goes_to_the_company_that_it_names(shared: Shared) -> None:
    for domain, authority in ((globex.DOMAIN, shared.other.authority), (DOMAIN, shared.edge.authority)):
        reader, writer = await asyncio.open_connection(WORLD, shared.edge.port_of("xmpp"))
        try:
            head = f"<stream:stream to='{domain}' version='1.0' xmlns='jabber:client' "
            head += "xmlns:stream='http://etherx.jabber.org/streams'>"
            for piece in (head[:30], head[30:]):  # in two pieces, as networks cut
                writer.write(piece.encode())
                await writer.drain()
            async with asyncio.timeout(10):
                seen = await reader.readuntil(b"</stream:features>")
                assert f"from='{domain}'".encode() in seen.replace(b'"', b"'")
                writer.write(b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
                await reader.readuntil(b"/>")
                context = ssl.create_default_context(cafile=authority.ca_file)
                await writer.start_tls(context, server_hostname=domain)
        finally:
            writer.close()


async def test_blocks_end_at_both_proxies_by_command(shared: Shared) -> None:
    address = "127.0.60.77"
    guess = ("--interface", address, "-u", "anita:guess")
    for _ in range(6):
        assert (await shared.curl(globex.EDGE, "get_edge_config", *guess))[:3] == "401"
    assert await shared.curl(globex.EDGE, "get_edge_config", *guess) == "000"
    found = await state(shared.folder)
    blocks = {(block.kind, block.who) for block in found.blocks}
    # people of the two companies are not the same, though their ids are
    assert {("address", address), ("person", f"anita@{globex.DOMAIN}")} <= blocks
    assert (await shared.curl(EDGE, "get_edge_config", "-u", f"anita:{PASSWORDS['anita']}", domain=DOMAIN))[:3] == "200"
    right = ("--interface", address, "-u", f"anita:{globex.PASSWORD}")
    done = await order(shared.folder, "/unblock", Who(address))
    assert [block.who for block in done.ended] == [address]
    await order(shared.folder, "/unblock", Who(f"anita@{globex.DOMAIN}"))
    assert (await shared.curl(globex.EDGE, "get_edge_config", *right))[:3] == "200"
    await order(shared.folder, "/exempt", Exemption("127.0.60.0/24", 5))
    for _ in range(7):
        assert (await shared.curl(globex.EDGE, "get_edge_config", *guess))[:3] in ("401", "429")
    assert not [block for block in (await state(shared.folder)).blocks if block.kind == "address"]
    await order(shared.folder, "/end-exemption", Exemption("127.0.60.0/24"))
    with pytest.raises(DeskError, match="is not exempt"):
        await order(shared.folder, "/end-exemption", Exemption("127.0.60.0/24"))
    with pytest.raises(DeskError):
        await order(shared.folder, "/exempt", Exemption("nonsense"))


async def test_the_desk_tells_how_it_goes(shared: Shared) -> None:
    assert (shared.folder / SOCKET).stat().st_mode & 0o077 == 0
    found = await state(shared.folder)
    assert {outer.name: outer.reached for outer in found.outers} == {
        "outer.example.com": True,
        "dead.example.com": False,
    }
    faults = [finding.remedy.id for finding in judge(found) if finding.is_fault and finding.remedy]
    assert faults == ["edge.doctor.no_link.refused"]
    assert [one.domain for one in found.companies] == [DOMAIN, globex.DOMAIN]
    for one in found.companies:
        assert [source.why for source in (*one.keys, *one.policies)] == ["", ""]
        assert (one.name_error, set(one.reached.values())) == ("", {""})
        assert one.certificate.until > found.now
    figures = found.figures
    assert figures.services["https"].connections > 10
    assert figures.services["https"].octets_out > 10_000
    assert figures.requests["4xx"] > 5
    assert figures.failures["password"] > 5
    assert figures.blocks >= 2
    with pytest.raises(DeskError, match="does not run"):
        await state(shared.folder / "ca")


async def test_renewed_certificates_are_taken_up_while_connections_stand(shared: Shared) -> None:
    context = ssl.create_default_context(cafile=shared.folder / "both.pem")
    reader, writer = await asyncio.open_connection(WORLD, shared.edge.port, ssl=context, server_hostname=globex.EDGE)
    try:
        before = writer.get_extra_info("ssl_object").getpeercert()["serialNumber"]
        identity = shared.other.settings.public
        shared.other.authority.issue(
            identity.certificate.stem, [globex.EDGE, globex.DOMAIN], not_before=datetime.datetime.now(datetime.UTC)
        )
        done = await order(shared.folder, "/reload")
        assert identity.certificate.name in [shown.file for shown in done.certificates]
        _, second = await asyncio.open_connection(WORLD, shared.edge.port, ssl=context, server_hostname=globex.EDGE)
        after = second.get_extra_info("ssl_object").getpeercert()["serialNumber"]
        second.close()
        assert before != after
        segment = Target(globex.DOMAIN).segment()
        writer.write(f"GET /{segment}/get_edge_sso HTTP/1.1\r\nHost: {globex.EDGE}\r\n\r\n".encode())
        async with asyncio.timeout(10):
            assert b"200" in await reader.readline()
        assert shared.edge.inner.links == ("outer.example.com",)
    finally:
        writer.close()


async def names_shown(edge: Edge, host: str, authority: Authority) -> set[str]:
    """The names in the certificate that is shown to who asks for a host and trusts an authority."""
    context = ssl.create_default_context(cafile=authority.ca_file)
    _, writer = await asyncio.wait_for(asyncio.open_connection(WORLD, edge.port, ssl=context, server_hostname=host), 10)
    try:
        shown = writer.get_extra_info("peercert")["subjectAltName"]
        return {name for kind, name in shown if kind == "DNS"}
    finally:
        writer.close()
