"""What the person does in a session. What comes to it is in ``session_stream``, the books are in ``session_base``."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Sequence
from datetime import datetime

import structlog

from ringback.client.calling.service import Calling
from ringback.client.contacts.sources.base import Record
from ringback.client.engine.list_service import ListService
from ringback.client.engine.session_base import utc_now
from ringback.client.engine.session_stream import SessionStream
from ringback.client.events import Events
from ringback.client.host.wire_chats import Conversation, Message
from ringback.client.messaging import stanzas
from ringback.client.messaging.errors import MessagingError, NotConnectedError
from ringback.client.store.store import Store
from ringback.client.voicemail.service import Voicemail
from ringback.rules.addresses import Jid
from ringback.rules.reasons import Reason

log = structlog.get_logger(__name__)


class Session(SessionStream):
    """One signed-in person. ``load`` fills it from the store; ``run`` connects and stays until cancelled."""

    def __init__(self, own: Jid, store: Store, events: Events | None = None) -> None:
        super().__init__(own, store, events)
        self.calling = Calling(self)
        self.contact_list = ListService(self.people, self.contacts, self.events, self.calling.people_known)
        self.voicemail = Voicemail(self)

    async def load(self) -> None:
        """Show what the store holds, before any server was asked."""
        await super().load()
        await self.calling.load()
        await self.voicemail.load()

    # --- what the person does

    async def say(self, conversation: str, message_id: str, body: str) -> Message:
        """Write a message and send it as soon as possible. Raises MessagingError for a wrong address."""
        if stanzas.parse_jid(conversation) is None:
            raise MessagingError(Reason.of("engine.address_wrong", address=conversation))
        message, new = await self.chats.compose(conversation, message_id, body)
        if new:
            await self._post(message)
        return message

    async def retry(self, conversation: str, message_id: str) -> None:
        """Send a failed message again, in its place."""
        message = await self.chats.retry(conversation, message_id)
        if message is None:
            raise MessagingError(Reason.of("engine.message.not_failed"))
        await self._post(message)

    async def _post(self, message: Message) -> None:
        if not self._settled or not self.ready:
            return  # it waits in the outbox until the archive was read
        if self.rooms.is_room(message.conversation) and not self._in_room(message.conversation):
            return
        with contextlib.suppress(NotConnectedError):
            async with self._flush_lock:
                self._send_text(message)

    async def mark_read(self, conversation: str, message_id: str) -> None:
        """The person saw everything up to a message; the sender is told where that can be done."""
        kept = await self.chats.read(conversation, message_id)
        if kept is None or not self.ready:
            return
        room = self.rooms.is_room(conversation)
        mark = kept.stanza_id if room else kept.remote_id
        if mark:
            self.send(stanzas.displayed(Jid.parse(conversation), mark, uuid.uuid4().hex, room=room))

    def set_typing(self, conversation: str, typing: bool) -> None:
        """Tell the other side that the person writes, or not any more."""
        jid = stanzas.parse_jid(conversation)
        if jid is None or not self.ready:
            return
        state: stanzas.ChatState = "composing" if typing else "active"
        room = self.rooms.is_room(conversation)
        self.send(stanzas.typing(jid, state, uuid.uuid4().hex, room=room))

    async def create_room(self, title: str, people: Sequence[str]) -> Conversation:
        """A group chat with people."""
        room = await self.rooms.create(title, people)
        await self.chats.open(room.kept.jid, "room", title)
        await self.chats.happened(room.kept.jid, Reason.of("engine.event.created", title=title))
        await self._room_entered(room.kept.jid)
        talk = self.conversation(room.kept.jid)
        if talk is None:
            raise MessagingError(Reason.of("engine.no_conversation"))
        return talk

    async def open_chat(self, person: str) -> Conversation:
        """Make sure that a conversation with a person or room is there."""
        jid = stanzas.parse_jid(person)
        if jid is None:
            raise MessagingError(Reason.of("engine.address_wrong", address=person))
        known = self.conversation(person)
        if known is not None and known.kind == "room":
            if not known.joined and self.ready:
                self._spawn(self._enter(jid), "room")
            return known
        return await self.chats.open(str(jid.bare), "person")

    async def leave_room(self, conversation: str) -> None:
        """Leave a group chat for good."""
        await self.rooms.leave(conversation)
        await self.chats.close_talk(conversation)

    async def history(self, conversation: str, before: str | None, limit: int) -> tuple[list[Message], bool]:
        """Messages from the store and, where it ends and the server is there, from the archive."""
        messages, complete = await self.chats.history(conversation, before, limit)
        jid = stanzas.parse_jid(conversation)
        if not complete or not self.ready or jid is None:
            return messages, complete
        try:
            complete = await self._older(conversation, jid)
        except MessagingError as error:
            log.info("session.archive_not_read", reason=error.reason.id)
            return messages, False
        messages, nothing_more = await self.chats.history(conversation, before, limit)
        return messages, complete and nothing_more

    async def _older(self, conversation: str, jid: Jid) -> bool:
        """Read one page of the archive before the oldest message kept here; True where there is none."""
        oldest = await self.store.oldest(conversation)
        room = self.rooms.room(conversation)
        if room is not None and not room.archive:
            return True
        archive = room.jid if room is not None else self.own
        partner = None if room is not None else jid
        if oldest is not None and not oldest.stanza_id:  # an own message whose place in the archive nobody told us
            page = await self.archives.until(archive, datetime.fromisoformat(oldest.message.at), partner)
        else:
            page = await self.archives.older(archive, oldest.stanza_id if oldest is not None else "", partner)
        await self.chats.all_arrived(page.messages, count_from=utc_now().isoformat())
        return page.complete

    async def learn(self, records: Sequence[Record]) -> None:
        """Take over what directories said: in lists and cards, in the titles of chats, in calls that go on or were."""
        change = await self.people.records_arrived(records)
        if not change.put:
            return
        for one in change.put:
            if self.chats.conversation(one.id) is not None:  # its title is the person's name
                self.events.conversation(one.id)
        await self.calling.people_known()
