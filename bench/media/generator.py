"""Phones that cost next to nothing: their packets are made, and ciphered, before the clock starts."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pylibsrtp

from bench.processes import cpu_seconds
from bench.workloads import LostError, Measured

PACE = 0.02  # seconds between packets of a phone
_LATE = 2.0  # seconds that the last packets may take where the machine has more to do than it can


@dataclass(slots=True)
class Phone:
    """One end: ``key`` is what it sends with, None in clear; ``destination`` is set when the other side is known."""

    payloads: Sequence[bytes]
    payload_type: int = 0
    step: int = 160
    key: bytes | None = None
    destination: tuple[str, int] = ("127.0.0.1", 9)
    socket: socket.socket = field(default_factory=lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    received: int = 0

    def __post_init__(self) -> None:
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.socket.getsockname()[1])

    def packets(self, count: int) -> list[bytes]:
        """What it will send."""
        ssrc = os.urandom(4)
        made = [
            bytes((0x80, self.payload_type))
            + (number & 0xFFFF).to_bytes(2)
            + (number * self.step & 0xFFFFFFFF).to_bytes(4)
            + ssrc
            + self.payloads[number % len(self.payloads)]
            for number in range(count)
        ]
        if self.key is None:
            return made
        session = pylibsrtp.Session(pylibsrtp.Policy(key=self.key, ssrc_type=pylibsrtp.Policy.SSRC_ANY_OUTBOUND))
        return [session.protect(one) for one in made]

    def read(self) -> None:
        """Count what has come."""
        with contextlib.suppress(BlockingIOError, ConnectionRefusedError):
            while self.socket.recv(2048):
                self.received += 1


def talk(
    phones: Sequence[Phone], processes: Mapping[str, int], seconds: float, *, share: int, missing: float
) -> Measured:
    """All phones talk at once, evenly spread in time, through processes by role. A unit is a second of ``share``
    phones.

    Raises LostError where more than the share ``missing`` does not arrive.
    """
    warm_up = 25
    count = int(seconds / PACE) + warm_up
    packets = [phone.packets(count) for phone in phones]
    _send(phones, packets, range(warm_up))
    for phone in phones:
        phone.received = 0
    before = {role: cpu_seconds(pid) for role, pid in processes.items()}
    generator, began = time.process_time(), time.perf_counter()
    _send(phones, packets, range(warm_up, count))
    elapsed = time.perf_counter() - began
    cpu = {role: cpu_seconds(pid) - before[role] for role, pid in processes.items()}
    expected = len(phones) * (count - warm_up)
    end = time.monotonic() + _LATE
    while (received := _received(phones)) < expected and time.monotonic() < end:
        time.sleep(0.02)
    if received < expected * (1 - missing) - 2 * len(phones):
        raise LostError(f"{received} of {expected} packets arrived")
    units = round(len(phones) / share * seconds)
    return Measured(units, cpu, elapsed, time.process_time() - generator)


def _received(phones: Sequence[Phone]) -> int:
    for phone in phones:
        phone.read()
    return sum(phone.received for phone in phones)


def _send(phones: Sequence[Phone], packets: Sequence[Sequence[bytes]], numbers: range) -> None:
    reader = select.epoll()
    by_number = {phone.socket.fileno(): phone for phone in phones}
    for one in by_number:
        reader.register(one, select.EPOLLIN)
    began = time.perf_counter()
    slot = PACE / len(phones)
    for step, number in enumerate(numbers):
        for place, phone in enumerate(phones):
            wait = began + step * PACE + place * slot - time.perf_counter()
            if wait > 0:
                time.sleep(wait)
            phone.socket.sendto(packets[place][number], phone.destination)
        for ready, _ in reader.poll(0):
            by_number[ready].read()
    reader.close()
