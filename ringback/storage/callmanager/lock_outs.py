"""Wrong passwords counted by user, kept over restarts and shared by the nodes of a cluster.

Users whom nobody knows are counted like others, so that a lock-out does not tell who exists; rows that are over go when
another is written, so guessing at many names fills no store for longer than the counting window.
"""

from __future__ import annotations

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from ringback.rules.name_search import fold
from ringback.storage.callmanager.engine import exclusive
from ringback.storage.callmanager.sign_in_rows import Lock
from ringback.storage.callmanager.sign_in_tables import lock_outs

_NONE = Lock(0, 0.0, 0.0)
_TIMES = lock_outs.c.failures, lock_outs.c.since, lock_outs.c.until


class LockOuts:
    """The table of lock-outs: ``tries`` wrong ones within ``window`` seconds lock for ``seconds``; 0 tries: never.
    Every method raises sqlalchemy.exc.SQLAlchemyError where the database refuses."""

    def __init__(self, engine: AsyncEngine, tries: int, window: float, seconds: float) -> None:
        self._engine = engine
        self._tries = tries
        self._window = window
        self._seconds = seconds

    async def state(self, kind: str, user: str, now: float) -> Lock:
        """The wrong passwords of a user that count now; ``until`` is 0 where nobody is locked."""
        if not self._tries:
            return _NONE
        query = select(*_TIMES).where(lock_outs.c.kind == kind, lock_outs.c.user == fold(user))
        async with self._engine.connect() as connection:
            row = (await connection.execute(query)).first()
        return _NONE if row is None else self._now(Lock(*row), now)

    async def count(self, kind: str, user: str, now: float) -> Lock:
        """Count a wrong password; the state after it."""
        if not self._tries:
            return _NONE
        mine = lock_outs.c.kind == kind, lock_outs.c.user == fold(user)
        over = now - self._window
        async with exclusive(self._engine) as connection:
            await connection.execute(delete(lock_outs).where(lock_outs.c.since < over, lock_outs.c.until < now))
            row = (await connection.execute(select(*_TIMES).where(*mine))).first()
            before = _NONE if row is None else self._now(Lock(*row), now)
            failures = before.failures + 1
            until = now + self._seconds if failures >= self._tries else 0.0
            after = Lock(failures, before.since or now, max(before.until, until))
            await connection.execute(delete(lock_outs).where(*mine))
            values = {"kind": kind, "user": fold(user), "failures": failures, "since": after.since}
            await connection.execute(insert(lock_outs).values(**values, until=after.until))
        return after

    async def clear(self, kind: str, user: str) -> bool:
        """Forget the wrong passwords of a user, and a lock-out with them; whether there were any."""
        async with self._engine.connect() as connection:
            mine = lock_outs.c.kind == kind, lock_outs.c.user == fold(user)
            changed = await connection.execute(delete(lock_outs).where(*mine))
            return bool(changed.rowcount)

    async def locked(self, now: float) -> tuple[tuple[str, str, float], ...]:
        """Kind, user and end of each lock-out there is, by user."""
        query = select(lock_outs.c.kind, lock_outs.c.user, lock_outs.c.until).where(lock_outs.c.until > now)
        async with self._engine.connect() as connection:
            rows = (await connection.execute(query.order_by(lock_outs.c.user, lock_outs.c.kind))).all()
        return tuple((str(row[0]), str(row[1]), float(row[2])) for row in rows)

    def _now(self, kept: Lock, now: float) -> Lock:
        """What is kept, as it counts now: after a lock-out, and after the window, the count begins anew."""
        if kept.until:
            return kept if kept.until > now else _NONE
        return kept if kept.since > now - self._window else _NONE
