"""One OpenLDAP for a file, and deployments whose people come from it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import aiohttp
import pytest

from ringback.deployment import Deployment
from ringback.deployment import read as read_deployment
from ringback.lab.compose import Composition, compose
from ringback.lab.state import DataFolder
from ringback.net.tls import client_context
from ringback.protocols.uds import Users
from tests.directory_sync.company import INDEXES, content
from tests.support.foreign import free_ports
from tests.support.lab import loopback_range
from tests.support.slapd import ACCOUNT, ACCOUNT_PASSWORD, PEOPLE, Directory, running_slapd

_FILE = """
domain = "example.com"

[[cluster]]
name = "office"

[[node]]
name = "cm1.example.com"
address = "{address}"
roles = ["call-manager"]
cluster = "office"
ports = {{ https = {https}, files = {files}, files-tls = {files_tls}, sip = {sip}, sip-tls = {sip_tls} }}

[[node]]
name = "im1.example.com"
address = "{address}"
roles = ["presence"]
ports = {{ xmpp = {xmpp}, xmpp-tls = {xmpp_tls}, login = {login} }}

[[node]]
name = "vm1.example.com"
address = "{address}"
roles = ["voicemail"]
ports = {{ vmrest = {vmrest}, notify = {notify}, notify-tls = {notify_tls}, sip = {vm_sip}, sip-tls = {vm_sip_tls} }}

[dial-plan]
extension-digits = 4
voicemail = "2999"

[calls]
encryption = false

[[person]]
user = "frieda"
first = "Frieda"
last = "Lang"
number = "+41 44 555 20 09"
password = "frieda's password"

[[feature-group]]
name = "Staff"
devices = ["CSF"]
number-pool = ["7000-7999"]

[[ldap-directory]]
name = "Office"
servers = ["{server}"]
ca = "ca.pem"
service-account = "{account}"
password-file = "directory.password"
base = "{base}"
feature-group = "Staff"
every-hours = 0
"""


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Directory]:
    """A real OpenLDAP with staff and a crowd, which its account may change."""
    made = running_slapd(
        tmp_path_factory.mktemp("slapd"),
        {},
        names=("127.0.0.1",),
        ldif=content(),
        indexes=INDEXES,
        right="write",
        unlimited=True,
    )
    with made as running:
        yield running


@dataclass
class Company:
    """A deployment that runs in this process."""

    file: Path
    folder: DataFolder
    running: Composition
    session: aiohttp.ClientSession
    address: str

    def port(self, service: str) -> int:
        """Where a service listens."""
        return next(row.port for row in self.running.endpoints if row.service == service)

    async def get(self, path: str, user: str = "", password: str = "") -> tuple[int, bytes]:
        """An answer of the call manager."""
        headers = {"Authorization": aiohttp.encode_basic_auth(user, password)} if user else {}
        url = f"https://{self.address}:{self.port('uds')}{path}"
        async with self.session.get(url, headers=headers, allow_redirects=False) as response:
            return response.status, await response.read()

    async def users(self, **query: str | int) -> Users:
        """A search of the user data service."""
        words = "&".join(f"{name}={quote(str(value), safe='')}" for name, value in query.items())
        status, body = await self.get(f"/cucm-uds/users?{words}")
        assert status == 200
        return Users.parse(body)


Launch = Callable[..., Awaitable[Company]]


def write_file(folder: Path, directory: Directory, address: str, more: str = "", **replaced: str) -> Path:
    """A deployment file with everything beside it."""
    names = (
        *("https", "files", "files_tls", "sip", "sip_tls", "xmpp", "xmpp_tls", "login"),
        *("vmrest", "notify", "notify_tls", "vm_sip", "vm_sip_tls"),
    )
    values = dict(zip(names, map(str, free_ports(len(names), address)), strict=True))
    values |= {
        "address": address, "server": f"ldaps://127.0.0.1:{directory.secure.port}", "account": ACCOUNT, "base": PEOPLE,
    } | replaced  # fmt: skip
    (folder / "ca.pem").write_bytes(directory.ca.read_bytes())
    secret = folder / "directory.password"
    secret.touch(mode=0o600)
    secret.write_text(ACCOUNT_PASSWORD)
    file = folder / "company.toml"
    file.write_text(_FILE.format(**values) + more)
    return file


@asynccontextmanager
async def company(folder: Path, directory: Directory, more: str = "", **replaced: str) -> AsyncIterator[Company]:
    """A running deployment whose people come from the directory."""
    async with AsyncExitStack() as stack:
        address = f"{stack.enter_context(loopback_range())}.0.1"
        file = write_file(folder, directory, address, more, **replaced)
        deployment: Deployment = read_deployment(file.read_bytes())
        data = DataFolder(folder / "data")
        made = await stack.enter_async_context(compose(deployment, data, base=folder).running())
        connector = aiohttp.TCPConnector(ssl=client_context(made.ca_file))
        session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
        yield Company(file, data, made, session, address)
