"""Finding own contacts and rooms by what was typed: accents and case do not count, words match from the start."""

from __future__ import annotations

from collections.abc import Iterable

from ringback.client.contacts.numbers import digits
from ringback.client.host.wire_chats import Conversation
from ringback.client.host.wire_people import Person
from ringback.rules.name_search import fold


def matches(query: str, *texts: str) -> bool:
    """Whether every word of the query begins a word of the texts."""
    words = [word for text in texts for word in fold(text).replace("@", " ").replace(".", " ").split()]
    wanted = fold(query).replace("@", " ").replace(".", " ").split()
    return bool(wanted) and all(any(word.startswith(want) for word in words) for want in wanted)


def find_people(query: str, people: Iterable[Person], limit: int) -> list[Person]:
    """Own contacts that fit, the available ones first, then by name."""
    number = digits(query)
    found = [
        person
        for person in people
        if matches(query, person.name, person.id, person.department, person.title)
        or (len(number) >= 2 and any(number in digits(one.value) for one in person.numbers))
    ]
    order = {"available": 0, "away": 1, "meeting": 1, "call": 1, "dnd": 1}
    found.sort(key=lambda person: (order.get(person.presence.show, 2), fold(person.name)))
    return found[:limit]


def find_rooms(query: str, conversations: Iterable[Conversation], limit: int) -> list[Conversation]:
    """Group chats whose name or members fit."""
    return [
        talk
        for talk in conversations
        if talk.kind == "room" and matches(query, talk.title, *(member.name for member in talk.members))
    ][:limit]
