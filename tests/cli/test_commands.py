"""The commands as a script uses them: what they print, and how they end."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.cli.conftest import Run
from tests.support.lab import RunningLab, ringback

README = Path(__file__).parents[2] / "README.md"


def test_doctor_finds_a_healthy_person_and_ends_with_0(run: Run) -> None:
    ended = run("doctor", "anita@example.com")
    assert ended.returncode == 0, ended.stdout
    for words in ("_cisco-uds._tcp.example.com SRV", "cm1.example.com:8443", "inside the company network", "TLSv1.3"):
        assert words in ended.stdout


def test_doctor_tells_the_home_cluster_of_another_cluster(run: Run) -> None:
    report = json.loads(run("doctor", "leila@example.com", "--json").stdout)
    assert report["address"] == "leila@example.com"
    assert report["home_cluster"]["host"] == "cm-berlin.example.com"


def test_doctor_names_the_fault_and_ends_with_1(run: Run) -> None:
    ended = run("doctor", "nobody@example.com", "--json")
    assert ended.returncode == 1
    assert json.loads(ended.stdout)["faults"][0]["id"] == "unknown-user"


def test_doctor_refuses_a_bad_question_with_2(run: Run, tmp_path: Path) -> None:
    ended = run("doctor", "anita")
    assert ended.returncode == 2
    assert "anita has no @" in ended.stderr
    for option, words in (
        (("--ca", str(tmp_path / "no.pem")), "There is no file"),
        (("--nameserver", "127.0.0.1:99999"), "'99999' is not a port"),
    ):
        bad = subprocess.run(ringback("doctor", "a@example.com", *option), capture_output=True, text=True, check=False)
        assert bad.returncode == 2
        assert words in bad.stderr


def test_a_message_sent_from_a_script_is_kept_for_who_is_away(run: Run) -> None:
    ended = run("message", "emeka@example.com", "The depot confirmed", "--as", "anita@example.com")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_a_wrong_password_is_one_clear_sentence(run: Run) -> None:
    ended = run("message", "emeka@example.com", "Hello", "--as", "anita@example.com", password="wrong")
    assert ended.returncode == 1
    assert ended.stderr == "The password is not right for anita@example.com\n"


def test_presence_is_a_line_a_person(run: Run) -> None:
    ended = run("presence", "--as", "dolores@example.com")
    assert ended.returncode == 0, ended.stderr
    people = {line.split("\t")[0]: line.split("\t")[1] for line in ended.stdout.splitlines()}
    assert people["kenji@example.com"] == "offline"
    stranger = run("presence", "ivan@example.com", "--as", "dolores@example.com")
    assert stranger.returncode == 1
    assert "not in the contact list" in stranger.stderr


def test_the_example_of_the_readme_runs(lab: RunningLab, run: Run, tmp_path: Path) -> None:
    example = re.search(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    assert example is not None
    assert len(example[1].splitlines()) <= 20
    code = example[1].replace("127.0.10.2:53", lab.inside).replace('"ca.pem"', repr(str(lab.ca_file)))
    assert lab.inside in code
    script = tmp_path / "example.py"
    script.write_text(code)
    process = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ)
    )
    try:
        sent = run("message", "anita@example.com", "stop", "--as", "bruno@example.com")
        assert sent.returncode == 0, sent.stderr
        output, errors = process.communicate(timeout=40)
    finally:
        process.kill()
    assert process.returncode == 0, errors
    assert output == "Bruno Keller says stop\n"
