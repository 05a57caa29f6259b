"""The voice messages that this machine knows, in the person's encrypted store; each with who left it (H8)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec

from ringback.client.calling.parties import Parties
from ringback.client.contacts.numbers import digits
from ringback.client.contacts.people import People
from ringback.client.contacts.sources.base import By, Wanted
from ringback.client.events import Events
from ringback.client.host.wire_calls import Party
from ringback.client.host.wire_voicemail import VoiceFolder, VoiceMessage, VoiceMessagesChanged
from ringback.client.store.store import Store
from ringback.protocols.vmrest.messages import FolderName, Message

KEPT: Final = 2000  # messages; the oldest go
SHOWN: Final = 50  # how many a page gets at first
_KIND: Final = "voice-message"
_PLAIN: Final = "Message from "  # what the service writes where nobody wrote a subject: the sender is shown already


class VoiceBook:
    """Messages by id. Changes are told as ``VoiceMessagesChanged``."""

    def __init__(
        self, store: Store, events: Events, people: People, parties: Parties, has_sound: Callable[[str], bool]
    ) -> None:
        self._store = store
        self._events = events
        self._people = people
        self._parties = parties
        self._has_sound = has_sound
        self._rows: dict[str, VoiceMessage] = {}
        self._changed: dict[str, None] = {}
        self._arrived: dict[str, None] = {}

    async def load(self) -> None:
        """Read what is kept."""
        self._rows = {
            name: msgspec.structs.replace(row, kept=self._has_sound(name))
            for name, row in (await self._store.all(_KIND, VoiceMessage)).items()
        }

    def get(self, message: str) -> VoiceMessage | None:
        """One of them."""
        return self._rows.get(message)

    def folder(self, name: VoiceFolder) -> list[VoiceMessage]:
        """The known messages of a folder, newest first."""
        rows = [row for row in self._rows.values() if row.folder == name]
        return sorted(rows, key=lambda row: (row.at, row.id), reverse=True)

    def newest(self, limit: int = SHOWN) -> list[VoiceMessage]:
        """What a page is shown at first."""
        return self.folder("inbox")[:limit]

    @property
    def known(self) -> int:
        """How many of the inbox are known."""
        return sum(1 for row in self._rows.values() if row.folder == "inbox")

    @property
    def unheard(self) -> int:
        """How many known ones of the inbox are new."""
        return sum(1 for row in self._rows.values() if row.folder == "inbox" and row.new)

    # --- changes

    async def put(self, messages: Sequence[Message], folder: FolderName, *, arrived: bool = False) -> list[str]:
        """Take over what the service says of messages; the ids of those that nobody here knew. ``arrived``: the new
        ones among these are worth a notification."""
        rows = [self._read(message, folder) for message in messages]
        fresh = [row.id for row in rows if row.id not in self._rows]
        changed = [row for row in rows if self._rows.get(row.id) != row]
        self._rows.update({row.id: row for row in changed})
        await self._store.put_all(_KIND, [(row.id, row) for row in changed])
        if arrived:
            self._arrived.update({row.id: None for row in rows if row.id in fresh and row.new and folder == "inbox"})
        self._note(row.id for row in changed)
        await self._trim()
        return fresh

    async def replace(
        self, messages: Sequence[Message], folder: FolderName, *, whole: bool, arrived: bool
    ) -> list[str]:
        """These are the newest messages of a folder; with ``whole`` all of them. Known ones that should be among them
        and are not, are gone; their ids are given back."""
        oldest = min((message.arrived for message in messages), default=0)
        there = {message.id for message in messages}
        gone = [
            row.id for row in self.folder(folder) if row.id not in there and (whole or _milliseconds(row.at) > oldest)
        ]
        await self.put(messages, folder, arrived=arrived)
        await self.remove(gone)
        return gone

    async def change(self, message: str, **fields: object) -> None:
        """Change fields of one, where it is known."""
        row = self._rows.get(message)
        if row is None:
            return
        after = msgspec.structs.replace(row, **fields)
        if after != row:
            self._rows[message] = after
            await self._store.put(_KIND, message, after)
            self._note([message])

    async def remove(self, messages: Iterable[str]) -> None:
        """They are gone."""
        gone = [name for name in messages if self._rows.pop(name, None) is not None]
        if gone:
            await self._store.remove(_KIND, gone)
            self._note(gone)

    def people_changed(self) -> None:
        """Somebody became known, or another name: messages say so."""
        for name, row in self._rows.items():
            party = self._again(row.party)
            if party != row.party:
                self._rows[name] = msgspec.structs.replace(row, party=party)
                self._note([name])

    async def learn(self) -> None:
        """Ask the directories who left the messages of whom only a number is known."""
        strangers = {row.party.number for row in self.newest() if not row.party.person and row.party.number}
        for number in strangers:
            party = await self._parties.learn(Party(number=number))
            if party is None:
                continue
            for name, row in list(self._rows.items()):
                if row.party.number == number and not row.party.person:
                    found = msgspec.structs.replace(row.party, name=party.name, person=party.person)
                    await self.change(name, party=found)

    # --- inside

    def _read(self, message: Message, folder: FolderName) -> VoiceMessage:
        known = self._rows.get(message.id)
        to = [self.addressed(one) for one in message.recipients]
        sender = message.sender
        party = self._party(sender.smtp, sender.number or sender.extension, sender.display_name or sender.name)
        if known is not None and known.party.person and not party.person and party.number == known.party.number:
            party = known.party
        return VoiceMessage(
            id=message.id,
            folder=folder,
            party=to[0] if folder == "sent" and to else party,
            at=datetime.fromtimestamp(message.arrived / 1000, UTC).isoformat(),
            seconds=message.duration / 1000,
            new=not message.read and folder == "inbox",
            urgent=message.priority == "Urgent",
            private=message.sensitivity != "Normal",
            secure=message.secure,
            subject="" if message.subject == f"{_PLAIN}{sender.display_name}" else message.subject,
            to=to,
            kept=self._has_sound(message.id),
            transcript=known.transcript if known is not None else "",
        )

    def addressed(self, smtp: str) -> Party:
        """Who has an address."""
        return self._party(smtp, "", "")

    def _party(self, smtp: str, number: str, name: str) -> Party:
        person = self._by_mail(smtp) if smtp else ""
        plain = number if digits(number) or "@" in number else ""
        found = self._parties.of(plain, name) if plain else Party(name=name or smtp)
        if person:
            return msgspec.structs.replace(found, person=person, name=self._people.name(person) or found.name)
        return found

    def _again(self, party: Party) -> Party:
        if party.person:
            return msgspec.structs.replace(party, name=self._people.name(party.person) or party.name)
        return self._parties.of(party.number, party.name) if party.number else party

    def _by_mail(self, smtp: str) -> str:
        rows = {self._people.id_of(facts) for facts in self._people.cache.resolve(Wanted(By.MAIL, smtp))}
        if len(rows) == 1:
            return rows.pop()
        return smtp if self._people.known(smtp) else ""

    async def _trim(self) -> None:
        if len(self._rows) > KEPT:
            rows = sorted(self._rows.values(), key=lambda row: row.at)
            await self.remove([row.id for row in rows[: len(rows) - KEPT]])

    def _note(self, names: Iterable[str]) -> None:
        self._changed.update(dict.fromkeys(names))
        if self._changed:
            self._events.note("voice messages", self._event)

    def _event(self) -> VoiceMessagesChanged | None:
        changed, self._changed = self._changed, {}
        arrived, self._arrived = self._arrived, {}
        rows = [self._rows[name] for name in changed if name in self._rows]
        gone = [name for name in changed if name not in self._rows]
        if not rows and not gone:
            return None
        return VoiceMessagesChanged(messages=rows, gone=gone, arrived=[name for name in arrived if name in self._rows])


def _milliseconds(at: str) -> int:
    return round(datetime.fromisoformat(at).timestamp() * 1000)
