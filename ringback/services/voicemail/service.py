"""A voicemail node that runs: mailboxes brought up to date, interface and notifications served, deleted ones swept."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any, Final

import structlog
from aiohttp import web

from ringback.net.followed import FollowedSettings
from ringback.net.home_passwords import HomePasswords
from ringback.net.service import Endpoint
from ringback.net.tls import client_context, server_context
from ringback.net.token_keys import TokenKeys
from ringback.services.voicemail.browser import BrowserSignIn
from ringback.services.voicemail.door import Door, hash_secret
from ringback.services.voicemail.mailroom import Mailroom
from ringback.services.voicemail.notifications import Notifications
from ringback.services.voicemail.owners import DirectoryOwners
from ringback.services.voicemail.phones import Phones
from ringback.services.voicemail.probe import Probe
from ringback.services.voicemail.rest import Rest
from ringback.services.voicemail.settings import MailboxSettings, VoicemailSettings
from ringback.services.voicemail.telephone.desk import Desk as TelephoneDesk
from ringback.services.voicemail.telephone.telephone import Telephone
from ringback.storage.voicemail.notices import NoticeStore
from ringback.storage.voicemail.records import MailboxRow
from ringback.storage.voicemail.store import VoicemailStore

_ROLE: Final = "voicemail"
_ORIGIN: Final = "deployment"
_BODY_LIMIT: Final = 64 * 1024

_log = structlog.get_logger("ringback.voicemail")


class VoicemailService:
    """The voicemail role of a node; see ``net.service.Service``."""

    def __init__(self, settings: VoicemailSettings) -> None:
        self._settings = settings
        self._endpoints: tuple[Endpoint, ...] = ()
        self._applications: list[web.Application] = []
        self._running: AsyncExitStack | None = None

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """As ``net.service.Service``: vmrest, notify, notify-tls, sip and sip-tls."""
        return self._endpoints

    @property
    def applications(self) -> tuple[web.Application, ...]:
        """What is served over HTTP while it runs, for lists of the routes."""
        return tuple(self._applications)

    async def start(self) -> None:
        """As ``net.service.Service``. Raises also sqlalchemy.exc.SQLAlchemyError and ssl.SSLError."""
        async with AsyncExitStack() as stack:
            await self._start(stack)
            self._running = stack.pop_all()

    async def stop(self) -> None:
        """As ``net.service.Service``."""
        running, self._running = self._running, None
        self._endpoints = ()
        self._applications.clear()
        if running is not None:
            await running.aclose()

    async def _start(self, stack: AsyncExitStack) -> None:
        settings = self._settings
        store = await VoicemailStore.open(settings.database_url)
        stack.push_async_callback(store.close)
        await _sow(store, settings)
        calling = client_context(settings.ca_file, mode=settings.identity.mode)
        accounts = HomePasswords(settings.call_managers, calling)
        await accounts.start()
        stack.push_async_callback(accounts.stop)
        followed = FollowedSettings(
            nodes=settings.call_managers,
            user=settings.application_user,
            password=settings.application_password,
            tls=calling,
        )
        keys = TokenKeys(followed)
        await keys.start()
        stack.push_async_callback(keys.stop)
        keys.listen(accounts.forget_all)
        if settings.application_user:
            owners = DirectoryOwners(followed, store, settings.size_limit, settings.locale)
            await owners.start()
            stack.push_async_callback(owners.stop)
            await self._keep_doing(stack, owners.keep(), "mailboxes of directories")
        browser = None
        if settings.single_sign_on is not None:
            browser = BrowserSignIn(settings.single_sign_on, store, keys)
            await browser.start()
            stack.push_async_callback(browser.stop)
        door = Door(store, accounts, keys, browser)
        mailroom = Mailroom(settings, store)
        notifications = Notifications(settings, door, NoticeStore(store.engine, settings.node))
        await notifications.start()
        mailroom.listen(notifications.happened)
        telephone = Telephone(settings, store, TelephoneDesk(settings, store, mailroom))
        rest = [
            *Rest(settings, store, mailroom, door, Phones(settings, store, telephone.call)).routes(),
            *notifications.routes(),
            *Probe(settings).routes(),
            *(browser.routes() if browser is not None else ()),
        ]
        mailroom.listen(telephone.happened)
        await telephone.start()
        stack.push_async_callback(telephone.stop)
        tls = server_context(settings.identity)
        self._endpoints = (
            await self._serve(stack, rest, ("vmrest", "https", settings.rest_port), tls),
            await self._serve(stack, notifications.cometd_routes(), ("notify", "http", settings.notify_port), None),
            await self._serve(
                stack, notifications.cometd_routes(), ("notify-tls", "https", settings.notify_tls_port), tls
            ),
            Endpoint(_ROLE, settings.node, "sip", "sip", settings.address, telephone.ports[0]),
            Endpoint(_ROLE, settings.node, "sip-tls", "sips", settings.address, telephone.ports[1]),
        )
        notifications.ports = (self._endpoints[1].port, self._endpoints[2].port)
        await self._keep_doing(stack, mailroom.keep_sweeping(), "deleted messages")
        await self._keep_doing(stack, notifications.keep_tidy(), "subscriptions")
        _log.info("voicemail serves", node=settings.node, mailboxes=len(settings.mailboxes))

    async def _serve(
        self,
        stack: AsyncExitStack,
        routes: Sequence[web.RouteDef],
        where: tuple[str, str, int],
        tls: ssl.SSLContext | None,
    ) -> Endpoint:
        name, scheme, port = where
        application = web.Application(client_max_size=_BODY_LIMIT)
        application.add_routes(routes)
        self._applications.append(application)
        runner = web.AppRunner(
            application, access_log=None, handle_signals=False, keepalive_timeout=60.0, shutdown_timeout=0.5
        )
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, self._settings.address, port, ssl_context=tls)
        await site.start()
        return Endpoint(_ROLE, self._settings.node, name, scheme, self._settings.address, int(runner.addresses[0][1]))

    @staticmethod
    async def _keep_doing(stack: AsyncExitStack, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)

        async def end() -> None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

        stack.push_async_callback(end)


async def _sow(store: VoicemailStore, settings: VoicemailSettings) -> None:
    """The mailboxes of the deployment; first PINs and passwords are hashed, once."""
    await store.put_mailboxes([_row(one, settings) for one in settings.mailboxes], _ORIGIN)
    kept = {row.user: row for row in await store.mailboxes()}
    for one in settings.mailboxes:
        row = kept[_row(one, settings).user]
        pin = await asyncio.to_thread(hash_secret, one.pin) if one.pin and not row.pin else None
        password = await asyncio.to_thread(hash_secret, one.password) if one.password and not row.password else None
        if pin is not None or password is not None:
            await store.set_secrets(one.user, pin=pin, password=password)


def _row(one: MailboxSettings, settings: VoicemailSettings) -> MailboxRow:
    row = MailboxRow(one.user, one.display_name, one.smtp, one.extension, one.locale)
    return replace(row, size_limit=one.size_limit or settings.size_limit)
