"""A client of somebody else, written from the documents, signs in at the lab's edge from outside."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.lab import built_in, running_lab

CLIENT = Path(__file__).with_name("independent_client.py")


@pytest.mark.peer
def test_a_client_written_from_the_documents_signs_in_outside(tmp_path: Path) -> None:
    file = tmp_path / "example.toml"
    file.write_text(built_in())
    with running_lab(tmp_path / "data", str(file)) as lab:
        person = next(row for row in lab.info["people"] if row["user"] == "anita")
        told = subprocess.run(
            (sys.executable, "-I", str(CLIENT), person["address"], person["password"], lab.outside, str(lab.ca_file)),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert not told.returncode, told.stderr[-4000:]
    found = json.loads(told.stdout)
    assert found["edge"] == ["edge.example.com", 8443]
    assert found["sso"] == {"sso": "false", "oauth": "true"}
    assert found["services"]["_cisco-uds"][0] in {"cm1.example.com", "cm2.example.com", "cm-berlin.example.com"}
    assert found["errors"] == {"_cuplogin": "NameError"}
    assert {"httpEdgeServer", "userUdsServer", "xmppEdgeServer"} <= set(found["edges"])
    assert found["user"] == [200, "anita"]
    assert found["profile"] == [200, "ServiceProfile"]
    assert found["settings"] == [200, "config"]
    assert found["forbidden"] == 403
    assert found["message"] == "noted outside ☕"
