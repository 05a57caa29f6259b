"""The edge of a deployment file, started by ``ringback lab`` and asked by curl from outside."""

from __future__ import annotations

import asyncio
import re
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ringback.cli.main import make_app
from ringback.deployment import DeploymentError, load
from ringback.deployment.certificate_plan import needs
from ringback.lab.edge_tenants import tenants
from ringback.net.certificates import looking_context, open_stream
from ringback.net.names import NameClient
from ringback.net.sip_probe import probe_registration
from ringback.net.tls import client_context
from ringback.protocols.edge import EdgeConfiguration, Target
from ringback.protocols.sip.digest import Credentials
from ringback.rules.addresses import HostPort
from tests.edge.independent_run import sign_in_independently
from tests.support.lab import RunningLab, built_in, running_lab
from tests.support.waiting import wait_until


async def _mechanisms(lab: RunningLab, role: str) -> str:
    """How people may prove who they are in XMPP, as the features after TLS tell."""
    door = next(row for row in lab.info["endpoints"] if (row["role"], row["service"]) == (role, "xmpp"))
    async with asyncio.timeout(10):
        reader, writer = await open_stream(door["address"], door["port"], "example.com")
        await writer.start_tls(client_context(lab.ca_file), server_hostname="example.com")
        names = "xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'"
        writer.write(f"<stream:stream to='example.com' version='1.0' {names}>".encode())
        told = await reader.readuntil(b"</stream:features>")
        writer.close()
        return told.decode()


@pytest.mark.peer
def test_people_outside_reach_what_is_theirs(tmp_path: Path) -> None:
    with running_lab(tmp_path / "data") as lab:
        sign_in_independently(lab)
        host, port = next(
            (row["address"], row["port"])
            for row in lab.info["endpoints"]
            if (row["role"], row["service"]) == ("edge-outer", "https")
        )

        right = next(row["password"] for row in lab.info["people"] if row["user"] == "anita")

        def ask(path: str, server: HostPort | None = None, password: str = "") -> tuple[int, str]:
            target = Target("example.com") if server is None else Target("example.com", "https", server)
            words = ("--silent", "--max-time", "10", "--cacert", str(lab.ca_file))
            where = ("--user", f"anita:{password or right}", "--resolve", f"edge.example.com:{port}:{host}")
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
        assert (found.sip, found.route) == (
            (HostPort("edge.example.com", 5061),),
            "<sip:edge.example.com:5061;transport=tls;lr>",
        )
        door = next(
            HostPort(row["address"], row["port"])
            for row in lab.info["endpoints"]
            if (row["role"], row["service"]) == ("edge-outer", "sip-tls")
        )
        for secret, answer in (("reception-phone", 200), ("guess", 403)):
            probe = asyncio.run(
                probe_registration(
                    door, "tls", NameClient(None), looking_context(), "sip:2000@cm1.example.com",
                    Credentials("reception", secret),
                )
            )  # fmt: skip
            assert (probe.status, probe.obstacle) == (answer, None)
        # Who comes by the edge is known by the inner proxy's own address: its TLS ends there, so no channel binding.
        offered = asyncio.run(_mechanisms(lab, "edge-outer"))
        assert "SCRAM-SHA-256" in offered
        assert "-PLUS" not in offered
        assert "-PLUS" in asyncio.run(_mechanisms(lab, "presence"))
        status, body = ask("cucm-uds/user/anita", home)
        assert (status, "<userName>anita</userName>" in body) == (200, True)
        assert ask("ssosp/oauth/keys", home)[0] == 403
        assert ask("ringback/people/anita", home)[0] == 403
        assert ask("ringback/remote-access", home)[0] == 403
        file = tmp_path / "example.toml"
        file.write_text(built_in())

        def command(*words: str) -> str:
            verb, name, *rest = words
            result = CliRunner().invoke(
                make_app(verb), [verb, name, str(file), *rest, "--data", str(tmp_path / "data")]
            )
            assert result.exit_code == 0, result.output
            return result.output

        assert "is reached" in command("edge", "doctor")
        for _ in range(6):
            assert ask("get_edge_config", password="guess")[0] == 401
        assert "anita" in command("edge", "blocks")
        assert ask("get_edge_config", password="guess")[0] == 429  # whoever was let in here lately is known here
        assert "anita at " in command("edge", "unblock", "anita")
        assert ask("get_edge_config")[0] == 200
        assert "https" in command("edge", "figures")
        assert "edge-public.pem" in command("edge", "reload")
        assert command("people", "remote-access", "anita", "none") == "anita: none (set by command)\n"
        wait_until(lambda: ask("get_edge_config")[0] == 403, pause=0.1)
        assert ask("get_edge_config")[1].startswith("Your company does not allow work from outside")


def test_half_an_edge_is_told(tmp_path: Path) -> None:
    file = tmp_path / "example.toml"
    file.write_text(built_in().replace('roles = ["edge-inner"]', 'roles = ["web"]'))
    with pytest.raises(DeploymentError, match="no inner one"):
        load(file)


def test_another_company_of_a_file_is_served_as_that_file_says(tmp_path: Path) -> None:
    other = built_in().replace("example.com", "globex.example").replace("example.net", "globex.test")
    edge = '\n[edge]\nnames = ["edge.globex.example"]\nserved-from = ["127.0.10.41"]\n'
    (tmp_path / "globex.toml").write_text(without_edge(other) + edge)
    file = tmp_path / "example.toml"
    file.write_text(built_in() + '\n[[edge.tenant]]\nfile = "globex.toml"\ndata = "globex"\n')
    host = load(file)
    (found,) = tenants(host, host.nodes("edge-inner")[0], tmp_path)
    assert found.realm == "globex.example"
    wanted = {need.stem: need.dns for need in needs(host)}
    assert wanted["edge-public"] == ("edge.example.com", "example.com")
    wanted = {need.stem: need.dns for need in needs(load(tmp_path / "globex.toml"), multi_server=True)}
    assert wanted["edge-public"] == ("edge.globex.example", "globex.example")
    assert found.names == {"edge.globex.example", "globex.example"}
    assert found.https.domains == {"globex.example"}
    assert all(row.server.host.endswith(".globex.example") for row in found.https.allowed)
    assert found.own.places["https"] == (HostPort("edge.globex.example", 8443),)
    assert found.own.route == "<sip:edge.globex.example:5061;transport=tls;lr>"
    assert found.ca_file == (tmp_path / "globex/certificates/ca.pem")
    (tmp_path / "globex.toml").write_text(without_edge(built_in()) + edge)
    with pytest.raises(DeploymentError, match="belongs to another company"):
        tenants(host, host.nodes("edge-inner")[0], tmp_path)


def without_edge(file: str) -> str:
    """A deployment file without its own edge: the nodes of its two proxies are left out."""
    parts = re.split(r"(?m)^(?=\[\[?)", file)
    return "".join(part for part in parts if "edge-outer" not in part and "edge-inner" not in part)
