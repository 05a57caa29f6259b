"""Reading the tables of a call manager cluster: people by key and by search, credentials, devices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Select, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from ringback.rules.name_search import fold
from ringback.storage.callmanager import migrate
from ringback.storage.callmanager.engine import create_engine
from ringback.storage.callmanager.people_search import conditions
from ringback.storage.callmanager.records import Credential, Criteria, DeviceRow, LineRow, PersonRow
from ringback.storage.callmanager.tables import credentials, devices, lines, people

_PERSON_COLUMNS = [people.c[name] for name in PersonRow.__dataclass_fields__]
_ONE_PERSON = select(*_PERSON_COLUMNS)


class Store:
    """The database of a cluster. Make it with ``Store.open``; close it with ``close``."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine

    @classmethod
    async def open(cls, url: str) -> Store:
        """Bring the tables up to date and connect. Raises sqlalchemy.exc.SQLAlchemyError or OSError."""
        await migrate.upgrade(url)
        return cls(create_engine(url))

    async def close(self) -> None:
        """Disconnect."""
        await self.engine.dispose()

    async def person(self, user: str) -> PersonRow | None:
        """The person of a user name, in any case."""
        return await self._first(_ONE_PERSON.where(people.c.user == fold(user)))

    async def person_by_email(self, email: str) -> PersonRow | None:
        """The person of a mail address; the first by user name where several share one."""
        return await self._first(_ONE_PERSON.where(people.c.by_email == fold(email)).order_by(people.c.user).limit(1))

    async def person_by_uri(self, uri: str) -> PersonRow | None:
        """The person of a directory URI."""
        return await self._first(_ONE_PERSON.where(people.c.by_uri == fold(uri)).order_by(people.c.user).limit(1))

    async def find(
        self,
        criteria: Criteria,
        *,
        start: int,
        limit: int,
        digits_to_match: int,
        country: str = "",
        outside_prefix: str = "",
    ) -> tuple[list[PersonRow], int]:
        """A page of the people who meet the criteria, by last and first name, and how many there are in all.

        A number is met by its start, and by its end where at least ``digits_to_match`` digits are given, in whatever
        notation (``rules.number_search``).
        """
        async with self.engine.connect() as connection:
            found = await conditions(connection, criteria, digits_to_match, country, outside_prefix)
            page = _ONE_PERSON.where(*found.conditions).order_by(people.c.by_last, people.c.by_first, people.c.user)
            rows = (await connection.execute(page.offset(start).limit(limit))).mappings().all()
            if len(rows) < limit and (rows or start == 0):
                total = start + len(rows)
            elif found.total is not None:
                total = found.total
            else:
                count = select(func.count()).select_from(people).where(*found.conditions)
                total = int((await connection.execute(count)).scalar_one())
        return [person_of(row) for row in rows], total

    async def credential(self, kind: str, user: str) -> Credential | None:
        """What is kept of the password of a person or application."""
        query = select(credentials).where(credentials.c.kind == kind, credentials.c.user == fold(user))
        async with self.engine.connect() as connection:
            row = (await connection.execute(query)).mappings().first()
        if row is None:
            return None
        return Credential(
            user_name=row["user_name"],
            argon2=row["argon2"],
            salt=row["salt"],
            iterations=row["iterations"],
            stored_key=row["stored_key"],
            server_key=row["server_key"],
            rights=frozenset(row["rights"].split()),
        )

    async def devices_of(self, user: str) -> tuple[DeviceRow, ...]:
        """The devices that a person owns, by name."""
        return await self._devices(devices.c.owner == fold(user))

    async def device(self, name: str) -> DeviceRow | None:
        """A device by its name."""
        return next(iter(await self._devices(devices.c.name == name)), None)

    async def shared_numbers(self, wanted: Iterable[str]) -> frozenset[str]:
        """Those of some numbers that more than one device has."""
        query = select(lines.c.number).where(lines.c.number.in_(sorted(wanted))).group_by(lines.c.number)
        async with self.engine.connect() as connection:
            return frozenset(await connection.scalars(query.having(func.count() > 1)))

    async def _devices(self, condition: ColumnElement[bool]) -> tuple[DeviceRow, ...]:
        query = (
            select(devices, *(column.label(f"line_{column.name}") for column in lines.c))
            .outerjoin(lines, lines.c.device == devices.c.name)
            .where(condition)
            .order_by(devices.c.name, lines.c.position)
        )
        async with self.engine.connect() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return tuple(_gather(rows))

    async def _first(self, query: Select[Any]) -> PersonRow | None:
        async with self.engine.connect() as connection:
            row = (await connection.execute(query)).mappings().first()
        return None if row is None else person_of(row)


def person_of(row: RowMapping | Mapping[str, Any]) -> PersonRow:
    """The person of a row of ``people`` that has exactly the columns of ``PersonRow``."""
    values = dict(row)
    values["imp_servers"] = tuple(values["imp_servers"].split())
    return PersonRow(**values)


def _gather(rows: Iterable[RowMapping]) -> Iterable[DeviceRow]:
    found: dict[str, tuple[RowMapping, list[LineRow]]] = {}
    for row in rows:
        _, its_lines = found.setdefault(row["name"], (row, []))
        if row["line_number"] is not None:
            its_lines.append(
                LineRow(
                    number=row["line_number"],
                    label=row["line_label"],
                    display_name=row["line_display_name"],
                    voicemail_pilot=row["line_voicemail_pilot"],
                    max_calls=row["line_max_calls"],
                    busy_trigger=row["line_busy_trigger"],
                )
            )
    for row, its_lines in found.values():
        yield DeviceRow(
            name=row["name"],
            owner=row["owner"],
            model=row["model"],
            description=row["description"],
            support_field=row["support_field"],
            sip_user=row["sip_user"],
            encrypted=row["encrypted"],
            lines=tuple(its_lines),
        )
