"""Numbers for addresses: rows that name two people cost eight octets instead of their addresses, twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ringback.storage.presence.tables import archive_addresses

_ADD: Final = insert(archive_addresses)


class AddressBook:
    """The number of each bare JID that archived messages name: all are in memory, none is ever taken back.

    One service owns its database, so that nobody else gives numbers.
    """

    def __init__(self, write: Callable[..., int]) -> None:
        self._write = write
        self._numbers: dict[str, int] = {}
        self._last = 0

    async def load(self, connection: AsyncConnection) -> None:
        """Read those that are known already."""
        columns = archive_addresses.c
        found = await connection.execute(select(columns.address, columns.number))
        self._numbers = {row.address: row.number for row in found}
        self._last = max(self._numbers.values(), default=0)

    def number(self, address: str) -> int:
        """The number of a bare JID; a new one is queued to be written, before whatever is queued next."""
        number = self._numbers.get(address)
        if number is None:
            self._last += 1
            number = self._numbers[address] = self._last
            self._write(_ADD, {"number": number, "address": address})
        return number
