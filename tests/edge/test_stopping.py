"""Very many people wait for news from a server inside, and the inner proxy is told to stop meanwhile."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
from aiohttp import web
from yarl import URL

from ringback.protocols.edge import Target
from ringback.rules.addresses import HostPort
from ringback.rules.edge_paths import Allowed
from ringback.services.names.settings import Record
from tests.edge.conftest import DOMAIN, EDGE, WORLD, Inward, start_edge
from tests.support.waiting import until

WAITING = 210  # people, from four addresses, each of which may come a hundred times at once


async def test_who_waits_holds_up_nobody_and_gets_an_answer_before_the_end(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        news, waiting = asyncio.Event(), asyncio.Semaphore(0)

        async def answer(request: web.BaseRequest) -> web.StreamResponse:
            if request.path == "/news":
                waiting.release()
                await news.wait()
            return web.Response(text=f"{request.path}\n")

        runner = web.ServerRunner(web.Server(answer), shutdown_timeout=0.1)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        files = HostPort("files.example.com", runner.addresses[0][1])
        row = Allowed("http", files, frozenset({"GET"}), ("/",), ("/",))
        edge = await start_edge(tmp_path, stack, Inward(rows=(row,), records=(Record("files", "A", ("127.0.0.1",)),)))
        context = ssl.create_default_context(cafile=str(edge.authority.ca_file))
        sessions = []
        for household in ("127.0.60.91", "127.0.60.92", "127.0.60.93", "127.0.60.94"):
            connector = aiohttp.TCPConnector(ssl=context, limit=0, local_addr=(household, 0))
            session = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=15))
            sessions.append(await stack.enter_async_context(session))

        async def ask(number: int, path: str) -> str:
            place = f"https://{WORLD}:{edge.port}/{Target(DOMAIN, 'http', files).segment()}/{path}"
            async with sessions[number % 4].get(URL(place, encoded=True), server_hostname=EDGE) as found:
                assert found.status == 200, await found.text()
                return await found.text()

        asked = [asyncio.create_task(ask(number, "news")) for number in range(WAITING)]
        async with asyncio.timeout(15):
            for _ in range(WAITING):
                await waiting.acquire()
        assert await ask(0, "other") == "/other\n"
        stopping = asyncio.create_task(edge.inner.stop())
        await asyncio.sleep(0)
        news.set()
        assert set(await asyncio.gather(*asked)) == {"/news\n"}
        await stopping
        await until(lambda: not edge.outer.links)
