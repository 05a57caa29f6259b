"""Every parser of foreign bytes under atheris: two seconds each here, longer in ``make soak``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.harnesses import HARNESSES

SECONDS = 60 if os.environ.get("RINGBACK_SOAK") else 2


@pytest.mark.soak
@pytest.mark.parametrize("name", HARNESSES)
def test_any_bytes_give_a_result_or_the_documented_error(name: str, tmp_path: Path) -> None:
    done = subprocess.run(
        (sys.executable, "-m", "tests.fuzz.run", name, str(SECONDS), str(tmp_path)),
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        timeout=SECONDS + 90,
        check=False,
    )
    output = (done.stdout + done.stderr).decode(errors="replace")
    assert done.returncode == 0, output[-6000:]
    found = [path.read_bytes() for path in tmp_path.iterdir() if path.is_file()]
    assert not found, output[-6000:]


@pytest.mark.parametrize("name", HARNESSES)
def test_the_seeds_pass(name: str) -> None:
    """A harness that fails on its own seeds would fuzz nothing."""
    for seed in HARNESSES[name].seeds:
        HARNESSES[name].run(seed)
