"""The benchmark in its short form: each workload runs on our server, the plain ones on the others, and nothing is lost.

No figure is judged: a slow machine is no failure.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

_HOME = Path(__file__).resolve().parents[2]
_OURS = {
    *("messages", "messages, each alone", "messages over TLS", "group deliveries", "group deliveries, each alone"),
    *("presence deliveries", "presence deliveries, each alone", "sign-ins, SCRAM", "sign-ins, SCRAM over TLS"),
    *("sign-ins, token over TLS", "sign-ins, PLAIN over TLS", "idle connection"),
    *("relayed calls, RTP", "relayed calls, SRTP", "conference, all talk, opus", "conference, all talk, PCMU"),
}
_OTHERS = {"messages over TLS", "group deliveries", "group deliveries, each alone"}


@pytest.mark.peer
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("targets", "words", "workloads"),
    [(("ringback",), "", _OURS), (("prosody", "ejabberd"), "messages over TLS,group", _OTHERS)],
    ids=["ours", "others"],
)
def test_it_runs(targets: tuple[str, ...], words: str, workloads: set[str], tmp_path: Path) -> None:
    done = subprocess.run(
        (
            *(sys.executable, "-m", "bench", "--short", "--results", str(tmp_path)),
            *("--servers", ",".join(targets), "--workloads", words),
        ),
        cwd=_HOME,
        capture_output=True,
        timeout=570,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()[-4000:]
    (path,) = tmp_path.glob("*.json")
    results = json.loads(path.read_text())["results"]
    assert {(row["workload"], row["target"]) for row in results} == {
        (workload, target) for workload in workloads for target in targets
    }
    assert all(value > 0 for row in results for value in row["values"] if row["unit"] != "connection")
