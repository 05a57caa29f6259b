"""Write what the deployment says of numbers and passwords of phones; what people set since stays as they set it."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ringback.storage.callmanager.call_rows import DigestHashes, NumberRow
from ringback.storage.callmanager.call_tables import digests, directory_numbers, forwarding, message_counts, quiet
from ringback.storage.callmanager.calls import ALL, log_change, write_forwarding
from ringback.storage.callmanager.tables import devices

_GROUP = 500


async def sow_calls(
    connection: AsyncConnection, numbers: Sequence[NumberRow], hashes: Sequence[DigestHashes], origin: str
) -> None:
    """Bring the tables to what the deployment says, after its devices and lines were written."""
    known = set(await connection.scalars(select(directory_numbers.c.number)))
    await connection.execute(delete(directory_numbers).where(directory_numbers.c.origin == origin))
    rows = [
        {
            "number": row.number,
            "pickup_group": row.pickup_group,
            "ring_seconds": row.ring_seconds,
            "origin": origin,
        }
        for row in numbers
    ]
    wanted = sorted(row.number for row in numbers)
    for begin in range(0, len(wanted), _GROUP):  # a number that somebody of a directory has is the deployment's now
        taken = directory_numbers.c.number.in_(wanted[begin : begin + _GROUP])
        await connection.execute(delete(directory_numbers).where(taken))
    if rows:
        await connection.execute(insert(directory_numbers), rows)
    await write_forwarding(connection, {row.number: row.forwarding for row in numbers if row.number not in known})
    await forget_who_left(connection)
    await _write_digests(connection, hashes)
    await log_change(connection, ALL, "")


async def forget_who_left(connection: AsyncConnection) -> None:
    """What was set on lines and phones that are no more goes."""
    still = select(directory_numbers.c.number)
    for table in (forwarding, message_counts):
        await connection.execute(delete(table).where(table.c.number.not_in(still)))
    await connection.execute(delete(quiet).where(quiet.c.device.not_in(select(devices.c.name))))
    users = select(devices.c.sip_user).union(select(devices.c.name))
    await connection.execute(delete(digests).where(digests.c.sip_user.not_in(users)))


async def _write_digests(connection: AsyncConnection, hashes: Sequence[DigestHashes]) -> None:
    users = sorted(each.user for each in hashes)
    for begin in range(0, len(users), _GROUP):
        group = users[begin : begin + _GROUP]
        await connection.execute(delete(digests).where(digests.c.sip_user.in_(group)))
    if hashes:
        rows = [
            {
                "sip_user": each.user,
                "realm": each.realm,
                "md5": each.md5,
                "sha256": each.sha256,
                "sha512_256": each.sha512_256,
            }
            for each in hashes
        ]
        await connection.execute(insert(digests), rows)
