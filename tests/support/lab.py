"""A lab as a process of its own, on a part of the loopback range that no other test uses."""

from __future__ import annotations

import contextlib
import fcntl
import json
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ringback.lab.control import ask
from tests.support.nursery import Process, start_ringback

BUILT_IN = Path(__file__).resolve().parents[2] / "ringback" / "lab" / "example.toml"
START_SECONDS = 40.0  # a loaded machine of two cores; the budget of 5 s is measured elsewhere
TOKEN = "rehearsal"
OUTSIDE_NODE = "client.internet.example"


@contextlib.contextmanager
def loopback_range() -> Iterator[str]:
    """A ``127.N`` of one's own as long as the context lasts, also among test processes that run side by side."""
    with contextlib.ExitStack() as stack:
        for number in range(20, 250):
            lock = stack.enter_context(open(f"/tmp/ringback-test-loopback-{number}", "w"))
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                continue
            with socket.socket() as probe:
                if probe.connect_ex((f"127.{number}.10.2", 53)) == 0:
                    continue  # somebody's lab runs there without a lock
            yield f"127.{number}"
            return
        raise RuntimeError("All loopback ranges for tests are taken")


@dataclass(slots=True)
class RunningLab:
    """A started lab: what it wrote, and its process."""

    process: Process
    loopback: str
    data: Path
    info: dict[str, Any]
    seconds: float
    output: Path

    @property
    def url(self) -> str:
        """The office web client, with its token."""
        return self.url_of("office")

    def url_of(self, network: str) -> str:
        """The web client of a network, with its token."""
        return str(self.info["web"][network])

    def move(self, network: str, node: str = OUTSIDE_NODE) -> int:
        """Have a web client moved to another network; how many connections that cut."""
        return ask(self.data / "nodes" / node, network)

    @property
    def inside(self) -> str:
        """The inside name server, ``address:port``."""
        return str(self.info["nameservers"]["inside"])

    @property
    def outside(self) -> str:
        """The outside name server, ``address:port``."""
        return str(self.info["nameservers"]["outside"])

    @property
    def ca_file(self) -> Path:
        """The certificate of the private authority."""
        return Path(self.info["ca"])

    def endpoint(self, service: str) -> tuple[str, int]:
        """Address and port of the first endpoint of a service."""
        row = next(row for row in self.info["endpoints"] if row["service"] == service)
        return str(row["address"]), int(row["port"])

    def stop(self) -> float:
        """Ctrl-C; the seconds until it ended."""
        return stop(self.process)


def ringback(*words: str) -> list[str]:
    """The command line of ``ringback WORDS``."""
    return [sys.executable, "-c", "from ringback.cli.main import main; main()", *words]


def built_in() -> str:
    """The built-in deployment as text, which ``ringback lab --show`` prints."""
    return BUILT_IN.read_text("utf-8")


def stop(process: Process, number: int = signal.SIGINT, limit: float = 20.0) -> float:
    """Send a signal and wait for the end; the seconds that it took."""
    begin = time.monotonic()
    if process.poll() is None:
        process.send_signal(number)
        try:
            process.wait(limit)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
    return time.monotonic() - begin


def start_until(process: Process, file: Path, output: Path, limit: float = START_SECONDS) -> float:
    """Wait until the process wrote a file; the seconds. Raises RuntimeError with its output where it ended."""
    begin = time.monotonic()
    while not file.exists():
        if process.poll() is not None:
            raise RuntimeError(f"ended with {process.returncode} before it was ready:\n{output.read_text()}")
        if time.monotonic() - begin > limit:
            process.kill()
            raise RuntimeError(f"not ready after {limit} s:\n{output.read_text()}")
        time.sleep(0.02)
    return time.monotonic() - begin


@dataclass(slots=True)
class SplitLab:
    """An enterprise whose presence service is a process of its own, to be killed and started again."""

    rest: RunningLab
    file: Path
    presence: Process

    def kill_presence(self) -> None:
        """End the presence service as a power cut would (SIGKILL)."""
        stop(self.presence, signal.SIGKILL)

    def start_presence(self) -> None:
        """Start the presence service (again) with the state it left; returns when it serves."""
        self.presence = _serve(self.file, self.rest.data, [PRESENCE_NODE])


