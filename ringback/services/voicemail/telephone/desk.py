"""What a dialogue asks for that is not sound: mailboxes, PINs, messages, greetings. Nothing here knows of calls."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from ringback.media.players import Sound
from ringback.media.players.sound import SoundFileError, parse_sound
from ringback.protocols.vmrest.greetings import language_number
from ringback.protocols.vmrest.mailbox import NewMessage, Recipient
from ringback.protocols.vmrest.messages import MessageChange, Priority, Query, Sender, Sensitivity
from ringback.rules.throttle import Throttle
from ringback.services.voicemail import sounds
from ringback.services.voicemail.door import hash_secret, is_secret
from ringback.services.voicemail.errors import NoReplyError, PrivateMessageError, SendQuotaError, VoicemailError
from ringback.services.voicemail.greetings import Circumstances, choose
from ringback.services.voicemail.mailroom import Mailroom
from ringback.services.voicemail.settings import VoicemailSettings
from ringback.services.voicemail.telephone import events as it
from ringback.services.voicemail.telephone import prompts
from ringback.services.voicemail.telephone.diverted import Diverted
from ringback.services.voicemail.telephone.tape import Taken
from ringback.storage.voicemail.errors import MailboxFullError, UnknownMailboxError, VoicemailStoreError
from ringback.storage.voicemail.greetings import GreetingStore
from ringback.storage.voicemail.records import Entry, GreetingKind, Kept, MailboxRow, NewVoiceMessage
from ringback.storage.voicemail.store import VoicemailStore

_LISTED: Final = 200  # messages that are offered in one call

_log = structlog.get_logger("ringback.voicemail.telephone")


@dataclass(frozen=True, slots=True)
class Arrival:
    """What is known of a call that came: the mailbox of who was called and of who calls (None: there is none), who is
    shown as the sender, and the language to speak, which is the caller's where it is known."""

    to: it.Mailbox | None
    caller: it.Mailbox | None
    sender: Sender
    locale: str


