"""The benchmark of searches for people in its short form: every way of searching finds somebody, and is measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import people


@pytest.mark.peer
def test_searches_among_few(tmp_path: Path) -> None:
    rows = {(row.workload, row.target): row for row in people.results(tmp_path / "people", 1, [], short=True)}
    targets = {target for name, target in rows if name == "first results among 200 people"}
    assert targets == {"ringback", "ringback over LDAP", "ringback from the cache", "openldap"}
    assert all(value > 0 for row in rows.values() for value in row.values)
    assert {name for name, target in rows if target == "ringback"} >= {
        "people taken over, 200", "a number that all begin with, 200 people", "the client's cache of 200 people",
    }  # fmt: skip
