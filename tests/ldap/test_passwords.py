"""Right and wrong passwords at a real directory, names that try to be more, and servers that can't be trusted."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st
from sansldap import FilterEquality, LDAPResultCode, LDAPServer

from ringback.deployment.authority import Authority
from ringback.net.ldap.connection import LdapConnection, LdapServer
from ringback.net.ldap.errors import LdapError, LdapRefusedError, LdapSettingsError, LdapUnavailableError
from ringback.net.ldap.passwords import DirectoryPasswords, PersonSearch, bind_name
from ringback.net.ldap.servers import LdapServers, LdapServersSettings
from ringback.net.tls import client_context, server_context
from tests.ldap.conftest import PEOPLE, badly
from tests.support.foreign import free_ports
from tests.support.slapd import ACCOUNT, ACCOUNT_PASSWORD, BASE, HOST, Directory
from tests.support.slapd import PEOPLE as PEOPLE_BASE

SEARCH = PersonSearch(PEOPLE_BASE, "uid", "(objectClass=inetOrgPerson)")
TEMPLATE = f"uid={{user}},{PEOPLE_BASE}"


@asynccontextmanager
async def asking(
    directory: Directory, *servers: LdapServer, way: PersonSearch | str = SEARCH, seconds: float = 5.0
) -> AsyncIterator[DirectoryPasswords]:
    made = LdapServers(
        LdapServersSettings(
            servers or (directory.secure,), client_context(directory.ca), seconds, ACCOUNT, ACCOUNT_PASSWORD
        )
    )
    try:
        yield DirectoryPasswords(made, way)
    finally:
        await made.close()


class TestRealDirectory:
    """OpenLDAP's answers."""

    @pytest.mark.peer
    @pytest.mark.parametrize("secure", [True, False])
    @pytest.mark.parametrize("way", [SEARCH, TEMPLATE], ids=["search", "template"])
    async def test_right_and_wrong(self, directory: Directory, secure: bool, way: PersonSearch | str) -> None:
        server = directory.secure if secure else directory.clear
        async with asking(directory, server, way=way) as passwords:
            for user, password in PEOPLE.items():
                assert await passwords.right(user, password), user
                assert not await passwords.right(user, f"{password} ")
            assert not await passwords.right("nobody", "anita's password")
            assert not await passwords.right("anita", PEOPLE["bernd"])

    @pytest.mark.peer
    @pytest.mark.parametrize("way", [SEARCH, TEMPLATE], ids=["search", "template"])
    @pytest.mark.parametrize(
        "name",
        ["*", "a*", "anita)(uid=*", "*)(|(uid=*", "anita\0", "anita)(objectClass=*", "", " ", "anita,ou=people", "\\2a",
         "anita+uid=bernd", f"x,{PEOPLE_BASE}", "uid=anita", "änita", "a" * 5000],
    )  # fmt: skip
    async def test_names_are_values_and_nothing_more(
        self, directory: Directory, way: PersonSearch | str, name: str
    ) -> None:
        async with asking(directory, way=way) as passwords:
            for password in PEOPLE.values():
                assert not await passwords.right(name, password)

    @pytest.mark.peer
    async def test_an_empty_password_never_reaches_the_directory(self, directory: Directory) -> None:
        """A bind with a name and no password is anonymous, and a success (RFC 4513 section 5.1.2)."""
        async with asking(directory) as passwords:
            assert not await passwords.right("anita", "")
        connection = await LdapConnection.open(directory.secure, client_context(directory.ca), 5)
        for name, password in (("", "x"), (f"uid=anita,{PEOPLE_BASE}", "")):
            with pytest.raises(ValueError, match="needs a name and a password"):
                await connection.bind(name, password)
        await connection.close()

    @pytest.mark.peer
    async def test_connections_are_used_again_and_are_nobodys_in_between(self, directory: Directory) -> None:
        """A search is made as the service account, whoever bound over the connection before."""
        opened = 0
        servers = LdapServers(
            LdapServersSettings((directory.secure,), client_context(directory.ca), 5, ACCOUNT, ACCOUNT_PASSWORD)
        )
        passwords = DirectoryPasswords(servers, SEARCH)
        seen: set[LdapConnection] = set()

        async def look(connection: LdapConnection) -> None:
            nonlocal opened
            opened += connection not in seen
            seen.add(connection)

        for _ in range(5):
            assert await passwords.right("anita", PEOPLE["anita"])
            assert not await passwords.right("anita", "wrong")
            await servers.use(look)
        assert opened == 1
        results = await asyncio.gather(*(passwords.right(user, PEOPLE[user]) for user in PEOPLE for _ in range(6)))
        assert all(results)
        await servers.close()

    @pytest.mark.peer
    @pytest.mark.parametrize(("account", "password"), [("", ""), (ACCOUNT, "wrong"), (f"cn=nobody,{BASE}", "x")])
    async def test_who_may_not_search_does_not_call_passwords_wrong(
        self, directory: Directory, account: str, password: str
    ) -> None:
        """This directory lets nobody search anonymously."""
        servers = LdapServers(
            LdapServersSettings((directory.secure,), client_context(directory.ca), 5, account, password)
        )
        with pytest.raises(LdapUnavailableError, match="does not let us search"):
            await DirectoryPasswords(servers, SEARCH).right("anita", PEOPLE["anita"])
        await servers.close()

    @pytest.mark.peer
    async def test_two_of_one_name_are_nobody(self, directory: Directory) -> None:
        async with asking(directory, way=PersonSearch(PEOPLE_BASE, "sn")) as passwords:
            assert not await passwords.right("Example", PEOPLE["anita"])

    @pytest.mark.peer
    async def test_entries_and_their_attributes(self, directory: Directory) -> None:
        connection = await LdapConnection.open(directory.clear, client_context(directory.ca), 5)
        await connection.bind(ACCOUNT, ACCOUNT_PASSWORD)
        found = await connection.search(BASE, FilterEquality("uid", b"anita"), ("CN", "sn"), most=5)
        assert [(one.name, one.attributes) for one in found] == [
            (f"uid=anita,{PEOPLE_BASE}", {"cn": (b"anita",), "sn": (b"Example",)})
        ]
        assert len(await connection.search(BASE, SEARCH.of("x"), (), most=5)) == 0
        assert len(await connection.search(PEOPLE_BASE, FilterEquality("sn", b"Example"), (), most=3)) == 3
        with pytest.raises(LdapRefusedError) as caught:
            await connection.bind(f"uid=anita,{PEOPLE_BASE}", "wrong")
        assert caught.value.code == LDAPResultCode.INVALID_CREDENTIALS
        await connection.close()

    @pytest.mark.peer
    def test_it_works_on_the_loop_that_services_run_on(self, directory: Directory) -> None:
        async def ask() -> bool:
            async with asking(directory, directory.clear) as passwords:
                return await passwords.right("anita", PEOPLE["anita"])

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            assert runner.run(ask())


