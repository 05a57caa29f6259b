"""OpenSSL's own client agrees on media keys with a leg: the handshake is not only right with itself."""

from __future__ import annotations

import asyncio
import datetime
import re
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from ringback.media.transport import events
from ringback.media.transport.dtls import DtlsIdentity, Fingerprint
from ringback.media.transport.host import MediaHost
from ringback.media.transport.leg import RemoteMedia
from tests.media_transport.conftest import audio
from tests.support.waiting import until


def make_identity(folder: Path) -> tuple[Path, Fingerprint]:
    """Key and certificate of the kind that older phones have (RSA), in one file."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "phone")])
    now = datetime.datetime.now(tz=datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    path = folder / "phone.pem"
    pem = serialization.Encoding.PEM
    path.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(pem)
    )
    return path, Fingerprint("sha-256", certificate.fingerprint(hashes.SHA256()))


@pytest.mark.peer
async def test_a_foreign_client_and_a_leg_agree_on_the_same_keys(host: MediaHost, tmp_path: Path) -> None:
    path, fingerprint = make_identity(tmp_path)
    leg = host.open_leg(audio(protocol="dtls", rtcp_mux=True))
    told: list[events.LegEvent] = []
    leg.on_event = told.append
    leg.connect(RemoteMedia("127.0.0.1", 9))
    leg.start_dtls(DtlsIdentity.generate(), "passive", [fingerprint])
    client = await asyncio.create_subprocess_exec(
        *(
            "openssl",
            "s_client",
            "-dtls1_2",
            "-connect",
            f"127.0.0.1:{leg.port}",
            "-cert",
            str(path),
            "-key",
            str(path),
        ),
        *("-use_srtp", "SRTP_AES128_CM_SHA1_80", "-keymatexport", "EXTRACTOR-dtls_srtp", "-keymatexportlen", "60"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        await until(lambda: told)
        assert events.Secured("AES_CM_128_HMAC_SHA1_80") in told
        if client.stdin is None or client.stdout is None:
            raise RuntimeError("no pipes")
        client.stdin.close()
        async with asyncio.timeout(10):
            output = (await client.stdout.read()).decode()
            await client.wait()
    finally:
        if client.returncode is None:
            client.kill()
            await client.wait()
    exported = re.search(r"Keying material: ([0-9A-F]{120})", output)
    assert exported is not None, output
    material = bytes.fromhex(exported[1])
    theirs = material[:16] + material[32:46]
    ours = material[16:32] + material[46:60]
    assert leg.protection is not None
    assert leg.protection.uses(outbound=ours, inbound=theirs)
