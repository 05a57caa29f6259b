"""A running call manager with a few people, and clients that verify its certificate."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from ringback.deployment.authority import Authority
from ringback.net.tls import client_context
from ringback.protocols.service_profile import ServiceAddress, ServiceProfile, ServiceServers
from ringback.services.callmanager.service import CallManager
from ringback.services.callmanager.settings import (
    ApplicationUser,
    CallManagerSettings,
    ConfigurationFile,
    DeviceRecord,
    LineRecord,
    NamedServiceProfile,
    PasswordHashing,
    PersonRecord,
)
from ringback.storage.callmanager.store import Store
from tests.support.nodes import call_manager_settings, started
from tests.support.postgres import Postgres

JPEG = bytes.fromhex("ffd8ffe000104a46494600010100000100010000ffd9")
CHEAP = PasswordHashing(time_cost=1, memory=8 * 1024, scram_iterations=4096)

PEOPLE = (
    PersonRecord(
        user="anita",
        password="anita's password",
        first_name="Anita",
        last_name="Pérez",
        display_name="Anita Pérez",
        title="Engineer",
        department="Network",
        email="anita@example.com",
        directory_uri="anita@example.com",
        phone_number="+1 408 555 2001",
        imp_servers=("imp1.example.com", "imp2.example.com"),
    ),
    PersonRecord(
        user="Bruno",
        password="bruno's pässword",
        first_name="Bruno",
        last_name="de la Cruz",
        email="bruno.delacruz@example.com",
        phone_number="2002",
        mobile_number="+49 171 1234567",
    ),
    PersonRecord(
        user="zoe",
        password="zoe-pw",
        first_name="Zoë",
        last_name="Ångström",
        email="zoe@example.com",
        phone_number="2103",
    ),
    PersonRecord(
        user="anders", password="anders-pw", first_name="Anders", last_name="Smith", email="smith@example.com"
    ),
)

DEVICES = (
    DeviceRecord(
        "CSFANITA",
        "anita",
        description="Anita's desktop",
        lines=(LineRecord("2001", label="2001", display_name="Anita Pérez", voicemail_pilot="2999"),),
        support_field="configurationfile=sales/jabber.xml",
    ),
    DeviceRecord("TCTANITA", "anita", lines=(LineRecord("2001"),)),
    DeviceRecord("CSFBRUNO", "bruno", lines=(LineRecord("2002"),)),
)

PROFILE = ServiceProfile(
    im_and_presence=ServiceServers(
        ServiceAddress("imp1.example.com", 8443, "SOAP"), ServiceAddress("imp2.example.com", 8443, "SOAP")
    )
)

APPLICATION = ApplicationUser("presence", "application password")


@dataclass
class Running:
    """A node that runs, and where."""

    node: CallManager
    settings: CallManagerSettings
    session: aiohttp.ClientSession

    def port(self, service: str) -> int:
        return next(endpoint.port for endpoint in self.node.endpoints if endpoint.service == service)

    def uds(self, path: str) -> str:
        return f"https://{self.settings.node}:{self.port('uds')}/cucm-uds{path}"

    def https(self, path: str) -> str:
        return f"https://{self.settings.node}:{self.port('uds')}{path}"

    def files(self, path: str) -> str:
        return f"http://{self.settings.node}:{self.port('files')}{path}"

    async def get(self, url: str, *, login: tuple[str, str] | None = None, **more: Any) -> tuple[int, bytes]:
        headers = dict(more.pop("headers", {}))
        if login:
            headers["Authorization"] = aiohttp.encode_basic_auth(*login)
        async with self.session.get(url, headers=headers, **more) as response:
            return response.status, await response.read()


class Loopback(AbstractResolver):
    """Finds the nodes of a test where they are bound."""

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        found = await aiohttp.ThreadedResolver().resolve("127.0.0.1", port)
        return [{**entry, "hostname": host} for entry in found]

    async def close(self) -> None:
        """Nothing is kept."""


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


Launch = Callable[..., Awaitable[Running]]


@pytest.fixture
async def launch(tmp_path: Path, authority: Authority) -> AsyncIterator[Launch]:
    """Start a node: ``await launch(name="cucm1.example.com", **settings that differ)``."""
    photo = tmp_path / "anita.jpg"
    photo.write_bytes(JPEG)
    people = (replace(PEOPLE[0], photo=photo), *PEOPLE[1:])
    async with AsyncExitStack() as stack:

        async def start(name: str = "cucm1.example.com", **changes: Any) -> Running:
            settings = replace(
                call_manager_settings(name, tmp_path, authority, database=f"{name}.db"),
                people=people,
                devices=DEVICES,
                application_users=(APPLICATION,),
                service_profiles=(NamedServiceProfile("SPDefault", PROFILE),),
                configuration=ConfigurationFile(
                    "jabber-config.xml",
                    {"Policies": {"Voicemail_Enabled": "true"}, "Directory": {"DirectoryServerType": "UDS"}},
                ),
                group_configurations=(
                    ConfigurationFile("sales/jabber.xml", {"Policies": {"Voicemail_Enabled": "false"}}),
                ),
            )
            settings = replace(settings, **changes)
            node = await started(CallManager(settings), stack)
            connector = aiohttp.TCPConnector(ssl=client_context(authority.ca_file), resolver=Loopback())
            session = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=20))
            stack.push_async_callback(session.close)
            return Running(node, settings, session)

        yield start


@pytest.fixture
async def running(launch: Launch) -> Running:
    """A node with everybody in it."""
    return await launch()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'callmanager.db'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.fresh_url()


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    store = await Store.open(database_url)
    yield store
    await store.close()
