"""Write what the deployment says of people, devices and passwords into the tables; the same again changes nothing.

Where nothing differs from what was sown last, nothing is written. Rows that came from a deployment and are in it no
more are removed, so that who left cannot sign in. Passwords are hashed in threads at once, and only those that the
deployment did not give before.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

from sqlalchemy import Table, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ringback import __version__
from ringback.rules.name_search import digits, fold
from ringback.storage.callmanager.call_rows import DigestHashes, NumberRow
from ringback.storage.callmanager.call_seed import sow_calls
from ringback.storage.callmanager.credentials import Cost, Hashes, fits, hash_password
from ringback.storage.callmanager.engine import exclusive
from ringback.storage.callmanager.records import PERSON, DeviceRow, Login, PersonRow, key_of
from ringback.storage.callmanager.store import Store
from ringback.storage.callmanager.tables import credentials, devices, lines, numbers, people, seeds

_ORIGIN = "deployment"
_GROUP = 250
_FORMAT = 2  # raised where rows are made in another way of the same seed
_SeedKeys = Mapping[tuple[str, str], tuple[bytes, int, bytes]]


@dataclass(frozen=True, slots=True)
class Seed:
    """All that a deployment says of a cluster. ``elsewhere``: folded names of people whose passwords are not kept here,
    so that those of before go; ``country`` (ISO 3166) is that of numbers written nationally."""

    people: Sequence[PersonRow] = ()
    devices: Sequence[DeviceRow] = ()
    logins: Sequence[Login] = ()
    numbers: Sequence[NumberRow] = ()
    digests: Sequence[DigestHashes] = ()
    elsewhere: frozenset[str] = frozenset()
    country: str = ""


async def sow(store: Store, seed: Seed, cost: Cost, threads: Executor) -> int:
    """Bring the tables to what the seed says; how many passwords were hashed. Raises PasswordError for a text that
    can't be a password, sqlalchemy.exc.SQLAlchemyError where the database refuses."""
    known = await _seed_keys(store)
    loop = asyncio.get_running_loop()
    logins = [login for login in seed.logins if login.password]
    results = await asyncio.gather(
        *(
            loop.run_in_executor(threads, _hash_if_new, login, known.get((login.kind, login.user)), cost)
            for login in logins
        )
    )
    fresh = [(login, hashes) for login, hashes in zip(logins, results, strict=True) if hashes is not None]
    wanted = await asyncio.to_thread(_fingerprint, seed)
    async with exclusive(store.engine) as connection:
        if not fresh and await _sown(connection) == wanted:
            return 0
        await _replace_people(connection, seed)
        await _replace_devices(connection, seed.devices)
        await _write_logins(connection, seed, fresh)
        await sow_calls(connection, seed.numbers, seed.digests, _ORIGIN)
        await connection.execute(delete(seeds).where(seeds.c.origin == _ORIGIN))
        await connection.execute(insert(seeds).values(origin=_ORIGIN, fingerprint=wanted))
    return len(fresh)


def _fingerprint(seed: Seed) -> str:
    """A hash of all that is sown but passwords, which are compared one by one with what is stored of them."""
    parts = hashlib.sha256(f"{__version__} {_FORMAT} {seed.country}\n".encode())
    logins = [(login.kind, login.user, sorted(login.rights)) for login in seed.logins]
    hashes = [(each.user, each.realm, each.sha256) for each in seed.digests]
    for row in (*seed.people, *seed.devices, *seed.numbers, *logins, *hashes, *sorted(seed.elsewhere)):
        parts.update(f"{row!r}\n".encode())
    return parts.hexdigest()


async def _sown(connection: AsyncConnection) -> str:
    query = select(seeds.c.fingerprint).where(seeds.c.origin == _ORIGIN)
    return str((await connection.execute(query)).scalar_one_or_none() or "")


def _hash_if_new(login: Login, before: tuple[bytes, int, bytes] | None, cost: Cost) -> Hashes | None:
    if before is not None and fits(login.password, *before):
        return None
    return hash_password(login.password, cost)


async def _seed_keys(store: Store) -> _SeedKeys:
    table = credentials.c
    query = select(table.kind, table.user, table.seed_salt, table.seed_iterations, table.seed_key)
    async with store.engine.connect() as connection:
        return {(row[0], row[1]): (row[2], row[3], row[4]) for row in await connection.execute(query)}


async def _replace_people(connection: AsyncConnection, seed: Seed) -> None:
    rows = {person.user: person_row(person) for person in seed.people}
    if len(rows) < len(seed.people):
        raise ValueError("Two people of the deployment have the same user name")
    taken = {*rows, *(await _keys(connection, people, people.c.origin == _ORIGIN))}
    await delete_rows(connection, people, "user", taken)
    await insert_rows(connection, people, rows.values())
    found = {person.user: set(person.numbers(seed.country)) for person in seed.people}
    for device in seed.devices:
        if (owner := fold(device.owner)) in found:
            found[owner] |= {number for line in device.lines if (number := digits(line.number))}
    await insert_rows(connection, numbers, (row for user, its in found.items() for row in number_rows(user, its)))


