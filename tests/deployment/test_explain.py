"""``ringback explain``: the way of a call, told from the file alone."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import ringback.lab
from tests.support.lab import ringback as command

EXAMPLE = Path(ringback.lab.__file__).parent / "example.toml"


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (["2002"], 0, ["head-office: 2002 is a line of this cluster", "→ line 2002, Bruno Keller"]),
        (
            ["0049 30 555 30 01"],
            0,
            ["client: The dial rule", "head-office: +49305553001 is a number of cluster branch", "→ line 3001, Leila"],
        ),
        (["2000", "--cluster", "branch"], 0, ["2000 is a number of cluster head-office", "→ line 2000, Reception"]),
        (["4711", "--cluster", "branch"], 1, ["4711 is no number here", "→ nowhere"]),
        (["anita@example.com", "--cluster", "branch"], 0, ["lives in cluster head-office", "→ line 2001, Anita Berg"]),
        (["112", "--cluster", "branch"], 0, ["nothing blocks it", "→ line 2010, Julia Schäfer"]),
        (["*8", "--from", "outside"], 1, ["works only from phones of this cluster", "→ refused"]),
        (["+1 212 555 0123"], 1, ["the deployment has no gateway", "→ nowhere"]),
    ],
)  # fmt: skip
def test_the_way_of_a_call_is_told(words: list[str], status: int, told: list[str]) -> None:
    ended = subprocess.run(command("explain", str(EXAMPLE), *words), capture_output=True, text=True, check=False)
    assert ended.returncode == status, ended.stderr
    for line in told:
        assert line in ended.stdout


def test_an_unknown_cluster_is_a_bad_question() -> None:
    ended = subprocess.run(
        command("explain", str(EXAMPLE), "2001", "--cluster", "moon"), capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert "it has: head-office, branch" in ended.stderr
