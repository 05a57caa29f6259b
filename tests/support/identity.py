"""Our identity provider and a service of ours that trusts it, in this process, with a browser for both."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from aiohttp import web

from ringback.deployment.authority import Authority
from ringback.net.single_sign_on import NotSignedIn, SignedIn, SingleSignOn, SingleSignOnSettings
from ringback.net.tls import Identity, server_context
from ringback.protocols.saml.metadata import ServiceProvider
from ringback.rules.addresses import HostPort
from ringback.services.identity.service import IdentityService
from ringback.services.identity.settings import Account, Hashing, IdentitySettings
from tests.support.dance import Browser

IDP, SERVICE, OTHER = "idp.example.com", "cm.example.com", "vm.example.com"
LEILA = Account("leila", "correct horse", mail="leila@example.com", name="Leila Haddad")
MATEUS = Account(
    "mateus", "battery staple", "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "mateus@example.com", "Mateus Oliveira"
)
CHEAP = Hashing(time_cost=1, memory=1024)


@dataclass(slots=True)
class Service:
    """A service that asks an identity provider: ``/begin?relay=…`` begins, its words come back as the page's text."""

    name: str
    base: str
    sso: SingleSignOn
    came: list[SignedIn | NotSignedIn] = field(default_factory=list)


@dataclass(slots=True)
class Stage:
    """Who is there."""

    folder: Path
    authority: Authority
    hosts: Mapping[str, HostPort]
    provider: IdentityService
    provider_base: str
    services: dict[str, Service]

    @property
    def service(self) -> Service:
        """The first service."""
        return self.services[SERVICE]

    def browser(self, identity: Identity | None = None) -> Browser:
        """A browser that nobody used yet."""
        return Browser(self.hosts, self.authority.ca_file, identity=identity)


def bound() -> tuple[socket.socket, int]:
    """A socket on a port of its own."""
    made = socket.socket()
    made.bind(("127.0.0.1", 0))
    return made, int(made.getsockname()[1])


@asynccontextmanager
async def service_of_ours(
    name: str, listening: socket.socket, settings: SingleSignOnSettings, identity: Identity, **clock: Any
) -> AsyncIterator[Service]:
    """The service side on a bound socket."""

    async def signed_in(_request: web.Request, who: SignedIn) -> web.StreamResponse:
        service.came.append(who)
        return web.Response(text=f"signed in: {who.user} relay {who.relay}")

    async def not_signed_in(_request: web.Request, refused: NotSignedIn) -> web.StreamResponse:
        service.came.append(refused)
        return web.Response(status=403, text=f"refused: {refused.why}")

    async def begin(request: web.Request) -> web.StreamResponse:
        asked = request.query
        return await service.sso.begin(
            request, asked.get("relay", ""), passive="passive" in asked, force="force" in asked
        )

    service = Service(name, settings.base, SingleSignOn(settings, signed_in, not_signed_in, **clock))
    await service.sso.start()
    app = web.Application()
    app.add_routes([*service.sso.routes(), web.get("/begin", begin)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.SockSite(runner, listening, ssl_context=server_context(identity)).start()
        yield service
    finally:
        await runner.cleanup()
        await service.sso.stop()


@asynccontextmanager
async def running_stage(
    folder: Path,
    *,
    accounts: tuple[Account, ...] = (LEILA, MATEUS),
    signed_requests: bool = False,
    more_services: tuple[ServiceProvider, ...] = (),
    **settings: Any,
) -> AsyncIterator[Stage]:
    """The provider with two services of ours; ``settings`` are further fields of ``IdentitySettings``."""
    authority = Authority(folder / "authority")
    async with AsyncExitStack() as stack:
        sockets = {name: bound() for name in (SERVICE, OTHER)}
        bases = {name: f"https://{name}:{port}" for name, (_, port) in sockets.items()}
        known = [ServiceProvider(name, (f"{base}/ssosp/saml/SSO/alias/{name}",)) for name, base in bases.items()]
        provider = IdentityService(
            replace(
                IdentitySettings(
                    node=IDP,
                    address="127.0.0.1",
                    port=0,
                    identity=authority.issue("idp", [IDP]),
                    data=folder / "idp",
                    accounts=accounts,
                    services=(*known, *more_services),
                    client_ca=authority.ca_file,
                    hashing=CHEAP,
                ),
                **settings,
            )
        )
        await provider.start()
        stack.push_async_callback(provider.stop)
        port = provider.endpoints[0].port
        base = f"https://{IDP}:{port}"
        hosts = {IDP: HostPort("127.0.0.1", port)}
        hosts |= {name: HostPort("127.0.0.1", used) for name, (_, used) in sockets.items()}
        metadata = folder / "provider.xml"
        async with Browser(hosts, authority.ca_file) as fetcher:
            metadata.write_text((await fetcher.open(f"{base}/saml/metadata")).text)
        services: dict[str, Service] = {}
        for name, (listening, _) in sockets.items():
            mine = SingleSignOnSettings(name, bases[name], metadata, keys=folder / name if signed_requests else None)
            services[name] = await stack.enter_async_context(
                service_of_ours(name, listening, mine, authority.issue(name, [name]))
            )
        yield Stage(folder, authority, hosts, provider, base, services)
