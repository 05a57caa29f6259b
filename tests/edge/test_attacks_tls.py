"""TLS of the world and of the link: no old version, no weak cipher, no doubtful handshake, no link for strangers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
import struct

import pytest

from ringback.deployment.authority import Authority
from ringback.net.tls import Identity
from tests.edge.conftest import DOMAIN, EDGE, INNER, OUTER, WORLD
from tests.edge.siege import SECONDS, Siege, cases, hang_up, statuses_of

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def _openssl(siege: Siege, *arguments: str, service: str = "https", send: str = "") -> str:
    """What OpenSSL's own client met; it may speak what Python's no longer does."""
    process = await asyncio.create_subprocess_exec(
        "openssl", "s_client", "-connect", f"{WORLD}:{siege.edge.port_of(service)}", "-bind", siege.attacker(),
        "-CAfile", str(siege.edge.authority.ca_file), "-servername", EDGE, *arguments,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    found, _ = await asyncio.wait_for(process.communicate(send.encode()), SECONDS)
    return found.decode("utf-8", "replace")


WEAK = {
    "ssl-3": ("-cipher", "ALL:@SECLEVEL=0", "-max_protocol", "TLSv1"),
    "tls-1.0": ("-tls1", "-cipher", "ALL:@SECLEVEL=0"),
    "tls-1.1": ("-tls1_1", "-cipher", "ALL:@SECLEVEL=0"),
    "fallback": ("-fallback_scsv", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"),
    "no-encryption": ("-tls1_2", "-cipher", "eNULL:@SECLEVEL=0"),
    "nobody-proven": ("-tls1_2", "-cipher", "aNULL:@SECLEVEL=0"),
    "key-of-rsa": ("-tls1_2", "-cipher", "kRSA:@SECLEVEL=0"),
    "shared-key": ("-tls1_2", "-cipher", "PSK:@SECLEVEL=0", "-psk", "00ff00ff"),
    "cbc": ("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA:@SECLEVEL=0"),
    "sha-1-signatures": ("-tls1_2", "-sigalgs", "ECDSA+SHA1:RSA+SHA1", "-cipher", "DEFAULT:@SECLEVEL=0"),
}


@pytest.mark.parametrize("name", cases(WEAK))
async def test_a_weak_handshake_does_not_stand(siege: Siege, name: str) -> None:
    before = siege.reached()
    found = await _openssl(siege, *WEAK[name])
    assert "alert" in found  # the edge says no, not the client
    assert "BEGIN CERTIFICATE" not in found
    assert siege.reached() == before
    await siege.is_healthy()


async def test_good_handshakes_stand(siege: Siege) -> None:
    for version in ("-tls1_2", "-tls1_3"):
        found = await _openssl(siege, version)
        assert "Verification: OK" in found
        assert "Server Temp Key" in found  # a key for this connection only: nobody reads old ones later


async def test_a_client_can_not_negotiate_anew(siege: Siege) -> None:
    found = await _openssl(siege, "-tls1_2", send="R\n")
    assert "Verification: OK" in found
    assert "RENEGOTIATING" not in found or "error" in found.lower()
    await siege.is_healthy()


async def test_nothing_is_compressed_in_tls(siege: Siege) -> None:
    assert "Compression: NONE" in await _openssl(siege, "-tls1_2", "-comp")


async def test_early_data_is_not_taken(siege: Siege) -> None:
    """It could be replayed by whoever heard it (RFC 8446 section 8)."""
    found = await _openssl(siege, "-tls1_3")
    assert "Max Early Data: 0" in found or "Early data was not sent" in found
    assert "Early data was accepted" not in found


async def test_a_name_of_others_gets_no_other_certificate(siege: Siege) -> None:
    """Who asks for a name that is not served sees the edge's own certificate, or nothing."""
    context = siege.context()
    for name in (INNER, OUTER, "cm1.example.com", "example.org", "localhost", "a" * 63 + ".example"):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await siege.connect(context=context, name=name)
    await siege.is_healthy()


async def test_a_client_without_a_name_sees_the_public_certificate_only(siege: Siege) -> None:
    found = await _openssl(siege, "-noservername", "-showcerts")
    for inside in (INNER, OUTER, "cm1.", "im."):
        assert inside not in found
    await siege.is_healthy()


async def test_a_certificate_of_a_client_makes_nobody_somebody(siege: Siege) -> None:
    own = siege.edge.authority.issue("anita.client", [f"anita.{DOMAIN}"], [])
    context = siege.context()
    context.load_cert_chain(own.certificate, own.key)
    before = siege.reached()
    reader, writer = await siege.connect(context=context)
    writer.write(siege.head(f"/{siege.target()}/pages/x", "Connection: close", signed=False))
    assert statuses_of(await asyncio.wait_for(reader.read(-1), SECONDS)) == [401]
    await hang_up(writer)
    assert siege.reached() == before


