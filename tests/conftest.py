"""What all tests of a worker share: a lab that nobody kills or changes, and a PostgreSQL server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.lab import RunningLab, running_lab
from tests.support.nursery import nursery
from tests.support.postgres import Postgres, running_postgres


@pytest.fixture(scope="session", autouse=True)
def _nursery() -> Iterator[None]:
    """Our own programs are forked, unless a test is about their start."""
    with nursery():
        yield


@pytest.fixture(scope="session")
def shared_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    """The built-in deployment, as ``ringback lab`` starts it.

    For tests that leave its processes, files and settings alone, and that take as given nothing but what the file says:
    people may have written and called before. What needs more starts a lab of its own (``running_lab``).
    """
    with running_lab(tmp_path_factory.mktemp("shared-lab")) as running:
        yield running


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A server that gives out empty databases."""
    with running_postgres() as server:
        yield server
