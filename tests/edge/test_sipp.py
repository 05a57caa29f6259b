"""sipp as a client outside: it registers, calls with SRTP and hangs up, many times over one connection."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from bench.signalling.generator import Door, Phone, answering, register
from ringback.net.tls import client_context
from tests.edge.sip_world import DOMAIN, PASSWORD, SipWorld, start_sip_world
from tests.support.nodes import HERE
from tests.support.waiting import until

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.peer]
CALLS = 20

REGISTER = f"""
REGISTER sip:{DOMAIN} SIP/2.0
Via: SIP/2.0/TLS [local_ip]:[local_port];branch=[branch];rport
Route: <sip:edge.example.com:5061;transport=tls;lr>
From: <sip:2001@{DOMAIN}>;tag=[pid]r
To: <sip:2001@{DOMAIN}>
Call-ID: r///[call_id]
CSeq: %d REGISTER
Contact: <sip:2001@[local_ip]:[local_port];transport=tls>
%sMax-Forwards: 70
Expires: 120
Content-Length: 0

"""
LOGIN = f"[authentication username=phone2001 password={PASSWORD}]\n"
SCENARIO = f"""<?xml version="1.0" encoding="UTF-8"?>
<scenario name="A client outside">
  <send><![CDATA[{REGISTER % (1, "")}]]></send>
  <recv response="401" auth="true"/>
  <send><![CDATA[{REGISTER % (2, LOGIN)}]]></send>
  <recv response="200"/>
  <send><![CDATA[
INVITE sip:2002@{DOMAIN} SIP/2.0
Via: SIP/2.0/TLS [local_ip]:[local_port];branch=[branch]
From: <sip:2001@{DOMAIN}>;tag=[pid]c[call_number]
To: <sip:2002@{DOMAIN}>
Call-ID: [call_id]
CSeq: 3 INVITE
Contact: <sip:2001@[local_ip]:[local_port];transport=tls>
Max-Forwards: 70
Content-Type: application/sdp
Content-Length: [len]

v=0
o=user1 53655765 2353687637 IN IP4 [local_ip]
s=-
c=IN IP4 [local_ip]
t=0 0
m=audio 6000 RTP/SAVP 0
a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh
]]></send>
  <recv response="100" optional="true"/>
  <recv response="180" optional="true"/>
  <recv response="200" rrs="true"><action>
    <ereg regexp="m=audio [0-9]+ RTP/SAVP" search_in="body" check_it="true" assign_to="1"/>
    <ereg regexp="a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" search_in="body" check_it="true" assign_to="1"/>
  </action></recv>
  <send><![CDATA[
ACK [next_url] SIP/2.0
Via: SIP/2.0/TLS [local_ip]:[local_port];branch=[branch]
[routes]
From: <sip:2001@{DOMAIN}>;tag=[pid]c[call_number]
To: <sip:2002@{DOMAIN}>[peer_tag_param]
Call-ID: [call_id]
CSeq: 3 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>
  <send><![CDATA[
BYE [next_url] SIP/2.0
Via: SIP/2.0/TLS [local_ip]:[local_port];branch=[branch]
[routes]
From: <sip:2001@{DOMAIN}>;tag=[pid]c[call_number]
To: <sip:2002@{DOMAIN}>[peer_tag_param]
Call-ID: [call_id]
CSeq: 4 BYE
Max-Forwards: 70
Content-Length: 0

]]></send>
  <recv response="200"/>
  <Reference variables="1"/>
</scenario>
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SipWorld]:
    async with AsyncExitStack() as stack:
        yield await start_sip_world(tmp_path_factory.mktemp("sip"), stack)


@contextlib.asynccontextmanager
async def ciphered(world: SipWorld) -> AsyncIterator[int]:
    """A port that puts TLS around what comes: Debian's sipp speaks none."""
    context = client_context(world.authority.ca_file)

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner = await asyncio.open_connection(
            world.edge.host, world.edge.port, ssl=context, server_hostname="edge.example.com"
        )
        with contextlib.suppress(OSError):
            await asyncio.gather(pump(reader, inner[1]), pump(inner[0], writer))

    server = await asyncio.start_server(serve, HERE, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def test_sipp_calls_twenty_times_through_the_edge(world: SipWorld, tmp_path: Path) -> None:
    (tmp_path / "client.xml").write_text(SCENARIO)
    async with answering(HERE, tmp_path) as port, ciphered(world) as door:
        inside = world.inside("sip")
        bram = Phone("2002", "phone2002", PASSWORD)
        await register(Door(HERE, inside.port), [bram], tmp_path, contact=port, rate=10)
        process = await asyncio.create_subprocess_exec(
            "sipp", f"{HERE}:{door}", "-sf", "client.xml", "-t", "t1", "-m", str(CALLS), "-r", "10", "-l", "2",
            "-nostdin", "-timeout", "20s", "-timeout_error", "-trace_err", "-error_file", "client.err",
            cwd=tmp_path, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE, env={"TERM": "xterm", "PATH": "/usr/bin:/bin"},
        )  # fmt: skip
        async with asyncio.timeout(30):
            _, errors = await process.communicate()
        log = tmp_path / "client.err"
        assert process.returncode == 0, (log.read_text() if log.exists() else "") + errors.decode()
    assert world.front.calls.begun == CALLS
    await until(lambda: world.allocations == (0, 0))
    assert world.front.figures.cut == 0
