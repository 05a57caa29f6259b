"""What is measured of signalling: registrations, basic calls, and calls while strangers flood the door."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import uvloop

from bench.processes import cpu_seconds
from bench.report import Result
from bench.signalling import targets
from bench.signalling.generator import answering, call, register, set_up_times
from bench.signalling.targets import SignallingTarget

_PHONES = 400
_REGISTRATION_GOAL = 0.2  # CPU seconds per 1,000
_CALL_GOAL = 0.6
_FLOOD_RATE = 5000
_TARGETS: dict[str, Callable[[Path, int], AbstractContextManager[SignallingTarget]]] = {
    "ringback": targets.ringback,
    "kamailio": targets.kamailio,
}


@dataclass(slots=True)
class Rows:
    """The rows of the table of one target."""

    registrations: Result
    calls: Result


def results(folder: Path, rounds: int, names: list[str], *, short: bool = False) -> list[Result]:
    """Registrations and calls on each target in turn, ``rounds`` times, interleaved."""
    rows: dict[str, Rows] = {}
    with contextlib.ExitStack() as stack:
        running = {
            name: stack.enter_context(start(folder / name, 40 if short else _PHONES))
            for name, start in _TARGETS.items()
            if not names or name in names
        }
        for number in range(rounds):
            for name, target in running.items():
                row = rows.setdefault(name, _rows(target))
                registered, called = uvloop.run(_measure(target, folder, calls=100 if short else 2000))
                row.registrations.values.append(registered)
                row.calls.values.append(called)
                print(
                    f"signalling, round {number + 1}, {name}: registration {registered * 1000:.0f} us, "
                    f"call {called * 1000:.0f} us",
                    file=sys.stderr,
                )
    return [row.registrations for row in rows.values()] + [row.calls for row in rows.values()]


def flood_times(folder: Path, *, seconds: float, rate: int = _FLOOD_RATE) -> tuple[float, float]:
    """The 99th percentile in milliseconds of call set-up at 50 calls a second, alone and beside ``rate`` OPTIONS a
    second from strangers."""
    with targets.ringback(folder, _PHONES) as target:
        return uvloop.run(_flooded(target, folder, seconds, rate))


def _rows(target: SignallingTarget) -> Rows:
    return Rows(
        Result("registrations", "registration", target.name, target.configuration, _REGISTRATION_GOAL),
        Result("basic calls", "call", target.name, target.configuration, _CALL_GOAL),
    )


async def _measure(target: SignallingTarget, folder: Path, *, calls: int) -> tuple[float, float]:
    """CPU seconds per 1,000 registrations and per 1,000 calls."""
    work = _work(folder, target)
    half = len(target.phones) // 2
    async with answering(target.door.address, work) as port:
        begin = cpu_seconds(target.pid)
        await register(target.door, target.phones, work, contact=port, rate=400)
        registered = cpu_seconds(target.pid)
        pairs = [(target.phones[index % half], target.phones[half + index % half]) for index in range(calls)]
        await call(target.door, pairs, work, rate=min(200, calls))
        called = cpu_seconds(target.pid)
    return (registered - begin) / len(target.phones) * 1000, (called - registered) / calls * 1000


async def _flooded(target: SignallingTarget, folder: Path, seconds: float, rate: int) -> tuple[float, float]:
    work = _work(folder, target)
    half = len(target.phones) // 2
    pairs = [(target.phones[i % half], target.phones[half + i % half]) for i in range(int(50 * seconds))]
    async with answering(target.door.address, work) as port:
        await register(target.door, target.phones, work, contact=port, rate=400)
        calm = set_up_times(await call(target.door, pairs, work, rate=50))
        async with _strangers(target, rate):
            busy = set_up_times(await call(target.door, pairs, work, rate=50))
    return _p99(calm), _p99(busy)


@contextlib.asynccontextmanager
async def _strangers(target: SignallingTarget, rate: int) -> AsyncIterator[None]:
    """OPTIONS from many ports that nobody knows, in a thread of its own, bounded by the block."""
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    done = loop.run_in_executor(None, _flood, target, rate, over.is_set)
    try:
        yield
    finally:
        over.set()
        await done


def _flood(target: SignallingTarget, rate: int, over: Callable[[], bool]) -> int:
    sent = 0
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(one) for one in _sockets(16)]
        begin = time.monotonic()
        while not over() and time.monotonic() - begin < 120:
            due = int((time.monotonic() - begin) * rate)
            for _ in range(min(due - sent, rate)):
                sent += 1
                with contextlib.suppress(OSError):
                    sockets[sent % 16].sendto(_options(target, sent), (target.door.address, target.door.port))
            time.sleep(0.002)
    return sent


def _sockets(count: int) -> Iterator[socket.socket]:
    for index in range(count):
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        one.bind((f"127.0.66.{index + 1}", 0))
        one.setblocking(False)
        yield one


def _options(target: SignallingTarget, number: int) -> bytes:
    there = f"{target.door.address}:{target.door.port}"
    return (
        f"OPTIONS sip:{there} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.66.1:5060;branch=z9hG4bK{number};rport\r\n"
        f"From: <sip:stranger@{there}>;tag={number}\r\nTo: <sip:{there}>\r\nCall-ID: {number}@flood\r\n"
        "CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    ).encode()


def _work(folder: Path, target: SignallingTarget) -> Path:
    work = folder / f"{target.name}-load"
    work.mkdir(parents=True, exist_ok=True)
    return work


def _p99(times: list[float]) -> float:
    return sorted(times)[min(int(len(times) * 0.99), len(times) - 1)]
