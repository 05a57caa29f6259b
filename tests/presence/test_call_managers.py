"""The presence service asks another call manager where one is down, slow or refuses to say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from ringback.deployment.authority import Authority
from ringback.rules.addresses import HostPort
from ringback.services.callmanager.service import CallManager
from ringback.services.callmanager.settings import ApplicationUser, PersonRecord
from ringback.services.presence.credentials import Credentials
from ringback.services.presence.errors import CredentialsUnavailableError
from tests.support.foreign import free_ports
from tests.support.nodes import call_manager_settings, port_of, presence_settings, started
from tests.support.services import CHEAP

NAMES = ("cm1.example.com", "cm2.example.com")
APPLICATION = ApplicationUser("presence", "application password")
PEOPLE = (PersonRecord("anita", "right"), PersonRecord("bernd", "right too"))


class Cluster:
    """Two call managers of one cluster with one database."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._authority = Authority(folder / "authority")
        self._stack = AsyncExitStack()
        self.nodes: list[CallManager] = []

    async def start(self) -> None:
        for name in NAMES:
            node = CallManager(
                replace(
                    call_manager_settings(name, self._folder, self._authority),
                    servers=NAMES,
                    people=PEOPLE,
                    application_users=(APPLICATION,),
                )
            )
            self.nodes.append(await started(node, self._stack))

    async def stop(self) -> None:
        await self._stack.aclose()

    def port(self, number: int) -> int:
        return port_of(self.nodes[number], "uds")

    async def ask(self, *ports: int) -> Credentials:
        """What a presence node asks with that knows the call managers at these ports, the first one first."""
        credentials = Credentials(
            replace(
                presence_settings("im.example.com", "example.com", self._folder, self._authority),
                call_managers=tuple(
                    (name, HostPort("127.0.0.1", port)) for name, port in zip(NAMES, ports, strict=True)
                ),
                application_user=APPLICATION.user,
                application_password=APPLICATION.password,
            )
        )
        await credentials.start()
        self._stack.push_async_callback(credentials.stop)
        return credentials


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    """Both nodes run."""
    made = Cluster(tmp_path)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def silent() -> AsyncIterator[int]:
    """The port of something that takes connections and never says a word."""

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()  # the hello of TLS, and then until the other side gives up
        writer.close()

    async with await asyncio.start_server(hold, "127.0.0.1", 0, limit=2**20) as server:
        yield server.sockets[0].getsockname()[1]


async def answers(credentials: Credentials) -> None:
    """Both ways of signing in work, and a wrong password does not, while the publisher says nothing."""
    await credentials.find_out()
    assert credentials.scram_known
    assert credentials.scram_available
    assert await credentials.check_password("anita", "right")
    assert not await credentials.check_password("nobody", "right")
    with pytest.raises(CredentialsUnavailableError):  # only the person's own node may say that a password is wrong
        await credentials.check_password("anita", "wrong")
    assert (await credentials.verifier("bernd")).iterations == CHEAP.scram_iterations


async def test_the_first_is_down(cluster: Cluster) -> None:
    (closed,) = free_ports(1)
    await answers(await cluster.ask(closed, cluster.port(1)))


async def test_the_first_is_slow(cluster: Cluster, silent: int) -> None:
    """It costs whoever comes first the time to give up on it; others are asked first for a while then."""
    credentials = await cluster.ask(silent, cluster.port(1))
    async with asyncio.timeout(25):
        await answers(credentials)
    began = asyncio.get_running_loop().time()
    assert await credentials.check_password("anita", "right")
    assert asyncio.get_running_loop().time() - began < 2, "the one who answered is asked first from now on"


async def test_the_one_that_answered_before_stops(cluster: Cluster) -> None:
    credentials = await cluster.ask(cluster.port(0), cluster.port(1))
    assert await credentials.exists("anita")
    assert await credentials.exists("bernd")
    await cluster.nodes[0].stop()
    assert await credentials.check_password("anita", "right")
    assert (await credentials.verifier("bernd")).iterations == CHEAP.scram_iterations
    with pytest.raises(CredentialsUnavailableError):
        await credentials.check_password("anita", "wrong")  # another cluster's node would say no as well


async def test_nobody_answers(cluster: Cluster) -> None:
    credentials = await cluster.ask(*free_ports(2))
    for question in (credentials.check_password("anita", "right"), credentials.verifier("anita")):
        with pytest.raises(CredentialsUnavailableError):
            await question
