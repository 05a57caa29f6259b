"""One company behind the inner proxy: its keys, policies, passwords, and what its connections are served by. Nothing of
it is shared with another company but the counting of failures by address."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Self

from ringback.net.followed import FollowedSettings
from ringback.net.home_passwords import HomePasswords
from ringback.net.names import NameClient
from ringback.net.remote_access import AccessBook
from ringback.net.tls import WatchedContext, client_context, server_context
from ringback.net.token_keys import TokenKeys
from ringback.services.edge.door import Door
from ringback.services.edge.guests import Guests
from ringback.services.edge.https import HttpsFront
from ringback.services.edge.media_inner import InnerMedia
from ringback.services.edge.own import OwnAnswers
from ringback.services.edge.settings import TenantSettings
from ringback.services.edge.sip import SipFront
from ringback.services.edge.sip_gate import TenantGate
from ringback.services.edge.watch import TenantWatch, Watch
from ringback.services.edge.xmpp import XmppFront


class Tenant:
    """Make it with ``open``."""

    def __init__(
        self,
        settings: TenantSettings,
        watch: TenantWatch,
        keys: TokenKeys,
        book: AccessBook,
        passwords: HomePasswords,
        public: WatchedContext,
        media: InnerMedia | None,
    ) -> None:
        self.settings = settings
        self.watch = watch
        self.keys = keys
        self.book = book
        self.public = public
        self.guests = Guests(keys, book)
        self.names = NameClient(settings.name_server)
        self.own = OwnAnswers(settings.own, self.names, self.guests)
        self.door = Door(keys, passwords, watch, self.guests)
        self.https = HttpsFront(
            settings.https,
            self.door,
            {"get_edge_config": (True, self.own.configuration), "get_edge_sso": (False, self.own.sign_in)},
        )
        self.xmpp = (
            None
            if settings.xmpp is None
            else XmppFront(settings.xmpp, public, watch, self.guests, self.door.user_of, self.door.failed_stream)
        )
        self.sip = (
            None
            if settings.sip is None or media is None
            else SipFront(settings.sip, media, TenantGate(watch, self.guests))
        )

    @property
    def calls(self) -> tuple[int, int]:
        """Calls since the start, and now."""
        return (0, 0) if self.sip is None else (self.sip.calls.begun, self.sip.calls.now)

    @classmethod
    async def open(
        cls, stack: AsyncExitStack, settings: TenantSettings, watch: Watch, media: InnerMedia | None = None
    ) -> Self:
        """Start it; the stack ends it. ``media`` carries what is heard and seen in calls (None: no calls). Raises
        OSError or ssl.SSLError where certificates do not fit."""
        inside = client_context(settings.ca_file, mode=settings.public.mode)
        followed = FollowedSettings(
            nodes=settings.own.call_managers,
            user=settings.application_user,
            password=settings.application_password,
            tls=inside,
            poll=settings.poll,
            source=settings.own.source,
        )
        keys, book = TokenKeys(followed), AccessBook(followed)
        passwords = HomePasswords(settings.own.call_managers, inside, settings.own.source)
        tenant = cls(settings, watch.of(settings.realm), keys, book, passwords, server_context(settings.public), media)
        parts = (keys, book, passwords, tenant.own, tenant.https)
        for part in parts:
            stack.push_async_callback(part.stop)
        await asyncio.gather(*(part.start() for part in parts))  # two of them wait a moment for silent call managers
        if tenant.xmpp is not None:
            stack.push_async_callback(tenant.xmpp.stop)
        if tenant.sip is not None:
            stack.push_async_callback(tenant.sip.stop)
        return tenant
