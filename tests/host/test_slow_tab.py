"""A tab that does not take its events is dropped and takes a new snapshot; others never wait for it."""

from __future__ import annotations

import asyncio

import pytest

from ringback.client.events import QUEUE_LIMIT, Events, EventsLostError
from ringback.client.host.wire import Me, Service
from ringback.client.host.wire_chats import Conversation
from ringback.client.host.wire_people import PeopleChanged, Person
from ringback.client.host.wire_sign_in import SignIn, SignInChanged


class Book:
    """A view with people whose name counts how often they changed."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}

    def person(self, person_id: str) -> Person | None:
        """Somebody who is still there."""
        name = self.names.get(person_id)
        return Person(id=person_id, name=name) if name is not None else None

    def conversation(self, conversation_id: str) -> Conversation | None:
        """None here."""
        return None

    def groups(self) -> list[str]:
        """One group."""
        return ["Team"]

    def orders(self) -> dict[str, list[str]]:
        """By name."""
        return {}

    def me(self) -> Me | None:
        """Nobody is signed in."""
        return None

    def services(self) -> list[Service]:
        """None."""
        return []


@pytest.fixture
def book() -> Book:
    """A book of people."""
    return Book()


async def test_changes_of_one_turn_are_one_event(book: Book) -> None:
    events = Events(book)
    listener = events.subscribe()
    for number in range(500):
        book.names[f"p{number % 250}@x"] = str(number)
        events.person(f"p{number % 250}@x")
    events.person("gone@x")
    events.groups()
    event = await listener.next()
    assert isinstance(event, PeopleChanged)
    assert len(event.people) == 250
    assert all(int(person.name) >= 250 for person in event.people)
    assert event.gone == ["gone@x"]
    assert event.groups == ["Team"]


async def test_a_listener_that_sleeps_is_told_that_it_lost_the_thread(book: Book) -> None:
    events = Events(book)
    slow, quick = events.subscribe(), events.subscribe()
    for _ in range(QUEUE_LIMIT + 5):
        events.tell(SignInChanged(sign_in=SignIn()))
        await quick.next()
    told = [await slow.next() for _ in range(QUEUE_LIMIT)]
    assert len(told) == QUEUE_LIMIT
    with pytest.raises(EventsLostError):
        await asyncio.wait_for(slow.next(), 5)


async def test_order_is_kept_between_noted_and_told(book: Book) -> None:
    events = Events(book)
    listener = events.subscribe()
    book.names["a@x"] = "A"
    events.person("a@x")
    events.tell(SignInChanged(sign_in=SignIn()))
    assert isinstance(await listener.next(), PeopleChanged)
    assert isinstance(await listener.next(), SignInChanged)
