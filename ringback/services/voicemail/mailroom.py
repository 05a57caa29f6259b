"""What is done with messages: each change is on the disk before anybody is told of it, and told once to all who listen.

The telephone, the REST interface and the sweep that empties the deleted items come here, so that the lamp and the
notifications are right whoever made the change.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from ringback.media.players.sound import SoundFileError, parse_sound
from ringback.protocols.vmrest.mailbox import NewMessage, Recipient
from ringback.protocols.vmrest.messages import MessageChange, Sender
from ringback.rules.name_search import fold
from ringback.services.voicemail.errors import BadSoundError, TooLongError, UnknownRecipientError
from ringback.services.voicemail.events import Happened, Kind
from ringback.services.voicemail.settings import VoicemailSettings
from ringback.storage.voicemail.records import Entry, Kept, MailboxRow, NewVoiceMessage
from ringback.storage.voicemail.store import VoicemailStore

_SWEEP_SECONDS: Final = 60.0

_log = structlog.get_logger("ringback.voicemail.mailroom")

Listener = Callable[[Happened], None]


@dataclass(frozen=True, slots=True)
class Delivered:
    """Where a message lies now."""

    kept: Sequence[Kept]


class Mailroom:
    """Delivers, marks, deletes. Methods raise sqlalchemy.exc.SQLAlchemyError where the database refuses."""

    def __init__(
        self, settings: VoicemailSettings, store: VoicemailStore, wall: Callable[[], float] = time.time
    ) -> None:
        """``wall`` tells Unix seconds."""
        self._settings = settings
        self._store = store
        self._wall = wall
        self._listeners: list[Listener] = []

    def listen(self, listener: Listener) -> None:
        """Be told of everything that happens; the listener must not raise nor wait."""
        self._listeners.append(listener)

    @property
    def now(self) -> int:
        """The moment in Unix milliseconds."""
        return int(self._wall() * 1000)

    async def deliver(
        self, users: Sequence[str], new: NewVoiceMessage, *, sent_by: str = "", names: Sequence[str] = ()
    ) -> Delivered:
        """Put a message into mailboxes; when this returns, it is saved. Raises UnknownMailboxError and
        MailboxFullError of the store: then nobody got it."""
        kept = await self._store.deliver(users, new, sent_by=sent_by, names=names)
        for one in kept:
            if one.folder == "inbox":
                await self._tell(Kind.NEW, one)
        return Delivered(kept)

    async def send(self, owner: MailboxRow, message: NewMessage, to: Sequence[Recipient], wav: bytes) -> Delivered:
        """Send a message that a person recorded. Raises BadSoundError, TooLongError, UnknownRecipientError, and as
        ``deliver``."""
        rows = [await self._recipient(one) for one in to]
        new = NewVoiceMessage(
            sound=wav,
            duration=await self._duration(wav),
            arrived=self.now,
            sender=Sender(owner.display_name, owner.smtp, owner.extension, owner.user, owner.extension),
            subject=message.subject or f"Message from {owner.display_name or owner.id}",
            priority=message.priority,
            sensitivity=message.sensitivity,
            secure=message.secure,
        )
        names = [row.smtp or row.id for row in rows]
        return await self.deliver([row.user for row in rows], new, sent_by=owner.user, names=names)

    async def change(self, user: str, message: str, change: MessageChange) -> Kept | None:
        """Mark or rename a message; None where there is none."""
        before = await self._store.message(user, message)
        after = await self._store.change(user, message, change)
        if before is not None and after is not None and before.message.read != after.message.read:
            await self._tell(Kind.SAVED if after.message.read else Kind.UNREAD, after)
        return after

    async def delete(self, user: str, message: str, *, hard: bool) -> Kept | None:
        """Move a message to the deleted ones, or with ``hard`` (or where it is among them) delete it for good."""
        found = await self._store.message(user, message)
        if found is None:
            return None
        if hard or found.folder != "inbox":
            removed = await self._store.remove(user, [message])
            for one in removed:
                await self._tell(Kind.REMOVED, one)
            return removed[0] if removed else None
        moved = await self._store.move(user, message, "deleted", self.now)
        if moved is not None:
            await self._tell(Kind.DELETED, moved)
        return moved

    async def take_back(self, user: str, message: str) -> Kept | None:
        """Move a deleted message back to the inbox; None where it is not among the deleted ones."""
        found = await self._store.message(user, message)
        if found is None or found.folder != "deleted":
            return None
        moved = await self._store.move(user, message, "inbox", self.now)
        if moved is not None:
            await self._tell(Kind.TAKEN_BACK, moved)
        return moved

    async def empty_deleted(self, user: str) -> int:
        """Delete what lies among the deleted ones for good; how many there were."""
        return await self._remove(user, await self._store.ids(user, "deleted"))

    async def sweep(self) -> int:
        """Delete for good what has been among the deleted ones too long; how many there were."""
        before = self.now - int(self._settings.kept_seconds * 1000)
        gone = 0
        while old := await self._store.deleted_before(before):
            for user in dict.fromkeys(user for user, _ in old):
                gone += await self._remove(user, [message for owner, message in old if owner == user])
        if gone:
            await self._store.note(Entry(self.now, "voicemail service", "kept long enough", detail=f"{gone} messages"))
        return gone

    async def keep_sweeping(self, every: float = _SWEEP_SECONDS) -> None:
        """Sweep again and again until cancelled; a database that refuses is tried again."""
        while True:
            try:
                await self.sweep()
            except (OSError, SQLAlchemyError) as error:
                _log.warning("mailroom.sweep_failed", error=type(error).__name__)
            await asyncio.sleep(every)

    async def _remove(self, user: str, ids: Iterable[str]) -> int:
        removed = await self._store.remove(user, list(ids))
        for one in removed:
            await self._tell(Kind.REMOVED, one)
        return len(removed)

    async def _recipient(self, one: Recipient) -> MailboxRow:
        found = await self._store.mailbox(one.user) if one.user else await self._by_address(one.smtp)
        if found is None:
            raise UnknownRecipientError(f"Nobody here has the address {(one.smtp or one.user)[:80]!r}")
        return found

    async def _by_address(self, smtp: str) -> MailboxRow | None:
        wanted = fold(smtp)
        return next((row for row in await self._store.find(smtp, 10) if fold(row.smtp) == wanted), None)

    async def _duration(self, wav: bytes) -> int:
        try:
            sound = await asyncio.to_thread(parse_sound, wav)
        except SoundFileError as error:
            raise BadSoundError(str(error)) from error
        if sound.seconds > self._settings.longest_seconds:
            raise TooLongError(f"A message may last {self._settings.longest_seconds:g} seconds at most")
        if not len(sound.pcm):
            raise BadSoundError("The sound is empty")
        return round(sound.seconds * 1000)

    async def _tell(self, kind: Kind, kept: Kept) -> None:
        if not self._listeners:
            return
        happened = Happened(kind, kept.user, kept, await self._store.counts(kept.user), self.now)
        for listener in self._listeners:
            listener(happened)
