"""What people may use from outside, as the tables of a cluster say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from ringback.storage.callmanager.engine import exclusive
from ringback.storage.callmanager.tables import devices, people, remote_access

_GROUP = 500


@dataclass(frozen=True, slots=True)
class RemoteAccessRow:
    """``access``: as in the tables; ``by_administrator``: it was said at run time, not by the deployment."""

    access: str
    by_administrator: bool = False


class RemoteAccessStore:
    """Reads and writes the tables."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def said(self) -> Mapping[str, RemoteAccessRow]:
        """By folded user id, all people at home here of whom anything was said."""
        table = people.c
        query = select(table.user, table.remote_access).where(table.remote_access > "", table.home)
        async with self._engine.connect() as connection:
            found = {row[0]: RemoteAccessRow(row[1]) for row in await connection.execute(query)}
            at_run_time = select(remote_access.c.user, remote_access.c.access)
            found |= {row[0]: RemoteAccessRow(row[1], True) for row in await connection.execute(at_run_time)}
        return found

    async def devices_of(self, users: list[str]) -> Mapping[str, list[str]]:
        """The names of the devices of people, by folded user id."""
        found: dict[str, list[str]] = {}
        async with self._engine.connect() as connection:
            for begin in range(0, len(users), _GROUP):
                query = select(devices.c.owner, devices.c.name).where(
                    devices.c.owner.in_(users[begin : begin + _GROUP])
                )
                for owner, name in await connection.execute(query):
                    found.setdefault(owner, []).append(name)
        return found

    async def set(self, user: str, access: str | None) -> None:
        """Say at run time what somebody (folded user id) may use; None: what the deployment says counts again."""
        async with exclusive(self._engine) as connection:
            await connection.execute(delete(remote_access).where(remote_access.c.user == user))
            if access is not None:
                await connection.execute(insert(remote_access).values(user=user, access=access))