PRESENCE_NODE = "im1.example.com"
WEB_NODE = "client.office.example.com"


@contextlib.contextmanager
def split_lab(folder: Path) -> Iterator[SplitLab]:
    """The built-in deployment in two processes: the presence service alone, and all the rest."""
    with loopback_range() as loopback:
        folder.mkdir(parents=True, exist_ok=True)
        text = built_in()
        file = folder / "deployment.toml"
        file.write_text(text.replace("127.0.", f"{loopback}.") + f'\n[web]\ntoken = "{TOKEN}"\n')
        data = folder / "data"
        names = [row["name"] for row in tomllib.loads(text)["node"]]
        rest = _serve(file, data, [name for name in names if name != PRESENCE_NODE])
        info = json.loads((data / "lab.json").read_text())
        presence = None
        try:
            lab = RunningLab(rest, loopback, data, info, 0.0, data / "output.txt")
            split = SplitLab(lab, file, _serve(file, data, [PRESENCE_NODE]))
            presence = split
            yield split
        finally:
            if presence is not None:
                stop(presence.presence)
            stop(rest)


@dataclass(slots=True)
class ApartLab:
    """An enterprise one of whose nodes is a process of its own, to be killed and started again."""

    rest: RunningLab
    node: str
    file: Path
    process: Process

    def kill(self) -> None:
        """End the node as a power cut would (SIGKILL)."""
        stop(self.process, signal.SIGKILL)

    def end(self) -> None:
        """End the node, and the others, in order: everything that they keep is written."""
        stop(self.process)
        stop(self.rest.process)

    def start(self) -> None:
        """Start the node again with the state it left; returns when it serves."""
        self.process = _serve(self.file, self.rest.data, [self.node])


@contextlib.contextmanager
def apart_lab(folder: Path, node: str, more: str = "") -> Iterator[ApartLab]:
    """The built-in deployment with one node in a process of its own; ``more``: further tables."""
    with loopback_range() as loopback:
        folder.mkdir(parents=True, exist_ok=True)
        text = built_in()
        file = folder / "deployment.toml"
        file.write_text(text.replace("127.0.", f"{loopback}.") + f'\n[web]\ntoken = "{TOKEN}"\n{more}')
        data = folder / "data"
        names = [row["name"] for row in tomllib.loads(text)["node"]]
        rest = _serve(file, data, [name for name in names if name != node])
        info = json.loads((data / "lab.json").read_text())
        apart = None
        try:
            apart = ApartLab(
                RunningLab(rest, loopback, data, info, 0.0, data / "output.txt"), node, file, _serve(file, data, [node])
            )
            yield apart
        finally:
            if apart is not None:
                stop(apart.process)
            stop(rest)


def _serve(file: Path, data: Path, nodes: list[str]) -> Process:
    data.mkdir(parents=True, exist_ok=True)
    ready = data / "lab.json"
    ready.unlink(missing_ok=True)
    output = file.parent / f"{nodes[0]}.txt"
    words = [word for node in nodes for word in ("--node", node)]
    process = start_ringback(["serve", str(file), "--data", str(data), *words], output)
    start_until(process, ready, output)
    return process


@contextlib.contextmanager
def running_lab(folder: Path, *words: str, loopback: str | None = None) -> Iterator[RunningLab]:
    """Start ``ringback lab`` with state in ``folder`` and further ``words``; it is ended at the end."""
    with contextlib.ExitStack() as stack:
        where = loopback or stack.enter_context(loopback_range())
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "lab.json").unlink(missing_ok=True)
        output = folder / "output.txt"
        output.unlink(missing_ok=True)
        process = start_ringback(["lab", "--data", str(folder), "--loopback", where, "--token", TOKEN, *words], output)
        try:
            seconds = start_until(process, folder / "lab.json", output)
            info = json.loads((folder / "lab.json").read_text())
            yield RunningLab(process, where, folder, info, seconds, output)
        finally:
            stop(process)
