"""What every foreign XMPP server of the tests and the benchmark looks like to its users, and how one is started."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tests.support.nursery import Process

START_SECONDS = 30.0
Started = TypeVar("Started", bound=Process)


@dataclass(frozen=True, slots=True)
class ForeignServer:
    """A running server of another maker: where it listens and whom to trust.

    ``port`` speaks STARTTLS, ``tls_port`` TLS from the first byte; ``rooms`` is the domain of its group chats,
    ``ca`` the authority of its certificate, ``pid`` the process that does the work.
    """

    domain: str
    rooms: str
    address: str
    port: int
    tls_port: int
    ca: Path
    pid: int


def free_ports(count: int, address: str = "127.0.0.1") -> tuple[int, ...]:
    """Ports of this address that nobody holds now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind((address, 0))
        return tuple(one.getsockname()[1] for one in sockets)


def wait_for_port(address: str, port: int, process: subprocess.Popen[bytes], seconds: float = START_SECONDS) -> None:
    """Return once the port answers. Raises RuntimeError where the process ends or the time is over before that."""
    deadline = time.monotonic() + seconds
    while True:
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex((address, port)) == 0:
                return
        try:
            process.wait(0.05)
        except subprocess.TimeoutExpired:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{address}:{port} did not answer within {seconds:g} s") from None
        else:
            raise RuntimeError(f"{process.args!r} ended with status {process.returncode}")


@contextlib.contextmanager
def running(
    arguments: Sequence[str], *, folder: Path, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a group of its own with its output in ``folder``/output.txt; its whole group ends with the block."""
    with (folder / "output.txt").open("ab") as output:
        process = subprocess.Popen(
            list(arguments),
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    with ended_with_its_group(process):
        yield process


@contextlib.contextmanager
def ended_with_its_group(process: Started) -> Iterator[Started]:
    """The process and its whole group end with the block."""
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(5)
