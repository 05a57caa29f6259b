"""Past calls: kept in the person's encrypted store, newest first, with what happened in each."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from ringback.client.events import Events
from ringback.client.host.wire_calls import Recent, RecentsChanged
from ringback.client.store.store import Store

KEPT = 1000  # calls; older ones go
SHOWN = 50  # how many a page gets at first
_KIND = "recent-call"


class RecentBook:
    """The list of past calls. ``load`` fills it; changes are told as ``RecentsChanged``."""

    def __init__(self, store: Store, events: Events) -> None:
        self._store = store
        self._events = events
        self._recents: dict[str, Recent] = {}  # newest first
        self._changed: dict[str, None] = {}

    async def load(self) -> None:
        """Read what is kept."""
        rows = (await self._store.all(_KIND, Recent)).values()
        self._recents = {row.id: row for row in sorted(rows, key=lambda row: row.at, reverse=True)}

    def newest(self, limit: int = SHOWN) -> list[Recent]:
        """The newest past calls."""
        return list(self._recents.values())[:limit]

    def before(self, recent_id: str | None, limit: int) -> tuple[list[Recent], bool]:
        """Those older than one (all where it is unknown), and whether nothing older is kept."""
        rows = list(self._recents.values())
        names = list(self._recents)
        first = names.index(recent_id) + 1 if recent_id in self._recents else 0
        return rows[first : first + limit], first + limit >= len(rows)

    @property
    def missed(self) -> int:
        """Missed calls that nobody has looked at."""
        return sum(1 for row in self._recents.values() if not row.seen)

    async def add(self, recent: Recent) -> None:
        """Keep a call that is over; the oldest go where there are too many."""
        rows = sorted([recent, *self._recents.values()], key=lambda row: row.at, reverse=True)
        self._recents = {row.id: row for row in rows[:KEPT]}
        gone = [row.id for row in rows[KEPT:]]
        await self._store.put(_KIND, recent.id, recent)
        await self._store.remove(_KIND, gone)
        self._note([recent.id, *gone])

    async def update(self, recent: Recent) -> None:
        """Keep a changed one (its person became known, the record of its quality came late)."""
        if recent.id in self._recents:
            self._recents[recent.id] = recent
            await self._store.put(_KIND, recent.id, recent)
            self._note([recent.id])

    def get(self, recent_id: str) -> Recent | None:
        """One of them."""
        return self._recents.get(recent_id)

    async def see(self) -> None:
        """All missed calls have been looked at."""
        changed = [msgspec.structs.replace(row, seen=True) for row in self._recents.values() if not row.seen]
        self._recents.update({row.id: row for row in changed})
        await self._store.put_all(_KIND, [(row.id, row) for row in changed])
        self._note(row.id for row in changed)

    async def remove(self, recent_id: str) -> bool:
        """Take one out; False where it is not there."""
        if self._recents.pop(recent_id, None) is None:
            return False
        await self._store.remove(_KIND, [recent_id])
        self._note([recent_id])
        return True

    def _note(self, names: Iterable[str]) -> None:
        self._changed.update(dict.fromkeys(names))
        if self._changed:
            self._events.note("recents", self._event)

    def _event(self) -> RecentsChanged | None:
        changed, self._changed = self._changed, {}
        rows = [row for name, row in self._recents.items() if name in changed]
        gone = [name for name in changed if name not in self._recents]
        return RecentsChanged(recents=rows, gone=gone) if rows or gone else None
