"""A TCP relay that can be cut and opened: the network between a client and a server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from ringback.rules.addresses import HostPort


class Relay:
    """Passes octets both ways between whoever connects and one server. ``taken``: connections so far."""

    def __init__(self, server: HostPort) -> None:
        self._server = server
        self._listener: asyncio.Server | None = None
        self._ways: set[asyncio.Task[None]] = set()
        self._port = 0
        self.taken = 0

    @property
    def place(self) -> HostPort:
        """Where it listens; the same place after it was closed and opened again."""
        return HostPort("127.0.0.1", self._port)

    def lead_to(self, server: HostPort) -> None:
        """New connections go to another server."""
        self._server = server

    async def open(self) -> None:
        """Begin to take connections."""
        self._listener = await asyncio.start_server(self._connected, "127.0.0.1", self._port)
        self._port = self._listener.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Take no more connections and cut those that there are."""
        if self._listener is not None:
            self._listener.close()
        await self.cut()

    async def cut(self) -> None:
        """Cut all connections; new ones are taken."""
        for way in self._ways:
            way.cancel()
        await asyncio.gather(*self._ways, return_exceptions=True)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.taken += 1
        way = asyncio.create_task(self._pass(reader, writer), name="relay")
        self._ways.add(way)
        way.add_done_callback(self._ways.discard)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(self._server.host, self._server.port)
        try:
            await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))
        finally:
            for one in (writer, far_writer):
                one.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


@contextlib.asynccontextmanager
async def relay_to(server: HostPort) -> AsyncIterator[Relay]:
    """An open relay."""
    relay = Relay(server)
    await relay.open()
    try:
        yield relay
    finally:
        await relay.close()
