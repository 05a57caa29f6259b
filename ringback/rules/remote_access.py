"""Inside or outside the company's network, decided from which SRV records a name server shows.

Planning guide, chapter 5, "Client Queries the Name Server": ``_cisco-uds`` (or, before release 9, ``_cuplogin``) is
served inside only; ``_collab-edge`` alone means outside, where the inner records are asked for through the edge.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ringback.rules.reasons import Reason
from ringback.rules.srv import NameAnswer, NameOutcome, SrvRecord


class Location(StrEnum):
    """Where this computer stands."""

    INSIDE = "inside"
    OUTSIDE = "outside"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ServiceRecords:
    """The answers to the three questions; None where a question was not asked."""

    uds: NameAnswer | None = None
    cuplogin: NameAnswer | None = None
    edge: NameAnswer | None = None

    @property
    def all(self) -> tuple[NameAnswer, ...]:
        """The answers there are, in the documented order."""
        return tuple(answer for answer in (self.uds, self.cuplogin, self.edge) if answer is not None)

    @property
    def silent(self) -> bool:
        """Whether questions were asked and no name server said anything."""
        mute = (NameOutcome.TIMED_OUT, NameOutcome.NO_ANSWER)
        return bool(self.all) and all(answer.outcome in mute for answer in self.all)


@dataclass(frozen=True, slots=True)
class LocationDecision:
    """Where, and why."""

    location: Location
    reasons: tuple[Reason, ...]


def usable(answer: NameAnswer | None) -> tuple[SrvRecord, ...]:
    """The records of an answer that name a server."""
    if answer is None or answer.outcome is not NameOutcome.FOUND:
        return ()
    return tuple(record for record in answer.srv if record.target)


def decide_location(records: ServiceRecords) -> LocationDecision:
    """Decide from the records."""
    for answer, name in ((records.uds, "uds"), (records.cuplogin, "cuplogin")):
        if usable(answer) and answer is not None:
            return LocationDecision(Location.INSIDE, (Reason.of(f"location.inside.{name}", server=answer.server),))
    if usable(records.edge):
        return LocationDecision(Location.OUTSIDE, (Reason.of("location.outside.edge"),))
    if records.silent:
        return LocationDecision(Location.UNKNOWN, (Reason.of("location.unknown.silent"),))
    return LocationDecision(Location.UNKNOWN, (Reason.of("location.unknown.none"),))
