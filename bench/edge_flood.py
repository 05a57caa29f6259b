"""``python -m bench.edge_flood``: what people notice of a flood against the edge.

Ten people go on asking for their own data, each from their own address, every tenth time over a new connection; their
latency in the flood is told beside that of the seconds before and after it. The flood comes from a hundred other
addresses. Each node is a process of its own; the flood gives way to them (nice), since it comes from the same machine.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import ssl
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench.processes import cpu_seconds
from ringback.protocols.edge import Target
from ringback.rules.addresses import HostPort
from tests.support.edge_floods import KINDS
from tests.support.edge_nodes import FIRST, INNERS, NAMES, OUTERS, SECOND, Nodes, edge_nodes, password, person

_PACES: Final = {
    "connections": 500.0, "handshakes": 200.0, "sign-ins": 200.0, "requests": 20.0, "slow-heads": 100.0,
}  # fmt: skip
_PEOPLE: Final = 10
_EVERY: Final = 0.1  # seconds between two requests of a person
_NEW: Final = 10  # so many requests over one connection
_DOMAIN: Final = "example.com"


@dataclass
class Person:
    """Somebody outside who works; ``took``: seconds of each request, with its connection where it needed one."""

    address: tuple[str, int]
    household: str
    context: ssl.SSLContext
    request: bytes
    took: list[float] = field(default_factory=list)
    failed: int = 0

    async def work(self, seconds: float) -> None:
        """Ask at a steady pace."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while loop.time() < end:
            try:
                await self._connection(end)
            except (OSError, ssl.SSLError, TimeoutError, asyncio.IncompleteReadError):
                self.failed += 1

    async def _connection(self, end: float) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with asyncio.timeout(10):
            reader, writer = await asyncio.open_connection(
                *self.address, ssl=self.context, server_hostname=_DOMAIN, local_addr=(self.household, 0)
            )
        try:
            for _ in range(_NEW):
                async with asyncio.timeout(10):
                    writer.write(self.request)
                    head = await reader.readuntil(b"\r\n\r\n")
                    if b" 200 " not in head.partition(b"\r\n")[0]:
                        raise ConnectionError(head[:100].decode("latin-1"))
                    size = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
                    await reader.readexactly(size)
                self.took.append(loop.time() - began)
                if loop.time() > end:
                    return
                await asyncio.sleep(max(0.0, began + _EVERY - loop.time()))
                began = loop.time()
        finally:
            writer.transport.abort()


@dataclass
class Seen:
    """Of one stretch of time."""

    took: list[float]
    failed: int
    cpu: dict[str, float]
    counts: dict[str, int]

    @property
    def p99(self) -> float:
        """Seconds within which 99 of 100 requests were answered."""
        return statistics.quantiles(self.took, n=100)[98]


async def _stretch(nodes: Nodes, seconds: float, flood: str = "") -> Seen:
    people = [_person(nodes, number) for number in range(_PEOPLE)]
    pids = {"outer": nodes.processes[OUTERS[0]].pid, "inner": nodes.processes[INNERS[0]].pid}
    before = {role: cpu_seconds(pid) for role, pid in pids.items()}
    process = await _begin(nodes, flood, seconds) if flood else None
    async with asyncio.TaskGroup() as group:
        for one in people:
            group.create_task(one.work(seconds))
    counts = {} if process is None else json.loads((await process.communicate())[0])
    cpu = {role: cpu_seconds(pid) - before[role] for role, pid in pids.items()}
    return Seen([value for one in people for value in one.took], sum(one.failed for one in people), cpu, counts)


async def _begin(nodes: Nodes, flood: str, seconds: float) -> asyncio.subprocess.Process:
    words = (flood, nodes.address(OUTERS[0]), "8443", f"{nodes.loopback}.200", str(seconds), str(_PACES[flood]))
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.edge_floods", *words, stdout=subprocess.PIPE
    )


def _person(nodes: Nodes, number: int) -> Person:
    user = person(number)
    word = base64.b64encode(f"{user}:{password(user)}".encode()).decode()
    path = f"/{Target(_DOMAIN, 'https', HostPort(FIRST, 8443)).segment()}/cucm-uds/user/{user}"
    request = f"GET {path} HTTP/1.1\r\nHost: {_DOMAIN}\r\nAuthorization: Basic {word}\r\n\r\n".encode()
    context = ssl.create_default_context(cafile=str(nodes.ca_file))
    return Person((nodes.address(OUTERS[0]), 8443), nodes.household(number), context, request)


async def _run(nodes: Nodes, kinds: Sequence[str], seconds: float, rounds: int) -> dict[str, float]:
    found: dict[str, float] = {}
    await _stretch(nodes, 2.0)  # passwords are looked up once
    for kind in kinds:
        ratios = []
        for _ in range(rounds):
            calm, flood, after = (
                await _stretch(nodes, seconds / 2),
                await _stretch(nodes, seconds, kind),
                await _stretch(nodes, seconds / 2),
            )
            calm = Seen(calm.took + after.took, calm.failed + after.failed, _sum(calm.cpu, after.cpu), {})
            ratios.append(flood.p99 / calm.p99)
            print(
                f"  {kind}: p99 {calm.p99 * 1000:.1f} -> {flood.p99 * 1000:.1f} ms, "
                f"median {statistics.median(calm.took) * 1000:.1f} -> {statistics.median(flood.took) * 1000:.1f} ms, "
                f"failed {calm.failed} -> {flood.failed}, "
                f"CPU outer {calm.cpu['outer']:.2f} -> {flood.cpu['outer']:.2f} s, "
                f"inner {calm.cpu['inner']:.2f} -> {flood.cpu['inner']:.2f} s; flood {flood.counts}",
                flush=True,
            )
        found[kind] = statistics.median(ratios)
        print(f"{kind}: p99 x {found[kind]:.2f} (median of {rounds})", flush=True)
    return found


def _sum(one: dict[str, float], other: dict[str, float]) -> dict[str, float]:
    return {role: one[role] + other[role] for role in one}


def go_first() -> None:
    """Before everything else on this machine, with all that is started from here. Raises PermissionError."""
    os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))


def flooded(folder: Path, kinds: Sequence[str], *, seconds: float, rounds: int) -> dict[str, float]:
    """How many times longer people wait in each kind of flood (99 of 100 requests, median of the rounds)."""
    with edge_nodes(folder, 100, groups=((NAMES, FIRST, SECOND),)) as nodes:
        for name in (OUTERS[1], INNERS[1]):
            nodes.end(name)
        nodes.wait_until_served(OUTERS[0])
        return asyncio.run(_run(nodes, kinds, seconds, rounds))


def main() -> None:
    """All kinds, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", help=", ".join(KINDS))
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--real-time",
        action="store_true",
        help="the edge, what is behind it and the people go before everything else on this machine (root)",
    )
    asked = parser.parse_args()
    if asked.real_time:
        go_first()
    kinds = [kind for kind in KINDS if not asked.kinds or kind in asked.kinds]
    with tempfile.TemporaryDirectory() as folder:
        flooded(Path(folder) / "nodes", kinds, seconds=asked.seconds, rounds=asked.rounds)


if __name__ == "__main__":
    main()
