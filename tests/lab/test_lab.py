"""A whole enterprise in one command: what it says of itself, and how it starts, stops and keeps."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import ssl
import subprocess
import urllib.request
from pathlib import Path

import dns.message
import dns.query
import pytest

from ringback.lab.control import ControlError
from tests.lab.processes import children, is_gone
from tests.support.lab import OUTSIDE_NODE, RunningLab, loopback_range, ringback, running_lab, start_until, stop
from tests.support.waiting import wait_until


def test_lab_json_holds_what_programs_need(lab: RunningLab) -> None:
    assert set(lab.info) == {"domain", "people", "phones", "nameservers", "endpoints", "ca", "web"}
    assert len(lab.info["people"]) >= 12
    anita = next(person for person in lab.info["people"] if person["address"] == "anita@example.com")
    keys = {"address", "user", "password", "name", "number", "extension", "sign_in", "second_factor"}
    assert set(anita) == keys
    assert all(value for name, value in anita.items() if name != "second_factor")
    services = {row["service"] for row in lab.info["endpoints"]}
    assert {"dns", "uds", "ccmcip", "files", "files-tls", "xmpp", "xmpp-tls", "login", "cas"} <= services
    assert {"sip", "sip-tls"} <= services
    sip = {(row["node"], row["service"], row["scheme"], row["port"]) for row in lab.info["endpoints"]}
    for node in ("cm1.example.com", "cm2.example.com", "cm-berlin.example.com"):
        assert {(node, "sip", "sip", 5060), (node, "sip-tls", "sips", 5061)} <= sip
    mail = {service for node, service, _, _ in sip if node == "vm1.example.com"}
    assert mail == {"vmrest", "notify", "notify-tls", "sip", "sip-tls"}
    edge = {(service, scheme, port) for node, service, scheme, port in sip if node == "edge.example.com"}
    assert {("https", "https", 8443), ("xmpp", "xmpp", 5222), ("link", "tls", 7001)} <= edge
    assert set(lab.info["web"]) == {"office", "internet"}
    reception = next(phone for phone in lab.info["phones"] if phone["user"] == "reception")
    assert (reception["numbers"], reception["cluster"]) == (["2000"], "head-office")
    assert all(set(row) == {"role", "node", "service", "scheme", "address", "port"} for row in lab.info["endpoints"])
    assert lab.ca_file.read_text().startswith("-----BEGIN CERTIFICATE-----")
    assert (lab.data / "lab.json").stat().st_mode & 0o077 == 0


def test_every_endpoint_listens_on_its_own_address(lab: RunningLab) -> None:
    for row in lab.info["endpoints"]:
        with socket.create_connection((row["address"], row["port"]), timeout=5):
            pass
    addresses = {(row["node"], row["address"]) for row in lab.info["endpoints"]}
    assert len(addresses) == len({address for _, address in addresses})


@pytest.mark.parametrize("tcp", [False, True])
def test_inside_and_outside_give_two_faces_of_one_name(lab: RunningLab, *, tcp: bool) -> None:
    def ask(server: str) -> list[str]:
        host, port = server.rsplit(":", 1)
        question = dns.message.make_query("_cisco-uds._tcp.example.com", "SRV")
        call = dns.query.tcp if tcp else dns.query.udp
        answer = call(question, host, port=int(port), timeout=5)
        return [record.to_text() for rrset in answer.answer for record in rrset]

    assert any(row.endswith("8443 cm1.example.com.") for row in ask(lab.inside))
    assert ask(lab.outside) == []


def test_names_lead_to_the_ports_of_calls(lab: RunningLab) -> None:
    host, port = lab.inside.rsplit(":", 1)
    for name, expected in (("_sip._udp", 5060), ("_sip._tcp", 5060), ("_sips._tcp", 5061)):
        question = dns.message.make_query(f"{name}.example.com", "SRV")
        answer = dns.query.udp(question, host, port=int(port), timeout=5)
        rows = sorted(record.to_text() for rrset in answer.answer for record in rrset)
        assert rows == sorted(
            [
                f"0 10 {expected} cm1.example.com.",
                f"0 10 {expected} cm2.example.com.",
                f"10 10 {expected} cm-berlin.example.com.",
            ]
        )


def test_configuration_is_served_with_and_without_tls(lab: RunningLab) -> None:
    address, port = lab.endpoint("files")
    with urllib.request.urlopen(f"http://{address}:{port}/jabber-config.xml", timeout=5) as answer:
        plain = answer.read()
    address, port = lab.endpoint("files-tls")
    context = ssl.create_default_context(cafile=str(lab.ca_file))
    with urllib.request.urlopen(f"https://{address}:{port}/jabber-config.xml", timeout=5, context=context) as answer:
        assert answer.read() == plain
    assert b"<config" in plain


def test_web_client_wants_its_token(lab: RunningLab) -> None:
    bare = lab.url.partition("?")[0]
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(bare, timeout=5)
    assert refused.value.code == 401
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    with browser.open(lab.url, timeout=5) as answer:
        assert b"Ringback" in answer.read()


def test_a_taken_port_is_said_clearly_and_the_next_is_used(lab: RunningLab, tmp_path: Path) -> None:
    taken = socket.socket()
    with loopback_range() as loopback, taken:
        taken.bind((f"{loopback}.0.1", 8080))
        taken.listen()
        with running_lab(tmp_path / "second", loopback=loopback) as second:
            assert ":8081/" in second.url
            assert "Port 8080 is taken" in second.output.read_text()


def test_ctrl_c_ends_cleanly_in_two_seconds_and_state_is_kept(tmp_path: Path) -> None:
    with running_lab(tmp_path / "state") as first:
        authority = first.ca_file.read_bytes()
        (page,) = children(first.process.pid)
        assert first.stop() < 2.0
        assert first.process.returncode == 0
        assert is_gone(page)
        assert not (first.data / "nodes" / OUTSIDE_NODE / "control").exists()
        assert "Traceback" not in first.output.read_text()
    with running_lab(tmp_path / "state") as second:
        assert second.ca_file.read_bytes() == authority
        # Where the page of the internet is killed, it is told, and everything else goes on.
        (page,) = children(second.process.pid)
        os.kill(page, signal.SIGKILL)
        wait_until(
            lambda: "web client ended" in second.output.read_text(), what="the lab does not say that the page is gone"
        )
        with pytest.raises(ControlError, match="does not run"):
            second.move("office")
        with socket.create_connection(second.endpoint("xmpp"), timeout=5):
            pass
        assert second.stop() < 2.0
        assert second.process.returncode == 0


def test_no_password_of_the_file_is_kept_beside_lab_json(lab: RunningLab) -> None:
    kept = [path for path in lab.data.rglob("*") if path.is_file() and path.name not in {"lab.json", "output.txt"}]
    assert any(path.suffix == ".db" for path in kept)
    for path in kept:
        assert b'"ringback"' not in path.read_bytes()


def test_serve_runs_each_node_as_a_process_of_its_own(tmp_path: Path) -> None:
    with loopback_range() as loopback:
        text = subprocess.run(ringback("lab", "--show"), capture_output=True, text=True, check=True).stdout
        file = tmp_path / "office.toml"
        file.write_text(text.replace("127.0.", f"{loopback}."))
        nodes = ["ns.office.example.com", "cm1.example.com", "cm-berlin.example.com", "im1.example.com"]
        processes = []
        try:
            for node in nodes:
                data = tmp_path / "data"
                (data / "lab.json").unlink(missing_ok=True)
                output = tmp_path / f"{node}.txt"
                with output.open("w") as out:
                    process = subprocess.Popen(
                        ringback("serve", str(file), "--node", node, "--data", str(data)),
                        stdout=out, stderr=subprocess.STDOUT, text=True, env=dict(os.environ),
                    )  # fmt: skip
                processes.append(process)
                start_until(process, data / "lab.json", output)
            with socket.create_connection((f"{loopback}.10.20", 5222), timeout=5):
                pass
        finally:
            ends = [stop(process, signal.SIGTERM) for process in processes]
        assert all(process.returncode == 0 for process in processes)
        assert max(ends) < 3.0
        shutil.rmtree(tmp_path / "data")


def test_an_unusable_file_is_refused_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_text('domain = "example.com"\nnode = 3\n')
    for verb in ("check", "serve", "lab"):
        ended = subprocess.run(ringback(verb, str(file)), capture_output=True, text=True, check=False)
        assert ended.returncode == 2
        assert "line 2: node: expected `array`" in ended.stderr
