"""What a running deployment says of itself: ``lab.json`` for programs, a table for people."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ringback.deployment.identity_provider import by_single_sign_on
from ringback.deployment.numbers import Numbering
from ringback.deployment.sign_in import method_of
from ringback.lab import browser
from ringback.lab.compose import Composition
from ringback.lab.state import DataFolder
from ringback.rules.addresses import HostPort

LAB_JSON = "lab.json"

_ROLES = {
    "names": "Names",
    "call-manager": "Call manager",
    "identity-provider": "Sign-in",
    "presence": "Presence",
    "voicemail": "Voicemail",
    "edge-outer": "Edge (outer)",
    "edge-inner": "Edge (inner)",
    "messenger": "Cloud look-up",
    "web": "Web client",
}


_OPEN = {"office": "Open", "internet": "Open as from outside, without VPN:"}


def write_lab_json(composition: Composition, folder: DataFolder) -> Path:
    """Write ``lab.json`` into the data folder; the path. It holds passwords of the file, so it is the owner's only."""
    return folder.write_json(LAB_JSON, description(composition))


def description(composition: Composition) -> dict[str, Any]:
    """The content of ``lab.json``."""
    deployment = composition.deployment
    numbering = Numbering(deployment)
    return {
        "domain": deployment.domain,
        "people": [
            {
                "address": f"{person.user}@{deployment.domain}",
                "user": person.user,
                "password": person.password,
                "name": person.name,
                "number": person.number,
                "extension": numbering.extension(person),
                "sign_in": method_of(deployment, deployment.home_of(person)),
                "second_factor": person.second_factor,
            }
            for person in deployment.person
        ],
        "phones": [
            {
                "name": device.name,
                "user": device.user or device.name,
                "password": device.password,
                "numbers": list(numbering.lines(device)),
                "cluster": numbering.home(device),
            }
            for device in deployment.device
        ],
        "nameservers": {view: str(server) for view, server in composition.name_servers.items()},
        "endpoints": [asdict(endpoint) for endpoint in composition.endpoints],
        "ca": str(composition.ca_file),
        "web": composition.web_urls,
    }


def announce(console: Console, composition: Composition, lab_json: Path, *, is_lab: bool, temporary: bool) -> None:
    """Print where everything is and how to sign in."""
    deployment = composition.deployment
    console.print()
    console.print(Text(f"{deployment.organisation or deployment.domain} is running", style="bold"))
    console.print(_table(composition))
    for line in composition.notes:
        console.print(Text(line, style="yellow"))
    console.print()
    for network, url in composition.web_urls.items():
        words = _OPEN.get(network, f"Open, in the network {network}:")
        console.print(Text.assemble(f"{words} ", (url, "bold cyan underline")), soft_wrap=True)
    if is_lab and deployment.person and composition.web_urls:
        first, second = (*deployment.person, *deployment.person)[:2]
        console.print(
            f"Sign in as {first.user}@{deployment.domain} with the password {first.password!r}; "
            f"in a private window as {second.user}@{deployment.domain}."
        )
    if words := browser.line(composition, lab_json.parent / "browser"):
        clusters = ", ".join(sorted(by_single_sign_on(deployment)))
        console.print(
            f"People of {clusters} sign in at a log-in page. A browser that finds it (or: --browser):", soft_wrap=True
        )
        console.print(words, soft_wrap=True, highlight=False, markup=False)
    if inside := composition.name_servers.get("inside"):
        question = f"{_command()} doctor {_anybody(composition)} --nameserver {inside} --ca {composition.ca_file}"
        console.print(f"Ask the doctor: {question}", soft_wrap=True)
    console.print(f"For programs: {lab_json}", soft_wrap=True)
    if is_lab:
        console.print("State is temporary; --data DIR keeps it." if temporary else "State is kept.", end=" ")
    console.print("Ctrl-C ends it.")


def _command() -> str:
    """How this program is called here: by its name where that works, else by its path."""
    return "ringback" if shutil.which("ringback") else os.path.relpath(sys.argv[0])


def _anybody(composition: Composition) -> str:
    people = composition.deployment.person
    return f"{people[0].user if people else 'name'}@{composition.deployment.domain}"


def _table(composition: Composition) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("Role", "Node", "Service"):
        table.add_column(heading)
    table.add_column("Address", no_wrap=True, min_width=30)  # names may be cut on a narrow terminal, addresses not
    last = ""
    for endpoint in composition.endpoints:
        role = _ROLES.get(endpoint.role, endpoint.role)
        fresh = endpoint.node != last
        last = endpoint.node
        address = f"{endpoint.scheme}://{HostPort(endpoint.address, endpoint.port)}"
        table.add_row(role if fresh else "", endpoint.node if fresh else "", endpoint.service, address)
    return table
