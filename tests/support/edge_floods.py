"""Floods from many addresses, at a steady pace, by a process of its own that gives way to others:

    python -m tests.support.edge_floods KIND ADDRESS PORT SOURCES SECONDS PACE

``SOURCES`` is the beginning of the attackers' addresses (``127.0.90``), ``PACE`` what happens in a second. Prints how
many were tried, answered (or let in) and refused, as JSON.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import random
import ssl
import sys
from collections import Counter
from collections.abc import Awaitable, Callable

KINDS = ("connections", "handshakes", "sign-ins", "requests", "slow-heads")
_ADDRESSES = 100
_HOLD = 3.0  # seconds that a connection is held
_DOMAIN = "example.com"
_PATH = f"/{base64.urlsafe_b64encode(_DOMAIN.encode()).decode().rstrip('=')}/get_edge_config"


class Flood:
    """One kind of flood against one listener."""

    def __init__(self, address: str, port: int, sources: str) -> None:
        self.counts: Counter[str] = Counter()
        self._there = (address, port)
        self._sources = sources
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._tls.check_hostname = False
        self._tls.verify_mode = ssl.CERT_NONE  # an attacker does not mind

    def kind(self, name: str) -> Callable[[], Awaitable[None]]:
        """What happens once."""
        return {
            "connections": self._connection,
            "handshakes": self._handshake,
            "sign-ins": self._sign_in,
            "requests": self._requests,
            "slow-heads": self._slow_head,
        }[name]

    async def run(self, name: str, seconds: float, pace: float) -> None:
        """So many a second, whatever becomes of them; some may be late where the machine is busy, none is left out."""
        loop, tasks = asyncio.get_running_loop(), set[asyncio.Task[None]]()
        began, done, once = loop.time(), 0, self.kind(name)
        while (now := loop.time() - began) < seconds or done < int(seconds * pace):
            while done < min(now, seconds) * pace:
                task = loop.create_task(self._try(once))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
                done += 1
            await asyncio.sleep(0.005)
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _try(self, once: Callable[[], Awaitable[None]]) -> None:
        self.counts["tried"] += 1
        try:
            await once()
        except (OSError, ssl.SSLError, asyncio.IncompleteReadError):
            self.counts["refused"] += 1

    async def _open(self, *, tls: bool) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        source = f"{self._sources}.{random.randrange(1, 1 + _ADDRESSES)}"
        found = await asyncio.open_connection(*self._there, ssl=self._tls if tls else None, local_addr=(source, 0))
        self.counts["let in"] += 1
        return found

    async def _connection(self) -> None:
        reader, writer = await self._open(tls=False)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_HOLD):
                await reader.read(1)
        writer.transport.abort()

    async def _handshake(self) -> None:
        _, writer = await self._open(tls=True)
        writer.transport.abort()

    async def _sign_in(self) -> None:
        word = base64.b64encode(f"u{random.randrange(100):03}:guess {random.random()}".encode()).decode()
        reader, writer = await self._open(tls=True)
        writer.write(f"GET {_PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {word}\r\n\r\n".encode())
        self.counts[(await reader.readuntil(b"\r\n")).split()[1].decode()] += 1
        writer.transport.abort()

    async def _requests(self) -> None:
        reader, writer = await self._open(tls=True)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 50)
        for _ in range(50):
            self.counts[(await reader.readuntil(b".\n")).split()[1].decode()] += 1
        writer.transport.abort()

    async def _slow_head(self) -> None:
        _, writer = await self._open(tls=True)
        writer.write(b"GET / HTTP/1.1\r\n")
        for _ in range(30):
            writer.write(b"X")
            await writer.drain()
            await asyncio.sleep(1)


def main(name: str, address: str, port: str, sources: str, seconds: str, pace: str) -> None:
    """Run it, and tell."""
    # what is measured is what the flood does to the edge, not to the machine it comes from
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    os.nice(5)
    flood = Flood(address, int(port), sources)
    asyncio.run(flood.run(name, float(seconds), float(pace)))
    sys.stdout.write(json.dumps(flood.counts))


if __name__ == "__main__":
    main(*sys.argv[1:7])
