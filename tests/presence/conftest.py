"""A call manager and a presence service for these tests, in processes of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest

from tests.presence.talk import Talk, sign_in
from tests.support.services import OwnServer, running_presence

PEOPLE = {name: f"the password of {name}" for name in ("anita", "bernd", "carla", "dora", "emil", "fritz")}

SignIn = Callable[..., Awaitable[Talk]]


@pytest.fixture(scope="session")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnServer]:
    """Our service with SQLite."""
    with running_presence(tmp_path_factory.mktemp("own"), PEOPLE) as server:
        yield server


@pytest.fixture
async def enter(own: OwnServer) -> AsyncIterator[SignIn]:
    """Sign people in (direct TLS, PLAIN); they are gone after the test."""
    talks: list[Talk] = []

    async def one(user: str, resource: str = "desk", *, available: bool = True) -> Talk:
        talk = await sign_in(own, user, PEOPLE[user], resource, available=available)
        talks.append(talk)
        return talk

    yield one
    for talk in talks:
        await talk.leave()
