"""Reading and changing what calls need to know of lines and phones.

``load`` reads all of it once; ``changes`` then reads only what the log of changes names. Every change is one
transaction with its entry in the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ringback.rules.call_forwarding import Destination, Forwarding, Quiet
from ringback.storage.callmanager.call_rows import DigestHashes, Line, MessageCounts, Phone, PhoneLine
from ringback.storage.callmanager.call_tables import (
    call_changes,
    digests,
    directory_numbers,
    forwarding,
    message_counts,
    quiet,
)
from ringback.storage.callmanager.engine import exclusive
from ringback.storage.callmanager.tables import devices, lines, people

LINE, PHONE, ALL = "line", "phone", "all"
_GROUP = 500
_KINDS = tuple(Forwarding.__dataclass_fields__)
_PILOT = select(func.max(lines.c.voicemail_pilot)).where(lines.c.number == directory_numbers.c.number).scalar_subquery()
_ONE_LINE = select(directory_numbers, message_counts, _PILOT.label("pilot")).outerjoin(
    message_counts, message_counts.c.number == directory_numbers.c.number
)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Lines and phones at one moment, with what they are found by. ``serial`` is the last change that is in it."""

    serial: int = 0
    lines: Mapping[str, Line] = field(default_factory=dict)
    phones: Mapping[str, Phone] = field(default_factory=dict)
    digests: Mapping[str, DigestHashes] = field(default_factory=dict)
    contacts: Mapping[str, str] = field(default_factory=dict)
    users: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    groups: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refreshed:
    """A newer snapshot; ``lines`` and ``phones`` are the keys that may differ, None: any."""

    snapshot: Snapshot
    lines: frozenset[str] | None = None
    phones: frozenset[str] | None = None


