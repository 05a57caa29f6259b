"""The answerer of the cloud look-up over HTTPS and HTTP."""

from __future__ import annotations

import ssl

from aiohttp import web

from ringback.net.service import Endpoint
from ringback.net.tls import server_context
from ringback.protocols.cas import PATH, CasAnswer
from ringback.rules.addresses import AddressError, parse_domain
from ringback.services.messenger.settings import MessengerSettings


class MessengerService:
    """Tells cloud domains from others. It holds no accounts."""

    def __init__(self, settings: MessengerSettings) -> None:
        """Nothing is bound yet."""
        self._settings = settings
        self._in_cloud = frozenset(map(parse_domain, settings.domains | settings.single_sign_on))
        self._with_sso = frozenset(map(parse_domain, settings.single_sign_on))
        self._runner: web.AppRunner | None = None
        self._endpoints: tuple[Endpoint, ...] = ()

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Where it listens."""
        return self._endpoints

    async def start(self) -> None:
        """Bind and answer. Raises OSError where a port is taken, ssl.SSLError where the identity does not fit."""
        settings = self._settings
        application = web.Application(client_max_size=1024)
        application.router.add_get(PATH, self._answer)
        runner = web.AppRunner(
            application, access_log=None, handle_signals=False, keepalive_timeout=15.0, shutdown_timeout=1.0
        )
        await runner.setup()
        self._runner = runner
        try:
            context = server_context(settings.identity) if settings.identity is not None else None
            found = [await self._bind(runner, settings.port, context)]
            if settings.http_port is not None and context is not None:
                found.append(await self._bind(runner, settings.http_port, None))
        except BaseException:
            await self.stop()
            raise
        self._endpoints = tuple(found)

    async def _bind(self, runner: web.AppRunner, port: int, context: ssl.SSLContext | None) -> Endpoint:
        settings = self._settings
        before = len(runner.addresses)
        site = web.TCPSite(runner, settings.address, port, ssl_context=context)
        await site.start()
        bound = int(runner.addresses[before][1])
        return Endpoint("messenger", settings.node, "cas", "https" if context else "http", settings.address, bound)

    async def stop(self) -> None:
        """Close the sockets and end the connections."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        self._endpoints = ()

    async def _answer(self, request: web.Request) -> web.Response:
        try:
            domain = parse_domain(request.query.get("org", ""))
        except AddressError:
            domain = ""
        answer = CasAnswer.for_domain(
            domain, in_cloud=domain in self._in_cloud, single_sign_on=domain in self._with_sso
        )
        return web.Response(
            body=answer.build(), content_type="text/xml", charset="utf-8", headers={"Cache-Control": "no-store"}
        )
