"""The calls under way, and how each becomes a past one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

from ringback.client.calling.call import LiveCall, Result
from ringback.client.calling.parties import Parties
from ringback.client.calling.recents import RecentBook
from ringback.client.events import Events
from ringback.client.host.wire_calls import Call, CallsChanged

ENDED_SECONDS = 3.0  # how long an ended call stays, so that its note can be read


class CallBook:
    """Holds the calls. ``counted`` is called when the number of missed ones may have changed."""

    def __init__(self, events: Events, recents: RecentBook, counted: Callable[[], None]) -> None:
        self._events = events
        self._recents = recents
        self._counted = counted
        self._calls: dict[str, LiveCall] = {}
        self._changed: dict[str, None] = {}
        self._leaving: dict[str, asyncio.TimerHandle] = {}

    def __iter__(self) -> Iterator[LiveCall]:
        return iter(list(self._calls.values()))

    def get(self, call_id: str) -> LiveCall | None:
        """A call by its id, also one that has just ended."""
        return self._calls.get(call_id)

    def live(self) -> list[LiveCall]:
        """Calls that have not ended."""
        return [call for call in self._calls.values() if not call.over]

    def talking(self) -> list[LiveCall]:
        """Calls that somebody answered."""
        return [call for call in self._calls.values() if call.talking]

    def wire(self) -> list[Call]:
        """All of them as the page shows them."""
        return [call.wire() for call in self._calls.values()]

    def known(self, parties: Parties) -> None:
        """People became known: calls with them say so."""
        for call in self.live():
            party = call.party
            if not party.person and party.number:
                found = parties.of(party.number, party.name, emergency=party.emergency)
                if found.person:
                    call.change(party=found)

    def add(self, call: LiveCall) -> None:
        """A new call."""
        self._calls[call.id] = call
        self.changed(call)

    def changed(self, call: LiveCall) -> None:
        """Something of a call changed."""
        if call.id in self._calls:
            self._changed[call.id] = None
            self._events.note("calls", self._event)
            self._count()

    def _count(self) -> None:
        """Every call knows how many others there are: some actions depend on it."""
        talking = self.talking()
        for call in talking:
            others = len(talking) - 1
            if call.others != others:
                call.others = others
                self._changed[call.id] = None

    async def ended(self, call: LiveCall, result: Result) -> None:
        """Keep what was a call as a past one; it stays to be seen for a moment."""
        missed = result == "missed"
        self.changed(call)
        self._leave_later(call)
        await self._recents.add(call.recent(result, seen=not missed))
        self._counted()

    def _leave_later(self, call: LiveCall) -> None:
        loop = asyncio.get_running_loop()
        self._leaving[call.id] = loop.call_later(ENDED_SECONDS, self._leave, call.id)

    def _leave(self, call_id: str) -> None:
        self._leaving.pop(call_id, None)
        if self._calls.pop(call_id, None) is not None:
            self._changed[call_id] = None
            self._events.note("calls", self._event)

    def close(self) -> None:
        """Nobody looks any more."""
        for handle in self._leaving.values():
            handle.cancel()
        self._leaving.clear()
        self._calls.clear()

    def _event(self) -> CallsChanged | None:
        changed, self._changed = self._changed, {}
        calls = [self._calls[name].wire() for name in changed if name in self._calls]
        gone = [name for name in changed if name not in self._calls]
        return CallsChanged(calls=calls, gone=gone) if calls or gone else None
