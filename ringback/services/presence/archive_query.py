"""Queries of a message archive, of an account or of a room (XEP-0313 mam:2 with its extended form, XEP-0059)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from lxml import etree

from ringback.protocols.xmpp.errors import StanzaError
from ringback.protocols.xmpp.stanza import quote
from ringback.rules.addresses import AddressError, Jid
from ringback.storage.presence import archive
from ringback.storage.presence.archive import Archived, Window
from ringback.storage.presence.engine import Storage
from ringback.storage.presence.tables import IDS_PER_MICROSECOND

MAM: Final = "urn:xmpp:mam:2"
FEATURES: Final = (MAM, f"{MAM}#extended", "urn:xmpp:sid:0")
DEFAULT_PAGE: Final = 50
LARGEST_PAGE: Final = 250

_RSM = "http://jabber.org/protocol/rsm"
_DATA = "jabber:x:data"
_LARGEST_ID = 2**63 - 1
_LARGEST_MICROSECOND = _LARGEST_ID // IDS_PER_MICROSECOND - 1
_START_TAG = re.compile(rb"<[^\s/>]+(?:\s+[^\s=/>]+\s*=\s*(?:\"[^\"]*\"|'[^']*'))*")
_DECLARES = re.compile(rb"\sxmlns\s*=")
_NAME = re.compile(rb"<[^\s/>]+")


class ArchiveClock:
    """Gives archive ids: they follow the clock, never repeat and never go back.

    Several clocks (one for accounts, one for rooms) give different ids, because each keeps to its ``lane``.
    """

    LANES: Final = 4

    def __init__(self, lane: int = 0) -> None:
        self._last = lane

    def next(self, now: float) -> int:
        """The id of something that happens at ``now`` (seconds since 1970)."""
        lanes = self.LANES
        due = int(now * 1_000_000) * IDS_PER_MICROSECOND + self._last % lanes
        self._last = max(self._last + lanes, due)
        return self._last

    def passed(self, archive_id: int) -> None:
        """An id that exists already, of whatever lane: the next ones are greater."""
        lanes = self.LANES
        self._last = max(self._last, (archive_id // lanes + 1) * lanes + self._last % lanes)


@dataclass(frozen=True, slots=True)
class Query:
    """What a client asks of an archive. ``limit`` 0 asks for the count only; ``flip`` for the newest first."""

    query_id: str
    window: Window
    limit: int
    newest: bool
    flip: bool
    must_exist: tuple[int, ...]


def namespaced(raw: bytes) -> bytes:
    """A stanza that declares its namespace, so that it can stand inside another one."""
    start = _START_TAG.match(raw)
    if start is not None and _DECLARES.search(start[0]):
        return raw
    name = _NAME.match(raw)
    end = name.end() if name else 0
    return b"".join((raw[:end], b" xmlns='jabber:client'", raw[end:]))


def stamp(microseconds: int) -> bytes:
    """A XEP-0082 time in microseconds, so that a client can ask for exactly what it was shown."""
    moment = datetime.fromtimestamp(microseconds // 1_000_000, UTC).replace(microsecond=microseconds % 1_000_000)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ").encode()


def read_query(element: etree._Element) -> Query:
    """Read ``<query/>``. Raises StanzaError (bad-request, feature-not-implemented, item-not-found)."""
    fields = _fields(element)
    paging = element.find(f"{{{_RSM}}}set")
    limit, after, before, newest = DEFAULT_PAGE, None, None, False
    if paging is not None:
        maximum = paging.findtext(f"{{{_RSM}}}max")
        limit = DEFAULT_PAGE if maximum is None else min(_number(maximum), LARGEST_PAGE)
        after = _optional_id(paging.findtext(f"{{{_RSM}}}after") or "")
        place = paging.findtext(f"{{{_RSM}}}before")
        newest = place is not None
        before = _optional_id(place or "")
        if paging.find(f"{{{_RSM}}}index") is not None:
            raise StanzaError("feature-not-implemented", "Pages are found by id, not by number")
    wanted = tuple(_id(text) for text in fields.get("ids", ()))
    edges = (_optional_id(_single(fields, "after-id")), _optional_id(_single(fields, "before-id")))
    peer, resource = _with(_single(fields, "with"))
    window = Window(
        start=_microseconds(_single(fields, "start")),
        end=_microseconds(_single(fields, "end")),
        after=max((edge for edge in (after, edges[0]) if edge is not None), default=None),
        before=min((edge for edge in (before, edges[1]) if edge is not None), default=None),
        peer=peer,
        resource=resource,
        wanted=wanted,
    )
    exist = {*wanted, *(edge for edge in (after, before, *edges) if edge is not None)}
    flip = element.find(f"{{{MAM}}}flip-page") is not None
    return Query(element.get("queryid", ""), window, limit, newest, flip, tuple(exist))


def _fields(element: etree._Element) -> dict[str, list[str]]:
    form = element.find(f"{{{_DATA}}}x")
    fields: dict[str, list[str]] = {}
    for field in form.iterchildren(f"{{{_DATA}}}field") if form is not None else ():
        fields[field.get("var", "")] = [value.text or "" for value in field.iterchildren(f"{{{_DATA}}}value")]
    kind = fields.pop("FORM_TYPE", [MAM] if form is None else [""])
    if kind != [MAM]:
        raise StanzaError("bad-request", "The form of an archive query is urn:xmpp:mam:2")
    if fields.keys() - {"with", "start", "end", "before-id", "after-id", "ids"}:
        raise StanzaError("feature-not-implemented", "The archive knows no such filter")
    if len(fields.get("ids", ())) > LARGEST_PAGE:
        raise StanzaError("policy-violation", f"At most {LARGEST_PAGE} ids can be asked for at once")
    return fields


def _single(fields: dict[str, list[str]], name: str) -> str:
    values = fields.get(name, [])
    return values[0].strip() if values else ""


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise StanzaError("bad-request", "The size of a page is a number")
    return int(text)


def _id(text: str) -> int:
    """An archive id; one that is not of ours is one that is not found (XEP-0313 section 4.3)."""
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= _LARGEST_ID):
        raise StanzaError("item-not-found", "The archive has no message with this id")
    return int(text)


def _optional_id(text: str) -> int | None:
    return _id(text) if text else None


def _microseconds(text: str) -> int | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError("no time zone")  # noqa: TRY301 - one answer for all times that cannot be read
        seconds = moment.astimezone(UTC).replace(microsecond=0).timestamp()
    except (ValueError, OverflowError) as error:
        raise StanzaError("bad-request", f"{text!r} is not a time") from error
    return min(max(int(seconds) * 1_000_000 + moment.microsecond, 0), _LARGEST_MICROSECOND)


def _with(text: str) -> tuple[str, str]:
    if not text:
        return "", ""
    try:
        jid = Jid.parse(text)
    except AddressError as error:
        raise StanzaError("jid-malformed", str(error)) from error
    return str(jid.bare), jid.resource


FORM: Final = b"".join(
    (
        b"<query xmlns='urn:xmpp:mam:2'><x xmlns='jabber:x:data' type='form'>",
        b"<field type='hidden' var='FORM_TYPE'><value>urn:xmpp:mam:2</value></field>",
        b"<field type='jid-single' var='with'/><field type='text-single' var='start'/>",
        b"<field type='text-single' var='end'/><field type='text-single' var='before-id'/>",
        b"<field type='text-single' var='after-id'/><field type='list-multi' var='ids'>",
        b"<validate xmlns='http://jabber.org/protocol/xdata-validate' datatype='xs:string'><open/></validate></field>",
        b"</x></query>",
    )
)
"""The supported filters, for a get."""


async def answer(
    storage: Storage,
    owner: str,
    query: Query,
    send: Callable[[bytes], None],
    receiver: bytes,
    *,
    decorate: Callable[[Archived], bytes] = lambda message: message.stanza,
) -> bytes:
    """Send the page to the asker and return ``<fin/>``.

    ``receiver`` is the asker's full JID, ready XML; ``decorate`` gives the stanza as this asker may see it.
    Raises StanzaError (item-not-found) where an id that was named is not in the archive.
    """
    async with storage.read() as connection:
        if query.must_exist:
            found = await archive.known(connection, owner, query.must_exist)
            if len(found) < len(set(query.must_exist)):
                raise StanzaError("item-not-found", "The archive has no message with this id")
        if query.limit == 0:
            total = await archive.count(connection, owner, query.window)
            return _fin(b"<count>%d</count>" % total, complete=total == 0)
        page = await archive.read(connection, owner, query.window, query.limit + 1, newest=query.newest)
    complete = len(page) <= query.limit
    if not complete:
        page = page[1:] if query.newest else page[:-1]
    head = b"<message to='%b' from='%b'><result xmlns='urn:xmpp:mam:2'" % (receiver, quote(owner))
    head += b" queryid='%b' id='" % quote(query.query_id) if query.query_id else b" id='"
    for message in reversed(page) if query.flip else page:
        send(head + _result(message, namespaced(decorate(message))))
    if not page:
        return _fin(b"", complete=complete)
    return _fin(b"<first>%d</first><last>%d</last>" % (page[0].id, page[-1].id), complete=complete)


def _result(message: Archived, stanza: bytes) -> bytes:
    return (
        b"%d'><forwarded xmlns='urn:xmpp:forward:0'><delay xmlns='urn:xmpp:delay' stamp='%b'/>%b</forwarded>"
        b"</result></message>" % (message.id, stamp(message.microseconds), stanza)
    )


def _fin(inside: bytes, *, complete: bool) -> bytes:
    flag = b" complete='true'" if complete else b""
    return b"<fin xmlns='urn:xmpp:mam:2'%b><set xmlns='http://jabber.org/protocol/rsm'>%b</set></fin>" % (flag, inside)


async def metadata(storage: Storage, owner: str) -> bytes:
    """The first and the last message of an archive (XEP-0313 section 5)."""
    async with storage.read() as connection:
        ends = await archive.bounds(connection, owner)
    if ends is None:
        return b"<metadata xmlns='urn:xmpp:mam:2'/>"
    first, last = (
        b"id='%d' timestamp='%b'" % (archive_id, stamp(archive_id // IDS_PER_MICROSECOND)) for archive_id in ends
    )
    return b"<metadata xmlns='urn:xmpp:mam:2'><start %b/><end %b/></metadata>" % (first, last)
