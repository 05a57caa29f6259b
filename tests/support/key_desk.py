"""What a call manager node serves at its key endpoint, with everything about it in the hand of a test."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

from aiohttp import web

from ringback.deployment.authority import Authority
from ringback.net.tls import server_context
from ringback.net.token_keys import PATH
from ringback.protocols.oauth.tokens import NOTHING_TAKEN_BACK, Claims, IssuerKeys, TakenBack, issue_access
from ringback.rules.addresses import HostPort

USER, PASSWORD = "presence", "application pass phrase"
CLIENT = "C" + "1" * 64


class KeyDesk:
    """Serves the document of ``keys`` and ``taken_back`` by HTTPS. ``status``: refuse everybody with it. ``held``: set
    to keep who asks waiting. ``answers`` counts statuses by number."""

    def __init__(self, authority: Authority, name: str, keys: IssuerKeys | None = None) -> None:
        self.name = name
        self.keys = keys or IssuerKeys.generate()
        self.taken_back: TakenBack = NOTHING_TAKEN_BACK
        self.status = 0
        self.body: bytes | None = None
        self.held: asyncio.Event | None = None
        self.answers: list[int] = []
        self.asked = asyncio.Condition()
        self.port = 0
        self._tls = server_context(authority.issue(name, [name], ["127.0.0.1"]))
        self._runner: web.AppRunner | None = None

    @property
    def node(self) -> tuple[str, HostPort]:
        """As settings name it."""
        return self.name, HostPort("127.0.0.1", self.port)

    async def start(self) -> None:
        """Listen, on the port of before where there was one."""
        app = web.Application()
        app.router.add_get(PATH, self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=self._tls, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Mirror of ``start``."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def token(self, user: str, life: float = 3600.0, *, token_id: str = "sign-in", client: str = CLIENT) -> str:
        """An access token of this cluster."""
        return token_of(self.keys, user, life, token_id=token_id, client=client)

    async def until(self, status: int, *, after: int) -> None:
        """Wait for an answer with this status after the first ``after`` ones."""
        async with asyncio.timeout(8), self.asked:
            await self.asked.wait_for(lambda: status in self.answers[after:])

    async def _serve(self, request: web.Request) -> web.Response:
        if self.held is not None:
            await self.held.wait()
        response = self._answer(request)
        async with self.asked:
            self.answers.append(response.status)
            self.asked.notify_all()
        return response

    def _answer(self, request: web.Request) -> web.Response:
        basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {basic}":
            return web.Response(status=401)
        if self.status:
            return web.Response(status=self.status)
        body = self.body if self.body is not None else self.keys.published(encryption=True, taken_back=self.taken_back)
        etag = f'"{hashlib.sha256(body).hexdigest()}"'
        if request.headers.get("If-None-Match") == etag:
            return web.Response(status=304, headers={"ETag": etag})
        return web.Response(body=body, headers={"ETag": etag})


def token_of(
    keys: IssuerKeys, user: str, life: float = 3600.0, *, token_id: str = "sign-in", client: str = CLIENT
) -> str:
    """An access token made with these keys a second ago."""
    now = time.time()
    return issue_access(keys, Claims(user, keys.cluster, client, token_id, now - 1, now + life))


@contextlib.asynccontextmanager
async def key_desks(folder: Path, *names: str, one_cluster: bool = False) -> AsyncIterator[tuple[KeyDesk, ...]]:
    """Desks with these names, ended with the block; ``one_cluster``: with the same keys."""
    authority = Authority(folder / "authority")
    keys = IssuerKeys.generate() if one_cluster else None
    desks = tuple(KeyDesk(authority, name, keys) for name in names)
    try:
        for desk in desks:
            await desk.start()
        yield desks
    finally:
        for desk in desks:
            if desk.held is not None:
                desk.held.set()
            await desk.stop()
