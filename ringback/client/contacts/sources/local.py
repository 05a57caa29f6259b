"""Address books on this machine: files of vCards and CSV, and folders of them, read again when they change.

Files are looked at (size and time of change) at each question, at most once a second, and read in a thread. The program
only reads them. What a file says that was not understood is logged by its line numbers and never stops the rest.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from ringback.client.contacts.facts import Facts
from ringback.client.contacts.formats import Entry, read_contacts
from ringback.client.contacts.formats.reading import BYTES_MOST
from ringback.client.contacts.index import PeopleIndex
from ringback.client.contacts.merge import merge
from ringback.client.contacts.ranking import match, order
from ringback.client.contacts.sources.base import (
    Answers,
    Page,
    Query,
    Record,
    SourceError,
    Wanted,
)
from ringback.rules.addresses import AddressError, Jid
from ringback.rules.reasons import Reason

LOOK_SECONDS = 1.0
FILES_MOST = 5000
PHOTOS_MOST = 64 * 1024 * 1024  # octets of embedded pictures that are held
_ENDINGS = (".vcf", ".vcard", ".csv")
_Stamp = tuple[tuple[str, int, int], ...]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Book:
    """What the files say: each record by its key, and people to search."""

    stamp: _Stamp
    records: dict[str, Record]
    people: PeopleIndex
    photos: dict[str, bytes]
    lost: int = 0


class LocalSource:
    """A ``ContactSource`` of a file or a folder. ``folder_of`` what is shown is the path's name."""

    def __init__(self, path: Path, region: str = "", clock: Callable[[], float] = time.time, name: str = "") -> None:
        self._path = path
        self._region = region
        self._clock = clock
        self._name = name or f"local:{path.name}"
        self._book: Book | None = None
        self._looked = float("-inf")
        self._lock = asyncio.Lock()

    @property
    def name(self) -> str:
        """The source of its records."""
        return self._name

    @property
    def server(self) -> str:
        """The file or folder."""
        return self._path.name

    async def search(self, query: Query) -> Page:
        """The best ones of those who fit. Raises SourceError where nothing can be read."""
        book = await self._now()
        skip = int(query.cursor) if query.cursor.isascii() and query.cursor.isdigit() else 0
        ranked = sorted(
            (order(found, facts), facts)
            for facts in book.people.search(query)
            if (found := match(query, facts, region=self._region)) is not None
        )
        page = [facts for _, facts in ranked[skip : skip + query.limit]]
        end = skip + len(page)
        return Page(self._records(book, page), len(ranked), str(end) if end < len(ranked) else "")

    async def resolve(self, wanted: Sequence[Wanted]) -> Answers:
        """Who has these addresses and numbers. Raises SourceError."""
        book = await self._now()
        found = {one: self._records(book, book.people.resolve(one)) for one in dict.fromkeys(wanted)}
        return Answers({one: records for one, records in found.items() if records})

    async def photo(self, record: Record) -> bytes | None:
        """The picture that stands in the file. Raises SourceError."""
        return (await self._now()).photos.get(record.key)

    async def close(self) -> None:
        """Let go of what was read."""
        self._book = None

    def _records(self, book: Book, people: Sequence[Facts]) -> tuple[Record, ...]:
        return tuple(book.records[key] for facts in people for _, key in facts.places)

    async def _now(self) -> Book:
        async with self._lock:
            now = time.monotonic()
            if self._book is not None and now - self._looked < LOOK_SECONDS:
                return self._book
            try:
                before = self._book.stamp if self._book is not None else None
                stamp = await asyncio.to_thread(_stamp, self._path)
                if self._book is None or stamp != before:
                    self._book = await asyncio.to_thread(self._read, stamp)
                    log.info("contacts.local_read", people=len(self._book.people), lost=self._book.lost)
            except OSError as error:
                why = error.strerror or type(error).__name__
                raise SourceError(Reason.of("contacts.source.file", name=self._path.name, why=why)) from error
            self._looked = now
            return self._book

    def _read(self, stamp: _Stamp) -> Book:
        records: dict[str, Record] = {}
        photos: dict[str, bytes] = {}
        lost, room = 0, PHOTOS_MOST
        for path, size, changed in stamp:
            if size > BYTES_MOST:
                lost += 1
                continue
            file = read_contacts(Path(path).read_bytes(), path)
            lost += len(file.lost)
            for entry in file.entries:
                record = record_of(entry, self._name, key_of(entry, Path(path).name), changed / 1e9)
                records[record.key] = record
                if entry.photo and len(entry.photo) <= room:
                    photos[record.key] = entry.photo
                    room -= len(entry.photo)
        people = PeopleIndex(merge(records.values(), region=self._region), self._region)
        return Book(stamp, records, people, photos, lost)


def _stamp(path: Path) -> _Stamp:
    """What is there: path, size and time of change of each file."""
    files = [path] if path.is_file() else sorted(one for one in path.iterdir() if one.suffix.lower() in _ENDINGS)
    found = []
    for one in files[:FILES_MOST]:
        about = one.stat()
        found.append((str(one), about.st_size, about.st_mtime_ns))
    return tuple(found)


def key_of(entry: Entry, place: str) -> str:
    """A name for an entry that stays when others come and go around it."""
    who = (entry.address, *entry.mails, *(phone.value for phone in entry.phones), entry.name, entry.first, entry.last)
    return hashlib.sha256("\n".join((place, *who)).encode(errors="replace")).hexdigest()[:24]


def record_of(entry: Entry, source: str, key: str, at: float) -> Record:
    """An entry as a source gives it."""
    try:
        jid = Jid.parse(entry.address) if entry.address else None
    except AddressError:
        jid = None
    return Record(
        source=source, key=key, at=at, jid=str(jid.bare) if jid is not None and jid.local else "",
        name=entry.name, first=entry.first, last=entry.last, nickname=entry.nickname, title=entry.title,
        department=entry.department, company=entry.company, location=entry.location, mails=entry.mails,
        phones=entry.phones, photo="embedded" if entry.photo else "",
    )  # fmt: skip
