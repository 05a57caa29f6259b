"""The edge of a deployment file, started by ``ringback lab`` and asked by curl from outside."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ringback.deployment import DeploymentError, load
from ringback.protocols.edge import EdgeConfiguration, Target
from ringback.rules.addresses import HostPort
from tests.support.lab import built_in, running_lab


@pytest.mark.peer
def test_people_outside_reach_what_is_theirs(tmp_path: Path) -> None:
    with running_lab(tmp_path / "data") as lab:
        host, port = next(
            (row["address"], row["port"])
            for row in lab.info["endpoints"]
            if (row["role"], row["service"]) == ("edge-outer", "https")
        )

        right = next(row["password"] for row in lab.info["people"] if row["user"] == "anita")

        def ask(path: str, server: HostPort | None = None, password: str = "") -> tuple[int, str]:
            target = Target("example.com") if server is None else Target("example.com", "https", server)
            words = (
                "--silent",
                "--max-time",
                "10",
                "--cacert",
                str(lab.ca_file),
                "--user",
                f"anita:{password or right}",
            )
            where = ("--resolve", f"edge.example.com:{port}:{host}")
            url = f"https://edge.example.com:{port}/{target.segment()}/{path}"
            asked = ("curl", *words, *where, "--write-out", "%{http_code}", url)
            answer = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=20).stdout
            return int(answer[-3:]), answer[:-3]

        status, body = ask("get_edge_config?service_name=_cisco-uds")
        assert status == 200, body
        found = EdgeConfiguration.parse(body.encode())
        home = found.users[0]
        assert home.host == "cm1.example.com"
        assert {row.server.host for row in found.services[0].servers} == {
            "cm1.example.com",
            "cm2.example.com",
            "cm-berlin.example.com",
        }
        status, body = ask("cucm-uds/user/anita", home)
        assert (status, "<userName>anita</userName>" in body) == (200, True)
        assert ask("ssosp/oauth/keys", home)[0] == 403
        assert ask("ringback/people/anita", home)[0] == 403
        assert ask("get_edge_config", password="guess")[0] == 401


def test_half_an_edge_is_told(tmp_path: Path) -> None:
    file = tmp_path / "example.toml"
    file.write_text(built_in().replace('roles = ["edge-inner"]', 'roles = ["web"]'))
    with pytest.raises(DeploymentError, match="no inner one"):
        load(file)
