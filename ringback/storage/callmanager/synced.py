"""People who come from a directory: what the tables know of them, and writing what a run decided.

A run reads, decides and writes; between reading and writing another node or a command may have changed something, so
``write`` says no where the serial has moved, and the run begins again. Everything of a run is one transaction.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import RowMapping, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ringback.rules.name_search import digits
from ringback.storage.callmanager.call_rows import NumberRow
from ringback.storage.callmanager.call_seed import forget_who_left
from ringback.storage.callmanager.call_tables import directory_numbers
from ringback.storage.callmanager.calls import ALL, log_change, write_forwarding
from ringback.storage.callmanager.engine import exclusive
from ringback.storage.callmanager.records import DeviceRow, PersonRow
from ringback.storage.callmanager.seed import delete_rows, device_row, insert_rows, line_rows, number_rows, person_row
from ringback.storage.callmanager.sign_in_tables import codes, login_sessions, revocations, serials, sign_ins
from ringback.storage.callmanager.store import person_of
from ringback.storage.callmanager.sync_tables import sync_audit, sync_runs, sync_state, synced
from ringback.storage.callmanager.tables import devices, lines, numbers, people

DEPLOYMENT = "deployment"
_PREFIX = "ldap:"
_ONE = 1
_GROUP = 500
_Row = TypeVar("_Row")
_AUDIT_KEPT = 200_000  # lines; the oldest go first
_PERSON_COLUMNS = [people.c[name] for name in PersonRow.__dataclass_fields__]


def origin_of(agreement: str) -> str:
    """The origin of rows that an agreement maintains."""
    return f"{_PREFIX}{agreement}"


@dataclass(frozen=True, slots=True)
class SyncedRow:
    """What is kept of a person's place in a directory; see ``sync_tables.synced``."""

    user: str
    agreement: str
    entry: str
    unique_id: str
    cluster: str
    extension: str = ""
    gone_since: float = 0.0


@dataclass(frozen=True, slots=True)
class SyncedPerson:
    """A person with their place in the directory."""

    person: PersonRow
    row: SyncedRow


@dataclass(frozen=True, slots=True)
class CurrentRows:
    """What a run decides upon. ``mine`` by folded user name; ``others``: the folded user names that somebody else has,
    with the agreement they are of (empty: the deployment file); ``numbers`` are all directory numbers in use."""

    serial: int
    mine: Mapping[str, SyncedPerson]
    others: Mapping[str, str]
    numbers: frozenset[str]


@dataclass(frozen=True, slots=True)
class AuditRow:
    """Who was changed and how. ``detail`` is kept as JSON."""

    kind: str
    user: str
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SyncWrites:
    """What a run writes. ``people`` replace those of the same user name; ``removed`` and ``ended`` (who may sign in no
    more) are folded user names; ``country`` (ISO 3166) is that of numbers written nationally."""

    people: Sequence[SyncedPerson] = ()
    devices: Sequence[DeviceRow] = ()
    numbers: Sequence[NumberRow] = ()
    removed: Sequence[str] = ()
    ended: Sequence[str] = ()
    audit: Sequence[AuditRow] = ()
    country: str = ""

    def __bool__(self) -> bool:
        return bool(self.people or self.removed)


@dataclass(frozen=True, slots=True)
class RunRow:
    """How the last run of an agreement ended; see ``sync_tables.sync_runs``."""

    agreement: str
    began: float
    ended: float
    good: float
    outcome: str
    why: Mapping[str, Any] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SyncedPlace:
    """What nodes keep in memory of a person of a directory: where they are called."""

    user: str
    home: bool
    active: bool
    cluster: str
    extension: str
    phone_number: str
    email: str
    directory_uri: str


