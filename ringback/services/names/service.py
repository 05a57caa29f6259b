"""The name server on its sockets: UDP and TCP on one port (RFC 1035 section 4.2, RFC 7766)."""

from __future__ import annotations

import asyncio
import struct
from collections import Counter
from typing import Any

import dns.rcode
import structlog

from ringback.net.service import Endpoint
from ringback.protocols.dns import HEADER_SIZE, empty_reply
from ringback.services.names.answers import Answerer
from ringback.services.names.settings import NamesLimits, NamesSettings

_log = structlog.get_logger(__name__)
_PORT_TRIES = 20  # a port that is free for TCP may be taken for UDP


class NamesService:
    """An authoritative name server."""

    def __init__(self, settings: NamesSettings) -> None:
        """Read the zones. Raises RecordError or ZoneError."""
        self._settings = settings
        self._answerer = Answerer(settings.zones)
        self._tcp = _TcpSide(self._answerer, settings.limits)
        self._server: asyncio.Server | None = None
        self._udp: asyncio.DatagramTransport | None = None
        self._endpoints: tuple[Endpoint, ...] = ()

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Where it listens; UDP and TCP share the row."""
        return self._endpoints

    async def start(self) -> None:
        """Bind UDP and TCP. Raises OSError with the address where the port is taken."""
        settings = self._settings
        for attempt in range(1, _PORT_TRIES + 1):
            try:
                server = await asyncio.start_server(self._tcp.serve, settings.address, settings.port)
            except OSError as error:
                raise _taken(settings.address, settings.port, "TCP", error) from error
            port = server.sockets[0].getsockname()[1]
            try:
                self._udp, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                    lambda: _UdpSide(self._answerer, settings.limits), local_addr=(settings.address, port)
                )
            except OSError as error:
                server.close()
                if settings.port or attempt == _PORT_TRIES:
                    raise _taken(settings.address, port, "UDP", error) from error
                continue
            self._server = server
            self._endpoints = (Endpoint("names", settings.node, "dns", "dns", settings.address, port),)
            return

    async def stop(self) -> None:
        """Close the sockets and end the connections."""
        if self._udp is not None:
            self._udp.close()
            self._udp = None
        if self._server is not None:
            self._server.close()
            await self._tcp.close()
            await self._server.wait_closed()
            self._server = None
        self._endpoints = ()


def _taken(address: str, port: int, transport: str, error: OSError) -> OSError:
    return OSError(error.errno, f"The name server can't bind {address} port {port} ({transport}): {error.strerror}")


class _UdpSide(asyncio.DatagramProtocol):
    """Answers datagrams. Who asks too often gets an empty truncated answer: a real client then comes by TCP, and a
    forged source address is sent no more than the forger paid for."""

    def __init__(self, answerer: Answerer, limits: NamesLimits) -> None:
        self._answerer = answerer
        self._limit = limits.udp_queries_per_second
        self._loop = asyncio.get_running_loop()
        self._second = 0
        self._asked: Counter[str] = Counter()
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: Any) -> None:  # Any: asyncio gives a transport of its own class here
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        transport = self._transport
        if transport is None:
            return
        second = int(self._loop.time())
        if second != self._second:
            self._second = second
            self._asked.clear()
        self._asked[addr[0]] += 1
        if self._asked[addr[0]] > self._limit:
            reply = empty_reply(data, dns.rcode.NOERROR, truncated=True)
        else:
            reply = self._answerer.answer(data, udp=True)
        if reply is not None:
            transport.sendto(reply, addr)

    def error_received(self, exc: Exception) -> None:
        _log.debug("a reply could not be delivered", error=str(exc))


class _TcpSide:
    """Answers connections: length-prefixed messages, in order, with a limit on everything."""

    def __init__(self, answerer: Answerer, limits: NamesLimits) -> None:
        self._answerer = answerer
        self._limits = limits
        self._open: dict[asyncio.Task[Any], str] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a connection is served by a task")
        peer = writer.get_extra_info("peername")
        source = str(peer[0]) if peer else ""
        same = sum(1 for each in self._open.values() if each == source)
        full = len(self._open) >= self._limits.tcp_connections or same >= self._limits.tcp_connections_per_address
        self._open[task] = source
        try:
            if not full:
                await self._answer_all(reader, writer)
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError) as error:
            _log.debug("a name query connection ended", source=source, why=type(error).__name__)
        finally:
            del self._open[task]
            writer.close()

    async def _answer_all(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(self._limits.tcp_queries_per_connection):
            async with asyncio.timeout(self._limits.tcp_idle):
                (length,) = struct.unpack("!H", await reader.readexactly(2))
                if length < HEADER_SIZE:
                    return
                reply = self._answerer.answer(await reader.readexactly(length), udp=False)
                if reply is None:
                    return
                writer.write(struct.pack("!H", len(reply)) + reply)
                await writer.drain()

    async def close(self) -> None:
        """End all connections."""
        tasks = list(self._open)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
