"""Catching up with an archive (XEP-0313): the person's own, or a room's, from the last message that is kept here.

Results come as messages before the answer of the query. They are collected under the query's id, so that nobody can
slip a message in who does not know it (section 9), and a page is written to the store before the position moves on.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from xml.etree.ElementTree import Element, SubElement

import structlog

from ringback.client.messaging.errors import RequestFailedError
from ringback.client.messaging.port import Port
from ringback.client.messaging.stanzas import ARCHIVE, Received, read_archived
from ringback.client.store.store import Store
from ringback.rules.addresses import Jid

PAGE = 100
FIRST_PAGES = 2  # at the first sign-in on this machine: the newest 200
PAGES_LIMIT = 200  # 20,000 messages in one go; the rest comes with the next connection
_SECONDS = 60.0
_RSM = "http://jabber.org/protocol/rsm"
_DATA = "jabber:x:data"

log = structlog.get_logger(__name__)

TakeOver = Callable[[list[Received]], Awaitable[None]]


@dataclass(slots=True)
class _Query:
    archive: Jid
    results: list[Received] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Page:
    """One page: what it holds, and the archive ids of its ends; ``complete``: nothing beyond it in this direction."""

    messages: list[Received]
    first: str
    last: str
    complete: bool


class Archives:
    """Asks archives and remembers how far each was read."""

    def __init__(self, own: Jid, port: Port, store: Store) -> None:
        self._own = own
        self._port = port
        self._store = store
        self._queries: dict[str, _Query] = {}

    def collect(self, element: Element) -> bool:
        """Take a message if it is a result of a running query; True also for results that nobody asked for."""
        if element.find(f"{{{ARCHIVE}}}result") is None:
            return False
        read = read_archived(element, self._own)
        if read is not None:
            query_id, received = read
            query = self._queries.get(query_id)
            sender = element.get("from")
            came_from = Jid.parse(sender).bare if sender else self._own
            if query is not None and came_from == query.archive:
                query.results.append(received)
        return True

    async def catch_up(self, archive: Jid, take_over: TakeOver) -> bool:
        """Read everything after the kept position into ``take_over``; True where there was no position: a first time.

        Raises NotConnectedError, RequestFailedError.
        """
        position = await self._store.get("archive", str(archive), str)
        if position:
            try:
                await self._forward(archive, position, take_over)
            except RequestFailedError as error:
                if error.condition != "item-not-found":
                    raise
                log.info("archive.position_gone", archive=str(archive))
            else:
                return False
        await self._newest(archive, take_over)
        return True

    async def moved(self, archive: Jid, stanza_id: str) -> None:
        """A live message carried this archive id: everything up to it is here. Only after a complete ``catch_up``."""
        await self._store.put("archive", str(archive), stanza_id)

    async def older(self, archive: Jid, before: str, partner: Jid | None, limit: int = PAGE) -> Page:
        """One page before an archive id (empty: the newest), of one partner. Raises as ``catch_up``."""
        return await self._page(archive, before=before, partner=partner, limit=limit)

    async def until(self, archive: Jid, moment: datetime, partner: Jid | None) -> Page:
        """The last page of what was said until a moment."""
        return await self._page(archive, end=moment, before="", partner=partner)

    async def _forward(self, archive: Jid, position: str, take_over: TakeOver) -> None:
        for _ in range(PAGES_LIMIT):
            page = await self._page(archive, after=position)
            await take_over(page.messages)
            if page.last:
                position = page.last
                await self._store.put("archive", str(archive), position)
            if page.complete or not page.last:
                return

    async def _newest(self, archive: Jid, take_over: TakeOver) -> None:
        pages: list[Page] = []
        before = ""
        for _ in range(FIRST_PAGES):
            page = await self._page(archive, before=before)
            pages.append(page)
            before = page.first
            if page.complete or not page.first:
                break
        await take_over([message for page in reversed(pages) for message in page.messages])
        if pages[0].last:
            await self._store.put("archive", str(archive), pages[0].last)

    async def _page(
        self,
        archive: Jid,
        *,
        after: str | None = None,
        before: str | None = None,
        end: datetime | None = None,
        partner: Jid | None = None,
        limit: int = PAGE,
    ) -> Page:
        query_id = uuid.uuid4().hex
        query = Element(f"{{{ARCHIVE}}}query", {"queryid": query_id})
        if partner is not None or end is not None:
            form = SubElement(query, f"{{{_DATA}}}x", {"type": "submit"})
            _form_field(form, "FORM_TYPE", ARCHIVE, hidden=True)
            if partner is not None:
                _form_field(form, "with", str(partner))
            if end is not None:
                _form_field(form, "end", end.isoformat().replace("+00:00", "Z"))
        paging = SubElement(query, f"{{{_RSM}}}set")
        SubElement(paging, f"{{{_RSM}}}max").text = str(limit)
        if after is not None:
            SubElement(paging, f"{{{_RSM}}}after").text = after
        if before is not None:
            SubElement(paging, f"{{{_RSM}}}before").text = before or None
        running = self._queries[query_id] = _Query(archive)
        try:
            answer = await self._port.request("set", query, None if archive == self._own else archive, _SECONDS)
            await self._port.fence()
        finally:
            del self._queries[query_id]
        finish = answer.find(f"{{{ARCHIVE}}}fin")
        bounds = finish.find(f"{{{_RSM}}}set") if finish is not None else None
        return Page(
            messages=running.results,
            first=(bounds.findtext(f"{{{_RSM}}}first") or "") if bounds is not None else "",
            last=(bounds.findtext(f"{{{_RSM}}}last") or "") if bounds is not None else "",
            complete=finish is None or finish.get("complete") in ("true", "1"),
        )


def _form_field(form: Element, name: str, value: str, *, hidden: bool = False) -> None:
    attributes = {"var": name, **({"type": "hidden"} if hidden else {})}
    SubElement(SubElement(form, f"{{{_DATA}}}field", attributes), f"{{{_DATA}}}value").text = value
