"""The inner proxy: opens a link to each outer one, and is the server that clients of the world really talk to.

Each channel is the transport of whatever serves that kind of connection, just as if the client had come to a listener
here.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from copy import copy
from dataclasses import replace

from ringback.net.tls import WatchedContext, client_context
from ringback.protocols.edge.desk import ServiceFigures
from ringback.protocols.traversal import Channel, Opening
from ringback.protocols.traversal.control import Word
from ringback.protocols.traversal.opening import Service
from ringback.services.edge.arrivals import Serve
from ringback.services.edge.channel import ChannelTransport
from ringback.services.edge.linkend import LinkEnd, Receiver
from ringback.services.edge.pair import OuterPair
from ringback.services.edge.settings import InnerSettings, OuterPeer


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
        blocks: Callable[[], Iterable[Word]],
        said: Callable[[str, Word], None] = lambda _name, _word: None,
        parted: Callable[[str], None] = lambda _name: None,
    ) -> None:
        """``reached`` is set while any outer proxy is reached; ``blocks`` gives what an
        outer proxy that has just been reached must know. ``said`` is called
        with the name of an outer proxy and what it says, ``parted`` when the last link to it is gone."""
        self._settings = settings
        self._receptions = receptions
        self._pairs: dict[str, OuterPair] = {}
        self._keepers: dict[OuterPair, asyncio.Task[None]] = {}
        self._connections: dict[ChannelTransport, Service] = {}
        self._counts: dict[Service, ServiceFigures] = {}
        self._context: WatchedContext | None = None
        self._running: AsyncExitStack | None = None
        self._reached = reached
        self._blocks = blocks
        self._said = said
        self._parted = parted

    @property
    def links(self) -> tuple[str, ...]:
        """The outer proxies that are reached now."""
        return tuple(sorted(pair.outer.name for pair in self._pairs.values() if pair.links))

    @property
    def pairs(self) -> Mapping[str, OuterPair]:
        """By the name of each outer proxy, reached or not."""
        return self._pairs

    @property
    def connections(self) -> int:
        """How many connections of the world are served."""
        return len(self._connections)

    async def start(self) -> None:
        """Begin to reach the outer proxies; it does not wait for them. Raises also ssl.SSLError."""
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._end_all)
            self._context = client_context(self._settings.ca_file, identity=self._settings.identity)
            self.become(self._settings.outers)
            self._running = stack.pop_all()

    def become(self, outers: Iterable[OuterPeer]) -> tuple[list[str], list[str]]:
        """Have links to these outer proxies: new ones are reached from now on, those that are no longer among them, or
        are elsewhere now, are left with all that came through them. Gives the names of both."""
        context = self._context
        if context is None:
            return [], []
        wanted = {outer.name: outer for outer in outers}
        gone = [name for name, pair in self._pairs.items() if wanted.get(name) != pair.outer]
        for name in gone:
            pair = self._pairs.pop(name)
            self._keepers[pair].cancel()
            pair.close("the deployment file no longer leads the inner proxy here")
            self._parted(name)
        came = [name for name in wanted if name not in self._pairs]
        for name in came:
            self._begin(
                OuterPair(
                    wanted[name], context, self._settings.most, self._take, self._changed, self._standing, self._said
                )
            )
        return came, gone

    def drain(self) -> None:
        """Let no new connections come; those that stand go on."""
        for pair in self._pairs.values():
            pair.drain()

    async def stop(self) -> None:
        """End all links and what came through them."""
        running, self._running = self._running, None
        if running is not None:
            await running.aclose()

    def figures(self) -> dict[str, ServiceFigures]:
        """What came of each service since the start, with connections that stand."""
        found: dict[str, ServiceFigures] = {name: copy(counts) for name, counts in self._counts.items()}
        for connection, service in self._connections.items():
            _add(found[service], connection)
            found[service].open += 1
        return found

    def why(self, name: str) -> str:
        """Why an outer proxy is not reached, as far as that is known."""
        return self._pairs[name].why if name in self._pairs else ""

    def look_at_certificates(self) -> None:
        """Take up renewed files now: for the next link; those that stand go on."""
        if self._context is not None:
            self._context.current(at_once=True)

    def tell(self, *words: Word) -> None:
        """Tell all outer proxies."""
        for pair in self._pairs.values():
            pair.say(*words)

    def tell_outer(self, name: str, *words: Word) -> None:
        """Tell one outer proxy; where it is not reached, nobody."""
        if name in self._pairs:
            self._pairs[name].say(*words)

    def _begin(self, pair: OuterPair) -> None:
        self._pairs[pair.outer.name] = pair
        task = asyncio.get_running_loop().create_task(pair.keep(), name=f"links to {pair.outer.name}")
        self._keepers[pair] = task
        task.add_done_callback(lambda _: self._keepers.pop(pair))

    async def _end_all(self) -> None:
        for pair in self._pairs.values():
            pair.close("the inner proxy stops")
        for connection in list(self._connections):
            connection.abort()
        tasks = list(self._keepers.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _changed(self, name: str) -> None:
        pair = self._pairs.get(name)
        if pair is None or not pair.links:
            self._parted(name)
        if self.links:
            self._reached.set()
        else:
            self._reached.clear()

    def _standing(self) -> list[Word]:
        return list(self._blocks())

    # --- connections of the world

    def _take(self, end: LinkEnd, channel: Channel, opening: Opening) -> Receiver | None:
        opening = replace(opening, through=end.name)
        reception = self._receptions.get(opening.service)
        if reception is None or len(self._connections) >= self._settings.most:
            return None
        connection = ChannelTransport(end, channel, opening, self._over)
        self._connections[connection] = opening.service
        self._counts.setdefault(opening.service, ServiceFigures()).connections += 1
        connection.begin(lambda: reception.serve(opening), reception.tls)
        return connection

    def _over(self, connection: ChannelTransport) -> None:
        service = self._connections.pop(connection, None)
        if service is not None:
            _add(self._counts[service], connection)


def _add(figures: ServiceFigures, connection: ChannelTransport) -> None:
    figures.octets_in += connection.received
    figures.octets_out += connection.sent
