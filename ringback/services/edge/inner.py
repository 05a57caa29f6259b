"""The inner proxy: opens a link to each outer one, and is the server that clients of the world really talk to.

Each channel becomes a socket pair: one end is the channel's, the other goes through TLS to whatever serves that kind of
connection, just as if the client had come to a listener here.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import ssl
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from typing import Final

import structlog

from ringback.net.tls import client_context
from ringback.protocols.traversal import Channel, Opening
from ringback.protocols.traversal.control import KeepOut, Word
from ringback.protocols.traversal.opening import Service
from ringback.services.edge.control import Control
from ringback.services.edge.linkend import LinkEnd, Receiver
from ringback.services.edge.settings import InnerSettings, OuterPeer
from ringback.services.edge.splice import Splice

_HANDSHAKE: Final = 10.0  # seconds that a client may take for TLS
_CONNECT: Final = 5.0  # seconds for a link
_PAUSES: Final = (0.2, 0.5, 1.0, 2.0, 5.0)  # seconds between two attempts; the last one goes on

_log = structlog.get_logger("ringback.edge")

Serve = Callable[[Opening, socket.socket], asyncio.Protocol]
"""Makes the protocol that serves a connection of the world; the socket is our end of it, as its key."""


class Reception:
    """Where connections of one kind go: ``tls`` None where they begin in clear (XMPP, until STARTTLS)."""

    def __init__(self, serve: Serve, tls: ssl.SSLContext | None) -> None:
        self.serve = serve
        self.tls = tls


class InnerLinks:
    """Links to all outer proxies, kept up for as long as it runs."""

    def __init__(
        self,
        settings: InnerSettings,
        receptions: Mapping[Service, Reception],
        reached: asyncio.Event,
        blocks: Callable[[], Iterable[KeepOut]],
    ) -> None:
        """``reached`` is set while any outer proxy is reached; ``blocks`` gives those that stand."""
        self._settings = settings
        self._receptions = receptions
        self._links: dict[str, LinkEnd] = {}
        self._splices: set[Splice] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._running: AsyncExitStack | None = None
        self._reached = reached
        self._blocks = blocks
        self._controls: set[Control] = set()

    @property
    def links(self) -> tuple[str, ...]:
        """The outer proxies that are reached now."""
        return tuple(sorted(self._links))

    async def start(self) -> None:
        """Begin to reach the outer proxies; it does not wait for them."""
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._end_all)
            for outer in self._settings.outers:
                self._begin(self._keep(outer), f"link to {outer.name}")
            self._running = stack.pop_all()

    async def stop(self) -> None:
        """End all links and what came through them."""
        running, self._running = self._running, None
        if running is not None:
            await running.aclose()

    def tell(self, *words: Word) -> None:
        """Tell all outer proxies."""
        for control in list(self._controls):
            control.say(*words)

    def _begin(self, work: object, name: str) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work, name=name)  # type: ignore[arg-type]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _end_all(self) -> None:
        for end in list(self._links.values()):
            end.close("the inner proxy stops")
        for splice in list(self._splices):
            splice.abort()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep(self, outer: OuterPeer) -> None:
        """Reach an outer proxy, again and again."""
        context = client_context(self._settings.ca_file)
        context.load_cert_chain(self._settings.identity.certificate, self._settings.identity.key)
        tried = 0
        while True:
            over: asyncio.Future[str] = asyncio.get_running_loop().create_future()
            began = asyncio.get_running_loop().time()
            try:
                async with asyncio.timeout(_CONNECT):
                    await self._connect(outer, context, over)
                why = await over
            except (OSError, ssl.SSLError, TimeoutError) as error:
                why = str(error) or f"no answer within {_CONNECT:.0f} seconds"
            if asyncio.get_running_loop().time() - began > _PAUSES[-1]:
                tried = 0
            _log.warning("outer proxy is not reached", outer=outer.name, link=str(outer.link), why=why)
            await asyncio.sleep(_PAUSES[min(tried, len(_PAUSES) - 1)] * random.uniform(0.7, 1.3))  # noqa: S311
            tried += 1

    async def _connect(self, outer: OuterPeer, context: ssl.SSLContext, over: asyncio.Future[str]) -> None:
        def ready(end: LinkEnd) -> None:
            end.name = outer.name
            self._links[outer.name] = end
            self._reached.set()
            _log.info("outer proxy is reached", outer=outer.name)

        def gone(end: LinkEnd, why: str) -> None:
            if self._links.get(outer.name) is end:
                del self._links[outer.name]
                if not self._links:
                    self._reached.clear()
            if not over.done():
                over.set_result(why)

        def opened(channel: Channel, opening: Opening) -> Receiver | None:
            return self._take(end, channel, opening)

        end = LinkEnd(most=self._settings.most, opened=opened, ready=ready, gone=gone)
        await asyncio.get_running_loop().create_connection(
            lambda: end, outer.link.host, outer.link.port, ssl=context, server_hostname=outer.name
        )

    # --- connections of the world

    def _take(self, end: LinkEnd, channel: Channel, opening: Opening) -> Receiver | None:
        if opening.service == "control":
            control = Control(end, lambda _: None, self._controls.discard)
            self._controls.add(control)
            control.join(channel)
            asyncio.get_running_loop().call_soon(lambda: control.say(*self._blocks()))
            return control
        reception = self._receptions.get(opening.service)
        if reception is None:
            return None
        splice = Splice(end, self._splices.discard)
        splice.join(channel)
        self._splices.add(splice)
        self._begin(self._join(splice, reception, opening), f"{opening.service} connection of {opening.peer}")
        return splice

    async def _join(self, splice: Splice, reception: Reception, opening: Opening) -> None:
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        try:
            await loop.connect_accepted_socket(lambda: splice, ours)
        except BaseException:
            theirs.close()
            raise
        with contextlib.suppress(OSError, ssl.SSLError):  # a client that breaks off, or speaks no TLS that we do
            await loop.connect_accepted_socket(
                lambda: reception.serve(opening, theirs),
                theirs,
                ssl=reception.tls,
                ssl_handshake_timeout=_HANDSHAKE if reception.tls is not None else None,
            )
