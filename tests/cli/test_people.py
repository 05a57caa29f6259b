"""``ringback people search``, ``show --as`` and ``export`` as somebody of the lab types them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ringback.client.contacts.formats import read_contacts
from tests.support.lab import RunningLab
from tests.support.nursery import start_ringback

People = Callable[..., tuple[int, str]]


@pytest.fixture
def people(lab: RunningLab, tmp_path: Path) -> People:
    """``ringback people WORDS`` as Anita in the office of the lab: how it ended, and all that it printed."""

    def run(*words: str) -> tuple[int, str]:
        output = tmp_path / "output.txt"
        output.unlink(missing_ok=True)
        own = ("--as", "anita@example.com", "--nameserver", lab.inside, "--ca", str(lab.ca_file))
        process = start_ringback(("people", *words, *own), output, {"RINGBACK_PASSWORD": "ringback", "COLUMNS": "200"})
        return process.wait(60), output.read_text()

    return run


def test_search_finds_people_and_says_where(people: People) -> None:
    status, printed = people("search", "keller", "--json")
    assert status == 0, printed
    told = json.loads(printed)
    assert [person["jid"] for person in told["people"]] == ["bruno@example.com"]
    assert [step["source"] for step in told["sources"] if step["state"] == "done"] == ["uds"]
    status, printed = people("search", "044 555 20 03")
    assert status == 0, printed
    assert "Chiara Moretti" in printed
    assert "chiara@example.com" in printed


def test_address_books_are_searched_too(people: People, tmp_path: Path) -> None:
    book = tmp_path / "trades.vcf"
    book.write_text("BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Pip Plumber\r\nTEL;TYPE=WORK:+41 44 555 77 01\r\nEND:VCARD\r\n")
    status, printed = people("search", "plumber", "--address-book", str(book))
    assert (status, "Pip Plumber" in printed) == (0, True), printed
    gone = tmp_path / "gone.vcf"
    assert people("search", "plumber", "--address-book", str(gone)) == (2, f"There is no address book {gone}\n")


def test_nobody_is_said_and_told_by_the_status(people: People) -> None:
    assert people("search", "qqqq") == (1, "Nobody fits 'qqqq'\n")


def test_show_tells_all_ways_to_somebody(people: People) -> None:
    status, printed = people("show", "+41 44 555 20 11")
    assert status == 0, printed
    assert printed.splitlines()[0] == "Kenji Watanabe"
    for words in ("Head of IT", "kenji@example.com", "+41 44 555 20 11", "Dolores Vega"):
        assert words in printed, words


def test_show_wants_one_person(people: People) -> None:
    status, printed = people("show", "e")
    assert status == 1
    assert "is not one person" in printed


def test_export_writes_what_others_read(people: People, tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    status, printed = people("export", "--to", str(file), "--group", "Operations")
    assert (status, printed) == (0, f"3 people written to {file}\n")
    read = read_contacts(file.read_bytes(), file.name)
    assert {entry.address for entry in read.entries} == {f"{user}@example.com" for user in ("bruno", "chiara", "emeka")}
    status, printed = people("export")
    assert (status, printed[:11]) == (0, "BEGIN:VCARD")
