"""Contacts follow their people when the company's addresses change: another domain, or another way to make addresses.

Only contacts whom no directory knows any more are looked for, once a session, and only where there is no doubt
(``rules.address_scheme``) the row of the contact list moves, with its name, groups and place.
"""

from __future__ import annotations

import structlog

from ringback.client.contacts.finder import Finder
from ringback.client.contacts.sources.base import By, Wanted
from ringback.client.engine.session import Session
from ringback.client.messaging.errors import MessagingError
from ringback.rules.address_scheme import Known, Move, moved
from ringback.rules.reasons import Reason

_META, _OWN, _BEFORE = "meta", "own-address", "own-domain-before"

log = structlog.get_logger(__name__)


class Following:
    """One session's. ``look`` whenever contacts have been asked about."""

    def __init__(self, session: Session, finder: Finder) -> None:
        self._session = session
        self._finder = finder
        self._looked: set[str] = set()
        self._before = ""

    async def begin(self) -> None:
        """Notice whether the person's own domain is another one than at the last sign-in."""
        store, own = self._session.store, self._session.own
        last = await store.get(_META, _OWN, str) or ""
        self._before = await store.get(_META, _BEFORE, str) or ""
        domain = last.partition("@")[2]
        if domain and domain != own.domain:
            self._before = domain
            await store.put(_META, _BEFORE, domain)
        if last != str(own):
            await store.put(_META, _OWN, str(own))

    async def look(self, asked: set[str]) -> tuple[Move, ...]:
        """Look for contacts whom nobody knows though they were ``asked`` about; gives those that moved."""
        people = self._session.people
        lost = [
            item.jid
            for item in people.roster()
            if item.jid in asked and item.jid not in self._looked and people.facts(item.jid) is None
        ]
        if not lost or not self._session.ready:
            return ()
        self._looked.update(lost)
        own = self._session.own.domain
        wanted = [Wanted(by, jid) for jid in lost for by in (By.MAIL, By.URI)]
        wanted += [
            Wanted(By.USER, jid.partition("@")[0]) for jid in lost if jid.partition("@")[2] in (own, self._before)
        ]
        found = {facts.id: facts for facts in (await self._finder.resolve(wanted)).values() if facts.jid}
        known = [Known(one.jid, one.user, (*one.mails, *filter(None, (one.sip_uri,)))) for one in found.values()]
        moves = moved(lost, known, own, self._before)
        for move in moves:
            await self._move(move)
        return moves

    async def _move(self, move: Move) -> None:
        session, people = self._session, self._session.people
        old, new = people.item(move.old), people.item(move.new)
        if old is None:
            return
        groups = list(dict.fromkeys([*(new.groups if new is not None else ()), *old.groups]))
        try:
            if new is None:
                await session.contacts.add(move.new, old.name, groups)
            elif groups != new.groups:
                await session.contacts.change(move.new, None, groups)
            await people.own_list.moved(move.old, move.new)
            await session.contacts.remove(move.old)
        except MessagingError as error:
            log.info("people.contact_not_moved", reason=error.reason.id)
            return
        reasons: tuple[Reason, ...] = (move.reason,)
        session.board.set("contacts", session.board.state("contacts"), reasons=reasons)
