"""Every parser of foreign bytes under atheris: some thousand inputs each here, a minute in ``make soak``."""

from __future__ import annotations

import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fuzz.harnesses import HARNESSES
from tests.support.soak import often

SECONDS, RUNS = often(1, 60), often(2000, -1)


@pytest.fixture(scope="module")
def fuzzer() -> Iterator[subprocess.Popen[str]]:
    """Fuzzes what it is told to, one after the other."""
    with subprocess.Popen(
        (sys.executable, "-m", "tests.fuzz.run"),
        cwd=Path(__file__).resolve().parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.soak
@pytest.mark.parametrize("name", HARNESSES)
def test_any_bytes_give_a_result_or_the_documented_error(
    name: str, fuzzer: subprocess.Popen[str], tmp_path: Path
) -> None:
    folder = tmp_path / "found"
    assert fuzzer.stdin is not None
    assert fuzzer.stdout is not None
    fuzzer.stdin.write(f"{name} {SECONDS} {folder} {RUNS}\n")
    fuzzer.stdin.flush()
    ready, _, _ = select.select([fuzzer.stdout], [], [], SECONDS + 90)
    output = folder.with_name("found.output")
    told = output.read_text(errors="replace") if output.exists() else ""
    assert ready, f"no end:\n{told[-6000:]}"
    assert fuzzer.stdout.readline() == "0\n", told[-6000:]
    assert [path.name for path in folder.iterdir()] == ["corpus"], told[-6000:]


@pytest.mark.parametrize("name", HARNESSES)
def test_the_seeds_pass(name: str) -> None:
    """A harness that fails on its own seeds would fuzz nothing."""
    for seed in HARNESSES[name].seeds:
        HARNESSES[name].run(seed)