class Desk:
    """Shared by all calls."""

    def __init__(self, settings: VoicemailSettings, store: VoicemailStore, mailroom: Mailroom) -> None:
        self._settings = settings
        self._store = store
        self._greetings = GreetingStore(store.engine)
        self._mailroom = mailroom
        self._strangers = Throttle(burst=settings.pins.tries, seconds=settings.pins.lock_seconds)
        self._nobody: str | None = None

    async def mailbox(self, extension: str) -> it.Mailbox | None:
        """The mailbox of an extension, as a dialogue sees it."""
        row = await self._store.mailbox_of_number(extension)
        return None if row is None else await self._shown(row)

    async def arrival(self, number: str, name: str, way: Diverted) -> Arrival:
        """Who calls whom, each looked up once: many calls come together."""
        caller = await self._store.mailbox_of_number(number)
        called = await self._store.mailbox_of_number(way.number)
        sender = Sender(number=number, name=name)
        if caller is not None:
            shown = name or caller.display_name
            sender = Sender(caller.display_name, caller.smtp, caller.extension, caller.user, number, shown)
        locales = [row.locale for row in (caller, called) if row is not None and row.locale]
        return Arrival(
            None if called is None else await self._called(called, way.reason, inside=caller is not None),
            None if caller is None else await self._shown(caller),
            sender,
            locales[0] if locales else self._settings.locale,
        )

    async def _called(self, row: MailboxRow, reason: str, *, inside: bool) -> it.Mailbox:
        """The mailbox of who was called, with the greeting that counts now."""
        now = self._mailroom.now / 1000
        chosen = choose(await self._greetings.all(row.user), Circumstances(reason, inside, now, self._settings.hours))
        return await self._shown(row, chosen.kind if chosen.spoken else None)

    async def _shown(self, row: MailboxRow, greeting: GreetingKind | None = None) -> it.Mailbox:
        quota = self._mailroom.quota(row, await self._store.used(row.user))
        full = bool(quota.limit) and quota.used >= quota.limit
        return it.Mailbox(row.user, row.extension, greeting, full, bool(row.pin))

    async def check_pin(self, user: str, pin: str, extension: str = "") -> it.Checked:
        """Whether it is the PIN of the mailbox. Wrong ones are counted by mailbox, wherever they come from, and the
        mailbox is closed to telephones after some; its owner gets a message about it. A mailbox that does not exist
        costs the same."""
        row = await self._store.mailbox(user) if user else None
        if row is None or not row.pin:
            return await self._check_nobody(extension, pin)
        if row.locked_until > self._mailroom.now:
            return it.Checked(False, 1 + (row.locked_until - self._mailroom.now) // 1000)
        if await asyncio.to_thread(is_secret, pin, row.pin):
            if row.wrong_pins:
                await self._store.forget_wrong_pins(user)
            return it.Checked(True, expired=row.pin_expired)
        rules = self._settings.pins
        until = self._mailroom.now + int(rules.lock_seconds * 1000)
        tried, closes = await self._store.count_wrong_pin(user, rules.tries, until)
        _log.info("telephone.wrong_pin", mailbox=user, tried=tried)
        if not closes:
            return it.Checked(False)
        await self._store.note(Entry(self._mailroom.now, "telephone", "closed after wrong PINs", row.user, f"{tried}"))
        await self._warn(row)
        return it.Checked(False, int(rules.lock_seconds))

    async def _check_nobody(self, extension: str, pin: str) -> it.Checked:
        """As for a mailbox that is there: the last of the tries says that it is closed."""
        now = asyncio.get_running_loop().time()
        if wait := self._strangers.wait(extension, now):
            return it.Checked(False, wait)
        self._strangers.count(extension, now)
        if wait := self._strangers.wait(extension, now):
            return it.Checked(False, wait)
        await asyncio.to_thread(is_secret, pin, await self._decoy())
        return it.Checked(False)

    async def _warn(self, row: MailboxRow) -> None:
        """A message to the owner of a mailbox whose PIN somebody guessed at."""
        language = prompts.language_of(row.locale or self._settings.locale)
        words = await asyncio.to_thread(prompts.prompt, language, "locked-out")
        told = await asyncio.to_thread(sounds.spoken, [words], self._settings.law)
        new = NewVoiceMessage(
            sound=told.wav,
            duration=told.duration,
            arrived=self._mailroom.now,
            sender=Sender("Voicemail", name="Voicemail"),
            subject="Wrong PINs were entered for your mailbox",
            priority="Urgent",
        )
        try:
            await self._mailroom.deliver([row.user], new, anyway=True)
        except (SQLAlchemyError, VoicemailStoreError) as error:
            _log.warning("telephone.owner_not_told", mailbox=row.user, error=type(error).__name__)

    async def set_pin(self, user: str, pin: str) -> it.Saved:
        """Keep a new PIN, which must not be the present one."""
        row = await self._store.mailbox(user)
        if row is not None and row.pin and await asyncio.to_thread(is_secret, pin, row.pin):
            return it.Saved(False, "pin-same")
        hashed = await asyncio.to_thread(hash_secret, pin)
        try:
            done = await self._store.set_secrets(user, pin=hashed)
            await self._store.note(Entry(self._mailroom.now, user, "PIN changed by telephone", user))
        except SQLAlchemyError as error:
            return _not_saved("PIN", error)
        return it.Saved(done)

    async def messages(self, user: str) -> it.Listed:
        """New messages, urgent ones before others, then heard ones, each newest first."""
        _, rows = await self._store.page(user, "inbox", Query(rows=_LISTED))
        found = [_heard(row) for row in rows]
        ordered = sorted(found, key=lambda one: (not one.new, one.new and not one.urgent))
        mailbox = await self._store.mailbox(user)
        warned = mailbox is not None and self._mailroom.quota(mailbox, await self._store.used(user)).warned
        return it.Listed(tuple(ordered), warned)

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
        except (SQLAlchemyError, UnknownMailboxError, OSError) as error:
            return _not_saved("message", error)
        return it.Saved(True)

    async def reply(self, command: it.Reply, taken: Taken) -> it.Saved:
        """Send a recording to who left a message."""
        return await self._send(command.user, command.id, None, command.priority, command.sensitivity, taken)

    async def send_on(self, command: it.SendOn, taken: Taken | None) -> it.Saved:
        """Send a recording, or a message with it."""
        to = Recipient(user=command.to)
        return await self._send(command.user, command.id, to, command.priority, command.sensitivity, taken)

    async def _send(
        self,
        user: str,
        message: str,
        to: Recipient | None,
        priority: Priority,
        sensitivity: Sensitivity,
        taken: Taken | None,
    ) -> it.Saved:
        words = NewMessage(priority=priority, sensitivity=sensitivity)
        file = None if taken is None else taken.wav
        try:
            owner = await self._store.mailbox(user)
            about = await self._store.message(user, message) if message else None
            if owner is None or (message and about is None):
                return it.Saved(False, "not-saved")
            if about is not None and to is not None:
                await self._mailroom.forward(owner, about, words, [to], file)
            elif about is not None and file is not None:
                whom = self._mailroom.whom_to_reply(owner, about, everybody=False)
                await self._mailroom.send(owner, words, whom, file, about=about)
            elif to is not None and file is not None:
                await self._mailroom.send(owner, words, [to], file)
        except NoReplyError:
            return it.Saved(False, "no-reply")
        except PrivateMessageError:
            return it.Saved(False, "private-not-sent-on")
        except MailboxFullError:
            return it.Saved(False, "mailbox-full")
        except SendQuotaError:
            return it.Saved(False, "mailbox-nearly-full")
        except (SQLAlchemyError, VoicemailStoreError, VoicemailError, OSError) as error:
            return _not_saved("message", error)
        return it.Saved(True)

    async def keep_greeting(self, user: str, kind: GreetingKind, taken: Taken | None) -> it.Saved:
        """Keep a recording as a greeting, or go back to the standard words."""
        try:
            row = await self._store.mailbox(user)
            language = language_number("" if row is None else row.locale)
            await self._greetings.record(user, kind, None if taken is None else taken.wav, language=language)
            await self._store.note(Entry(self._mailroom.now, user, f"{kind} greeting changed by telephone", user))
        except (SQLAlchemyError, UnknownMailboxError) as error:
            return _not_saved("greeting", error)
        return it.Saved(True)

    async def greeting_now(self, user: str, kind: GreetingKind) -> it.GreetingNow:
        """Whether a greeting is on now."""
        found = (await self._greetings.all(user))[kind]
        return it.GreetingNow(kind, found.enabled and (not found.until or found.until > self._mailroom.now))

    async def switch_greeting(self, user: str, kind: GreetingKind, *, on: bool) -> it.Saved:
        """Turn a greeting on (until it is turned off) or off."""
        try:
            await self._greetings.switch(user, kind, enabled=on, until=0)
            word = "on" if on else "off"
            await self._store.note(Entry(self._mailroom.now, user, f"{kind} greeting {word} by telephone", user))
        except (SQLAlchemyError, UnknownMailboxError) as error:
            return _not_saved("greeting", error)
        return it.Saved(True)

    async def greeting(self, user: str, kind: GreetingKind) -> Sound | None:
        """A greeting that the owner recorded."""
        return await _sound(await self._greetings.sound(user, kind))

    async def sound(self, user: str, message: str) -> Sound | None:
        """The sound of a message."""
        return await _sound(await self._store.sound(user, message))

    async def _decoy(self) -> str:
        if self._nobody is None:
            self._nobody = await asyncio.to_thread(hash_secret, secrets.token_hex(8))
        return self._nobody


def _heard(row: Kept) -> it.Heard:
    message = row.message
    return it.Heard(
        message.id,
        new=not message.read,
        urgent=message.priority == "Urgent",
        caller=message.sender.number,
        answerable=bool(message.sender.user),
        private=message.sensitivity != "Normal",
    )


async def _sound(file: bytes | None) -> Sound | None:
    """None also where the file is damaged: nothing is played then."""
    try:
        return None if file is None else await asyncio.to_thread(parse_sound, file)
    except SoundFileError as error:
        _log.warning("telephone.sound_damaged", why=str(error))
        return None


def _not_saved(what: str, error: Exception) -> it.Saved:
    _log.error("telephone.not_saved", what=what, error=type(error).__name__)
    return it.Saved(False, "not-saved")
