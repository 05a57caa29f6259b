"""The edge behind a real firewall: only the link of the inner proxy leaves the office, only the ports of the edge are
seen outside, and somebody outside signs in, chats and calls. Where no namespaces can be made, loopback addresses and a
fence around the one outside stand for them."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.edge.visitor import Part, Report
from tests.support.lab import RunningLab, built_in, running_lab, start_until, stop
from tests.support.namespaces import (
    CLOUD,
    EDGE,
    LINK,
    LINK_ADDRESS,
    OFFICE,
    WORLD,
    Namespaces,
    allowed,
    namespaces,
)
from tests.support.nursery import Process, start_module, start_ringback

SECONDS = 60.0
PORTS = {8443, 5222, 5061}
MEDIA = 10_000  # ports of media that the firewall lets through
_HERE = (("127.0.10.", OFFICE), ("127.0.15.", LINK), ("127.0.20.", WORLD), ("127.0.30.", CLOUD))


@dataclass(slots=True)
class Company:
    """What runs: where names are answered, what there is inside, and the folder of the data."""

    folder: Path
    nameservers: dict[str, str]
    inside: list[str]
    ca: str
    edge: str
    link: str
    held: list[str] = field(default_factory=list)
    spaces: Namespaces | None = None

    def network(self, place: str) -> str:
        """The namespace of a place, for programs that are started there."""
        return self.spaces.name(place) if self.spaces is not None else ""


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    folder = tmp_path_factory.mktemp("edge")
    with behind_a_firewall(folder) if allowed() else on_loopback(folder) as running:
        yield running


@contextlib.contextmanager
def behind_a_firewall(folder: Path) -> Iterator[Company]:
    """The roles of the built-in deployment, each in the namespace where its machine would stand."""
    text = built_in().replace("127.0.20.40", EDGE)
    for there, here in _HERE:
        text = text.replace(there, f"{here}.")
    # The firewall holds whoever is outside, not a fence; and the page of the office has no part in this.
    text = text.replace(f'reach = ["{WORLD}.0/24", "{CLOUD}.0/24"]', "")
    file = folder / "office.toml"
    file.write_text(text)
    nodes: dict[str, list[dict[str, Any]]] = {"world": [], "outer": [], "office": []}
    for row in tomllib.loads(text)["node"]:
        place = "outer" if "edge-outer" in row["roles"] else "office" if row["address"].startswith(OFFICE) else "world"
        if "web" not in row["roles"]:
            nodes[place].append(row)
    addresses = {place: [row["address"] for row in rows] for place, rows in nodes.items()}
    addresses["world"].append(f"{WORLD}.100")
    with namespaces(addresses) as spaces, contextlib.ExitStack() as stack:
        endpoints = []
        for place, rows in nodes.items():
            info = serve(file, folder / "data", [row["name"] for row in rows], spaces.name(place), stack)
            endpoints += [row for row in info["endpoints"] if place == "office"]
        until(lambda: answers(spaces), "the edge does not answer")
        yield Company(
            folder,
            info["nameservers"],
            [f"{row['address']}:{row['port']}" for row in endpoints],
            info["ca"],
            EDGE,
            LINK_ADDRESS,
            spaces=spaces,
        )


@contextlib.contextmanager
def on_loopback(folder: Path) -> Iterator[Company]:
    """The lab; who is outside is held to the outer network by the same policy as the page of the internet."""
    with running_lab(folder / "data") as lab:
        inside = [
            f"{row['address']}:{row['port']}"
            for row in lab.info["endpoints"]
            if not row["address"].startswith((f"{lab.loopback}.20.", f"{lab.loopback}.30."))
        ]
        held = [f"{lab.loopback}.20.101", f"{lab.loopback}.20.0/24"]
        edge, link = f"{lab.loopback}.20.40", f"{lab.loopback}.15.40"
        until(lambda: page_of(lab), "the edge does not answer")
        yield Company(folder, lab.info["nameservers"], inside, str(lab.ca_file), edge, link, held)


def page_of(lab: RunningLab) -> bool:
    """Whether the edge answers to HTTPS on loopback."""
    return b"HTTP" in asked(f"https://{lab.loopback}.20.40:8443/")


def answers(spaces: Namespaces) -> bool:
    """Whether the edge answers to HTTPS in the world."""
    return b"HTTP" in asked(f"https://{EDGE}:8443/", "ip", "netns", "exec", spaces.name("world"))


def asked(url: str, *before: str) -> bytes:
    """What a foreign client is answered; no matter by whom."""
    words = (*before, "curl", "--silent", "--insecure", "--head", "--max-time", "3", url)
    return subprocess.run(words, capture_output=True, check=False).stdout


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for it. Raises AssertionError."""
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.1)


