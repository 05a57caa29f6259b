"""One lab for all tests of this folder that only look."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.lab import RunningLab, running_lab
from tests.support.nursery import as_everybody_does


@pytest.fixture(autouse=True, scope="session")
def _from_nothing() -> Iterator[None]:
    """Here the command itself is tried."""
    with as_everybody_does():
        yield


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    """A running lab with the built-in deployment."""
    with running_lab(tmp_path_factory.mktemp("lab")) as running:
        yield running