class CallStore:
    """The part of a cluster's store that calls use."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def load(self) -> Snapshot:
        """Everything. Raises sqlalchemy.exc.SQLAlchemyError."""
        async with self._engine.connect() as connection:
            serial = await _serial(connection)  # first: what changes meanwhile is read again, rather than missed
            phones = await _phones(connection)
            found = await _lines(connection, phones)
            rows = (await connection.execute(select(digests))).mappings().all()
        hashes = {row["sip_user"]: _digest(row) for row in rows}
        return _indexed(Snapshot(serial, found, phones, hashes))

    async def changes(self, before: Snapshot) -> Refreshed | None:
        """What is now, where something changed since ``before``; else None. Raises SQLAlchemyError."""
        query = select(call_changes).where(call_changes.c.serial > before.serial).order_by(call_changes.c.serial)
        async with self._engine.connect() as connection:
            entries = (await connection.execute(query)).mappings().all()
            if not entries:
                return None
            fresh = None
            numbers, names = (frozenset(row["key"] for row in entries if row["kind"] == kind) for kind in (LINE, PHONE))
            if all(entry["kind"] != ALL for entry in entries):
                fresh = await _patched(connection, before, numbers, names)
        if fresh is None:
            return Refreshed(await self.load())
        return Refreshed(replace(fresh, serial=entries[-1]["serial"]), numbers, names)

    async def set_forwarding(self, number: str, wanted: Forwarding) -> bool:
        """Replace the forwarding of a line; False: there is no such line. Raises SQLAlchemyError."""
        async with exclusive(self._engine) as connection:
            if not await _there(connection, directory_numbers.c.number, number):
                return False
            await write_forwarding(connection, {number: wanted})
            await log_change(connection, LINE, number)
        return True

    async def set_quiet(self, device: str, setting: Quiet) -> bool:
        """Set do not disturb of a phone; False: there is no such phone. Raises SQLAlchemyError."""
        async with exclusive(self._engine) as connection:
            if not await _there(connection, devices.c.name, device):
                return False
            await connection.execute(delete(quiet).where(quiet.c.device == device))
            if setting is not Quiet.OFF:
                await connection.execute(insert(quiet).values(device=device, setting=setting.value))
            await log_change(connection, PHONE, device)
        return True

    async def set_messages(self, number: str, counts: MessageCounts) -> bool:
        """Set how many messages wait at a line; False: there is no such line. Raises SQLAlchemyError."""
        async with exclusive(self._engine) as connection:
            if not await _there(connection, directory_numbers.c.number, number):
                return False
            await connection.execute(delete(message_counts).where(message_counts.c.number == number))
            await connection.execute(
                insert(message_counts).values(
                    number=number,
                    new=counts.new,
                    old=counts.old,
                    new_urgent=counts.new_urgent,
                    old_urgent=counts.old_urgent,
                )
            )
            await log_change(connection, LINE, number)
        return True


async def write_forwarding(connection: AsyncConnection, wanted: Mapping[str, Forwarding]) -> None:
    """Replace the rows of some lines."""
    numbers = sorted(wanted)
    for begin in range(0, len(numbers), _GROUP):
        group = numbers[begin : begin + _GROUP]
        await connection.execute(delete(forwarding).where(forwarding.c.number.in_(group)))
    rows = [
        {"number": number, "kind": kind, "to_voicemail": to.voicemail, "destination": to.number}
        for number, settings in wanted.items()
        for kind in _KINDS
        if (to := getattr(settings, kind))
    ]
    if rows:
        await connection.execute(insert(forwarding), rows)


async def log_change(connection: AsyncConnection, kind: str, key: str) -> None:
    """Write an entry of the log of changes; one for everything makes those before it needless."""
    if kind == ALL:
        await connection.execute(delete(call_changes))
    await connection.execute(insert(call_changes).values(kind=kind, key=key))


async def _there(connection: AsyncConnection, column: ColumnElement[str], value: str) -> bool:
    return (await connection.execute(select(column).where(column == value))).first() is not None


async def _serial(connection: AsyncConnection) -> int:
    return (await connection.execute(select(func.max(call_changes.c.serial)))).scalar_one() or 0


async def _phones(connection: AsyncConnection, names: Iterable[str] | None = None) -> dict[str, Phone]:
    query = (
        select(
            devices.c.name,
            devices.c.model,
            devices.c.owner,
            devices.c.description,
            devices.c.sip_user,
            devices.c.encrypted,
            people.c.display_name.label("owner_name"),
            quiet.c.setting,
            lines.c.number,
            lines.c.position,
            lines.c.id,
            lines.c.label,
            lines.c.display_name,
            lines.c.max_calls,
            lines.c.busy_trigger,
        )
        .outerjoin(lines, lines.c.device == devices.c.name)
        .outerjoin(quiet, quiet.c.device == devices.c.name)
        .outerjoin(people, people.c.user == devices.c.owner)
        .order_by(devices.c.name, lines.c.position)
    )
    found: dict[str, Phone] = {}
    for part in _parts(names):
        limited = query if part is None else query.where(devices.c.name.in_(part))
        for row in (await connection.execute(limited)).all():
            own = () if row.number is None else (_phone_line(row),)
            before = found.get(row.name)
            found[row.name] = _phone(row, own) if before is None else replace(before, lines=before.lines + own)
    return found


def _phone(row: Any, own: tuple[PhoneLine, ...]) -> Phone:
    return Phone(
        name=row.name,
        model=row.model,
        owner=row.owner,
        owner_name=row.owner_name or "",
        description=row.description,
        user=row.sip_user or row.name,
        encrypted=row.encrypted,
        quiet=Quiet(row.setting) if row.setting else Quiet.OFF,
        lines=own,
    )


def _phone_line(row: Any) -> PhoneLine:
    return PhoneLine(
        number=row.number,
        position=row.position,
        contact=row.id,
        label=row.label,
        display_name=row.display_name,
        max_calls=row.max_calls,
        busy_trigger=row.busy_trigger,
    )


async def _lines(
    connection: AsyncConnection, phones: Mapping[str, Phone], wanted: Iterable[str] | None = None
) -> dict[str, Line]:
    """Lines by number; their phones are found in ``phones``."""
    appearances: dict[str, list[tuple[Phone, PhoneLine]]] = {}
    for phone in phones.values():
        for line in phone.lines:
            appearances.setdefault(line.number, []).append((phone, line))
    owners = {found[0][0].owner for found in (_by_rank(each) for each in appearances.values())}
    shown = await _shown(connection, owners if wanted is not None else None)
    forwards = await _forwards(connection, wanted)
    found: dict[str, Line] = {}
    for part in _parts(wanted):
        limited = _ONE_LINE if part is None else _ONE_LINE.where(directory_numbers.c.number.in_(part))
        for row in (await connection.execute(limited)).all():
            own = _by_rank(appearances.get(row[0], []))
            owner = own[0][0].owner if own else ""
            name, uri = shown.get(owner, ("", ""))
            found[row[0]] = Line(
                number=row[0],
                contact=own[0][1].contact if own else "",
                name=(own[0][1].display_name if own else "") or name,
                uri=uri,
                owner=owner,
                voicemail_pilot=row.pilot or "",
                pickup_group=row.pickup_group,
                ring_seconds=row.ring_seconds,
                phones=tuple(phone.name for phone, _ in own),
                forwarding=_forwarding(forwards.get(row[0], ())),
                messages=MessageCounts(row.new or 0, row.old or 0, row.new_urgent or 0, row.old_urgent or 0),
            )
    return found


def _by_rank(appearances: Sequence[tuple[Phone, PhoneLine]]) -> list[tuple[Phone, PhoneLine]]:
    """Phones on which the line is the first one come first: its owner is theirs."""
    return sorted(appearances, key=lambda each: (not each[0].owner, each[1].position, each[0].name))


async def _shown(connection: AsyncConnection, users: Iterable[str] | None) -> dict[str, tuple[str, str]]:
    query = select(people.c.user, people.c.display_name, people.c.directory_uri).where(people.c.home)
    found: dict[str, tuple[str, str]] = {}
    for part in _parts(users):
        limited = query if part is None else query.where(people.c.user.in_(part))
        found.update({row[0]: (row[1], row[2]) for row in await connection.execute(limited)})
    return found


async def _forwards(connection: AsyncConnection, numbers: Iterable[str] | None) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for part in _parts(numbers):
        query = select(forwarding) if part is None else select(forwarding).where(forwarding.c.number.in_(part))
        for row in await connection.execute(query):
            found.setdefault(row.number, []).append(row)
    return found


def _forwarding(rows: Iterable[Any]) -> Forwarding:
    return Forwarding(**{row.kind: Destination(row.to_voicemail, row.destination) for row in rows})


def _digest(row: RowMapping) -> DigestHashes:
    return DigestHashes(row["sip_user"], row["realm"], row["md5"], row["sha256"], row["sha512_256"])


def _parts(values: Iterable[str] | None) -> Iterable[tuple[str, ...] | None]:
    """Groups that a query can name; one None for all."""
    if values is None:
        return (None,)
    ordered = sorted(values)
    return (tuple(ordered[begin : begin + _GROUP]) for begin in range(0, len(ordered), _GROUP))


async def _patched(
    connection: AsyncConnection, before: Snapshot, numbers: frozenset[str], names: frozenset[str]
) -> Snapshot | None:
    """``before`` with some lines and phones read anew; None where lines would have to move between phones."""
    phones = dict(before.phones)
    fresh = await _phones(connection, names)
    for name, phone in fresh.items():
        if name not in phones or phones[name].lines != phone.lines:
            return None
        phones[name] = phone
    if not numbers <= before.lines.keys():
        return None
    sharing = {name: phones[name] for number in numbers for name in before.lines[number].phones}
    changed = await _lines(connection, sharing, numbers)
    return replace(before, lines={**before.lines, **changed}, phones=phones)


def _indexed(snapshot: Snapshot) -> Snapshot:
    groups: dict[str, set[str]] = {}
    for line in snapshot.lines.values():
        if line.pickup_group:
            groups.setdefault(line.pickup_group, set()).add(line.number)
    return replace(
        snapshot,
        contacts={line.contact.lower(): number for number, line in snapshot.lines.items() if line.contact},
        users={phone.user: name for name, phone in snapshot.phones.items()},
        names={name.upper(): name for name in snapshot.phones},
        groups={name: frozenset(numbers) for name, numbers in groups.items()},
    )
