"""The tables of a voicemail service, asked and changed. Every method raises sqlalchemy.exc.SQLAlchemyError.

What a caller or client is told to be saved is committed before: each change is one transaction that ends on the disk.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from typing import Any, Self

from sqlalchemy import case, delete, func, insert, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ringback.protocols.vmrest.messages import FOLDERS, FolderName, MessageChange, Query
from ringback.rules.name_search import fold
from ringback.storage.engine import create_engine, exclusive
from ringback.storage.voicemail import rows
from ringback.storage.voicemail.errors import MailboxFullError, UnknownMailboxError
from ringback.storage.voicemail.migrate import LOCK, upgrade
from ringback.storage.voicemail.notices import write_notices
from ringback.storage.voicemail.records import Counts, Entry, Kept, MailboxRow, NewVoiceMessage
from ringback.storage.voicemail.tables import audit, greetings, mailboxes, messages, sounds

_CHANGES = {name: mailboxes.c[f"{name}_changes"] for name in FOLDERS}
_TOGETHER = 500  # messages deleted in one transaction: others get their turn between
_SETTINGS = ("display_name", "smtp", "extension", "locale", "size_limit")


class VoicemailStore:
    """A voicemail database, opened once."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine

    @classmethod
    async def open(cls, url: str) -> Self:
        """Bring the database to the shape needed and open it."""
        await upgrade(url)
        return cls(create_engine(url))

    async def close(self) -> None:
        """Close all connections."""
        await self.engine.dispose()

    # --- mailboxes

    async def put_mailboxes(self, given: Iterable[MailboxRow], origin: str) -> None:
        """Make mailboxes that are new and bring the others' names and numbers up to date; mailboxes of the same origin
        that are not among them go, with their messages. PIN and password of a mailbox that is there stay."""
        async with exclusive(self.engine, LOCK) as connection:
            columns = [mailboxes.c[name] for name in ("user", "own_limit", "id", "origin", *_SETTINGS)]
            known = {row["user"]: row for row in (await connection.execute(select(*columns))).mappings()}
            wanted = {row.user: row for row in given}
            fresh = []
            for row in wanted.values():
                values = {name: getattr(row, name) for name in _SETTINGS} | {"id": row.id, "origin": origin}
                had = known.get(row.user)
                if had is None:
                    begin = {f"{name}_changes": 1 for name in FOLDERS}
                    own = {"user": row.user, "pin": row.pin, "password": row.password, "next_number": 1}
                    fresh.append(values | own | begin)
                    continue
                if had["own_limit"]:
                    del values["size_limit"]
                if any(had[name] != value for name, value in values.items()):
                    await connection.execute(update(mailboxes).where(mailboxes.c.user == row.user).values(values))
            for part in (fresh[at : at + _TOGETHER] for at in range(0, len(fresh), _TOGETHER)):
                await connection.execute(insert(mailboxes), part)
            gone = [user for user, row in known.items() if row["origin"] == origin and user not in wanted]
            for leaving in (gone[at : at + _TOGETHER] for at in range(0, len(gone), _TOGETHER)):
                await connection.execute(delete(mailboxes).where(mailboxes.c.user.in_(leaving)))
            if gone:
                await drop_sounds(connection)

    async def origins(self, origin: str) -> tuple[set[str], set[str]]:
        """The users whose mailboxes are of this origin, and all others with a mailbox."""
        async with self.engine.connect() as connection:
            found = (await connection.execute(select(mailboxes.c.user, mailboxes.c.origin))).all()
        return {row.user for row in found if row.origin == origin}, {row.user for row in found if row.origin != origin}

    async def mailbox(self, user: str) -> MailboxRow | None:
        """The mailbox of a user id."""
        return await self._one_mailbox(mailboxes.c.user == fold(user))

    async def mailbox_of_number(self, extension: str) -> MailboxRow | None:
        """The mailbox of an extension."""
        return await self._one_mailbox(mailboxes.c.extension == extension) if extension else None

    async def mailbox_of_address(self, smtp: str) -> MailboxRow | None:
        """The mailbox of an e-mail address."""
        return await self._one_mailbox(func.lower(mailboxes.c.smtp) == smtp.strip().lower()) if smtp else None

    async def mailboxes(self) -> list[MailboxRow]:
        """All of them, by user."""
        async with self.engine.connect() as connection:
            found = await connection.execute(select(mailboxes).order_by(mailboxes.c.user))
            return [rows.mailbox(row) for row in found.mappings()]

    async def find(self, words: str, limit: int) -> list[MailboxRow]:
        """Mailboxes whose person's name, address, extension or user id begins with the words."""
        begin = words.strip().lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        columns = (mailboxes.c.display_name, mailboxes.c.smtp, mailboxes.c.extension, mailboxes.c.user)
        fits = [func.lower(column).like(f"{begin}%", escape="\\") for column in columns]
        fits.append(func.lower(mailboxes.c.display_name).like(f"% {begin}%", escape="\\"))
        async with self.engine.connect() as connection:
            question = select(mailboxes).where(or_(*fits)).order_by(mailboxes.c.display_name).limit(limit)
            return [rows.mailbox(row) for row in (await connection.execute(question)).mappings()]

    async def set_secrets(
        self, user: str, *, pin: str | None = None, password: str | None = None, expired: bool = False
    ) -> bool:
        """Keep a new hash of the PIN or the password; False where there is no such mailbox. A new PIN is open again
        after wrong tries; ``expired``: its owner has to choose another one at once."""
        values: dict[str, Any] = {}
        if pin is not None:
            values |= {"pin": pin, "wrong_pins": 0, "locked_until": 0, "pin_expired": expired}
        if password is not None:
            values["password"] = password
        async with exclusive(self.engine, LOCK) as connection:
            changed = await connection.execute(update(mailboxes).where(mailboxes.c.user == fold(user)).values(values))
            return bool(changed.rowcount)

    async def set_limit(self, user: str, size_limit: int) -> bool:
        """Set how many octets a mailbox may hold, 0: any number; the deployment's word counts no more."""
        async with exclusive(self.engine, LOCK) as connection:
            values = {"size_limit": size_limit, "own_limit": True}
            change = update(mailboxes).where(mailboxes.c.user == fold(user)).values(values)
            return bool((await connection.execute(change)).rowcount)

    async def count_wrong_pin(self, user: str, most: int, locked_until: int) -> tuple[int, bool]:
        """Count a wrong PIN before it is told; how many there were since the last right one, and whether this one
        closed the mailbox's telephone interface until then (the count begins anew)."""
        async with exclusive(self.engine, LOCK) as connection:
            one = mailboxes.c.user == fold(user)
            count = update(mailboxes).where(one).values(wrong_pins=mailboxes.c.wrong_pins + 1)
            tried = (await connection.execute(count.returning(mailboxes.c.wrong_pins))).scalar_one_or_none() or 0
            closes = tried >= most
            if closes:
                values = {"wrong_pins": 0, "locked_until": locked_until}
                await connection.execute(update(mailboxes).where(one).values(values))
            return int(tried), closes

    async def forget_wrong_pins(self, user: str) -> None:
        """The right PIN came."""
        async with exclusive(self.engine, LOCK) as connection:
            change = update(mailboxes).where(mailboxes.c.user == fold(user), mailboxes.c.wrong_pins > 0)
            await connection.execute(change.values(wrong_pins=0))

    # --- messages

    async def deliver(
        self,
        users: Sequence[str],
        new: NewVoiceMessage,
        *,
        sent_by: str = "",
        names: Sequence[str] = (),
        anyway: bool = False,
    ) -> list[Kept]:
        """Put a message into the inboxes of users, and into the sent items of whom it is by: all or none.

        ``names``: the addresses shown as recipients; ``anyway``: also into a full mailbox. Raises
        UnknownMailboxError and MailboxFullError."""
        sound_id = str(uuid.uuid4())
        done = []
        async with exclusive(self.engine, LOCK) as connection:
            await connection.execute(insert(sounds).values(id=sound_id, content=new.sound))
            places: list[tuple[str, FolderName]] = [(fold(user), "inbox") for user in dict.fromkeys(users)]
            if sent_by:
                places.append((fold(sent_by), "sent"))
            for user, folder in places:
                if folder == "inbox" and not anyway:
                    await _check_room(connection, user, len(new.sound))
                number, changed = await _next(connection, user, folder)
                kept = rows.new_message(new, user, folder, number, changed, names)
                await connection.execute(insert(messages).values(rows.values(kept) | {"sound": sound_id}))
                done.append(kept)
            await write_notices(connection, [kept for kept in done if kept.folder == "inbox"])
        return done

    async def page(self, user: str, folder: FolderName, query: Query) -> tuple[int, list[Kept]]:
        """How many messages of a folder fit a question, and those of the page asked for."""
        fits = [messages.c.user == fold(user), messages.c.folder == folder, literal(query.voice)]
        if query.read is not None:
            fits.append(messages.c.read.is_(query.read))
        if query.priority is not None:
            fits.append(messages.c.priority == query.priority)
        if query.newer_than:
            fits.append(messages.c.changed > query.newer_than)
        rank = case({"Urgent": 2, "Normal": 1}, value=messages.c.priority, else_=0)
        keys = (
            [rank, messages.c.arrived, messages.c.number]
            if query.by_priority
            else [messages.c.arrived, messages.c.number]
        )
        order = [key.asc() if query.ascending else key.desc() for key in keys]
        question = (
            select(messages).where(*fits).order_by(*order).limit(query.rows).offset((query.page - 1) * query.rows)
        )
        async with self.engine.connect() as connection:
            total = (await connection.execute(select(func.count()).select_from(messages).where(*fits))).scalar_one()
            found = await connection.execute(question)
            return int(total), [rows.kept(row) for row in found.mappings()]

    async def message(self, user: str, message: str) -> Kept | None:
        """One message of a mailbox."""
        async with self.engine.connect() as connection:
            return await _message(connection, user, message)

    async def sound(self, user: str, message: str) -> bytes | None:
        """The sound of a message, a WAV file."""
        question = (
            select(sounds.c.content)
            .join(messages, messages.c.sound == sounds.c.id)
            .where(messages.c.id == message, messages.c.user == fold(user))
        )
        async with self.engine.connect() as connection:
            found = (await connection.execute(question)).scalar_one_or_none()
            return None if found is None else bytes(found)

    async def change(self, user: str, message: str, change: MessageChange) -> Kept | None:
        """Mark or rename a message; the message as it is then, None where there is none."""
        values = {
            name: value for name, value in (("read", change.read), ("subject", change.subject)) if value is not None
        }
        return await self._alter(user, message, values)

    async def move(self, user: str, message: str, folder: FolderName, now: int) -> Kept | None:
        """Put a message into another folder, where it gets a new number."""
        return await self._alter(user, message, {"deleted_at": now if folder == "deleted" else 0}, folder)

    async def remove(self, user: str, ids: Sequence[str]) -> list[Kept]:
        """Delete messages for good; those that were there."""
        done: list[Kept] = []
        for part in (ids[at : at + _TOGETHER] for at in range(0, len(ids), _TOGETHER)):
            mine = [messages.c.user == fold(user), messages.c.id.in_(part)]
            async with exclusive(self.engine, LOCK) as connection:
                found = list((await connection.execute(select(messages).where(*mine))).mappings())
                await connection.execute(delete(messages).where(*mine))
                for folder in {rows.kept(row).folder for row in found}:
                    await _next(connection, fold(user), folder)
                await drop_sounds(connection, [row["sound"] for row in found])
            done += [rows.kept(row) for row in found]
        return done

    async def heard_before(self, moment: int, limit: int = 500) -> list[tuple[str, str]]:
        """User and id of heard messages of inboxes that came before a moment."""
        question = (
            select(messages.c.user, messages.c.id)
            .where(messages.c.folder == "inbox", messages.c.read, messages.c.arrived < moment)
            .order_by(messages.c.arrived)
            .limit(limit)
        )
        async with self.engine.connect() as connection:
            return [(row.user, row.id) for row in await connection.execute(question)]

    async def deleted_before(self, moment: int, limit: int = 500) -> list[tuple[str, str]]:
        """User and id of messages that have been among the deleted ones since before a moment."""
        question = (
            select(messages.c.user, messages.c.id)
            .where(messages.c.folder == "deleted", messages.c.deleted_at < moment)
            .order_by(messages.c.deleted_at)
            .limit(limit)
        )
        async with self.engine.connect() as connection:
            return [(row.user, row.id) for row in await connection.execute(question)]

    async def ids(self, user: str, folder: FolderName) -> list[str]:
        """All messages of a folder."""
        question = select(messages.c.id).where(messages.c.user == fold(user), messages.c.folder == folder)
        async with self.engine.connect() as connection:
            return list((await connection.execute(question)).scalars())

    async def folder(self, user: str, folder: FolderName) -> tuple[int, int]:
        """How many messages a folder has, and how many changes it has seen. Raises UnknownMailboxError."""
        count = (
            select(func.count())
            .select_from(messages)
            .where(messages.c.user == mailboxes.c.user, messages.c.folder == folder)
            .scalar_subquery()
        )
        question = select(count, _CHANGES[folder]).where(mailboxes.c.user == fold(user))
        async with self.engine.connect() as connection:
            found = (await connection.execute(question)).one_or_none()
        if found is None:
            raise UnknownMailboxError(user)
        return int(found[0]), int(found[1])

    async def used(self, user: str) -> int:
        """Octets of sound in all folders of a mailbox."""
        async with self.engine.connect() as connection:
            return await _used(connection, fold(user))

    async def counts(self, user: str) -> Counts:
        """What the lamp shows of an inbox."""
        urgent = messages.c.priority == "Urgent"
        question = (
            select(messages.c.read, urgent.label("urgent"), func.count().label("many"))
            .where(messages.c.user == fold(user), messages.c.folder == "inbox")
            .group_by(messages.c.read, urgent)
        )
        async with self.engine.connect() as connection:
            found = [(bool(row.read), bool(row.urgent), int(row.many)) for row in await connection.execute(question)]
        new = sum(many for read, _, many in found if not read)
        return Counts(
            new=new,
            old=sum(many for _, _, many in found) - new,
            urgent_new=sum(many for read, hot, many in found if hot and not read),
            urgent_old=sum(many for read, hot, many in found if hot and read),
        )

    # --- audit

    async def note(self, entry: Entry) -> None:
        """Write a line of the audit log."""
        async with exclusive(self.engine, LOCK) as connection:
            values = {name: getattr(entry, name) for name in ("at", "who", "what", "mailbox", "detail")}
            await connection.execute(insert(audit).values(values))

    async def entries(self, limit: int = 100, *, user: str = "") -> list[Entry]:
        """The latest lines of the audit log, newest first; of one mailbox where a user is named."""
        ours = [audit.c.mailbox == fold(user)] if user else []
        async with self.engine.connect() as connection:
            found = await connection.execute(select(audit).where(*ours).order_by(audit.c.id.desc()).limit(limit))
            return [Entry(row.at, row.who, row.what, row.mailbox, row.detail) for row in found]

    async def _one_mailbox(self, condition: Any) -> MailboxRow | None:
        async with self.engine.connect() as connection:
            found = (await connection.execute(select(mailboxes).where(condition).limit(1))).mappings().one_or_none()
            return None if found is None else rows.mailbox(found)

    async def _alter(
        self, user: str, message: str, values: dict[str, Any], folder: FolderName | None = None
    ) -> Kept | None:
        async with exclusive(self.engine, LOCK) as connection:
            found = await _message(connection, user, message)
            if found is None:
                return None
            number, changed = await _next(connection, found.user, folder or found.folder)
            if folder is not None and folder != found.folder:
                await _next(connection, found.user, found.folder)
                values = values | {"folder": folder, "number": number}
            await connection.execute(
                update(messages).where(messages.c.id == message).values(values | {"changed": changed})
            )
            return await _message(connection, user, message)


