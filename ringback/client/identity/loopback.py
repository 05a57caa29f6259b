"""The way back from the browser for a program in a terminal: a listener on loopback for one answer (RFC 8252 section
7.3). It lives as long as the question; the state in the answer binds it to the question, as the engine checks."""

from __future__ import annotations

import asyncio
import html
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Self

from aiohttp import web

from ringback.protocols.oauth.clients import RETURN_PATH

Pairs = Sequence[tuple[str, str]]


class LoopbackReturn:
    """An async context manager; ``redirect`` is the address to come back to."""

    def __init__(self, took: Callable[[Pairs], Awaitable[str]]) -> None:
        """``took`` gets the query of each answer, and says why it does not count, or nothing."""
        self._took = took
        self._runner: web.AppRunner | None = None
        self._done = asyncio.Event()
        self.redirect = ""

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=16 * 1024)
        app.router.add_get(RETURN_PATH, self._back)
        runner = self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0, handle_signals=False)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.redirect = f"http://127.0.0.1:{runner.addresses[0][1]}{RETURN_PATH}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def wait(self, seconds: float) -> None:
        """Return when the answer came. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            await self._done.wait()

    async def _back(self, request: web.Request) -> web.Response:
        why = await self._took(list(request.query.items()))
        if not why:
            self._done.set()
        words = why or "You can close this window and go back to the terminal."
        title = "This sign-in does not count" if why else "You signed in"
        return web.Response(
            status=400 if why else 200,
            text=f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title><h1>{title}</h1>"
            f"<p>{html.escape(words)}</p></html>",
            content_type="text/html",
            headers={
                "Cache-Control": "no-store", "Content-Security-Policy": "default-src 'none'",
                "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff",
            },
        )  # fmt: skip
