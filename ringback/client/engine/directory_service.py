"""The directory while somebody is signed in: it teaches the book of people, and its silence never stops the rest."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Sequence

import msgspec

from ringback.client.contacts.directory import Directory, DirectoryError, Found, photo_version
from ringback.client.engine.session import Session
from ringback.protocols.uds.people import User
from ringback.rules.failover import Backoff, next_wait

LOOK_SECONDS = 1.0  # how soon somebody new in the contact list gets a name and a picture
FRESH_SECONDS = 8 * 3600.0  # after so long the directory is asked again about everybody
_BATCH = 20
_BACKOFF = Backoff(first=5.0, longest=300.0)


class DirectoryService:
    """Searches, and learns about contacts, people written with and managers as they come."""

    def __init__(self, session: Session, directory: Directory, pick: Callable[[], float] = random.random) -> None:
        """``pick`` gives random numbers from 0 up to 1."""
        self._session = session
        self._pick = pick
        self._directory = directory
        self._asked: dict[str, float] = {}

    async def run(self, user: User | None) -> None:
        """Learn about the person and all contacts, new ones as they come; tries again where the directory is silent."""
        session, failures = self._session, 0
        session.board.set("directory", "up", server=self._directory.server)
        facts = self._directory.facts_of(user.person) if user is not None else None
        if facts is not None:
            await session.learn([msgspec.structs.replace(facts, jid=str(session.own))])
        while True:
            try:
                await self._learn_unknown()
            except DirectoryError as error:
                failures += 1
                again = next_wait(failures, self._pick(), _BACKOFF)
                seconds, reasons = again.seconds, (error.reason, again.reason)
                session.board.set("directory", "waiting", text=error.reason, retry_in=seconds, reasons=reasons)
            else:
                seconds, failures = LOOK_SECONDS, 0
            await asyncio.sleep(seconds)

    async def _learn_unknown(self) -> None:
        now = asyncio.get_running_loop().time()
        session = self._session
        partners = (name for name in session.chats.ids() if not session.rooms.is_room(name))
        shown = (str(session.own), *session.people.ids(), *partners)
        wanted = dict.fromkeys((*shown, *session.people.managers(shown)))
        unknown = [name for name in wanted if now - self._asked.get(name, -FRESH_SECONDS) >= FRESH_SECONDS]
        for first in range(0, len(unknown), _BATCH):
            batch = unknown[first : first + _BATCH]
            await self.learn(batch)
            self._asked.update(dict.fromkeys(batch, now))
            for name in batch:
                await self.learn_photo(name)

    async def learn(self, people: Sequence[str]) -> None:
        """Ask about people. Raises DirectoryError."""
        await self._session.learn(await self._directory.lookup(people))
        self._is_up()

    async def learn_photo(self, person_id: str) -> None:
        """Get a person's picture, where the directory has one."""
        facts = self._session.people.facts(person_id)
        if facts is None or not facts.photo_uri:
            return
        with contextlib.suppress(DirectoryError):  # a missing picture is no news; the look-ups tell of a silent server
            data = await self._directory.photo(facts)
            if data:
                await self._session.photos.keep(facts.jid, data, photo_version(data))

    async def search(self, query: str, limit: int) -> Found:
        """People by name or number. Raises DirectoryError, after noting the state of the service."""
        try:
            found = await self._directory.search(query, limit)
        except DirectoryError as error:
            self._session.board.set("directory", "failed", text=error.reason, reasons=(error.reason,))
            raise
        self._is_up()
        await self._session.learn(found.people)
        return found

    def _is_up(self) -> None:
        if self._session.board.state("directory") != "up":
            self._session.board.set("directory", "up", server=self._directory.server)
