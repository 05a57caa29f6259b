"""What a contact source is: the small interface, and what goes through it.

A source answers three questions: who fits what is being typed (``search``, page by page), who is behind an address or
number (``resolve``), and what does this person look like (``photo``). It does so in its own time: callers bound and
cancel it, so every wait in a source must bear a cancellation at any moment and leave the source usable. It keeps no
cache, merges nothing and ranks nothing; that is done once for all sources (``merge``, ``ranking``, ``cache``).

A source raises ``SourceError`` and nothing else, whatever its server sends.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from ringback.client.contacts.numbers import digits, number_key
from ringback.rules.name_search import fold
from ringback.rules.reasons import Reason

PHOTO_LIMIT = 4 * 1024 * 1024  # octets of a picture as a source gives it; larger ones are refused
PAGE_LIMIT = 500  # records of a page at most, whatever is asked for


class SourceError(Exception):
    """A source can't answer now; ``reason`` is one sentence for the person (``contacts.source.*``)."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.id)
        self.reason = reason


class Kind(StrEnum):
    """What a number is for, in the order in which numbers are shown."""

    WORK = "work"
    MOBILE = "mobile"
    HOME = "home"
    OTHER = "other"
    PAGER = "pager"
    FAX = "fax"


@dataclass(frozen=True, slots=True)
class Phone:
    """A number as the source writes it."""

    kind: Kind
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What one source says of one person. Empty texts: it says nothing of that.

    ``source`` is the source's ``name``; ``key`` is the record's own name there (distinguished name, user id, place in a
    file), stable between two answers. ``jid`` is a bare, normalised JID; ``user`` the user id. ``manager`` is the
    manager as the source names him or her (user id, JID, key of a record or a name). ``sip_uri`` has no scheme.
    ``photo`` is a reference that ``photo()`` of the same source understands (an address, the name of an attribute);
    empty: there is none. ``at``: when the source said so, in seconds since 1970 (UTC).
    """

    source: str
    key: str
    at: float
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
    mails: tuple[str, ...] = ()
    phones: tuple[Phone, ...] = ()
    sip_uri: str = ""
    photo: str = ""

    @property
    def shown_name(self) -> str:
        """The name to show: as the source gives it, else put together, else what the person is reached by."""
        put_together = f"{self.first} {self.last}".strip()
        reached = self.mails[0] if self.mails else (self.phones[0].value if self.phones else "")
        return self.name or put_together or self.nickname or self.user or self.jid or reached or self.sip_uri


@dataclass(frozen=True, slots=True)
class Query:
    """What was typed. ``words``: folded, in order; ``digits``: what of it can be dialled, else empty (then it is no
    number). ``cursor``: where to go on, as a page of the same source said; empty: at the beginning."""

    text: str
    words: tuple[str, ...]
    digits: str
    limit: int = 20
    cursor: str = ""

    @classmethod
    def of(cls, text: str, limit: int = 20, cursor: str = "") -> Query:
        """A query from what was typed; ``limit`` is brought between 1 and PAGE_LIMIT."""
        return cls(text.strip(), tuple(fold(text).split()), digits(text), max(1, min(limit, PAGE_LIMIT)), cursor)


@dataclass(frozen=True, slots=True)
class Page:
    """An answer to a search. ``total``: how many the source knows in all, None where it doesn't say; ``next``: cursor
    of the following page, empty at the end; ``note``: what limits the answer (a size limit of the server), if any."""

    records: tuple[Record, ...] = ()
    total: int | None = None
    next: str = ""
    note: Reason | None = None


class By(StrEnum):
    """By what somebody is looked for."""

    JID = "jid"
    URI = "uri"  # a SIP URI without its scheme: user@host
    NUMBER = "number"
    MAIL = "mail"
    USER = "user"  # the user id


@dataclass(frozen=True, slots=True)
class Wanted:
    """Who is looked for. A number has gone through the directory look-up rules already."""

    by: By
    value: str


@dataclass(frozen=True, slots=True)
class Answers:
    """What a source knows of those who were wanted: who is not in ``found`` is not known there."""

    found: Mapping[Wanted, tuple[Record, ...]] = field(default_factory=dict)


class ContactSource(Protocol):
    """One directory. Made ready by its factory; ``close`` ends it, once, and never raises."""

    @property
    def name(self) -> str:
        """A short stable name (``uds``, ``ldap``, ``local:<file name>``): the ``source`` of its records."""

    @property
    def server(self) -> str:
        """Whom it asks, for showing: a host or a file name."""

    async def search(self, query: Query) -> Page:
        """Who fits what was typed. Raises SourceError."""

    async def resolve(self, wanted: Sequence[Wanted]) -> Answers:
        """Who is behind addresses and numbers; what the source can't look for is left out. Raises SourceError."""

    async def photo(self, record: Record) -> bytes | None:
        """The picture of a record of this source as it stands, at most PHOTO_LIMIT octets; None: there is none.

        Nothing is decoded here: ``photos`` checks and scales. Raises SourceError.
        """

    async def close(self) -> None:
        """Let go of connections and files."""


def fits(record: Record, wanted: Wanted, region: str = "") -> bool:
    """Whether a record answers a question; ``region`` is the ISO 3166 code in which national numbers are read."""
    value = wanted.value
    match wanted.by:
        case By.JID:
            return record.jid.lower() == value.lower()
        case By.USER:
            return fold(record.user) == fold(value)
        case By.MAIL:
            return any(mail.lower() == value.lower() for mail in record.mails)
        case By.URI:
            return value.lower() in (record.sip_uri.lower(), record.jid.lower())
        case By.NUMBER:
            key = number_key(value, region)
            return bool(key) and any(number_key(phone.value, region) == key for phone in record.phones)


def sort_answers(wanted: Iterable[Wanted], records: Iterable[Record], region: str = "") -> Answers:
    """The answers of a source that asked for several at once: each record to whom it fits."""
    rows = tuple(records)
    sorted_out = {one: tuple(row for row in rows if fits(row, one, region)) for one in wanted}
    return Answers({one: found for one, found in sorted_out.items() if found})
