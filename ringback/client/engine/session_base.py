"""What every part of a session stands on: its books, what is shown of them, the connection, the own presence."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.etree.ElementTree import Element

import msgspec

from ringback.client.contacts.contact_list import ContactList
from ringback.client.contacts.people import People
from ringback.client.engine.services import ServiceBoard
from ringback.client.events import Events
from ringback.client.host.wire import Me, Service
from ringback.client.host.wire_chats import Conversation
from ringback.client.host.wire_people import Person
from ringback.client.messaging.archive import Archives
from ringback.client.messaging.chats import Chats
from ringback.client.messaging.connection import Connection, Target, Trust
from ringback.client.messaging.errors import NotConnectedError
from ringback.client.messaging.happenings import Account, Fence
from ringback.client.messaging.own_presence import Chosen, OwnPresence
from ringback.client.messaging.photos import Photos
from ringback.client.messaging.rooms import RoomBook
from ringback.client.store.store import Store
from ringback.rules.addresses import Jid

FENCE_SECONDS = 60.0


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


class SessionBase:
    """The books of a session, its view for the events, and the way to the server for the books."""

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

    # --- the own presence

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
