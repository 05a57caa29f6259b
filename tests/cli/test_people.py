"""``ringback people search``, ``show --as`` and ``export`` as somebody of the lab types them."""

from __future__ import annotations

import json
from pathlib import Path

from ringback.client.contacts.formats import read_contacts
from tests.cli.conftest import Run

AS = ("--as", "anita@example.com")


def test_search_finds_people_and_says_where(run: Run) -> None:
    found = run("people", "search", "keller", *AS, "--json")
    assert found.returncode == 0, found.stderr
    told = json.loads(found.stdout)
    assert [person["jid"] for person in told["people"]] == ["bruno@example.com"]
    assert [step["source"] for step in told["sources"] if step["state"] == "done"] == ["uds"]
    by_number = run("people", "search", "044 555 20 03", *AS)
    assert by_number.returncode == 0, by_number.stderr
    assert "Chiara Moretti" in by_number.stdout
    assert "chiara@example.com" in by_number.stdout


def test_nobody_is_said_and_told_by_the_status(run: Run) -> None:
    nobody = run("people", "search", "qqqq", *AS)
    assert nobody.returncode == 1
    assert nobody.stderr.strip() == "Nobody fits 'qqqq'"
    assert nobody.stdout == ""


def test_show_tells_all_ways_to_somebody(run: Run) -> None:
    shown = run("people", "show", "+41 44 555 20 11", *AS)
    assert shown.returncode == 0, shown.stderr
    lines = shown.stdout.splitlines()
    assert lines[0] == "Kenji Watanabe"
    for words in ("Head of IT", "kenji@example.com", "+41 44 555 20 11", "Dolores Vega"):
        assert words in shown.stdout, words


def test_show_wants_one_person(run: Run) -> None:
    several = run("people", "show", "e", *AS)
    assert several.returncode == 1
    assert "is not one person" in several.stderr


def test_export_writes_what_others_read(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    done = run("people", "export", *AS, "--to", str(file), "--group", "Operations")
    assert done.returncode == 0, done.stderr
    assert "3 people written" in done.stderr
    read = read_contacts(file.read_bytes(), file.name)
    assert {entry.address for entry in read.entries} == {f"{user}@example.com" for user in ("bruno", "chiara", "emeka")}
    cards = run("people", "export", *AS)
    assert cards.stdout.startswith("BEGIN:VCARD")
    assert cards.returncode == 0
