"""Servers that show certificates: our own listener, which tells what reached it, and openssl's."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from cryptography import x509

from ringback.net.tls import Identity, server_context
from tests.certificates.authority import Issued, TestAuthority

HOST = "127.0.0.1"


@dataclass(slots=True)
class Listener:
    """A TLS server that answers ``pong``; ``got`` is what it was sent, ``seen`` how many handshakes were completed."""

    port: int = 0
    got: list[bytes] = field(default_factory=list)
    seen: int = 0


@asynccontextmanager
async def listening(identity: Identity, context: ssl.SSLContext | None = None) -> AsyncIterator[Listener]:
    listener = Listener()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        listener.seen += 1
        with contextlib.suppress(OSError, ssl.SSLError):
            if data := await reader.read(100):
                listener.got.append(data)
                writer.write(b"pong")
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, HOST, 0, ssl=context or server_context(identity))
    listener.port = server.sockets[0].getsockname()[1]
    async with server:
        yield listener


def openssl() -> str:
    program = shutil.which("openssl")
    if program is None:
        raise RuntimeError("openssl is needed for these tests")
    return program


@asynccontextmanager
async def openssl_server(identity: Identity, *options: str) -> AsyncIterator[int]:
    """``openssl s_server`` on a port of its choice, which is yielded; it answers lines turned round."""
    process = await asyncio.create_subprocess_exec(
        openssl(), "s_server", "-accept", f"{HOST}:0", "-cert", str(identity.certificate), "-cert_chain",
        str(identity.certificate), "-key", str(identity.key), "-rev", "-naccept", "100", *options,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        yield await _port(process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _port(process: asyncio.subprocess.Process) -> int:
    """The port that the server says it listens on."""
    if process.stdout is None:
        raise RuntimeError("no output")
    said = b""
    async with asyncio.timeout(10):
        while True:
            line = await process.stdout.readline()
            said += line
            if line.startswith(b"ACCEPT"):
                return int(line.rpartition(b":")[2])
            if not line:
                raise RuntimeError(f"openssl ended: {said.decode()}")


def sha1_certificate(authority: TestAuthority, name: str, folder: Path) -> Issued:
    """A certificate signed with SHA-1, which our own library refuses to make."""
    authority.middle.write(folder, "middle")
    good = authority.issue(name)
    good.write(folder, "good", chain=False)
    (folder / "san.ext").write_text(f"subjectAltName=DNS:{name}\nextendedKeyUsage=serverAuth\n")
    run = partial(subprocess.run, check=True, cwd=folder, capture_output=True, timeout=20)
    run([openssl(), "req", "-new", "-key", "good.key", "-subj", f"/CN={name}", "-out", "good.csr"])
    run(
        [openssl(), "x509", "-req", "-in", "good.csr", "-CA", "middle.pem", "-CAkey", "middle.key", "-sha1",
         "-CAcreateserial", "-days", "20", "-extfile", "san.ext", "-out", "sha1.pem"]
    )  # fmt: skip
    certificate = x509.load_pem_x509_certificate((folder / "sha1.pem").read_bytes())
    return Issued(certificate, good.key, good.above)
