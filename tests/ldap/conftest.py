"""One OpenLDAP for all, and servers that answer what a test wants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

import pytest

from ringback.net.ldap.connection import LdapServer
from tests.support.slapd import HOST, Directory, running_slapd

PEOPLE = {
    "anita": "anita's password",
    "bernd": "bernd's password, ünïcödé",
    "o'neill": "an apostrophe",
    "smith, john": "a comma",
    "star": "plain",
    "star*": "with a star",
}
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture(scope="session")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Directory]:
    """A real OpenLDAP."""
    with running_slapd(tmp_path_factory.mktemp("slapd"), PEOPLE) as made:
        yield made


@asynccontextmanager
async def badly(talk: Talk, *, secure: bool = False) -> AsyncIterator[LdapServer]:
    """A server without TLS that talks as the test wants."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await talk(reader, writer)
        except ConnectionError:
            return
        finally:
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield LdapServer(HOST, server.sockets[0].getsockname()[1], secure=secure, address="127.0.0.1")
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
