"""The inner proxy as a whole: links, the companies that it serves, and how failures and blocks are told."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Final

import structlog

from ringback.net.service import Endpoint
from ringback.net.tls import Identity
from ringback.protocols.edge.desk import Done
from ringback.protocols.traversal.control import Figures, KeepOut, Relay, Word
from ringback.protocols.traversal.media_words import MediaOpened, MediaPlace, MediaRefused
from ringback.rules.edge_protection import Protection
from ringback.rules.reasons import Reason
from ringback.services.edge.companies import Companies
from ringback.services.edge.desk import Desk
from ringback.services.edge.inner import InnerLinks
from ringback.services.edge.kept import Kept
from ringback.services.edge.media_inner import InnerMedia, NoMediaError
from ringback.services.edge.orders import shown
from ringback.services.edge.settings import Again, InnerSettings, NotTakenInError
from ringback.services.edge.sharing import Hello, Note, Seal, SharingError
from ringback.services.edge.tenant import Tenant
from ringback.services.edge.watch import Watch

_GREET_EVERY: Final = 30.0  # seconds between two questions to the other inner proxies

_log = structlog.get_logger("ringback.edge")


class InnerProxy:
    """The role ``edge-inner`` of a node; see ``net.service.Service``. It listens nowhere."""

    def __init__(self, settings: InnerSettings, again: Again[InnerSettings] | None = None) -> None:
        """``again`` gives the settings anew while it runs; None: they stay as they are."""
        self._settings = settings
        self._again = again
        self._turn = asyncio.Lock()
        self._running: AsyncExitStack | None = None
        self._links: InnerLinks | None = None
        self._seal = Seal(settings.shared_secret) if settings.shared_secret else None
        self._greeted = -_GREET_EVERY
        self._told: dict[str, Figures] = {}  # by outer proxy, what it told last
        self.reached = asyncio.Event()
        """Set while any outer proxy is reached."""
        kept = None if settings.folder is None else Kept(settings.folder)
        self.watch = Watch(settings.protection, self._keep_out, self._share, kept)
        self._companies: Companies | None = None
        self.media: InnerMedia | None = None
        """Sound and picture of calls; None where the edge has no calls."""

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """As ``net.service.Service``: none."""
        return ()

    @property
    def tenants(self) -> tuple[Tenant, ...]:
        """The company that the edge belongs to, and others."""
        return () if self._companies is None else self._companies.every

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
        companies = self._companies = Companies(self.watch, self.media)
        stack.push_async_callback(companies.stop)
        receptions = await companies.start(settings)
        links = self._links = InnerLinks(settings, receptions, self.reached, self._standing, self._said, self._parted)
        if settings.folder is not None:
            desk = Desk(lambda: self._settings, self.watch, companies, links, self._told.get, self.reload)
            await desk.start(stack, settings.folder)
        await self._links.start()
        _log.info("inner proxy serves", node=settings.node, outers=len(settings.outers), tenants=len(self.tenants))

    async def _part(self) -> None:
        links, self._links = self._links, None
        if links is not None:
            await links.stop()

    # --- a deployment file that changed

    async def reload(self) -> Done:
        """Take in the deployment file as it is now. Connections stand but those of companies, and through outer
        proxies, that went or begin anew; where it can't be taken in, nothing changes."""
        async with self._turn:
            companies, links = self._companies, self._links
            if companies is None or links is None:
                return Done(fault="The inner proxy does not run")
            try:
                wanted = self._settings if self._again is None else await asyncio.to_thread(self._again.read)
                taken, restart = await self._take_in(wanted, companies, links)
            except (NotTakenInError, NoMediaError, OSError) as error:
                _log.warning("edge.not_reloaded", node=self._settings.node, why=str(error))
                return Done(fault=str(error))
            for tenant in companies.every:
                tenant.look_at_certificates()
            links.look_at_certificates()
            certificates = [shown(identity) for identity in self._identities(companies)]
        _log.info("edge.reloaded", node=wanted.node, taken=[one.id for one in taken], restart=restart is not None)
        file = "" if self._again is None else self._again.file
        return Done(certificates=certificates, taken=taken, restart=restart, file=file)

    async def _take_in(
        self, wanted: InnerSettings, companies: Companies, links: InnerLinks
    ) -> tuple[list[Reason], Reason | None]:
        """What came of it, and what only a restart takes in. Raises what ``reload`` tells, before anything has
        changed."""
        here = self._settings
        left = ["the TLS mode, or the files of the links' certificate"] if _secured(wanted) != _secured(here) else []
        pool = None
        if self.media is not None and wanted.sip is not None and here.sip is not None:
            pool = None if wanted.sip.ports == here.sip.ports else self.media.pool_of(wanted.sip.ports)
        taken, of_home = await companies.become(wanted)
        if self.media is not None and pool is not None:
            self.media.pool = pool
            taken.append(Reason.of("edge.reload.media", node=here.node))
        if wanted.protection != here.protection:
            self.watch.protection.rules = wanted.protection
            taken.append(Reason.of("edge.reload.protection", node=here.node))
        self._settings = replace(
            wanted, node=here.node, identity=here.identity, public=here.public, ca_file=here.ca_file
        )
        came, gone = links.become(wanted.outers)
        for name in gone:
            self._told.pop(name, None)
        taken += [Reason.of("edge.reload.outer_gone", node=name) for name in gone if name not in came]
        taken += [Reason.of("edge.reload.outer_came", node=name) for name in came if name not in gone]
        taken += [Reason.of("edge.reload.outer_moved", node=name) for name in came if name in gone]
        if wanted.shared_secret != here.shared_secret:
            self._share_with(wanted.shared_secret)
        what = ", ".join((*left, *of_home))
        return taken, Reason.of("edge.reload.restart", node=here.node, what=what) if what else None

    def _identities(self, companies: Companies) -> tuple[Identity, ...]:
        return (*(tenant.settings.public for tenant in companies.every), self._settings.identity)

    def _share_with(self, secret: str) -> None:
        """There are other inner proxies now, or no longer."""
        before, self._seal = self._seal, Seal(secret) if secret else None
        if before is None and self._seal is not None and self._links is not None:
            self._greeted = asyncio.get_running_loop().time()
            self._links.tell(Relay(self._seal.write(Hello())))

    def _open_media(self, stack: AsyncExitStack) -> InnerMedia | None:
        sip = self._settings.sip
        if sip is None:
            return None
        try:
            media = InnerMedia(sip.address, sip.ports, self._say, self._host_of)
        except NoMediaError as error:
            raise OSError(str(error)) from error
        stack.callback(media.stop)
        return media

    def _host_of(self, outer: str) -> str | None:
        """Where frames of media go."""
        return next((one.link.host for one in self._settings.outers if one.name == outer), None)

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


def _secured(settings: InnerSettings) -> tuple[Identity, Path]:
    return settings.identity, settings.ca_file
