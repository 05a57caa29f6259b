"""One lab for all tests of this folder that only look, started as everybody starts it, like all programs here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.support.lab import RunningLab, running_lab
from tests.support.nursery import as_everybody_does


@pytest.fixture(autouse=True)
def _from_nothing() -> Iterator[None]:
    """Here the command itself is tried."""
    with as_everybody_does():
        yield


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    """A running lab with the built-in deployment."""
    with ExitStack() as stack:
        with as_everybody_does():
            running = stack.enter_context(running_lab(tmp_path_factory.mktemp("lab")))
        yield running
