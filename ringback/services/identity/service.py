"""An identity provider that runs."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack

import structlog
from aiohttp import web

from ringback.net.service import Endpoint
from ringback.net.single_sign_on.keys import SigningKey
from ringback.net.tls import server_context
from ringback.protocols.saml.metadata import IdentityProvider, write_provider
from ringback.protocols.saml.request import POST, REDIRECT
from ringback.rules.catalogue import render
from ringback.rules.reasons import Reason
from ringback.services.identity import forms
from ringback.services.identity.asked import Answers, Services
from ringback.services.identity.evidence import Evidence
from ringback.services.identity.proofs import open_proofs
from ringback.services.identity.routes import METADATA_PATH, SIGN_ON_PATH, Parts, Routes
from ringback.services.identity.sessions import Sessions, SignIns
from ringback.services.identity.settings import IdentitySettings
from ringback.services.identity.tickets import Tickets

_ROLE = "identity-provider"
_THREADS = 2
_BACKLOG = 256
_IDLE = 30.0  # seconds

_log = structlog.get_logger("ringback.identity")


class IdentityService:
    """The identity provider role of a node; see ``net.service.Service``."""

    def __init__(self, settings: IdentitySettings) -> None:
        """Nothing is bound yet."""
        self._settings = settings
        self._endpoints: tuple[Endpoint, ...] = ()
        self._running: AsyncExitStack | None = None

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """As ``net.service.Service``: single-sign-on."""
        return self._endpoints

    async def start(self) -> None:
        """As ``net.service.Service``. Raises also ssl.SSLError where the certificate does not fit, PasswordError for a
        password that is none, KerberosMissingError where a keytab is given but the library is not there."""
        async with AsyncExitStack() as stack:
            await self._start(stack)
            self._running = stack.pop_all()

    async def stop(self) -> None:
        """As ``net.service.Service``."""
        running, self._running = self._running, None
        self._endpoints = ()
        if running is not None:
            await running.aclose()

    async def _start(self, stack: AsyncExitStack) -> None:
        settings = self._settings
        bound = stack.enter_context(_bind(settings.address, settings.port))
        port = int(bound.getsockname()[1])
        threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="identity")
        stack.callback(threads.shutdown, wait=False, cancel_futures=True)
        key = await asyncio.to_thread(SigningKey.open, settings.data, settings.node)
        proofs = await open_proofs(settings.data, settings.accounts, settings.hashing, settings.limits, threads)
        tickets = await asyncio.to_thread(Tickets, settings.kerberos) if settings.kerberos is not None else None
        evidence = Evidence(proofs, tickets, settings.methods, time.monotonic)

        base = base_of(settings.node, settings.public_port or port)
        parts = Parts(
            metadata=write_provider(describe(base, key.certificate)),
            services=Services(base + SIGN_ON_PATH, settings.services),
            answers=Answers(base + METADATA_PATH, key.key, key.certificate),
            proofs=proofs,
            evidence=evidence,
            sessions=Sessions(settings.session_seconds),
            sign_ins=SignIns(settings.limits.open_limit, settings.limits.sign_in_seconds),
            methods=settings.methods,
            clock=time.time,
            steady=time.monotonic,
        )
        await self._serve(stack, Routes(parts).routes(), bound)
        self._endpoints = (Endpoint(_ROLE, settings.node, "single-sign-on", "https", settings.address, port),)
        _log.info("identity provider serves", node=settings.node, people=len(settings.accounts))

    async def _serve(self, stack: AsyncExitStack, routes: list[web.RouteDef], bound: socket.socket) -> None:
        settings = self._settings
        context = server_context(settings.identity)
        if "certificate" in settings.methods and settings.client_ca is not None:
            context.verify_mode = ssl.CERT_OPTIONAL
            context.load_verify_locations(cafile=settings.client_ca)
        app = web.Application(middlewares=[_time_limit])
        app.add_routes(routes)
        runner = web.AppRunner(
            app, access_log=None, handle_signals=False, keepalive_timeout=_IDLE, shutdown_timeout=1.0
        )
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.SockSite(runner, bound, ssl_context=context, backlog=_BACKLOG).start()


def base_of(node: str, port: int) -> str:
    """Where an identity provider is reached; 443 is not written."""
    return f"https://{node}" if port == 443 else f"https://{node}:{port}"


def describe(base: str, certificate: str) -> IdentityProvider:
    """What the provider at an address publishes of itself. Its entity id is the address of its metadata (chosen)."""
    at = base + SIGN_ON_PATH
    return IdentityProvider(base + METADATA_PATH, {REDIRECT: at, POST: at}, (certificate,))


@web.middleware
async def _time_limit(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        async with asyncio.timeout(_IDLE):
            return await handler(request)
    except TimeoutError:
        response = forms.refusal("identity.slow-title", render(Reason("identity.slow")), status=408)
        response.force_close()
        return response


def _bind(address: str, port: int) -> socket.socket:
    """A bound socket, not yet listening. Raises OSError with the address in its text."""
    bound = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((address, port))
    except OSError as error:
        bound.close()
        raise OSError(
            error.errno, f"The identity provider can't bind {address} port {port}: {error.strerror}"
        ) from error
    return bound
