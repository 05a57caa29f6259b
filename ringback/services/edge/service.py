"""The inner proxy as a whole: links, the companies that it serves, and how failures and blocks are told."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Final

import structlog

from ringback.net.service import Endpoint
from ringback.net.tls import server_context
from ringback.protocols.traversal.control import Figures, KeepOut, Relay, Word
from ringback.protocols.traversal.media_words import MediaOpened, MediaPlace, MediaRefused
from ringback.protocols.traversal.opening import Service
from ringback.rules.edge_protection import Protection
from ringback.services.edge.arrivals import ByServerName, ByStreamHeader
from ringback.services.edge.desk import Desk
from ringback.services.edge.inner import InnerLinks, Reception
from ringback.services.edge.kept import Kept
from ringback.services.edge.media_inner import InnerMedia, NoMediaError
from ringback.services.edge.settings import InnerSettings
from ringback.services.edge.sharing import Hello, Note, Seal, SharingError
from ringback.services.edge.tenant import Tenant
from ringback.services.edge.watch import Watch

_GREET_EVERY: Final = 30.0  # seconds between two questions to the other inner proxies

_log = structlog.get_logger("ringback.edge")


class InnerProxy:
    """The role ``edge-inner`` of a node; see ``net.service.Service``. It listens nowhere."""

    def __init__(self, settings: InnerSettings) -> None:
        self._settings = settings
        self._running: AsyncExitStack | None = None
        self._links: InnerLinks | None = None
        self._seal = Seal(settings.shared_secret) if settings.shared_secret else None
        self._greeted = -_GREET_EVERY
        self._told: dict[str, Figures] = {}  # by outer proxy, what it told last
        self.reached = asyncio.Event()
        """Set while any outer proxy is reached."""
        kept = None if settings.folder is None else Kept(settings.folder)
        self.watch = Watch(settings.protection, self._keep_out, self._share, kept)
        self.tenants: tuple[Tenant, ...] = ()
        """The company that the edge belongs to, and others."""
        self.media: InnerMedia | None = None
        """Sound and picture of calls; None where the edge has no calls."""

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """As ``net.service.Service``: none."""
        return ()

    @property
    def links(self) -> tuple[str, ...]:
        """The outer proxies that are reached now."""
        return () if self._links is None else self._links.links

    @property
    def protection(self) -> Protection:
        """Who is kept out, and why."""
        return self.watch.protection

    @property
    def connections(self) -> int:
        """How many connections of the world are served now."""
        return 0 if self._links is None else sum(one.open for one in self._links.figures().values())

    async def start(self) -> None:
        """As ``net.service.Service``. Raises also ssl.SSLError."""
        async with AsyncExitStack() as stack:
            await self._start(stack)
            self._running = stack.pop_all()

    async def stop(self) -> None:
        """As ``net.service.Service``. Outer proxies bring no new connections from here on; requests that are being
        answered may end first, for a second."""
        running, self._running = self._running, None
        if self._links is not None:
            self._links.drain()
        if running is not None:
            await running.aclose()

    async def _start(self, stack: AsyncExitStack) -> None:
        settings = self._settings
        stack.push_async_callback(self._part)  # last of all: those who serve the connections end before the links do
        await self.watch.start()
        stack.push_async_callback(self.watch.stop)
        self.media = self._open_media(stack)
        home = await Tenant.open(stack, settings.home, self.watch, self.media)
        others = [await Tenant.open(stack, one, self.watch, self.media) for one in settings.tenants]
        self.tenants = (home, *others)
        self._links = InnerLinks(
            settings, self._receptions(home, others), self.reached, self._standing, self._said, self._parted
        )
        if settings.folder is not None:
            desk = Desk(settings, self.watch, self.tenants, self._links, self._told.get)
            await desk.start(stack, settings.folder)
        await self._links.start()
        _log.info("inner proxy serves", node=settings.node, outers=len(settings.outers), tenants=len(self.tenants))

    async def _part(self) -> None:
        links, self._links = self._links, None
        if links is not None:
            await links.stop()

    def _receptions(self, home: Tenant, others: list[Tenant]) -> dict[Service, Reception]:
        """What each kind of connection is served by: of the company that it names."""
        https = ByServerName(
            (home.public, home.https.serve),
            home.settings.names,
            {name: (one.public, one.https.serve) for one in others for name in one.settings.names},
        )
        found: dict[Service, Reception] = {"https": Reception(https.serve, https.context)}
        if home.xmpp is not None:
            streams = {one.settings.xmpp.domain: one.xmpp for one in others if one.settings.xmpp and one.xmpp}
            by_header = ByStreamHeader(home.xmpp.serve, {domain: front.serve for domain, front in streams.items()})
            found["xmpp"] = Reception(by_header.serve, None)
        if home.sip is not None:
            sip = ByServerName(
                (server_context(home.settings.public), home.sip.serve),  # its own: the names of tenants lead elsewhere
                home.settings.names,
                {name: (one.public, one.sip.serve) for one in others if one.sip for name in one.settings.names},
            )
            found["sip"] = Reception(sip.serve, sip.context)
        return found

    def _open_media(self, stack: AsyncExitStack) -> InnerMedia | None:
        sip = self._settings.sip
        if sip is None:
            return None
        hosts = {outer.name: outer.link.host for outer in self._settings.outers}
        try:
            media = InnerMedia(sip.address, sip.ports, self._say, hosts.get)
        except NoMediaError as error:
            raise OSError(str(error)) from error
        stack.callback(media.stop)
        return media

    def _say(self, outer: str, word: Word) -> None:
        if self._links is not None:
            self._links.tell_outer(outer, word)

    # --- the outer proxies

    def _keep_out(self, word: KeepOut) -> None:
        if self._links is not None:
            self._links.tell(word)

    def _standing(self) -> list[Word]:
        """What an outer proxy that has just been reached must know, and what others inside should say to us."""
        now = asyncio.get_running_loop().time()
        words: list[Word] = [*self.watch.standing()]
        if self._seal is not None and now - self._greeted > _GREET_EVERY:
            self._greeted = now
            words.append(Relay(self._seal.write(Hello())))
        return words

    def _said(self, outer: str, word: Word) -> None:
        if isinstance(word, Relay):
            self._heard(word.text)
        elif isinstance(word, Figures):
            self._told[outer] = word
        elif isinstance(word, MediaPlace | MediaOpened | MediaRefused) and self.media is not None:
            self.media.said(outer, word)

    def _parted(self, outer: str) -> None:
        """The last link to an outer proxy is gone."""
        if self.media is not None:
            self.media.parted(outer)

    # --- the other inner proxies

    def _share(self, note: Note | Hello) -> None:
        if self._seal is not None and self._links is not None:
            self._links.tell(Relay(self._seal.write(note)))

    def _heard(self, text: str) -> None:
        if self._seal is None:
            return
        try:
            note = self._seal.read(text)
        except SharingError as error:
            _log.warning("edge.note_refused", why=str(error))
            return
        if isinstance(note, Hello):
            for known in self.watch.notes():
                self._share(known)
        else:
            self.watch.heard(note)
