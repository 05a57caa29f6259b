"""The page of the internet: a process of its own, which the lab starts, moves and ends with itself."""

from __future__ import annotations

import os
import signal
import subprocess
import urllib.request
from pathlib import Path

import pytest

from ringback.lab.control import ControlError
from tests.lab.processes import children, is_gone
from tests.support.lab import OUTSIDE_NODE, ringback, running_lab
from tests.support.waiting import wait_until


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
        lab.process.kill()
        wait_until(lambda: is_gone(page), what="the page outlives the lab")
        assert "Traceback" not in lab.output.read_text()
