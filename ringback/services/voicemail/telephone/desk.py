"""What a dialogue asks for that is not sound: mailboxes, PINs, messages, greetings. Nothing here knows of calls."""

from __future__ import annotations

import asyncio
import secrets
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from ringback.media.players import Sound
from ringback.media.players.sound import parse_sound
from ringback.protocols.vmrest.messages import MessageChange, Priority, Query, Sender, Sensitivity
from ringback.rules.throttle import Throttle
from ringback.services.voicemail.door import hash_secret, is_secret
from ringback.services.voicemail.mailroom import Mailroom
from ringback.services.voicemail.telephone import events as it
from ringback.services.voicemail.telephone.line import Taken
from ringback.storage.voicemail.errors import MailboxFullError, UnknownMailboxError
from ringback.storage.voicemail.records import Entry, MailboxRow, NewVoiceMessage
from ringback.storage.voicemail.store import VoicemailStore

_LISTED: Final = 200  # messages that are offered in one call

_log = structlog.get_logger("ringback.voicemail.telephone")


class Desk:
    """Shared by all calls."""

    def __init__(self, store: VoicemailStore, mailroom: Mailroom) -> None:
        self._store = store
        self._mailroom = mailroom
        self._guesses = Throttle(burst=3, seconds=60.0)
        self._nobody: str | None = None

    async def mailbox(self, extension: str) -> it.Mailbox | None:
        """The mailbox of an extension, as a dialogue sees it."""
        row = await self._store.mailbox_of_number(extension)
        return None if row is None else await self._shown(row)

    async def _shown(self, row: MailboxRow) -> it.Mailbox:
        full = bool(row.size_limit) and await self._store.used(row.user) >= row.size_limit
        greeting = await self._store.greeting(row.user, "Standard")
        return it.Mailbox(row.user, row.extension, greeting is not None, full, bool(row.pin))

    async def language(self, user: str) -> str:
        """The locale of a mailbox; empty: none is set."""
        row = await self._store.mailbox(user) if user else None
        return "" if row is None else row.locale

    async def check_pin(self, user: str, pin: str) -> it.Checked:
        """Whether it is the PIN of the mailbox. Guesses are counted by mailbox, wherever they come from; a mailbox that
        does not exist costs the same."""
        now = asyncio.get_running_loop().time()
        if wait := self._guesses.wait(user, now):
            return it.Checked(False, wait)
        self._guesses.count(user, now)
        row = await self._store.mailbox(user) if user else None
        kept = row.pin if row is not None and row.pin else await self._decoy()
        right = await asyncio.to_thread(is_secret, pin, kept) and row is not None and bool(row.pin)
        if right:
            self._guesses.clear(user)
        return it.Checked(right)

    async def set_pin(self, user: str, pin: str) -> it.Saved:
        """Keep a new PIN."""
        hashed = await asyncio.to_thread(hash_secret, pin)
        try:
            done = await self._store.set_secrets(user, pin=hashed)
            await self._store.note(Entry(self._mailroom.now, user, "PIN changed by telephone", user))
        except SQLAlchemyError as error:
            return _not_saved("PIN", error)
        return it.Saved(done)

    async def messages(self, user: str) -> it.Listed:
        """New messages, then heard ones, each newest first."""
        _, rows = await self._store.page(user, "inbox", Query(rows=_LISTED))
        found = [
            it.Heard(row.message.id, not row.message.read, row.message.priority == "Urgent", row.message.sender.number)
            for row in rows
        ]
        return it.Listed(tuple(sorted(found, key=lambda one: not one.new)))

    async def mark(self, user: str, message: str, *, read: bool) -> None:
        """A message was heard, or is to be new again."""
        try:
            await self._mailroom.change(user, message, MessageChange(read=read))
        except SQLAlchemyError as error:
            _log.warning("telephone.not_marked", error=type(error).__name__)

    async def delete(self, user: str, message: str) -> None:
        """Move a message to the deleted ones."""
        try:
            await self._mailroom.delete(user, message, hard=False)
        except SQLAlchemyError as error:
            _log.warning("telephone.not_deleted", error=type(error).__name__)

    async def deliver(
        self, user: str, taken: Taken, sender: Sender, priority: Priority, sensitivity: Sensitivity
    ) -> it.Saved:
        """Put a recording into a mailbox; when the answer is yes, it is on the disk."""
        new = NewVoiceMessage(
            sound=taken.wav,
            duration=round(taken.seconds * 1000),
            arrived=self._mailroom.now,
            sender=sender,
            subject=f"Message from {sender.display_name or sender.name or sender.number or 'an unknown number'}",
            priority=priority,
            sensitivity=sensitivity,
        )
        try:
            await self._mailroom.deliver([user], new)
        except MailboxFullError:
            return it.Saved(False, "mailbox-full")
        except (SQLAlchemyError, UnknownMailboxError) as error:
            return _not_saved("message", error)
        return it.Saved(True)

    async def keep_greeting(self, user: str, taken: Taken | None) -> it.Saved:
        """Keep a recording as the greeting, or go back to the standard one."""
        try:
            await self._store.put_greeting(user, "Standard", None if taken is None else taken.wav)
        except (SQLAlchemyError, UnknownMailboxError) as error:
            return _not_saved("greeting", error)
        return it.Saved(True)

    async def greeting(self, user: str) -> Sound | None:
        """The greeting that the owner recorded."""
        return await _sound(await self._store.greeting(user, "Standard"))

    async def sound(self, user: str, message: str) -> Sound | None:
        """The sound of a message."""
        return await _sound(await self._store.sound(user, message))

    async def sender(self, number: str, name: str) -> Sender:
        """Who calls: a person of the system, or what the call showed."""
        row = await self._store.mailbox_of_number(number)
        if row is None:
            return Sender(number=number, name=name)
        return Sender(row.display_name, row.smtp, row.extension, row.user, number, name or row.display_name)

    async def _decoy(self) -> str:
        if self._nobody is None:
            self._nobody = await asyncio.to_thread(hash_secret, secrets.token_hex(8))
        return self._nobody


async def _sound(file: bytes | None) -> Sound | None:
    return None if file is None else await asyncio.to_thread(parse_sound, file)


def _not_saved(what: str, error: Exception) -> it.Saved:
    _log.error("telephone.not_saved", what=what, error=type(error).__name__)
    return it.Saved(False, "not-saved")
