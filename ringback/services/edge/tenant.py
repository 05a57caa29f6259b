"""One company behind the inner proxy: its keys, policies, passwords, and what its connections are served by. Nothing of
it is shared with another company but the counting of failures by address."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Self

from ringback.net.followed import FollowedSettings
from ringback.net.home_passwords import HomePasswords
from ringback.net.names import NameClient
from ringback.net.remote_access import AccessBook
from ringback.net.tls import WatchedContext, client_context, server_context
from ringback.net.token_keys import TokenKeys
from ringback.rules.edge_networks import Inside
from ringback.services.edge.door import Door
from ringback.services.edge.guests import Guests
from ringback.services.edge.https import HttpsFront
from ringback.services.edge.media_inner import InnerMedia
from ringback.services.edge.own import OwnAnswers
from ringback.services.edge.resolver import GuardedResolver
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

    def look_at_certificates(self) -> None:
        """Show renewed files from the next connection on."""
        self.public.current(at_once=True)

    def changes(self, wanted: TenantSettings) -> bool:
        """Whether ``become`` would change something."""
        return _lighter(self.settings, wanted) != self.settings or _leads(self.settings) != _leads(wanted)

    def become(self, wanted: TenantSettings) -> None:
        """Take in what can change while connections stand: for each it counts from the next request, stream or call on.
        What lasts (see ``lasting``) stays as it is."""
        self.https.become(wanted.https)
        self.own.become(wanted.own)
        if self.xmpp is not None and wanted.xmpp is not None:
            self.xmpp.become(wanted.xmpp)
        if self.sip is not None and wanted.sip is not None:
            self.sip.become(wanted.sip)
        self.settings = _lighter(self.settings, wanted)

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


def lasting(here: TenantSettings, wanted: TenantSettings) -> list[str]:
    """What of a company can't change while its connections stand, in words; empty where all can be taken in."""
    found = []
    if (wanted.public, wanted.ca_file) != (here.public, here.ca_file):
        found.append("its TLS mode, or the files of its certificates")
    if wanted.own.call_managers != here.own.call_managers:
        found.append("its call managers")
    if (wanted.application_user, wanted.application_password) != (here.application_user, here.application_password):
        found.append("the edge's password at its call managers")
    if wanted.name_server != here.name_server:
        found.append("its name server")
    if (wanted.own.source, wanted.https.source) != (here.own.source, here.https.source):
        found.append("the address of the inner proxy")
    if _served(wanted) != _served(here) or wanted.realm != here.realm:
        found.append("its domain, or whether it has messages and calls")
    if wanted.poll != here.poll:
        found.append("how often its call managers are asked")
    return found


def _served(settings: TenantSettings) -> tuple[str | None, bool]:
    """The domain of its messages, and whether it has calls."""
    return None if settings.xmpp is None else settings.xmpp.domain, settings.sip is not None


def _leads(settings: TenantSettings) -> Inside | None:
    """Where names of its servers may lead."""
    resolver = settings.https.resolver
    return resolver.inside if isinstance(resolver, GuardedResolver) else None


def _lighter(here: TenantSettings, wanted: TenantSettings) -> TenantSettings:
    """Settings with all that can change while connections stand."""
    https = replace(here.https, domains=wanted.https.domains, allowed=wanted.https.allowed, limits=wanted.https.limits)
    own = replace(here.own, files=wanted.own.files, places=wanted.own.places, route=wanted.own.route)
    xmpp, sip = here.xmpp, here.sip
    if xmpp is not None and wanted.xmpp is not None:
        xmpp = replace(xmpp, nodes=wanted.xmpp.nodes)
    if sip is not None and wanted.sip is not None:
        theirs = wanted.sip
        sip = replace(sip, domains=theirs.domains, managers=theirs.managers, names=theirs.names, media=theirs.media)
    return replace(here, names=wanted.names, https=https, own=own, xmpp=xmpp, sip=sip)
