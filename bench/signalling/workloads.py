"""What is measured of signalling: registrations, basic calls, and calls while strangers flood the door."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import uvloop

from bench.processes import cpu_seconds
from bench.report import Result
from bench.signalling import targets
from bench.signalling.generator import LoadError, Phone, answering, call, register, set_up_times
from bench.signalling.targets import SignallingTarget

_REGISTRATION_GOAL = 0.2  # CPU seconds per 1,000
_CALL_GOAL = 0.6
_SET_UPS = 50  # calls a second whose set-up is timed
_STRANGERS = 5000  # OPTIONS a second beside them
_REACHED = 0.8  # of the strangers' rate, or the figure would tell nothing
_LOST_IN_FLOOD = 0.03  # of the calls
_PATIENCE = 32_000.0  # milliseconds until a request without an answer is given up (RFC 3261 section 17.1.1.2)
_TIME = "ms, 99 of 100 within"
_TARGETS: dict[str, Callable[[Path, int], AbstractContextManager[SignallingTarget]]] = {
    "ringback": targets.ringback,
    "ringback-compiled": targets.ringback_compiled,
    "kamailio": targets.kamailio,
}


@dataclass(frozen=True, slots=True)
class Load:
    """How much of each."""

    phones: int = 400
    calls: int = 2000
    rate: int = 200
    timed: int = 500
    strangers: int = _STRANGERS


_SHORT = Load(phones=40, calls=100, rate=100, timed=50, strangers=1000)


@dataclass(slots=True)
class Rows:
    """The rows of the table of one target."""

    registrations: Result
    calls: Result
    set_up: Result
    flooded: Result

    @classmethod
    def of(cls, target: SignallingTarget, load: Load) -> Rows:
        """Without figures yet."""
        name, how = target.name, target.configuration
        beside = f"call set-up beside {load.strangers:,} OPTIONS a second"
        return cls(
            Result("registrations", "registration", name, how, _REGISTRATION_GOAL),
            Result("basic calls", "call", name, how, _CALL_GOAL),
            Result(f"call set-up, {_SET_UPS} a second", "call", name, how, None, measure=_TIME),
            Result(beside, "call", name, how, None, measure=_TIME),
        )

    def newest(self) -> str:
        """The figures of the last round."""
        return (
            f"registration {self.registrations.values[-1] * 1000:.0f} us, call {self.calls.values[-1] * 1000:.0f} us, "
            f"set-up {self.set_up.values[-1]:.0f} ms, beside strangers {self.flooded.values[-1]:.0f} ms"
        )


def results(folder: Path, rounds: int, names: Sequence[str], *, short: bool = False) -> list[Result]:
    """Registrations, calls and their set-up on each target in turn, ``rounds`` times, interleaved. Raises LoadError."""
    load = _SHORT if short else Load()
    rows: dict[str, Rows] = {}
    left_out = _left_out(short=short)
    with contextlib.ExitStack() as stack:
        running = {
            name: stack.enter_context(start(folder / name, load.phones))
            for name, start in _TARGETS.items()
            if name not in left_out and (not names or name in names)
        }
        for number in range(rounds):
            for name in random.sample(list(running), len(running)):
                row = rows.setdefault(name, Rows.of(running[name], load))
                uvloop.run(_measure(running[name], folder, load, row))
                print(f"signalling, round {number + 1}, {name}: {row.newest()}", file=sys.stderr)
    ordered = [rows[name] for name in running]
    return [getattr(row, kind) for kind in ("registrations", "calls", "set_up", "flooded") for row in ordered]


def _left_out(*, short: bool) -> frozenset[str]:
    """The compiled form takes part where it is built from these sources, and not in the short form."""
    if not short and targets.is_compiled():
        return frozenset()
    if not short:
        print("signalling: the compiled form is left out: `make compiled` builds it", file=sys.stderr)
    return frozenset({"ringback-compiled"})


async def _measure(target: SignallingTarget, folder: Path, load: Load, row: Rows) -> None:
    """One round of all rows."""
    work = _work(folder, target)
    async with answering(target.door.address, work) as port:
        begin = cpu_seconds(target.pid)
        await register(target.door, target.phones, work, contact=port, rate=400)
        registered = cpu_seconds(target.pid)
        await call(target.door, _pairs(target, load.calls), work, rate=load.rate)
        called = cpu_seconds(target.pid)
        timed = _pairs(target, load.timed)
        calm = set_up_times(await call(target.door, timed, work, rate=_SET_UPS))
        async with _strangers(target, load.strangers):
            busy = await _times_in_flood(target, timed, work)
    row.registrations.values.append((registered - begin) / len(target.phones) * 1000)
    row.calls.values.append((called - registered) / load.calls * 1000)
    row.set_up.values.append(_p99(calm))
    row.flooded.values.append(_p99(busy))


async def _times_in_flood(target: SignallingTarget, timed: Sequence[tuple[Phone, Phone]], work: Path) -> list[float]:
    """As for calm calls, but a few of 100 may fail: a server whose buffer is full loses an ACK or a BYE. Those that
    were not even answered count as long as a caller waits. Raises LoadError where it is more than a few."""
    before = _response_files(work)
    try:
        return set_up_times(await call(target.door, timed, work, rate=_SET_UPS))
    except LoadError as error:
        times = [one for file in _response_files(work) - before for one in set_up_times(file)]
        missing = len(timed) - len(times)
        if missing > len(timed) * _LOST_IN_FLOOD:
            raise
        print(f"{target.name}: calls failed in the flood, {missing} unanswered: {error!s:.200}", file=sys.stderr)
        return times + [_PATIENCE] * missing


def _response_files(work: Path) -> set[Path]:
    return set(work.glob("call_*_rtt.csv"))


def _pairs(target: SignallingTarget, calls: int) -> list[tuple[Phone, Phone]]:
    half = len(target.phones) // 2
    return [(target.phones[index % half], target.phones[half + index % half]) for index in range(calls)]


@contextlib.asynccontextmanager
async def _strangers(target: SignallingTarget, rate: int) -> AsyncIterator[None]:
    """OPTIONS from many ports that nobody knows, in a thread of its own, bounded by the block. Raises LoadError where
    the rate isn't reached."""
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    done = loop.run_in_executor(None, _flood, target, rate, over.is_set)
    try:
        yield
    finally:
        over.set()
        reached = await done
    if reached < rate * _REACHED:
        raise LoadError(f"strangers sent only {reached:.0f} requests a second")


def _flood(target: SignallingTarget, rate: int, over: Callable[[], bool]) -> float:
    """The rate that was reached, per second."""
    sent = 0
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(one) for one in _sockets(16)]
        begin = time.monotonic()
        while not over() and time.monotonic() - begin < 120:
            due = int((time.monotonic() - begin) * rate)
            for _ in range(min(due - sent, rate)):
                sent += 1
                with contextlib.suppress(OSError):  # a full socket: the server can't take more
                    sockets[sent % 16].sendto(_options(target, sent), (target.door.address, target.door.port))
            time.sleep(0.002)
        return sent / (time.monotonic() - begin)


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
