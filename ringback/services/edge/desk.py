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
import structlog
from aiohttp import web
from cryptography import x509

from ringback.net.folder_socket import listen
from ringback.net.followed import Told
from ringback.net.names import NameOutcome
from ringback.net.tls import Identity
from ringback.protocols.edge.desk import (
    SOCKET,
    Company,
    Done,
    Exempt,
    Exemption,
    Figures,
    Outer,
    Shown,
    Source,
    State,
    Who,
)
from ringback.protocols.traversal.control import Figures as OuterFigures
from ringback.rules.addresses import HostPort
from ringback.services.edge.inner import InnerLinks
from ringback.services.edge.settings import InnerSettings
from ringback.services.edge.tenant import Tenant
from ringback.services.edge.watch import Watch

_LARGEST: Final = 4096
_PROBE: Final = 2.0  # seconds for a name server or a presence service

_log = structlog.get_logger("ringback.edge.desk")


class Desk:
    """``told`` gives what each outer proxy told last; ``folder`` is the node's."""

    def __init__(
        self,
        settings: InnerSettings,
        watch: Watch,
        tenants: tuple[Tenant, ...],
        links: InnerLinks,
        told: Callable[[str], OuterFigures | None],
    ) -> None:
        self._settings = settings
        self._watch = watch
        self._tenants = tenants
        self._links = links
        self._told = told
        self._since = time.time()

    async def start(self, stack: AsyncExitStack, folder: Path) -> None:
        """Open the socket; the stack closes it. Raises OSError."""
        app = web.Application(client_max_size=_LARGEST)
        app.add_routes(
            [
                web.get("/state", self._state),
                web.post("/unblock", self._unblock),
                web.post("/exempt", self._exempt),
                web.post("/end-exemption", self._end_exemption),
                web.post("/reload", self._reload),
            ]
        )
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        file = folder / SOCKET
        await web.SockSite(runner, listen(file)).start()
        stack.callback(file.unlink, missing_ok=True)

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
        if network in self._settings.protection.exempt:
            return _json(Done(fault=f"{network} is exempt by the deployment file; change it there"))
        return _json(Done(fault=f"{network} is not exempt"))

    async def _reload(self, _request: web.Request) -> web.Response:
        """Look at the files of all certificates now, in place of at the next connection."""
        shown = []
        for tenant in self._tenants:
            tenant.public.current(at_once=True)
            shown.append(_shown(tenant.settings.public))
        self._links.look_at_certificates()
        shown.append(_shown(self._settings.identity))
        _log.info("edge.reloaded", certificates=len(shown))
        return _json(Done(certificates=shown))

    # --- how it goes

    async def _state(self, _request: web.Request) -> web.Response:
        now, settings = time.time(), self._settings
        fixed = set(settings.protection.exempt)
        companies = await asyncio.gather(*(_company(tenant) for tenant in self._tenants))
        state = State(
            node=settings.node,
            now=now,
            since=self._since,
            link_certificate=_shown(settings.identity),
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
        requests: dict[str, int] = {}
        for tenant in self._tenants:
            for digit, count in tenant.https.answers.items():
                requests[f"{digit}xx"] = requests.get(f"{digit}xx", 0) + count
        return Figures(
            services=self._links.figures(),
            requests=requests,
            failures={str(fault): count for fault, count in self._watch.failures.items()},
            blocks=self._watch.protection.blocked_ever,
            ended=sum(tenant.guests.ended for tenant in self._tenants),
            calls=sum(tenant.calls[0] for tenant in self._tenants),
            calls_now=sum(tenant.calls[1] for tenant in self._tenants),
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
        certificate=_shown(settings.public),
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


def _shown(identity: Identity) -> Shown:
    try:
        certificate = x509.load_pem_x509_certificate(identity.certificate.read_bytes())
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        dns = names.get_values_for_type(x509.DNSName)
    except (OSError, ValueError, x509.ExtensionNotFound):
        return Shown(identity.certificate.name, [], 0.0)
    return Shown(identity.certificate.name, list(dns), certificate.not_valid_after_utc.timestamp())


def _json(content: msgspec.Struct) -> web.Response:
    return web.Response(body=msgspec.json.encode(content), content_type="application/json")
