"""160,000 people in OpenLDAP, and all of them in one answer. They take half a minute to load."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator

import pytest

from ringback.client.contacts.sources.base import By, Query, Wanted
from ringback.net.ldap.connection import LdapConnection, LdapServer
from ringback.net.tls import client_context
from ringback.protocols.ldap.filters import present
from ringback.protocols.ldap.search import LdapSearch
from tests.ldap_contacts.conftest import World, parameters
from tests.support.directory import (
    HOST,
    PEOPLE,
    READER,
    READER_PASSWORD,
    CompanyDirectory,
    first_name,
    last_name,
    number,
    running_directory,
)

pytestmark = [pytest.mark.peer, pytest.mark.timeout(600)]
EVERYBODY = 160_000
FIRST = 0.1  # seconds until the first results


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CompanyDirectory]:
    with running_directory(tmp_path_factory.mktemp("many"), EVERYBODY) as made:
        yield made


async def test_first_results_among_all(world: World, many: CompanyDirectory) -> None:
    last = EVERYBODY - 1
    async with world.source(many.ca, parameters(many.clear)) as source:
        await source.search(Query.of("warm"))
        took = []
        for index in range(7, last, last // 40):
            name = f"{first_name(index)} {last_name(index)}"
            for typed in (name[: len(first_name(index)) + 3], last_name(index).ljust(3, "1")[:4], number(index)[:9]):
                began = time.perf_counter()
                page = await source.search(Query.of(typed, 20))
                took.append(time.perf_counter() - began)
                assert page.records
        answers = await source.resolve([Wanted(By.NUMBER, number(index)) for index in range(0, last, last // 20)])
        assert len(answers.found) >= 20
    took.sort()
    assert took[len(took) // 2] < FIRST, f"half of the searches took longer than {took[len(took) // 2]:.3f} s"


async def test_everybody_in_one_answer(many: CompanyDirectory) -> None:
    """All results at once: what else the loop does is not held up, and nothing is lost."""
    context = client_context(many.ca)
    server = LdapServer(HOST, many.clear, secure=False, address=many.address)
    connection = await LdapConnection.open(server, context, 5)
    waits: list[float] = []

    async def pulse() -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(0)
            waits.append(time.perf_counter() - began)

    try:
        await connection.bind(READER, READER_PASSWORD)
        beating = asyncio.create_task(pulse())
        found = await connection.find(LdapSearch(PEOPLE, present("uid"), ("uid",), seconds=300))
        assert len(found.entries) == EVERYBODY
        async with contextlib.aclosing(connection.pages(LdapSearch(PEOPLE, present("uid"), ("uid",)), 1000)) as pages:
            assert sum([len(page.entries) async for page in pages]) == len(found.entries)
        beating.cancel()
        waits.sort()
        assert waits[int(len(waits) * 0.99)] < 0.05, "others wait for their turn"
    finally:
        await connection.close()
