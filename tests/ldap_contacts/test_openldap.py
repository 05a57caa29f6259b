"""The LDAP source with a real OpenLDAP: searching, resolving, every way to secure and to sign in, pages, limits."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ringback.client.contacts.sources.base import By, Kind, Query, SourceError, Wanted
from ringback.client.contacts.sources.context import Login
from ringback.net.ldap.connection import LdapConnection, LdapServer
from ringback.net.ldap.errors import LdapUnavailableError
from ringback.net.tls import client_context
from ringback.protocols.ldap.filters import present, starts
from ringback.protocols.ldap.search import LdapSearch
from tests.ldap_contacts.conftest import COUNT, World, parameters
from tests.support.directory import (
    BASE,
    ELSEWHERE,
    HOST,
    JPEG,
    PEOPLE,
    READER,
    READER_PASSWORD,
    CompanyDirectory,
    first_name,
    last_name,
    number,
    person,
    running_directory,
)

pytestmark = pytest.mark.peer


@contextlib.asynccontextmanager
async def connected(directory: CompanyDirectory, *, bound: bool = True) -> AsyncIterator[LdapConnection]:
    server = LdapServer(HOST, directory.clear, secure=False, address=directory.address)
    connection = await LdapConnection.open(server, client_context(directory.ca), 5)
    try:
        if bound:
            await connection.bind(READER, READER_PASSWORD)
        yield connection
    finally:
        await connection.close()


# Searching


async def test_people_are_found_as_one_types(world: World, directory: CompanyDirectory) -> None:
    async with world.source(directory.ca, parameters(directory.clear)) as source:
        name = f"{first_name(77)} {last_name(77)}"
        for typed in (name, name.lower(), f"{last_name(77)} {first_name(77)[:3]}", "p77@exam"):
            page = await source.search(Query.of(typed, 20))
            assert "p77" in [one.user for one in page.records], typed
        found = next(one for one in page.records if one.user == "p77")
        assert (found.name, found.jid, found.key) == (name, "p77@example.com", f"uid=p77,{PEOPLE}")
        assert (found.mails, found.company, found.location) == (("p77@example.com",), "Example", "Berlin")
        assert [(phone.kind, phone.value) for phone in found.phones] == [
            (Kind.WORK, "+49 30 50000077"), (Kind.MOBILE, "+49 170 0000077"), (Kind.HOME, "+1 408-550-0077"),
        ]  # fmt: skip
        for typed in ("+49 30 500000", "030500000", "+4930500000"):
            page = await source.search(Query.of(typed, 20))
            assert len(page.records) == 20, typed
        assert (await source.search(Query.of("an"))).records == (), "too short"
        assert (await source.search(Query.of("*)(uid=*"))).records == ()


async def test_the_next_pages_and_limits(world: World, directory: CompanyDirectory) -> None:
    async with world.source(directory.ca, parameters(directory.clear)) as source:
        seen: list[str] = []
        cursor = ""
        for _ in range(30):
            page = await source.search(Query.of("Anna", 10, cursor))
            assert len(page.records) <= 10
            seen += [one.user for one in page.records]
            cursor = page.next
            if not cursor:
                break
        assert len(seen) == len(set(seen)) == len(range(0, COUNT, 32))


async def test_people_behind_addresses_and_numbers(world: World, directory: CompanyDirectory) -> None:
    async with world.source(directory.ca, parameters(directory.clear)) as source:
        wanted = [
            Wanted(By.JID, "p11@example.com"), Wanted(By.NUMBER, number(12)), Wanted(By.NUMBER, "0170 0000013"),
            Wanted(By.NUMBER, "+14085500014"), Wanted(By.MAIL, "p15@example.com"), Wanted(By.USER, "p16"),
            Wanted(By.URI, "p17@example.com"), Wanted(By.JID, "nobody@example.com"), Wanted(By.NUMBER, "4711"),
        ]  # fmt: skip
        answers = await source.resolve(wanted)
        users = {one.value: [row.user for row in rows] for one, rows in answers.found.items()}
        assert users == {
            "p11@example.com": ["p11"], number(12): ["p12"], "0170 0000013": ["p13"], "+14085500014": ["p14"],
            "p15@example.com": ["p15"], "p16": ["p16"], "p17@example.com": ["p17"],
        }  # fmt: skip
        many = [Wanted(By.USER, f"p{index}") for index in range(120)]
        assert len((await source.resolve(many)).found) == 120
    masked = parameters(directory.clear, PhoneNumberMasks="+1408|+# ###-###-####", DisableSecondaryNumberLookups="1")
    async with world.source(directory.ca, masked) as source:
        assert not (await source.resolve([Wanted(By.NUMBER, "+14085500014")])).found, "only the business number"


async def test_groups_bases_and_photos(world: World, tmp_path: Path) -> None:
    extra = (
        f"dn: ou=guests,{BASE}\nobjectClass: organizationalUnit\nou: guests\n\n"
        + person(9001, f"ou=guests,{BASE}")
        + f"dn: uid=photo,{PEOPLE}\nobjectClass: inetOrgPerson\nuid: photo\ncn: Foto Graf\nsn: Graf\n"
        f"jpegPhoto:: {base64.b64encode(JPEG).decode()}\n\n"
    )
    with running_directory(tmp_path / "slapd", 30, extra=extra) as directory:
        both = parameters(
            directory.secure, UseSSL="1", SearchBase2=f"ou=guests,{BASE}", SearchBase3=f"ou=nowhere,{BASE}",
            GroupSearchBase1=f"ou=groups,{BASE}",
        )  # fmt: skip
        async with world.source(directory.ca, both) as source:
            users = [one.user for one in (await source.search(Query.of(first_name(9001), 50))).records]
            assert "p9001" in users
            page = await source.search(Query.of("p9001@example"))
            assert page.note is not None
            assert page.note.id == "ldap.settings.base"
            groups = await source.groups("engi")
            assert [(one.name, one.members) for one in groups] == [("Engineers", 4)]
            assert [one.user for one in await source.members(groups[0])] == ["p0", "p10", "p20"]
            record = (await source.search(Query.of("Foto Graf"))).records[0]
            assert await source.photo(record) == JPEG
            assert await source.photo(page.records[0]) is None
        async with world.source(
            directory.ca, parameters(directory.clear, RecursiveSearch1="false", SearchBase1=BASE)
        ) as source:
            assert (await source.search(Query.of("Anna"))).records == (), "one level only"


# Securing and signing in


async def test_the_ways_to_secure(world: World, directory: CompanyDirectory) -> None:
    for port, others in ((directory.clear, {}), (directory.secure, {"UseSSL": "true"})):
        async with world.source(directory.ca, parameters(port, **others)) as source:
            assert (await source.search(Query.of("p1@example"))).records
            assert source.server == HOST
            assert [one.id for one in source.reasons] == ["ldap.discovery.named", "ldap.sign_in.configured"]


async def test_the_persons_certificate_signs_in(world: World, directory: CompanyDirectory) -> None:
    given = parameters(directory.clear, False, LdapSupportedMechanisms="EXTERNAL")
    async with world.source(directory.ca, given, identity=directory.identity) as source:
        assert (await source.search(Query.of("p1@example"))).records
    with pytest.raises(SourceError) as caught:
        async with world.source(directory.ca, given):
            pass
    assert caught.value.reason.id == "ldap.source.sign_in_refused", "without one there is no way left"


async def test_who_is_asked_for_a_password(world: World, directory: CompanyDirectory) -> None:
    given = parameters(directory.clear, False, LdapSupportedMechanisms="PLAIN")
    async with world.source(directory.ca, given) as source:
        with pytest.raises(SourceError) as caught:
            await source.search(Query.of("Anna"))
        assert caught.value.reason.id == "contacts.source.login_needed", "nobody sees nothing here"
    async with world.source(directory.ca, given, typed=lambda: Login(READER, READER_PASSWORD)) as source:
        assert (await source.search(Query.of("Anna"))).records
    with pytest.raises(SourceError) as caught:
        async with world.source(directory.ca, given, typed=lambda: Login(READER, "wrong")):
            pass
    assert caught.value.reason.id == "contacts.source.login_needed"
    wrong = parameters(directory.clear, ConnectionPassword="wrong")
    with pytest.raises(SourceError) as caught:
        async with world.source(directory.ca, wrong):
            pass
    assert caught.value.reason.id == "ldap.source.sign_in_refused", "a person can't help a wrong service account"


# The connection itself


async def test_pages(directory: CompanyDirectory) -> None:
    async with connected(directory) as connection:
        root = await connection.root()
        assert root.has_pages
        assert root.contexts == (BASE,)
        assert not root.is_active_directory
        sizes, seen = [], set()
        async for found in connection.pages(LdapSearch(PEOPLE, present("uid"), ("uid",)), 900):
            sizes.append(len(found.entries))
            seen |= {one.text("uid") for one in found.entries}
        assert sizes == [900] * 5 + [500]
        assert len(seen) == COUNT
        assert found.complete
        few = [found async for found in connection.pages(LdapSearch(PEOPLE, present("uid"), ("uid",), 1000), 900)]
        assert [len(one.entries) for one in few] == [900, 100]
        assert not few[-1].complete


async def test_searches_run_side_by_side_and_can_be_given_up(directory: CompanyDirectory) -> None:
    async with connected(directory) as connection:
        long = asyncio.create_task(connection.find(LdapSearch(PEOPLE, present("uid"), ("*",), seconds=30)))
        quick = [
            asyncio.create_task(connection.find(LdapSearch(PEOPLE, starts("uid", f"p{index}"), ("uid",), 3)))
            for index in range(1, 9)
        ]
        await asyncio.sleep(0)  # all are asked now, and nothing is answered
        long.cancel()
        found = await asyncio.gather(*quick)
        assert [len(one.entries) for one in found] == [3] * 8
        await asyncio.gather(long, return_exceptions=True)
        assert long.cancelled()
        again = await connection.find(LdapSearch(PEOPLE, starts("uid", "p4999"), ("uid",)))
        assert [one.text("uid") for one in again.entries] == ["p4999"]
        assert again.complete
        await connection.bind(READER, READER_PASSWORD)  # nothing is under way any more


async def test_a_servers_limits_are_told(world: World, tmp_path: Path) -> None:
    with running_directory(tmp_path / "slapd", 300, soft="7", hard="7") as directory:
        async with connected(directory) as connection:
            found = await connection.find(LdapSearch(PEOPLE, present("uid"), ("uid",)))
            assert (len(found.entries), found.complete, found.code) == (7, False, 4)
            pages = [one async for one in connection.pages(LdapSearch(PEOPLE, present("uid"), ("uid",)), 5)]
            assert sum(len(one.entries) for one in pages) == 300, "pages are not limited there"
        async with world.source(directory.ca, parameters(directory.clear)) as source:
            page = await source.search(Query.of("example@", 20))
            assert page.note is None
            page = await source.search(Query.of("p2", 20))
            assert page.records == ()
            page = await source.search(Query.of("Anna", 20))
            assert (len(page.records), page.note and page.note.id) == (7, "ldap.source.size_limit")


# References


async def test_references_are_followed_where_the_configuration_says_so(world: World, tmp_path: Path) -> None:
    from ringback.deployment.authority import Authority
    from tests.support.foreign import free_ports

    authority = Authority(tmp_path / "authority")
    ports = free_ports(4)
    first, second = (ports[0], ports[1]), (ports[2], ports[3])

    def points_to(port: int, host: str, unit: str, secure: bool = False) -> str:
        scheme = "ldaps" if secure else "ldap"
        return (
            f"dn: ou={unit},{PEOPLE}\nobjectClass: referral\nobjectClass: extensibleObject\nou: {unit}\n"
            f"ref: {scheme}://{host}:{port}/{ELSEWHERE}\n\n"
        )

    away = f"dn: {ELSEWHERE}\nobjectClass: organizationalUnit\nou: elsewhere\n\n" + person(7000, ELSEWHERE)
    # The second one points back to the first, and to itself: nobody goes round for ever.
    loop = (
        f"dn: ou=loop,{ELSEWHERE}\nobjectClass: referral\nobjectClass: extensibleObject\nou: loop\n"
        f"ref: ldap://ldap.example.com:{first[0]}/{PEOPLE}\nref: ldap://ldap2.example.com:{second[0]}/{ELSEWHERE}\n\n"
    )
    with (
        running_directory(
            tmp_path / "one", 40, ports=first, authority=authority,
            extra=points_to(second[0], "ldap2.example.com", "clear") + points_to(1, "ldap2.example.com", "dead"),
        ) as directory,
        running_directory(
            tmp_path / "two", 1, ports=second, authority=authority, host="ldap2.example.com", extra=away + loop
        ),
    ):  # fmt: skip
        query = Query.of("p7000@example")
        async with world.source(directory.ca, parameters(directory.clear)) as source:
            assert (await source.search(query)).records == (), "usually they are not"
        async with world.source(directory.ca, parameters(directory.clear, UseLdapReferral="1")) as source:
            page = await source.search(query)
            assert [one.user for one in page.records] == ["p7000"]
            assert page.note is not None
            assert page.note.id == "ldap.source.reference", "the dead one is told"
            assert [one.user for one in (await source.search(query)).records] == ["p7000"], "and again, kept open"


async def test_a_server_that_is_not_what_it_should_be_gets_nothing(world: World, directory: CompanyDirectory) -> None:
    with pytest.raises(SourceError) as caught:
        async with world.source(directory.ca, parameters(directory.clear) | {"PrimaryServerName": "ldap2.example.com"}):
            pass
    assert caught.value.reason.id == "ldap.source.certificate"
    server = LdapServer("ldap2.example.com", directory.clear, secure=False, address="127.0.0.1")
    with pytest.raises(LdapUnavailableError):
        await LdapConnection.open(server, client_context(directory.ca), 5)
