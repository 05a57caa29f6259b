"""Searches for people among few and many: user data service, LDAP client, OpenLDAP's own client, the client's cache.

One OpenLDAP holds the people; a call manager in a process of its own has taken them over from it (which is measured
too). The same typed texts then go, one after the other, to the user data service over HTTPS, to OpenLDAP through our
client, and to OpenLDAP through ``ldapsearch``, which has one connection for all of them. The cache is the one that the
client searches before it asks anybody, filled with everybody; its memory is what the process grew by.
"""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

import aiohttp

from bench.processes import cpu_seconds
from bench.report import Result
from ringback.net.ldap.connection import LdapConnection
from ringback.net.tls import client_context
from ringback.protocols.ldap.filters import all_of, any_of, equals, starts
from ringback.protocols.ldap.search import LdapSearch
from ringback.protocols.uds import Users
from tests.support.foreign import free_ports, running
from tests.support.slapd import ACCOUNT, ACCOUNT_PASSWORD, HOST, PEOPLE, Directory, running_slapd

_SIZES: Final = (1_000, 16_000, 160_000)
_PAGE: Final = 50
_INDEXES: Final = (
    "index uid,sn,givenName,mail,cn,displayName,telephoneNumber,mobile eq,sub\nindex objectClass,entryUUID eq"
)
_FIRST: Final = (
    "Anna",
    "Ben",
    "Chiara",
    "David",
    "Elif",
    "Greta",
    "Hugo",
    "Ines",
    "Jonas",
    "Katja",
    "Liam",
    "Mira",
    "Olga",
)
_SYLLABLES: Final = (
    "ba",
    "ber",
    "du",
    "fel",
    "gar",
    "hof",
    "kel",
    "lan",
    "mar",
    "nov",
    "ost",
    "pel",
    "rit",
    "sten",
    "zan",
)
_FILE: Final = """
domain = "example.com"

[[cluster]]
name = "office"

[[node]]
name = "cm1.example.com"
address = "127.0.0.1"
roles = ["call-manager"]
cluster = "office"
ports = {{ https = {}, files = {}, files-tls = {}, sip = {}, sip-tls = {} }}

[dial-plan]
extension-digits = 0

[[feature-group]]
name = "For look-ups"
devices = []

[[ldap-directory]]
feature-group = "For look-ups"
name = "Office"
servers = ["ldaps://127.0.0.1:{server}"]
ca = "{ca}"
service-account = "{account}"
password-file = "directory.password"
base = "{base}"
timeout-seconds = 60
every-hours = 0
"""
_CACHE_PROGRAM: Final = "bench.people_cache"


@dataclass(frozen=True, slots=True)
class _Person:
    user: str
    first: str
    last: str
    phone: str

    @property
    def ldif(self) -> str:
        return (
            f"dn: uid={self.user},{PEOPLE}\nobjectClass: inetOrgPerson\nuid: {self.user}\n"
            f"cn: {self.first} {self.last}\ngivenName: {self.first}\nsn: {self.last}\n"
            f"mail: {self.user}@example.com\ntelephoneNumber: {self.phone}\n\n"
        )


