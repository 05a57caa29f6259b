"""A call manager with plain SIP phones, made from a deployment file as an administrator writes it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.lab import loopback_range, start_until, stop
from tests.support.nursery import Process, start_ringback

DOMAIN = "calls.example"
PASSWORD = "a-phone-s-pass-phrase"  # no blanks: some foreign programs can't have them


@dataclass(frozen=True, slots=True)
class SipPhone:
    """A phone of the deployment: its number, and what it signs in with."""

    number: str
    user: str
    password: str


@dataclass(frozen=True, slots=True)
class Telephony:
    """A running call manager: where it listens for SIP, whom to trust, its phones, its process and its data."""

    address: str
    port: int
    tls_port: int
    ca: Path
    phones: tuple[SipPhone, ...]
    process: Process
    data: Path

    @property
    def registrar(self) -> str:
        """``address:port`` for UDP and TCP."""
        return f"{self.address}:{self.port}"

    @property
    def tls_registrar(self) -> str:
        """``address:port`` for TLS."""
        return f"{self.address}:{self.tls_port}"


def phones(count: int, first: int = 2001) -> tuple[SipPhone, ...]:
    """Plain phones with numbers in a row."""
    numbers = [str(first + index) for index in range(count)]
    return tuple(SipPhone(number, f"phone{number}", PASSWORD) for number in numbers)


@contextlib.contextmanager
def running_telephony(
    folder: Path, own: Sequence[SipPhone], more: str = "", *, near: bool = True, compiled: Path | None = None
) -> Iterator[Telephony]:
    """The call manager alone in a process of its own, with further tables of the deployment file in ``more``.

    ``near``: at 127.0.0.1, since some phones take no other address of the loopback network for reachable.
    ``compiled``: run the copy of the package in this folder (``scripts/build_compiled.py``)."""
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        address = "127.0.0.1" if near else f"{stack.enter_context(loopback_range())}.10.10"
        file = folder / "deployment.toml"
        file.write_text(_deployment(address, own) + more)
        data = folder / "data"
        data.mkdir(exist_ok=True)
        (data / "lab.json").unlink(missing_ok=True)
        output = folder / "output.txt"
        words = ["serve", str(file), "--data", str(data), "--node", f"cm.{DOMAIN}"]
        process = start_ringback(words, output, _environment(compiled))
        try:
            start_until(process, data / "lab.json", output)
            info = json.loads((data / "lab.json").read_text())
            ports = {row["service"]: row["port"] for row in info["endpoints"]}
            yield Telephony(address, ports["sip"], ports["sip-tls"], Path(info["ca"]), tuple(own), process, data)
        finally:
            stop(process)


def _environment(compiled: Path | None) -> dict[str, str]:
    """What puts the copy before the folder that we are in."""
    return {"PYTHONPATH": str(compiled), "PYTHONSAFEPATH": "1"} if compiled else {}


def _deployment(address: str, own: Sequence[SipPhone]) -> str:
    head = f"""
domain = "{DOMAIN}"

[[cluster]]
name = "main"

[[node]]
name = "cm.{DOMAIN}"
address = "{address}"
roles = ["call-manager"]
cluster = "main"
ports = {{ https = 0, files = 0, files-tls = 0, sip = 0, sip-tls = 0 }}
"""
    rows = [
        f'\n[[device]]\nname = "{phone.user.upper()}"\nuser = "{phone.user}"\npassword = "{phone.password}"\n'
        f'numbers = ["{phone.number}"]\ndisplay-name = "Phone {phone.number}"\n'
        for phone in own
    ]
    return head + "".join(rows)
