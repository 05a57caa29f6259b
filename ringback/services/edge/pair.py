"""The links of an inner proxy to one outer proxy: as many as their channels need, kept up for as long as it runs."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import Callable
from typing import Final

import structlog

from ringback.protocols.traversal import Channel, Opening
from ringback.protocols.traversal.control import Drain, Word
from ringback.services.edge.control import Control
from ringback.services.edge.linkend import LinkEnd, Receiver
from ringback.services.edge.settings import OuterPeer

CHANNELS: Final = 250
"""Channels of one link, about: HTTP/2's state costs more for each channel the more there are."""
LEAST: Final = 2
"""Links that stand at least, so that one connection that breaks cuts off only half."""
MOST: Final = 80
"""Links that stand at most."""
_CONNECT: Final = 5.0  # seconds for a link
_LASTING: Final = 5.0  # seconds after which a link was no failure
_PAUSES: Final = (0.2, 0.5, 1.0, 2.0, 5.0)  # seconds between two attempts; the last one goes on

_log = structlog.get_logger("ringback.edge")

Opened = Callable[[LinkEnd, Channel, Opening], Receiver | None]
"""Takes a channel, or gives None where nobody does."""


class OuterPair:
    """``most`` is the number of channels that one link bears at all."""

    def __init__(
        self,
        outer: OuterPeer,
        context: ssl.SSLContext,
        most: int,
        opened: Opened,
        changed: Callable[[str], None],
        standing: Callable[[], list[Word]],
        said: Callable[[str, Word], None],
    ) -> None:
        """``changed`` is called with the name of the outer proxy when the first link came or the last one went;
        ``standing``: what an outer proxy that has just been reached must be told; ``said``: its name and word."""
        self.outer = outer
        self._context = context
        self._most = most
        self._opened = opened
        self._changed = changed
        self._standing = standing
        self._said = said
        self._links: dict[LinkEnd, Control | None] = {}
        self._wake = asyncio.Event()
        self._tried = 0
        self._why = ""
        self._draining = False
        self._closing = False

    @property
    def links(self) -> int:
        """How many stand."""
        return len(self._links)

    @property
    def why(self) -> str:
        """Why the last attempt came to nothing."""
        return self._why

    @property
    def channels(self) -> tuple[int, ...]:
        """How many each link has, the oldest link first."""
        return tuple(end.channels for end in self._links)

    async def keep(self) -> None:
        """Reach the outer proxy, again and again, until cancelled."""
        while True:
            self._wake.clear()
            if len(self._links) >= self._wanted():
                await self._wake.wait()
                continue
            if self._tried:
                await asyncio.sleep(_PAUSES[min(self._tried, len(_PAUSES)) - 1] * random.uniform(0.7, 1.3))  # noqa: S311
            try:
                async with asyncio.timeout(_CONNECT):
                    await self._connect()
            except (OSError, ssl.SSLError, TimeoutError) as error:
                self._failed(str(error) or f"no answer within {_CONNECT:.0f} seconds")

    def say(self, *words: Word) -> None:
        """Tell the outer proxy, once, over the newest link: should it be a new process, the old one need not know."""
        for control in reversed(self._links.values()):
            if control is not None:
                control.say(*words)
                return

    def drain(self) -> None:
        """Let no new channel come."""
        self._draining = True
        for control in self._links.values():
            if control is not None:
                control.say(Drain())

    def close(self, why: str) -> None:
        """End all links."""
        self._draining = self._closing = True
        for end in tuple(self._links):
            end.close(why)

    def _wanted(self) -> int:
        """Room for half as many channels again as there are."""
        if self._draining:
            return 0
        channels = sum(end.channels for end in self._links)
        return max(LEAST, min(MOST, -(-channels * 3 // (2 * CHANNELS))))

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()

        def ready(end: LinkEnd) -> None:
            if self._closing:
                end.close("the inner proxy leaves")
                return
            end.name = self.outer.name
            for other in self._links:
                other.probe()
            self._links[end] = None
            if len(self._links) == 1:
                self._changed(self.outer.name)
                _log.info("outer proxy is reached", outer=self.outer.name)

        def gone(end: LinkEnd, why: str) -> None:
            stood = self._links.pop(end, self) is not self
            for other in self._links:
                other.probe()
            if loop.time() - began < _LASTING:
                self._failed(why)
            else:
                self._tried = 0
            if stood and not self._links:
                self._changed(self.outer.name)
                tell = _log.info if self._closing else _log.warning
                tell("outer proxy is not reached", outer=self.outer.name, link=str(self.outer.link), why=why)
            self._wake.set()

        def opened(channel: Channel, opening: Opening) -> Receiver | None:
            return self._control(end, channel) if opening.service == "control" else self._take(end, channel, opening)

        end = LinkEnd(most=self._most, opened=opened, ready=ready, gone=gone)
        await loop.create_connection(
            lambda: end, self.outer.link.host, self.outer.link.port, ssl=self._context, server_hostname=self.outer.name
        )

    def _failed(self, why: str) -> None:
        self._tried += 1
        if not self._links and why != self._why:
            _log.warning("outer proxy is not reached", outer=self.outer.name, link=str(self.outer.link), why=why)
        self._why = why

    def _take(self, end: LinkEnd, channel: Channel, opening: Opening) -> Receiver | None:
        if self._draining:
            return None
        owner = self._opened(end, channel, opening)
        if len(self._links) < self._wanted():
            self._wake.set()
        return owner

    def _control(self, end: LinkEnd, channel: Channel) -> Receiver | None:
        def over(control: Control) -> None:
            if self._links.get(end) is control:
                self._links[end] = None

        if end not in self._links or self._links[end] is not None:
            return None
        control = self._links[end] = Control(end, lambda word: self._said(self.outer.name, word), over)
        control.join(channel)
        asyncio.get_running_loop().call_soon(
            lambda: control.say(*self._standing())
        )  # the outer one may be a new process
        return control
