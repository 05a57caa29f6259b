"""The LDAP source with a real domain controller (Samba): discovery, global catalogue, Kerberos, ambiguous names."""

from __future__ import annotations

import pytest

from ringback.client.contacts.sources.base import By, Query, SourceError, Wanted
from ringback.client.contacts.sources.context import Login
from ringback.net.ldap import kerberos
from ringback.net.ldap.connection import LdapConnection, LdapServer
from ringback.net.ldap.errors import LdapRefusedError
from ringback.net.ldap.kerberos import KerberosSettings
from ringback.net.tls import client_context
from tests.ldap_contacts.conftest import PASSWORD, World
from tests.support.samba import DOMAIN, HOST, Samba

pytestmark = pytest.mark.peer

FOREST = {"DirectoryServerType": "CDI", "LdapDNSForestDomain": "corp.example.com", "LDAPUserDomain": DOMAIN}


def anna() -> Login:
    """What the person typed."""
    return Login("anna", PASSWORD)


@pytest.mark.parametrize(
    ("others", "port"),
    [
        ({}, 3268),
        ({"UseSSL": "true"}, 3269),
        ({"LdapDNSForestDomain": "", "LdapSiteName": "hq"}, 389),
        ({"LdapDNSForestDomain": "", "UseSSL": "true"}, 636),
    ],
)
async def test_global_catalogue_then_domain(world: World, controller: Samba, others: dict[str, str], port: int) -> None:
    async with world.source(controller.ca, FOREST | others, typed=anna) as source:
        assert source.server == HOST
        bound = await source.directory.bound()
        assert (bound.server.port, bound.root.is_active_directory) == (port, True)
        page = await source.search(Query.of("mül"))
        assert [one.user for one in page.records] == ["anna"], "the directory resolves the name"
        found = page.records[0]
        assert (found.name, found.jid, found.department) == ("Anna Müller", "anna@example.com", "Optics")
        answers = await source.resolve(
            [Wanted(By.JID, "anna@example.com"), Wanted(By.NUMBER, "030 5550100"), Wanted(By.USER, "bernd")]
        )
        assert {one.value for one in answers.found} == {"anna@example.com", "030 5550100", "bernd"}
        assert (await source.search(Query.of("dc1$"))).records == (), "computers are no people"


async def test_the_environment_names_forest_and_domain(world: World, controller: Samba) -> None:
    environment = {"DNSFORESTNAME": DOMAIN, "USERDNSDOMAIN": "elsewhere.example"}
    async with world.source(
        controller.ca, {"DirectoryServerType": "CDI", "LDAPUserDomain": DOMAIN}, typed=anna, environment=environment
    ) as source:
        assert (await source.directory.bound()).server.port == 3268


async def test_kerberos(world: World, controller: Samba, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SourceError) as caught:
        async with world.source(controller.ca, FOREST) as source:
            await source.search(Query.of("anna"))
    assert caught.value.reason.id == "contacts.source.login_needed"
    for name, value in controller.ticket("anna", PASSWORD).items():
        monkeypatch.setenv(name, value)
    for port in ("", "true"):
        async with world.source(controller.ca, FOREST | {"UseSSL": port}) as source:
            bound = await source.directory.bound()
            assert bound.signed_in.way.way == "gssapi"
            assert [one.user for one in (await source.search(Query.of("bern"))).records] == ["bernd"]
    # A ticket is for one server: another name gets none.
    server = LdapServer(HOST, 636, secure=True, address=controller.address)
    connection = await LdapConnection.open(server, client_context(controller.ca), 5)
    try:
        with pytest.raises(LdapRefusedError):
            await kerberos.bind(connection, "dc2.corp.example.com", KerberosSettings())
    finally:
        await connection.close()
    monkeypatch.setenv("KRB5CCNAME", "FILE:/nonexistent")
    assert not await kerberos.has_ticket(KerberosSettings())


async def test_wrong_passwords(world: World, controller: Samba) -> None:
    with pytest.raises(SourceError) as caught:
        async with world.source(controller.ca, FOREST, typed=lambda: Login("anna", "wrong")):
            pass
    assert caught.value.reason.id == "contacts.source.login_needed"
