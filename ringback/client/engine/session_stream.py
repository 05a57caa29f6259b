"""What comes to a session: the connection that feeds its books, and what must happen whenever it comes back.

After each new session with the server, in this order: carbons, contact list, block list, own presence, the archive,
then the outbox (what is found in the archive is not sent again), then the rooms, each with its archive and outbox.
A resumed session needs none of that: the server kept everything.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Awaitable, Coroutine, Sequence
from typing import TypeVar
from xml.etree.ElementTree import Element

import structlog

from ringback.client.contacts.contact_list import BLOCKING
from ringback.client.engine.session_base import SessionBase, SessionSettings, utc_now
from ringback.client.host.wire_chats import Message
from ringback.client.messaging import room_requests, stanzas
from ringback.client.messaging.connection import Connection, Watcher
from ringback.client.messaging.errors import MessagingError, NotConnectedError, RequestFailedError
from ringback.client.messaging.happenings import Acked, Arrived, Fence, Incoming, Lost, Resumed, Started
from ringback.rules.addresses import Jid
from ringback.rules.reasons import Reason

REFRESH_SECONDS = 30.0

log = structlog.get_logger(__name__)

_T = TypeVar("_T")


class SessionStream(SessionBase):
    """``run`` connects and stays until cancelled."""

    # --- the life of the session

    async def run(self, settings: SessionSettings, watcher: Watcher) -> None:
        """Connect and stay connected until cancelled or refused; the reason of a refusal goes to the watcher."""
        connection = Connection(settings.account, settings.targets, settings.resolve, settings.trust, watcher)
        self._connection = connection
        consumer = asyncio.create_task(self._consume(connection), name="session inbox")
        ticker = asyncio.create_task(self._tick(), name="session clock")
        try:
            await connection.run()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(5.0):
                    await connection.inbox.join()
        finally:
            self.up.clear()
            for task in (consumer, ticker, *self._work):
                task.cancel()
            await asyncio.gather(consumer, ticker, *self._work, return_exceptions=True)
            self._connection = None
            self.chats.close()

    async def stop(self) -> None:
        """Go in order: others see us leave, and the server forgets the session."""
        if self._connection is not None:
            await self._connection.stop()

    def try_now(self) -> None:
        """Try to connect at once where a waiting time runs."""
        if self._connection is not None:
            self._connection.try_now()

    def move(self) -> None:
        """Connect anew at once, the way that counts now; the session goes on where the server lets it."""
        if self._connection is not None:
            self.up.clear()
            self._connection.move()

    async def _consume(self, connection: Connection) -> None:
        while True:
            happening = await connection.inbox.get()
            try:
                await self._handle(happening)
            except NotConnectedError:
                log.debug("session.lost_while_handling")
            except Exception:  # one stanza that can't be handled must not end the person's session
                log.exception("session.stanza_failed", kind=type(happening).__name__)
            finally:
                connection.inbox.task_done()
                connection.release(connection.inbox.qsize())

    async def _handle(self, happening: Incoming) -> None:
        match happening:
            case Arrived(element):
                await self._stanza(element)
            case Acked(message_id):
                await self.chats.acked(message_id)
            case Fence(passed):
                if not passed.done():
                    passed.set_result(None)
            case Started():
                self._settled = False
                self._caught_up.clear()
                self.people.session_began()
                self.rooms.session_began()
                if self._beginning is not None:
                    self._beginning.cancel()
                self._beginning = self._spawn(self._begin(), "session begin")
            case Resumed(unacked):
                self.people.connection_lost(None)
                self._spawn(self._flush(skip=unacked), "session outbox")
                self._tell_availability()
                self.up.set()
            case Lost():
                self.up.clear()
                self.people.connection_lost(utc_now())

    def _spawn(self, work: Coroutine[object, object, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(self._guarded(work, name), name=name)
        self._work.add(task)
        task.add_done_callback(self._work.discard)
        return task

    async def _guarded(self, work: Coroutine[object, object, None], name: str) -> None:
        try:
            await work
        except NotConnectedError:
            log.debug("session.work_interrupted", work=name)
        except MessagingError as error:
            self.board.set("messages", self.board.state("messages"), reasons=(error.reason,))
        except Exception as error:  # told to the person instead of ending everything else
            log.exception("session.work_failed", work=name)
            reason = Reason.of("engine.internal", work=name, kind=type(error).__name__)
            self.board.set("messages", self.board.state("messages"), reasons=(reason,))

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            if not self.ready:
                self.people.refresh()

    # --- a new session

    async def _begin(self) -> None:
        features = await self._ask(room_requests.features(self, self.own.bare), frozenset())
        server = await self._ask(room_requests.features(self, Jid("", self.own.domain)), frozenset())
        if "urn:xmpp:carbons:2" in server | features:
            await self._ask(self.request("set", Element("{urn:xmpp:carbons:2}enable")), None)
        versions = self._connection is not None and "rosterver" in self._connection.features
        await self._ask(self.contacts.fetch(versions=versions), None)
        if BLOCKING in server | features:
            await self._ask(self.contacts.fetch_blocked(), None)
        self._tell_availability()
        self.board.set("contacts", "up")
        if stanzas.ARCHIVE in features | server:
            await self._ask(self._catch_up(self.own), None)
        else:
            self.board.set("messages", "up", reasons=(Reason.of("presence.no_archive", domain=self.own.domain),))
        self._settled = True
        self.up.set()
        await self._flush()
        await self._return_to_rooms()

    async def _ask(self, question: Awaitable[_T], otherwise: _T) -> _T:
        """An answer, or another value where the server refuses: one thing that it can't do leaves the rest."""
        try:
            return await question
        except RequestFailedError as error:
            self.board.set("messages", "up", reasons=(error.reason,))
            return otherwise

    async def _catch_up(self, archive: Jid) -> None:
        async def take_over(batch: list[stanzas.Received]) -> None:
            first = await self.store.get("archive", str(archive), str) is None
            count_from = _read_elsewhere(batch, self.own) if first else None
            duties = await self.chats.all_arrived(batch, count_from=count_from)
            if first:
                return
            for duty in duties:
                self._receipt(duty.receipt_to, duty.receipt_for)
            for one in batch:
                if one.invitation is not None and one.sender.bare != self.own:
                    await self._invited(one.invitation)

        await self.archives.catch_up(archive, take_over)
        self._caught_up.add(archive)

    async def _flush(self, skip: frozenset[str] = frozenset(), room: str = "") -> None:
        """Send the outbox: all of it, or a room's. ``skip``: what the library sends again by itself."""
        async with self._flush_lock:
            for message in await self.chats.unsent():
                is_room = self.rooms.is_room(message.conversation)
                if message.id in skip or (room and message.conversation != room):
                    continue
                if is_room and not self._in_room(message.conversation):
                    continue
                self._send_text(message)

    def _in_room(self, conversation: str) -> bool:
        room = self.rooms.room(conversation)
        return room is not None and room.joined

    def _send_text(self, message: Message) -> None:
        room = self.rooms.is_room(message.conversation)
        to = Jid.parse(message.conversation)
        self.send(stanzas.text_message(message.id, to, message.body, room=room), confirm=True)

    async def _return_to_rooms(self) -> None:
        wanted = dict.fromkeys(self.rooms.ids(), "")
        for jid, title in await self._ask(self.rooms.bookmarked(), []):
            wanted.setdefault(str(jid), title)
        for name, title in wanted.items():
            self._spawn(self._return_to(Jid.parse(name), title), "room")

    async def _return_to(self, jid: Jid, title: str) -> None:
        try:
            await self._enter(jid, title)
        except RequestFailedError as error:
            log.info("session.room_not_entered", condition=error.condition)
            self.board.set("messages", "up", reasons=(error.reason,))

    async def _enter(self, jid: Jid, title: str = "") -> None:
        room = await self.rooms.enter(jid, title)
        await self.chats.open(str(jid), "room", room.kept.title)
        await self._room_entered(str(jid))

    async def _room_entered(self, conversation: str) -> None:
        """After entering: what was said meanwhile, then what waits to be said."""
        room = self.rooms.room(conversation)
        if room is not None and room.archive:
            await self._ask(self._catch_up(room.jid), None)
        else:
            await self.fence()  # the room's own history comes right after our entering
        await self._flush(room=conversation)

    # --- what comes

    async def _stanza(self, element: Element) -> None:
        kind = element.tag.rpartition("}")[2]
        if kind == "presence":
            await self._presence(element)
        elif kind == "iq":
            await self.contacts.pushed(element)
        elif not self.archives.collect(element):
            await self._message(element)

    async def _presence(self, element: Element) -> None:
        presence = stanzas.read_presence(element)
        if presence is None:
            return
        if self.rooms.presence_arrived(presence):
            await self.rooms.forget_lost()
            return
        self.people.presence_arrived(presence)
        person_id = str(presence.sender.bare)
        if presence.kind == "subscribe":
            self.contacts.asked(person_id)
        if presence.photo is not None and presence.kind == "available":
            await self.photos.announced(person_id, "vcard", presence.photo)

    async def _message(self, element: Element) -> None:
        received = stanzas.read_message(element, self.own)
        if received is None:
            return
        if received.pubsub is not None:
            await self.photos.event(received.sender, received.pubsub)
            if received.sender.bare == self.own:
                await self._bookmarks_changed(received.pubsub)
            return
        if received.invitation is not None and not received.carbon:
            await self._invited(received.invitation)
            return
        conversation = str(received.sender.bare)
        if received.affiliation and received.occupant is not None and not received.sender.resource:
            self.rooms.affiliation_told(conversation, received.occupant, received.affiliation)
            return
        if received.kind == "groupchat" and 104 in received.room_status:
            self._spawn(self._room_changed(conversation), "room renamed")
        duty = await self.chats.arrived(received)
        if not received.carbon:
            self._receipt(duty.receipt_to, duty.receipt_for)
        archive = received.sender.bare if received.kind == "groupchat" else self.own
        if received.stanza_id and archive in self._caught_up and not received.carbon:
            await self.archives.moved(archive, received.stanza_id)

    async def _room_changed(self, conversation: str) -> None:
        before = self.rooms.title(conversation)
        await self.rooms.renamed(conversation)
        title = self.rooms.title(conversation)
        if title != before and before:
            await self.chats.happened(conversation, Reason.of("engine.event.renamed", title=title))

    async def _bookmarks_changed(self, event: Element) -> None:
        """Another client of ours entered or left a group chat for good: follow it."""
        kept, gone = room_requests.bookmark_event(event)
        for mark in kept:
            if mark.autojoin and not self.rooms.is_room(str(mark.jid)) and self._settled:
                self._spawn(self._return_to(mark.jid, mark.name), "room")
        for jid in (*gone, *(mark.jid for mark in kept if not mark.autojoin)):
            if self.rooms.is_room(str(jid)):
                await self.rooms.left_elsewhere(str(jid))
                await self.chats.close_talk(str(jid))

    async def _invited(self, invitation: stanzas.Invitation) -> None:
        known = invitation.inviter.domain == self.own.domain or self.people.is_contact(str(invitation.inviter))
        room = str(invitation.room)
        if self._in_room(room):
            return
        await self.chats.open(room, "room", invitation.title)
        if known:
            self._spawn(self._accept(invitation), "invitation")

    async def _accept(self, invitation: stanzas.Invitation) -> None:
        room = await self.rooms.accept(invitation)
        await self.chats.change(str(invitation.room), title=room.kept.title, joined=True)
        inviter = self.people.name(str(invitation.inviter))
        await self.chats.happened(str(invitation.room), Reason.of("engine.event.invited", name=inviter))
        await self._room_entered(str(invitation.room))

    def _receipt(self, to: str, message_id: str) -> None:
        sender = stanzas.parse_jid(to)
        if sender is None or not self.ready:
            return
        item = self.people.item(str(sender.bare))
        # XEP-0184 section 8: a receipt tells that we are here; only to those who may see our presence.
        if sender.domain == self.own.domain or (item is not None and item.subscription in ("from", "both")):
            self.send(stanzas.receipt(sender, message_id, uuid.uuid4().hex))


def _read_elsewhere(batch: Sequence[stanzas.Received], own: Jid) -> str:
    """At the first sign-in on a machine: until when everything counts as read, an ISO time.

    The last sign of the person anywhere: a message or a read mark of their own. What came later nobody has seen yet.
    """
    own_times = [one.at for one in batch if one.at is not None and one.sender.bare == own]
    return max(own_times).isoformat() if own_times else ""