@dataclass(slots=True)
class _Asked:
    """Milliseconds of each search, and how many people it gave."""

    milliseconds: list[float]
    found: int = 0

    @property
    def median(self) -> float:
        return statistics.median(self.milliseconds)

    @property
    def late(self) -> float:
        """99 of 100 within."""
        return sorted(self.milliseconds)[max(0, len(self.milliseconds) * 99 // 100 - 1)]

    @property
    def per_second(self) -> float:
        return len(self.milliseconds) * 1000 / sum(self.milliseconds)


def made_up(count: int) -> list[_Person]:
    """People with names and numbers as a company has them, always the same."""
    chance = random.Random(count)
    people = []
    for index in range(count):
        last = "".join(chance.choices(_SYLLABLES, k=chance.choice((2, 3, 3)))).capitalize()
        people.append(
            _Person(f"u{index:06}", chance.choice(_FIRST), last, f"+41 44 {index // 10000:03} {index % 10000:04}")
        )
    return people


def typed(people: Sequence[_Person], count: int) -> list[str]:
    """What is typed: beginnings of last names, whole first names, both, mail addresses."""
    chance = random.Random(7)
    found = []
    for one in chance.choices(people, k=count):
        found.append(
            chance.choice((one.last[:3], one.last[:4], one.first, f"{one.first} {one.last[:2]}", f"{one.user}@"))
        )
    return found


def results(folder: Path, rounds: int, wanted: Sequence[str], *, short: bool) -> list[Result]:
    """The rows of the table; each size is set up once."""
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[Result] = []
    for size in (200,) if short else _SIZES:
        rows += _of_size(folder / str(size), size, rounds, 12 if short else 120, wanted)
    return rows


def _of_size(folder: Path, size: int, rounds: int, searches: int, wanted: Sequence[str]) -> list[Result]:
    folder.mkdir()
    people = made_up(size)
    ldif = "".join(one.ldif for one in people)
    names = [f"{what} among {size:,} people" for what in ("first results", "99 of 100 first results", "searches")]
    measures = ("ms, median", "ms, 99 of 100 within", "searches a second, one after the other")
    table: dict[tuple[str, str], Result] = {}

    def note(target: str, how: str, asked: _Asked) -> None:
        for name, measure, value in zip(names, measures, (asked.median, asked.late, asked.per_second), strict=True):
            row = table.setdefault((name, target), Result(name, "search", target, how, None, measure=measure))
            row.values.append(value)

    directory = running_slapd(
        folder / "slapd", {}, names=("127.0.0.1", HOST), ldif=ldif, indexes=_INDEXES, unlimited=True, size=2 * 1024**3
    )
    with directory as slapd:
        asyncio.run(_measure(folder, slapd, people, rounds, searches, note, table, wanted))
    for row in (row for (name, _), row in table.items() if name == names[0] and row.target == "ringback"):
        row.goal = 100.0
    return [table[key] for key in sorted(table, key=lambda key: (key[0], key[1]))]


_Note = Callable[[str, str, _Asked], None]


async def _measure(
    folder: Path,
    slapd: Directory,
    people: Sequence[_Person],
    rounds: int,
    searches: int,
    note: _Note,
    table: dict[tuple[str, str], Result],
    wanted: Sequence[str],
) -> None:
    size = len(people)
    texts = typed(people, searches)
    ports = free_ports(5)
    (folder / "directory.password").touch(mode=0o600)
    (folder / "directory.password").write_text(ACCOUNT_PASSWORD)
    file = folder / "company.toml"
    file.write_text(_FILE.format(*ports, server=slapd.secure.port, ca=slapd.ca, account=ACCOUNT, base=PEOPLE))
    serve = (str(Path(sys.executable).with_name("ringback")), "serve", str(file), "--data", str(folder / "data"))
    with running(serve, folder=folder) as process:
        ca = folder / "data" / "certificates" / "ca.pem"
        url = f"https://127.0.0.1:{ports[0]}/cucm-uds/users"
        await _until(lambda: _count(url, ca, size))
        taken = f"people taken over, {size:,}"
        table[taken, "ringback"] = Result(
            taken, "person", "ringback", "from OpenLDAP into SQLite, without phones, start included", None,
            values=[cpu_seconds(process.pid) * 1000 / size], measure="CPU s per 1,000 people",
        )  # fmt: skip
        async with aiohttp.ClientSession(connector=_connector(ca)) as session:
            for _ in range(rounds):
                note("ringback", "user data service, HTTPS", await _timed(texts, lambda text: _uds(session, url, text)))
                wide = await _timed(["+41 44"] * 5, lambda text: _uds(session, url, text, "number"))
                name = f"a number that all begin with, {size:,} people"
                row = table.setdefault(
                    (name, "ringback"),
                    Result(name, "search", "ringback", "user data service, HTTPS", 100.0, measure="ms, median"),
                )
                row.values.append(wide.median)
                await _by_ldap(slapd, texts, note)
                if not wanted or "openldap" in wanted:
                    note("openldap", "ldapsearch, one connection, TLS", await _ldapsearch(folder, slapd, texts))
                _cache(size, searches, note, table)


async def _by_ldap(slapd: Directory, texts: Sequence[str], note: _Note) -> None:
    connection = await LdapConnection.open(slapd.secure, client_context(slapd.ca), 10.0)
    try:
        await connection.bind(ACCOUNT, ACCOUNT_PASSWORD)

        async def search(text: str) -> int:
            words = [any_of(*(starts(name, word) for name in ("sn", "givenName", "mail"))) for word in text.split()]
            asked = all_of(equals("objectClass", "inetOrgPerson"), *words)
            found = await connection.find(LdapSearch(PEOPLE, asked, ("uid", "sn", "givenName", "mail"), most=_PAGE))
            return len(found.entries)

        note("ringback over LDAP", "our LDAP client, TLS", await _timed(texts, search))
    finally:
        await connection.close()


async def _ldapsearch(folder: Path, slapd: Directory, texts: Sequence[str]) -> _Asked:
    """A line of the file is a search; the program writes what it finds, which tells when each one ended."""
    words = [_filter(text) for text in texts]
    file = folder / "searches"
    file.write_text("\n".join(words) + "\n")
    server = slapd.secure
    began = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        "/usr/bin/ldapsearch", "-x", "-LLL", "-H", f"ldaps://{server.address}:{server.port}", "-D", ACCOUNT,
        "-w", ACCOUNT_PASSWORD, "-z", str(_PAGE), "-c", "-b", PEOPLE, "-f", str(file), "%s",
        "uid", "sn", "givenName", "mail",
        env={"LDAPTLS_CACERT": str(slapd.ca)}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    out, _ = await process.communicate()
    each = (time.monotonic() - began) * 1000 / len(texts)
    return _Asked([each] * len(texts), out.count(b"\ndn: "))


def _filter(text: str) -> str:
    words = "".join(f"(|(sn={word}*)(givenName={word}*)(mail={word}*))" for word in text.split())
    return f"(&(objectClass=inetOrgPerson){words})"


def _cache(size: int, searches: int, note: _Note, table: dict[tuple[str, str], Result]) -> None:
    """In a process of its own, since memory once used does not go back."""
    done = subprocess.run(
        (sys.executable, "-m", _CACHE_PROGRAM, str(size), str(searches)), check=True, capture_output=True, timeout=600
    )
    told = json.loads(done.stdout)
    note("ringback from the cache", "the client's cache", _Asked(told["milliseconds"]))
    name = f"the client's cache of {size:,} people"
    row = table.setdefault(
        (name, "ringback"), Result(name, "person", "ringback", "in memory", None, measure="octets per person")
    )
    row.values.append(told["octets"] / size)


async def _timed(texts: Sequence[str], search: Callable[[str], Awaitable[int]]) -> _Asked:
    asked = _Asked([])
    for text in texts:
        began = time.perf_counter()
        asked.found += await search(text)
        asked.milliseconds.append((time.perf_counter() - began) * 1000)
    if not asked.found:
        raise RuntimeError("A search for people found nobody at all")
    return asked


async def _uds(session: aiohttp.ClientSession, url: str, text: str, by: str = "name") -> int:
    async with session.get(f"{url}?{by}={quote(text)}&max={_PAGE}&start=0") as response:
        return len(Users.parse(await response.read()).people)


async def _count(url: str, ca: Path, size: int) -> bool:
    if not await asyncio.to_thread(ca.exists):
        return False
    try:
        async with aiohttp.ClientSession(connector=_connector(ca)) as session, session.get(f"{url}?max=1") as response:
            return Users.parse(await response.read()).total_count == size
    except aiohttp.ClientError:
        return False


def _connector(ca: Path) -> aiohttp.TCPConnector:
    return aiohttp.TCPConnector(ssl=client_context(ca))


async def _until(check: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(900):
        while not await check():  # noqa: ASYNC110 (it asks a server)
            await asyncio.sleep(0.2)
