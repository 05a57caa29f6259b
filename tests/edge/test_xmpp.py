"""XMPP through both proxies, by a client of somebody else."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import slixmpp
from slixmpp import JID

from tests.edge.conftest import DOMAIN, PASSWORDS, WORLD, Edge, start_edge

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.peer]


class Client(slixmpp.ClientXMPP):
    """A slixmpp client outside; what happens is kept in futures."""

    def __init__(self, edge: Edge, user: str, password: str) -> None:
        super().__init__(f"{user}@{DOMAIN}", password)
        self.ca_certs = edge.authority.ca_file
        self.ssl_context.verify_mode = ssl.CERT_REQUIRED
        self.session: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.refused: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.heard: asyncio.Queue[str] = asyncio.Queue(10)
        self.mechanisms: set[str] = set()
        self.add_event_handler("session_start", lambda _: _settle(self.session))
        self.add_event_handler("failed_all_auth", lambda _: _settle(self.refused))
        self.add_event_handler("message", self._message)
        self._edge = edge

    def _message(self, stanza: Any) -> None:
        self.heard.put_nowait(str(stanza["body"]))

    def go(self) -> None:
        self.connect(WORLD, self._edge.port_of("xmpp"))


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


async def test_two_people_outside_chat(edge: Edge) -> None:
    anita, bram = (Client(edge, user, PASSWORDS[user]) for user in ("anita", "bram"))
    try:
        for one in (anita, bram):
            one.go()
            await asyncio.wait_for(one.session, 10)
            one.send_presence()
        bram.send_message(mto=JID(f"anita@{DOMAIN}"), mbody="grüße aus dem Café ☕" * 500, mtype="chat")
        assert await asyncio.wait_for(anita.heard.get(), 10) == "grüße aus dem Café ☕" * 500
        anita.send_message(mto=JID(f"bram@{DOMAIN}"), mbody="hi", mtype="chat")
        assert await asyncio.wait_for(bram.heard.get(), 10) == "hi"
        assert edge.outer.connections >= 2
    finally:
        for one in (anita, bram):
            await one.disconnect()


async def test_guessing_over_xmpp_counts_too(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        edge = await start_edge(tmp_path, stack)
        for _ in range(3):  # each tries two mechanisms
            client = Client(edge, "anita", "guess")
            client.go()
            await asyncio.wait_for(client.refused, 10)
            await client.disconnect()
        reader, writer = await asyncio.open_connection(WORLD, edge.port_of("xmpp"))
        try:
            with pytest.raises((OSError, asyncio.IncompleteReadError)):
                await reader.readexactly(1)
        finally:
            writer.close()
        assert edge.outer.refused == 1
