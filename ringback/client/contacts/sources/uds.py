"""The company directory by the user data service: search by name or number page by page, look-up, pictures.

Identifiers outside the company network come in several forms (user id, mail, number at the domain; planning guide,
"Supported Services", intradomain federation): a Jabber identifier is therefore looked for as each of them in turn.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from ringback.client.contacts.numbers import digits, number_key
from ringback.client.contacts.sources.base import (
    PHOTO_LIMIT,
    Answers,
    By,
    Kind,
    Page,
    Phone,
    Query,
    Record,
    SourceError,
    Wanted,
    fits,
)
from ringback.client.contacts.sources.context import SourceContext
from ringback.client.identity.callmanager import CallManager, CallManagerError, TokenRefusedError
from ringback.protocols.uds.people import Person, Users
from ringback.rules.reasons import Reason

NAME = "uds"
AT_ONCE = 4  # questions that are open at the same time
TOKEN = "%%uid%%"  # noqa: S105 (what stands for the user id in the address of a picture)


class UdsSource:
    """A ``ContactSource``. ``photo_template`` is ``UdsPhotoUriWithToken``."""

    def __init__(self, context: SourceContext, call_manager: CallManager) -> None:
        self._context = context
        self._call_manager = call_manager
        self._photo_template = context.parameter("UdsPhotoUriWithToken")
        self._gate = asyncio.Semaphore(AT_ONCE)

    @property
    def name(self) -> str:
        """The source of its records."""
        return NAME

    @property
    def server(self) -> str:
        """The call manager that is asked first."""
        return self._call_manager.server

    async def search(self, query: Query) -> Page:
        """People by the beginning of names, or by number. Raises SourceError."""
        start = int(query.cursor) if query.cursor.isascii() and query.cursor.isdigit() else 0
        field, text = ("number", query.digits) if query.digits else ("name", query.text)
        if not text:
            return Page()
        users = await self._users(**{field: text}, max=query.limit, start=start)
        records = tuple(record for record in map(self.record, users.people) if record is not None)
        end = start + len(users.people)
        more = bool(users.people) and end < users.total_count
        return Page(records, users.total_count, str(end) if more else "")

    async def resolve(self, wanted: Sequence[Wanted]) -> Answers:
        """Who is behind addresses and numbers, several questions at once. Raises SourceError."""
        tasks = [asyncio.create_task(self._resolve(one), name="directory look-up") for one in dict.fromkeys(wanted)]
        try:
            rows = await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return Answers({one: found for one, found in zip(dict.fromkeys(wanted), rows, strict=True) if found})

    async def photo(self, record: Record) -> bytes | None:
        """The picture at the address made of the user id. Raises SourceError."""
        if not record.photo:
            return None
        try:
            answer = await self._call_manager.get(record.photo)
        except CallManagerError as error:
            raise self._failed(error) from error
        return answer.body if answer.status == 200 and len(answer.body) <= PHOTO_LIMIT else None

    async def close(self) -> None:
        """The call manager's connection belongs to who opened it."""

    def record(self, person: Person) -> Record | None:
        """What a document of the directory says of a person; None where it names nobody."""
        user = person.user_name or person.id
        uris = tuple(uri for uri in (person.directory_uri, person.ms_uri, person.email) if uri)
        jid = self._context.jid_of(user, uris)
        if not user:
            return None
        numbers = (
            (Kind.WORK, person.phone_number), (Kind.MOBILE, person.mobile_number), (Kind.HOME, person.home_number),
            (Kind.PAGER, person.pager),
        )  # fmt: skip
        return Record(
            source=NAME, key=person.id or user, at=self._context.clock(), jid=jid, user=user, name=person.name,
            first=person.first_name, last=person.last_name, nickname=person.nick_name, title=person.title,
            department=person.department, manager=person.manager, mails=(person.email,) if person.email else (),
            phones=tuple(Phone(kind, value) for kind, value in numbers if value),
            sip_uri=next((uri.removeprefix("sip:") for uri in uris[:-1] or uris if "@" in uri), ""),
            photo=self._photo_template.replace(TOKEN, user) if self._photo_template else "",
        )  # fmt: skip

    async def _resolve(self, wanted: Wanted) -> tuple[Record, ...]:
        for terms in self._terms(wanted):
            async with self._gate:
                users = await self._users(**terms, max=5, start=0)
            records = [record for record in map(self.record, users.people) if record is not None]
            found = tuple(record for record in records if self._meets(record, wanted))
            if found:
                return found
        return ()

    def _meets(self, record: Record, wanted: Wanted) -> bool:
        """The server's look-up of numbers compares the last digits only: what it gives is looked at again."""
        if fits(record, wanted, self._context.region):
            return True
        if wanted.by is not By.NUMBER:
            return wanted.by in (By.JID, By.URI) and any(mail.lower() == wanted.value.lower() for mail in record.mails)
        inner = number_key(wanted.value)
        work = next((phone.value for phone in record.phones if phone.kind is Kind.WORK), "")
        return len(inner) < 7 and bool(inner) and number_key(work, self._context.region).endswith(inner)

    def _terms(self, wanted: Wanted) -> Iterable[dict[str, str]]:
        value = wanted.value
        if wanted.by is By.USER:
            return ({"username": value},)
        if wanted.by is By.MAIL:
            return ({"email": value},)
        if wanted.by is By.NUMBER:
            return ({"number": digits(value)},) if digits(value) else ()
        local, _, domain = value.partition("@")
        if not domain:
            return ({"username": value},)
        if domain.lower() != self._context.domain:
            return ({"email": value},)
        return ({"username": local}, {"email": value}, *(({"number": local},) if local.isdigit() else ()))

    async def _users(self, **terms: str | int) -> Users:
        try:
            return await self._call_manager.search(**terms)
        except CallManagerError as error:
            raise self._failed(error) from error

    def _failed(self, error: CallManagerError) -> SourceError:
        if isinstance(error, TokenRefusedError):
            return SourceError(error.reason)
        return SourceError(Reason.of("engine.directory.no_answer", server=error.server, why=error.detail))
