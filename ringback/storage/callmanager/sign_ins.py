"""Keys, codes, tokens, sessions and lock-outs of a cluster: what all its nodes share about signing in.

Each change that other nodes must learn within seconds counts the serial up in the same transaction; a node reads the
serial every second and the rest only where it moved.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import CursorResult, delete, func, insert, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ringback.rules.name_search import fold
from ringback.storage.callmanager.engine import exclusive
from ringback.storage.callmanager.sign_in_rows import CodeRow, KeyRow, RevocationRow, SignInRow, TakenBackRows
from ringback.storage.callmanager.sign_in_tables import (
    codes,
    deactivated,
    login_sessions,
    revocations,
    serials,
    sign_ins,
    token_keys,
)
from ringback.storage.callmanager.tables import people

REMEMBERED_SECONDS = 2 * 86_400.0
"""How long revocations of people are told: twice the longest life of an access token."""

ENDED_SECONDS = 300.0
"""How much longer than an access token lives it is told that its sign-in ended. Everybody who signs out makes such a
row, so these must not stay for days."""

_ONE = 1
_REFUSED = "-"  # stands in place of a sign-in where a code was used and nothing began
_KEY_COLUMNS = [token_keys.c[name] for name in KeyRow.__dataclass_fields__]
_CODE_COLUMNS = [codes.c[name] for name in CodeRow.__dataclass_fields__]
_SIGN_IN_COLUMNS = [sign_ins.c[name] for name in SignInRow.__dataclass_fields__]


class SignInStore:
    """The tables of signing in. Every method raises sqlalchemy.exc.SQLAlchemyError where the database refuses."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def serial(self) -> int:
        """A number that moves with every change of keys, of what was taken back and of who is active."""
        async with self._engine.connect() as connection:
            return await _serial(connection)

    async def first_keys(self, row: KeyRow) -> KeyRow:
        """The keys that are kept; where there are none yet, these."""
        async with exclusive(self._engine) as connection:
            kept = await _keys(connection)
            if kept is not None:
                return kept
            await connection.execute(insert(token_keys).values(id=_ONE, **_values(row)))
            await _moved(connection)
            return row

    async def keys(self) -> KeyRow | None:
        """The keys that are kept."""
        async with self._engine.connect() as connection:
            return await _keys(connection)

    async def replace_keys(self, row: KeyRow, *, end_all: bool) -> None:
        """Other keys or lifetimes; ``end_all`` forgets every sign-in, since no refresh token is worth anything now."""
        async with exclusive(self._engine) as connection:
            await connection.execute(delete(token_keys))
            await connection.execute(insert(token_keys).values(id=_ONE, **_values(row)))
            if end_all:
                await connection.execute(delete(codes))
                await connection.execute(delete(sign_ins))
            await _moved(connection)

    async def taken_back(self, now: float) -> TakenBackRows | None:
        """Keys and what was taken back, as one consistent picture; None where there are no keys yet."""
        since = now - REMEMBERED_SECONDS
        revoked = select(revocations.c.user, revocations.c.client, revocations.c.before)
        async with exclusive(self._engine) as connection:
            keys = await _keys(connection)
            if keys is None:
                return None
            off = select(people.c.user).where(people.c.active.is_(False), people.c.home)
            return TakenBackRows(
                serial=await _serial(connection),
                keys=keys,
                revocations=tuple(
                    RevocationRow(*row)
                    for row in await connection.execute(
                        revoked.where(revocations.c.before > since).order_by(revocations.c.user, revocations.c.client)
                    )
                ),
                ended=frozenset(
                    await connection.scalars(
                        select(sign_ins.c.id).where(sign_ins.c.ended > now - keys.access_seconds - ENDED_SECONDS)
                    )
                ),
                deactivated=frozenset(await connection.scalars(select(deactivated.c.user)))
                | frozenset(await connection.scalars(off)),
                revoked_at={
                    row.user: row.before for row in await connection.execute(revoked.where(revocations.c.client == ""))
                },
            )

    # codes and sign-ins

    async def add_code(self, row: CodeRow) -> None:
        """Keep a code until it is redeemed or over."""
        async with self._engine.connect() as connection:
            await connection.execute(insert(codes).values(**_values(row)))

    async def redeem(
        self, code_hash: str, begin: Callable[[CodeRow], SignInRow | None], now: float
    ) -> tuple[CodeRow | None, SignInRow | None]:
        """The code of this hash as it was found, used up from now on, and the sign-in that it begins.

        ``begin`` judges a code that was not used before; without its sign-in nothing begins, and the code is used up
        all the same. A code that comes a second time ends what the first time began: somebody has what is not theirs.
        """
        async with exclusive(self._engine) as connection:
            query = select(*_CODE_COLUMNS).where(codes.c.hash == code_hash)
            found = (await connection.execute(query)).mappings().first()
            if found is None:
                return None, None
            row = CodeRow(**found)
            if row.sign_in:
                first = sign_ins.c.id == row.sign_in, sign_ins.c.ended == 0
                await connection.execute(update(sign_ins).where(*first).values(ended=now))
                await _moved(connection)
                return row, None
            begun = begin(row)
            used = begun.id if begun is not None else _REFUSED
            await connection.execute(update(codes).where(codes.c.hash == code_hash).values(sign_in=used))
            if begun is not None:
                await connection.execute(insert(sign_ins).values(**_values(begun)))
            return row, begun

    async def open_sign_in(self, row: SignInRow) -> None:
        """Keep a sign-in that no code began."""
        async with self._engine.connect() as connection:
            await connection.execute(insert(sign_ins).values(**_values(row)))

    async def sign_in(self, sign_in: str) -> SignInRow | None:
        """The sign-in of this id."""
        async with self._engine.connect() as connection:
            query = select(*_SIGN_IN_COLUMNS).where(sign_ins.c.id == sign_in)
            found = (await connection.execute(query)).mappings().first()
        return None if found is None else SignInRow(**found)

    async def sign_ins_of(self, user: str, now: float) -> tuple[SignInRow, ...]:
        """The sign-ins of a person that live, the oldest first."""
        query = select(*_SIGN_IN_COLUMNS).where(
            sign_ins.c.user == fold(user), sign_ins.c.ended == 0, sign_ins.c.until > now
        )
        async with self._engine.connect() as connection:
            found = (await connection.execute(query.order_by(sign_ins.c.since, sign_ins.c.id))).mappings().all()
        return tuple(SignInRow(**row) for row in found)

    async def end_sign_in(self, sign_in: str, now: float) -> None:
        """Take a sign-in back, and the log-in session of its browser with it."""
        async with exclusive(self._engine) as connection:
            session = await connection.scalar(select(sign_ins.c.session).where(sign_ins.c.id == sign_in))
            await connection.execute(
                update(sign_ins).where(sign_ins.c.id == sign_in, sign_ins.c.ended == 0).values(ended=now)
            )
            if session:
                await connection.execute(delete(login_sessions).where(login_sessions.c.hash == session))
            await _moved(connection)

    async def revoke(self, user: str, client: str, now: float) -> tuple[SignInRow, ...]:
        """Take back all that a person was given, for one client or (empty) for all; the sign-ins that ended."""
        folded = fold(user)
        mine = [sign_ins.c.user == folded, sign_ins.c.ended == 0]
        if client:
            mine.append(sign_ins.c.client == client)
        async with exclusive(self._engine) as connection:
            query = select(*_SIGN_IN_COLUMNS).where(*mine).order_by(sign_ins.c.since, sign_ins.c.id)
            found = (await connection.execute(query)).mappings().all()
            await self._end_all(connection, folded, client, now, mine)
            await _moved(connection)
        return tuple(SignInRow(**row) for row in found)

    @staticmethod
    async def _end_all(connection: AsyncConnection, user: str, client: str, now: float, mine: Sequence[Any]) -> None:
        its_codes = [codes.c.user == user, *([codes.c.client == client] if client else [])]
        await connection.execute(delete(codes).where(*its_codes, codes.c.sign_in == ""))
        await connection.execute(update(sign_ins).where(*mine).values(ended=now))
        if not client:
            await connection.execute(delete(login_sessions).where(login_sessions.c.user == user))
        same = [revocations.c.user == user, revocations.c.client == client]
        await connection.execute(delete(revocations).where(*same))
        await connection.execute(insert(revocations).values(user=user, client=client, before=now))

    # people

    async def set_active(self, user: str, active: bool, now: float) -> None:
        """Deactivate a person, and take back all they were given; or undo a deactivation at run time."""
        folded = fold(user)
        async with exclusive(self._engine) as connection:
            await connection.execute(delete(deactivated).where(deactivated.c.user == folded))
            if not active:
                await connection.execute(insert(deactivated).values(user=folded, since=now))
                mine = [sign_ins.c.user == folded, sign_ins.c.ended == 0]
                await self._end_all(connection, folded, "", now, mine)
            await _moved(connection)

    async def is_active(self, user: str) -> bool:
        """Whether a person is here at home and may sign in."""
        folded = fold(user)
        at_home = select(people.c.user).where(people.c.user == folded, people.c.home, people.c.active.is_(True))
        off = select(deactivated.c.user).where(deactivated.c.user == folded)
        async with self._engine.connect() as connection:
            return await connection.scalar(at_home) is not None and await connection.scalar(off) is None

    async def settle(self, now: float) -> int:
        """After the people of the deployment were written: end the sign-ins of who is no more, or is not active;
        how many ended."""
        at_home = select(people.c.user).where(people.c.home, people.c.active.is_(True))
        gone = [sign_ins.c.user.not_in(at_home), sign_ins.c.ended == 0]
        async with exclusive(self._engine) as connection:
            ended: CursorResult[Any] = await connection.execute(update(sign_ins).where(*gone).values(ended=now))
            await connection.execute(delete(login_sessions).where(login_sessions.c.user.not_in(at_home)))
            await connection.execute(delete(codes).where(codes.c.user.not_in(at_home)))
            await _moved(connection)
        return ended.rowcount

    # the browser's sessions at the log-in page

    async def open_session(self, session_hash: str, user: str, now: float, until: float) -> None:
        """Keep a session."""
        async with self._engine.connect() as connection:
            values = {"hash": session_hash, "user": fold(user), "since": now, "until": until}
            await connection.execute(insert(login_sessions).values(**values))

    async def session_user(self, session_hash: str, now: float) -> str | None:
        """Whose session it is; None where there is none that lives."""
        query = select(login_sessions.c.user).where(login_sessions.c.hash == session_hash, login_sessions.c.until > now)
        async with self._engine.connect() as connection:
            return await connection.scalar(query)

    async def close_session(self, session_hash: str) -> None:
        """Forget a session."""
        async with self._engine.connect() as connection:
            await connection.execute(delete(login_sessions).where(login_sessions.c.hash == session_hash))

    async def prune(self, now: float) -> None:
        """Forget what is over and can't matter any more."""
        since = now - REMEMBERED_SECONDS
        async with exclusive(self._engine) as connection:
            await connection.execute(delete(codes).where(codes.c.expires < now - 3600))
            await connection.execute(delete(login_sessions).where(login_sessions.c.until < now))
            await connection.execute(delete(sign_ins).where(sign_ins.c.until < since))
            await connection.execute(delete(sign_ins).where(sign_ins.c.ended > 0, sign_ins.c.ended < since))
            # Those of a person as a whole are kept: what their devices sign in with hangs on the last one.
            old = [revocations.c.before < since, revocations.c.client != ""]
            await connection.execute(delete(revocations).where(*old))

    async def count(self, now: float) -> int:
        """How many sign-ins live."""
        query = select(func.count()).select_from(sign_ins).where(sign_ins.c.ended == 0, sign_ins.c.until > now)
        async with self._engine.connect() as connection:
            return int(await connection.scalar(query) or 0)


async def _serial(connection: AsyncConnection) -> int:
    return int(await connection.scalar(select(serials.c.serial)) or 0)


async def _moved(connection: AsyncConnection) -> None:
    changed: CursorResult[Any] = await connection.execute(
        update(serials).where(true()).values(serial=serials.c.serial + 1)
    )
    if changed.rowcount == 0:
        await connection.execute(insert(serials).values(id=_ONE, serial=1))


async def _keys(connection: AsyncConnection) -> KeyRow | None:
    found = (await connection.execute(select(*_KEY_COLUMNS))).mappings().first()
    return None if found is None else KeyRow(**found)


def _values(row: KeyRow | CodeRow | SignInRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in row.__dataclass_fields__}
