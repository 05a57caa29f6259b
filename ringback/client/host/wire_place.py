"""Where the person is, on the wire: in the company's network or reached through its edge, and what is missing there."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field

from ringback.client.host.wire_base import Event
from ringback.rules.reasons import Reason

Whereabouts = Literal["", "inside", "outside", "moving"]


class Missing(Struct, frozen=True, kw_only=True):
    """Something that is not to be had where the person is. ``id``: a name of its own, such as ``desk_phone``."""

    id: str
    reason: Reason


class Place(Struct, frozen=True, kw_only=True):
    """Where the person is, with the deciding reason first. ``where`` empty: nothing was looked up; ``moving``: the
    network changed and services are reached anew. ``edge``: ``host:port`` of the edge, outside."""

    where: Whereabouts = ""
    edge: str = ""
    since: str | None = None
    reasons: list[Reason] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)


class PlaceChanged(Event, frozen=True, kw_only=True):
    """The person is elsewhere, or something is missing or to be had again."""

    place: Place
