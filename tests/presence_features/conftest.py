"""Databases of both kinds, and a running presence service."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from tests.support.people import Person, sign_in
from tests.support.postgres import Postgres
from tests.support.services import OwnServer, running_presence

PEOPLE = {name: f"{name} has a pass phrase" for name in ("anita", "adam", "ben", "eve")}
SignIn = Callable[..., Awaitable[Person]]


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, once of each kind."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'presence.db'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.fresh_url()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnServer]:
    """A presence service for the tests of a module, once on each kind of database."""
    database = ""
    if request.param == "postgresql":
        postgres: Postgres = request.getfixturevalue("postgres")
        database = postgres.fresh_url()
    with running_presence(tmp_path_factory.mktemp("presence"), PEOPLE, database=database) as own:
        yield own


@pytest.fixture
async def people(server: OwnServer) -> AsyncIterator[SignIn]:
    """Signs people in, and out at the end."""
    signed_in: list[Person] = []

    async def arrive(name: str, resource: str = "desk", *, interests: tuple[str, ...] = ()) -> Person:
        jid = f"{name}@{server.domain}/{resource}"
        person = await sign_in(server.address, server.port, server.ca, jid, PEOPLE[name], interests=interests)
        signed_in.append(person)
        await person.available()
        return person

    yield arrive
    for person in signed_in:
        await person.sign_out()
