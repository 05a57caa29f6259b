"""A browser that knows the names of the lab and trusts its authority, for sign-ins that lead to log-in pages.

A person's own browser knows neither: names like ``idp.example.com`` live in the lab's name server only, and the private
authority is in no list. A Chromium with a profile of its own is told both on its command line, and nothing else of the
computer changes. Only the keys of this one authority are excused, and only the hosts with log-in pages are mapped.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import shlex
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ringback.deployment import Deployment
from ringback.deployment.identity_provider import ROLE, by_single_sign_on
from ringback.lab.compose import Composition

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge")
_STOP_SECONDS = 3.0


class BrowserError(Exception):
    """No browser can be opened; the message says why."""


def command(composition: Composition, profile: Path, program: str = "chromium") -> list[str]:
    """The command line of a browser at the first web client. Raises OSError where the authority can't be read."""
    words = [
        program,
        f"--user-data-dir={profile}",
        "--no-first-run",
        f"--host-resolver-rules={','.join(f'MAP {name} {where}' for name, where in _hosts(composition.deployment))}",
        f"--ignore-certificate-errors-spki-list={_key_hash(composition.ca_file)}",
    ]
    return [*words, *list(composition.web_urls.values())[:1]]


def line(composition: Composition, profile: Path) -> str:
    """The same for a shell; empty where nobody is led to a log-in page, so that any browser serves."""
    if not composition.web_urls or not by_single_sign_on(composition.deployment):
        return ""
    return shlex.join(command(composition, profile, find() or "chromium"))


def find() -> str | None:
    """A Chromium of this computer; None where there is none."""
    return next((found for found in map(shutil.which, _PROGRAMS) if found), None)


@asynccontextmanager
async def opened(composition: Composition, profile: Path) -> AsyncIterator[None]:
    """The browser as long as the block lasts. Raises BrowserError where there is none to start."""
    if not composition.web_urls:
        raise BrowserError("The deployment has no web client to open")
    if (program := find()) is None:
        raise BrowserError(f"There is no Chromium here to start; it is looked for as {', '.join(_PROGRAMS)}")
    words = await asyncio.to_thread(command, composition, profile, program)
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*words, stdin=quiet, stdout=quiet, stderr=quiet)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()


def _hosts(deployment: Deployment) -> list[tuple[str, str]]:
    """Hosts with log-in pages, and where they are."""
    clusters = by_single_sign_on(deployment)
    return [
        (name, node.address)
        for node in deployment.node
        if ROLE in node.roles
        or "voicemail" in node.roles
        or ("call-manager" in node.roles and node.cluster in clusters)
        for name in (node.name, *node.aliases)
    ]


def _key_hash(ca_file: Path) -> str:
    """The hash of the authority's public key, as Chromium wants it."""
    key = x509.load_pem_x509_certificate(ca_file.read_bytes()).public_key()
    octets = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(octets).digest()).decode()
