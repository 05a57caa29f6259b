"""What the edge itself answers: its configuration, and how people sign in. Both are looked up inside at each question,
so that a change there needs nothing here."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Final
from urllib.parse import quote

import aiohttp
import structlog
from aiohttp import web
from yarl import URL

from ringback.net.names import NameClient, NameOutcome
from ringback.net.node_resolver import NodeResolver, local_address
from ringback.protocols.edge import KIND_HEADER, EdgeConfiguration, EdgeSignIn, Located, ServiceRecord, Target
from ringback.protocols.oauth.probe import PATH as PROBE_PATH
from ringback.protocols.oauth.probe import Probe, ProbeError
from ringback.protocols.uds import ClusterUser, UdsError
from ringback.rules.addresses import AddressError, HostPort
from ringback.rules.edge_access import RemoteAccess, kind_of_client
from ringback.services.edge.answers import ACCESS_HEADER, refusal
from ringback.services.edge.guests import Guests
from ringback.services.edge.settings import OwnSettings

_TIMEOUT: Final = aiohttp.ClientTimeout(total=5, connect=3)
_LARGEST: Final = 65_536
_ASKED: Final = {  # what may be asked for, and the protocol of its record
    "_cisco-uds": "_tcp",
    "_cuplogin": "_tcp",
    "_cisco-phone-tftp": "_tcp",
    "_cisco-phone-http": "_tcp",
    "_xmpp-client": "_tcp",
    "_sips": "_tcp",
}
_MOST_ASKED: Final = 8

_log = structlog.get_logger("ringback.edge.own")


class OwnAnswers:
    """``get_edge_config`` and ``get_edge_sso``."""

    def __init__(self, settings: OwnSettings, names: NameClient, guests: Guests) -> None:
        self._settings = settings
        self._guests = guests
        self._names = names
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Open the connection pool to the call managers."""
        resolver = NodeResolver(dict(self._settings.call_managers))
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                ssl=self._settings.tls, resolver=resolver, limit=32, local_addr=local_address(self._settings.source)
            ),
            timeout=_TIMEOUT,
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    def become(self, settings: OwnSettings) -> None:
        """Say this of where the edge is, and of servers of files, from the next question on."""
        self._settings = replace(self._settings, files=settings.files, places=settings.places, route=settings.route)

    async def stop(self) -> None:
        """Mirror of ``start``."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def configuration(self, request: web.BaseRequest, target: Target, user: str) -> web.Response:
        """The records of the name server inside, and where the edge takes each service, as far as this person may use
        them. The device's name or, before a client knows one, its own word (both chosen) say on what kind of client."""
        device = request.query.get("device_name", "")[:64]
        told = kind_of_client(request.headers.get(KIND_HEADER, ""))
        if (refused := self._guests.refuses("https", user, device, told)) is not None:
            return refusal(refused)
        access = self._guests.access(user, device, told)
        may_call = access is RemoteAccess.ALL
        wanted = dict.fromkeys(request.query.getall("service_name", []))
        if len(wanted) > _MOST_ASKED:
            return web.Response(status=400, text="Too many services.\n")
        records = await asyncio.gather(*(self._record(name, target.domain) for name in wanted))
        home = await self._home(user)
        places = self._settings.places
        document = EdgeConfiguration(
            services=tuple(records),
            files=self._settings.files,
            sip=places.get("sip", ()) if may_call else (),
            route=self._settings.route if may_call else "",
            xmpp=places.get("xmpp", ()),
            https=places.get("https", ()),
            users=() if home is None else (home,),
        )
        answer = _xml(document.build())
        answer.headers[ACCESS_HEADER] = access.value
        return answer

    async def sign_in(self, request: web.BaseRequest, target: Target, _: str) -> web.Response:
        """How a person of this domain signs in. Whether somebody exists is told to nobody: whoever is not known
        signs in as people of the first call manager do."""
        user, _, domain = request.query.get("email", "").rpartition("@")
        home = await self._home(user) if user and domain.lower() == target.domain else None
        if home is None and self._settings.call_managers:
            name, address = self._settings.call_managers[0]
            home = HostPort(name, address.port)
        if home is None or (body := await self._get(home, PROBE_PATH)) is None:
            return web.Response(status=502, reason="Next Hop Connection Failed")
        try:
            probe = Probe.parse(body)
        except ProbeError as error:
            _log.warning("edge.probe_unreadable", server=home.host, why=str(error))
            return web.Response(status=502, reason="Next Hop Connection Failed")
        return _xml(EdgeSignIn(probe.single_sign_on, probe.code_grant, home).build())

    async def _record(self, name: str, domain: str) -> ServiceRecord:
        protocol = _ASKED.get(name)
        if protocol is None:
            return ServiceRecord(name[:64], error="NameError")
        answer = await self._names.srv(f"{name}.{protocol}.{domain}")
        if answer.outcome is not NameOutcome.FOUND:
            return ServiceRecord(name, error="NameError" if answer.answered else "Timeout")
        found = (Located(row.priority, row.weight, HostPort(row.target, row.port)) for row in answer.srv if row.target)
        return ServiceRecord(name, tuple(found))

    async def _home(self, user: str) -> HostPort | None:
        """The call manager that a person belongs to: the first one that answers knows."""
        for name, address in self._settings.call_managers:
            body = await self._get(
                HostPort(name, address.port), f"/cucm-uds/clusterUser?username={quote(user, safe='')}"
            )
            if body is None:
                continue
            try:
                found = ClusterUser.parse(body)
                return HostPort.parse(found.home_cluster, URL(found.servers_uri).port or 8443) if found.found else None
            except (UdsError, AddressError, ValueError) as error:
                _log.warning("edge.home_unreadable", server=name, why=str(error))
        return None

    async def _get(self, server: HostPort, path: str) -> bytes | None:
        if self._session is None:
            return None
        try:
            async with self._session.get(f"https://{server}{path}", allow_redirects=False) as answer:
                return await answer.content.read(_LARGEST) if answer.status == 200 else None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            _log.warning("edge.next_hop", server=server.host, error=type(error).__name__)
            return None


def _xml(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="text/xml", charset="utf-8", headers={"Server": "CE_C ECS"})