class SyncStore:
    """The tables of synchronisation. Every method raises sqlalchemy.exc.SQLAlchemyError where the database refuses."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def serial(self) -> int:
        """A number that moves with every change that a run made."""
        async with self._engine.connect() as connection:
            return await _serial(connection)

    async def current(self, agreement: str) -> CurrentRows:
        """What a run of this agreement decides upon."""
        async with self._engine.connect() as connection:
            serial = await _serial(connection)
            origin = origin_of(agreement)
            query = select(*_PERSON_COLUMNS, synced.c.entry, synced.c.unique_id, synced.c.cluster, synced.c.extension,
                           synced.c.gone_since, people.c.user.label("key"))  # fmt: skip
            joined = query.join(synced, synced.c.user == people.c.user).where(people.c.origin == origin)
            mine: dict[str, SyncedPerson] = {}
            async for group in _by_turns((await connection.execute(joined)).mappings().all()):
                mine.update({row["key"]: _synced(row, agreement) for row in group})
            others = select(people.c.user, people.c.origin).where(people.c.origin != origin)
            taken: dict[str, str] = {}
            async for pairs in _by_turns((await connection.execute(others)).all()):
                taken.update({row[0]: row[1].removeprefix(_PREFIX) if row[1] != DEPLOYMENT else "" for row in pairs})
            used = frozenset(await connection.scalars(select(directory_numbers.c.number)))
        return CurrentRows(serial, mine, taken, used)

    async def write(self, agreement: str, writes: SyncWrites, run: RunRow, serial: int) -> bool:
        """Write what a run decided, and how it ended. False, and nothing is written, where something moved since
        ``serial`` was read."""
        async with exclusive(self._engine) as connection:
            if await _serial(connection) != serial:
                return False
            if writes:
                await _write_people(connection, agreement, writes)
                await _end(connection, writes.ended, run.began)
                await _move(connection)
                await log_change(connection, ALL, "")
            await _audit(connection, agreement, writes.audit, run.began)
            await _keep_run(connection, run)
        return True

    async def note(self, run: RunRow) -> None:
        """Keep how a run ended that changed nothing."""
        async with exclusive(self._engine) as connection:
            await _keep_run(connection, run)

    async def runs(self) -> dict[str, RunRow]:
        """The last run of each agreement."""
        async with self._engine.connect() as connection:
            rows = (await connection.execute(select(sync_runs))).mappings().all()
        return {
            row["agreement"]: RunRow(
                **{**row, "why": json.loads(row["why"] or "{}"), "counts": json.loads(row["counts"] or "{}")}
            )
            for row in rows
        }

    async def places(self) -> tuple[int, list[SyncedPlace]]:
        """Everybody of all directories, and the serial of that picture."""
        query = (
            select(
                people.c.user, people.c.home, people.c.active, synced.c.cluster, synced.c.extension,
                people.c.phone_number, people.c.email, people.c.directory_uri,
            )
            .join(synced, synced.c.user == people.c.user)
            .where(people.c.origin != DEPLOYMENT)
        )  # fmt: skip
        async with self._engine.connect() as connection:
            serial = await _serial(connection)
            found: list[SyncedPlace] = []
            async for group in _by_turns((await connection.execute(query)).all()):
                found += [SyncedPlace(*row) for row in group]
            return serial, found

    async def audit(self, user: str = "", limit: int = 100) -> list[tuple[float, str, AuditRow]]:
        """The newest changes, of all people or one (folded user name): time, agreement, change."""
        query = select(sync_audit).order_by(sync_audit.c.id.desc()).limit(limit)
        if user:
            query = query.where(sync_audit.c.user == user)
        async with self._engine.connect() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [
            (row["at"], row["agreement"], AuditRow(row["kind"], row["user"], json.loads(row["detail"]))) for row in rows
        ]

    async def drop_others(self, agreements: Iterable[str], now: float) -> list[str]:
        """Deactivate people of agreements that the deployment has no more, as real ones do; their folded user names.
        They are removed by ``remove_left`` later."""
        kept = [origin_of(name) for name in agreements]
        async with exclusive(self._engine) as connection:
            query = select(people.c.user).where(
                people.c.origin.like(f"{_PREFIX}%"), people.c.origin.not_in(kept), people.c.active.is_(True)
            )
            left = list(await connection.scalars(query))
            for group in _groups(left):
                await connection.execute(update(people).where(people.c.user.in_(group)).values(active=False))
                gone = synced.c.user.in_(group), synced.c.gone_since == 0
                await connection.execute(update(synced).where(*gone).values(gone_since=now))
            if left:
                await _end(connection, left, now)
                await _move(connection)
                await _audit(connection, "", [AuditRow("gone", user, {"agreement": "no more"}) for user in left], now)
        return left

    async def remove_left(self, agreements: Iterable[str], before: float, now: float) -> list[str]:
        """Remove those of ``drop_others`` who are inactive since before a time."""
        kept = [origin_of(name) for name in agreements]
        async with exclusive(self._engine) as connection:
            query = (
                select(people.c.user)
                .join(synced, synced.c.user == people.c.user)
                .where(
                    people.c.origin.like(f"{_PREFIX}%"), people.c.origin.not_in(kept),
                    synced.c.gone_since > 0, synced.c.gone_since <= before,
                )
            )  # fmt: skip
            left = list(await connection.scalars(query))
            if left:
                await _remove(connection, left)
                await _move(connection)
                await log_change(connection, ALL, "")
                await _audit(connection, "", [AuditRow("remove", user) for user in left], now)
        return left


def _synced(row: RowMapping, agreement: str) -> SyncedPerson:
    kept = SyncedRow(
        user=row["key"],
        agreement=agreement,
        entry=row["entry"],
        unique_id=row["unique_id"],
        cluster=row["cluster"],
        extension=row["extension"],
        gone_since=row["gone_since"],
    )
    return SyncedPerson(person_of({name: row[name] for name in PersonRow.__dataclass_fields__}), kept)


async def _serial(connection: AsyncConnection) -> int:
    return (await connection.execute(select(sync_state.c.serial))).scalar_one_or_none() or 0


async def _move(connection: AsyncConnection) -> None:
    """The serials of people and of who may sign in go on: other nodes look within a second."""
    moved = await connection.execute(update(sync_state).values(serial=sync_state.c.serial + 1))
    if not moved.rowcount:
        await connection.execute(insert(sync_state).values(id=_ONE, serial=1))
    await connection.execute(update(serials).values(serial=serials.c.serial + 1))


async def _write_people(connection: AsyncConnection, agreement: str, writes: SyncWrites) -> None:
    origin = origin_of(agreement)
    await _remove(connection, writes.removed)
    users = [one.row.user for one in writes.people]
    own_lines = await _lines_of(connection, users)
    for device in writes.devices:
        own_lines.setdefault(device.owner, set()).update(line.number for line in device.lines)
    await delete_rows(connection, synced, "user", users)
    await delete_rows(connection, numbers, "user", users)
    await delete_rows(connection, people, "user", users)
    await insert_rows(connection, people, (person_row(one.person, origin) for one in writes.people))
    await insert_rows(connection, synced, (_values(one.row) for one in writes.people))
    found = (
        row
        for one in writes.people
        for row in number_rows(
            one.row.user,
            one.person.numbers(writes.country) | {digits(line) for line in own_lines.get(one.row.user, ()) if line},
        )
    )
    await insert_rows(connection, numbers, found)
    await delete_rows(connection, devices, "name", [device.name for device in writes.devices])
    await insert_rows(connection, devices, (device_row(device, origin) for device in writes.devices))
    await insert_rows(connection, lines, (row for device in writes.devices for row in line_rows(device)))
    await delete_rows(connection, directory_numbers, "number", [row.number for row in writes.numbers])
    rows = (
        {"number": row.number, "pickup_group": row.pickup_group, "ring_seconds": row.ring_seconds, "origin": origin}
        for row in writes.numbers
    )
    await insert_rows(connection, directory_numbers, rows)
    await write_forwarding(connection, {row.number: row.forwarding for row in writes.numbers})
    still = select(people.c.user).where(people.c.origin == origin)
    stray = synced.c.agreement == agreement, synced.c.user.not_in(still)
    await connection.execute(delete(synced).where(*stray))


async def _lines_of(connection: AsyncConnection, users: Sequence[str]) -> dict[str, set[str]]:
    """The numbers of the devices that these people own."""
    found: dict[str, set[str]] = {}
    for group in _groups(users):
        query = select(devices.c.owner, lines.c.number).join(lines, lines.c.device == devices.c.name)
        for owner, number in await connection.execute(query.where(devices.c.owner.in_(group))):
            found.setdefault(owner, set()).add(number)
    return found


async def _remove(connection: AsyncConnection, users: Sequence[str]) -> None:
    """People with their devices, and lines that no other device has."""
    if not users:
        return
    from_directories = devices.c.origin.like(f"{_PREFIX}%")
    for group in _groups(users):
        await connection.execute(delete(devices).where(devices.c.owner.in_(group), from_directories))
    for table in (synced, numbers, people):
        await delete_rows(connection, table, "user", users)
    unused = directory_numbers.c.number.not_in(select(lines.c.number))
    await connection.execute(delete(directory_numbers).where(directory_numbers.c.origin.like(f"{_PREFIX}%"), unused))
    await forget_who_left(connection)


async def _end(connection: AsyncConnection, users: Sequence[str], now: float) -> None:
    """All that these people were given is taken back."""
    for group in _groups(users):
        mine = sign_ins.c.user.in_(group), sign_ins.c.ended == 0
        await connection.execute(update(sign_ins).where(*mine).values(ended=now))
        for table in (codes, login_sessions):
            await connection.execute(delete(table).where(table.c.user.in_(group)))
        await connection.execute(delete(revocations).where(revocations.c.user.in_(group), revocations.c.client == ""))
        await connection.execute(insert(revocations), [{"user": user, "client": "", "before": now} for user in group])


async def _audit(connection: AsyncConnection, agreement: str, rows: Sequence[AuditRow], now: float) -> None:
    if not rows:
        return
    await insert_rows(
        connection,
        sync_audit,
        (
            {
                "at": now,
                "agreement": agreement,
                "kind": row.kind,
                "user": row.user,
                "detail": json.dumps(row.detail, ensure_ascii=False),
            }
            for row in rows
        ),
    )
    newest = (await connection.execute(select(func.max(sync_audit.c.id)))).scalar_one()
    await connection.execute(delete(sync_audit).where(sync_audit.c.id <= newest - _AUDIT_KEPT))


async def _keep_run(connection: AsyncConnection, run: RunRow) -> None:
    await connection.execute(delete(sync_runs).where(sync_runs.c.agreement == run.agreement))
    values = {name: getattr(run, name) for name in RunRow.__dataclass_fields__}
    told = {name: json.dumps(values[name], ensure_ascii=False) for name in ("why", "counts")}
    await connection.execute(insert(sync_runs).values(**{**values, **told}))


def _values(row: SyncedRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in SyncedRow.__dataclass_fields__}


async def _by_turns(rows: Sequence[_Row]) -> AsyncIterator[Sequence[_Row]]:
    """Rows in groups, between which others have their turn."""
    for begin in range(0, len(rows), _GROUP):
        yield rows[begin : begin + _GROUP]
        await asyncio.sleep(0)


def _groups(values: Sequence[str]) -> Iterable[list[str]]:
    ordered = sorted(values)
    return (ordered[begin : begin + _GROUP] for begin in range(0, len(ordered), _GROUP))
