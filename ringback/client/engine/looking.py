"""Looking people up while signed in: search, cards, pictures; the directory's silence is told, never raised."""

from __future__ import annotations

import contextlib

from ringback.client.contacts.directory import DirectoryError
from ringback.client.contacts.search import find_people, find_rooms
from ringback.client.engine.directory_service import DirectoryService
from ringback.client.engine.session import Session
from ringback.client.host.wire_people import PersonCard, SearchResults
from ringback.client.messaging.photos import Photo
from ringback.rules.reasons import Reason

SEARCH_LIMIT = 100


async def search(session: Session, directory: DirectoryService | None, query: str, limit: int) -> SearchResults:
    """People and rooms: own contacts first, then the directory."""
    limit = max(1, min(limit, SEARCH_LIMIT))
    own = find_people(query, [session.people.person(name) for name in session.people.ids()], limit)
    rooms = find_rooms(query, session.conversations(), limit)
    if directory is None or not query.strip():
        return SearchResults(query=query, people=own, conversations=rooms, total=None)
    try:
        found = await directory.search(query, limit)
    except DirectoryError as error:
        return SearchResults(query=query, people=own, conversations=rooms, total=None, problem=error.reason)
    taken = {str(session.own), *(person.id for person in own)}
    others = [session.people.person(row.jid) for row in found.people if row.jid not in taken]
    return SearchResults(query=query, people=[*own, *others][:limit], conversations=rooms, total=found.total)


async def person_card(session: Session, directory: DirectoryService | None, person_id: str) -> PersonCard:
    """All that is known of a person, with where it comes from."""
    if directory is not None and session.people.facts(person_id) is None:
        with contextlib.suppress(DirectoryError):  # its silence is shown as the state of the service
            await directory.learn([person_id])
    person = session.people.person(person_id)
    sources = []
    if person.in_list:
        sources.append(Reason.of("engine.source.roster"))
    if person.source:
        sources.append(Reason.of("engine.source.directory", server=person.source))
    shared = [talk.id for talk in session.conversations() if any(member.id == person_id for member in talk.members)]
    return PersonCard(person=person, sources=sources, shared_rooms=shared)


async def photo(session: Session, directory: DirectoryService | None, person_id: str) -> Photo | None:
    """The picture of a person; None where there is none."""
    found = await session.photos.get(person_id)
    if found is None and directory is not None:
        await directory.learn_photo(person_id)
        found = await session.photos.get(person_id)
    return found
