"""A host that is held to its network: nothing reaches what is elsewhere, whoever in the process tries, and however."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from tests.support.lab import loopback_range

ROOT = Path(__file__).resolve().parents[2]


class Listener:
    """Takes what comes to one address, by TCP and UDP, and remembers from where."""

    def __init__(self, address: str, tcp_port: int = 0, udp_port: int = 0) -> None:
        self.came: list[tuple[str, str]] = []
        self._tcp = socket.create_server((address, tcp_port))
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind((address, udp_port))
        self.tcp_port: int = self._tcp.getsockname()[1]
        self.udp_port: int = self._udp.getsockname()[1]
        self._held: list[socket.socket] = []
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._accept, self._receive)]
        for thread in self._threads:
            thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, peer = self._tcp.accept()
            except OSError:
                return
            if peer[0] == self._tcp.getsockname()[0]:
                return  # ``close`` wakes it
            self.came.append(("tcp", peer[0]))
            connection.setblocking(False)
            self._held.append(connection)

    def _receive(self) -> None:
        while True:
            data, peer = self._udp.recvfrom(2048)
            if data == b"end":
                return
            self.came.append(("udp", peer[0]))

    def close(self) -> None:
        """Take no more, once everything that is on its way has come."""
        address = self._tcp.getsockname()
        with socket.socket() as one:
            one.bind((address[0], 0))
            one.connect(address)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            one.sendto(b"end", self._udp.getsockname())
        for thread in self._threads:
            thread.join(10)
        for held in (*self._held, self._tcp, self._udp):
            held.close()


@contextmanager
def listening(loopback: str) -> Iterator[tuple[Listener, Listener, Listener]]:
    """A host of the internet and two of the office, with the same ports."""
    outer = Listener(f"{loopback}.20.40")
    office = tuple(Listener(f"{loopback}.10.{last}", outer.tcp_port, outer.udp_port) for last in (10, 11))
    yield outer, office[0], office[1]
    for one in (outer, *office):
        one.close()


@contextmanager
def sending(own: str, port: int, **froms: str) -> Iterator[None]:
    """Datagrams to a host, and to the inside of this computer, from these addresses, all the while."""
    over = threading.Event()

    def send() -> None:
        with ExitStack() as stack:
            senders = {}
            for name, address in froms.items():
                senders[name] = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                senders[name].bind((address, 0))
            while not over.wait(0.02):
                for name, sender in senders.items():
                    for to in (own, "127.0.0.1"):
                        with suppress(ConnectionRefusedError):  # nobody listens yet
                            sender.sendto(name.encode(), (to, port))

    thread = threading.Thread(target=send)
    thread.start()
    yield
    over.set()
    thread.join(10)


def test_nothing_passes_the_fence_and_what_may_pass_comes_from_the_host_itself() -> None:
    with loopback_range() as loopback:
        own, outside, inside = f"{loopback}.20.100", f"{loopback}.20.40", f"{loopback}.10.10"
        moved, after = f"{loopback}.10.100", f"{loopback}.10.11"
        with listening(loopback) as (outer, office, later):
            ports = str(outer.tcp_port), str(outer.udp_port)
            words = (own, f"{loopback}.20.0/24", moved, after, *ports, outside, inside)
            with sending(own, outer.udp_port, outer=f"{loopback}.20.41", office=f"{loopback}.10.12", page="127.0.0.1"):
                program = (sys.executable, "-m", "tests.lab.escapes", *words)
                ended = subprocess.run(program, cwd=ROOT, capture_output=True, timeout=60, check=True)
        report = json.loads(ended.stdout)

    never = {"datagram_from_inside", "pictures"}  # their sockets are bound to other addresses than the host's
    assert {way for way, result in report[outside].items() if result != "ok"} == never, report[outside]
    assert not [way for way, result in report[inside].items() if result == "ok"], report[inside]
    assert {way for way, result in report["others"].items() if result == "ok"} == set(), report["others"]
    assert {peer for _, peer in outer.came} == {own}
    assert {kind for kind, _ in outer.came} == {"tcp", "udp"}
    assert office.came == []
    assert report["came"] == [["outer"], ["page"]], "a packet of elsewhere came through"

    assert (report["cut"], report["heard after the cut"]) == (1, True)
    assert report["came after"] == [[], ["page"]], "something comes to an address that is gone"
    left = {way for way, result in report["moved"].items() if result != "ok"}
    assert left == {"pictures", "datagrams"}, report["moved"]  # those want the address of before
    assert {peer for _, peer in later.came} == {moved, "127.0.0.1"}
