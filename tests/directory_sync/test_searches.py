"""Searches of the user data service that it passes on to a real OpenLDAP, and numbers in whatever notation."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from ringback.net.ldap.servers import LdapServers, LdapServersSettings
from ringback.net.tls import client_context
from ringback.protocols.uds import Users
from ringback.rules.name_search import digits
from ringback.rules.number_search import kept_digits, spellings
from ringback.services.callmanager.synchronisation.agreement import Agreement, DirectoryAccess, DirectorySearch
from ringback.services.callmanager.user_search import DirectoryLookup
from ringback.storage.callmanager.records import Criteria
from tests.directory_sync.company import CROWD, Employee, added, modify
from tests.directory_sync.conftest import Company, company
from tests.support.slapd import ACCOUNT, ACCOUNT_PASSWORD, BASE, PEOPLE, Directory
from tests.support.waiting import until

pytestmark = pytest.mark.peer
IN_MODULE = pytest.mark.asyncio(loop_scope="module")
_SEARCHED = (
    f'groups = ["cn=missing,{BASE}"]\n\n[directory-search]\nenabled = true\nbases = ["{PEOPLE}", "ou=groups,{BASE}"]\n'
)
OLAF = Employee("olaf", "Ólaf", "Þórsson", "+41 44 555 21 77", "079 555 21 77")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(directory: Directory, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Company]:
    """Nobody is synchronised (the group is not there), and searches go to the directory."""
    await modify(directory, added(OLAF))
    async with company(tmp_path_factory.mktemp("searching"), directory, _SEARCHED) as made:
        yield made


def names(found: Users) -> list[str]:
    return [person.user_name for person in found.people]


@IN_MODULE
async def test_the_directory_answers_with_people_whom_the_cluster_does_not_have(running: Company) -> None:
    assert (await running.get("/cucm-uds/clusterUser?username=anita"))[1].count(b'found="false"') == 1
    for query in (
        {"name": "anit"}, {"name": "BERG"}, {"name": "anita berg"}, {"name": "berg anita"}, {"name": "anita@exa"},
        {"first": "Anita"}, {"last": "berg"}, {"username": "anita"}, {"email": "anita@"}, {"uri": "anita@example.com"},
        {"name": "anita", "last": "Berg"},
    ):  # fmt: skip
        assert names(await running.users(**query)) == ["anita"], query
    for number in ("+41 44 555 20 01", "0041445552001", "044 555 20 01", "+41795552001", "079 555 20 01", "5552001"):
        assert names(await running.users(number=number)) == ["anita"], number
    person = (await running.users(name="anita")).people[0]
    assert (person.phone_number, person.title, person.directory_uri) == (
        "+41 44 555 20 01", "Head of operations", "anita@example.com",
    )  # fmt: skip
    assert names(await running.users(name="ola")) == ["olaf"] or names(await running.users(name="Óla")) == ["olaf"]
    assert names(await running.users(name="frieda")) == [], "the directory is asked, not the tables"


@IN_MODULE
async def test_pages_are_cut_out_of_one_order(running: Company) -> None:
    seen: list[str] = []
    while page := names(await running.users(username="p0000", start=len(seen), max=3)):
        seen += page
    assert seen == [f"p0000{number}" for number in range(10)]
    cut = await running.users(username="p", max=5)
    assert (len(cut.people), cut.total_count) == (5, 500), "so many are looked at"
    assert cut.total_count < CROWD


@IN_MODULE
@pytest.mark.parametrize("typed", ["*", "(uid=*)", "anita)(uid=*", "\\2a", "a*a", "\x00", "\u200b", "é" * 200])
async def test_nothing_typed_becomes_a_filter(running: Company, typed: str) -> None:
    for field in ("name", "number", "uri", "username", "displayname"):
        found = await running.users(**{field: typed})
        assert names(found) == [], field


@IN_MODULE
async def test_curl_reads_a_page_as_published(running: Company) -> None:
    """A foreign client: its own TLS and HTTP, and the documented attributes of a page."""
    url = f"https://{running.address}:{running.port('uds')}/cucm-uds/users?name=anita&start=0&max=10"
    process = await asyncio.create_subprocess_exec(
        "/usr/bin/curl", "--silent", "--show-error", "--fail", "--cacert", running.running.ca_file, url,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 0, err.decode()
    assert b'start="0" requestedCount="10" returnedCount="1" totalCount="1"' in out
    assert b"<userName>anita</userName>" in out


async def test_where_the_directory_is_silent_the_tables_answer(directory: Directory, tmp_path: object) -> None:
    access = DirectoryAccess((replace(directory.secure, address="127.0.0.2"),), ACCOUNT, ACCOUNT_PASSWORD, directory.ca)
    agreement = Agreement("Office", access, PEOPLE, "example.com", "office")
    settings = LdapServersSettings(access.servers, client_context(directory.ca), 0.5, ACCOUNT, ACCOUNT_PASSWORD)
    lookup = DirectoryLookup(DirectorySearch(agreement, (PEOPLE,)), LdapServers(settings), "CH", "", 4)
    assert lookup.filter_of(Criteria()) is not None
    assert lookup.filter_of(Criteria(number="no digit")) is None


async def test_a_search_can_need_a_sign_in(directory: Directory, tmp_path_factory: pytest.TempPathFactory) -> None:
    more = "\n[user-search]\nneeds-sign-in = true\nlimit = 20\n"
    async with company(tmp_path_factory.mktemp("closed"), directory, more) as closed:
        assert (await closed.get("/cucm-uds/users?name=a"))[0] == 401
        assert (await closed.get("/cucm-uds/users?name=a", "frieda", "frieda's password"))[0] == 200

        async def there() -> bool:
            status, body = await closed.get("/cucm-uds/users?max=400&name=last", "anita", "directory password")
            return status == 200 and len(Users.parse(body).people) == 20

        await until(there)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("044 555 20 01", "+41 44 555 20 01"), ("+41 (0)44 555 20 01", "+41445552001"),
        ("0041 44 555 20 01", "044 5552001"),
        ("0 044 555 20 01", "+41 44 555 20 01"), ("2001", "+41 44 555 20 01"), ("+41 44 555", "+41 44 555 20 01"),
        ("0445", "+41 44 555 20 01"), ("00 41 44", "+41 44 555 20 01"), ("0 0445", "+41 44 555 20 01"),
        ("445552001", "044 555 20 01"), ("+1 408 902 3139", "+1-408-902-3139"), ("3139", "(408) 902-3139"),
        ("0049 30 555 30 01", "+49 30 5553001"),
    ],
)  # fmt: skip
def test_notations_meet(typed: str, kept: str) -> None:
    assert meets(typed, kept)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [("2002", "+41 44 555 20 01"), ("01", "+41 44 555 20 01"), ("no number", "+41 44 555 20 01"), ("", "2001")],
)
def test_others_do_not(typed: str, kept: str) -> None:
    assert not meets(typed, kept)


def meets(typed: str, kept: str) -> bool:
    wanted, found = spellings(typed, "CH", "0"), kept_digits(kept, "CH")
    return any(one.startswith(start) for one in found for start in wanted.starts) or any(
        one.endswith(end) for one in found for end in wanted.ends
    )


@given(st.text(max_size=30), st.sampled_from(["", "CH", "US", "ZZ"]), st.sampled_from(["", "0", "9"]))
def test_any_text_is_a_number_or_none(text: str, country: str, outside: str) -> None:
    wanted = spellings(text, country, outside)
    assert all(one.isdigit() and one.isascii() for one in (*wanted.starts, *wanted.ends))
    assert bool(wanted.starts) == bool(digits(text))
    assert all(one.isdigit() for one in kept_digits(text, country))
