"""What administrators do to mailboxes, beside a service that runs or not: everything goes into the audit log.

Nothing here reads a message. A service that runs sees the changes at the next request or call.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import Final

from ringback.protocols.vmrest.greetings import language_number
from ringback.services.voicemail import sounds
from ringback.services.voicemail.door import hash_secret
from ringback.services.voicemail.own import GREETING_SECONDS
from ringback.services.voicemail.telephone.steps import is_good_pin
from ringback.storage.voicemail.greetings import GreetingStore
from ringback.storage.voicemail.records import Entry, GreetingKind, MailboxRow
from ringback.storage.voicemail.store import VoicemailStore

_MADE_DIGITS: Final = 6


class AdministrationError(Exception):
    """What was asked for can't be done; the text says why."""


class Administration:
    """The hands of an administrator, who is named in the audit log. ``store``, ``greetings``: to look."""

    def __init__(self, store: VoicemailStore, who: str, pin_length: int) -> None:
        """``pin_length``: digits that a PIN has at least."""
        self.store = store
        self.greetings = GreetingStore(store.engine)
        self._who = who
        self._pin_length = pin_length

    async def mailboxes(self) -> list[MailboxRow]:
        """All of them, by user."""
        return await self.store.mailboxes()

    async def mailbox(self, name: str) -> MailboxRow:
        """The mailbox of a user or an extension. Raises AdministrationError."""
        found = await self.store.mailbox(name) or await self.store.mailbox_of_number(name)
        if found is None:
            raise AdministrationError(f"{name!r} has no mailbox")
        return found

    async def reset_pin(self, name: str, pin: str = "", *, expired: bool = True) -> str:
        """Set a PIN, or one that is made; which. ``expired``: its owner must change it. Raises AdministrationError."""
        row = await self.mailbox(name)
        if pin and not is_good_pin(pin, row.extension, self._pin_length):
            raise AdministrationError(
                f"A PIN has {self._pin_length} to 16 digits, and is no row, no repetition and not the extension"
            )
        pin = pin or _made(row.extension, self._pin_length)
        await self.store.set_secrets(row.user, pin=await asyncio.to_thread(hash_secret, pin), expired=expired)
        await self._note("PIN reset", row)
        return pin

    async def set_limit(self, name: str, octets: int) -> None:
        """Give a mailbox a limit of its own, 0: none. Raises AdministrationError."""
        row = await self.mailbox(name)
        await self.store.set_limit(row.user, octets)
        await self._note("quota set", row, f"{octets} octets" if octets else "no limit")

    async def record(self, name: str, kind: GreetingKind, wav: bytes | None) -> None:
        """Give a greeting a recording, or with None the standard words. Raises AdministrationError, BadSoundError,
        TooLongError."""
        row = await self.mailbox(name)
        if wav is not None:
            await asyncio.to_thread(sounds.check, wav, GREETING_SECONDS)
        await self.greetings.record(row.user, kind, wav, language=language_number(row.locale))
        await self._note(f"{kind} greeting {'deleted' if wav is None else 'recorded'}", row)

    async def switch(self, name: str, kind: GreetingKind, *, on: bool) -> None:
        """Turn a greeting on or off. Raises AdministrationError."""
        if kind == "Standard" and not on:
            raise AdministrationError("The standard greeting is always on: turn another one on to be heard before it")
        row = await self.mailbox(name)
        await self.greetings.switch(row.user, kind, enabled=on, until=0)
        await self._note(f"{kind} greeting {'on' if on else 'off'}", row)

    async def recording(self, name: str, kind: GreetingKind) -> bytes:
        """What was recorded as a greeting. Raises AdministrationError."""
        row = await self.mailbox(name)
        found = await self.greetings.sound(row.user, kind)
        if found is None:
            raise AdministrationError(f"{row.id} has recorded no {kind} greeting")
        return found

    async def _note(self, what: str, row: MailboxRow, detail: str = "") -> None:
        await self.store.note(Entry(int(time.time() * 1000), f"administrator {self._who}", what, row.user, detail))


def _made(extension: str, least: int) -> str:
    while True:
        pin = "".join(secrets.choice("0123456789") for _ in range(max(_MADE_DIGITS, least)))
        if is_good_pin(pin, extension, least):
            return pin
