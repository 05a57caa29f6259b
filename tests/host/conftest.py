"""A host with a small page, a Prosody behind it, and tabs that speak its WebSocket as a browser does."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import aiohttp
import pytest

from ringback.client.host.server import EngineHost
from ringback.client.host.settings import HostSettings
from tests.support.foreign import ForeignServer
from tests.support.prosody import running_prosody

PEOPLE = {"anita": "secret of anita", "bruno": "secret of bruno"}
SECONDS = 30.0
Json: TypeAlias = dict[str, Any]


class Tab:
    """One tab: commands with their answers, and the events in between."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.seen: list[Json] = []
        self._number = 0

    async def do(self, name: str, **fields: Any) -> Json:
        """Send a command and wait for its answer."""
        self._number += 1
        number = self._number
        await self.socket.send_str(json.dumps({"do": name, "n": number, **fields}))
        return await self.until(lambda event: event.get("n") == number)

    async def until(self, fits: Callable[[Json], object]) -> Json:
        """The next event that fits."""
        async with asyncio.timeout(SECONDS):
            while True:
                message = await self.socket.receive()
                if message.type is not aiohttp.WSMsgType.TEXT:
                    raise ConnectionError(f"the socket ended: {message}")
                event: Json = json.loads(message.data)
                self.seen.append(event)
                if fits(event):
                    return event

    async def phase(self, *wanted: str) -> Json:
        """Wait for a phase of the sign-in."""
        event = await self.until(
            lambda event: event["event"] == "SignInChanged" and event["sign_in"]["phase"] in wanted
        )
        return dict(event["sign_in"])

    async def welcome(self) -> Json:
        """The next whole snapshot."""
        return dict((await self.until(lambda event: event["event"] == "Welcome"))["snapshot"])

    async def sign_in(self, server: ForeignServer, user: str, *, remember: bool = False) -> Json:
        """Sign in by hand at a server; the snapshot that the page then has."""
        where = {"mode": "manual", "account": "xmpp", "presence": f"{server.address}:{server.port}"}
        await self.do("SetManual", settings=where)
        await self.do("FindServices", address=f"{user}@{server.domain}")
        await self.phase("credentials")
        await self.do("SignInWith", password=PEOPLE[user], remember=remember)
        return await self.welcome()


class Browser:
    """A browser with its cookies."""

    def __init__(self, host: EngineHost) -> None:
        self.host = host
        self.http = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))

    async def open(self) -> aiohttp.ClientResponse:
        """Open the link with the token, as printed."""
        return await self.http.get(self.host.url)

    async def tab(self) -> tuple[Tab, Json]:
        """A tab with its first snapshot."""
        socket = await self.http.ws_connect(f"{self.host.origin}/api/socket", headers={"Origin": self.host.origin})
        tab = Tab(socket)
        return tab, await tab.welcome()


@pytest.fixture(scope="module")
def prosody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForeignServer]:
    """A Prosody with two people, for the tests of a module."""
    with running_prosody(tmp_path_factory.mktemp("prosody"), PEOPLE) as server:
        yield server


def write_page(folder: Path) -> Path:
    """A page as the build writes it: hashed assets, one of them compressed as well."""
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>Ringback</title>")
    (folder / "assets" / "index-Ab12Cd34.js").write_text("export {};")
    (folder / "assets" / "index-Ab12Cd34.js.br").write_bytes(b"compressed")
    return folder


@contextlib.asynccontextmanager
async def running_host(
    folder: Path, *, ca: Path | None = None, page: Path | None = None, grace: float = 60.0, port: int = 0
) -> AsyncIterator[EngineHost]:
    """A host on a port of its own."""
    settings = HostSettings(
        data=folder, port=port, ca_file=ca, cas_url="", use_keyring=False, grace=grace, page=page or folder / "page"
    )
    host = EngineHost(settings)
    await host.start()
    try:
        yield host
    finally:
        await host.stop()


@contextlib.asynccontextmanager
async def browser_at(host: EngineHost) -> AsyncIterator[Browser]:
    """A browser that opened the printed link."""
    browser = Browser(host)
    try:
        (await browser.open()).close()
        yield browser
    finally:
        await browser.http.close()