def serve(file: Path, data: Path, nodes: list[str], network: str, stack: contextlib.ExitStack) -> dict[str, Any]:
    """Run these nodes in a namespace; what they say of themselves."""
    data.mkdir(exist_ok=True)
    (data / "lab.json").unlink(missing_ok=True)
    output = file.parent / f"{nodes[0]}.txt"
    words = [word for node in nodes for word in ("--node", node)]
    process = start_ringback(["serve", str(file), "--data", str(data), *words], output, network=network)
    stack.callback(stop, process)
    start_until(process, data / "lab.json", output)
    info: dict[str, Any] = json.loads((data / "lab.json").read_text())
    return info


def person(company: Company, me: str, other: str, number: str, tone: float, hears: float, *, outside: bool) -> Part:
    """Somebody's part of the morning."""
    server = company.nameservers["outside" if outside else "inside"]
    return Part(
        f"{me}@example.com",
        f"{other}@example.com",
        number,
        "ringback",
        server,
        company.ca,
        str(company.folder / f"{me}@example.com"),
        tone,
        hears,
        calls=outside,
        held=company.held if outside else [],
        tries=[*company.inside, f"{company.link}:7001"] if outside else [],
    )


def begin(company: Company, part: Part, place: str) -> tuple[Process, Path]:
    """Let somebody live through the morning at a place."""
    output = company.folder / f"{part.me}.txt"
    words = [msgspec.json.encode(part).decode()]
    return start_module("tests.edge.visitor", words, output, company.network(place)), output


def ended(process: Process, output: Path) -> Report:
    """How it went."""
    status = process.wait(SECONDS)
    text = output.read_text()
    assert status == 0, text
    return msgspec.json.decode(text.splitlines()[-1], type=Report)


def test_somebody_in_the_world_signs_in_chats_and_calls(company: Company) -> None:
    outside = begin(company, person(company, "anita", "bruno", "2002", 440, 660, outside=True), "world")
    inside = begin(company, person(company, "bruno", "anita", "2001", 660, 440, outside=False), "office")
    anita, bruno = ended(*outside), ended(*inside)
    assert (anita.place, bruno.place) == ("outside", "inside")
    assert (anita.read, bruno.read) == (["from bruno@example.com"], ["from anita@example.com"])
    assert anita.found == bruno.found == ["Chiara Moretti"]
    for one, tone in ((anita, 660), (bruno, 440)):
        assert abs(one.frequency - tone) < 10, one
        assert one.share > 0.8, one
    assert anita.reached == [], "somebody outside reaches what is inside"


def test_a_scan_finds_what_the_edge_offers_and_nothing_else(company: Company) -> None:
    if company.spaces is None:
        everywhere = scan(f"{company.edge.rpartition('.')[0]}.99", "-")  # of this computer, at all its addresses
        assert scan(company.edge, "-") - everywhere == PORTS
        return
    spaces = company.spaces
    world, outer = spaces.name("world"), spaces.name("outer")
    before = spaces.refused()
    assert scan(company.edge, "-", network=world) == PORTS
    inside = sorted({row.rpartition(":")[0] for row in company.inside})
    ports = ",".join(sorted({row.rpartition(":")[2] for row in company.inside} | {"22", "7001", "7002"}))
    for place in (world, outer):  # whoever took the outer proxy is no further either
        assert scan(*inside, f"{OFFICE}.1", ports, network=place) == set()
    assert scan(company.link, "-", network=world) == set()
    assert spaces.refused() - before > 2 * 65_000

    # The outer proxy takes links from the inner one only, and datagrams of the world at the ports of media only.
    came = spaces.datagrams("outer")
    flood = """import socket, sys
one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for address in sys.argv[1:]:
    for port in range(1, 65536):
        one.sendto(b"x", (address, port))"""
    spaces.run("world", sys.executable, "-c", flood, company.edge, company.link, inside[0])
    assert 0 < spaces.datagrams("outer") - came <= MEDIA
    assert spaces.datagrams("office") == 0


def scan(*words: str, network: str = "") -> set[int]:
    """The open TCP ports that a foreign scanner finds at these addresses; the last word names the ports."""
    *addresses, ports = words
    inside = ("ip", "netns", "exec", network) if network else ()
    program = ("nmap", "-n", "-Pn", "-sT", "--min-rate", "5000", "--max-retries", "1", "-oG", "-", f"-p{ports}")
    found = subprocess.run((*inside, *program, *addresses), capture_output=True, text=True, check=True, timeout=60)
    lines = [line.partition("Ports: ")[2].partition("\t")[0] for line in found.stdout.splitlines() if "Ports: " in line]
    rows = [row.strip().split("/") for line in lines for row in line.split(",")]
    return {int(row[0]) for row in rows if row[1:2] == ["open"]}
