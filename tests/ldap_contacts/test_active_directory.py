"""The LDAP source with a real domain controller (Samba): discovery, global catalogue, Kerberos, ambiguous names."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from pathlib import Path

import pytest

from ringback.client.contacts.sources.base import By, Query, SourceError, Wanted
from ringback.client.contacts.sources.context import Login
from ringback.net.ldap import kerberos
from ringback.net.ldap.connection import LdapConnection, LdapServer
from ringback.net.ldap.errors import LdapRefusedError, LdapUnavailableError
from ringback.net.ldap.kerberos import KerberosSettings
from ringback.net.tls import client_context
from ringback.protocols.ldap.filters import equals
from ringback.protocols.ldap.search import LdapSearch
from ringback.services.callmanager.synchronisation.agreement import Agreement, DirectoryAccess
from ringback.services.callmanager.synchronisation.decide import Kind
from ringback.services.callmanager.synchronisation.runner import run
from ringback.storage.callmanager.store import Store
from ringback.storage.callmanager.synced import SyncStore
from tests.ldap_contacts.conftest import PASSWORD, World
from tests.support.samba import BASE, DOMAIN, HOST, Samba

pytestmark = pytest.mark.peer

FOREST = {"DirectoryServerType": "CDI", "LdapDNSForestDomain": "corp.example.com", "LDAPUserDomain": DOMAIN}


def anna() -> Login:
    """What the person typed."""
    return Login("anna", PASSWORD)


class TestController:
    """A controller that takes everything within TLS."""

    @pytest.mark.parametrize(
        ("others", "port"),
        [
            ({}, 3268),
            ({"UseSSL": "true"}, 3269),
            ({"LdapDNSForestDomain": "", "LdapSiteName": "hq"}, 389),
            ({"LdapDNSForestDomain": "", "UseSSL": "true"}, 636),
        ],
    )
    async def test_global_catalogue_then_domain(
        self, world: World, controller: Samba, others: dict[str, str], port: int
    ) -> None:
        async with world.source(controller.ca, FOREST | others, typed=anna) as source:
            assert source.server == HOST
            bound = await source.directory.bound()
            assert (bound.server.port, bound.root.is_active_directory) == (port, True)
            page = await source.search(Query.of("mül"))
            assert [one.user for one in page.records] == ["anna"], "the directory resolves the name"
            found = page.records[0]
            assert (found.name, found.jid, found.department) == ("Anna Müller", "anna@example.com", "Optics")
            assert await source.photo(found) == b"a small picture", "also where only the domain has it"
            answers = await source.resolve(
                [Wanted(By.JID, "anna@example.com"), Wanted(By.NUMBER, "030 5550100"), Wanted(By.USER, "bernd")]
            )
            assert {one.value for one in answers.found} == {"anna@example.com", "030 5550100", "bernd"}
            assert (await source.search(Query.of("dc1$"))).records == (), "computers are no people"

    async def test_the_environment_names_forest_and_domain(self, world: World, controller: Samba) -> None:
        environment = {"DNSFORESTNAME": DOMAIN, "USERDNSDOMAIN": "elsewhere.example"}
        async with world.source(
            controller.ca, {"DirectoryServerType": "CDI", "LDAPUserDomain": DOMAIN}, typed=anna, environment=environment
        ) as source:
            assert (await source.directory.bound()).server.port == 3268

    async def test_kerberos(self, world: World, controller: Samba, monkeypatch: pytest.MonkeyPatch) -> None:
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

    async def test_wrong_passwords(self, world: World, controller: Samba) -> None:
        with pytest.raises(SourceError) as caught:
            async with world.source(controller.ca, FOREST, typed=lambda: Login("anna", "wrong")):
                pass
        assert caught.value.reason.id == "contacts.source.login_needed"

    async def test_its_people_become_people_of_a_cluster(self, controller: Samba, tmp_path: Path) -> None:
        """By the usual filter and attributes of Active Directory; it looks through groups by a rule of its own."""
        server = LdapServer(HOST, 636, secure=True, address=controller.address)
        access = DirectoryAccess((server,), f"anna@{DOMAIN}", PASSWORD, controller.ca)
        agreement = Agreement("Domain", access, BASE, "example.com", "office", product="active-directory")
        store = await Store.open(f"sqlite+aiosqlite:///{tmp_path / 'office.db'}")
        try:
            sync = SyncStore(store.engine)
            found = (await run(sync, agreement)).difference
            people = (await sync.current("Domain")).mine
            administrators = f"CN=Administrators,CN=Builtin,{BASE}"
            grouped = (await run(sync, replace(agreement, groups=(administrators,)), dry=True)).difference
        finally:
            await store.close()
        added = {change.user: change.number for change in found.changes if change.kind is Kind.ADD}
        assert added == {"anna": "0100", "bernd": ""}, "no computers, no accounts that are switched off"
        assert people["anna"].person.department == "Optics"
        assert len(people["anna"].row.unique_id) == 36, "objectGUID as text"
        assert {change.entry.split(",")[0] for change in grouped.changes if change.kind is Kind.SKIP} == {
            "CN=Administrator"
        }


class TestWithoutTls:
    """A controller that takes Kerberos without TLS only: then Kerberos encrypts the connection."""

    @pytest.mark.parametrize("forest", ["corp.example.com", ""])
    async def test_kerberos_encrypts(
        self, world: World, strict_controller: Samba, monkeypatch: pytest.MonkeyPatch, forest: str
    ) -> None:
        for name, value in strict_controller.ticket("anna", PASSWORD).items():
            monkeypatch.setenv(name, value)
        given = FOREST | {"LdapDNSForestDomain": forest}
        async with world.source(strict_controller.ca, given) as source:
            bound = await source.directory.bound()
            assert [one.id for one in bound.signed_in.reasons] == ["ldap.sign_in.sealed"]
            assert bound.connection.certificate == b"", "there is no TLS"
            assert bound.server.port == (3268 if forest else 389)
            for _ in range(3):
                assert [one.user for one in (await source.search(Query.of("bern"))).records] == ["bernd"]

    async def test_not_where_tls_is_demanded(
        self, world: World, strict_controller: Samba, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name, value in strict_controller.ticket("anna", PASSWORD).items():
            monkeypatch.setenv(name, value)
        async with world.source(strict_controller.ca, FOREST | {"UseSSL": "true"}) as source:
            bound = await source.directory.bound()
            assert bound.signed_in.way.way == "anonymous"
            with pytest.raises(SourceError) as caught:
                await source.search(Query.of("bern"))
            assert caught.value.reason.id == "contacts.source.login_needed"

    async def test_what_is_sealed_can_not_be_read_or_changed(
        self, strict_controller: Samba, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Between client and controller sits somebody who looks, and later changes one octet."""
        for name, value in strict_controller.ticket("anna", PASSWORD).items():
            monkeypatch.setenv(name, value)
        seen = bytearray()
        spoil = asyncio.Event()

        async def pass_on(source: asyncio.StreamReader, to: asyncio.StreamWriter, *, back: bool) -> None:
            while data := await source.read(65536):
                seen.extend(data)
                if back and spoil.is_set():
                    data = data[:-1] + bytes([data[-1] ^ 1])
                to.write(data)
                await to.drain()
            to.close()

        async def between(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            far, near = await asyncio.open_connection(strict_controller.address, 389)
            with contextlib.suppress(ConnectionError):
                await asyncio.gather(pass_on(reader, near, back=False), pass_on(far, writer, back=True))
            near.close()

        listener = await asyncio.start_server(between, "127.0.0.1", 0)
        port = listener.sockets[0].getsockname()[1]
        connection = await LdapConnection.open(LdapServer(HOST, port, secure=False, address="127.0.0.1"), None, 5)
        try:
            await kerberos.bind(connection, HOST, KerberosSettings())
            search = LdapSearch(BASE, equals("sAMAccountName", "bernd"), ("givenName",), 1)
            assert (await connection.find(search)).entries[0].text("givenName") == "Bernd"
            assert b"Bernd" not in seen
            assert b"bernd" not in seen
            spoil.set()
            with pytest.raises(LdapUnavailableError, match="sealed piece"):
                await connection.find(search)
            assert connection.is_over
        finally:
            await connection.close()
            listener.close()
