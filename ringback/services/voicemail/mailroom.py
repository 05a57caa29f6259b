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

from ringback.protocols.vmrest.mailbox import Mailbox, NewMessage, Recipient
from ringback.protocols.vmrest.messages import MessageChange, Sender
from ringback.rules.name_search import fold
from ringback.services.voicemail import sounds
from ringback.services.voicemail.errors import (
    NoReplyError,
    NoSuchMessageError,
    PrivateMessageError,
    SendQuotaError,
    UnknownRecipientError,
)
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
        self,
        users: Sequence[str],
        new: NewVoiceMessage,
        *,
        sent_by: str = "",
        names: Sequence[str] = (),
        anyway: bool = False,
    ) -> Delivered:
        """Put a message into mailboxes; when this returns, it is saved. Raises UnknownMailboxError and
        MailboxFullError of the store (not with ``anyway``): then nobody got it."""
        kept = await self._store.deliver(users, new, sent_by=sent_by, names=names, anyway=anyway)
        for one in kept:
            if one.folder == "inbox":
                await self._tell([Kind.NEW], one)
        return Delivered(kept)

    def quota(self, row: MailboxRow, used: int) -> Mailbox:
        """How full a mailbox is, and its limits."""
        limit = row.size_limit if row.own_limit or row.size_limit else self._settings.size_limit
        warning, send = self._settings.warning_percent * limit // 100, self._settings.send_percent * limit // 100
        return Mailbox(row.display_name or row.id, used, limit, warning, send)

    async def send(
        self, owner: MailboxRow, message: NewMessage, to: Sequence[Recipient], wav: bytes, *, about: Kept | None = None
    ) -> Delivered:
        """Send a message that a person recorded; with ``about``, as a reply to another. Raises BadSoundError,
        TooLongError, UnknownRecipientError, SendQuotaError, and as ``deliver``."""
        checked = await asyncio.to_thread(sounds.check, wav, self._settings.longest_seconds)
        subject = f"Message from {owner.display_name or owner.id}"
        if about is not None:
            subject = _led("Re: ", about.message.subject)
        return await self._send(owner, message, to, checked, subject)

    async def forward(
        self, owner: MailboxRow, about: Kept, message: NewMessage, to: Sequence[Recipient], wav: bytes | None
    ) -> Delivered:
        """Send a message on, with words of one's own before it where there are some. Raises PrivateMessageError,
        NoSuchMessageError, and as ``send``."""
        if about.message.sensitivity != "Normal":
            raise PrivateMessageError("The message is private: it can't be forwarded")
        sound = await self._store.sound(about.user, about.message.id)
        if sound is None:
            raise NoSuchMessageError("There is no such message")
        checked = sounds.Checked(sound, about.message.duration)
        if wav is not None:
            words = await asyncio.to_thread(sounds.check, wav, self._settings.longest_seconds)
            checked = await asyncio.to_thread(sounds.joined, words.wav, sound, self._settings.law)
        return await self._send(owner, message, to, checked, _led("Fwd: ", about.message.subject))

    def whom_to_reply(self, owner: MailboxRow, about: Kept, *, everybody: bool) -> list[Recipient]:
        """Who gets a reply: who left the message, and with ``everybody`` its other recipients. Raises NoReplyError."""
        sender = about.message.sender
        if not sender.user:
            raise NoReplyError("Who left this message has no mailbox here: call back instead")
        others = about.message.recipients if everybody else ()
        own = fold(owner.smtp or owner.id)
        return [Recipient(user=sender.user), *(Recipient(smtp=one) for one in others if fold(one) != own)]

    async def _send(
        self,
        owner: MailboxRow,
        message: NewMessage,
        to: Sequence[Recipient],
        checked: sounds.Checked,
        subject: str,
    ) -> Delivered:
        if not self.quota(owner, await self._store.used(owner.user)).may_send:
            raise SendQuotaError("Your mailbox is too full to send: delete messages for good first")
        found = {row.user: (row, one) for one in to for row in [await self._recipient(one)]}
        new = NewVoiceMessage(
            sound=checked.wav,
            duration=checked.duration,
            arrived=self.now,
            sender=Sender(owner.display_name, owner.smtp, owner.extension, owner.user, owner.extension),
            subject=message.subject or subject,
            priority=message.priority,
            sensitivity=message.sensitivity,
            secure=message.secure,
        )
        names = [row.smtp or row.id for row, one in found.values() if one.kind != "BCC"]
        return await self.deliver(list(found), new, sent_by=owner.user, names=names)

    async def change(self, user: str, message: str, change: MessageChange) -> Kept | None:
        """Mark or rename a message; None where there is none."""
        before = await self._store.message(user, message)
        after = await self._store.change(user, message, change)
        if before is not None and after is not None and before.message.read != after.message.read:
            aside = after.folder == "deleted"
            kind = Kind.SAVED_ASIDE if aside else Kind.SAVED
            if not after.message.read:
                kind = Kind.UNREAD_ASIDE if aside else Kind.UNREAD
            await self._tell([kind], after)
        return after

    async def delete(self, user: str, message: str, *, hard: bool) -> Kept | None:
        """Move a message to the deleted ones, or with ``hard`` (or where it is among them) delete it for good."""
        found = await self._store.message(user, message)
        if found is None:
            return None
        if hard or found.folder != "inbox":
            removed = await self._store.remove(user, [message])
            first = [Kind.DELETED, Kind.LAID_ASIDE] if found.folder == "inbox" else []
            await self._tell([*first, Kind.REMOVED], *removed)
            return removed[0] if removed else None
        moved = await self._store.move(user, message, "deleted", self.now)
        if moved is not None:
            await self._tell([Kind.DELETED, Kind.LAID_ASIDE], moved)
        return moved

    async def take_back(self, user: str, message: str) -> Kept | None:
        """Move a deleted message back to the inbox; None where it is not among the deleted ones."""
        found = await self._store.message(user, message)
        if found is None or found.folder != "deleted":
            return None
        moved = await self._store.move(user, message, "inbox", self.now)
        if moved is not None:
            await self._tell([Kind.SAVED if moved.message.read else Kind.UNREAD, Kind.TAKEN_BACK], moved)
        return moved

    async def empty_deleted(self, user: str) -> int:
        """Delete what lies among the deleted ones for good; how many there were."""
        return await self._remove(user, await self._store.ids(user, "deleted"))

    async def sweep(self) -> int:
        """Delete what was heard too long ago, and for good what has been among the deleted ones too long; how many
        messages there were."""
        count = await self._sweep_heard() if self._settings.heard_seconds else 0
        before = self.now - int(self._settings.kept_seconds * 1000)
        gone = 0
        while old := await self._store.deleted_before(before):
            for user in dict.fromkeys(user for user, _ in old):
                gone += await self._remove(user, [message for owner, message in old if owner == user])
        if gone:
            await self._store.note(Entry(self.now, "voicemail service", "deleted for good", detail=f"{gone} messages"))
        return count + gone

    async def _sweep_heard(self) -> int:
        before = self.now - int(self._settings.heard_seconds * 1000)
        count = 0
        while old := await self._store.heard_before(before):
            for user, message in old:
                await self.delete(user, message, hard=False)
            count += len(old)
        if count:
            await self._store.note(Entry(self.now, "voicemail service", "deleted", detail=f"{count} heard messages"))
        return count

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
        await self._tell([Kind.REMOVED], *removed)
        return len(removed)

    async def _recipient(self, one: Recipient) -> MailboxRow:
        if one.user:
            found = await self._store.mailbox(one.user)
        elif one.smtp:
            found = await self._store.mailbox_of_address(one.smtp)
        else:
            found = await self._store.mailbox_of_number(one.extension)
        if found is None:
            raise UnknownRecipientError(f"Nobody here has the address {(one.smtp or one.user or one.extension)[:80]!r}")
        return found

    async def _tell(self, kinds: Sequence[Kind], *about: Kept) -> None:
        """Tell of messages of one mailbox, each with all these events."""
        if not self._listeners or not about:
            return
        user = about[0].user
        counts, row = await self._store.counts(user), await self._store.mailbox(user)
        name = "" if row is None else row.display_name or row.id
        for one in about:
            happened = Happened(tuple(kinds), user, one, counts, self.now, name)
            for listener in self._listeners:
                listener(happened)


def _led(by: str, subject: str) -> str:
    """A subject with what kind of answer it is, once."""
    return subject if subject.lower().startswith(by.lower()) else f"{by}{subject}".strip()
