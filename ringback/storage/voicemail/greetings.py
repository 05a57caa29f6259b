"""Greetings of mailboxes in the database. Every method raises sqlalchemy.exc.SQLAlchemyError."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ringback.rules.name_search import fold
from ringback.storage.engine import exclusive
from ringback.storage.voicemail.errors import UnknownMailboxError
from ringback.storage.voicemail.migrate import LOCK
from ringback.storage.voicemail.records import GREETING_KINDS, Greeting, GreetingKind
from ringback.storage.voicemail.store import drop_sounds
from ringback.storage.voicemail.tables import greetings, mailboxes, sounds


class GreetingStore:
    """The greetings of an opened voicemail database."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def all(self, user: str) -> dict[GreetingKind, Greeting]:
        """Every kind; what is not in the database is off and not recorded. The standard one is always on."""
        found = {kind: Greeting(kind, enabled=kind == "Standard") for kind in GREETING_KINDS}
        async with self._engine.connect() as connection:
            for row in await connection.execute(select(greetings).where(greetings.c.user == fold(user))):
                if row.kind in found:
                    on, recorded = bool(row.enabled) or row.kind == "Standard", row.sound is not None
                    spoken = recorded and bool(row.spoken)
                    found[row.kind] = Greeting(row.kind, on, row.until, recorded, spoken, row.language)
        return found

    async def sound(self, user: str, kind: GreetingKind) -> bytes | None:
        """The recording of a kind, a WAV file; None where there is none."""
        question = (
            select(sounds.c.content)
            .join(greetings, greetings.c.sound == sounds.c.id)
            .where(greetings.c.user == fold(user), greetings.c.kind == kind)
        )
        async with self._engine.connect() as connection:
            found = (await connection.execute(question)).scalar_one_or_none()
            return None if found is None else bytes(found)

    async def record(self, user: str, kind: GreetingKind, sound: bytes | None, *, language: int = 0) -> None:
        """Keep a recording and play it from now on, or with None forget it; whether the kind is on stays as it is.
        Raises UnknownMailboxError."""
        number = None if sound is None else str(uuid.uuid4())
        async with exclusive(self._engine, LOCK) as connection:
            before = await _row(connection, user, kind)
            if sound is not None:
                await connection.execute(insert(sounds).values(id=number, content=sound))
            values = {"sound": number, "spoken": True, "language": language if sound is not None else 0}
            await _put(connection, user, kind, values, known=before is not None)
            if before is not None and before.sound is not None:
                await drop_sounds(connection, [before.sound])

    async def switch(
        self,
        user: str,
        kind: GreetingKind,
        *,
        enabled: bool | None = None,
        until: int | None = None,
        spoken: bool | None = None,
    ) -> None:
        """Turn a kind on or off, or until a moment, or between its recording and the standard words; None leaves a
        value as it is. Raises UnknownMailboxError."""
        given = (("enabled", enabled), ("until", until), ("spoken", spoken))
        values = {name: value for name, value in given if value is not None}
        async with exclusive(self._engine, LOCK) as connection:
            known = await _row(connection, user, kind) is not None
            await _put(connection, user, kind, values, known=known)


async def _row(connection: AsyncConnection, user: str, kind: GreetingKind) -> Any:
    mailbox = await connection.execute(select(mailboxes.c.user).where(mailboxes.c.user == fold(user)))
    if mailbox.first() is None:
        raise UnknownMailboxError(user)
    question = select(greetings).where(greetings.c.user == fold(user), greetings.c.kind == kind)
    return (await connection.execute(question)).first()


async def _put(
    connection: AsyncConnection, user: str, kind: GreetingKind, values: dict[str, Any], *, known: bool
) -> None:
    if not known:
        key = {"user": fold(user), "kind": kind}
        begin = {"enabled": kind == "Standard", "until": 0, "spoken": True, "language": 0, "sound": None}
        await connection.execute(insert(greetings).values(key | begin | values))
    elif values:
        one = update(greetings).where(greetings.c.user == fold(user), greetings.c.kind == kind)
        await connection.execute(one.values(values))
