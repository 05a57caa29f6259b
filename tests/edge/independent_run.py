"""A client of somebody else, written from the documents, signs in at a lab's edge from outside."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.support.lab import RunningLab

CLIENT = Path(__file__).with_name("independent_client.py")


def sign_in_independently(lab: RunningLab) -> None:
    """It finds everything where the documents say, as a process of its own that imports nothing of ours."""
    person = next(row for row in lab.info["people"] if row["user"] == "anita")
    told = subprocess.run(
        (sys.executable, "-I", str(CLIENT), person["address"], person["password"], lab.outside, str(lab.ca_file)),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert not told.returncode, told.stderr[-4000:]
    assert "import ringback" not in CLIENT.read_text()
    found = json.loads(told.stdout)
    assert found["edge"] == ["edge.example.com", 8443]
    assert found["sso"] == {"sso": "false", "oauth": "true"}
    assert found["services"]["_cisco-uds"][0] in {"cm1.example.com", "cm2.example.com", "cm-berlin.example.com"}
    assert found["errors"] == {"_cuplogin": "NameError"}
    assert {"httpEdgeServer", "sipEdgeServer", "userUdsServer", "xmppEdgeServer"} <= set(found["edges"])
    assert found["user"] == [200, "anita"]
    assert found["profile"] == [200, "ServiceProfile"]
    assert found["settings"] == [200, "config"]
    assert found["forbidden"] == 403
    assert found["message"] == "noted outside ☕"
