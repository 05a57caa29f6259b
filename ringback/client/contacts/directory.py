"""The company directory, by the user data service: search, facts about contacts, photos."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from ringback.client.contacts.numbers import digits
from ringback.client.contacts.people import Facts
from ringback.client.identity.callmanager import CallManager, CallManagerError
from ringback.protocols.uds.people import Person
from ringback.rules.addresses import AddressError, Jid
from ringback.rules.reasons import Reason

LOOKUPS_AT_ONCE = 50


class DirectoryError(Exception):
    """The directory does not answer; ``reason`` for showing."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.id)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Found:
    """A page of a search: ``total`` is how many the directory knows."""

    people: list[Facts]
    total: int


class Directory:
    """Asks the call manager about people of one presence domain."""

    def __init__(self, call_manager: CallManager, domain: str, photo_template: str) -> None:
        self._call_manager = call_manager
        self._domain = domain
        self._photo_template = photo_template

    @property
    def server(self) -> str:
        """Whom we ask."""
        return self._call_manager.server

    async def search(self, query: str, limit: int) -> Found:
        """People by the beginning of a name, or by number. Raises DirectoryError."""
        number = digits(query)
        terms: dict[str, str | int] = {"max": limit, "start": 0}
        terms["number" if number else "name"] = number or query.strip()
        try:
            users = await self._call_manager.search(**terms)
        except CallManagerError as error:
            raise self._failed(error) from error
        facts = [row for row in (self._facts(person) for person in users.people) if row is not None]
        return Found(facts, users.total_count)

    async def lookup(self, jids: Iterable[str]) -> list[Facts]:
        """Facts about people by their address. Raises DirectoryError; unknown people are left out."""
        found: list[Facts] = []
        for jid in list(jids)[:LOOKUPS_AT_ONCE]:
            user, _, domain = jid.partition("@")
            if domain != self._domain:
                continue
            try:
                users = await self._call_manager.search(username=user, max=2, start=0)
            except CallManagerError as error:
                raise self._failed(error) from error
            rows = (self._facts(person) for person in users.people)
            found.extend(row for row in rows if row is not None and row.jid == jid)
        return found

    async def photo(self, facts: Facts) -> bytes | None:
        """A person's picture, or None where there is none. Raises DirectoryError."""
        if not facts.photo_uri:
            return None
        try:
            answer = await self._call_manager.get(facts.photo_uri)
        except CallManagerError as error:
            raise self._failed(error) from error
        return answer.body if answer.status == 200 and answer.kind.startswith("image/") else None

    def facts_of(self, person: Person) -> Facts | None:
        """What a document of the directory says of a person."""
        return self._facts(person)

    def _failed(self, error: CallManagerError) -> DirectoryError:
        return DirectoryError(Reason.of("engine.directory.no_answer", server=error.server, why=error.detail))

    def _facts(self, person: Person) -> Facts | None:
        user = person.user_name or person.id
        try:
            jid = Jid.parse(f"{user}@{self._domain}")
        except AddressError:
            return None
        uri = self._photo_template.replace("%%uid%%", user) if self._photo_template else ""
        return Facts(
            jid=str(jid),
            name=person.name,
            user=user,
            title=person.title,
            department=person.department,
            manager=person.manager,
            mail=person.email,
            work=person.phone_number,
            mobile=person.mobile_number,
            home=person.home_number,
            photo_uri=uri,
            source=self._call_manager.server,
        )


def photo_version(data: bytes) -> str:
    """A version for a picture that came without one."""
    return hashlib.sha256(data).hexdigest()[:16]
