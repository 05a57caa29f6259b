"""Who wants to be told of new messages, and what they were not told yet. Methods raise sqlalchemy.exc.SQLAlchemyError.

A delivery writes a notice for each listener in the transaction that keeps the message (``VoicemailStore.deliver``), and
the notice goes when the listener was told. So a service that is killed between the two tells of it when it is back.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import and_, delete, insert, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ringback.rules.name_search import fold
from ringback.storage.engine import exclusive
from ringback.storage.voicemail import rows
from ringback.storage.voicemail.migrate import LOCK
from ringback.storage.voicemail.records import Kept
from ringback.storage.voicemail.tables import listeners, mailboxes, messages, notices


@dataclass(frozen=True, slots=True)
class Listener:
    """Whoever listens to a user's mailbox, at one node, by a name that nobody else knows."""

    name: str
    user: str


@dataclass(frozen=True, slots=True)
class Notice:
    """What a listener was not told yet: the message as it lies now, ``at`` the moment (Unix milliseconds) it came and
    ``changed`` its folder's number of changes then. ``name``: of the mailbox's owner."""

    listener: str
    kept: Kept
    at: int
    changed: int
    name: str


class NoticeStore:
    """Listeners and notices of an opened voicemail database."""

    def __init__(self, engine: AsyncEngine, node: str) -> None:
        """``node``: whose listeners are meant; each node has its own."""
        self._engine = engine
        self._node = node

    async def listeners(self) -> list[Listener]:
        """All of this node."""
        async with self._engine.connect() as connection:
            found = await connection.execute(select(listeners).where(listeners.c.node == self._node))
            return [Listener(row.name, row.user) for row in found]

    async def add(self, listener: Listener) -> None:
        """From now on there are notices for a listener. Raises IntegrityError where there is no such mailbox."""
        async with exclusive(self._engine, LOCK) as connection:
            await connection.execute(
                insert(listeners).values(name=listener.name, user=fold(listener.user), node=self._node)
            )

    async def remove(self, names: Collection[str]) -> None:
        """Nobody listens by these names any more; what they were not told goes too."""
        async with exclusive(self._engine, LOCK) as connection:
            await connection.execute(delete(listeners).where(listeners.c.name.in_(names)))

    async def untold(self, name: str | None = None) -> list[Notice]:
        """What a listener was not told yet, or without a name all of this node; the oldest first."""
        ours = [listeners.c.node == self._node] if name is None else [notices.c.listener == name]
        question = (
            select(messages, notices.c.listener, notices.c.at, notices.c.changed.label("then"))
            .add_columns(mailboxes.c.display_name, mailboxes.c.id.label("owner"))
            .select_from(notices)
            .join(listeners, listeners.c.name == notices.c.listener)
            .join(messages, messages.c.id == notices.c.message)
            .join(mailboxes, mailboxes.c.user == messages.c.user)
            .where(*ours)
            .order_by(notices.c.at, notices.c.changed)
        )
        async with self._engine.connect() as connection:
            return [
                Notice(row["listener"], rows.kept(row), row["at"], row["then"], row["display_name"] or row["owner"])
                for row in (await connection.execute(question)).mappings()
            ]

    async def told(self, pairs: Collection[tuple[str, str]]) -> None:
        """Listeners were told of messages: pairs of both names."""
        fits = [and_(notices.c.listener == listener, notices.c.message == message) for listener, message in pairs]
        async with exclusive(self._engine, LOCK) as connection:
            await connection.execute(delete(notices).where(or_(*fits)))


async def write_notices(connection: AsyncConnection, delivered: Sequence[Kept]) -> None:
    """A notice of each message for each listener of its mailbox, within the transaction that keeps it."""
    for kept in delivered:
        about = (literal(kept.message.id), literal(kept.message.arrived), literal(kept.changed))
        wanted = select(listeners.c.name, *about).where(listeners.c.user == kept.user)
        await connection.execute(insert(notices).from_select(["listener", "message", "at", "changed"], wanted))
