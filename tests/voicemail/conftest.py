"""A voicemail service that runs, with a real call manager behind it that knows the people's passwords."""

from __future__ import annotations

import io
import wave
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Any

import aiohttp
import msgspec
import numpy as np
import pytest
import pytest_asyncio

from ringback.deployment.authority import Authority
from ringback.net.node_resolver import NodeResolver
from ringback.net.tls import client_context
from ringback.protocols.vmrest.messages import FOLDERS
from ringback.rules.addresses import HostPort
from ringback.services.callmanager.service import CallManager
from ringback.services.callmanager.settings import PersonRecord
from ringback.services.voicemail.service import VoicemailService
from ringback.services.voicemail.settings import MailboxSettings, VoicemailSettings
from ringback.storage.voicemail.greetings import GreetingStore
from ringback.storage.voicemail.store import VoicemailStore
from tests.support.nodes import HERE, call_manager_settings, port_of, started, voicemail_settings

VOICEMAIL, CALL_MANAGER = "vm1.example.com", "cm1.example.com"
PASSWORDS = {"anita": "anita's password", "bram": "bram's pässword", "chidi": "chidi-pw"}
OWN_PASSWORD = "chidi's own password for voicemail"
SECRETS = PASSWORDS | {"chidi": OWN_PASSWORD}
"""What opens each mailbox."""


def recorded(seconds: float = 1.0, rate: int = 8000) -> bytes:
    """A WAV file with a tone, 16-bit linear."""
    times = np.arange(int(seconds * rate)) / rate
    pcm = (np.sin(2 * np.pi * 440 * times) * 8000).astype(np.int16)
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(pcm.tobytes())
    return buffer.getvalue()


def session_with(node: str, authority: Authority) -> aiohttp.ClientSession:
    """A client that finds a node on loopback and verifies its certificate."""
    resolver = NodeResolver({node: HostPort(HERE, 0)})
    connector = aiohttp.TCPConnector(ssl=client_context(authority.ca_file), resolver=resolver)
    return aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=20))


@dataclass
class Running:
    """A voicemail node and a client that verifies its certificate."""

    service: VoicemailService
    session: aiohttp.ClientSession
    settings: VoicemailSettings
    store: VoicemailStore

    def port(self, service: str) -> int:
        return port_of(self.service, service)

    def url(self, path: str) -> str:
        return f"https://{VOICEMAIL}:{self.port('vmrest')}{path}"

    async def ask(
        self, method: str, path: str, user: str = "anita", *, password: str | None = None, **more: Any
    ) -> tuple[int, str, bytes]:
        """Status, type and body of an answer to this person."""
        given = SECRETS[user] if password is None else password
        headers = {"Authorization": aiohttp.encode_basic_auth(user, given)} | dict(more.pop("headers", {}))
        async with self.session.request(method, self.url(path), headers=headers, **more) as response:
            return response.status, response.content_type, await response.read()

    async def json(self, path: str, user: str = "anita") -> Any:
        status, kind, body = await self.ask("GET", path, user, headers={"Accept": "application/json"})
        assert (status, kind) == (200, "application/json"), body
        return msgspec.json.decode(body)

    async def count(self, user: str, folder: str = "inbox") -> int:
        """How many messages a folder has."""
        return int((await self.json(f"/vmrest/mailbox/folders/{folder}", user))["MessageCount"])

    async def send(
        self, user: str, to: list[str], sound: bytes, subject: str = "", **message: Any
    ) -> tuple[int, bytes]:
        """Send a message as the published interface has it: three parts in order, none with a name."""
        recipients = [{"Type": "TO", "Address": {"SmtpAddress": address}} for address in to]
        with aiohttp.MultipartWriter("mixed") as parts:  # as "form-data" the parts would get names
            parts.headers["Content-Type"] = f"multipart/form-data; boundary={parts.boundary}"
            json = {"Content-Type": "application/json"}
            parts.append(msgspec.json.encode({"Subject": subject, **message}), json)
            parts.append(msgspec.json.encode({"Recipient": recipients}), json)
            parts.append(sound, {"Content-Type": "audio/wav"})
        status, _, body = await self.ask("POST", "/vmrest/messages", user, data=parts)
        return status, body


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def call_manager(
    tmp_path_factory: pytest.TempPathFactory, authority: Authority
) -> AsyncIterator[tuple[str, HostPort]]:
    """The node that knows the passwords, by name and address; the same for all tests of a file."""
    folder = tmp_path_factory.mktemp("callmanager")
    people = tuple(PersonRecord(user=user, password=word) for user, word in PASSWORDS.items())
    settings = replace(call_manager_settings(CALL_MANAGER, folder, authority), people=people)
    async with AsyncExitStack() as stack:
        manager = await started(CallManager(settings), stack)
        yield CALL_MANAGER, HostPort(HERE, port_of(manager, "uds"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node(
    tmp_path_factory: pytest.TempPathFactory, authority: Authority, call_manager: tuple[str, HostPort]
) -> AsyncIterator[Running]:
    """A voicemail service for all tests of a file."""
    async with AsyncExitStack() as stack:
        settings = replace(
            voicemail_settings(VOICEMAIL, tmp_path_factory.mktemp("mail"), authority),
            call_managers=(call_manager,),
            mailboxes=(
                MailboxSettings("anita", "Anita Perez", "anita@example.com", "2001"),
                MailboxSettings("bram", "Bram de Vries", "bram@example.com", "2002"),
                MailboxSettings("chidi", "Chidi Okafor", "chidi@example.com", "2003", password=OWN_PASSWORD),
            ),
            longest_seconds=10.0,
            size_limit=100_000,
        )
        service = VoicemailService(settings)
        await service.start()
        session = await stack.enter_async_context(session_with(VOICEMAIL, authority))
        store = await VoicemailStore.open(settings.database_url)
        stack.push_async_callback(store.close)
        running = Running(service, session, settings, store)

        async def stop() -> None:
            await running.service.stop()  # a test may have started it anew

        stack.push_async_callback(stop)
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def running(node: Running) -> Running:
    """The service, its mailboxes empty and with the standard greetings."""
    greetings = GreetingStore(node.store.engine)
    for user in PASSWORDS:
        for folder in FOLDERS:
            await node.store.remove(user, await node.store.ids(user, folder))
        await node.store.set_limit(user, node.settings.size_limit)
        for kind, now in (await greetings.all(user)).items():
            if now.recorded or (now.enabled and kind != "Standard"):
                await greetings.record(user, kind, None)
                await greetings.switch(user, kind, enabled=kind == "Standard", until=0)
    return node
