"""An enterprise whose every node is a process of its own, with two outer and two inner edge proxies, to be killed."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.support.lab import loopback_range, stop
from tests.support.nursery import Process, start_ringback
from tests.support.waiting import wait_until

NAMES, FIRST, SECOND, PRESENCE = "ns.example.com", "cm1.example.com", "cm2.example.com", "im1.example.com"
OUTERS = ("edge1.example.com", "edge2.example.com")
INNERS = ("edge-in1.example.com", "edge-in2.example.com")
PHONES_FROM = 4000
"""The extension of the first of those people who have a telephone; the next ones follow."""

_START_SECONDS = 150.0  # passwords of 500 people are hashed at the first start
_NODES: Final = (
    # name, the end of its address inside or in the world, role, and what else it needs
    (NAMES, "10.2", "names", 'view = "inside"\nports = { dns = 15353 }'),
    (FIRST, "10.10", "call-manager", 'cluster = "office"'),
    (SECOND, "10.12", "call-manager", 'cluster = "office"'),
    (PRESENCE, "10.20", "presence", ""),
    (OUTERS[0], "20.40", "edge-outer", 'link-address = "127.0.15.40"\nnetwork = "internet"'),
    (OUTERS[1], "20.41", "edge-outer", 'link-address = "127.0.15.41"\nnetwork = "internet"'),
    (INNERS[0], "10.41", "edge-inner", ""),
    (INNERS[1], "10.42", "edge-inner", ""),
)
_COMPANY: Final = """
domain = "example.com"
organisation = "Example"

[[cluster]]
name = "office"

[[zone]]
name = "example.com"
view = "inside"
publish = ["addresses", "call-manager", "presence"]
records = ["files A 127.0.10.10"]

[dial-plan]
extension-digits = 0

[calls]
keep-alive-seconds = 5
"""


def _office() -> str:
    """The deployment file, without people."""
    nodes = (
        f'\n[[node]]\nname = "{name}"\naddress = "127.0.{end}"\nroles = ["{role}"]\n{more}\n'
        for name, end, role, more in _NODES
    )
    return _COMPANY + "".join(nodes)


def person(number: int) -> str:
    """The user name of somebody."""
    return f"u{number:03}"


def password(user: str) -> str:
    """Of somebody."""
    return f"pass phrase of {user}"


def phone_password(user: str) -> str:
    """Of somebody's telephone, whose user name ends in ``-phone``."""
    return f"phone-of-{user}"


@dataclass
class Nodes:
    """The processes. ``groups``: which nodes share one."""

    file: Path
    data: Path
    loopback: str
    people: int
    groups: tuple[tuple[str, ...], ...]
    processes: dict[str, Process] = field(default_factory=dict)

    @property
    def ca_file(self) -> Path:
        """The certificate of the private authority."""
        return self.data / "certificates" / "ca.pem"

    def address(self, name: str) -> str:
        """Of a node, towards those who ask it for something."""
        return next(f"{self.loopback}.{end}" for node, end, _, _ in _NODES if node == name)

    def household(self, number: int) -> str:
        """The address that somebody comes from."""
        return f"{self.loopback}.{100 + number // 250}.{1 + number % 250}"

    def begin(self, name: str) -> None:
        """Start a process (again) without waiting for it."""
        group = next(group for group in self.groups if name in group)
        words = [word for node in group for word in ("--node", node)]
        output = self.data / f"{group[0]}.txt"
        self.processes[group[0]] = start_ringback(
            ["serve", str(self.file), "--data", str(self.data), "--log", "warning", *words],
            output,
            {"COLUMNS": "200", **({"TERM": os.environ["TERM"]} if "TERM" in os.environ else {})},
        )

    def kill(self, name: str) -> None:
        """End a node, and those of its process, as a power cut would."""
        stop(self.processes[next(group[0] for group in self.groups if name in group)], signal.SIGKILL)

    def end(self, name: str) -> float:
        """End it in order; the seconds that this took."""
        return stop(self.processes[next(group[0] for group in self.groups if name in group)], signal.SIGTERM)

    def wait_for(self, name: str, port: int) -> None:
        """Until a node takes connections. Raises RuntimeError where its process ends, or the time is over."""
        group = next(group for group in self.groups if name in group)

        def is_there() -> bool:
            with socket.socket() as probe:
                probe.settimeout(1)
                if probe.connect_ex((self.address(name), port)) == 0:
                    return True
            if self.processes[group[0]].poll() is not None:
                raise TimeoutError("its process ended")
            return False

        try:
            wait_until(is_there, _START_SECONDS)
        except TimeoutError as error:
            said = (self.data / f"{group[0]}.txt").read_text()[-3000:]
            raise RuntimeError(f"{name} does not answer at port {port}: {said}") from error

    def wait_until_served(self, outer: str) -> None:
        """Until an inner proxy serves what comes to this outer one. Raises TimeoutError."""
        context = ssl.create_default_context(cafile=str(self.ca_file))

        def is_served() -> bool:
            try:
                with (
                    socket.create_connection((self.address(outer), 8443), 5) as plain,
                    context.wrap_socket(plain, server_hostname="example.com"),
                ):
                    return True
            except OSError:
                return False

        wait_until(is_served, pause=0.05, what=f"nobody serves what comes to {outer}")


@contextlib.contextmanager
def edge_nodes(
    folder: Path, people: int, *, phones: int = 0, groups: Sequence[Sequence[str]] = (), more: str = ""
) -> Iterator[Nodes]:
    """All of them running. ``phones``: how many people have a telephone; ``more``: further tables."""
    whole = tuple(tuple(group) for group in groups)
    named = {name for group in whole for name in group}
    single = tuple((name,) for name, *_ in _NODES if name not in named)
    with loopback_range() as loopback, contextlib.ExitStack() as stack:
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "office.toml"
        text = _office().replace("127.0.", f"{loopback}.") + more
        for number, user in enumerate(map(person, range(people))):
            text += (
                f'\n[[person]]\nuser = "{user}"\nfirst = "Person"\nlast = "{number:03}"\ncluster = "office"\n'
                f'password = "{password(user)}"\ndevices = []\n'
            )
            if number < phones:
                name, extension = f"SEP0200000{PHONES_FROM + number:05}", PHONES_FROM + number
                text += (
                    f'\n[[device]]\nname = "{name}"\nnumbers = ["{extension}"]\nowner = "{user}"\n'
                    f'user = "{user}-phone"\npassword = "{phone_password(user)}"\n'
                )
        file.write_text(text)
        nodes = Nodes(file, folder / "data", loopback, people, (*whole, *single))
        nodes.data.mkdir()
        stack.callback(lambda: [stop(process, signal.SIGKILL) for process in nodes.processes.values()])
        nodes.begin(FIRST)  # makes the authority and the secrets that all have in common
        nodes.wait_for(FIRST, 8443)
        for group in nodes.groups:
            if FIRST not in group:
                nodes.begin(group[0])
        for name, port in ((SECOND, 8443), (PRESENCE, 5222), (OUTERS[0], 5222), (OUTERS[1], 5222)):
            nodes.wait_for(name, port)
        for name in OUTERS:
            nodes.wait_until_served(name)
        yield nodes
