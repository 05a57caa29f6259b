"""The benchmark in its short form: each workload runs on our server, the plain ones on the others, and nothing is lost.

No figure is judged: a slow machine is no failure.
"""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

_HOME = Path(__file__).resolve().parents[2]
_OURS = {
    *("messages", "messages, each alone", "messages over TLS", "group deliveries", "group deliveries, each alone"),
    *("presence deliveries", "presence deliveries, each alone", "sign-ins, SCRAM", "sign-ins, SCRAM over TLS"),
    *("sign-ins, token over TLS", "sign-ins, OAUTHBEARER over TLS", "sign-ins, PLAIN over TLS", "idle connection"),
    *("access tokens checked", "access tokens given", "sign-ins by code", "refreshes"),
    *("voicemail, recordings", "voicemail, messages listed", "voicemail, hang-up to badge"),
}
_OTHERS = {"messages over TLS", "group deliveries", "group deliveries, each alone"}
_CALLS = {
    "kamailio": {
        *("registrations", "basic calls", "call set-up, 50 a second", "call set-up beside 1,000 OPTIONS a second"),
    },
    "rtpengine": {"relayed calls, RTP", "relayed calls, SRTP", "calls through the edge: a relay alone"},
    "janus": {"conference, all talk, opus", "conference, all talk, PCMU"},
}
_CALLS_OURS = {
    *("engine, forwarded audio call", "engine's delay, page to phone", "engine's delay, phone to page"),
    *("calls through the edge, outer proxy", "calls through the edge, inner proxy"),
    *("encode opus at 48 kHz", "decode PCMU at 8 kHz", "play-out delay, clean", "play-out delay, jitter 20 ms"),
}


@pytest.mark.peer
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("targets", "words", "workloads"),
    [
        (("ringback",), "message,group,presence,sign-in,idle,tokens,voicemail", _OURS),
        (("prosody", "ejabberd"), "messages over TLS,group", _OTHERS),
    ],
    ids=["ours", "others"],
)
def test_it_runs(targets: tuple[str, ...], words: str, workloads: set[str], tmp_path: Path) -> None:
    results = _run(tmp_path, "--servers", ",".join(targets), "--workloads", words)
    assert {(row["workload"], row["target"]) for row in results} == {
        (workload, target) for workload in workloads for target in targets
    }


@pytest.mark.peer
@pytest.mark.timeout(600)
def test_calls_are_measured_beside_those_of_others(tmp_path: Path) -> None:
    def part(name: str) -> list[dict[str, Any]]:
        folder = tmp_path / name
        folder.mkdir()
        return _run(folder, "--workloads", name)

    parts = ("signalling", "media", "engine", "sound", "edge calls")
    with ThreadPoolExecutor(len(parts)) as side_by_side:  # they wait for most of their time
        results = [row for rows in side_by_side.map(part, parts) for row in rows]
    found = {(row["workload"], row["target"]) for row in results}
    for peer, workloads in _CALLS.items():
        assert {name for name, target in found if target == peer} == workloads
    ours = _CALLS_OURS.union(*_CALLS.values())
    assert ours - {name for name, target in found if target == "ringback"} == set()


def _run(folder: Path, *words: str) -> list[dict[str, Any]]:
    """The rows of a short run."""
    done = subprocess.run(
        (sys.executable, "-m", "bench", "--short", "--results", str(folder), *words),
        cwd=_HOME,
        capture_output=True,
        timeout=570,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()[-4000:]
    (path,) = folder.glob("*.json")
    results: list[dict[str, Any]] = json.loads(path.read_text())["results"]
    costs = [row for row in results if not row["measure"].startswith(("ms", "octets"))]
    assert all(value > 0 for row in costs for value in row["values"])
    return results
