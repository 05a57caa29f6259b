"""Ending a connection at once, in every state: closed twice before, or lost."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from ringback.deployment.authority import Authority
from ringback.net.closing import abort
from ringback.net.tls import client_context, server_context


@pytest.mark.parametrize("closed", [0, 1, 2])
async def test_a_connection_that_was_closed_before_can_be_ended_at_once(tmp_path: Path, closed: int) -> None:
    authority = Authority(tmp_path)
    context = server_context(authority.issue("here.example", ["here.example"]))
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.read()
        except (OSError, ssl.SSLError):
            pass
        finally:
            ended.set()
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        port = server.sockets[0].getsockname()[1]
        _, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=client_context(authority.ca_file), server_hostname="here.example"
        )
        for _ in range(closed):
            writer.transport.close()
        abort(writer.transport)
        abort(writer.transport)
        async with asyncio.timeout(5):
            await ended.wait()
