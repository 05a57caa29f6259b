"""The desk of the inner proxy: what its administrator asks and orders, over a socket in its data folder.

The proxy listens on no network, and stays so: whoever may read the folder, which has the keys anyway, may come here.
"""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import msgspec
from aiohttp import web

from ringback.net.followed import Told
from ringback.net.names import NameOutcome
from ringback.protocols.edge.desk import (
    Company,
    Done,
    Exempt,
    Exemption,
    Figures,
    Outer,
    Source,
    State,
    Who,
)
from ringback.protocols.traversal.control import Figures as OuterFigures
from ringback.rules.addresses import HostPort
from ringback.services.edge.companies import Companies
from ringback.services.edge.inner import InnerLinks
from ringback.services.edge.orders import Reload, open_socket, reloading, shown
from ringback.services.edge.orders import told as _json
from ringback.services.edge.settings import InnerSettings
from ringback.services.edge.tenant import Tenant
from ringback.services.edge.watch import Watch

_PROBE: Final = 2.0  # seconds for a name server or a presence service


class Desk:
    """``settings``: those that count now; ``told`` gives what each outer proxy told last; ``reload`` takes in the
    deployment file."""

    def __init__(
        self,
        settings: Callable[[], InnerSettings],
        watch: Watch,
        companies: Companies,
        links: InnerLinks,
        told: Callable[[str], OuterFigures | None],
        reload: Reload,
    ) -> None:
        self._settings = settings
        self._watch = watch
        self._companies = companies
        self._links = links
        self._told = told
        self._reload = reload
        self._since = time.time()

    async def start(self, stack: AsyncExitStack, folder: Path) -> None:
        """Open the socket in the node's folder; the stack closes it. Raises OSError."""
        routes = (
            web.get("/state", self._state),
            web.post("/unblock", self._unblock),
            web.post("/exempt", self._exempt),
            web.post("/end-exemption", self._end_exemption),
            reloading(self._reload),
        )
        await open_socket(stack, folder, routes)

    # --- orders

    async def _unblock(self, request: web.Request) -> web.Response:
        try:
            wanted = msgspec.json.decode(await request.read(), type=Who)
        except msgspec.MsgspecError as error:
            return _json(Done(fault=str(error)))
        ended = self._watch.unblock(wanted.who)
        return _json(Done(ended=list(ended)))

    async def _exempt(self, request: web.Request) -> web.Response:
        try:
            wanted = msgspec.json.decode(await request.read(), type=Exemption)
            network = ipaddress.ip_network(wanted.network, strict=False)
        except (msgspec.MsgspecError, ValueError) as error:
            return _json(Done(fault=str(error)))
        until = None if wanted.minutes is None else time.time() + wanted.minutes * 60.0
        return _json(Done(ended=list(self._watch.exempt(network, until))))

    async def _end_exemption(self, request: web.Request) -> web.Response:
        try:
            wanted = msgspec.json.decode(await request.read(), type=Exemption)
            network = ipaddress.ip_network(wanted.network, strict=False)
        except (msgspec.MsgspecError, ValueError) as error:
            return _json(Done(fault=str(error)))
        if self._watch.end_exemption(network):
            return _json(Done())
        if network in self._settings().protection.exempt:
            return _json(Done(fault=f"{network} is exempt by the deployment file; change it there"))
        return _json(Done(fault=f"{network} is not exempt"))

    # --- how it goes

    async def _state(self, _request: web.Request) -> web.Response:
        now, settings = time.time(), self._settings()
        fixed = set(settings.protection.exempt)
        companies = await asyncio.gather(*(_company(tenant) for tenant in self._companies.every))
        state = State(
            node=settings.node,
            now=now,
            since=self._since,
            link_certificate=shown(settings.identity),
            outers=[self._outer(peer.name, str(peer.link)) for peer in settings.outers],
            companies=list(companies),
            blocks=list(self._watch.protection.blocks(now)),
            exempt=[
                Exempt(str(one.network), one.until, one.network in fixed)
                for one in self._watch.protection.exemptions(now)
            ],
            figures=self._figures(),
        )
        return _json(state)

    def _outer(self, name: str, link: str) -> Outer:
        told = self._told(name)
        reached = name in self._links.links
        why = "" if reached else self._links.why(name)
        if told is None or not reached:
            return Outer(name, link, reached, why)
        return Outer(name, link, reached, why, told.connections, told.refused, told.kept_out, dict(told.arrived))

    def _figures(self) -> Figures:
        tally = self._companies.tally()
        return Figures(
            services=self._links.figures(),
            requests={f"{digit}xx": count for digit, count in tally.answers.items()},
            failures={str(fault): count for fault, count in self._watch.failures.items()},
            blocks=self._watch.protection.blocked_ever,
            ended=tally.ended,
            calls=tally.calls,
            calls_now=tally.calls_now,
        )


async def _company(tenant: Tenant) -> Company:
    settings = tenant.settings
    domain = settings.xmpp.domain if settings.xmpp else min(settings.https.domains, default="")
    names, *reached = await asyncio.gather(
        _name_error(tenant, domain), *(_reach(address.host, address.port) for _, address in _presence(tenant))
    )
    return Company(
        domain=domain,
        names=sorted(settings.names),
        keys=_sources(tenant.keys.told()),
        policies=_sources(tenant.book.told()),
        restricted=tenant.book.restricted,
        signed_in=tenant.guests.here,
        name_server="" if settings.name_server is None else str(settings.name_server),
        name_error=names,
        certificate=shown(settings.public),
        reached={name: why for (name, _), why in zip(_presence(tenant), reached, strict=True)},
    )


def _presence(tenant: Tenant) -> tuple[tuple[str, HostPort], ...]:
    return () if tenant.settings.xmpp is None else tenant.settings.xmpp.nodes


async def _name_error(tenant: Tenant, domain: str) -> str:
    """Why the name server inside is of no use; empty where it is."""
    answer = await tenant.names.srv(f"_cisco-uds._tcp.{domain}")
    if not answer.answered:
        return "the name server does not answer"
    return "" if answer.outcome is NameOutcome.FOUND else f"it has no record _cisco-uds._tcp.{domain}"


async def _reach(host: str, port: int) -> str:
    """Why a service accepts no connections; empty where it does."""
    try:
        async with asyncio.timeout(_PROBE):
            _, writer = await asyncio.open_connection(host, port)
        writer.close()
    except TimeoutError:
        return f"no answer within {_PROBE:.0f} seconds"
    except OSError as error:
        return error.strerror or type(error).__name__
    return ""


def _sources(told: tuple[Told, ...]) -> list[Source]:
    return [Source(one.node, one.seconds, one.why, one.ahead) for one in told]
