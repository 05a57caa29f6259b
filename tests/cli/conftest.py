"""One lab for all commands that are tried."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable

import pytest

from tests.support.lab import RunningLab, ringback

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def lab(shared_lab: RunningLab) -> RunningLab:
    """The worker's lab."""
    return shared_lab


@pytest.fixture
def run(lab: RunningLab) -> Run:
    """``ringback WORDS`` in the office of the lab."""

    def run_command(*words: str, password: str = "ringback") -> subprocess.CompletedProcess[str]:
        office = ("--nameserver", lab.inside, "--ca", str(lab.ca_file))
        return subprocess.run(
            ringback(*words, *office),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env={**os.environ, "RINGBACK_PASSWORD": password, "COLUMNS": "200"},
        )

    return run_command
