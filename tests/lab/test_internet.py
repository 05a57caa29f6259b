"""The page of the internet: a process of its own, which the lab starts, moves and ends with itself."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from ringback.lab.control import ControlError
from tests.support.lab import OUTSIDE_NODE, ringback, running_lab

SECONDS = 10.0


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for it. Raises AssertionError."""
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def children(pid: int) -> list[int]:
    """The processes that a process started."""
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_gone(pid: int) -> bool:
    """Whether a process ended."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def test_the_page_of_the_internet_is_a_process_apart_that_moves_and_ends_with_the_lab(tmp_path: Path) -> None:
    with running_lab(tmp_path / "lab") as lab:
        (page,) = children(lab.process.pid)
        browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        with browser.open(lab.url_of("internet"), timeout=5) as answer:
            assert b"Ringback" in answer.read()
        assert lab.url_of("internet").startswith(f"http://{lab.loopback}.20.100:8080/")

        told = subprocess.run(
            ringback("move", OUTSIDE_NODE, "office", "--data", str(lab.data)),
            capture_output=True,
            text=True,
            check=True,
        )
        assert told.stdout == f"{OUTSIDE_NODE} is in the network office now; 0 of its connections were cut\n"
        assert lab.move("internet") == 0
        with pytest.raises(ControlError, match="nothing about a network 'moon'"):
            lab.move("moon")
        nobody = ringback("move", "client.office.example.com", "internet", "--data", str(lab.data))
        refused = subprocess.run(nobody, capture_output=True, text=True, check=False)
        assert (refused.returncode, "No web client client.office.example.com" in refused.stderr) == (1, True)

        os.kill(page, signal.SIGINT)  # Ctrl-C in a terminal is sent to both, and the lab says when to end
        assert lab.move("internet") == 0
        assert lab.stop() < 2.0
        assert lab.process.returncode == 0
        assert is_gone(page)
        assert "Traceback" not in lab.output.read_text()
        assert not (lab.data / "nodes" / OUTSIDE_NODE / "control").exists()


def test_whichever_of_the_two_is_killed_the_other_knows(tmp_path: Path) -> None:
    with running_lab(tmp_path / "lab") as lab:
        (page,) = children(lab.process.pid)
        os.kill(page, signal.SIGKILL)
        until(lambda: "web client ended" in lab.output.read_text(), "the lab does not say that the page is gone")
        with pytest.raises(ControlError, match="does not run"):
            lab.move("office")
        with socket.create_connection(lab.endpoint("xmpp"), timeout=5):
            pass
        assert lab.stop() < 2.0
        assert lab.process.returncode == 0

    with running_lab(tmp_path / "lab") as lab:  # the state of before serves again
        (page,) = children(lab.process.pid)
        lab.process.kill()
        until(lambda: is_gone(page), "the page outlives the lab")