async def _replace_devices(connection: AsyncConnection, seeded: Sequence[DeviceRow]) -> None:
    taken = {*(device.name for device in seeded), *(await _keys(connection, devices, devices.c.origin == _ORIGIN))}
    await delete_rows(connection, devices, "name", taken)
    await insert_rows(connection, devices, (device_row(device) for device in seeded))
    await insert_rows(connection, lines, (row for device in seeded for row in line_rows(device)))


async def _write_logins(connection: AsyncConnection, seed: Seed, fresh: Sequence[tuple[Login, Hashes]]) -> None:
    rights = {(login.kind, login.user): " ".join(sorted(login.rights)) for login in seed.logins}
    replaced = {(login.kind, login.user) for login, _ in fresh}
    there = set(await connection.scalars(select(people.c.user).where(people.c.home)))
    for kind, user in (await connection.execute(select(credentials.c.kind, credentials.c.user))).all():
        is_person = user in there and user not in seed.elsewhere
        gone = not is_person if kind == PERSON else (kind, user) not in rights
        if gone or (kind, user) in replaced:
            await connection.execute(delete(credentials).where(credentials.c.kind == kind, credentials.c.user == user))
    await insert_rows(connection, credentials, (_login_row(login, hashes) for login, hashes in fresh))
    for (kind, user), words in rights.items():
        if kind != PERSON:
            changed = credentials.update().where(credentials.c.kind == kind, credentials.c.user == user)
            await connection.execute(changed.values(rights=words))


async def _keys(connection: AsyncConnection, table: Table, condition: Any) -> set[str]:
    column = next(iter(table.primary_key.columns))
    return set(await connection.scalars(select(column).where(condition)))


async def delete_rows(connection: AsyncConnection, table: Table, key: str, values: Iterable[str]) -> None:
    """Delete the rows whose column ``key`` has one of these values."""
    ordered = sorted(values)
    for begin in range(0, len(ordered), 500):  # SQLite takes at most 32,766 parameters; smaller groups plan better
        await connection.execute(delete(table).where(table.c[key].in_(ordered[begin : begin + 500])))


async def insert_rows(connection: AsyncConnection, table: Table, rows: Iterable[Mapping[str, Any]]) -> None:
    """Insert rows; none is fine. They are made group by group, so that many keep nobody waiting."""
    source = iter(rows)
    while group := list(islice(source, _GROUP)):
        await connection.execute(insert(table), group)


def person_row(person: PersonRow, origin: str = _ORIGIN) -> dict[str, Any]:
    """The row of table ``people``, with what searches compare."""
    shown = person.display_name or f"{person.first_name} {person.last_name}"
    return asdict(person) | {
        "user": person.user,
        "id": person.id or key_of("person", person.user),
        "imp_servers": "\n".join(person.imp_servers),
        "origin": origin,
        "by_first": fold(person.first_name),
        "by_last": fold(person.last_name),
        "by_display": fold(shown),
        "by_email": fold(person.email),
        "by_uri": fold(person.directory_uri),
    }


def number_rows(user: str, found: Iterable[str]) -> list[dict[str, Any]]:
    """The rows of table ``numbers`` for all numbers of a person, in digits."""
    forwards = sorted(set(found))
    backwards = sorted(number[::-1] for number in forwards)
    before = dict(zip(backwards[1:], backwards, strict=False))
    return [
        {
            "user": user,
            "digits": number,
            "reversed": number[::-1],
            "previous": previous,
            "previous_reversed": before.get(number[::-1], ""),
        }
        for previous, number in zip(("", *forwards), forwards, strict=False)
    ]


def device_row(device: DeviceRow, origin: str = _ORIGIN) -> dict[str, Any]:
    """The row of table ``devices``."""
    row = asdict(device)
    del row["lines"]
    return row | {"id": device.id, "owner": fold(device.owner), "origin": origin}


def line_rows(device: DeviceRow) -> list[dict[str, Any]]:
    """The rows of table ``lines`` of a device."""
    return [
        {"device": device.name, "position": position, "id": line.id, **asdict(line)}
        for position, line in enumerate(device.lines, 1)
    ]


def _login_row(login: Login, hashes: Hashes) -> dict[str, Any]:
    verifier = hashes.verifier
    return {
        "kind": login.kind,
        "user": login.user,
        "user_name": login.user_name,
        "argon2": hashes.argon2,
        "salt": verifier.salt,
        "iterations": verifier.iterations,
        "stored_key": verifier.stored_key,
        "server_key": verifier.server_key,
        "seed_salt": verifier.salt,
        "seed_iterations": verifier.iterations,
        "seed_key": verifier.stored_key,
        "rights": " ".join(sorted(login.rights)),
    }
