"""The benchmark of single sign-on in its short form: every row has a figure. None is judged."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.single_sign_on import results


@pytest.mark.peer
def test_every_row_is_measured(tmp_path: Path) -> None:
    rows = results(tmp_path, 1, [], short=True)
    assert {(row.workload, row.target) for row in rows} == {
        ("SAML answers checked", "ringback"),
        ("SAML answers given", "ringback"),
        ("SAML answers checked", "pysaml2"),
        ("SAML answers given", "pysaml2"),
        ("single sign-ons by form", "ringback"),
        ("single sign-ons, log-in lives", "ringback"),
    }
    assert all(row.median > 0 for row in rows)
