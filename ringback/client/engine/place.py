"""Where the person is, as it is told to the page: inside, outside through an edge, or between the two."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec

from ringback.client.events import Events
from ringback.client.host.wire_place import Missing, Place, PlaceChanged, Whereabouts
from ringback.rules.reasons import Reason

REASONS_LIMIT = 8


class PlaceBoard:
    """Holds the wire's ``Place``; every change is told."""

    def __init__(self, events: Events, now: Callable[[], datetime]) -> None:
        self._events = events
        self._clock = now
        self.now = Place()

    def set(
        self,
        where: Whereabouts,
        *,
        edge: str = "",
        reasons: Sequence[Reason] = (),
        missing: Sequence[tuple[str, Reason]] = (),
    ) -> None:
        """Note where the person is, why we think so, and what is missing there as pairs of name and reason."""
        before = self.now
        same = before.where == where and before.edge == edge
        self._tell(
            Place(
                where=where,
                edge=edge,
                since=before.since if same else self._clock().isoformat(),
                reasons=list(reasons)[:REASONS_LIMIT],
                missing=[Missing(id=name, reason=reason) for name, reason in missing],
            )
        )

    def moving(self, why: Reason) -> None:
        """The network changed: services are reached anew. What was missing is told until it is known better."""
        self._tell(msgspec.structs.replace(self.now, where="moving", since=self._clock().isoformat(), reasons=[why]))

    def reset(self) -> None:
        """Nobody is signed in."""
        self._tell(Place())

    def _tell(self, place: Place) -> None:
        if place != self.now:
            self.now = place
            self._events.note("place", lambda: PlaceChanged(place=self.now))
