"""A company for a fault: real call managers and a real name server with a zone prepared for it."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ringback.client.discovery import DiscoverySettings
from ringback.deployment.authority import Authority
from ringback.planning.doctor import DoctorSettings
from ringback.protocols.service_profile import ServiceAddress, ServiceProfile, ServiceServers
from ringback.rules.addresses import HostPort
from ringback.services.callmanager.service import CallManager
from ringback.services.callmanager.settings import (
    ConfigurationFile,
    DeviceRecord,
    LineRecord,
    NamedServiceProfile,
    PersonRecord,
)
from ringback.services.messenger import MessengerService, MessengerSettings
from ringback.services.names import NamesService, NamesSettings, Record, Zone
from tests.support.nodes import call_manager_settings, started

DOMAIN = "example.com"
DEAD = "127.0.99.1"  # an address of this machine where nothing listens
PEOPLE = (
    PersonRecord(user="anita", password="Rain-Over-Bergen-7", first_name="Anita", last_name="Perez",
                 display_name="Anita Perez", email="anita@example.com"),
    PersonRecord(user="btanaka", password="x", first_name="Botan", last_name="Tanaka", email="botan@example.com"),
)  # fmt: skip
DEVICES = (DeviceRecord("CSFANITA", owner="anita", lines=(LineRecord("2001"),)),)
CALLS_ONLY = (NamedServiceProfile("SPDefault", ServiceProfile()),)


def with_presence(host: str, login_port: int) -> tuple[NamedServiceProfile, ...]:
    """The service profile of a company with a presence service."""
    servers = ServiceServers(ServiceAddress(host, login_port, "SOAP"))
    return (NamedServiceProfile("SPDefault", ServiceProfile(im_and_presence=servers)),)


@dataclass
class Company:
    """Starts what a test asks for; all of it stops with the stack."""

    folder: Path
    authority: Authority
    stack: AsyncExitStack

    async def call_manager(
        self, node: str = "cm1.example.com", *, address: str = "127.0.10.11", **changes: Any
    ) -> CallManager:
        """A call manager with Anita and Botan on ports that the system chooses."""
        settings = replace(
            call_manager_settings(node, self.folder, self.authority, database=f"{node}.db", address=address),
            people=PEOPLE,
            devices=DEVICES,
            service_profiles=CALLS_ONLY,
            configuration=ConfigurationFile("jabber-config.xml", {"Policies": {"Voicemail_Enabled": "true"}}),
        )
        return await started(CallManager(replace(settings, **changes)), self.stack)

    async def names(self, *records: Record | str, domain: str = DOMAIN) -> HostPort:
        """A name server for the domain; its address. The addresses of the usual hosts are in it."""
        given = tuple(Record.parse(each) if isinstance(each, str) else each for each in records)
        hosts = {"cm1": "127.0.10.11", "cm2": "127.0.10.12", "imp1": "127.0.10.21", "dead": DEAD}
        taken = {record.name for record in given if record.type == "A"}
        usual = tuple(Record(name, "A", (host,)) for name, host in hosts.items() if name not in taken)
        service = NamesService(NamesSettings("ns1.example.com", "127.0.10.2", 0, (Zone(domain, given + usual),)))
        await service.start()
        self.stack.push_async_callback(service.stop)
        return HostPort("127.0.10.2", service.endpoints[0].port)

    async def cloud(self, *domains: str, single_sign_on: tuple[str, ...] = ()) -> str:
        """An answerer of the cloud look-up; its URL."""
        service = MessengerService(
            MessengerSettings("cas.example.net", "127.0.30.2", 0, frozenset(domains), frozenset(single_sign_on))
        )
        await service.start()
        self.stack.push_async_callback(service.stop)
        return f"http://127.0.30.2:{service.endpoints[0].port}/cas/FederatedSSO"

    def settings(self, service: CallManager | None = None, **changes: Any) -> DoctorSettings:
        """Settings for the ports of a call manager; ``changes`` are of the discovery."""
        look = DiscoverySettings(
            cloud_url="", ca_file=self.authority.ca_file, timeout=15.0, question_timeout=1.0, request_timeout=3.0
        )
        if service is None:
            return DoctorSettings(replace(look, **changes))
        look = replace(look, uds_port=port_of(service, "uds"))
        return DoctorSettings(replace(look, **changes), port_of(service, "files"), port_of(service, "files-tls"))


def port_of(service: CallManager, name: str) -> int:
    """The port of one of its services."""
    return next(endpoint.port for endpoint in service.endpoints if endpoint.service == name)


def srv(port: int, host: str = "cm1", *, priority: int = 10, name: str = "_cisco-uds._tcp") -> Record:
    """An SRV record of the company."""
    return Record(name, "SRV", (f"{priority} 10 {port} {host}",))