class TestFailOver:
    """The first server that answers is asked; nobody waits long for the others."""

    async def test_a_server_that_is_down_or_silent_is_passed_over(self, directory: Directory) -> None:
        async def hold(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
            await reader.read()

        down = replace(directory.secure, port=free_ports(1)[0])
        async with (
            badly(hold, secure=True) as silent,
            badly(hold) as mute,
            asking(directory, down, silent, mute, directory.secure, seconds=0.5) as passwords,
        ):
            assert await passwords.right("anita", PEOPLE["anita"])
            began = asyncio.get_running_loop().time()
            assert not await passwords.right("anita", "wrong")
            assert asyncio.get_running_loop().time() - began < 0.5, "who answered is asked first now"

    async def test_nobody_answers(self, directory: Directory) -> None:
        servers = [replace(directory.secure, port=port) for port in free_ports(2)]
        async with asking(directory, *servers) as passwords:
            with pytest.raises(LdapUnavailableError):
                await passwords.right("anita", PEOPLE["anita"])

    async def test_a_server_that_restarts_costs_nobody_a_sign_in(self, directory: Directory) -> None:
        """A connection that waited is closed by the server; another one is made."""
        cut: list[asyncio.StreamWriter] = []

        async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            there, back = await asyncio.open_connection("127.0.0.1", directory.secure.port)
            cut.append(writer)

            async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
                while data := await source.read(65536):
                    target.write(data)
                target.close()

            await asyncio.gather(copy(reader, back), copy(there, writer), return_exceptions=True)

        async with badly(pass_on, secure=True) as between, asking(directory, between) as passwords:
            assert await passwords.right("anita", PEOPLE["anita"])
            cut[0].transport.abort()
            assert await passwords.right("anita", PEOPLE["anita"])
            assert len(cut) == 2


class TestDistrust:
    """A server that does not prove who it is gets no password, nor any other word of ours."""

    @pytest.mark.parametrize("secure", [True, False])
    async def test_another_name_or_authority_in_the_certificate(self, directory: Directory, secure: bool) -> None:
        server = directory.secure if secure else directory.clear
        async with asking(directory, replace(server, host="ldap9.example.com")) as passwords:
            with pytest.raises(LdapUnavailableError, match="certificate"):
                await passwords.right("anita", PEOPLE["anita"])
        with pytest.raises(LdapUnavailableError, match="certificate"):
            await LdapConnection.open(server, ssl.create_default_context(), 5)

    @pytest.mark.parametrize("behind", [b"", b"0\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00"])
    async def test_start_tls_taken_away(self, directory: Directory, behind: bytes) -> None:
        """Somebody between says that there is no TLS, or puts an answer before it."""
        heard = bytearray()
        code = LDAPResultCode.SUCCESS if behind else LDAPResultCode.PROTOCOL_ERROR

        async def strip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            server = LDAPServer()
            (asked,) = server.receive(await reader.read(4096))
            server.extended_response(asked.message_id, result_code=code)
            writer.write(server.data_to_send() + behind)
            heard.extend(await reader.read())

        async with badly(strip) as server, asking(directory, server) as passwords:
            with pytest.raises(LdapUnavailableError, match="sent something before TLS" if behind else "StartTLS"):
                await passwords.right("anita", PEOPLE["anita"])
        assert bytes(heard) == b""

    async def test_a_password_does_not_follow_a_referral(self, directory: Directory, tmp_path: Path) -> None:
        authority = Authority(directory.ca.parent)
        context = server_context(authority.issue(HOST, [HOST], ["127.0.0.1"]))
        other = asyncio.Event()

        async def lure(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
            other.set()
            await reader.read()

        async def refer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            server = LDAPServer()
            while data := await reader.read(4096):
                for asked in server.receive(data):
                    server.bind_response(asked.message_id, result_code=LDAPResultCode.REFERRAL)
                writer.write(server.data_to_send())

        async with badly(lure):
            listening = await asyncio.start_server(refer, "127.0.0.1", 0, ssl=context)
            server = replace(directory.secure, port=listening.sockets[0].getsockname()[1])
            async with asking(directory, server, way=TEMPLATE) as passwords:
                with pytest.raises(LdapUnavailableError, match="result 10"):
                    await passwords.right("anita", PEOPLE["anita"])
            listening.close()
        assert not other.is_set()

    @settings(max_examples=60)
    @given(st.data())
    def test_whatever_a_server_says_there_is_an_answer_or_the_documented_error(self, data: st.DataObject) -> None:
        seed = data.draw(st.integers(0, 2**32))

        async def babble(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(_nonsense(random.Random(seed)))

        async def work() -> None:
            async with badly(babble) as server:
                connection = await LdapConnection.open(server, None, 1.0)
                try:
                    await connection.search(BASE, FilterEquality("uid", b"a"), (), most=5)
                except LdapError as error:
                    assert str(error)  # noqa: PT017 - most of it is refused, and each refusal says why
                await connection.close()

        asyncio.run(work())


def _nonsense(chance: random.Random) -> bytes:
    """A good answer with some octets of chance in it, or only chance."""
    if chance.random() < 0.2:
        return chance.randbytes(chance.randint(0, 80))
    server = LDAPServer()
    server.search_result_entry(1, "uid=a,dc=example", [])
    server.search_result_done(1)
    good = bytearray(server.data_to_send())
    for _ in range(chance.randint(0, 4)):
        good[chance.randrange(len(good))] = chance.randrange(256)
    return bytes(good)


@pytest.mark.parametrize(
    ("template", "user", "name"),
    [
        ("uid={user},dc=x", "anita", "uid=anita,dc=x"),
        ("uid={user},dc=x", "a,dc=y", "uid=a\\2cdc\\3dy,dc=x"),
        ("uid={user},dc=x", "é\0 ", "uid=\\c3\\a9\\00\\20,dc=x"),
        ("{user}@example.com", "an.ita-1", "an.ita-1@example.com"),
        ("{user}@example.com", "anita@evil.example", ""),
        ("EXAMPLE\\{user}", "anita", "EXAMPLE\\anita"),
        ("EXAMPLE\\{user}", "a\\b", ""),
    ],
)
def test_names_to_bind_with(template: str, user: str, name: str) -> None:
    assert bind_name(template, user) == name


_ANY = LdapServersSettings((LdapServer("a", 1, secure=True),), ssl.create_default_context())


@pytest.mark.parametrize(
    "make",
    [
        lambda: LdapServer.parse("http://ldap.example.com"),
        lambda: LdapServer.parse("ldaps://"),
        lambda: LdapServer.parse("ldaps://a:99999"),
        lambda: LdapServer.parse("ldaps://a/dc=x"),
        lambda: LdapServer.parse("ldaps://user:password@a"),
        lambda: PersonSearch("", "uid"),
        lambda: PersonSearch("dc=x", "uid=*"),
        lambda: PersonSearch("dc=x", "uid", "(objectClass=person"),
        lambda: LdapServersSettings((), ssl.create_default_context()),
        lambda: LdapServersSettings((LdapServer("a", 1, secure=True),), ssl.create_default_context(), 1, "cn=a", ""),
        lambda: DirectoryPasswords(LdapServers(_ANY), "uid=anita"),
    ],
)
def test_settings_that_can_not_be(make: Callable[[], object]) -> None:
    with pytest.raises(LdapSettingsError):
        make()


def test_addresses_of_servers() -> None:
    assert LdapServer.parse("ldaps://ldap.example.com") == LdapServer("ldap.example.com", 636, secure=True)
    assert LdapServer.parse("ldap://[::1]:3389/") == LdapServer("::1", 3389, secure=False)
    assert "secret" not in repr(LdapServersSettings((LdapServer("a", 1, secure=True),), _ANY.tls, 1, "cn=a", "secret"))
