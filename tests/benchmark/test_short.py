"""The benchmark in its short form: every workload runs on every server, and nothing is lost."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

_HOME = Path(__file__).resolve().parents[2]


@pytest.mark.peer
@pytest.mark.timeout(180)
def test_every_workload_runs(tmp_path: Path) -> None:
    done = subprocess.run(
        (sys.executable, "-m", "bench", "--short", "--results", str(tmp_path)),
        cwd=_HOME,
        capture_output=True,
        timeout=170,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()[-4000:]
    (path,) = tmp_path.glob("*.json")
    results = json.loads(path.read_text())["results"]
    rows = {(row["workload"], row["target"]) for row in results}
    for target in ("ringback", "prosody", "ejabberd"):
        for workload in ("messages", "messages over TLS", "group deliveries", "presence deliveries"):
            assert (workload, target) in rows
    assert ("sign-ins, token over TLS", "ringback") in rows
    assert ("idle connection", "ringback") in rows
    assert all(value > 0 for row in results for value in row["values"] if row["unit"] != "connection")