async def _message(connection: AsyncConnection, user: str, message: str) -> Kept | None:
    question = select(messages).where(messages.c.id == message, messages.c.user == fold(user))
    found = (await connection.execute(question)).mappings().one_or_none()
    return None if found is None else rows.kept(found)


async def _next(connection: AsyncConnection, user: str, folder: FolderName) -> tuple[int, int]:
    """The next number of a message in a mailbox, and that of this change in a folder. Raises UnknownMailboxError."""
    column = _CHANGES[folder]
    change = (
        update(mailboxes)
        .where(mailboxes.c.user == user)
        .values({"next_number": mailboxes.c.next_number + 1, column.name: column + 1})
        .returning(mailboxes.c.next_number, column)
    )
    found = (await connection.execute(change)).one_or_none()
    if found is None:
        raise UnknownMailboxError(user)
    return int(found[0]) - 1, int(found[1])


async def _check_room(connection: AsyncConnection, user: str, more: int) -> None:
    question = select(mailboxes.c.size_limit).where(mailboxes.c.user == user)
    limit = (await connection.execute(question)).scalar_one_or_none()
    if limit is None:
        raise UnknownMailboxError(user)
    if limit and await _used(connection, user) + more > limit:
        raise MailboxFullError(user)


async def _used(connection: AsyncConnection, user: str) -> int:
    question = select(func.coalesce(func.sum(messages.c.size), 0)).where(messages.c.user == user)
    return int((await connection.execute(question)).scalar_one())


async def drop_sounds(connection: AsyncConnection, among: Sequence[str] | None = None) -> None:
    """Delete sounds (of these, or of all) that no message and no greeting has any more."""
    heard = select(messages.c.sound).where(messages.c.sound == sounds.c.id).exists()
    greeted = select(greetings.c.sound).where(greetings.c.sound == sounds.c.id).exists()
    ours = [] if among is None else [sounds.c.id.in_(among)]
    await connection.execute(delete(sounds).where(*ours, ~heard, ~greeted))
