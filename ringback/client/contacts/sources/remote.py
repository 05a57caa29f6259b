"""Directories of a company's own making, and cloud directories: JSON from a configured HTTPS address.

The format is chosen here and described in ``docs/interfaces/contact-sources.md``: questions are queries of GET
(``q``, ``limit``, ``cursor``; or ``jid``, ``uri``, ``number``, ``mail``, ``user``, as often as wanted), answers are
one object with ``people``, ``total`` and ``next``. Nothing that proves who the person is, is sent there.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

import msgspec
from yarl import URL

from ringback.client.contacts.sources.base import (
    PAGE_LIMIT,
    PHOTO_LIMIT,
    Answers,
    Kind,
    Page,
    Phone,
    Query,
    Record,
    SourceError,
    Wanted,
    sort_answers,
)
from ringback.client.contacts.sources.context import SourceContext
from ringback.client.identity.https import Answer, Https, HttpsError
from ringback.rules.addresses import AddressError, Jid
from ringback.rules.reasons import Reason

WANTED_AT_ONCE = 50


class _Number(msgspec.Struct, frozen=True):
    value: str
    kind: str = "other"


class _Person(msgspec.Struct, frozen=True):
    id: str
    jid: str = ""
    user: str = ""
    name: str = ""
    first: str = ""
    last: str = ""
    nickname: str = ""
    title: str = ""
    department: str = ""
    company: str = ""
    manager: str = ""
    location: str = ""
    mails: list[str] = []
    numbers: list[_Number] = []
    sip: str = ""
    photo: str = ""


class _Answer(msgspec.Struct, frozen=True):
    people: list[_Person]
    total: int | None = None
    next: str = ""


class RemoteSource:
    """A ``ContactSource``. ``name`` is ``custom-directory`` or ``cloud``. An async context manager."""

    def __init__(self, name: str, address: str, context: SourceContext) -> None:
        """Raises SourceError where the address is none of HTTPS."""
        self._name = name
        self._context = context
        try:
            self._base = URL(address)
        except ValueError:
            self._base = URL()
        if self._base.scheme != "https" or not self._base.host:
            raise SourceError(Reason.of("contacts.source.address", name=name, address=address))
        self._https = Https(context.names, context.judge, route=context.route)
        self._open = False

    async def __aenter__(self) -> Self:
        await self._https.__aenter__()
        self._open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def name(self) -> str:
        """The source of its records."""
        return self._name

    @property
    def server(self) -> str:
        """The host that is asked."""
        return self._base.host or ""

    async def search(self, query: Query) -> Page:
        """Ask ``?q=``. Raises SourceError."""
        given = {"q": query.text, "limit": str(query.limit), **({"cursor": query.cursor} if query.cursor else {})}
        answer = self._read(await self._get(self._base.update_query(given)))
        records = self._records(answer)[: query.limit]
        return Page(records, answer.total, answer.next if records else "")

    async def resolve(self, wanted: Sequence[Wanted]) -> Answers:
        """Ask by addresses and numbers. Raises SourceError."""
        found: dict[Wanted, tuple[Record, ...]] = {}
        rows = list(dict.fromkeys(wanted))
        for first in range(0, len(rows), WANTED_AT_ONCE):
            part = rows[first : first + WANTED_AT_ONCE]
            url = self._base.extend_query([(str(one.by), one.value) for one in part])
            records = self._records(self._read(await self._get(url)))
            found |= sort_answers(part, records, self._context.region).found
        return Answers(found)

    async def photo(self, record: Record) -> bytes | None:
        """The picture, if it lies on the same server. Raises SourceError."""
        try:
            target = self._base.join(URL(record.photo)) if record.photo else None
            ours = target is not None and target.origin() == self._base.origin()
        except ValueError:
            return None
        if target is None or not ours:
            return None  # a directory must not make us ask any server of the world
        answer = await self._get(target, missing=True)
        return answer.body if answer.status == 200 and len(answer.body) <= PHOTO_LIMIT else None

    async def close(self) -> None:
        """Close the connection."""
        if self._open:
            self._open = False
            await self._https.__aexit__(None, None, None)

    async def _get(self, url: URL, *, missing: bool = False) -> Answer:
        try:
            answer = await self._https.request("GET", url, {"Accept": "application/json, image/*"})
        except HttpsError as error:
            raise SourceError(Reason.of("engine.directory.no_answer", server=self.server, why=error.detail)) from error
        if answer.status != 200 and not missing:
            raise SourceError(Reason.of("engine.directory.no_answer", server=self.server, why=f"HTTP {answer.status}"))
        return answer

    def _read(self, answer: Answer) -> _Answer:
        try:
            return msgspec.json.decode(answer.body, type=_Answer)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise SourceError(Reason.of("contacts.source.garbage", server=self.server, why=str(error))) from error

    def _records(self, answer: _Answer) -> tuple[Record, ...]:
        now = self._context.clock()
        return tuple(
            Record(
                source=self._name, key=one.id, at=now, jid=_jid(one.jid), user=one.user, name=one.name,
                first=one.first, last=one.last, nickname=one.nickname, title=one.title, department=one.department,
                company=one.company, manager=one.manager, location=one.location, mails=tuple(one.mails[:20]),
                phones=tuple(Phone(_kind(number.kind), number.value) for number in one.numbers[:20] if number.value),
                sip_uri=one.sip.removeprefix("sip:"), photo=one.photo,
            )
            for one in answer.people[:PAGE_LIMIT]
        )  # fmt: skip


def _kind(text: str) -> Kind:
    try:
        return Kind(text)
    except ValueError:
        return Kind.OTHER


def _jid(text: str) -> str:
    try:
        return str(Jid.parse(text).bare) if text else ""
    except AddressError:
        return ""
