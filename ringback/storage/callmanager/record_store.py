"""Call records, calls under way and registrations in the store: written in batches, each one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from ringback.storage.callmanager.call_tables import call_details, call_managements, open_calls, registrations
from ringback.storage.callmanager.engine import exclusive

Row = Mapping[str, Any]

_CDR = {
    "pkid": "pkid",
    "call_manager": "globalCallID_callManagerId",
    "call": "globalCallID_callId",
    "originated": "dateTimeOrigination",
    "connected": "dateTimeConnect",
    "disconnected": "dateTimeDisconnect",
    "duration": "duration",
    "calling_number": "callingPartyNumber",
    "original_called_number": "originalCalledPartyNumber",
    "final_called_number": "finalCalledPartyNumber",
    "orig_device": "origDeviceName",
    "dest_device": "destDeviceName",
    "orig_cause": "origCause_value",
    "dest_cause": "destCause_value",
    "secured": "callSecuredStatus",
}
_CMR = {
    "pkid": "pkid",
    "call_manager": "globalCallID_callManagerId",
    "call": "globalCallID_callId",
    "leg": "callIdentifier",
    "at": "dateTimeStamp",
    "number": "directoryNum",
    "device": "deviceName",
    "packets_sent": "numberPacketsSent",
    "packets_received": "numberPacketsReceived",
    "packets_lost": "numberPacketsLost",
    "jitter": "jitter",
    "latency": "latency",
}
_REMOVE_OPEN = delete(open_calls).where(
    open_calls.c.call_manager == bindparam("b_manager"),
    open_calls.c.call == bindparam("b_call"),
    open_calls.c.leg == bindparam("b_leg"),
)
_REMOVE_REGISTRATION = delete(registrations).where(
    registrations.c.device == bindparam("b_device"), registrations.c.contact == bindparam("b_contact")
)
_END_REGISTRATION = (
    update(registrations)
    .where(registrations.c.device == bindparam("b_device"), registrations.c.contact == bindparam("b_contact"))
    .values(expires=0.0, serial=bindparam("b_serial"))
)
_TIDY_EVERY = 100  # batches
_READ_AFTER = 300  # batches: by then every node has read what ended, one looks each second
_KEPT_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class OpenCall:
    """A call under way at a node; ``facts`` is text that the node can read again, ``seen`` in Unix seconds."""

    call_manager: int
    call: int
    leg: int
    facts: str
    seen: float


@dataclass(slots=True)
class Batch:
    """What is to be written at once. Records are by column of the files (``protocols.call_records``). ``again``: it
    was tried before, and nobody knows whether it was written."""

    details: list[Row] = field(default_factory=list)
    managements: list[Row] = field(default_factory=list)
    opened: list[OpenCall] = field(default_factory=list)
    closed: list[tuple[int, int, int]] = field(default_factory=list)
    again: bool = False

    def __len__(self) -> int:
        return len(self.details) + len(self.managements) + len(self.opened) + len(self.closed)


class RecordStore:
    """The tables of records and registrations. Every method raises sqlalchemy.exc.SQLAlchemyError."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def write(self, batch: Batch) -> None:
        """Write a batch, whole or not at all; the same batch ``again`` changes nothing."""
        async with exclusive(self._engine) as connection:
            for table, columns, records in (
                (call_details, _CDR, batch.details),
                (call_managements, _CMR, batch.managements),
            ):
                if records and batch.again:
                    keys = [{"b_pkid": record["pkid"]} for record in records]
                    await connection.execute(delete(table).where(table.c.pkid == bindparam("b_pkid")), keys)
                if records:
                    await connection.execute(insert(table), _rows(records, columns))
            gone = [(each.call_manager, each.call, each.leg) for each in batch.opened] + batch.closed
            if gone:
                await connection.execute(
                    _REMOVE_OPEN, [{"b_manager": manager, "b_call": call, "b_leg": leg} for manager, call, leg in gone]
                )
            still = [each for each in batch.opened if (each.call_manager, each.call, each.leg) not in set(batch.closed)]
            if still:
                await connection.execute(insert(open_calls), [_open_row(each) for each in still])

    async def open_calls(self, call_manager: int) -> list[OpenCall]:
        """The calls that a node left open."""
        query = select(open_calls).where(open_calls.c.call_manager == call_manager)
        async with self._engine.connect() as connection:
            return [
                OpenCall(row.call_manager, row.call, row.leg, row.facts, row.seen)
                for row in await connection.execute(query)
            ]

    async def last_call(self, call_manager: int) -> int:
        """The highest number of a call in the records of a node; 0 where there is none."""
        query = select(func.max(call_details.c.call)).where(call_details.c.call_manager == call_manager)
        async with self._engine.connect() as connection:
            return int((await connection.execute(query)).scalar_one() or 0)

    async def seen(self, call_manager: int, now: float) -> None:
        """A node lives: its calls go on."""
        async with exclusive(self._engine) as connection:
            await connection.execute(
                update(open_calls).where(open_calls.c.call_manager == call_manager).values(seen=now)
            )

    async def details(self, since: int = 0, limit: int = 1000) -> list[dict[str, Any]]:
        """Call detail records that began since a time (Unix seconds), oldest first, by column of the files."""
        query = select(call_details).where(call_details.c.originated >= since)
        return await self._records(query.order_by(call_details.c.originated).limit(limit), _CDR)

    async def managements(self, since: int = 0, limit: int = 1000) -> list[dict[str, Any]]:
        """Call management records since a time, as ``details``."""
        query = select(call_managements).where(call_managements.c.at >= since)
        return await self._records(query.order_by(call_managements.c.at).limit(limit), _CMR)

    async def registrations(self, after: int = -1) -> list[dict[str, Any]]:
        """The registrations that changed after a serial; those that ended have ``expires`` 0."""
        query = select(registrations).where(registrations.c.serial > after)
        async with self._engine.connect() as connection:
            return [dict(row) for row in (await connection.execute(query)).mappings()]

    async def save_registrations(self, changed: Sequence[Row], removed: Sequence[tuple[str, str]], now: float) -> None:
        """Write what changed and what ended; keys are device and contact, ``now`` Unix seconds."""
        keys = {(row["device"], row["contact"]) for row in changed}
        ended = [key for key in removed if key not in keys]
        if not keys and not ended:
            return
        async with exclusive(self._engine) as connection:
            # Taken while no other node writes, so that nobody who read this serial has missed anything below it.
            last = (await connection.execute(select(func.max(registrations.c.serial)))).scalar_one()
            serial = 1 if last is None else last + 1
            if changed:
                rows = [{"b_device": device, "b_contact": contact} for device, contact in sorted(keys)]
                await connection.execute(_REMOVE_REGISTRATION, rows)
                await connection.execute(insert(registrations), [{**row, "serial": serial} for row in changed])
            if ended:
                rows = [{"b_device": device, "b_contact": contact, "b_serial": serial} for device, contact in ended]
                await connection.execute(_END_REGISTRATION, rows)
            if serial % _TIDY_EVERY == 0:  # what ended so many batches ago was read by everybody long since
                read = registrations.c.serial <= serial - _READ_AFTER
                await connection.execute(
                    delete(registrations).where(read, registrations.c.expires < now - _KEPT_SECONDS)
                )

    async def _records(self, query: Any, columns: Mapping[str, str]) -> list[dict[str, Any]]:
        async with self._engine.connect() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [
            {**msgspec.json.decode(row["others"]), **{name: row[own] for own, name in columns.items()}} for row in rows
        ]


def _rows(records: Sequence[Row], columns: Mapping[str, str]) -> list[dict[str, Any]]:
    apart = frozenset(columns.values())
    return [_row(record, columns, apart) for record in records]


def _row(record: Row, columns: Mapping[str, str], apart: frozenset[str]) -> dict[str, Any]:
    row = {own: record.get(name) for own, name in columns.items()}
    for own, value in row.items():
        if value is None:
            row[own] = _missing(own)
    others = {name: value for name, value in record.items() if value and name not in apart}
    row["others"] = msgspec.json.encode(others).decode()
    return row


_TEXTS = frozenset(
    {
        "pkid",
        "calling_number",
        "original_called_number",
        "final_called_number",
        "orig_device",
        "dest_device",
        "number",
        "device",
    }
)


def _missing(column: str) -> int | str:
    return "" if column in _TEXTS else 0


def _open_row(call: OpenCall) -> dict[str, Any]:
    return {
        "call_manager": call.call_manager,
        "call": call.call,
        "leg": call.leg,
        "facts": call.facts,
        "seen": call.seen,
    }
