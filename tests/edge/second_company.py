"""Another company behind the same edge."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from ringback.deployment.authority import Authority
from ringback.rules.addresses import HostPort
from ringback.services.callmanager.settings import PersonRecord
from ringback.services.edge.settings import TenantSettings
from tests.support import edge_company

DOMAIN, EDGE = "globex.example", "edge.globex.example"
PASSWORD = "another anita's password"


@dataclass(frozen=True)
class Company:
    """What the edge is told of it, and where its call manager is."""

    settings: TenantSettings
    authority: Authority
    call_manager: HostPort


async def start_company(folder: Path, stack: AsyncExitStack) -> Company:
    """Start all of it; the stack ends it. It has a person with the same id as one of the first company."""
    company = await edge_company.start_company(DOMAIN, folder, stack, (PersonRecord(user="anita", password=PASSWORD),))
    own = company.own({"https": (HostPort(EDGE, 8443),)})
    settings = company.tenant(own, company.https(company.read("/cucm-uds")))
    return Company(settings, company.authority, company.call_manager)
