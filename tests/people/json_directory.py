"""A directory of JSON over HTTPS whose behaviour is in the hand of a test."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

from aiohttp import web

from ringback.client.contacts.sources.context import SourceContext
from ringback.client.contacts.sources.remote import RemoteSource
from ringback.client.trust import TrustJudge, TrustSettings
from ringback.deployment.authority import Authority
from ringback.net.names import NameClient
from ringback.net.tls import server_context
from ringback.rules.addresses import Jid
from ringback.rules.name_search import fold

PEOPLE = [
    {
        "id": str(number), "jid": f"{name.lower()}@example.com", "name": f"{name} {family}", "title": "Engineer",
        "mails": [f"{name.lower()}@mail.example.com"], "numbers": [{"kind": "work", "value": f"+49 30 5550 {number}"}],
        "photo": f"photo/{number}.png",
    }
    for number, (name, family) in enumerate(
        [("Ada", "King"), ("Adele", "Goldberg"), ("Grace", "Hopper"), ("Adam", "Riese"), ("Zoe", "Ong")], 101
    )
]  # fmt: skip


class JsonDirectory:
    """``body``: what is answered instead of people; ``held``: set to keep who asks waiting; ``status``: of answers.

    ``asked``: the queries that came; ``given_up``: how many callers went before they were answered."""

    def __init__(self, authority: Authority) -> None:
        self.people = PEOPLE
        self.body: bytes | None = None
        self.status = 200
        self.held: asyncio.Event | None = None
        self.waiting = asyncio.Event()
        self.asked: list[dict[str, list[str]]] = []
        self.given_up = 0
        self.port = 0
        self._authority = authority
        self._runner: web.AppRunner | None = None

    @property
    def address(self) -> str:
        """What a configuration names."""
        return f"https://127.0.0.1:{self.port}/people"

    async def start(self, authority: Authority | None = None) -> None:
        """Listen, on the port of before where there was one, with a certificate of this authority."""
        identity = (authority or self._authority).issue("directory", ["directory.example.com"], ["127.0.0.1"])
        app = web.Application(handler_args={"handler_cancellation": True})
        app.router.add_get("/people", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        tls = server_context(identity)
        await web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=tls, reuse_address=True).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Mirror of ``start``."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _serve(self, request: web.Request) -> web.Response:
        query = {name: request.query.getall(name) for name in request.query}
        self.asked.append(query)
        if self.held is not None:
            self.waiting.set()
            try:
                await self.held.wait()
            except asyncio.CancelledError:
                self.given_up += 1
                raise
        body = self.body if self.body is not None else self._answer(query)
        return web.Response(status=self.status, body=body, content_type="application/json")

    def _answer(self, query: dict[str, list[str]]) -> bytes:
        if "q" not in query:
            values = {value for name in ("jid", "mail", "number") for value in query.get(name, ())}
            found = [one for one in self.people if values & {one["jid"], *one["mails"], one["numbers"][0]["value"]}]  # type: ignore[index]
            return json.dumps({"people": found}).encode()
        words, start = fold(query["q"][0]).split(), int(query.get("cursor", ["0"])[0])
        limit = int(query["limit"][0])
        found = [
            one
            for one in self.people
            if all(any(part.startswith(word) for part in fold(str(one["name"])).split()) for word in words)
        ]
        page = found[start : start + limit]
        end = start + len(page)
        return json.dumps({"people": page, "total": len(found), "next": str(end) if end < len(found) else ""}).encode()


@contextlib.asynccontextmanager
async def directories(folder: Path, *names: str) -> AsyncIterator[list[tuple[JsonDirectory, RemoteSource]]]:
    """Running directories and open sources of them."""
    authority = Authority(folder / "authority")
    client = NameClient(None)
    judge = TrustJudge(TrustSettings(authority.ca_file), client)
    context = SourceContext(
        names=client, judge=judge, own=Jid.parse("me@example.com"), user="me", domain="example.com",
        services_domain="example.com",
    )  # fmt: skip
    async with contextlib.AsyncExitStack() as stack:
        pairs = []
        for name in names:
            directory = JsonDirectory(authority)
            await directory.start()
            stack.push_async_callback(directory.stop)
            pairs.append((directory, await stack.enter_async_context(RemoteSource(name, directory.address, context))))
        stack.push_async_callback(judge.close)
        yield pairs