GARBAGE = {
    "http-in-clear": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "ssh": b"SSH-2.0-OpenSSH_9.6\r\n",
    "noise": bytes(range(256)) * 20,
    "hello-of-a-huge-record": b"\x16\x03\x01\xff\xff" + b"\x01" * 65535,
    "hello-without-end": b"\x16\x03\x01\x40\x00\x01\x00\xff\xff\x03\x03" + b"\0" * 16000,
    "alert-first": b"\x15\x03\x03\x00\x02\x02\x28",
    "data-first": b"\x17\x03\x03\x00\x20" + b"\0" * 32,
    "heartbeat": b"\x18\x03\x02\x00\x03\x01\x40\x00",
    "proxy-protocol": b"PROXY TCP4 127.0.0.1 127.0.0.1 1 443\r\n",
    "proxy-protocol-2": b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\x01\x7f\0\0\x01\0\x01\x01\xbb",
    "remote-desktop": b"\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x03\x00\x00\x00",
}


@pytest.mark.parametrize("name", cases(GARBAGE))
async def test_what_is_not_tls_gets_nothing(siege: Siege, name: str) -> None:
    before = siege.reached()
    reader, writer = await siege.connect_plain()
    writer.write(GARBAGE[name])
    with contextlib.suppress(OSError):
        writer.write_eof()
    found = b""
    with contextlib.suppress(OSError):
        found = await asyncio.wait_for(reader.read(-1), SECONDS)
    assert not found or found[0] == 0x15  # at most an alert of TLS
    assert len(found) <= 7
    await hang_up(writer)
    assert siege.reached() == before
    await siege.is_healthy()


# --- the link port


def _link(siege: Siege) -> tuple[str, int]:
    row = next(row for row in siege.edge.outer.endpoints if row.service == "link")
    return row.address, row.port


async def _knock(siege: Siege, context: ssl.SSLContext, data: bytes) -> bytes:
    """What comes back at the port of links."""
    host, port = _link(siege)
    try:
        reader, writer = await asyncio.open_connection(
            host, port, ssl=context, server_hostname=OUTER, local_addr=(siege.attacker(), 0)
        )
    except (OSError, ssl.SSLError):
        return b""
    try:
        writer.write(data)
        with contextlib.suppress(OSError, ssl.SSLError):
            return await asyncio.wait_for(reader.read(-1), SECONDS)
        return b""
    finally:
        await hang_up(writer)


def _preface() -> bytes:
    return b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + struct.pack("!I", 0)[1:] + b"\x04\x00" + struct.pack("!I", 0)


def _shown(siege: Siege, identity: Identity | None) -> ssl.SSLContext:
    context = siege.context()
    if identity is not None:
        context.load_cert_chain(identity.certificate, identity.key)
    return context


async def test_nobody_opens_a_link_without_a_certificate(siege: Siege) -> None:
    links = siege.edge.outer.links
    assert await _knock(siege, _shown(siege, None), _preface()) == b""
    assert siege.edge.outer.links == links
    await siege.is_healthy()


async def test_nobody_opens_a_link_with_a_certificate_of_another_authority(
    siege: Siege, tmp_path_factory: pytest.TempPathFactory
) -> None:
    stranger = Authority(tmp_path_factory.mktemp("stranger")).issue(INNER, [INNER], [])
    links = siege.edge.outer.links
    assert await _knock(siege, _shown(siege, stranger), _preface()) == b""
    assert siege.edge.outer.links == links
    await siege.is_healthy()


@pytest.mark.parametrize("name", ["phone.example.com", f"x.{INNER}", INNER.replace("inner", "Inner1"), EDGE, OUTER])
async def test_only_inner_proxies_open_links(siege: Siege, name: str) -> None:
    """A certificate of the same authority, but of something else."""
    other = siege.edge.authority.issue(f"other-{name}", [name], [])
    links = siege.edge.outer.links
    await _knock(siege, _shown(siege, other), _preface())
    assert siege.edge.outer.links == links
    await siege.is_healthy()


async def test_noise_at_the_port_of_links_harms_no_link(siege: Siege) -> None:
    host, port = _link(siege)
    links = siege.edge.outer.links
    for data in (os.urandom(4096), _preface(), b"GET / HTTP/1.1\r\n\r\n"):
        reader, writer = await asyncio.open_connection(host, port, local_addr=(siege.attacker(), 0))
        writer.write(data)
        with contextlib.suppress(OSError):
            writer.write_eof()
            assert len(await asyncio.wait_for(reader.read(-1), SECONDS)) <= 7
        await hang_up(writer)
    assert siege.edge.outer.links == links
    await siege.is_healthy()
