"""One OpenLDAP with thousands of people, one domain controller, and a person's judge and name server for them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from ringback.client.contacts.sources.context import Login, SourceContext, no_login
from ringback.client.contacts.sources.ldap import LdapSource, open_ldap
from ringback.client.trust import TrustJudge, TrustSettings
from ringback.net.names import NameClient
from ringback.rules.addresses import HostPort, Jid
from ringback.services.names import NamesService, NamesSettings, Record, Zone
from tests.support import samba
from tests.support.directory import PEOPLE, READER, READER_PASSWORD, CompanyDirectory, running_directory

COUNT = 5000
PASSWORD = "Str0ng-Passw0rd"
ANNA = {
    "givenName": "Anna", "sn": "Müller", "displayName": "Anna Müller", "mail": "anna@example.com",
    "telephoneNumber": "+49 30 5550100", "mobile": "+49 170 5550100", "department": "Optics", "company": "Example",
    "thumbnailPhoto": "a small picture",
}  # fmt: skip


@pytest.fixture(scope="session")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CompanyDirectory]:
    """5,000 people; the 160,000 are in ``test_many_people`` and in the benchmark."""
    with running_directory(tmp_path_factory.mktemp("directory"), COUNT) as made:
        yield made


@pytest.fixture(scope="session")
def company_domain(tmp_path_factory: pytest.TempPathFactory) -> samba.Samba:
    """A domain of Active Directory."""
    people = {"anna": (PASSWORD, ANNA), "bernd": (PASSWORD, {"givenName": "Bernd", "sn": "Anders"})}
    return samba.provisioned(tmp_path_factory.mktemp("samba"), people)


@pytest.fixture(scope="class")
def controller(company_domain: samba.Samba) -> Iterator[samba.Samba]:
    """Its controller, with Kerberos within TLS."""
    with company_domain.serving(sasl_over_tls=True):
        yield company_domain


@pytest.fixture(scope="class")
def strict_controller(company_domain: samba.Samba) -> Iterator[samba.Samba]:
    """Its controller as Samba comes: Kerberos without TLS only."""
    with company_domain.serving():
        yield company_domain


@dataclass
class World:
    """What a person's client has: a name server with these zones, and a judge that trusts this authority."""

    names: NameClient
    folder: Path

    @contextlib.asynccontextmanager
    async def source(
        self,
        ca: Path,
        parameters: Mapping[str, str],
        *,
        identity: Path | None = None,
        typed: Callable[[], Login | None] = no_login,
        environment: Mapping[str, str] | None = None,
        domain: str = "example.com",
    ) -> AsyncIterator[LdapSource]:
        """A source of contacts for p0. Raises SourceError where it can't be opened."""
        judge = TrustJudge(TrustSettings(ca_file=ca, identity=identity), self.names)
        context = SourceContext(
            names=self.names, judge=judge, own=Jid.parse(f"p0@{domain}"), user="p0", domain=domain,
            services_domain=domain, parameters=parameters, typed=typed, region="DE",
        )  # fmt: skip
        source: LdapSource | None = None
        try:
            source = await open_ldap(context, environment or {})
            yield source
        finally:
            if source is not None:
                await source.close()
            await judge.close()


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """Names: ldap.example.com and ldap2.example.com here, and what a domain controller publishes."""
    here = samba.own_address()
    company = Zone(
        "example.com",
        (
            Record("ldap", "A", ("127.0.0.1",)),
            Record("ldap2", "A", ("127.0.0.1",)),
            Record("dc1.corp", "A", (here,)),
            Record("_ldap._tcp.corp", "SRV", ("0 100 389 dc1.corp",)),
            Record("_ldap._tcp.hq._sites.corp", "SRV", ("0 100 389 dc1.corp",)),
            Record("_gc._tcp.corp", "SRV", ("0 100 3268 dc1.corp",)),
        ),
    )
    service = NamesService(NamesSettings("ns1.example.com", "127.0.0.1", 0, (company,)))
    await service.start()
    try:
        yield World(NameClient(HostPort(service.endpoints[0].address, service.endpoints[0].port)), tmp_path)
    finally:
        await service.stop()


def parameters(port: int, account: bool = True, /, **others: str) -> dict[str, str]:
    """The configuration for OpenLDAP at a port; the service account is used unless said otherwise."""
    credentials = {"ConnectionUsername": READER, "ConnectionPassword": READER_PASSWORD} if account else {}
    return {
        "DirectoryServerType": "CDI", "PrimaryServerName": "ldap.example.com", "ServerPort1": str(port),
        "SearchBase1": PEOPLE, "UserAccountName": "uid", "PhotoSource": "jpegPhoto", **credentials, **others,
    }  # fmt: skip
