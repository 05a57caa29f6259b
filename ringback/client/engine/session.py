"""A person's session: the books, the connection that feeds them, and what must happen whenever it comes back.

After each new session with the server, in this order: carbons, contact list, block list, own presence, the archive,
then the outbox (what is found in the archive is not sent again), then the rooms, each with its archive and outbox.
A resumed session needs none of that: the server kept everything.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar
from xml.etree.ElementTree import Element

import msgspec
import structlog

from ringback.client.calling.service import Calling
from ringback.client.contacts.contact_list import BLOCKING, ContactList
from ringback.client.contacts.people import People
from ringback.client.contacts.sources.base import Record
from ringback.client.engine.list_service import ListService
from ringback.client.engine.services import ServiceBoard
from ringback.client.events import Events
from ringback.client.host.wire import Me, Service
from ringback.client.host.wire_chats import Conversation, Message
from ringback.client.host.wire_people import Person
from ringback.client.messaging import room_requests, stanzas
from ringback.client.messaging.archive import Archives
from ringback.client.messaging.chats import Chats
from ringback.client.messaging.connection import Connection, Target, Trust, Watcher
from ringback.client.messaging.errors import MessagingError, NotConnectedError, RequestFailedError
from ringback.client.messaging.happenings import Account, Acked, Arrived, Fence, Incoming, Lost, Resumed, Started
from ringback.client.messaging.own_presence import Chosen, OwnPresence
from ringback.client.messaging.photos import Photos
from ringback.client.messaging.rooms import RoomBook
from ringback.client.store.store import Store
from ringback.client.voicemail.service import Voicemail
from ringback.rules.addresses import Jid
from ringback.rules.reasons import Reason

REFRESH_SECONDS = 30.0
FENCE_SECONDS = 60.0

log = structlog.get_logger(__name__)

_T = TypeVar("_T")


def utc_now() -> datetime:
    """The time of the world."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """What a session needs: who, where, and how to find and verify servers."""

    account: Account
    targets: Callable[[], Awaitable[list[Target]]]
    resolve: Callable[[str], Awaitable[list[str]]]
    trust: Trust


class Session:
    """One signed-in person. ``load`` fills it from the store; ``run`` connects and stays until cancelled."""

    def __init__(self, own: Jid, store: Store, events: Events | None = None) -> None:
        self.own = own
        self.store = store
        self.events = events or Events(self)
        self.board = ServiceBoard(self.events, utc_now)
        self.people = People(own, store, self.events, utc_now)
        self.rooms = RoomBook(own, self, store, self.events, self.people.name)
        self.chats = Chats(own, store, self.events, self.people, self.rooms, utc_now)
        self.archives = Archives(own, self, store)
        self.photos = Photos(own, self, store, self.people)
        self.contacts = ContactList(self, self.people)
        self.own_presence = OwnPresence(self, store)
        self.calling = Calling(self)
        self.contact_list = ListService(self.people, self.contacts, self.events, self.calling.people_known)
        self.voicemail = Voicemail(self)
        self._connection: Connection | None = None
        self._work: set[asyncio.Task[None]] = set()
        self._beginning: asyncio.Task[None] | None = None
        self._settled = False
        self._caught_up: set[Jid] = set()
        self._flush_lock = asyncio.Lock()
        self.up = asyncio.Event()

    async def load(self) -> None:
        """Show what the store holds, before any server was asked."""
        await self.people.load()
        await self.rooms.load()
        await self.chats.load()
        await self.own_presence.load()
        await self.calling.load()
        await self.voicemail.load()
        self._own_choice_changed()
        self.people.connection_lost(datetime.fromtimestamp(0, UTC))

    # --- the view of the events

    def person(self, person_id: str) -> Person | None:
        """A person who is shown, or None."""
        return self.people.person(person_id) if person_id in self.people.ids() else None

    def conversation(self, conversation_id: str) -> Conversation | None:
        """A conversation with what only the rooms know of it."""
        talk = self.chats.conversation(conversation_id)
        if talk is None or talk.kind != "room":
            return talk
        room = self.rooms.room(conversation_id)
        return msgspec.structs.replace(
            talk,
            title=self.rooms.title(conversation_id) or talk.title,
            members=self.rooms.members(conversation_id),
            joined=room is not None and room.joined,
        )

    def conversations(self) -> list[Conversation]:
        """All that are shown."""
        found = (self.conversation(name) for name in self.chats.ids())
        return [talk for talk in found if talk is not None]

    def groups(self) -> list[str]:
        """The contact groups."""
        return self.people.groups()

    def orders(self) -> dict[str, list[str]]:
        """People put in order by hand, by group."""
        return self.people.orders()

    def me(self) -> Me:
        """The signed-in person as the page shows it."""
        own = self.people.person(str(self.own))
        choice = self.own_presence.choice
        return Me(
            id=str(self.own),
            name=own.name,
            presence=own.presence,
            chosen=choice.chosen,
            status=choice.status,
            photo=own.photo,
            title=own.title,
        )

    def services(self) -> list[Service]:
        """The services' states."""
        return self.board.all()

    # --- the port of the books

    @property
    def ready(self) -> bool:
        """Whether stanzas can be sent now."""
        return self._connection is not None and self._connection.ready

    def send(self, element: Element, *, confirm: bool = False) -> None:
        """Send a message or presence. Raises NotConnectedError."""
        if self._connection is None:
            raise NotConnectedError
        self._connection.send(element, confirm=confirm)

    async def request(self, kind: str, payload: Element, to: Jid | None = None, seconds: float = 20.0) -> Element:
        """Send an iq and give the answer. Raises NotConnectedError, RequestFailedError."""
        if self._connection is None:
            raise NotConnectedError
        return await self._connection.request(kind, payload, to, seconds)

    async def fence(self) -> None:
        """Return when everything that came before now has been handled."""
        if self._connection is None:
            raise NotConnectedError
        fence = Fence(asyncio.get_running_loop().create_future())
        self._connection.inbox.put_nowait(fence)
        try:
            async with asyncio.timeout(FENCE_SECONDS):
                await fence.passed
        except TimeoutError as error:  # the session ended meanwhile
            raise NotConnectedError from error

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

    async def set_presence(self, chosen: Chosen, status: str | None) -> None:
        """Set the own availability by hand (empty: the devices decide) and the status message."""
        await self.own_presence.choose(chosen, status)
        self._own_choice_changed()

    def report_activity(self, idle_seconds: int) -> None:
        """The person is at the keyboard, or not since so many seconds."""
        self.own_presence.report(idle_seconds, tells_server=self._server_asks)

    @property
    def _server_asks(self) -> bool:
        """Whether the server wants to know if anybody looks."""
        return self._connection is not None and "csi" in self._connection.features

    def _tell_availability(self) -> None:
        """In a session that began or goes on: others, and the server."""
        self.own_presence.send()
        if self._server_asks and self.own_presence.idle_since is not None:
            self.own_presence.tell_server()

    def _own_choice_changed(self) -> None:
        choice = self.own_presence.choice
        at = datetime.fromisoformat(choice.at) if choice.at else None
        self.people.own_choice = (choice.chosen or None, at)
        self.events.me()

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


def _read_elsewhere(batch: Sequence[stanzas.Received], own: Jid) -> str:
    """At the first sign-in on a machine: until when everything counts as read, an ISO time.

    The last sign of the person anywhere: a message or a read mark of their own. What came later nobody has seen yet.
    """
    own_times = [one.at for one in batch if one.at is not None and one.sender.bare == own]
    return max(own_times).isoformat() if own_times else ""
