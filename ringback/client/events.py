"""What changed, told to whoever listens: the books of a session note changes, listeners get typed events.

Changes of one turn of the loop are joined, so that five hundred presences cost one event. Every listener has a bounded
queue; one that does not keep up is ended with ``EventsLostError`` and takes a new snapshot, instead of holding memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Protocol

from ringback.client.host.wire import AnyEvent, Me, MeChanged, Service, ServicesChanged
from ringback.client.host.wire_chats import Conversation, ConversationsChanged, Message, MessagesChanged
from ringback.client.host.wire_people import PeopleChanged, Person

QUEUE_LIMIT = 1000


class EventsLostError(Exception):
    """A listener was too slow; what it knows is out of date and a new snapshot is needed."""


class View(Protocol):
    """Gives the present state of what changed."""

    def person(self, person_id: str) -> Person | None:
        """A person, or None where gone."""

    def conversation(self, conversation_id: str) -> Conversation | None:
        """A conversation, or None where gone."""

    def groups(self) -> list[str]:
        """The contact groups in order."""

    def orders(self) -> dict[str, list[str]]:
        """People put in order by hand, by group."""

    def me(self) -> Me | None:
        """The signed-in person."""

    def services(self) -> list[Service]:
        """All services."""


class Subscription:
    """One listener's events, in order. Iterate it; close it when done."""

    def __init__(self, events: Events, limit: int = QUEUE_LIMIT) -> None:
        self._events = events
        self._queue: asyncio.Queue[AnyEvent | None] = asyncio.Queue()
        self._limit = limit
        self._lost = False

    def put(self, event: AnyEvent) -> None:
        """Hand an event over, or note that this listener lost the thread."""
        if self._lost:
            return
        if self._queue.qsize() >= self._limit:
            self._lost = True
            self._queue.put_nowait(None)
            return
        self._queue.put_nowait(event)

    async def next(self) -> AnyEvent:
        """The next event. Raises EventsLostError."""
        event = await self._queue.get()
        if event is None:
            raise EventsLostError
        return event

    async def __aiter__(self) -> AsyncIterator[AnyEvent]:
        while True:
            yield await self.next()

    def close(self) -> None:
        """Stop listening."""
        self._events.forget(self)


class Events:
    """Collects changes and tells the listeners at the end of the loop's turn."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._listeners: set[Subscription] = set()
        self._people: dict[str, None] = {}
        self._conversations: dict[str, None] = {}
        self._messages: dict[tuple[str, bool], dict[str, Message]] = {}
        self._services: dict[str, None] = {}
        self._me = False
        self._groups = False
        self._others: dict[str, Callable[[], AnyEvent | None]] = {}
        self._scheduled: asyncio.Handle | None = None

    def subscribe(self, limit: int = QUEUE_LIMIT) -> Subscription:
        """A new listener, from now on."""
        subscription = Subscription(self, limit)
        self._listeners.add(subscription)
        return subscription

    def forget(self, subscription: Subscription) -> None:
        """End a listener."""
        self._listeners.discard(subscription)

    def person(self, person_id: str) -> None:
        """A person changed, came or went."""
        self._people[person_id] = None
        self._schedule()

    def groups(self) -> None:
        """The list of contact groups changed."""
        self._groups = True
        self._schedule()

    def conversation(self, conversation_id: str) -> None:
        """A conversation changed, came or went."""
        self._conversations[conversation_id] = None
        self._schedule()

    def message(self, message: Message, *, live: bool = False) -> None:
        """A message came or changed."""
        self._messages.setdefault((message.conversation, live), {})[message.id] = message
        self._schedule()

    def service(self, service_id: str) -> None:
        """A service changed its state."""
        self._services[service_id] = None
        self._schedule()

    def me(self) -> None:
        """The signed-in person changed."""
        self._me = True
        self._schedule()

    def note(self, what: str, make: Callable[[], AnyEvent | None]) -> None:
        """Something else changed: ``make`` gives its event at the end of the turn, once for each ``what``."""
        self._others[what] = make
        self._schedule()

    def tell(self, event: AnyEvent) -> None:
        """Send an event at once, after what was noted before it."""
        self.flush()
        for listener in tuple(self._listeners):
            listener.put(event)

    def flush(self) -> None:
        """Send what was noted."""
        if self._scheduled is not None:
            self._scheduled.cancel()
            self._scheduled = None
        for event in self._collect():
            for listener in tuple(self._listeners):
                listener.put(event)

    def _schedule(self) -> None:
        if self._scheduled is None:
            self._scheduled = asyncio.get_running_loop().call_soon(self.flush)

    def _collect(self) -> list[AnyEvent]:
        events: list[AnyEvent] = []
        if self._people or self._groups:
            found = {person_id: self._view.person(person_id) for person_id in self._people}
            groups = self._view.groups() if self._groups else None
            orders = self._view.orders() if self._groups else None
            people = [person for person in found.values() if person is not None]
            gone = [person_id for person_id, person in found.items() if person is None]
            events.append(PeopleChanged(people=people, gone=gone, groups=groups, orders=orders))
        for (conversation_id, live), messages in self._messages.items():
            ordered = sorted(messages.values(), key=lambda message: message.at)
            events.append(MessagesChanged(conversation=conversation_id, messages=ordered, live=live))
        if self._conversations:
            talks = {name: self._view.conversation(name) for name in self._conversations}
            kept = [talk for talk in talks.values() if talk is not None]
            events.append(
                ConversationsChanged(conversations=kept, gone=[name for name, talk in talks.items() if talk is None])
            )
        if self._services:
            events.append(ServicesChanged(services=[one for one in self._view.services() if one.id in self._services]))
        me = self._view.me() if self._me else None
        if me is not None:
            events.append(MeChanged(me=me))
        others, self._others = self._others, {}
        events.extend(event for event in (make() for make in others.values()) if event is not None)
        self._people, self._conversations, self._messages, self._services = {}, {}, {}, {}
        self._me = self._groups = False
        return events
