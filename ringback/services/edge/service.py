"""The inner proxy as a whole: links, who may pass, and what each kind of connection is served by."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack

import structlog

from ringback.net.home_passwords import HomePasswords
from ringback.net.names import NameClient
from ringback.net.service import Endpoint
from ringback.net.tls import client_context, server_context
from ringback.net.token_keys import TokenKeys, TokenKeySettings
from ringback.protocols.traversal.control import KeepOut
from ringback.protocols.traversal.opening import Service
from ringback.rules.edge_protection import Block, Protection
from ringback.services.edge.door import Door
from ringback.services.edge.https import HttpsFront
from ringback.services.edge.inner import InnerLinks, Reception
from ringback.services.edge.own import OwnAnswers
from ringback.services.edge.settings import InnerSettings
from ringback.services.edge.xmpp import XmppFront

_log = structlog.get_logger("ringback.edge")


class InnerProxy:
    """The role ``edge-inner`` of a node; see ``net.service.Service``. It listens nowhere."""

    def __init__(self, settings: InnerSettings) -> None:
        self._settings = settings
        self._running: AsyncExitStack | None = None
        self._links: InnerLinks | None = None
        self.reached = asyncio.Event()
        """Set while any outer proxy is reached."""
        self.protection = Protection(settings.protection)

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """As ``net.service.Service``: none."""
        return ()

    @property
    def links(self) -> tuple[str, ...]:
        """The outer proxies that are reached now."""
        return () if self._links is None else self._links.links

    async def start(self) -> None:
        """As ``net.service.Service``. Raises also ssl.SSLError."""
        async with AsyncExitStack() as stack:
            await self._start(stack)
            self._running = stack.pop_all()

    async def stop(self) -> None:
        """As ``net.service.Service``."""
        running, self._running = self._running, None
        if running is not None:
            await running.aclose()

    async def _start(self, stack: AsyncExitStack) -> None:
        settings = self._settings
        inside = client_context(settings.ca_file, mode=settings.identity.mode)
        names = NameClient(settings.name_server)
        keys = TokenKeys(
            TokenKeySettings(
                nodes=settings.own.call_managers,
                user=settings.application_user,
                password=settings.application_password,
                tls=inside,
            )
        )
        await keys.start()
        stack.push_async_callback(keys.stop)
        passwords = HomePasswords(settings.own.call_managers, inside)
        await passwords.start()
        stack.push_async_callback(passwords.stop)
        own = OwnAnswers(settings.own, names)
        await own.start()
        stack.push_async_callback(own.stop)
        door = Door(keys, passwords, self.protection, self._blocked)
        front = HttpsFront(
            settings.https,
            door,
            {"get_edge_config": (True, own.configuration), "get_edge_sso": (False, own.sign_in)},
        )
        await front.start()
        stack.push_async_callback(front.stop)
        public = server_context(settings.public)
        receptions: dict[Service, Reception] = {"https": Reception(front.serve, public)}
        if settings.xmpp is not None:
            xmpp = XmppFront(settings.xmpp, public, self._failed, self._kept_out)
            stack.push_async_callback(xmpp.stop)
            receptions["xmpp"] = Reception(xmpp.serve, None)
        self._links = InnerLinks(settings, receptions, self.reached, self._standing)
        await self._links.start()
        stack.push_async_callback(self._links.stop)
        _log.info("inner proxy serves", node=settings.node, outers=len(settings.outers))

    def _failed(self, address: str) -> None:
        for block in self.protection.failed(address, "", time.time()):
            _log.warning("edge.blocked", who=block.who, kind=block.kind, failures=block.failures)
            self._blocked(block)

    def _kept_out(self, address: str) -> bool:
        return self.protection.block_of(address, "", time.time()) is not None

    def _blocked(self, block: Block) -> None:
        if block.kind == "address" and self._links is not None:
            self._links.tell(KeepOut(block.who, block.until - time.time()))

    def _standing(self) -> list[KeepOut]:
        now = time.time()
        return [
            KeepOut(block.who, block.until - now) for block in self.protection.blocks(now) if block.kind == "address"
        ]
