"""``ringback call`` as a script uses it: who hears what, what is printed, and how it ends."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from ringback.media.players.recorder import WavWriter
from tests.softphone.conftest import PASSWORD, RATE, heard, tone
from tests.support.lab import RunningLab, ringback

LIMIT = 60.0


def command(lab: RunningLab, *words: str) -> list[str]:
    """The command line of ``ringback call`` in a lab."""
    return ringback("call", *words, "--nameserver", lab.inside, "--ca", str(lab.ca_file))


ENVIRONMENT = {**os.environ, "RINGBACK_PASSWORD": PASSWORD}


def write_tone(file: Path, frequency: float, seconds: float) -> None:
    """A file with a tone."""
    writer = WavWriter(file, RATE)
    writer.write(tone(frequency, seconds).pcm)
    writer.close()


def test_one_calls_and_the_other_answers(lab: RunningLab, tmp_path: Path) -> None:
    """Both play, record and press keys; both print how it was."""
    high, low = tmp_path / "high.wav", tmp_path / "low.wav"
    write_tone(high, 880, 4.0)
    write_tone(low, 330, 8.0)
    words = ("bruno@example.com", "--answer", "--play", str(low), "--record", str(tmp_path / "bruno.wav"))
    with subprocess.Popen(
        command(lab, *words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT
    ) as answering:
        assert answering.stderr is not None
        while "Waiting for a call" not in (line := answering.stderr.readline()):
            assert line, "it ended before it waited"
        called = subprocess.run(
            command(
                lab, "anita@example.com", "2002", "--play", str(high), "--record", str(tmp_path / "anita.wav"),
                "--digits", "12#",
            ),
            capture_output=True, text=True, env=ENVIRONMENT, check=False, timeout=LIMIT,
        )  # fmt: skip
        told, _ = answering.communicate(timeout=LIMIT)
    assert called.returncode == 0, called.stderr
    assert answering.returncode == 0
    assert "You and Bruno Keller hear each other well" in called.stdout
    assert "codec\topus" in called.stdout
    assert "keys heard\t12#" in told
    assert abs(heard(tmp_path / "anita.wav")[0] - 330) < 5
    assert abs(heard(tmp_path / "bruno.wav")[0] - 880) < 5


def test_a_number_that_nobody_has_ends_with_1(lab: RunningLab) -> None:
    """The reason is one sentence."""
    ended = subprocess.run(
        command(lab, "anita@example.com", "2998"), capture_output=True, text=True, env=ENVIRONMENT, check=False,
        timeout=LIMIT,
    )  # fmt: skip
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == "The number 2998 is not known"


def test_what_can_not_be_dialled_or_played_is_told(lab: RunningLab, tmp_path: Path) -> None:
    """Nothing to call, no file: status 2 before anything rings; words that are no number: status 1."""
    no_sound = tmp_path / "no.wav"
    for words, status, told in (
        (("anita@example.com",), 2, "Give a number to call"),
        (("anita@example.com", "2002", "--play", str(no_sound)), 2, "No such file"),
        (("anita@example.com", "not a number"), 1, "not a number is neither a number nor an address"),
    ):
        ended = subprocess.run(
            command(lab, *words), capture_output=True, text=True, env=ENVIRONMENT, check=False, timeout=LIMIT
        )
        assert ended.returncode == status, ended.stderr
        assert told in ended.stderr
