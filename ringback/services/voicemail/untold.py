"""Which clients were given which notice, and which of them showed that they got it; only then it is struck off."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import structlog
from sqlalchemy.exc import SQLAlchemyError

from ringback.storage.voicemail.notices import NoticeStore

_log = structlog.get_logger("ringback.voicemail.notifications")

Pair = tuple[str, str]
"""A notice: the names of listener and message."""


class Untold:
    """The notices of a node that are on their way to clients."""

    def __init__(self, store: NoticeStore) -> None:
        self._store = store
        self._given: dict[Pair, set[str]] = {}
        self._taken: dict[str, list[Pair]] = {}

    @property
    def given(self) -> frozenset[Pair]:
        """All that clients were given and that was not forgotten."""
        return frozenset(self._given)

    def give(self, pair: Pair, clients: Iterable[str]) -> list[str]:
        """Those among the clients who were not given the notice before; they count as given now."""
        known = self._given.get(pair, frozenset[str]())
        fresh = [client for client in clients if client not in known]
        if fresh:
            self._given.setdefault(pair, set()).update(fresh)
        return fresh

    def take(self, client: str, pairs: Sequence[Pair]) -> None:
        """An answer with these notices went to a client."""
        if pairs:
            self._taken.setdefault(client, []).extend(pairs)

    async def confirm(self, clients: Iterable[str]) -> None:
        """Clients got the answers they were given. Where the database refuses, it is tried at their next request."""
        taken = {client: pairs for client in clients if (pairs := self._taken.pop(client, None))}
        told = {pair for pairs in taken.values() for pair in pairs}
        if not told:
            return
        try:
            await self._store.told(told)
        except (OSError, SQLAlchemyError) as error:
            _log.warning("notices.not_struck_off", error=type(error).__name__, notices=len(told))
            for client, pairs in taken.items():
                self._taken.setdefault(client, []).extend(pairs)

    def forget(self, clients: Iterable[str], pairs: Iterable[Pair]) -> None:
        """Clients are gone, and these notices do not stand any more: they were struck off, or their messages deleted.
        Not earlier, since somebody who looked before that would take them for new."""
        for client in clients:
            self._taken.pop(client, None)
        for pair in pairs:
            self._given.pop(pair, None)
